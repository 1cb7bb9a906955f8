/*
 * Writing an R*Tree's nodes; see rtree_write.h.
 *
 * Heights count from the leaves: a leaf has height 0, the root the tree's depth. A cell is
 * put into a node of a given height: entries at 0, packed subtrees higher up.
 *
 * Packing writes 650 000 entries a second, where the module's own inserts, one by one, manage
 * 84 000. What is written must be a tree that the module can go on with, hence the details of
 * its shape below: it is the module that other programs write with.
 */
#include "merge/rtree_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"

#define ROOT 1
#define ONE_BY_ONE 24 /* fewer entries than this are not worth packing */

sc_status sc_rtree_init(struct sc_rtree *t, sqlite3 *db, const char *schema, const char *name,
                        int n_dimensions, struct sc_error *err) {
  memset(t, 0, sizeof *t);
  t->db = db;
  t->schema = schema;
  t->n_coords = 2 * n_dimensions;
  t->repack_share = 2;
  sc_status st = sc_strdup(name, &t->name, err);
  t->statements.db = db;
  t->statements.schema = schema;
  t->statements.name = t->name;
  return st;
}

void sc_rtree_free(struct sc_rtree *t) {
  sc_statements_finalize(&t->statements);
  sc_free(t->name);
  sc_free(t->path);
  sc_free(t->bytes);
  memset(t, 0, sizeof *t);
}

/* Run one of the writing statements with one or two integers. */
static sc_status run(struct sc_rtree *t, enum sc_merge_statement which, int64_t a, int64_t b,
                     struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_statements_find(&t->statements, which, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, a);
  if (sqlite3_bind_parameter_count(s) > 1) sqlite3_bind_int64(s, 2, b);
  return sc_db_step_reset(s, err);
}

/* The node that holds a rowid or a node; 0 where there is none. */
static sc_status find_holder(struct sc_rtree *t, enum sc_merge_statement which, int64_t id,
                             int64_t *out, struct sc_error *err) {
  sqlite3_stmt *s;
  *out = 0;
  sc_status st = sc_statements_find(&t->statements, which, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, id);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row) *out = sqlite3_column_int64(s, 0);
  sqlite3_reset(s);
  return st;
}

sc_status sc_rtree_read_node(struct sc_rtree *t, int64_t number, struct sc_rtree_node *out,
                             struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_statements_find(&t->statements, SC_STMT_RTREE_NODE_READ, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, number);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row) {
    size_t size = (size_t)sqlite3_column_bytes(s, 0);
    st = sc_rtree_node_decode(sqlite3_column_blob(s, 0), size, number, t->n_coords, out, err);
    if (!st && number == ROOT) t->node_bytes = size;
  } else if (!st) {
    st = sc_fail(err, SC_BAD_DATA, "R*Tree %s has no node %lld", t->name, (long long)number);
  }
  sqlite3_reset(s);
  if (st == SC_BAD_DATA) sc_fail_within(err, "%s", t->name);
  return st;
}

sc_status sc_rtree_holder(struct sc_rtree *t, int height, int64_t id, int64_t *out,
                          struct sc_error *err) {
  return find_holder(t, height == 0 ? SC_STMT_RTREE_ROWID_READ : SC_STMT_RTREE_PARENT_READ, id, out,
                     err);
}

static sc_status write_node(struct sc_rtree *t, const struct sc_rtree_node *node,
                            struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_statements_find(&t->statements, SC_STMT_RTREE_NODE_WRITE, &s, err);
  if (st) return st;
  sc_rtree_node_encode(node, t->n_coords, t->bytes, t->node_bytes);
  sqlite3_bind_int64(s, 1, node->number);
  sqlite3_bind_blob(s, 2, t->bytes, (int)t->node_bytes, SQLITE_STATIC);
  st = sc_db_step_reset(s, err);
  sqlite3_bind_null(s, 2);
  return st;
}

