/* Page headers and the page index; see page.h. */
#include "parquet/page.h"

#include <string.h>

#define LEAST_PLACE_BYTES 7 /* three fields of two bytes, and the end */

static void parse_data(struct sc_thrift_in *t, struct sc_pq_page *p) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: p->n_values = sc_thrift_int(t, f.type); break;
      case 2: p->encoding = sc_thrift_int32(t, f.type); break;
      case 3: p->def_encoding = sc_thrift_int32(t, f.type); break;
      case 4: p->rep_encoding = sc_thrift_int32(t, f.type); break;
      default: sc_thrift_skip(t, f.type);
    }
  }
}

static void parse_dictionary(struct sc_thrift_in *t, struct sc_pq_page *p) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: p->n_values = sc_thrift_int(t, f.type); break;
      case 2: p->encoding = sc_thrift_int32(t, f.type); break;
      default: sc_thrift_skip(t, f.type);
    }
  }
}

static void parse_data_v2(struct sc_thrift_in *t, struct sc_pq_page *p) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: p->n_values = sc_thrift_int(t, f.type); break;
      case 4: p->encoding = sc_thrift_int32(t, f.type); break;
      case 5: p->def_bytes = (uint32_t)sc_thrift_int32(t, f.type); break;
      case 6: p->rep_bytes = (uint32_t)sc_thrift_int32(t, f.type); break;
      case 7: p->is_packed = sc_thrift_bool(t, f.type); break;
      default: sc_thrift_skip(t, f.type);
    }
  }
}

static sc_status check_page(const struct sc_pq_page *p, int64_t bytes, int64_t whole,
                            struct sc_error *err) {
  if (bytes < 0 || whole < 0) {
    return sc_fail(err, SC_BAD_DATA, "a page of %lld bytes, unpacked %lld", (long long)bytes,
                   (long long)whole);
  }
  if (p->n_values < 0) {
    return sc_fail(err, SC_BAD_DATA, "a page of %lld values", (long long)p->n_values);
  }
  return SC_OK;
}

sc_status sc_pq_page_parse(const unsigned char *data, size_t n, struct sc_pq_page *out,
                           int *is_short, struct sc_error *err) {
  struct sc_thrift_in t = sc_thrift_of(data, n);
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  int64_t bytes = -1, whole = -1;
  memset(out, 0, sizeof *out);
  out->type = -1;
  out->is_packed = 1;
  out->def_encoding = out->rep_encoding = SC_PQ_RLE;
  while (sc_thrift_next(&t, &f)) {
    if (f.id == 1) {
      out->type = sc_thrift_int32(&t, f.type);
    } else if (f.id == 2) {
      whole = sc_thrift_int32(&t, f.type);
    } else if (f.id == 3) {
      bytes = sc_thrift_int32(&t, f.type);
    } else if (f.id == 5 && sc_thrift_is_struct(&t, f.type)) {
      parse_data(&t, out);
    } else if (f.id == 7 && sc_thrift_is_struct(&t, f.type)) {
      parse_dictionary(&t, out);
    } else if (f.id == 8 && sc_thrift_is_struct(&t, f.type)) {
      parse_data_v2(&t, out);
    } else {
      sc_thrift_skip(&t, f.type);
    }
  }
  *is_short = t.fault && n < SC_PQ_PAGE_HEADER_MAX_BYTES;
  if (*is_short) return SC_OK;
  if (t.fault) return sc_fail(err, SC_BAD_DATA, "a page header is damaged: %s", t.fault);
  sc_status st = check_page(out, bytes, whole, err);
  out->head_bytes = (uint32_t)t.bytes.at;
  out->bytes = (uint32_t)bytes;
  out->whole_bytes = (uint32_t)whole;
  return st;
}

static void parse_place(struct sc_thrift_in *t, struct sc_pq_page_place *p) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: p->begin = (uint64_t)sc_thrift_int(t, f.type); break;
      case 2: p->bytes = (uint32_t)sc_thrift_int32(t, f.type); break;
      case 3: p->first_row = sc_thrift_int(t, f.type); break;
      default: sc_thrift_skip(t, f.type);
    }
  }
}

