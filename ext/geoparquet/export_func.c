/* The SQL function stacchip_export(table, path [, options]); see export.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/hilbert.h"
#include "connection.h"
#include "geoparquet/export.h"

#define SORT_RUN_BYTES ((size_t)64 << 20)
#define HILBERT_KEY_BITS 40
#define BATCHES 4 /* fetched ahead of the work on them, which other threads may delay */
#define BATCH_ROWS 4096
#define BATCH_MAX_BYTES ((size_t)8 << 20)
#define BLOCKS_A_CHECK 64 /* between two looks for an interrupt */

/* Rows that were fetched; worked on beside the fetching of the next ones. */
struct batch {
  struct export_job *job;
  struct sc_buffer bytes;
  int n_rows;
  uint64_t number; /* in the queue; 0: not given to it */
  struct sc_error err;
};

/* From run_job() to the end of reading, the queue's thread owns all but db, source, the batches
 * that are not given to it, and current. */
struct export_job {
  sqlite3 *db;
  const struct sc_export_options *options;
  struct sc_export_source source;
  struct sc_export_row row;
  struct sc_export_files files;
  struct sc_sorter sorter;
  struct sc_interned partitions;
  struct sc_export_packer packer;
  struct sc_export_block block; /* on its way into the sorter; later out of it */
  struct sc_buffer scratch;
  int64_t n_rows;
  int is_sorted;
  struct sc_task_queue queue;
  int has_failed; /* the queue's: no work on the batches after */
  struct batch batches[BATCHES];
  int current; /* the one that is being fetched */
};

/* The values of the partition columns as one key: numbers and texts with their lengths. Empty texts
 * are with NULL, whose folder they share. */
static sc_status partition_of(struct export_job *j, uint32_t *out, struct sc_error *err) {
  const struct sc_export_options *o = j->options;
  sc_status st = SC_OK;
  j->scratch.size = 0;
  for (int i = 0; i < o->n_partition && !st; i++) {
    const struct sc_export_cell *cell = &j->row.cells[o->partition[i]];
    int is_text = o->columns[o->partition[i]]->kind == SC_EXPORT_TEXT;
    int is_null = cell->is_null || (is_text && cell->size == 0);
    int64_t head = is_null ? -1 : is_text ? (int64_t)cell->size : cell->i;
    st = sc_buffer_append(&j->scratch, &head, sizeof head, err);
    if (!st && is_text && !is_null) {
      st = sc_buffer_append(&j->scratch, cell->bytes, cell->size, err);
    }
  }
  return st ? st : sc_interned_find(&j->partitions, j->scratch.data, j->scratch.size, out, err);
}

/* Bits of an axis below a cell of some eight chips. */
static unsigned cell_shift(const struct sc_pq_box *box) {
  double width = (box->max_x - box->min_x) / 360, height = (box->max_y - box->min_y) / 180;
  double size = 8 * (width > height ? width : height) * (double)(1u << SC_HILBERT_BITS);
  unsigned shift = 0;
  for (; size >= 2 && shift < SC_HILBERT_BITS; size /= 2) shift++;
  return shift;
}

/* Partition first, then place; rows without geometry first. Equal keys keep their order. */
static uint64_t sort_key(const struct sc_export_place *p) {
  uint64_t key = (uint64_t)p->partition << HILBERT_KEY_BITS;
  return p->is_known ? key | sc_hilbert(p->x, p->y) : key;
}

static sc_status find_place(struct export_job *j, struct sc_export_place *p, struct sc_pq_box *box,
                            struct sc_error *err) {
  int is_multi;
  p->partition = 0;
  p->is_known =
      j->options->sort == SC_SORT_HILBERT && sc_export_row_box(j->options, &j->row, box, &is_multi);
  p->x = p->is_known ? sc_hilbert_axis((box->min_x + box->max_x) / 2, -180, 360) : 0;
  p->y = p->is_known ? sc_hilbert_axis((box->min_y + box->max_y) / 2, -90, 180) : 0;
  return j->options->n_partition ? partition_of(j, &p->partition, err) : SC_OK;
}

static sc_status end_block(struct export_job *j, struct sc_error *err) {
  struct sc_export_block *b = &j->block;
  if (b->n_rows == 0) return SC_OK;
  sc_export_block_end(b);
  sc_status st = sc_sorter_add(&j->sorter, sort_key(&b->place), b->bytes.data, b->bytes.size, err);
  sc_export_block_start(b);
  return st;
}