/* Find out the node size, the depth and the next free node. */
static sc_status begin(struct sc_rtree *t, struct sc_error *err) {
  size_t cell_bytes = 8 + 4 * (size_t)t->n_coords;
  sqlite3_stmt *s;
  sc_status st = sc_rtree_read_node(t, ROOT, &t->root, err);
  if (st) return st;
  t->max_cells = (int)((t->node_bytes - 4) / cell_bytes);
  if (t->max_cells > SC_RTREE_MAX_CELLS) t->max_cells = SC_RTREE_MAX_CELLS;
  if (t->max_cells < 4 || t->node_bytes > 65536 || t->root.depth > SC_RTREE_MAX_DEPTH) {
    return sc_fail(err, SC_BAD_DATA, "R*Tree %s: a root of %zu bytes and depth %d", t->name,
                   t->node_bytes, t->root.depth);
  }
  if (!t->bytes) t->bytes = sc_alloc(65536);
  if (!t->path) t->path = sc_alloc((SC_RTREE_MAX_DEPTH + 4) * sizeof *t->path);
  if (!t->bytes || !t->path) return sc_fail_nomem(err);
  st = sc_statements_find(&t->statements, SC_STMT_RTREE_NODE_LAST, &s, err);
  if (st) return st;
  int is_row;
  st = sc_db_next(s, &is_row, err);
  int64_t last = !st && is_row ? sqlite3_column_int64(s, 0) : 1;
  sqlite3_reset(s);
  if (!st && (last < 1 || last > INT64_MAX / 2)) {
    st = sc_fail(err, SC_BAD_DATA, "R*Tree %s: its last node, %lld, is out of range", t->name,
                 (long long)last);
  }
  t->next_node = last + 1;
  return st;
}

/* Record that `holder` holds cell `id` of a node at `height`. */
static sc_status set_holder(struct sc_rtree *t, int height, int64_t id, int64_t holder,
                            struct sc_error *err) {
  return run(t, height == 0 ? SC_STMT_RTREE_ROWID_WRITE : SC_STMT_RTREE_PARENT_WRITE, id, holder,
             err);
}

static sc_status set_holders(struct sc_rtree *t, int height, const struct sc_rtree_node *node,
                             struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < node->n && !st; i++) {
    st = set_holder(t, height, node->cells[i].id, node->number, err);
  }
  return st;
}

/* Read a node that is to be written again. */
static sc_status read_checked(struct sc_rtree *t, int64_t number, struct sc_rtree_node *out,
                              struct sc_error *err) {
  sc_status st = sc_rtree_read_node(t, number, out, err);
  if (st || out->n <= t->max_cells) return st;
  return sc_fail(err, SC_BAD_DATA, "R*Tree %s: node %lld is overfull", t->name, (long long)number);
}

static sc_status path_to(struct sc_rtree *t, int height, struct sc_rtree_cell *cell, int *chosen,
                         struct sc_error *err) {
  t->path[0] = t->root;
  for (int step = 0; t->root.depth - step > height; step++) {
    struct sc_rtree_node *node = &t->path[step];
    if (node->n == 0) {
      return sc_fail(err, SC_BAD_DATA, "R*Tree %s: inner node %lld is empty", t->name,
                     (long long)node->number);
    }
    chosen[step] = sc_rtree_choose(node, cell, t->n_coords);
    sc_status st = read_checked(t, node->cells[chosen[step]].id, &t->path[step + 1], err);
    if (st) return st;
  }
  return SC_OK;
}

