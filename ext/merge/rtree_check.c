/* Checking an R*Tree; see rtree_check.h. */
#include "merge/rtree_check.h"

#include "base/alloc.h"
#include "base/db.h"

struct walk {
  struct sc_rtree *t;
  size_t root_bytes;
  int64_t n_entries, n_nodes;
};

/* The module takes no node of another size or fullness, and its deletes fail on an inner node of
 * one child. */
static sc_status check_shape(const struct sc_rtree *t, const struct sc_rtree_node *node, int height,
                             size_t root_bytes, struct sc_error *err) {
  int least = height > 0 ? 2 : node->number == 1 ? 0 : 1;
  size_t n_max = (root_bytes - 4) / (8 + 4 * (size_t)t->n_coords);
  if (node->bytes != root_bytes || (size_t)node->n > n_max) {
    return sc_fail(err, SC_BAD_DATA, "%s: node %lld has %zu bytes and %d cells, the root %zu bytes",
                   t->name, (long long)node->number, node->bytes, node->n, root_bytes);
  }
  if (node->n >= least) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "%s: node %lld, %d above the leaves, has %d cells; expected %d",
                 t->name, (long long)node->number, height, node->n, least);
}

/* No minimum is above its maximum, or NaN. */
static int is_box(const struct sc_rtree_cell *cell, int n_coords) {
  for (int i = 0; i < n_coords; i += 2) {
    if (!(cell->c[i] <= cell->c[i + 1])) return 0;
  }
  return 1;
}

static sc_status check_cell(struct walk *w, const struct sc_rtree_node *node, int height, int i,
                            const struct sc_rtree_cell *bounds, struct sc_error *err) {
  const struct sc_rtree_cell *cell = &node->cells[i];
  int64_t holder;
  sc_status st = sc_rtree_holder(w->t, height, cell->id, &holder, err);
  if (st) return st;
  if (holder != node->number) {
    return sc_fail(err, SC_BAD_DATA, "%s: %lld is in node %lld, its map says %lld", w->t->name,
                   (long long)cell->id, (long long)node->number, (long long)holder);
  }
  if (!is_box(cell, w->t->n_coords)) {
    return sc_fail(err, SC_BAD_DATA, "%s: cell %d of node %lld has a minimum above its maximum",
                   w->t->name, i, (long long)node->number);
  }
  if (bounds && !sc_rtree_cell_holds(bounds, cell, w->t->n_coords)) {
    return sc_fail(err, SC_BAD_DATA, "%s: cell %d of node %lld leaves its parent's box", w->t->name,
                   i, (long long)node->number);
  }
  return SC_OK;
}

/* Heights fall with each step, so that nodes in a circle end too. */
static sc_status check_node(struct walk *w, int64_t number, int height,
                            const struct sc_rtree_cell *bounds, struct sc_error *err) {
  struct sc_rtree_node *node = sc_alloc(sizeof *node);
  sc_status st = node ? sc_rtree_read_node(w->t, number, node, err) : sc_fail_nomem(err);
  if (!st && height < 0) {
    height = node->depth;
    w->root_bytes = node->bytes;
  }
  if (!st && height > SC_RTREE_MAX_DEPTH) {
    st = sc_fail(err, SC_BAD_DATA, "%s: depth %d", w->t->name, height);
  }
  if (!st) st = check_shape(w->t, node, height, w->root_bytes, err);
  for (int i = 0; !st && i < node->n; i++) {
    st = check_cell(w, node, height, i, bounds, err);
    if (!st && height > 0) {
      st = check_node(w, node->cells[i].id, height - 1, &node->cells[i], err);
    }
  }
  if (!st) w->n_nodes++;
  if (!st && height == 0) w->n_entries += node->n;
  sc_free(node);
  return st;
}

sc_status sc_rtree_check(struct sc_rtree *t, struct sc_error *err) {
  struct walk w = {.t = t};
  sqlite3_stmt *s = NULL;
  sc_status st = check_node(&w, 1, -1, NULL, err);
  if (!st)
    st = sc_db_prepare(t->db, sc_statement_text(SC_STMT_RTREE_COUNTS), t->schema, t->name, &s, err);
  int is_row = 0;
  if (!st) st = sc_db_next(s, &is_row, err);
  if (!st && is_row &&
      (sqlite3_column_int64(s, 0) != w.n_entries || sqlite3_column_int64(s, 1) != w.n_nodes - 1)) {
    st = sc_fail(err, SC_BAD_DATA, "%s: %lld entries and %lld nodes, its maps have %lld and %lld",
                 t->name, (long long)w.n_entries, (long long)w.n_nodes - 1,
                 (long long)sqlite3_column_int64(s, 0), (long long)sqlite3_column_int64(s, 1));
  }
  sqlite3_finalize(s);
  return st;
}
