/* The files of an export: columns, names, footers; see export.h. */
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/datetime.h"
#include "geoparquet/export.h"
#include "parquet/value.h"
#include "store/href.h"
#include "store/listing.h"
#include "store/percent.h"

#define MAX_FOLDER_BYTES 200

static int is_in_partition(const struct sc_export_options *o, int column) {
  for (int i = 0; i < o->n_partition; i++) {
    if (o->partition[i] == column) return 1;
  }
  return 0;
}

static struct sc_pq_spec spec_of(const struct sc_export_options *o,
                                 const struct sc_export_column *c) {
  struct sc_pq_spec s = {NULL, c->name, SC_PQ_BYTE_ARRAY, SC_PQ_CONVERTED_NONE, 0, 0, c->is_unique};
  switch (c->kind) {
    case SC_EXPORT_TEXT:
      s.converted = SC_PQ_UTF8;
      s.logical = SC_PQ_LOGICAL_STRING;
      break;
    case SC_EXPORT_DATE:
      s.type = SC_PQ_INT32;
      s.converted = SC_PQ_DATE;
      s.logical = SC_PQ_LOGICAL_DATE;
      break;
    case SC_EXPORT_POSITION:
      s.type = SC_PQ_INT32;
      s.converted = SC_PQ_UINT_16;
      s.logical = SC_PQ_LOGICAL_INTEGER;
      break;
    case SC_EXPORT_INTEGER: s.type = SC_PQ_INT32; break;
    case SC_EXPORT_FRACTION: s.type = SC_PQ_FLOAT; break;
    case SC_EXPORT_GEOMETRY:
      s.is_unordered = 1;
      if (o->geo == SC_GEO_2_0) s.logical = SC_PQ_LOGICAL_GEOMETRY;
      break;
  }
  return s;
}

/*
 * PLAIN, like all numbers that no dictionary helps: BYTE_STREAM_SPLIT takes 1 byte a value
 * instead of 3, but Spark's vectorized reader refuses it (SPARK-56894).
 */
static void add_box_specs(struct sc_export_files *f) {
  static const char *const names[] = {"xmin", "ymin", "xmax", "ymax"};
  for (int i = 0; i < 4; i++) {
    struct sc_pq_spec s = {"bbox", names[i], SC_PQ_FLOAT, SC_PQ_CONVERTED_NONE, 0, 0, 0};
    f->specs[f->n_specs] = s;
    f->spec_cells[f->n_specs++] = -1 - i;
  }
}

/* The file's columns; in Hive trees the folders stand for the partition's. */
static void make_specs(struct sc_export_files *f) {
  const struct sc_export_options *o = f->options;
  for (int i = 0; i < o->n_columns; i++) {
    if (o->is_hive && is_in_partition(o, i)) continue;
    f->specs[f->n_specs] = spec_of(o, o->columns[i]);
    f->spec_cells[f->n_specs++] = i;
    if (o->columns[i]->kind == SC_EXPORT_GEOMETRY) add_box_specs(f);
  }
}

sc_status sc_export_files_init(struct sc_export_files *f, const struct sc_export_options *o,
                               const struct sc_export_packer *packer, const char *root,
                               const char *metadata, struct sc_error *err) {
  memset(f, 0, sizeof *f);
  f->options = o;
  f->root = root;
  f->metadata = metadata;
  for (int i = 0; i < SC_PQ_MAX_PENDING + 1; i++) {
    f->groups[i].files = f;
    f->groups[i].packer = packer;
  }
  make_specs(f);
  if (f->n_specs == 0) {
    return sc_fail(err, SC_BAD_ARG, "stacchip_export: all columns are in partition_by");
  }
  struct sc_pq_writer_options w = {f->specs,
                                   f->n_specs,
                                   (int)o->codec,
                                   o->level,
                                   (size_t)o->row_group_rows,
                                   sc_export_is_sorted(o)};
  f->has_writer = 1;
  return sc_pq_writer_init(&f->writer, &w, err);
}

