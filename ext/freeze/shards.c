/*
 * Archives and arrays; see freeze.h.
 *
 *   webdataset  NNNNNN.tar: of each chip KEY.npy, KEY.LAYER.npy and KEY.json, the key its position
 *               (POSIX ustar; nothing in it depends on who writes it when)
 *   npy         NNNNNN.npy, NNNNNN.LAYER.npy: (n, bands, rows, columns)
 *
 * With splits the name of the split and '-' stand before the number.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/db.h"
#include "freeze/freeze.h"
#include "pixels/layers.h"
#include "pixels/npy.h"
#include "store/names.h"
#include "store/percent.h"
#include "store/sink.h"

#define TAR_BLOCK 512
#define TAR_MAX_FILE 077777777777 /* eleven octal digits */

struct sc_shards {
  const struct sc_dataset_plan *plan;
  int is_tar;
  int64_t number;
  char *split, *name; /* name: of the file, without its suffix; owned */
  size_t n_planned, n_added;
  struct sc_sink *sinks; /* npy: of the pixels and of each layer */
  int n_sinks, n_open;
  sqlite3_stmt *describe;
};

static void close_sinks(struct sc_shards *s) {
  for (int i = 0; i < s->n_open; i++) sc_sink_close(&s->sinks[i]);
  s->n_open = 0;
}

void sc_shards_close(struct sc_shards *s) {
  if (!s) return;
  close_sinks(s);
  sqlite3_finalize(s->describe);
  sc_free(s->sinks);
  sc_free(s->split);
  sc_free(s->name);
  sc_free(s);
}

sc_status sc_shards_open(const struct sc_dataset_plan *plan, struct sc_shards **out,
                         struct sc_error *err) {
  struct sc_shards *s = *out = sc_alloc_zero(1, sizeof *s);
  if (!s) return sc_fail_nomem(err);
  s->plan = plan;
  s->is_tar = plan->options->format == SC_FREEZE_WEBDATASET;
  s->n_sinks = s->is_tar ? 1 : 1 + plan->options->chip.n_layers;
  s->sinks = sc_alloc_zero((size_t)s->n_sinks, sizeof *s->sinks);
  return s->sinks ? SC_OK : sc_fail_nomem(err);
}

/* The name of file k of the shard, in the folder. */
static sc_status file_name(const struct sc_shards *s, int k, char **out, struct sc_error *err) {
  const struct sc_chip_options *o = &s->plan->options->chip;
  if (s->is_tar) return sc_format(out, err, "%s.tar", s->name);
  return k ? sc_format(out, err, "%s.%s.npy", s->name, o->layers[k - 1].name)
           : sc_format(out, err, "%s.npy", s->name);
}

static sc_status open_sink(struct sc_shards *s, struct sc_error *err) {
  char *file = NULL, *path = NULL;
  sc_status st = file_name(s, s->n_open, &file, err);
  if (!st) st = sc_format(&path, err, "%s/%s", s->plan->path, file);
  if (!st) st = sc_sink_open(path, SC_SINK_ALONE, &s->sinks[s->n_open], err);
  if (!st) s->n_open++;
  sc_free(file);
  sc_free(path);
  return st;
}

sc_status sc_shards_begin(struct sc_shards *s, int64_t number, const char *split, size_t chips,
                          struct sc_error *err) {
  struct sc_buffer name = {0};
  close_sinks(s);
  sc_free(s->split);
  sc_free(s->name);
  s->split = s->name = NULL;
  s->number = number;
  s->n_planned = chips;
  s->n_added = 0;
  sc_status st = sc_strdup(split, &s->split, err);
  if (!st && split) st = sc_percent_encode(&name, split, strlen(split), "_-", err);
  if (!st) st = sc_buffer_printf(&name, err, "%s%06lld", split ? "-" : "", (long long)number);
  if (!st) st = sc_strndup((char *)name.data, name.size, &s->name, err);
  sc_buffer_free(&name);
  while (!st && s->n_open < s->n_sinks) st = open_sink(s, err);
  return st;
}

/* --- what lies in the folder --- */