static sc_status sort_row(struct export_job *j, struct sc_error *err) {
  struct sc_export_block *b = &j->block;
  struct sc_export_place place;
  struct sc_pq_box box = {0};
  sc_status st = find_place(j, &place, &box, err);
  if (!st) st = sc_export_row_pack(&j->packer, &j->row, &j->scratch, err);
  if (!st && !sc_export_block_takes(b, &j->scratch, &place)) {
    st = end_block(j, err);
    b->place = place;
    b->cell_shift = place.is_known ? cell_shift(&box) : SC_HILBERT_BITS;
  }
  return st ? st : sc_export_block_add(b, &j->scratch, j->packer.row_bytes, err);
}

/* Each row of a batch: to the sorter, or straight into the file. */
static void work_batch(void *argument) {
  struct batch *b = argument;
  struct export_job *j = b->job;
  const unsigned char *at = b->bytes.data;
  sc_status st = SC_OK;
  b->err.status = SC_OK;
  for (int i = 0; i < b->n_rows && !st && !j->has_failed; i++) {
    st = sc_export_row_read(j->options, &at, &j->row, &b->err);
    if (!st && j->is_sorted) st = sort_row(j, &b->err);
    if (!st && !j->is_sorted) st = sc_export_files_put(&j->files, &j->row, &b->err);
  }
  j->has_failed |= sc_settle(&b->err, st) != SC_OK;
}

/* Have a batch free; its error is the export's. */
static sc_status wait_batch(struct export_job *j, struct batch *b, struct sc_error *err) {
  sc_queue_wait(&j->queue, b->number);
  if (b->number && b->err.status) *err = b->err;
  b->number = 0;
  b->bytes.size = 0;
  b->n_rows = 0;
  return b->err.status;
}

/* Have the batch that was fetched worked on, and go to the next one. */
static sc_status hand_over(struct export_job *j, struct sc_error *err) {
  struct batch *b = &j->batches[j->current];
  j->n_rows += b->n_rows;
  b->number = sc_queue_put(&j->queue, b);
  j->current = (j->current + 1) % BATCHES;
  return wait_batch(j, &j->batches[j->current], err);
}

static struct sc_buffer *next_row(void *job, struct sc_error *err) {
  struct export_job *j = job;
  struct batch *b = &j->batches[j->current];
  if (b->n_rows == BATCH_ROWS || b->bytes.size > BATCH_MAX_BYTES) {
    if (hand_over(j, err)) return NULL;
    b = &j->batches[j->current];
  }
  b->n_rows++;
  return &b->bytes;
}

/* Some batches in turn: one is fetched while others are worked on. */
static sc_status read_rows(struct export_job *j, struct sc_error *err) {
  sc_queue_open(&j->queue, work_batch);
  sc_status st = sc_export_source_read(&j->source, err);
  if (!st) st = hand_over(j, err);
  for (int i = 0; i < BATCHES; i++) { /* in the order that they were fetched */
    struct sc_error ignored = {0};
    struct batch *b = &j->batches[(j->current + i) % BATCHES];
    sc_status other = wait_batch(j, b, st ? &ignored : err);
    if (!st) st = other;
  }
  sc_queue_close(&j->queue);
  return st;
}

/* Begin the file of a block's rows. */
static sc_status begin_file(struct export_job *j, const unsigned char *data, struct sc_error *err) {
  sc_status st = sc_export_block_open(&j->block, data, err);
  if (!st) st = sc_export_row_unpack(&j->packer, j->block.last.data, &j->row, err);
  return st ? st : sc_export_files_begin(&j->files, &j->row, err);
}

/* Sorted rows into files; a new one whenever the partition changes. */
static sc_status write_sorted(struct export_job *j, struct sc_error *err) {
  const unsigned char *data;
  uint64_t key, partition = 0;
  size_t n;
  sc_status st = end_block(j, err);
  if (!st) st = sc_sorter_finish(&j->sorter, err);
  for (unsigned i = 0; !st; i++) {
    st = sc_sorter_next(&j->sorter, &key, &data, &n, err);
    if (st || !data) break;
    int is_other = key >> HILBERT_KEY_BITS != partition;
    if (j->files.is_open && is_other) st = sc_export_files_end(&j->files, err);
    if (!st && !j->files.is_open) st = begin_file(j, data, err);
    partition = key >> HILBERT_KEY_BITS;
    if (!st) st = sc_export_files_put_block(&j->files, data, n, err);
    if (!st && i % BLOCKS_A_CHECK == 0 && sc_db_interrupted(j->db)) {
      st = sc_fail(err, SC_INTERRUPT, "stacchip_export: interrupted");
    }
  }
  return st;
}

static sc_status run_job(struct export_job *j, struct sc_error *err) {
  const struct sc_export_options *o = j->options;
  sc_status st = SC_OK;
  j->is_sorted = sc_export_is_sorted(o);
  for (int i = 0; i < BATCHES; i++) j->batches[i].job = j;
  if (!o->n_partition) st = sc_export_files_begin(&j->files, NULL, err);
  if (!st) st = read_rows(j, err);
  if (!st && j->is_sorted) st = write_sorted(j, err);
  if (!st && j->files.is_open) st = sc_export_files_end(&j->files, err);
  return st ? st : sc_export_files_commit(&j->files, err);
}

