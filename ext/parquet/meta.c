/* The footer of a Parquet file; see meta.h. */
#include "parquet/meta.h"

#include <string.h>

/* The fewest bytes of a struct in a list, so that a count cannot claim more memory than
 * some ten times its own bytes: required fields of parquet.thrift, a byte of head and one
 * of value each. */
#define LEAST_ROW_GROUP_BYTES 7
#define LEAST_CHUNK_BYTES 16
#define LEAST_KEY_VALUE_BYTES 3

struct parser {
  struct sc_thrift_in thrift;
  struct sc_pq_meta *meta;
  uint64_t file_bytes;
  struct sc_error *err;
  sc_status status; /* first failure that is no thrift fault */
  int64_t dictionary_page, data_page, packed_bytes;
};

static int has_min_max(const struct sc_pq_leaf *leaf) {
  return leaf->kind != SC_PQ_KIND_GEOMETRY && leaf->type != SC_PQ_INT96;
}

/*
 * min_value and max_value follow the column's own order. The older min and max were compared
 * as signed numbers or signed bytes: right only for signed numbers.
 */
struct sc_pq_stats sc_pq_stats_parse(struct sc_thrift_in *t, const struct sc_pq_leaf *leaf) {
  struct sc_pq_stats s = {{NULL, 0}, {NULL, 0}, -1};
  struct sc_view old_min = {NULL, 0}, old_max = {NULL, 0};
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: old_max = sc_thrift_binary(t, f.type); break;
      case 2: old_min = sc_thrift_binary(t, f.type); break;
      case 3: s.null_count = sc_thrift_int(t, f.type); break;
      case 5: s.max = sc_thrift_binary(t, f.type); break;
      case 6: s.min = sc_thrift_binary(t, f.type); break;
      default: sc_thrift_skip(t, f.type);
    }
  }
  int is_signed =
      leaf->type != SC_PQ_BYTE_ARRAY && leaf->type != SC_PQ_FIXED && leaf->kind != SC_PQ_KIND_UINT;
  if (is_signed && !s.min.data) s.min = old_min;
  if (is_signed && !s.max.data) s.max = old_max;
  if (!has_min_max(leaf)) s.min.data = s.max.data = NULL;
  return s;
}

static struct sc_pq_box parse_box(struct sc_thrift_in *t) {
  struct sc_pq_box box = {0, 0, 0, 0, 0};
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  int seen = 0;
  while (sc_thrift_next(t, &f)) {
    double *to = f.id == 1   ? &box.min_x
                 : f.id == 2 ? &box.max_x
                 : f.id == 3 ? &box.min_y
                 : f.id == 4 ? &box.max_y
                             : NULL;
    if (to) {
      *to = sc_thrift_double(t, f.type);
      seen |= 1 << f.id;
    } else {
      sc_thrift_skip(t, f.type);
    }
  }
  box.present = seen == 30;
  return box;
}

static struct sc_pq_box parse_geospatial(struct sc_thrift_in *t) {
  struct sc_pq_box box = {0, 0, 0, 0, 0};
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    if (f.id == 1 && f.type == SC_THRIFT_STRUCT) {
      box = parse_box(t);
    } else {
      sc_thrift_skip(t, f.type);
    }
  }
  return box;
}

static sc_status fail_column(struct parser *p, const struct sc_pq_leaf *leaf, const char *what,
                             int64_t found) {
  p->status =
      sc_fail(p->err, SC_BAD_DATA, "column '%s': %s (%lld)", leaf->path, what, (long long)found);
  return p->status;
}

static void parse_chunk_meta(struct parser *p, const struct sc_pq_leaf *leaf,
                             struct sc_pq_chunk *c) {
  struct sc_thrift_in *t = &p->thrift;
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: {
        int type = sc_thrift_int32(t, f.type);
        if (!t->fault && type != (int)leaf->type) {
          fail_column(p, leaf, "a chunk has another physical type than the schema", type);
        }
        break;
      }
      case 4: c->codec = sc_thrift_int32(t, f.type); break;
      case 5: c->n_values = sc_thrift_int(t, f.type); break;
      case 7: p->packed_bytes = sc_thrift_int(t, f.type); break;
      case 9: p->data_page = sc_thrift_int(t, f.type); break;
      case 11: p->dictionary_page = sc_thrift_int(t, f.type); break;
      case 12:
        if (sc_thrift_is_struct(t, f.type)) c->stats = sc_pq_stats_parse(t, leaf);
        break;
      case 17:
        if (sc_thrift_is_struct(t, f.type)) c->box = parse_geospatial(t);
        break;
      default: sc_thrift_skip(t, f.type);
    }
  }
}