static int place_is_good(const struct sc_pq_page_place *p, size_t i,
                         const struct sc_pq_chunk *chunk, int64_t n_rows) {
  if (p->begin < chunk->begin || p->begin > chunk->end || p->bytes > chunk->end - p->begin) {
    return 0;
  }
  if (i == 0) return p->first_row == 0;
  return p->first_row > p[-1].first_row && p->first_row < n_rows && p->begin > p[-1].begin;
}

sc_status sc_pq_offset_index_parse(struct sc_view data, const struct sc_pq_chunk *chunk,
                                   int64_t n_rows, struct sc_arena *arena,
                                   struct sc_pq_page_place **out, size_t *n_pages,
                                   struct sc_error *err) {
  struct sc_thrift_in t = sc_thrift_of(data.data, data.size);
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  *out = NULL;
  *n_pages = 0;
  while (sc_thrift_next(&t, &f)) {
    enum sc_thrift_type element;
    if (f.id != 1 || *out) {
      sc_thrift_skip(&t, f.type);
      continue;
    }
    size_t count = sc_thrift_list(&t, f.type, LEAST_PLACE_BYTES, &element);
    if (t.fault || (count && !sc_thrift_is_struct(&t, element))) break;
    sc_status st = sc_arena_new(arena, count, sizeof **out, out, err);
    if (st) return st;
    for (size_t i = 0; i < count && !t.fault; i++) {
      parse_place(&t, &(*out)[i]);
      if (!t.fault && !place_is_good(&(*out)[i], i, chunk, n_rows)) {
        return sc_fail(err, SC_BAD_DATA, "offset index: page %zu is out of place", i);
      }
    }
    *n_pages = count;
  }
  if (t.fault) return sc_fail(err, SC_BAD_DATA, "the offset index is damaged: %s", t.fault);
  return SC_OK;
}

/* A list of n_pages texts into min or max of each. */
static void parse_bounds(struct sc_thrift_in *t, enum sc_thrift_type type, size_t n_pages,
                         struct sc_pq_stats *stats, int is_max) {
  enum sc_thrift_type element;
  size_t n = sc_thrift_list(t, type, 1, &element);
  for (size_t i = 0; i < n && !t->fault; i++) {
    struct sc_view s = sc_thrift_binary(t, element);
    if (i < n_pages) *(is_max ? &stats[i].max : &stats[i].min) = s;
  }
}

static void parse_null_pages(struct sc_thrift_in *t, enum sc_thrift_type type, size_t n_pages,
                             unsigned char *is_null) {
  enum sc_thrift_type element;
  size_t n = sc_thrift_list(t, type, 1, &element);
  for (size_t i = 0; i < n && !t->fault; i++) {
    const unsigned char *p = sc_bytes_take(&t->bytes, 1);
    if (p && i < n_pages) is_null[i] = *p == SC_THRIFT_TRUE;
  }
}

sc_status sc_pq_column_index_parse(const unsigned char *data, size_t n,
                                   const struct sc_pq_leaf *leaf, size_t n_pages,
                                   struct sc_arena *arena, struct sc_pq_stats **out,
                                   struct sc_error *err) {
  struct sc_thrift_in t = sc_thrift_of(data, n);
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  unsigned char *is_null;
  sc_status st = sc_arena_new(arena, n_pages, sizeof **out, out, err);
  if (!st) st = sc_arena_new(arena, n_pages, 1, &is_null, err);
  if (st) return st;
  while (sc_thrift_next(&t, &f)) {
    switch (f.id) {
      case 1: parse_null_pages(&t, f.type, n_pages, is_null); break;
      case 2: parse_bounds(&t, f.type, n_pages, *out, 0); break;
      case 3: parse_bounds(&t, f.type, n_pages, *out, 1); break;
      default: sc_thrift_skip(&t, f.type);
    }
  }
  if (t.fault) return sc_fail(err, SC_BAD_DATA, "the column index is damaged: %s", t.fault);
  for (size_t i = 0; i < n_pages; i++) {
    struct sc_pq_stats *s = &(*out)[i];
    s->null_count = -1;
    if (is_null[i] || leaf->type == SC_PQ_INT96 || leaf->kind == SC_PQ_KIND_GEOMETRY) {
      s->min.data = s->max.data = NULL;
    }
  }
  return SC_OK;
}
