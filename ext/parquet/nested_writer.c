/* Writing nested columns; see nested_writer.h. */
#include "parquet/nested_writer.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "parquet/rle.h"
#include "parquet/thrift.h"
#include "parquet/writer.h"
#include "stacchip.h"

#define FILE_VERSION 2
#define ROW_GROUP_BYTES ((size_t)32 << 20) /* of values: a row group ends there */

/* A leaf and its entries of the row group. */
struct column {
  const struct sc_pq_field *field;
  const struct sc_pq_field *path[SC_PQ_MAX_DEPTH]; /* from the column down to the leaf */
  int depth;
  struct sc_buffer defs, reps; /* uint32_t each */
  struct sc_buffer values;     /* PLAIN, but booleans: a byte each */
};

/* A chunk that is written. */
struct chunk {
  uint64_t begin, packed_bytes, whole_bytes;
  int64_t n_values, n_nulls;
  int has_bounds;
  unsigned char min[8], max[8];
};

struct group {
  int64_t n_rows;
  struct chunk *chunks; /* one for each leaf */
};

struct sc_pq_nested_writer {
  struct sc_pq_field *root; /* borrowed */
  struct sc_sink *sink;     /* borrowed */
  int codec, level;
  struct sc_pq_codecs codecs;
  struct column *columns;
  size_t n_columns, n_fields; /* n_fields: elements of the schema below the root */
  struct sc_buffer groups;    /* struct group[] */
  size_t n_groups, n_bytes;   /* n_bytes: of the values so far */
  int64_t n_rows, n_group_rows;
  struct sc_buffer body, out;
};

static struct group *group_at(const struct sc_pq_nested_writer *w, size_t i) {
  return (struct group *)(void *)w->groups.data + i;
}

void sc_pq_nested_writer_free(struct sc_pq_nested_writer *w) {
  if (!w) return;
  for (size_t i = 0; w->columns && i < w->n_columns; i++) {
    sc_buffer_free(&w->columns[i].defs);
    sc_buffer_free(&w->columns[i].reps);
    sc_buffer_free(&w->columns[i].values);
  }
  for (size_t i = 0; i < w->n_groups; i++) sc_free(group_at(w, i)->chunks);
  sc_free(w->columns);
  sc_buffer_free(&w->groups);
  sc_buffer_free(&w->body);
  sc_buffer_free(&w->out);
  sc_pq_codecs_free(&w->codecs);
  sc_free(w);
}

/* --- levels --- */

/* Number the leaves and set the levels; counts the schema's elements. SC_TOO_BIG where the fields
 * are nested deeper than readers take. */
static sc_status lay_out(struct sc_pq_nested_writer *w, struct sc_pq_field *f, int def, int rep,
                         int depth, struct sc_error *err) {
  int is_list = f->kind == SC_PQ_FIELD_LIST;
  if (depth + 2 * is_list >= SC_PQ_MAX_DEPTH) {
    return sc_fail(err, SC_TOO_BIG, "field '%s' is nested deeper than %d", f->name,
                   SC_PQ_MAX_DEPTH);
  }
  f->def = def;
  f->rep = rep;
  f->first_leaf = w->n_columns;
  w->n_fields += 1 + (size_t)is_list;
  sc_status st = SC_OK;
  if (f->kind == SC_PQ_FIELD_VALUE) w->n_columns++;
  for (size_t i = 0; i < f->n_children && !st; i++) {
    st = lay_out(w, &f->children[i], def + 1 + is_list, rep + is_list, depth + 1 + is_list, err);
  }
  f->n_leaves = w->n_columns - f->first_leaf;
  return st;
}

static void list_leaves(struct sc_pq_nested_writer *w, const struct sc_pq_field *f,
                        const struct sc_pq_field **path, int depth) {
  path[depth++] = f;
  if (f->kind == SC_PQ_FIELD_VALUE) {
    struct column *c = &w->columns[f->first_leaf];
    c->field = f;
    c->depth = depth;
    memcpy(c->path, path, (size_t)depth * sizeof(const struct sc_pq_field *));
  }
  for (size_t i = 0; i < f->n_children; i++) list_leaves(w, &f->children[i], path, depth);
}