/* "train-000017.tar", "000017.dem.npy": SPLIT-NUMBER.LAYER.SUFFIX. */
static int is_shard_name(const char *name) {
  size_t n = strlen(name), stem = strcspn(name, "."), digits = 0;
  while (digits < stem && name[stem - 1 - digits] >= '0' && name[stem - 1 - digits] <= '9')
    digits++;
  if (digits < 6 || (digits < stem && name[stem - 1 - digits] != '-')) return 0;
  const char *layer = name + stem + 1, *suffix = n < 4 ? "" : name + n - 4;
  int is_npy = strcmp(suffix, ".npy") == 0;
  if (strcmp(name + stem, ".tar") == 0 || strcmp(name + stem, ".npy") == 0) return 1;
  return is_npy && layer < suffix && layer + strcspn(layer, ".") == suffix;
}

static sc_status sweep_file(const char *folder, const char *name, int is_removing,
                            struct sc_error *err) {
  char *path = NULL;
  sc_status st = sc_format(&path, err, "%s/%s", folder, name);
  if (!st && !is_removing) {
    st = sc_fail(err, SC_CONSTRAINT,
                 SC_FREEZE
                 ": %s is there already, and readers would take it for a shard: remove it, or give "
                 "another path",
                 path);
  }
  if (!st && unlink(path) != 0 && errno != ENOENT)
    st = sc_fail(err, SC_IO, "%s: %s", path, strerror(errno));
  sc_free(path);
  return st;
}

sc_status sc_shards_sweep(const char *folder, int is_removing, struct sc_error *err) {
  struct sc_files names = {0};
  sc_status st = sc_folder_names(folder, &names, err);
  if (st == SC_NOT_FOUND) {
    sc_error_init(err);
    st = SC_OK;
  }
  for (size_t i = 0; i < names.n && !st; i++) {
    const char *name = names.paths[i];
    int is_index = is_removing && strcmp(name, "index.json") == 0;
    if (is_index || is_shard_name(name)) st = sweep_file(folder, name, is_removing, err);
  }
  sc_files_free(&names);
  return st;
}

/* --- archives --- */

/* A header of POSIX.1-1988 (ustar),
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html
 */
static sc_status tar_header(struct sc_sink *to, const char *name, size_t bytes,
                            struct sc_error *err) {
  char head[TAR_BLOCK] = {0};
  unsigned sum = 0;
  if (strlen(name) > 99 || bytes > TAR_MAX_FILE)
    return sc_fail(err, SC_TOO_BIG, "%s of %zu bytes does not go into an archive", name, bytes);
  snprintf(head, 100, "%s", name);
  memcpy(head + 100, "0000644\0000000000\0000000000", 24);
  snprintf(head + 124, 12, "%011llo", (unsigned long long)bytes);
  memcpy(head + 136, "00000000000", 12); /* modified: in 1970 */
  memset(head + 148, ' ', 8);
  head[156] = '0';
  memcpy(head + 257, "ustar\00000", 8);
  for (int i = 0; i < TAR_BLOCK; i++) sum += (unsigned char)head[i];
  snprintf(head + 148, 8, "%06o", sum);
  head[155] = ' ';
  return sc_sink_write(to, head, sizeof head, err);
}

static sc_status tar_pad(struct sc_sink *to, size_t bytes, struct sc_error *err) {
  static const char zeros[2 * TAR_BLOCK];
  return sc_sink_write(to, zeros, bytes, err);
}

/* A file of a head and a body. */
static sc_status tar_file(struct sc_sink *to, const char *name, struct sc_view head,
                          struct sc_view body, struct sc_error *err) {
  size_t bytes = head.size + body.size;
  sc_status st = tar_header(to, name, bytes, err);
  if (!st) st = sc_sink_write(to, head.data, head.size, err);
  if (!st) st = sc_sink_write(to, body.data, body.size, err);
  return st ? st : tar_pad(to, (TAR_BLOCK - bytes % TAR_BLOCK) % TAR_BLOCK, err);
}