/* The root overflowed: its two halves become its children, and the tree one deeper. */
static sc_status split_root(struct sc_rtree *t, struct sc_rtree_node *root,
                            struct sc_rtree_node *right, int height, struct sc_error *err) {
  struct sc_rtree_node *left = right + 1;
  if (root->depth >= SC_RTREE_MAX_DEPTH) {
    return sc_fail(err, SC_BAD_DATA, "R*Tree %s is too deep", t->name);
  }
  int depth = root->depth + 1;
  sc_rtree_split(root, right, t->n_coords);
  *left = *root;
  left->depth = 0;
  left->number = t->next_node++;
  right->number = t->next_node++;
  sc_status st = write_node(t, left, err);
  if (!st) st = write_node(t, right, err);
  if (!st) st = set_holders(t, height, left, err);
  if (!st) st = set_holders(t, height, right, err);
  root->depth = depth;
  root->n = 2;
  root->cells[0] = sc_rtree_node_cell(left, t->n_coords);
  root->cells[1] = sc_rtree_node_cell(right, t->n_coords);
  if (!st) st = set_holders(t, height + 1, root, err);
  if (!st) st = write_node(t, root, err);
  if (!st) t->root = *root;
  return st;
}

/*
 * Write the path from the node that got a cell up to the root: split what is overfull, let
 * the boxes above grow, stop where nothing changes.
 */
static sc_status write_path(struct sc_rtree *t, int steps, const int *chosen,
                            struct sc_error *err) {
  struct sc_rtree_node *right = &t->path[SC_RTREE_MAX_DEPTH + 1];
  int depth = t->root.depth;
  for (int step = steps;; step--) {
    struct sc_rtree_node *node = &t->path[step];
    int height = depth - step, is_split = node->n > t->max_cells;
    sc_status st = SC_OK;
    if (is_split && step == 0) return split_root(t, node, right, height, err);
    if (is_split) {
      sc_rtree_split(node, right, t->n_coords);
      right->number = t->next_node++;
      st = write_node(t, right, err);
      if (!st) st = set_holders(t, height, right, err);
      if (!st) st = set_holder(t, height + 1, right->number, node[-1].number, err);
    }
    if (!st) st = write_node(t, node, err);
    if (st) return st;
    if (step == 0) {
      t->root = *node;
      return SC_OK;
    }
    struct sc_rtree_node *above = node - 1;
    struct sc_rtree_cell *cell = &above->cells[chosen[step - 1]];
    struct sc_rtree_cell now = sc_rtree_node_cell(node, t->n_coords);
    if (!is_split && sc_rtree_cell_holds(cell, &now, t->n_coords)) return SC_OK;
    *cell = now;
    if (is_split) above->cells[above->n++] = sc_rtree_node_cell(right, t->n_coords);
  }
}

/* Put a cell into some node at `height`; its holder is recorded. */
static sc_status insert_cell(struct sc_rtree *t, int height, const struct sc_rtree_cell *given,
                             struct sc_error *err) {
  int chosen[SC_RTREE_MAX_DEPTH + 1];
  struct sc_rtree_cell cell = *given;
  sc_status st = path_to(t, height, &cell, chosen, err);
  if (st) return st;
  int steps = t->root.depth - height;
  struct sc_rtree_node *node = &t->path[steps];
  node->cells[node->n++] = cell;
  st = set_holder(t, height, cell.id, node->number, err);
  return st ? st : write_path(t, steps, chosen, err);
}

/* One level of a tree that is packed bottom-up. */
struct packing {
  const struct sc_rtree_cell *cells; /* of the level */
  const uint32_t *order;             /* the cells along the curve; NULL: as they come */
  size_t n;
  struct sc_rtree_cell *up; /* gets a cell for each node of the level */
  uint32_t *node_of;        /* gets the position of each cell's node in the level; or NULL */
};

/*
 * Pack cells into nodes of one height and write them. The root (is_root) is one node that keeps
 * its number. Nodes share the cells evenly: full ones would leave a rest, and the next delete of
 * the module dissolves a node under a third full.
 */