sc_status sc_pq_nested_writer_new(struct sc_pq_field *root, struct sc_sink *sink, int codec,
                                  int level, struct sc_pq_nested_writer **out,
                                  struct sc_error *err) {
  const struct sc_pq_field *path[SC_PQ_MAX_DEPTH];
  struct sc_pq_nested_writer *w = sc_alloc_zero(1, sizeof *w);
  sc_status st = w ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < root->n_children && !st; i++) {
    st = lay_out(w, &root->children[i], 1, 0, 0, err);
  }
  if (!st) {
    w->root = root;
    w->sink = sink;
    w->codec = codec;
    w->level = level;
    w->columns = sc_alloc_zero(w->n_columns, sizeof *w->columns);
    if (!w->columns) st = sc_fail_nomem(err);
  }
  for (size_t i = 0; i < root->n_children && !st; i++) list_leaves(w, &root->children[i], path, 0);
  if (!st) st = sc_sink_write(sink, SC_PQ_MAGIC, 4, err);
  if (st) {
    sc_pq_nested_writer_free(w);
    return st;
  }
  *out = w;
  return SC_OK;
}

/* --- entries --- */

static sc_status put_entry(struct column *c, int rep, int def, struct sc_error *err) {
  uint32_t d = (uint32_t)def, r = (uint32_t)rep;
  sc_status st = sc_buffer_append(&c->defs, &d, sizeof d, err);
  return st ? st : sc_buffer_append(&c->reps, &r, sizeof r, err);
}

sc_status sc_pq_nested_put_absent(struct sc_pq_nested_writer *w, const struct sc_pq_field *field,
                                  int rep, int def, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < field->n_leaves && !st; i++) {
    st = put_entry(&w->columns[field->first_leaf + i], rep, def, err);
  }
  return st;
}

sc_status sc_pq_nested_put_value(struct sc_pq_nested_writer *w, const struct sc_pq_field *leaf,
                                 int rep, const void *bytes, size_t n, struct sc_error *err) {
  struct column *c = &w->columns[leaf->first_leaf];
  sc_status st = put_entry(c, rep, leaf->def, err);
  if (!st && leaf->type == SC_PQ_BYTE_ARRAY) st = sc_buffer_append_le(&c->values, n, 4, err);
  if (!st) st = sc_buffer_append(&c->values, bytes, n, err);
  w->n_bytes += n + 12;
  return st;
}

/* --- row groups --- */

static sc_status put_levels(struct sc_pq_nested_writer *w, const struct sc_buffer *levels, int most,
                            struct sc_error *err) {
  size_t at = w->body.size;
  if (most == 0) return SC_OK;
  sc_status st = sc_buffer_resize(&w->body, at + 4, err);
  if (!st) {
    st = sc_rle_write((const uint32_t *)(const void *)levels->data, levels->size / 4,
                      sc_bits_for((uint32_t)most), &w->body, err);
  }
  if (!st) sc_put_le32(w->body.data + at, (uint32_t)(w->body.size - at - 4));
  return st;
}

/* A bit each, least significant first. */
static sc_status put_booleans(struct sc_pq_nested_writer *w, const struct sc_buffer *values,
                              struct sc_error *err) {
  size_t at = w->body.size, n = (values->size + 7) / 8;
  sc_status st = sc_buffer_resize(&w->body, at + n, err);
  if (st) return st;
  if (n) memset(w->body.data + at, 0, n);
  for (size_t i = 0; i < values->size; i++) {
    if (values->data[i]) w->body.data[at + i / 8] |= (unsigned char)(1u << i % 8);
  }
  return SC_OK;
}