static size_t array_bytes(const struct sc_freeze_shape *shape, const struct sc_shard_array *a) {
  return (size_t)a->n_bands * (size_t)shape->height * (size_t)shape->width *
         sc_dtype_bytes(a->dtype);
}

static sc_status tar_array(const struct sc_shards *s, int64_t position,
                           const struct sc_shard_array *a, struct sc_error *err) {
  const struct sc_freeze_shape *shape = &s->plan->shape;
  const struct sc_npy_array array = {
      sc_npy_descr(a->dtype), 3, {(size_t)a->n_bands, (size_t)shape->height, (size_t)shape->width}};
  struct sc_buffer head = {0};
  char name[100];
  snprintf(name, sizeof name, "%09lld%s%s.npy", (long long)position, a->name ? "." : "",
           a->name ? a->name : "");
  sc_status st = sc_npy_header(&array, &head, err);
  if (!st)
    st = tar_file(&s->sinks[0], name, (struct sc_view){head.data, head.size},
                  (struct sc_view){a->values, array_bytes(shape, a)}, err);
  sc_buffer_free(&head);
  return st;
}

/* What the JSON of a chip has beside the query's columns, which go first where names are equal. */
static const struct {
  const char *key, *value;
} known[] = {{"handle", "c.handle"},
             {"item", "i.item_id"},
             {"collection", "i.collection"},
             {"platform", "i.platform"},
             {"datetime", "i.datetime"},
             {"chip_index_x", "c.chip_index_x"},
             {"chip_index_y", "c.chip_index_y"},
             {"x", "c.x"},
             {"y", "c.y"},
             {"width", "c.width"},
             {"height", "c.height"},
             {"crs", "c.crs"},
             {"transform", "json(c.transform)"},
             {"bbox", "json_array(c.west, c.south, c.east, c.north)"}};

static int is_column(const struct sc_shards *s, const char *name) {
  for (int i = 0; i < s->plan->n_columns; i++) {
    if (strcmp(s->plan->columns[i], name) == 0) return 1;
  }
  return 0;
}

/* Append an expression for each column of the query: its value as JSON, within `before` and
 * `after`. An argument each of one json_object() would be more than SQLite takes. */
static sc_status append_columns(const struct sc_shards *s, const char *before, const char *after,
                                struct sc_buffer *sql, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < s->plan->n_columns && !st; i++) {
    const char *name = s->plan->columns[i];
    /* json_quote() writes infinity as JSON only since SQLite 3.42. */
    char *column = sqlite3_mprintf(
        ",%sCASE WHEN c.\"%w\" IN (9e999, -9e999) THEN iif(c.\"%w\" > 0, '9e999', '-9e999') ELSE "
        "json_quote(c.\"%w\") END%s",
        before, name, name, name, after);
    st = column ? sc_buffer_append_text(sql, column, err) : sc_fail_nomem(err);
    sqlite3_free(column);
  }
  return st;
}

/* Append the object of a row, in its first column, with a member for each column of the query. */
static sc_status append_object(const struct sc_shards *s, sqlite3_stmt *row, struct sc_buffer *out,
                               struct sc_error *err) {
  const char *object = (const char *)sqlite3_column_text(row, 0);
  if (!object || !*object) return sc_fail_nomem(err);
  sc_status st = sc_buffer_append(out, object, strlen(object) - 1, err);
  for (int i = 0; i < s->plan->n_columns && !st; i++) {
    const char *value = (const char *)sqlite3_column_text(row, i + 1);
    st = value ? sc_buffer_append_text(out, ",", err) : sc_fail_nomem(err);
    if (!st) st = sc_buffer_append_json(out, s->plan->columns[i], err);
    if (!st) st = sc_buffer_append_text(out, ":", err);
    if (!st) st = sc_buffer_append_text(out, value, err);
  }
  return st ? st : sc_buffer_append_text(out, "}", err);
}

