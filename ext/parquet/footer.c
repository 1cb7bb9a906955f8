/* The end of a Parquet file: page indexes and FileMetaData; see writer.h. */
#include <string.h>

#include "base/alloc.h"
#include "parquet/thrift.h"
#include "parquet/writer.h"
#include "stacchip.h"

#define FILE_VERSION 2

/* Where a chunk's indexes went. */
struct index_place {
  uint64_t column_index, offset_index;
  uint32_t column_index_bytes, offset_index_bytes; /* 0: none */
};

static const struct sc_pq_written *group_of(const struct sc_pq_writer *w, size_t g) {
  return (const struct sc_pq_written *)(const void *)w->written.data + g;
}

static const struct sc_pq_page_out *pages_of(const struct sc_pq_chunk_out *c) {
  return (const struct sc_pq_page_out *)(const void *)c->pages.data;
}

static void put_integer_type(struct sc_thrift_out *t, enum sc_pq_converted converted) {
  signed char bits = (signed char)(8 << (converted - SC_PQ_UINT_8));
  unsigned char byte = (unsigned char)bits;
  sc_thrift_begin(t, SC_PQ_LOGICAL_INTEGER);
  /* field 1, an i8: one raw byte after its head */
  unsigned char head = 0x10 | SC_THRIFT_BYTE;
  if (!t->status) t->status = sc_buffer_append(t->buffer, &head, 1, t->err);
  if (!t->status) t->status = sc_buffer_append(t->buffer, &byte, 1, t->err);
  t->last[t->depth] = 1;
  sc_thrift_put_bool(t, 2, 0);
  sc_thrift_end(t);
}

void sc_pq_put_logical(struct sc_thrift_out *t, int logical, enum sc_pq_converted converted) {
  sc_thrift_begin(t, 10);
  if (logical == SC_PQ_LOGICAL_INTEGER) {
    put_integer_type(t, converted);
  } else {
    sc_thrift_begin(t, logical);
    if (logical == SC_PQ_LOGICAL_TIMESTAMP) {
      sc_thrift_put_bool(t, 1, 1);
      sc_thrift_begin(t, 2);
      sc_thrift_begin(t, 2); /* MICROS */
      sc_thrift_end(t);
      sc_thrift_end(t);
    }
    sc_thrift_end(t);
  }
  sc_thrift_end(t);
}

static void put_leaf(struct sc_thrift_out *t, const struct sc_pq_spec *spec) {
  sc_thrift_begin_element(t);
  sc_thrift_put_i32(t, 1, (int32_t)spec->type);
  sc_thrift_put_i32(t, 3, spec->group ? SC_PQ_REQUIRED : SC_PQ_OPTIONAL);
  sc_thrift_put_text(t, 4, spec->name);
  if (spec->converted != SC_PQ_CONVERTED_NONE) sc_thrift_put_i32(t, 6, (int32_t)spec->converted);
  if (spec->logical) sc_pq_put_logical(t, spec->logical, spec->converted);
  sc_thrift_end(t);
}

static void put_group(struct sc_thrift_out *t, const char *name, int repetition,
                      size_t n_children) {
  sc_thrift_begin_element(t);
  if (repetition >= 0) sc_thrift_put_i32(t, 3, repetition);
  sc_thrift_put_text(t, 4, name);
  sc_thrift_put_i32(t, 5, (int32_t)n_children);
  sc_thrift_end(t);
}

static int same_group(const struct sc_pq_spec *a, const struct sc_pq_spec *b) {
  return a->group && b->group && strcmp(a->group, b->group) == 0;
}

/* Columns of the group that begins at specs[c]. */
static size_t group_size(const struct sc_pq_writer_options *o, size_t c) {
  size_t n = 1;
  while (c + n < o->n_columns && same_group(&o->specs[c], &o->specs[c + n])) n++;
  return n;
}

