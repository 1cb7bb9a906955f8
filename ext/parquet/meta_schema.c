/* The schema in a footer: its flattened tree into a list of leaves; see meta.h. */
#include <string.h>

#include "base/alloc.h"
#include "parquet/meta.h"

#define LEAST_ELEMENT_BYTES 3 /* a name of no letters, and the end */
#define PATH_MAX_BYTES 4096

/* A SchemaElement as it stands. */
struct element {
  int has_type, type, fixed_bytes, repetition, n_children, converted, scale, precision;
  struct sc_view name;
  int logical; /* field number in LogicalType, 0 for none */
  int unit_digits, is_utc, bits, is_signed;
  struct sc_view crs;
};

/* Where we are in the tree: a group whose children are still to come. */
struct level {
  int children_left;
  int max_def, max_rep;
  size_t path_size; /* of the group's own path */
  size_t node;      /* its number; of no meaning for the root */
};

struct walk {
  struct level levels[SC_PQ_MAX_DEPTH];
  int depth;
  int top; /* number of the current top-level field */
  char path[PATH_MAX_BYTES];
};

static void parse_time_unit(struct sc_thrift_in *t, struct element *e) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    if (f.id >= 1 && f.id <= 3) e->unit_digits = f.id * 3;
    sc_thrift_skip(t, f.type);
  }
}

/* The struct within the union: only its parameters matter, its number says which it is. */
static void parse_logical_struct(struct sc_thrift_in *t, struct element *e) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  int is_time = e->logical == SC_PQ_LOGICAL_TIME || e->logical == SC_PQ_LOGICAL_TIMESTAMP;
  int is_geo = e->logical == SC_PQ_LOGICAL_GEOMETRY || e->logical == SC_PQ_LOGICAL_GEOGRAPHY;
  while (sc_thrift_next(t, &f)) {
    if (is_time && f.id == 1) {
      e->is_utc = sc_thrift_bool(t, f.type);
    } else if (is_time && f.id == 2 && sc_thrift_is_struct(t, f.type)) {
      parse_time_unit(t, e);
    } else if (e->logical == SC_PQ_LOGICAL_INTEGER && f.id == 1) {
      e->bits = (int)sc_thrift_int(t, f.type);
    } else if (e->logical == SC_PQ_LOGICAL_INTEGER && f.id == 2) {
      e->is_signed = sc_thrift_bool(t, f.type);
    } else if (e->logical == SC_PQ_LOGICAL_DECIMAL && f.id == 1) {
      e->scale = sc_thrift_int32(t, f.type);
    } else if (e->logical == SC_PQ_LOGICAL_DECIMAL && f.id == 2) {
      e->precision = sc_thrift_int32(t, f.type);
    } else if (is_geo && f.id == 1) {
      e->crs = sc_thrift_binary(t, f.type);
    } else {
      sc_thrift_skip(t, f.type);
    }
  }
}

static void parse_logical(struct sc_thrift_in *t, struct element *e) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  while (sc_thrift_next(t, &f)) {
    if (e->logical || f.type != SC_THRIFT_STRUCT) {
      sc_thrift_skip(t, f.type);
    } else {
      e->logical = f.id;
      parse_logical_struct(t, e);
    }
  }
}

static void parse_element(struct sc_thrift_in *t, struct element *e) {
  struct sc_thrift_field f = {0, SC_THRIFT_STOP};
  memset(e, 0, sizeof *e);
  e->converted = SC_PQ_CONVERTED_NONE;
  e->is_signed = 1;
  while (sc_thrift_next(t, &f)) {
    switch (f.id) {
      case 1:
        e->type = sc_thrift_int32(t, f.type);
        e->has_type = 1;
        break;
      case 2: e->fixed_bytes = sc_thrift_int32(t, f.type); break;
      case 3: e->repetition = sc_thrift_int32(t, f.type); break;
      case 4: e->name = sc_thrift_binary(t, f.type); break;
      case 5: e->n_children = sc_thrift_int32(t, f.type); break;
      case 6: e->converted = sc_thrift_int32(t, f.type); break;
      case 7: e->scale = sc_thrift_int32(t, f.type); break;
      case 8: e->precision = sc_thrift_int32(t, f.type); break;
      case 10:
        if (sc_thrift_is_struct(t, f.type)) parse_logical(t, e);
        break;
      default: sc_thrift_skip(t, f.type);
    }
  }
}