/* Minimum and maximum of numbers that no list holds, where none is NaN. */
static void find_bounds(const struct column *c, struct chunk *out) {
  size_t n = c->values.size / 8;
  int is_real = c->field->type == SC_PQ_DOUBLE;
  if ((!is_real && c->field->type != SC_PQ_INT64) || c->field->rep || n == 0) return;
  size_t least = 0, most = 0;
  for (size_t i = 0; i < n; i++) {
    const unsigned char *p = c->values.data + 8 * i;
    const unsigned char *low = c->values.data + 8 * least, *high = c->values.data + 8 * most;
    if (is_real) {
      if (isnan(sc_le_double(p))) return;
      if (sc_le_double(p) < sc_le_double(low)) least = i;
      if (sc_le_double(p) > sc_le_double(high)) most = i;
    } else {
      if ((int64_t)sc_le64(p) < (int64_t)sc_le64(low)) least = i;
      if ((int64_t)sc_le64(p) > (int64_t)sc_le64(high)) most = i;
    }
  }
  out->has_bounds = 1;
  memcpy(out->min, c->values.data + 8 * least, 8);
  memcpy(out->max, c->values.data + 8 * most, 8);
  /* Both zeros are equal; the bounds take in either (parquet.thrift, ColumnOrder). */
  if (is_real && sc_le_double(out->min) == 0) sc_put_le_double(out->min, -0.0);
  if (is_real && sc_le_double(out->max) == 0) sc_put_le_double(out->max, 0.0);
}

static void put_page_header(struct sc_pq_nested_writer *w, int64_t n, size_t packed,
                            struct sc_thrift_out *t) {
  sc_thrift_begin_element(t);
  sc_thrift_put_i32(t, 1, SC_PQ_DATA_PAGE);
  sc_thrift_put_i32(t, 2, (int32_t)w->body.size);
  sc_thrift_put_i32(t, 3, (int32_t)packed);
  sc_thrift_begin(t, 5);
  sc_thrift_put_i32(t, 1, (int32_t)n);
  sc_thrift_put_i32(t, 2, SC_PQ_PLAIN);
  sc_thrift_put_i32(t, 3, SC_PQ_RLE);
  sc_thrift_put_i32(t, 4, SC_PQ_RLE);
  sc_thrift_end(t);
  sc_thrift_end(t);
}

/* One page: a row group is small. */
static sc_status write_column(struct sc_pq_nested_writer *w, struct column *c, struct chunk *out,
                              struct sc_error *err) {
  struct sc_buffer packed = {0};
  w->body.size = w->out.size = 0;
  out->begin = w->sink->n_written;
  out->n_values = (int64_t)(c->defs.size / 4);
  for (size_t i = 0; i < c->defs.size; i += 4) {
    out->n_nulls += sc_le32(c->defs.data + i) != (uint32_t)c->field->def;
  }
  find_bounds(c, out);
  sc_status st = put_levels(w, &c->reps, c->field->rep, err);
  if (!st) st = put_levels(w, &c->defs, c->field->def, err);
  if (!st && c->field->type == SC_PQ_BOOLEAN) st = put_booleans(w, &c->values, err);
  if (!st && c->field->type != SC_PQ_BOOLEAN) {
    st = sc_buffer_append(&w->body, c->values.data, c->values.size, err);
  }
  if (!st && w->body.size > SC_PQ_PAGE_MAX_BYTES) st = sc_fail(err, SC_TOO_BIG, "a page too large");
  if (!st) {
    st = sc_pq_pack(&w->codecs, w->codec, w->level, w->body.data, w->body.size, &packed, err);
  }
  struct sc_thrift_out t = {&w->out, err, SC_OK, 0, {0}};
  if (!st) put_page_header(w, out->n_values, packed.size, &t);
  if (!st) st = t.status;
  out->whole_bytes = w->out.size + w->body.size;
  if (!st) st = sc_sink_write(w->sink, w->out.data, w->out.size, err);
  if (!st) st = sc_sink_write(w->sink, packed.data, packed.size, err);
  out->packed_bytes = w->sink->n_written - out->begin;
  c->defs.size = c->reps.size = c->values.size = 0;
  sc_buffer_free(&packed);
  return st;
}

