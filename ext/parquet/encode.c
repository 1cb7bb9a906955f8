/* Encoding row groups; see encode.h. */
#include "parquet/encode.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "parquet/rle.h"

/* With SC_PQ_PAGE_ROWS: what a reader with an index reads at least. */
#define PAGE_MAX_BYTES ((size_t)1 << 20)

/* A slice of rows and of the values that are no nulls. */
struct slice {
  size_t begin, end;             /* rows */
  size_t value_begin, value_end; /* values, counted without nulls */
  size_t bytes_begin, bytes_end; /* in the column's PLAIN bytes */
};

static double number_of(enum sc_pq_type type, const unsigned char *p) {
  float f;
  uint32_t u;
  if (type == SC_PQ_DOUBLE) return sc_le_double(p);
  u = sc_le32(p);
  memcpy(&f, &u, 4);
  return (double)f;
}

/* The order of statistics: signed or unsigned numbers, bytes. */
static int compare(enum sc_pq_type type, int is_unsigned, const unsigned char *a, size_t n_a,
                   const unsigned char *b, size_t n_b) {
  if (type == SC_PQ_BYTE_ARRAY) {
    int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
    return order ? order : (n_a > n_b) - (n_a < n_b);
  }
  if (type == SC_PQ_FLOAT || type == SC_PQ_DOUBLE) {
    double x = number_of(type, a), y = number_of(type, b);
    return (x > y) - (x < y);
  }
  int64_t x = type == SC_PQ_INT64 ? (int64_t)sc_le64(a) : (int32_t)sc_le32(a);
  int64_t y = type == SC_PQ_INT64 ? (int64_t)sc_le64(b) : (int32_t)sc_le32(b);
  if (is_unsigned && type == SC_PQ_INT32) x = (uint32_t)x, y = (uint32_t)y;
  return (x > y) - (x < y);
}

/* A cut maximum must not be below the value: raise its last byte that can be raised, staying
 * within ASCII so that the bound is UTF-8. */
static int raise_cut(struct sc_pq_bound *b) {
  while (b->size > 0) {
    if (b->bytes[b->size - 1] < 0x7E) {
      b->bytes[b->size - 1]++;
      return 1;
    }
    b->size--;
  }
  return 0;
}

/* UTF-8 must not be cut within a character. */
static uint32_t cut_size(const unsigned char *p, size_t n) {
  if (n <= SC_PQ_BOUND_MAX_BYTES) return (uint32_t)n;
  uint32_t size = SC_PQ_BOUND_MAX_BYTES;
  while (size > 0 && (p[size] & 0xC0) == 0x80) size--;
  return size;
}

static void set_bound(struct sc_pq_bound *b, const unsigned char *p, size_t n) {
  b->size = cut_size(p, n);
  b->is_exact = b->size == n;
  memcpy(b->bytes, p, b->size);
}

/* Writers give -0.0 as the minimum for 0.0, and 0.0 as the maximum (parquet.thrift). */
static void fix_zeros(struct sc_pq_stats_out *s, enum sc_pq_type type) {
  if (number_of(type, s->min.bytes) == 0) s->min.bytes[s->min.size - 1] = 0x80;
  if (number_of(type, s->max.bytes) == 0) s->max.bytes[s->max.size - 1] = 0;
}

struct extremes {
  const unsigned char *min, *max; /* NULL: none yet */
  size_t n_min, n_max;
};

static void add_extreme(struct extremes *x, enum sc_pq_type type, int is_unsigned,
                        const unsigned char *p, size_t n) {
  if ((type == SC_PQ_FLOAT || type == SC_PQ_DOUBLE) && isnan(number_of(type, p))) return;
  if (!x->min || compare(type, is_unsigned, p, n, x->min, x->n_min) < 0) x->min = p, x->n_min = n;
  if (!x->max || compare(type, is_unsigned, p, n, x->max, x->n_max) > 0) x->max = p, x->n_max = n;
}

static int is_unsigned_spec(const struct sc_pq_spec *spec) {
  return spec->converted >= SC_PQ_UINT_8 && spec->converted <= SC_PQ_UINT_64;
}

/* FLOATs are most of what is written: their own loop, without calls. NaN does not compare. */
static void find_float_extremes(const unsigned char *p, const unsigned char *end,
                                struct extremes *x) {
  float least = 0, most = 0, v;
  for (; p < end; p += 4) {
    uint32_t bits = sc_le32(p);
    memcpy(&v, &bits, 4);
    if (x->min && !(v < least) && !(v > most)) continue;
    if (v != v) continue;
    if (!x->min || v < least) least = v, x->min = p;
    if (!x->max || v > most) most = v, x->max = p;
  }
  x->n_min = x->n_max = 4;
}