static void put_schema(struct sc_thrift_out *t, const struct sc_pq_writer_options *o) {
  size_t n_top = 0, n_groups = 0;
  for (size_t c = 0; c < o->n_columns; c += group_size(o, c)) {
    n_top++;
    n_groups += o->specs[c].group != NULL;
  }
  sc_thrift_put_list(t, 2, SC_THRIFT_STRUCT, 1 + n_groups + o->n_columns);
  put_group(t, "schema", -1, n_top);
  for (size_t c = 0; c < o->n_columns; c++) {
    if (o->specs[c].group && (c == 0 || !same_group(&o->specs[c - 1], &o->specs[c]))) {
      put_group(t, o->specs[c].group, SC_PQ_OPTIONAL, group_size(o, c));
    }
    put_leaf(t, &o->specs[c]);
  }
}

static void put_stats(struct sc_thrift_out *t, const struct sc_pq_stats_out *s) {
  sc_thrift_begin(t, 12);
  sc_thrift_put_i64(t, 3, s->n_nulls);
  if (s->has_bounds && !s->is_unbounded) {
    sc_thrift_put_binary(t, 5, s->max.bytes, s->max.size);
    sc_thrift_put_binary(t, 6, s->min.bytes, s->min.size);
    sc_thrift_put_bool(t, 7, s->max.is_exact);
    sc_thrift_put_bool(t, 8, s->min.is_exact);
  }
  sc_thrift_end(t);
}

static void put_geospatial(struct sc_thrift_out *t, const struct sc_pq_box *box, const int *types,
                           size_t n_types) {
  sc_thrift_begin(t, 17);
  sc_thrift_begin(t, 1);
  sc_thrift_put_double(t, 1, box->min_x);
  sc_thrift_put_double(t, 2, box->max_x);
  sc_thrift_put_double(t, 3, box->min_y);
  sc_thrift_put_double(t, 4, box->max_y);
  sc_thrift_end(t);
  sc_thrift_put_list(t, 2, SC_THRIFT_I32, n_types);
  for (size_t i = 0; i < n_types; i++) sc_thrift_element_int(t, types[i]);
  sc_thrift_end(t);
}

struct footer {
  struct sc_pq_writer *w;
  const int *types;
  size_t n_types;
  struct index_place *places; /* [row group][column] */
};

static void put_chunk_meta(struct sc_thrift_out *t, const struct footer *f,
                           const struct sc_pq_written *group, size_t c) {
  const struct sc_pq_spec *spec = &f->w->options.specs[c];
  const struct sc_pq_chunk_out *chunk = &group->chunks[c];
  uint64_t offset = group->begin;
  sc_thrift_begin(t, 3);
  sc_thrift_put_i32(t, 1, (int32_t)spec->type);
  sc_thrift_put_list(t, 2, SC_THRIFT_I32, chunk->has_dictionary ? 3 : 2);
  sc_thrift_element_int(t, SC_PQ_PLAIN);
  sc_thrift_element_int(t, SC_PQ_RLE);
  if (chunk->has_dictionary) sc_thrift_element_int(t, SC_PQ_RLE_DICTIONARY);
  sc_thrift_put_list(t, 3, SC_THRIFT_BINARY, spec->group ? 2 : 1);
  if (spec->group) sc_thrift_element_binary(t, spec->group, strlen(spec->group));
  sc_thrift_element_binary(t, spec->name, strlen(spec->name));
  sc_thrift_put_i32(t, 4, f->w->options.codec);
  sc_thrift_put_i64(t, 5, chunk->n_values);
  sc_thrift_put_i64(t, 6, (int64_t)chunk->whole_bytes);
  sc_thrift_put_i64(t, 7, (int64_t)chunk->packed_bytes);
  sc_thrift_put_i64(t, 9, (int64_t)(offset + chunk->data_begin));
  if (chunk->has_dictionary) sc_thrift_put_i64(t, 11, (int64_t)(offset + chunk->begin));
  put_stats(t, &chunk->stats);
  if (spec->logical == SC_PQ_LOGICAL_GEOMETRY && chunk->box.present) {
    put_geospatial(t, &chunk->box, f->types, f->n_types);
  }
  sc_thrift_end(t);
}