/* Pages begin at the dictionary where there is one; some writers put 0 for "none". */
static sc_status check_chunk(struct parser *p, const struct sc_pq_leaf *leaf,
                             struct sc_pq_chunk *c) {
  int64_t begin = p->data_page;
  if (p->dictionary_page > 0 && p->dictionary_page < begin) begin = p->dictionary_page;
  if (c->n_values < 0) return fail_column(p, leaf, "a negative number of values", c->n_values);
  if (begin < 0 || (uint64_t)begin > p->file_bytes) {
    return fail_column(p, leaf, "a chunk begins outside the file", begin);
  }
  if (p->packed_bytes < 0 || (uint64_t)p->packed_bytes > p->file_bytes - (uint64_t)begin) {
    return fail_column(p, leaf, "a chunk is longer than the file", p->packed_bytes);
  }
  c->begin = (uint64_t)begin;
  c->end = c->begin + (uint64_t)p->packed_bytes;
  return SC_OK;
}

/* Position and size of a column or offset index; what lies outside the file is not used. */
static void check_index(const struct parser *p, int64_t at, int64_t size, uint64_t *out_at,
                        uint32_t *out_size) {
  if (at <= 0 || size <= 0 || size > INT32_MAX) return;
  if ((uint64_t)at > p->file_bytes || (uint64_t)size > p->file_bytes - (uint64_t)at) return;
  *out_at = (uint64_t)at;
  *out_size = (uint32_t)size;
}

static void parse_chunk(struct parser *p, const struct sc_pq_leaf *leaf, struct sc_pq_chunk *c) {
  struct sc_thrift_in *t = &p->thrift;
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  int64_t index[4] = {0, 0, 0, 0};
  int has_meta = 0, is_elsewhere = 0;
  p->dictionary_page = p->data_page = p->packed_bytes = 0;
  c->stats.null_count = -1;
  while (sc_thrift_next(t, &f)) {
    if (f.id == 1) {
      is_elsewhere = sc_thrift_binary(t, f.type).size > 0;
    } else if (f.id == 3 && sc_thrift_is_struct(t, f.type)) {
      parse_chunk_meta(p, leaf, c);
      has_meta = 1;
    } else if (f.id >= 4 && f.id <= 7) {
      index[f.id - 4] = sc_thrift_int(t, f.type);
    } else {
      if (f.id == 8 || f.id == 9) c->is_encrypted = 1;
      sc_thrift_skip(t, f.type);
    }
  }
  if (t->fault || p->status) return;
  if (is_elsewhere) {
    fail_column(p, leaf, "its values are in another file, which is not supported", 0);
  } else if (!has_meta && !c->is_encrypted) {
    fail_column(p, leaf, "a chunk has no metadata", 0);
  } else if (has_meta) {
    check_index(p, index[0], index[1], &c->offset_index, &c->offset_index_bytes);
    check_index(p, index[2], index[3], &c->column_index, &c->column_index_bytes);
    check_chunk(p, leaf, c);
  }
}

static void parse_chunks(struct parser *p, enum sc_thrift_type type,
                         struct sc_pq_row_group *group) {
  struct sc_thrift_in *t = &p->thrift;
  struct sc_pq_meta *meta = p->meta;
  enum sc_thrift_type element;
  size_t n = sc_thrift_list(t, type, LEAST_CHUNK_BYTES, &element);
  if (t->fault || (n && !sc_thrift_is_struct(t, element))) return;
  if (n != meta->n_leaves || group->chunks) {
    p->status = sc_fail(p->err, SC_BAD_DATA,
                        "a row group has %zu column chunks; the schema has "
                        "%zu columns",
                        n, meta->n_leaves);
    return;
  }
  p->status = sc_arena_new(&meta->arena, n, sizeof *group->chunks, &group->chunks, p->err);
  for (size_t i = 0; i < n && !p->status && !t->fault; i++) {
    parse_chunk(p, &meta->leaves[i], &group->chunks[i]);
  }
}

static void parse_row_group(struct parser *p, struct sc_pq_row_group *group) {
  struct sc_thrift_in *t = &p->thrift;
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (!p->status && sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: parse_chunks(p, f.type, group); break;
      case 3: group->n_rows = sc_thrift_int(t, f.type); break;
      default: sc_thrift_skip(t, f.type);
    }
  }
  if (t->fault || p->status) return;
  if (group->n_rows < 0 || (!group->chunks && p->meta->n_leaves)) {
    p->status = sc_fail(p->err, SC_BAD_DATA, "a row group has no columns or %lld rows",
                        (long long)group->n_rows);
    return;
  }
  for (size_t i = 0; i < p->meta->n_leaves && !p->status; i++) {
    const struct sc_pq_leaf *leaf = &p->meta->leaves[i];
    const struct sc_pq_chunk *c = &group->chunks[i];
    if (leaf->max_rep == 0 && !c->is_encrypted && c->n_values != group->n_rows) {
      fail_column(p, leaf, "a chunk's number of values is not the row group's number of rows",
                  c->n_values);
    }
  }
}