/* Texts are the longest to compare: their own loop too. */
static int is_less(const unsigned char *a, size_t n_a, const unsigned char *b, size_t n_b) {
  int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
  return order ? order < 0 : n_a < n_b;
}

static void find_text_extremes(const unsigned char *p, const unsigned char *end,
                               struct extremes *x) {
  size_t n;
  for (; p < end; p += n) {
    n = sc_le32(p);
    p += 4;
    if (!x->min || is_less(p, n, x->min, x->n_min)) x->min = p, x->n_min = n;
    if (!x->max || is_less(x->max, x->n_max, p, n)) x->max = p, x->n_max = n;
  }
}

static void find_extremes(const struct sc_pq_spec *spec, const unsigned char *p,
                          const unsigned char *end, struct extremes *x) {
  size_t width = sc_pq_type_bytes(spec->type, 0);
  int is_unsigned = is_unsigned_spec(spec);
  for (; p < end; p += width) add_extreme(x, spec->type, is_unsigned, p, width);
}

/* Each entry that the slice has is compared once. */
static sc_status find_entry_extremes(struct sc_pq_encoder *e, const struct sc_pq_spec *spec,
                                     const struct slice *s, struct extremes *x,
                                     struct sc_error *err) {
  const struct sc_pq_dictionary_out *d = &e->dictionary;
  const uint32_t *indexes = (const uint32_t *)(const void *)d->indexes.data;
  size_t length = spec->type == SC_PQ_BYTE_ARRAY ? 4 : 0;
  int is_unsigned = is_unsigned_spec(spec);
  sc_status st = sc_buffer_resize(&e->seen, d->n, err);
  if (st) return st;
  memset(e->seen.data, 0, d->n);
  for (size_t i = s->value_begin; i < s->value_end; i++) {
    size_t n;
    if (e->seen.data[indexes[i]]) continue;
    e->seen.data[indexes[i]] = 1;
    const unsigned char *p = sc_pq_dictionary_entry(d, indexes[i], &n);
    add_extreme(x, spec->type, is_unsigned, p + length, n - length);
  }
  return SC_OK;
}

/* Minimum and maximum of a slice. */
static sc_status find_bounds(struct sc_pq_encoder *e, const struct sc_pq_spec *spec,
                             const struct sc_pq_column_rows *column, const struct slice *s,
                             int has_dictionary, struct sc_pq_stats_out *out,
                             struct sc_error *err) {
  struct extremes x = {NULL, NULL, 0, 0};
  out->has_bounds = 0;
  out->is_unbounded = s->value_end > s->value_begin;
  if (spec->is_unordered || !out->is_unbounded) return SC_OK;
  const unsigned char *p = column->values.data + s->bytes_begin;
  const unsigned char *end = column->values.data + s->bytes_end;
  if (has_dictionary) {
    sc_status st = find_entry_extremes(e, spec, s, &x, err);
    if (st) return st;
  } else if (spec->type == SC_PQ_FLOAT) {
    find_float_extremes(p, end, &x);
  } else if (spec->type == SC_PQ_BYTE_ARRAY) {
    find_text_extremes(p, end, &x);
  } else {
    find_extremes(spec, p, end, &x);
  }
  if (!x.min) return SC_OK;
  set_bound(&out->min, x.min, x.n_min);
  set_bound(&out->max, x.max, x.n_max);
  out->has_bounds = out->max.is_exact || raise_cut(&out->max);
  out->is_unbounded = !out->has_bounds;
  if (spec->type == SC_PQ_FLOAT || spec->type == SC_PQ_DOUBLE) fix_zeros(out, spec->type);
  return SC_OK;
}

void sc_pq_stats_merge(struct sc_pq_stats_out *into, const struct sc_pq_stats_out *more,
                       enum sc_pq_type type, int is_unsigned) {
  into->n_nulls += more->n_nulls;
  into->is_unbounded |= more->is_unbounded;
  if (!more->has_bounds) return;
  if (!into->has_bounds || compare(type, is_unsigned, more->min.bytes, more->min.size,
                                   into->min.bytes, into->min.size) < 0) {
    into->min = more->min;
  }
  if (!into->has_bounds || compare(type, is_unsigned, more->max.bytes, more->max.size,
                                   into->max.bytes, into->max.size) > 0) {
    into->max = more->max;
  }
  into->has_bounds = 1;
}

/* The next page, if it is full, of short texts and without nulls, so that no value needs a look of
 * its own; else 0. */