static void put_chunk(struct sc_thrift_out *t, const struct footer *f, size_t g, size_t c) {
  const struct sc_pq_written *group = group_of(f->w, g);
  const struct index_place *place = &f->places[g * f->w->options.n_columns + c];
  sc_thrift_begin_element(t);
  sc_thrift_put_i64(t, 2, 0);
  put_chunk_meta(t, f, group, c);
  sc_thrift_put_i64(t, 4, (int64_t)place->offset_index);
  sc_thrift_put_i32(t, 5, (int32_t)place->offset_index_bytes);
  if (place->column_index_bytes) {
    sc_thrift_put_i64(t, 6, (int64_t)place->column_index);
    sc_thrift_put_i32(t, 7, (int32_t)place->column_index_bytes);
  }
  sc_thrift_end(t);
}

static void put_row_group(struct sc_thrift_out *t, const struct footer *f, size_t g) {
  const struct sc_pq_written *group = group_of(f->w, g);
  size_t n = f->w->options.n_columns;
  uint64_t packed = 0, whole = 0;
  sc_thrift_begin_element(t);
  sc_thrift_put_list(t, 1, SC_THRIFT_STRUCT, n);
  for (size_t c = 0; c < n; c++) {
    put_chunk(t, f, g, c);
    packed += group->chunks[c].packed_bytes;
    whole += group->chunks[c].whole_bytes;
  }
  sc_thrift_put_i64(t, 2, (int64_t)whole);
  sc_thrift_put_i64(t, 3, group->n_rows);
  sc_thrift_put_i64(t, 5, (int64_t)group->begin);
  sc_thrift_put_i64(t, 6, (int64_t)packed);
  if (g <= INT16_MAX) sc_thrift_put_int(t, 7, SC_THRIFT_I16, (int64_t)g);
  sc_thrift_end(t);
}

static void put_key_values(struct sc_thrift_out *t, const struct sc_pq_key_text *kv, size_t n) {
  sc_thrift_put_list(t, 5, SC_THRIFT_STRUCT, n);
  for (size_t i = 0; i < n; i++) {
    sc_thrift_begin_element(t);
    sc_thrift_put_text(t, 1, kv[i].key);
    sc_thrift_put_text(t, 2, kv[i].value);
    sc_thrift_end(t);
  }
}

/* Minimum and maximum follow each type's own order, in every column. */
static void put_column_orders(struct sc_thrift_out *t, size_t n) {
  sc_thrift_put_list(t, 7, SC_THRIFT_STRUCT, n);
  for (size_t i = 0; i < n; i++) {
    sc_thrift_begin_element(t);
    sc_thrift_begin(t, 1);
    sc_thrift_end(t);
    sc_thrift_end(t);
  }
}

static void put_file(struct sc_thrift_out *t, const struct footer *f,
                     const struct sc_pq_key_text *kv, size_t n_kv) {
  sc_thrift_begin_element(t);
  sc_thrift_put_i32(t, 1, FILE_VERSION);
  put_schema(t, &f->w->options);
  sc_thrift_put_i64(t, 3, f->w->n_rows);
  sc_thrift_put_list(t, 4, SC_THRIFT_STRUCT, f->w->n_written);
  for (size_t g = 0; g < f->w->n_written; g++) put_row_group(t, f, g);
  if (n_kv) put_key_values(t, kv, n_kv);
  sc_thrift_put_text(t, 6, "stacchip version " STACCHIP_VERSION);
  put_column_orders(t, f->w->options.n_columns);
  sc_thrift_end(t);
}

static void put_offset_index(struct sc_thrift_out *t, const struct sc_pq_written *group,
                             const struct sc_pq_chunk_out *chunk) {
  sc_thrift_begin_element(t);
  sc_thrift_put_list(t, 1, SC_THRIFT_STRUCT, chunk->n_pages);
  for (size_t i = 0; i < chunk->n_pages; i++) {
    const struct sc_pq_page_out *p = &pages_of(chunk)[i];
    sc_thrift_begin_element(t);
    sc_thrift_put_i64(t, 1, (int64_t)(group->begin + p->begin));
    sc_thrift_put_i32(t, 2, (int32_t)p->bytes);
    sc_thrift_put_i64(t, 3, p->first_row);
    sc_thrift_end(t);
  }
  sc_thrift_end(t);
}