static sc_status flush(struct sc_pq_nested_writer *w, struct sc_error *err) {
  struct group group = {w->n_group_rows, NULL};
  if (w->n_group_rows == 0) return SC_OK;
  group.chunks = sc_alloc_zero(w->n_columns, sizeof *group.chunks);
  if (!group.chunks) return sc_fail_nomem(err);
  sc_status st = sc_buffer_append(&w->groups, &group, sizeof group, err);
  if (st) {
    sc_free(group.chunks);
    return st;
  }
  w->n_groups++;
  for (size_t i = 0; i < w->n_columns && !st; i++) {
    st = write_column(w, &w->columns[i], &group.chunks[i], err);
  }
  w->n_rows += w->n_group_rows;
  w->n_group_rows = 0;
  w->n_bytes = 0;
  return st;
}

sc_status sc_pq_nested_end_row(struct sc_pq_nested_writer *w, int64_t row_group_rows,
                               struct sc_error *err) {
  w->n_group_rows++;
  int is_full = w->n_group_rows >= row_group_rows || w->n_bytes >= ROW_GROUP_BYTES;
  return is_full ? flush(w, err) : SC_OK;
}

/* --- footer --- */

static void put_group(struct sc_thrift_out *t, const char *name, int repetition, size_t n,
                      int is_list) {
  sc_thrift_begin_element(t);
  if (repetition >= 0) sc_thrift_put_i32(t, 3, repetition);
  sc_thrift_put_text(t, 4, name);
  sc_thrift_put_i32(t, 5, (int32_t)n);
  if (is_list) {
    sc_thrift_put_i32(t, 6, SC_PQ_LIST);
    sc_pq_put_logical(t, SC_PQ_LOGICAL_LIST, SC_PQ_LIST);
  }
  sc_thrift_end(t);
}

static void put_logical(struct sc_thrift_out *t, int logical) {
  enum sc_pq_converted converted =
      logical == SC_PQ_LOGICAL_STRING ? SC_PQ_UTF8 : SC_PQ_TIMESTAMP_MICROS;
  sc_thrift_put_i32(t, 6, (int32_t)converted);
  sc_pq_put_logical(t, logical, converted);
}

static void put_field(struct sc_thrift_out *t, const struct sc_pq_field *f, const char *name) {
  if (f->kind == SC_PQ_FIELD_VALUE) {
    sc_thrift_begin_element(t);
    sc_thrift_put_i32(t, 1, (int32_t)f->type);
    sc_thrift_put_i32(t, 3, SC_PQ_OPTIONAL);
    sc_thrift_put_text(t, 4, name);
    if (f->logical) put_logical(t, f->logical);
    sc_thrift_end(t);
    return;
  }
  int is_list = f->kind == SC_PQ_FIELD_LIST;
  put_group(t, name, SC_PQ_OPTIONAL, is_list ? 1 : f->n_children, is_list);
  if (is_list) put_group(t, "list", SC_PQ_REPEATED, 1, 0);
  for (size_t i = 0; i < f->n_children; i++) {
    put_field(t, &f->children[i], is_list ? "element" : f->children[i].name);
  }
}

static void put_path(struct sc_thrift_out *t, const struct column *c) {
  int n = c->depth;
  for (int i = 0; i + 1 < c->depth; i++) n += c->path[i]->kind == SC_PQ_FIELD_LIST;
  sc_thrift_put_list(t, 3, SC_THRIFT_BINARY, (size_t)n);
  for (int i = 0; i < c->depth; i++) {
    int is_element = i > 0 && c->path[i - 1]->kind == SC_PQ_FIELD_LIST;
    const char *name = is_element ? "element" : c->path[i]->name;
    if (is_element) sc_thrift_element_binary(t, "list", 4);
    sc_thrift_element_binary(t, name, strlen(name));
  }
}

static void put_stats(struct sc_thrift_out *t, const struct chunk *chunk) {
  sc_thrift_begin(t, 12);
  sc_thrift_put_i64(t, 3, chunk->n_nulls);
  if (chunk->has_bounds) {
    sc_thrift_put_binary(t, 5, chunk->max, 8);
    sc_thrift_put_binary(t, 6, chunk->min, 8);
  }
  sc_thrift_end(t);
}