static sc_status pack_level(struct sc_rtree *t, int height, int is_root, const struct packing *p,
                            struct sc_error *err) {
  struct sc_rtree_node *node = &t->path[0];
  size_t n_nodes = (p->n + (size_t)t->max_cells - 1) / (size_t)t->max_cells;
  for (size_t k = 0; k < n_nodes; k++) {
    size_t begin_at = p->n * k / n_nodes, end_at = p->n * (k + 1) / n_nodes;
    node->number = is_root ? ROOT : t->next_node++;
    node->depth = is_root ? height : 0;
    node->n = (int)(end_at - begin_at);
    for (size_t i = begin_at; i < end_at; i++) {
      size_t from = p->order ? p->order[i] : i;
      node->cells[i - begin_at] = p->cells[from];
      if (p->node_of) p->node_of[from] = (uint32_t)k;
    }
    sc_status st = write_node(t, node, err);
    if (!st && height > 0) st = set_holders(t, height, node, err);
    if (st) return st;
    p->up[k] = sc_rtree_node_cell(node, t->n_coords);
    if (is_root) t->root = *node;
  }
  return SC_OK;
}

/* Rows of _rowid in the order of the entries, which is mostly that of their ids: appends. */
static sc_status write_rowids(struct sc_rtree *t, const struct sc_rtree_cell *entries, size_t n,
                              const uint32_t *node_of, int64_t first_node, struct sc_error *err) {
  sqlite3_stmt *many;
  size_t i = 0;
  sc_status st = sc_statements_find(&t->statements, SC_STMT_RTREE_ROWID_WRITE_32, &many, err);
  for (; i + 32 <= n && !st; i += 32) { /* half the time of one by one */
    for (size_t k = 0; k < 32; k++) {
      sqlite3_bind_int64(many, (int)(2 * k + 1), entries[i + k].id);
      sqlite3_bind_int64(many, (int)(2 * k + 2), first_node + node_of[i + k]);
    }
    st = sc_db_step_reset(many, err);
  }
  for (; i < n && !st; i++) {
    st = run(t, SC_STMT_RTREE_ROWID_WRITE, entries[i].id, first_node + node_of[i], err);
  }
  return st;
}

/*
 * Pack entries bottom-up until they are one root (top < 0), or the few subtrees of height
 * `top` that are then grafted.
 */
static sc_status pack(struct sc_rtree *t, const struct sc_rtree_cell *entries, size_t n, int top,
                      struct sc_error *err) {
  uint32_t *order = NULL, *node_of = sc_alloc(n * sizeof *node_of);
  struct sc_rtree_cell *level = sc_alloc((n / 2 + 2) * sizeof *level);
  size_t max = (size_t)t->max_cells, n_level = (n + max - 1) / max;
  int height = 0;
  sc_status st = node_of && level ? sc_rtree_order(entries, n, &order, err) : sc_fail_nomem(err);
  if (st) goto done;
  int64_t first = top < 0 && n_level == 1 ? ROOT : t->next_node;
  struct packing leaves = {entries, order, n, level, node_of};
  st = pack_level(t, 0, first == ROOT, &leaves, err);
  if (!st) st = write_rowids(t, entries, n, node_of, first, err);
  while (!st && (top < 0 ? n_level > 1 : height < top && n_level > max)) {
    size_t n_up = (n_level + max - 1) / max;
    height++;
    /* In place: node k reads cells from k on only, since each has several. */
    struct packing inner = {level, NULL, n_level, level, NULL};
    st = pack_level(t, height, top < 0 && n_up == 1, &inner, err);
    n_level = n_up;
  }
  for (size_t k = 0; top >= 0 && k < n_level && !st; k++) {
    st = insert_cell(t, height + 1, &level[k], err);
  }
done:
  sc_free(level);
  sc_free(node_of);
  sc_free(order);
  return st;
}

/* About how many entries the tree holds: exact would mean reading it. Packed nodes are full, those
 * that grew by splits between a half and full. */
static double estimate(const struct sc_rtree *t) {
  double n = t->root.n;
  for (int i = 0; i < t->root.depth; i++) n *= 0.8 * t->max_cells;
  return n;
}

struct gathering {
  struct sc_rtree_cell *cells;
  size_t n, capacity;
};