static void free_job(struct export_job *j) {
  sc_export_source_free(&j->source);
  sc_export_files_free(&j->files);
  sc_sorter_free(&j->sorter);
  sc_interned_free(&j->partitions);
  sc_interned_free(&j->packer.texts);
  for (int i = 0; i < BATCHES; i++) sc_buffer_free(&j->batches[i].bytes);
  sc_buffer_free(&j->scratch);
  sc_buffer_free(&j->block.bytes);
  sc_buffer_free(&j->block.last);
  sc_buffer_free(&j->row.wkb);
  sc_free(j);
}

static sc_status export_table(sqlite3 *db, const char *table, const char *path,
                              const struct sc_export_options *o, int64_t *n_rows,
                              struct sc_error *err) {
  struct sc_buffer metadata = {0};
  char *schema = NULL;
  const char *name = table;
  struct export_job *j = sc_alloc_zero(1, sizeof *j);
  if (!j) return sc_fail_nomem(err);
  j->db = db;
  j->options = o;
  j->source.next_row = next_row;
  j->source.job = j;
  sc_sorter_init(&j->sorter, SORT_RUN_BYTES);
  sc_export_packer_init(&j->packer, o);
  sc_status st = sc_export_split_name(db, table, &schema, &name, err);
  if (!st) st = sc_export_source_open(&j->source, db, schema, name, o, err);
  if (!st) st = sc_export_metadata(db, schema, name, o, &metadata, err);
  if (!st)
    st = sc_export_files_init(&j->files, o, &j->packer, path, (const char *)metadata.data, err);
  if (!st) st = run_job(j, err);
  *n_rows = j->n_rows;
  free_job(j);
  sc_free(schema);
  sc_buffer_free(&metadata);
  return st;
}

static sc_status text_argument(sqlite3_value *v, const char *name, const char **out,
                               struct sc_error *err) {
  *out = (const char *)sqlite3_value_text(v);
  int is_text = sqlite3_value_type(v) == SQLITE_TEXT && *out && **out;
  if (is_text && strlen(*out) != (size_t)sqlite3_value_bytes(v)) {
    return sc_fail(err, SC_BAD_ARG, "stacchip_export: argument '%s' has a NUL in it", name);
  }
  if (is_text) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "stacchip_export: argument '%s': expected a text", name);
}

/* index.csv would be Parquet under the name of another format. A number, as in index.2024, is no
 * suffix, and a file may have none. */
static sc_status check_suffix(const char *path, struct sc_error *err) {
  static const char *const own[] = {"parquet", "geoparquet", "parq", "pq"};
  const char *name = strrchr(path, '/'), *suffix = strrchr(name ? name : path, '.');
  if (!suffix || !suffix[1] || strspn(suffix + 1, "0123456789") == strlen(suffix + 1)) return SC_OK;
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    if (sqlite3_stricmp(suffix + 1, own[i]) == 0) return SC_OK;
  }
  return sc_fail(err, SC_BAD_ARG,
                 "stacchip_export: %s: Parquet is what is written; end the path in .parquet", path);
}

static sc_status call(struct sc_connection *c, int n, sqlite3_value **arguments, int64_t *n_rows,
                      struct sc_error *err) {
  struct sc_export_options options = {0};
  const char *table, *path, *json = NULL;
  if (n < 2 || n > 3) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_export(table, path [, options]) takes two or three arguments");
  }
  sc_status st = sc_connection_check_direct(c, err);
  if (!st) st = text_argument(arguments[0], "table", &table, err);
  if (!st) st = text_argument(arguments[1], "path", &path, err);
  if (!st && n == 3 && sqlite3_value_type(arguments[2]) != SQLITE_NULL) {
    st = text_argument(arguments[2], "options", &json, err);
  }
  if (!st) st = sc_export_options_parse(json, &options, err);
  if (!st && !options.n_partition) st = check_suffix(path, err);
  sc_connection_begin_query(c);
  if (!st) {
    st = options.is_items ? sc_export_items(c->db, table, path, &options, n_rows, err)
                          : export_table(c->db, table, path, &options, n_rows, err);
  }
  sc_connection_end_query(c);
  sc_export_options_free(&options);
  return st;
}

void sc_export_function(sqlite3_context *context, int n, sqlite3_value **arguments) {
  struct sc_error err = {0};
  int64_t n_rows = 0;
  if (call(sqlite3_user_data(context), n, arguments, &n_rows, &err)) {
    sc_result_error(context, &err);
  } else {
    sqlite3_result_int64(context, n_rows);
  }
}