static int find_text_slice(const struct sc_pq_rows *rows, size_t c, struct slice *s) {
  size_t left = rows->n_rows - s->begin, n = left < SC_PQ_PAGE_ROWS ? left : SC_PQ_PAGE_ROWS;
  size_t end = sc_pq_rows_value_end(rows, c, s->begin + n - 1, s->bytes_begin);
  if (end - s->bytes_begin > PAGE_MAX_BYTES) return 0;
  s->end += n;
  s->value_end += n;
  s->bytes_end = end;
  return 1;
}

/* The rows of the next page: at least one, then up to the limits. */
static struct slice next_slice(const struct sc_pq_rows *rows, size_t c,
                               const struct slice *before) {
  const struct sc_pq_column_rows *column = &rows->columns[c];
  struct slice s = {before->end,       before->end,       before->value_end,
                    before->value_end, before->bytes_end, before->bytes_end};
  size_t width = sc_pq_type_bytes(rows->specs[c].type, 0), left = rows->n_rows - s.begin;
  if (width && column->n_nulls == 0) { /* no need to look at each */
    if (left > SC_PQ_PAGE_ROWS) left = SC_PQ_PAGE_ROWS;
    s.end += left;
    s.value_end += left;
    s.bytes_end += left * width;
    return s;
  }
  if (column->n_nulls == 0 && find_text_slice(rows, c, &s)) return s;
  while (s.end < rows->n_rows && s.end - s.begin < SC_PQ_PAGE_ROWS) {
    size_t end = sc_pq_rows_value_end(rows, c, s.end, s.bytes_end);
    if (s.end > s.begin && end - s.bytes_begin > PAGE_MAX_BYTES) break;
    s.value_end += (size_t)sc_pq_rows_is_valid(column, s.end);
    s.bytes_end = end;
    s.end++;
  }
  return s;
}

/* Definition levels 0 and 1 with their size before them. */
static sc_status put_levels(struct sc_pq_encoder *e, const struct sc_pq_column_rows *column,
                            const struct slice *s, struct sc_error *err) {
  size_t n = s->end - s->begin, at = e->body.size;
  sc_status st = sc_buffer_resize(&e->body, at + 4, err);
  if (!st && s->value_end - s->value_begin == n) {
    st = sc_rle_write_run(1, n, 1, &e->body, err);
  } else if (!st && !(st = sc_buffer_resize(&e->levels, n * sizeof(uint32_t), err))) {
    uint32_t *levels = (uint32_t *)(void *)e->levels.data;
    for (size_t i = 0; i < n; i++) levels[i] = column->valid.data[s->begin + i];
    st = sc_rle_write(levels, n, 1, &e->body, err);
  }
  if (!st) sc_put_le32(e->body.data + at, (uint32_t)(e->body.size - at - 4));
  return st;
}

static sc_status put_indexes(struct sc_pq_encoder *e, const struct slice *s, struct sc_error *err) {
  unsigned width = sc_bits_for(e->dictionary.n - 1);
  unsigned char head = (unsigned char)width;
  const uint32_t *indexes = (const uint32_t *)(const void *)e->dictionary.indexes.data;
  sc_status st = sc_buffer_append(&e->body, &head, 1, err);
  return st ? st
            : sc_rle_write(indexes + s->value_begin, s->value_end - s->value_begin, width, &e->body,
                           err);
}

/* Pack a page's body, and write a header and it. */
static sc_status put_page(struct sc_pq_encoder *e, struct sc_view body, int type, int64_t n_values,
                          struct sc_buffer *out, struct sc_pq_chunk_out *chunk,
                          struct sc_error *err) {
  int has_numbers = type == SC_PQ_DATA_PAGE && chunk->has_dictionary;
  size_t head_at = out->size;
  e->packed.size = 0;
  sc_status st = sc_pq_pack(&e->codecs, e->codec, e->level, body.data, body.size, &e->packed, err);
  if (st) return st;
  struct sc_thrift_out t = {out, err, SC_OK, 0, {0}};
  sc_thrift_begin_element(&t);
  sc_thrift_put_i32(&t, 1, type);
  sc_thrift_put_i32(&t, 2, (int32_t)body.size);
  sc_thrift_put_i32(&t, 3, (int32_t)e->packed.size);
  sc_thrift_begin(&t, type == SC_PQ_DATA_PAGE ? 5 : 7);
  sc_thrift_put_i32(&t, 1, (int32_t)n_values);
  sc_thrift_put_i32(&t, 2, has_numbers ? SC_PQ_RLE_DICTIONARY : SC_PQ_PLAIN);
  if (type == SC_PQ_DATA_PAGE) {
    sc_thrift_put_i32(&t, 3, SC_PQ_RLE);
    sc_thrift_put_i32(&t, 4, SC_PQ_RLE);
  }
  sc_thrift_end(&t);
  sc_thrift_end(&t);
  st = t.status;
  chunk->whole_bytes += out->size - head_at + body.size;
  if (!st) st = sc_buffer_append(out, e->packed.data, e->packed.size, err);
  return st;
}