/* All leaf cells below a node; heights fall, so a circle of nodes ends. */
static sc_status gather(struct sc_rtree *t, const struct sc_rtree_node *node, int height,
                        struct gathering *g, struct sc_error *err) {
  if (node->n <= 0) return SC_OK;
  if (height == 0) {
    if (g->n + (size_t)node->n > g->capacity) {
      size_t capacity = 2 * g->capacity + SC_RTREE_MAX_CELLS;
      struct sc_rtree_cell *cells = sc_realloc(g->cells, capacity * sizeof *cells);
      if (!cells) return sc_fail_nomem(err);
      g->cells = cells;
      g->capacity = capacity;
    }
    memcpy(g->cells + g->n, node->cells, (size_t)node->n * sizeof *node->cells);
    g->n += (size_t)node->n;
    return SC_OK;
  }
  struct sc_rtree_node *child = sc_alloc(sizeof *child);
  sc_status st = child ? SC_OK : sc_fail_nomem(err);
  for (int i = 0; i < node->n && !st; i++) {
    st = sc_rtree_read_node(t, node->cells[i].id, child, err);
    if (!st) st = gather(t, child, height - 1, g, err);
    if (!st && g->n > (size_t)100000000) {
      st = sc_fail(err, SC_BAD_DATA, "R*Tree %s: more entries than it can have", t->name);
    }
  }
  sc_free(child);
  return st;
}

/* A small tree and many entries: pack both together. */
static sc_status repack_with(struct sc_rtree *t, const struct sc_rtree_cell *entries, size_t n,
                             struct sc_error *err) {
  struct gathering g = {0};
  sc_status st = gather(t, &t->root, t->root.depth, &g, err);
  if (!st && g.n == 0) {
    sc_free(g.cells);
    return pack(t, entries, n, -1, err);
  }
  struct sc_rtree_cell *all = st ? NULL : sc_realloc(g.cells, (g.n + n) * sizeof *all);
  if (!st && !all) st = sc_fail_nomem(err);
  if (!st) {
    g.cells = all;
    memcpy(all + g.n, entries, n * sizeof *all);
    st = sc_rtree_clear(t, err);
    if (!st) st = pack(t, all, g.n + n, -1, err);
  }
  sc_free(g.cells);
  return st;
}

/*
 * Few entries go in one by one. A batch that is large beside the tree is packed together with it;
 * any other is packed into subtrees just lower than the tree, which are put in as if each were one
 * entry: of the nodes that are there only those near the root are touched.
 */
sc_status sc_rtree_insert(struct sc_rtree *t, const struct sc_rtree_cell *entries, size_t n,
                          struct sc_error *err) {
  if (n == 0) return SC_OK;
  sc_status st = begin(t, err);
  if (st) return st;
  int is_batch = n >= ONE_BY_ONE;
  if (is_batch && estimate(t) * t->repack_share <= (double)n) {
    return repack_with(t, entries, n, err);
  }
  if (is_batch && t->root.depth > 0) return pack(t, entries, n, t->root.depth - 1, err);
  for (size_t i = 0; i < n && !st; i++) st = insert_cell(t, 0, &entries[i], err);
  return st;
}

sc_status sc_rtree_repack(struct sc_rtree *t, struct sc_error *err) {
  struct gathering g = {0};
  sc_status st = begin(t, err);
  if (!st) st = gather(t, &t->root, t->root.depth, &g, err);
  if (!st) st = sc_rtree_clear(t, err);
  if (!st && g.n) st = pack(t, g.cells, g.n, -1, err);
  sc_free(g.cells);
  return st;
}

sc_status sc_rtree_clear(struct sc_rtree *t, struct sc_error *err) {
  sc_status st = begin(t, err);
  if (!st) st = sc_db_run(t->db, sc_statement_text(SC_STMT_RTREE_CLEAR), t->schema, t->name, err);
  if (st) return st;
  t->root.n = t->root.depth = 0;
  t->next_node = 2;
  return write_node(t, &t->root, err);
}