static void parse_row_groups(struct parser *p, enum sc_thrift_type type) {
  struct sc_thrift_in *t = &p->thrift;
  struct sc_pq_meta *meta = p->meta;
  enum sc_thrift_type element;
  size_t n = sc_thrift_list(t, type, LEAST_ROW_GROUP_BYTES, &element);
  if (t->fault || (n && !sc_thrift_is_struct(t, element))) return;
  if (meta->row_groups || !meta->leaves) {
    p->status = sc_fail(p->err, SC_BAD_DATA, "row groups come twice or before the schema");
    return;
  }
  p->status = sc_arena_new(&meta->arena, n, sizeof *meta->row_groups, &meta->row_groups, p->err);
  for (size_t i = 0; i < n && !p->status && !t->fault; i++) {
    parse_row_group(p, &meta->row_groups[i]);
    meta->n_row_groups++;
  }
}

static void parse_key_values(struct parser *p, enum sc_thrift_type type) {
  struct sc_thrift_in *t = &p->thrift;
  struct sc_pq_meta *meta = p->meta;
  enum sc_thrift_type element;
  size_t n = sc_thrift_list(t, type, LEAST_KEY_VALUE_BYTES, &element);
  if (t->fault || (n && !sc_thrift_is_struct(t, element))) return;
  meta->n_key_values = 0;
  p->status = sc_arena_new(&meta->arena, n, sizeof *meta->key_values, &meta->key_values, p->err);
  for (size_t i = 0; i < n && !p->status && !t->fault; i++) {
    struct sc_thrift_field f = {0, SC_THRIFT_STOP};
    struct sc_pq_key_value *kv = &meta->key_values[i];
    while (sc_thrift_next(t, &f)) {
      if (f.id == 1) {
        kv->key = sc_thrift_binary(t, f.type);
      } else if (f.id == 2) {
        kv->value = sc_thrift_binary(t, f.type);
      } else {
        sc_thrift_skip(t, f.type);
      }
    }
    meta->n_key_values++;
  }
}

static sc_status parse_file(struct parser *p) {
  struct sc_thrift_in *t = &p->thrift;
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (!p->status && sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 2: p->status = sc_pq_schema_parse(t, f.type, p->meta, p->err); break;
      case 3: p->meta->n_rows = sc_thrift_int(t, f.type); break;
      case 4: parse_row_groups(p, f.type); break;
      case 5: parse_key_values(p, f.type); break;
      default: sc_thrift_skip(t, f.type);
    }
  }
  if (p->status) return p->status;
  if (t->fault) return sc_fail(p->err, SC_BAD_DATA, "the footer is damaged: %s", t->fault);
  return SC_OK;
}

static sc_status check_rows(const struct sc_pq_meta *meta, struct sc_error *err) {
  int64_t sum = 0;
  if (!meta->leaves) return sc_fail(err, SC_BAD_DATA, "the footer has no schema");
  for (size_t i = 0; i < meta->n_row_groups; i++) {
    if (__builtin_add_overflow(sum, meta->row_groups[i].n_rows, &sum)) {
      return sc_fail(err, SC_BAD_DATA, "the row groups have more than 2^63 rows");
    }
  }
  if (sum == meta->n_rows) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "the footer says %lld rows, its row groups have %lld",
                 (long long)meta->n_rows, (long long)sum);
}

sc_status sc_pq_meta_parse(const unsigned char *footer, size_t n, uint64_t file_bytes,
                           struct sc_pq_meta *out, struct sc_error *err) {
  memset(out, 0, sizeof *out);
  struct parser p = {sc_thrift_of(footer, n), out, file_bytes, err, SC_OK, 0, 0, 0};
  sc_status st = parse_file(&p);
  if (!st) st = check_rows(out, err);
  if (st) sc_pq_meta_free(out);
  return st;
}

void sc_pq_meta_free(struct sc_pq_meta *meta) {
  sc_arena_free(&meta->arena);
  memset(meta, 0, sizeof *meta);
}

int sc_pq_meta_find_leaf(const struct sc_pq_meta *meta, const char *path) {
  for (size_t i = 0; i < meta->n_leaves; i++) {
    if (strcmp(meta->leaves[i].path, path) == 0) return (int)i;
  }
  return -1;
}

struct sc_view sc_pq_meta_find_key(const struct sc_pq_meta *meta, const char *key) {
  struct sc_view none = {NULL, 0};
  for (size_t i = 0; i < meta->n_key_values; i++) {
    const struct sc_pq_key_value *kv = &meta->key_values[i];
    if (kv->key.size == strlen(key) && memcmp(kv->key.data, key, kv->key.size) == 0) {
      return kv->value;
    }
  }
  return none;
}