static void set_kind_of_logical(const struct element *e, struct sc_pq_leaf *leaf) {
  switch (e->logical) {
    case SC_PQ_LOGICAL_STRING:
    case SC_PQ_LOGICAL_ENUM:
    case SC_PQ_LOGICAL_JSON: leaf->kind = SC_PQ_KIND_TEXT; break;
    case SC_PQ_LOGICAL_DECIMAL: leaf->kind = SC_PQ_KIND_DECIMAL; break;
    case SC_PQ_LOGICAL_DATE: leaf->kind = SC_PQ_KIND_DATE; break;
    case SC_PQ_LOGICAL_TIME: leaf->kind = SC_PQ_KIND_TIME; break;
    case SC_PQ_LOGICAL_TIMESTAMP: leaf->kind = SC_PQ_KIND_TIMESTAMP; break;
    case SC_PQ_LOGICAL_INTEGER:
      if (!e->is_signed) leaf->kind = SC_PQ_KIND_UINT;
      leaf->bits = e->bits;
      break;
    case SC_PQ_LOGICAL_UUID: leaf->kind = SC_PQ_KIND_UUID; break;
    case SC_PQ_LOGICAL_FLOAT16: leaf->kind = SC_PQ_KIND_FLOAT16; break;
    case SC_PQ_LOGICAL_GEOMETRY:
    case SC_PQ_LOGICAL_GEOGRAPHY:
      leaf->kind = SC_PQ_KIND_GEOMETRY;
      leaf->crs = e->crs;
      break;
    case SC_PQ_LOGICAL_UNKNOWN: leaf->kind = SC_PQ_KIND_NULL; break;
    default: break;
  }
  leaf->unit_digits = e->unit_digits;
  leaf->is_utc = e->is_utc;
}

static void set_kind_of_converted(const struct element *e, struct sc_pq_leaf *leaf) {
  switch (e->converted) {
    case SC_PQ_UTF8:
    case SC_PQ_ENUM:
    case SC_PQ_JSON: leaf->kind = SC_PQ_KIND_TEXT; break;
    case SC_PQ_DECIMAL: leaf->kind = SC_PQ_KIND_DECIMAL; break;
    case SC_PQ_DATE: leaf->kind = SC_PQ_KIND_DATE; break;
    case SC_PQ_TIME_MILLIS:
    case SC_PQ_TIME_MICROS: leaf->kind = SC_PQ_KIND_TIME; break;
    case SC_PQ_TIMESTAMP_MILLIS:
    case SC_PQ_TIMESTAMP_MICROS: leaf->kind = SC_PQ_KIND_TIMESTAMP; break;
    case SC_PQ_UINT_8:
    case SC_PQ_UINT_16:
    case SC_PQ_UINT_32:
    case SC_PQ_UINT_64:
      leaf->kind = SC_PQ_KIND_UINT;
      leaf->bits = 8 << (e->converted - SC_PQ_UINT_8);
      break;
    default: break;
  }
  leaf->is_utc = 1; /* parquet.thrift: the old annotations are instants in UTC */
  leaf->unit_digits =
      e->converted == SC_PQ_TIME_MILLIS || e->converted == SC_PQ_TIMESTAMP_MILLIS ? 3 : 6;
}

/* An annotation that does not fit its physical type is as good as none. */
static void drop_misfit(struct sc_pq_leaf *leaf) {
  int is_int = leaf->type == SC_PQ_INT32 || leaf->type == SC_PQ_INT64;
  int is_bytes = leaf->type == SC_PQ_BYTE_ARRAY || leaf->type == SC_PQ_FIXED;
  int fits = 1;
  switch (leaf->kind) {
    case SC_PQ_KIND_TEXT: fits = is_bytes; break;
    case SC_PQ_KIND_GEOMETRY: fits = is_bytes; break;
    case SC_PQ_KIND_UINT: fits = is_int; break;
    case SC_PQ_KIND_DATE: fits = leaf->type == SC_PQ_INT32; break;
    case SC_PQ_KIND_TIME: fits = is_int && leaf->unit_digits; break;
    case SC_PQ_KIND_TIMESTAMP: fits = leaf->type == SC_PQ_INT64 && leaf->unit_digits; break;
    case SC_PQ_KIND_DECIMAL:
      fits =
          (is_int || is_bytes) && leaf->scale >= 0 && leaf->scale <= 1000 && leaf->precision >= 1;
      break;
    case SC_PQ_KIND_UUID: fits = leaf->type == SC_PQ_FIXED && leaf->fixed_bytes == 16; break;
    case SC_PQ_KIND_FLOAT16: fits = leaf->type == SC_PQ_FIXED && leaf->fixed_bytes == 2; break;
    default: break;
  }
  if (!fits) leaf->kind = SC_PQ_KIND_PLAIN;
}