/* ---- deleting ----
 *
 * As SQLite's module has it: a node below the root keeps a third of its cells at least; what is
 * emptier goes, and its cells are put in again. An inner node of one child would do for reading,
 * but the module's own deletes then arrive at a root without children and call it malformed.
 */

/* Cells of nodes that went: each goes into a node of that height. */
struct orphan {
  int height;
  struct sc_rtree_cell cell;
};

struct orphans {
  struct orphan *list;
  size_t n, capacity;
  int top; /* greatest height */
};

static sc_status add_orphans(struct orphans *o, const struct sc_rtree_node *node, int height,
                             struct sc_error *err) {
  if (o->n + (size_t)node->n > o->capacity) {
    size_t capacity = 2 * o->capacity + SC_RTREE_MAX_CELLS;
    struct orphan *list = sc_realloc(o->list, capacity * sizeof *list);
    if (!list) return sc_fail_nomem(err);
    o->list = list;
    o->capacity = capacity;
  }
  for (int i = 0; i < node->n; i++) o->list[o->n++] = (struct orphan){height, node->cells[i]};
  if (node->n > 0 && height > o->top) o->top = height;
  return SC_OK;
}

static int compare_orphans(const void *a, const void *b) {
  const struct orphan *p = a, *q = b;
  return (p->height < q->height) - (p->height > q->height);
}

static sc_status remove_from(const struct sc_rtree *t, struct sc_rtree_node *node, int64_t id,
                             struct sc_error *err) {
  for (int i = 0; i < node->n; i++) {
    if (node->cells[i].id != id) continue;
    node->cells[i] = node->cells[--node->n];
    return SC_OK;
  }
  return sc_fail(err, SC_BAD_DATA, "R*Tree %s: node %lld does not hold %lld", t->name,
                 (long long)node->number, (long long)id);
}

/* A cell to take out, and the node that has it. */
struct doomed {
  int64_t node, id;
};

static int compare_doomed(const void *a, const void *b) {
  const struct doomed *p = a, *q = b;
  if (p->node != q->node) return p->node > q->node ? 1 : -1;
  return (p->id > q->id) - (p->id < q->id);
}

/* Write a node that lost cells. If it is too empty it goes, and *above is what its parent loses. */
static sc_status settle(struct sc_rtree *t, const struct sc_rtree_node *node, int height,
                        struct orphans *o, struct doomed *above, struct sc_error *err) {
  above->node = 0;
  if ((node->number == ROOT) != (height == t->root.depth)) {
    return sc_fail(err, SC_BAD_DATA, "R*Tree %s: the parents of its nodes lead astray", t->name);
  }
  if (node->number == ROOT) t->root = *node;
  if (node->number == ROOT || node->n >= t->max_cells / 3) return write_node(t, node, err);
  above->id = node->number;
  sc_status st = add_orphans(o, node, height, err);
  if (!st) st = find_holder(t, SC_STMT_RTREE_PARENT_READ, node->number, &above->node, err);
  if (!st) st = run(t, SC_STMT_RTREE_PARENT_DELETE, node->number, 0, err);
  return st ? st : run(t, SC_STMT_RTREE_NODE_DELETE, node->number, 0, err);
}

/* Take cells out of the nodes of one height; in place of them come those that the nodes above
 * lose (*n). Height by height, since a node that went leaves its children without a parent. */
static sc_status take_out(struct sc_rtree *t, int height, struct doomed *d, size_t *n,
                          struct orphans *o, struct sc_error *err) {
  struct sc_rtree_node *node = &t->path[0];
  size_t n_above = 0;
  sc_status st = SC_OK;
  qsort(d, *n, sizeof *d, compare_doomed);
  for (size_t i = 0; i < *n && !st;) {
    int64_t number = d[i].node;
    struct doomed above = {0, 0};
    st = read_checked(t, number, node, err);
    for (; i < *n && d[i].node == number && !st; i++) st = remove_from(t, node, d[i].id, err);
    if (!st) st = settle(t, node, height, o, &above, err);
    if (!st && above.id) d[n_above++] = above;
  }
  *n = n_above;
  return st;
}