static sc_status put_dictionary(struct sc_pq_encoder *e, struct sc_buffer *out,
                                struct sc_pq_chunk_out *chunk, struct sc_error *err) {
  struct sc_view body = {e->dictionary.entries.data, e->dictionary.entries.size};
  return put_page(e, body, SC_PQ_DICTIONARY_PAGE, e->dictionary.n, out, chunk, err);
}

/*
 * Levels, which are in e->body, and PLAIN values as one body: the levels go before the values where
 * these are, over those of the page before, which is done. The first page's values are copied.
 */
static sc_status join_values(struct sc_pq_encoder *e, struct sc_pq_column_rows *column,
                             const struct slice *s, struct sc_view *body, struct sc_error *err) {
  size_t n = s->bytes_end - s->bytes_begin, n_levels = e->body.size;
  unsigned char *values = column->values.data + s->bytes_begin;
  sc_status st = SC_OK;
  if (n > 0 && s->bytes_begin >= n_levels) {
    memcpy(values - n_levels, e->body.data, n_levels);
    body->data = values - n_levels;
  } else {
    if (n > 0) st = sc_buffer_append(&e->body, values, n, err);
    body->data = e->body.data;
  }
  body->size = n_levels + n;
  return st;
}

static sc_status put_data(struct sc_pq_encoder *e, struct sc_pq_rows *rows, size_t c,
                          const struct slice *s, struct sc_buffer *out,
                          struct sc_pq_chunk_out *chunk, struct sc_error *err) {
  const struct sc_pq_spec *spec = &rows->specs[c];
  struct sc_pq_column_rows *column = &rows->columns[c];
  struct sc_pq_page_out page = {0};
  struct sc_view body = {NULL, 0};
  page.begin = out->size;
  page.first_row = (int64_t)s->begin;
  page.n_rows = (int64_t)(s->end - s->begin);
  page.stats.n_nulls = page.n_rows - (int64_t)(s->value_end - s->value_begin);
  e->body.size = 0;
  sc_status st = find_bounds(e, spec, column, s, chunk->has_dictionary, &page.stats, err);
  if (!st) st = put_levels(e, column, s, err);
  if (!st && chunk->has_dictionary) {
    st = put_indexes(e, s, err);
    body.data = e->body.data;
    body.size = e->body.size;
  } else if (!st) {
    st = join_values(e, column, s, &body, err);
  }
  if (!st) st = put_page(e, body, SC_PQ_DATA_PAGE, page.n_rows, out, chunk, err);
  page.bytes = (uint32_t)(out->size - page.begin);
  sc_pq_stats_merge(&chunk->stats, &page.stats, spec->type, is_unsigned_spec(spec));
  if (!st) st = sc_buffer_append(&chunk->pages, &page, sizeof page, err);
  chunk->n_pages++;
  return st;
}

static sc_status encode_column(struct sc_pq_encoder *e, struct sc_pq_rows *rows, size_t c,
                               struct sc_buffer *out, struct sc_pq_chunk_out *chunk,
                               struct sc_error *err) {
  struct slice s = {0, 0, 0, 0, 0, 0};
  chunk->begin = out->size;
  chunk->n_values = (int64_t)rows->n_rows;
  sc_status st = sc_pq_dictionary_build(&e->dictionary, rows, c, &chunk->has_dictionary, err);
  if (!st && chunk->has_dictionary) st = put_dictionary(e, out, chunk, err);
  chunk->data_begin = out->size;
  while (!st && s.end < rows->n_rows) {
    s = next_slice(rows, c, &s);
    st = put_data(e, rows, c, &s, out, chunk, err);
  }
  chunk->packed_bytes = out->size - chunk->begin;
  return st;
}

sc_status sc_pq_encode(struct sc_pq_encoder *e, struct sc_pq_rows *rows, struct sc_buffer *out,
                       struct sc_pq_chunk_out *chunks, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t c = 0; c < rows->n_columns && !st; c++) {
    st = encode_column(e, rows, c, out, &chunks[c], err);
  }
  return st;
}

void sc_pq_encoder_free(struct sc_pq_encoder *e) {
  sc_pq_codecs_free(&e->codecs);
  sc_pq_dictionary_out_free(&e->dictionary);
  sc_buffer_free(&e->body);
  sc_buffer_free(&e->packed);
  sc_buffer_free(&e->levels);
  sc_buffer_free(&e->seen);
}