/* A value as part of a path: all of ASCII but letters, digits and "._-" as %XX. */
static sc_status put_name(struct sc_buffer *out, const char *text, size_t n, struct sc_error *err) {
  size_t first = n > 0; /* at the beginning '.' and '_' hide a folder */
  if (n > MAX_FOLDER_BYTES) {
    return sc_fail(err, SC_BAD_DATA, "stacchip_export: '%.40s...' is too long for a folder name",
                   text);
  }
  sc_status st = sc_percent_encode(out, text, first, "-\x80", err);
  return st ? st : sc_percent_encode(out, text + first, n - first, "-_.\x80", err);
}

/* The value of a partition column as a name; NULL and empty text as Hive has them. */
static sc_status put_cell_name(struct sc_buffer *out, const struct sc_export_column *c,
                               const struct sc_export_cell *cell, struct sc_error *err) {
  char day[32];
  if (cell->is_null || (c->kind == SC_EXPORT_TEXT && cell->size == 0)) {
    return sc_buffer_append_text(out, SC_HIVE_NULL, err);
  }
  if (c->kind == SC_EXPORT_TEXT) return put_name(out, cell->bytes, cell->size, err);
  int n = sc_date_format(cell->i, day, sizeof day);
  return put_name(out, day, (size_t)n, err);
}

/* root/index/{a}/{b}/index_{b}.parquet, or root/a={a}/b={b}/index_{b}.parquet */
static sc_status make_path(const struct sc_export_files *f, const struct sc_export_row *row,
                           struct sc_buffer *out, struct sc_error *err) {
  const struct sc_export_options *o = f->options;
  size_t n = strlen(f->root);
  while (n > 1 && f->root[n - 1] == '/') n--;
  int has_index =
      n >= 5 && strncmp(f->root + n - 5, "index", 5) == 0 && (n == 5 || f->root[n - 6] == '/');
  sc_status st = sc_buffer_append(out, f->root, n, err);
  if (!st && !o->is_hive && !has_index) st = sc_buffer_append_text(out, "/index", err);
  for (int i = 0; i < o->n_partition && !st; i++) {
    int c = o->partition[i];
    st = sc_buffer_append_text(out, "/", err);
    if (!st && o->is_hive) st = sc_buffer_printf(out, err, "%s=", o->columns[c]->name);
    if (!st) st = put_cell_name(out, o->columns[c], &row->cells[c], err);
  }
  int last = o->partition[o->n_partition - 1];
  if (!st) st = sc_buffer_append_text(out, "/index_", err);
  if (!st) st = put_cell_name(out, o->columns[last], &row->cells[last], err);
  if (!st) st = sc_buffer_append_text(out, ".parquet", err);
  return st ? st : sc_buffer_terminate(out, err);
}

static sc_status add_sink(struct sc_export_files *f, struct sc_error *err) {
  if (f->n_sinks < f->max_sinks) return SC_OK;
  size_t max = f->max_sinks ? 2 * f->max_sinks : 16;
  struct sc_sink *sinks = sc_realloc(f->sinks, max * sizeof *sinks);
  if (!sinks) return sc_fail_nomem(err);
  f->sinks = sinks;
  f->max_sinks = max;
  return SC_OK;
}

sc_status sc_export_files_begin(struct sc_export_files *f, const struct sc_export_row *row,
                                struct sc_error *err) {
  struct sc_buffer path = {0};
  sc_status st = add_sink(f, err);
  if (!st && f->options->n_partition) {
    st = make_path(f, row, &path, err);
  } else if (!st) {
    st = sc_buffer_append_text(&path, f->root, err);
    if (!st) st = sc_buffer_terminate(&path, err);
  }
  if (!st) st = sc_href_allow_writing((const char *)path.data, err);
  if (!st) {
    st = sc_sink_open((const char *)path.data,
                      f->options->n_partition ? SC_SINK_IN_TREE : SC_SINK_ALONE,
                      &f->sinks[f->n_sinks], err);
  }
  f->n_sinks += !st;
  if (!st) st = sc_href_allow_writing((const char *)path.data, err);
  sc_buffer_free(&path);
  if (st) return st;
  f->is_open = 1;
  memset(&f->geo, 0, sizeof f->geo);
  f->geo.version = f->options->geo;
  return sc_pq_writer_begin(&f->writer, &f->sinks[f->n_sinks - 1], err);
}