/* A root with one child takes over what the child has. */
static sc_status lower_root(struct sc_rtree *t, struct sc_error *err) {
  struct sc_rtree_node *child = &t->path[0];
  int64_t number = t->root.cells[0].id;
  sc_status st = read_checked(t, number, child, err);
  if (!st) st = run(t, SC_STMT_RTREE_PARENT_DELETE, number, 0, err);
  if (!st) st = run(t, SC_STMT_RTREE_NODE_DELETE, number, 0, err);
  if (st) return st;
  child->number = ROOT;
  child->depth = t->root.depth - 1;
  t->root = *child;
  st = set_holders(t, t->root.depth, &t->root, err);
  return st ? st : write_node(t, &t->root, err);
}

/* Lower the root while it has one child, but not below `height`. */
static sc_status lower_roots(struct sc_rtree *t, int height, struct sc_error *err) {
  sc_status st = SC_OK;
  while (!st && t->root.n == 1 && t->root.depth > height) st = lower_root(t, err);
  return st;
}

/* The highest first, so that there is a node for each; entries as a batch, which is packed. */
static sc_status put_in_again(struct sc_rtree *t, struct orphans *o, struct sc_error *err) {
  size_t i = 0, n = 0;
  sc_status st = lower_roots(t, o->top, err);
  if (!st && t->root.n == 0) {
    t->root.depth = o->top;
    st = write_node(t, &t->root, err);
  }
  if (st || o->n == 0) return st;
  qsort(o->list, o->n, sizeof *o->list, compare_orphans);
  for (; i < o->n && o->list[i].height > 0 && !st; i++) {
    st = insert_cell(t, o->list[i].height, &o->list[i].cell, err);
  }
  struct sc_rtree_cell *entries = sc_alloc((o->n - i + 1) * sizeof *entries);
  if (!st && !entries) st = sc_fail_nomem(err);
  for (; i < o->n && !st; i++) entries[n++] = o->list[i].cell;
  if (!st) st = sc_rtree_insert(t, entries, n, err);
  sc_free(entries);
  return st ? st : lower_roots(t, 0, err);
}

/* The entries and their leaves; ids that are not there are left out. */
static sc_status find_doomed(struct sc_rtree *t, const int64_t *ids, size_t n, struct doomed *out,
                             size_t *n_out, struct sc_error *err) {
  sc_status st = SC_OK;
  *n_out = 0;
  for (size_t i = 0; i < n && !st; i++) {
    struct doomed *d = &out[*n_out];
    d->id = ids[i];
    st = find_holder(t, SC_STMT_RTREE_ROWID_READ, ids[i], &d->node, err);
    if (st || d->node == 0) continue;
    ++*n_out;
    st = run(t, SC_STMT_RTREE_ROWID_DELETE, ids[i], 0, err);
  }
  return st;
}

/* By leaf, since an item's chips lie together on the curve, not in the order of rowids. */
sc_status sc_rtree_delete(struct sc_rtree *t, const int64_t *ids, size_t n, struct sc_error *err) {
  if (n == 0) return SC_OK;
  struct doomed *d = sc_alloc(n * sizeof *d);
  struct orphans o = {0};
  size_t n_doomed = 0;
  sc_status st = d ? begin(t, err) : sc_fail_nomem(err);
  if (!st) st = find_doomed(t, ids, n, d, &n_doomed, err);
  int is_change = n_doomed > 0;
  for (int height = 0; !st && n_doomed > 0; height++) {
    st = take_out(t, height, d, &n_doomed, &o, err);
  }
  if (!st && is_change) st = put_in_again(t, &o, err);
  sc_free(o.list);
  sc_free(d);
  return st;
}