static void set_kind(const struct element *e, struct sc_pq_leaf *leaf) {
  leaf->scale = e->scale;
  leaf->precision = e->precision;
  if (leaf->type == SC_PQ_INT96) { /* has no other use than Impala's and Spark's timestamps */
    leaf->kind = SC_PQ_KIND_TIMESTAMP;
    leaf->unit_digits = 9;
    return;
  }
  if (e->logical) {
    set_kind_of_logical(e, leaf);
  } else {
    set_kind_of_converted(e, leaf);
  }
  drop_misfit(leaf);
}

static sc_status add_leaf(struct walk *w, const struct element *e, const struct level *at,
                          struct sc_pq_meta *meta, struct sc_error *err) {
  struct sc_pq_leaf *leaf = &meta->leaves[meta->n_leaves];
  if (e->type < 0 || e->type > SC_PQ_FIXED) {
    return sc_fail(err, SC_BAD_DATA, "column '%.*s': physical type %d is unknown",
                   (int)at->path_size, w->path, e->type);
  }
  leaf->type = (enum sc_pq_type)e->type;
  if (leaf->type == SC_PQ_FIXED &&
      (e->fixed_bytes <= 0 || e->fixed_bytes > SC_PQ_FIXED_MAX_BYTES)) {
    return sc_fail(err, SC_BAD_DATA, "column '%.*s': values of %d bytes; 1 to %d are possible",
                   (int)at->path_size, w->path, e->fixed_bytes, SC_PQ_FIXED_MAX_BYTES);
  }
  leaf->fixed_bytes = (uint32_t)e->fixed_bytes;
  leaf->top = w->top;
  leaf->max_def = at->max_def;
  leaf->max_rep = at->max_rep;
  set_kind(e, leaf);
  meta->n_leaves++;
  return sc_arena_text(&meta->arena, w->path, at->path_size, &leaf->path, err);
}

/* The element's own level below its parent's; its name is added to the path. */
static sc_status child_level(struct walk *w, const struct element *e, struct level *out,
                             struct sc_error *err) {
  struct level *parent = &w->levels[w->depth - 1];
  size_t at = parent->path_size;
  if (e->name.size + 2 > sizeof w->path - at) {
    return sc_fail(err, SC_BAD_DATA, "schema: a column's path is longer than %d bytes",
                   PATH_MAX_BYTES);
  }
  if (e->repetition < 0 || e->repetition > SC_PQ_REPEATED) {
    return sc_fail(err, SC_BAD_DATA, "schema: '%.*s' has repetition type %d; 0 to 2 are defined",
                   (int)e->name.size, (const char *)e->name.data, e->repetition);
  }
  if (w->depth > 1) w->path[at++] = '.';
  if (w->depth == 1) w->top++;
  if (e->name.size) memcpy(w->path + at, e->name.data, e->name.size);
  parent->children_left--;
  out->children_left = e->n_children;
  out->path_size = at + e->name.size;
  out->max_def = parent->max_def + (e->repetition != SC_PQ_REQUIRED);
  out->max_rep = parent->max_rep + (e->repetition == SC_PQ_REPEATED);
  return SC_OK;
}