sc_status sc_export_files_put(struct sc_export_files *f, const struct sc_export_row *row,
                              struct sc_error *err) {
  struct sc_pq_rows *rows = sc_pq_writer_rows(&f->writer);
  sc_status st = sc_export_put_row(f, row, rows, &f->geo, err);
  return st ? st : sc_pq_writer_end_row(&f->writer, err);
}

/* Have the current group made and written, and an empty one. */
static sc_status put_group(struct sc_export_files *f, struct sc_error *err) {
  struct sc_export_group *g = &f->groups[f->group];
  sc_status st = sc_pq_writer_put_group(&f->writer, sc_export_group_fill, g, err);
  if (st) return st;
  f->group = (f->group + 1) % (f->writer.n_pending + 1);
  sc_export_group_take(&f->groups[f->group], &f->geo);
  return SC_OK;
}

sc_status sc_export_files_put_block(struct sc_export_files *f, const unsigned char *block,
                                    size_t size, struct sc_error *err) {
  uint32_t first = 0, n = 0;
  sc_status st = SC_OK;
  for (; first < sc_export_block_rows(block) && !st; first += n) {
    struct sc_export_group *g = &f->groups[f->group];
    st = sc_export_group_add(g, block, size, first, &n, err);
    if (!st && sc_export_group_is_full(g)) st = put_group(f, err);
  }
  return st;
}

sc_status sc_export_files_end(struct sc_export_files *f, struct sc_error *err) {
  struct sc_buffer geo = {0};
  struct sc_pq_key_text keys[2] = {{"stacchip", f->metadata}, {"geo", NULL}};
  int types[2] = {3, 6};
  size_t n_keys = 1;
  sc_status st = f->groups[f->group].n_rows ? put_group(f, err) : SC_OK;
  if (!st) st = sc_pq_writer_flush(&f->writer, err);
  for (int i = 0; i < SC_PQ_MAX_PENDING + 1 && !st; i++)
    sc_export_group_take(&f->groups[i], &f->geo);
  int *first_type = types + !f->geo.has_polygons;
  size_t n_types = (size_t)(f->geo.has_polygons + f->geo.has_multipolygons);
  for (size_t i = 0; i < f->n_specs; i++) n_keys = f->specs[i].group ? 2 : n_keys;
  if (!st && n_keys == 2) st = sc_geo_format(&f->geo, &geo, err);
  if (!st && n_keys == 2) st = sc_buffer_terminate(&geo, err);
  keys[1].value = (const char *)geo.data;
  if (!st) st = sc_pq_writer_finish(&f->writer, keys, n_keys, first_type, n_types, err);
  if (!st) st = sc_sink_finish(&f->sinks[f->n_sinks - 1], err);
  sc_buffer_free(&geo);
  f->is_open = 0;
  return st;
}

sc_status sc_export_files_commit(struct sc_export_files *f, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < f->n_sinks && !st; i++) st = sc_sink_commit(&f->sinks[i], err);
  return st;
}

void sc_export_files_free(struct sc_export_files *f) {
  if (f->has_writer) sc_pq_writer_free(&f->writer); /* waits for who uses the groups */
  for (int i = 0; i < SC_PQ_MAX_PENDING + 1; i++) sc_export_group_free(&f->groups[i]);
  for (size_t i = 0; i < f->n_sinks; i++) sc_sink_close(&f->sinks[i]);
  sc_free(f->sinks);
  memset(f, 0, sizeof *f);
}