static sc_status prepare_describe(struct sc_shards *s, struct sc_dataset *d, struct sc_error *err) {
  struct sc_buffer sql = {0};
  sc_status st = sc_buffer_append_text(&sql, "SELECT json_object('position', c.position", err);
  for (size_t i = 0; i < sizeof known / sizeof *known && !st; i++) {
    if (is_column(s, known[i].key)) continue;
    st = sc_buffer_printf(&sql, err, ",'%s',%s", known[i].key, known[i].value);
  }
  if (!st) st = sc_buffer_append_text(&sql, ")", err);
  if (!st) st = append_columns(s, "", "", &sql, err);
  if (!st) {
    st = sc_buffer_append_text(
        &sql, " FROM chips AS c JOIN items AS i ON i.id = c.item WHERE c.position = ?1", err);
  }
  if (!st) st = sc_buffer_terminate(&sql, err);
  if (!st) st = sc_db_prepare(sc_dataset_db(d), (char *)sql.data, NULL, NULL, &s->describe, err);
  sc_buffer_free(&sql);
  return st;
}

static sc_status tar_description(struct sc_shards *s, struct sc_dataset *d, int64_t position,
                                 struct sc_error *err) {
  char name[100];
  struct sc_buffer text = {0};
  int is_row = 0;
  snprintf(name, sizeof name, "%09lld.json", (long long)position);
  sc_status st = s->describe ? SC_OK : prepare_describe(s, d, err);
  if (st) return st;
  sqlite3_bind_int64(s->describe, 1, position);
  st = sc_db_next(s->describe, &is_row, err);
  if (!st && !is_row)
    st = sc_fail(err, SC_BAD_DATA, "chip %lld is of no item", (long long)position);
  if (!st) st = append_object(s, s->describe, &text, err);
  if (!st)
    st = tar_file(&s->sinks[0], name, (struct sc_view){text.data, text.size},
                  (struct sc_view){NULL, 0}, err);
  sqlite3_reset(s->describe);
  sc_buffer_free(&text);
  return st;
}

/* --- arrays --- */

static sc_status npy_array(const struct sc_shards *s, int k, const struct sc_shard_array *a,
                           struct sc_error *err) {
  const struct sc_freeze_shape *shape = &s->plan->shape;
  const struct sc_npy_array array = {
      sc_npy_descr(a->dtype),
      4,
      {s->n_planned, (size_t)a->n_bands, (size_t)shape->height, (size_t)shape->width}};
  struct sc_buffer head = {0};
  sc_status st = s->n_added ? SC_OK : sc_npy_header(&array, &head, err);
  if (!st) st = sc_sink_write(&s->sinks[k], head.data, head.size, err);
  if (!st) st = sc_sink_write(&s->sinks[k], a->values, array_bytes(shape, a), err);
  sc_buffer_free(&head);
  return st;
}

sc_status sc_shards_add(struct sc_shards *s, struct sc_dataset *d, int64_t position,
                        const struct sc_shard_array *arrays, int n, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int k = 0; k < n && !st; k++)
    st = s->is_tar ? tar_array(s, position, &arrays[k], err) : npy_array(s, k, &arrays[k], err);
  if (!st && s->is_tar) st = tar_description(s, d, position, err);
  s->n_added++;
  return st;
}

sc_status sc_shards_end(struct sc_shards *s, struct sc_dataset *d, struct sc_error *err) {
  int64_t counts[2] = {(int64_t)s->n_added, 0};
  char *file = NULL;
  sc_status st = s->is_tar ? tar_pad(&s->sinks[0], 2 * TAR_BLOCK, err) : SC_OK;
  for (int k = 0; k < s->n_open && !st; k++) st = sc_sink_finish(&s->sinks[k], err);
  for (int k = 0; k < s->n_open && !st; k++) {
    counts[1] += (int64_t)s->sinks[k].n_written;
    st = sc_sink_commit(&s->sinks[k], err);
  }
  close_sinks(s);
  if (!st) st = file_name(s, 0, &file, err);
  if (!st) st = sc_dataset_add_shard(d, s->number, file, s->split, counts, err);
  sc_free(file);
  return st;
}

/* --- index.json --- */