static sc_status add_node(const struct element *e, const struct level *at, struct sc_pq_meta *meta,
                          struct sc_error *err) {
  struct sc_pq_node *node = &meta->nodes[meta->n_nodes++];
  node->repetition = e->repetition;
  node->max_def = at->max_def;
  node->max_rep = at->max_rep;
  node->is_list = e->logical == SC_PQ_LOGICAL_LIST || e->converted == SC_PQ_LIST;
  node->is_map = e->logical == SC_PQ_LOGICAL_MAP || e->converted == SC_PQ_MAP ||
                 e->converted == SC_PQ_MAP_KEY_VALUE;
  node->is_leaf = e->has_type && e->n_children == 0;
  node->leaf = meta->n_leaves;
  node->n_leaves = (size_t)node->is_leaf;
  node->end = meta->n_nodes;
  return sc_arena_text(&meta->arena, e->name.data, e->name.size, &node->name, err);
}

/* The innermost group is complete. */
static void end_group(struct walk *w, struct sc_pq_meta *meta) {
  struct sc_pq_node *node = &meta->nodes[w->levels[--w->depth].node];
  node->n_leaves = meta->n_leaves - node->leaf;
  node->end = meta->n_nodes;
}

static sc_status add_element(struct walk *w, const struct element *e, struct sc_pq_meta *meta,
                             struct sc_error *err) {
  struct level level;
  while (w->depth > 1 && w->levels[w->depth - 1].children_left == 0) end_group(w, meta);
  if (w->levels[w->depth - 1].children_left == 0) {
    return sc_fail(err, SC_BAD_DATA, "schema: elements outside its root");
  }
  sc_status st = child_level(w, e, &level, err);
  level.node = meta->n_nodes;
  if (!st) st = add_node(e, &level, meta, err);
  if (st) return st;
  if (e->has_type && e->n_children == 0) return add_leaf(w, e, &level, meta, err);
  if (e->n_children < 0 || w->depth == SC_PQ_MAX_DEPTH) {
    return sc_fail(err, SC_BAD_DATA, "schema: '%.*s' is nested deeper than %d or has %d children",
                   (int)level.path_size, w->path, SC_PQ_MAX_DEPTH, e->n_children);
  }
  w->levels[w->depth++] = level;
  return SC_OK;
}

static int walk_is_complete(const struct walk *w) {
  for (int i = 0; i < w->depth; i++) {
    if (w->levels[i].children_left) return 0;
  }
  return 1;
}

static sc_status parse_elements(struct sc_thrift_in *t, size_t n, struct walk *w,
                                struct sc_pq_meta *meta, struct sc_error *err) {
  struct element e;
  parse_element(t, &e); /* the root */
  w->depth = 1;
  w->top = -1;
  w->levels[0].children_left = e.n_children;
  if (e.n_children < 0 || (size_t)e.n_children >= n + (n == 0)) {
    return sc_fail(err, SC_BAD_DATA, "schema: its root has %d children of %zu elements",
                   e.n_children, n);
  }
  for (size_t i = 1; i < n && !t->fault; i++) {
    parse_element(t, &e);
    if (t->fault) break;
    sc_status st = add_element(w, &e, meta, err);
    if (st) return st;
  }
  if (!t->fault && !walk_is_complete(w)) {
    return sc_fail(err, SC_BAD_DATA, "schema: it ends before its groups are complete");
  }
  while (w->depth > 1) end_group(w, meta);
  return SC_OK;
}

sc_status sc_pq_schema_parse(struct sc_thrift_in *t, enum sc_thrift_type type,
                             struct sc_pq_meta *meta, struct sc_error *err) {
  enum sc_thrift_type element;
  size_t n = sc_thrift_list(t, type, LEAST_ELEMENT_BYTES, &element);
  if (n && !sc_thrift_is_struct(t, element)) return SC_OK; /* the caller sees the fault */
  if (t->fault) return SC_OK;
  if (n == 0 || meta->leaves) {
    return sc_fail(err, SC_BAD_DATA, "schema: empty, or there are two");
  }
  struct walk *w = sc_alloc_zero(1, sizeof *w);
  if (!w) return sc_fail_nomem(err);
  sc_status st = sc_arena_new(&meta->arena, n, sizeof *meta->leaves, &meta->leaves, err);
  if (!st) st = sc_arena_new(&meta->arena, n, sizeof *meta->nodes, &meta->nodes, err);
  if (!st) st = parse_elements(t, n, w, meta, err);
  sc_free(w);
  return st;
}