static void put_chunk(struct sc_thrift_out *t, const struct sc_pq_nested_writer *w,
                      const struct column *c, const struct chunk *chunk) {
  sc_thrift_begin_element(t);
  sc_thrift_put_i64(t, 2, 0);
  sc_thrift_begin(t, 3);
  sc_thrift_put_i32(t, 1, (int32_t)c->field->type);
  sc_thrift_put_list(t, 2, SC_THRIFT_I32, 2);
  sc_thrift_element_int(t, SC_PQ_PLAIN);
  sc_thrift_element_int(t, SC_PQ_RLE);
  put_path(t, c);
  sc_thrift_put_i32(t, 4, w->codec);
  sc_thrift_put_i64(t, 5, chunk->n_values);
  sc_thrift_put_i64(t, 6, (int64_t)chunk->whole_bytes);
  sc_thrift_put_i64(t, 7, (int64_t)chunk->packed_bytes);
  sc_thrift_put_i64(t, 9, (int64_t)chunk->begin);
  put_stats(t, chunk);
  sc_thrift_end(t);
  sc_thrift_end(t);
}

static void put_row_group(struct sc_thrift_out *t, const struct sc_pq_nested_writer *w,
                          const struct group *g) {
  uint64_t whole = 0;
  sc_thrift_begin_element(t);
  sc_thrift_put_list(t, 1, SC_THRIFT_STRUCT, w->n_columns);
  for (size_t i = 0; i < w->n_columns; i++) {
    put_chunk(t, w, &w->columns[i], &g->chunks[i]);
    whole += g->chunks[i].whole_bytes;
  }
  sc_thrift_put_i64(t, 2, (int64_t)whole);
  sc_thrift_put_i64(t, 3, g->n_rows);
  sc_thrift_end(t);
}

static void put_file(struct sc_thrift_out *t, const struct sc_pq_nested_writer *w,
                     const struct sc_pq_key_text *kv, size_t n_kv) {
  sc_thrift_begin_element(t);
  sc_thrift_put_i32(t, 1, FILE_VERSION);
  sc_thrift_put_list(t, 2, SC_THRIFT_STRUCT, 1 + w->n_fields);
  put_group(t, "schema", -1, w->root->n_children, 0);
  for (size_t i = 0; i < w->root->n_children; i++) {
    put_field(t, &w->root->children[i], w->root->children[i].name);
  }
  sc_thrift_put_i64(t, 3, w->n_rows);
  sc_thrift_put_list(t, 4, SC_THRIFT_STRUCT, w->n_groups);
  for (size_t g = 0; g < w->n_groups; g++) put_row_group(t, w, group_at(w, g));
  sc_thrift_put_list(t, 5, SC_THRIFT_STRUCT, n_kv);
  for (size_t i = 0; i < n_kv; i++) {
    sc_thrift_begin_element(t);
    sc_thrift_put_text(t, 1, kv[i].key);
    sc_thrift_put_text(t, 2, kv[i].value);
    sc_thrift_end(t);
  }
  sc_thrift_put_text(t, 6, "stacchip version " STACCHIP_VERSION);
  sc_thrift_put_list(t, 7, SC_THRIFT_STRUCT, w->n_columns);
  for (size_t i = 0; i < w->n_columns; i++) { /* minimum and maximum follow the type's order */
    sc_thrift_begin_element(t);
    sc_thrift_begin(t, 1);
    sc_thrift_end(t);
    sc_thrift_end(t);
  }
  sc_thrift_end(t);
}

sc_status sc_pq_nested_finish(struct sc_pq_nested_writer *w,
                              const struct sc_pq_key_text *key_values, size_t n_key_values,
                              struct sc_error *err) {
  unsigned char tail[8];
  sc_status st = flush(w, err);
  if (st) return st;
  w->out.size = 0;
  struct sc_thrift_out t = {&w->out, err, SC_OK, 0, {0}};
  put_file(&t, w, key_values, n_key_values);
  if (t.status) return t.status;
  if (w->out.size > UINT32_MAX) return sc_fail(err, SC_TOO_BIG, "the footer is too large");
  sc_put_le32(tail, (uint32_t)w->out.size);
  memcpy(tail + 4, SC_PQ_MAGIC, 4);
  st = sc_sink_write(w->sink, w->out.data, w->out.size, err);
  return st ? st : sc_sink_write(w->sink, tail, sizeof tail, err);
}