static void put_bounds(struct sc_thrift_out *t, int id, const struct sc_pq_chunk_out *chunk) {
  sc_thrift_put_list(t, id, SC_THRIFT_BINARY, chunk->n_pages);
  for (size_t i = 0; i < chunk->n_pages; i++) {
    const struct sc_pq_stats_out *s = &pages_of(chunk)[i].stats;
    const struct sc_pq_bound *b = id == 2 ? &s->min : &s->max;
    sc_thrift_element_binary(t, b->bytes, s->has_bounds ? b->size : 0);
  }
}

static void put_column_index(struct sc_thrift_out *t, const struct sc_pq_chunk_out *chunk) {
  sc_thrift_begin_element(t);
  sc_thrift_put_list(t, 1, SC_THRIFT_TRUE, chunk->n_pages);
  for (size_t i = 0; i < chunk->n_pages; i++) {
    sc_thrift_element_bool(t, !pages_of(chunk)[i].stats.has_bounds);
  }
  put_bounds(t, 2, chunk);
  put_bounds(t, 3, chunk);
  sc_thrift_put_i32(t, 4, 0); /* UNORDERED */
  sc_thrift_put_list(t, 5, SC_THRIFT_I64, chunk->n_pages);
  for (size_t i = 0; i < chunk->n_pages; i++) {
    sc_thrift_element_int(t, pages_of(chunk)[i].stats.n_nulls);
  }
  sc_thrift_end(t);
}

/* Serialize with one of the above and write; where it went. */
static sc_status write_index(struct footer *f, size_t g, size_t c, int is_column_index,
                             struct sc_buffer *scratch, struct sc_error *err) {
  const struct sc_pq_written *group = group_of(f->w, g);
  const struct sc_pq_chunk_out *chunk = &group->chunks[c];
  struct index_place *place = &f->places[g * f->w->options.n_columns + c];
  struct sc_thrift_out t = {scratch, err, SC_OK, 0, {0}};
  if (is_column_index && (!chunk->stats.has_bounds || chunk->stats.is_unbounded)) return SC_OK;
  scratch->size = 0;
  uint64_t at = f->w->sink->n_written;
  if (is_column_index) {
    put_column_index(&t, chunk);
    place->column_index = at;
    place->column_index_bytes = (uint32_t)scratch->size;
  } else {
    put_offset_index(&t, group, chunk);
    place->offset_index = at;
    place->offset_index_bytes = (uint32_t)scratch->size;
  }
  return t.status ? t.status : sc_sink_write(f->w->sink, scratch->data, scratch->size, err);
}

static sc_status write_indexes(struct footer *f, int is_column_index, struct sc_buffer *scratch,
                               struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t g = 0; g < f->w->n_written; g++) {
    for (size_t c = 0; c < f->w->options.n_columns && !st; c++) {
      st = write_index(f, g, c, is_column_index, scratch, err);
    }
  }
  return st;
}

sc_status sc_pq_footer_write(struct sc_pq_writer *w, const struct sc_pq_key_text *key_values,
                             size_t n_key_values, const int *geometry_types, size_t n_types,
                             struct sc_error *err) {
  struct sc_buffer scratch = {0};
  struct footer f = {w, geometry_types, n_types, NULL};
  f.places = sc_alloc_zero(w->n_written * w->options.n_columns, sizeof *f.places);
  sc_status st = f.places ? SC_OK : sc_fail_nomem(err);
  if (!st) st = write_indexes(&f, 1, &scratch, err);
  if (!st) st = write_indexes(&f, 0, &scratch, err);
  if (!st) {
    struct sc_thrift_out t = {&scratch, err, SC_OK, 0, {0}};
    scratch.size = 0;
    put_file(&t, &f, key_values, n_key_values);
    st = t.status;
  }
  if (!st && scratch.size > UINT32_MAX) st = sc_fail(err, SC_TOO_BIG, "the footer is too large");
  if (!st) {
    unsigned char tail[8];
    sc_put_le32(tail, (uint32_t)scratch.size);
    memcpy(tail + 4, SC_PQ_MAGIC, 4);
    st = sc_buffer_append(&scratch, tail, sizeof tail, err);
  }
  if (!st) st = sc_sink_write(w->sink, scratch.data, scratch.size, err);
  sc_buffer_free(&scratch);
  sc_free(f.places);
  return st;
}