/* One line of it for each shard: what lies in it, in order. */
static sc_status prepare_lines(const struct sc_shards *s, struct sc_dataset *d, sqlite3_stmt **out,
                               struct sc_error *err) {
  struct sc_buffer sql = {0};
  sc_status st = sc_buffer_append_text(
      &sql,
      "SELECT json_object('file', s.file, 'split', s.split, 'chips', s.chips, 'handle', "
      "json_group_array(c.handle))",
      err);
  if (!st) st = append_columns(s, "'['||group_concat(", ",',')||']'", &sql, err);
  if (!st) {
    st = sc_buffer_append_text(&sql,
                               " FROM shards AS s JOIN (SELECT * FROM chips ORDER BY position) AS "
                               "c ON c.shard = s.number GROUP BY s.number ORDER BY s.number",
                               err);
  }
  if (!st) st = sc_buffer_terminate(&sql, err);
  if (!st) st = sc_db_prepare(sc_dataset_db(d), (char *)sql.data, NULL, NULL, out, err);
  sc_buffer_free(&sql);
  return st;
}

static sc_status write_lines(const struct sc_shards *s, sqlite3_stmt *rows, struct sc_sink *to,
                             struct sc_error *err) {
  struct sc_buffer line = {0};
  int is_row = 1, n = 0;
  sc_status st = SC_OK;
  while (!st && is_row) {
    st = sc_db_next(rows, &is_row, err);
    if (st || !is_row) break;
    line.size = 0;
    if (n++) st = sc_buffer_append_text(&line, ",\n", err);
    if (!st) st = append_object(s, rows, &line, err);
    if (!st) st = sc_sink_write(to, line.data, line.size, err);
  }
  sc_buffer_free(&line);
  return st;
}

/* What is known of the whole, up to the list of shards. */
static sc_status write_head(struct sc_dataset *d, const char *sql, struct sc_sink *to,
                            struct sc_error *err) {
  sqlite3_stmt *head = NULL;
  int is_row = 0;
  sc_status st = sc_db_prepare(sc_dataset_db(d), sql, NULL, NULL, &head, err);
  if (!st) st = sc_db_next(head, &is_row, err);
  const char *text = !st && is_row ? (const char *)sqlite3_column_text(head, 0) : NULL;
  if (!st) st = text ? sc_sink_write(to, text, strlen(text), err) : sc_fail_nomem(err);
  sqlite3_finalize(head);
  return st ? st : sc_sink_write(to, ",\"shards\":[\n", 12, err);
}

sc_status sc_shards_index(struct sc_shards *s, struct sc_dataset *d, struct sc_error *err) {
  static const char head_sql[] =
      "SELECT rtrim(json_object('hash', (SELECT value FROM dataset WHERE key = 'hash'), 'chips', "
      "(SELECT value FROM dataset WHERE key = 'chips'), 'dtype', (SELECT value FROM dataset WHERE "
      "key = 'dtype'), 'shape', (SELECT json(value) FROM dataset WHERE key = 'shape'), 'bands', "
      "(SELECT json(value) FROM dataset WHERE key = 'bands'), 'layers', (SELECT json(value) FROM "
      "dataset WHERE key = 'layers'), 'columns', (SELECT json(value) FROM dataset WHERE key = "
      "'columns')), '}')";
  struct sc_sink sink = {0};
  sqlite3_stmt *lines = NULL;
  char *path = NULL;
  if (s->is_tar) return SC_OK;
  sc_status st = sc_format(&path, err, "%s/index.json", s->plan->path);
  if (!st) st = sc_sink_open(path, SC_SINK_ALONE, &sink, err);
  if (!st) st = write_head(d, head_sql, &sink, err);
  if (!st) st = prepare_lines(s, d, &lines, err);
  if (!st) st = write_lines(s, lines, &sink, err);
  sqlite3_finalize(lines);
  if (!st) st = sc_sink_write(&sink, "\n]}\n", 4, err);
  if (!st) st = sc_sink_finish(&sink, err);
  if (!st) st = sc_sink_commit(&sink, err);
  sc_sink_close(&sink);
  sc_free(path);
  return st;
}
