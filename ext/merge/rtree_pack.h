/*
 * The pure half of writing an R*Tree's nodes ourselves: entries, their order along a Hilbert
 * curve, and the bytes of a node as SQLite's R*Tree has them (sqlite.org/rtree.html and the
 * head of ext/rtree/rtree.c). No SQL.
 *
 * Packing full nodes bottom-up along the curve is ten times faster than inserting entries
 * one by one, and makes a better tree.
 */
#ifndef SC_MERGE_RTREE_PACK_H
#define SC_MERGE_RTREE_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SC_RTREE_MAX_COORDS 8 /* two for each dimension */
#define SC_RTREE_MAX_DEPTH 40 /* as RTREE_MAX_DEPTH */
#define SC_RTREE_MAX_CELLS 51 /* as RTREE_MAXCELLS: more never fit in a node that SQLite made */

/* A cell of a node. In a leaf id is a rowid, above it the number of a node. */
struct sc_rtree_cell {
  int64_t id;
  float c[SC_RTREE_MAX_COORDS]; /* min, max of each dimension */
};

struct sc_rtree_node {
  int64_t number;
  size_t bytes; /* of its data, as read */
  int depth;    /* of the tree; only the root has it */
  int n;
  struct sc_rtree_cell cells[SC_RTREE_MAX_CELLS + 1]; /* one more than fit, for a split */
};

/*
 * The order of cells along the curve, by the centre of their first two dimensions:
 * order[i] is the index of the i-th cell. Freed by the caller with sc_free().
 */
sc_status sc_rtree_order(const struct sc_rtree_cell *cells, size_t n, uint32_t **order,
                         struct sc_error *err);

/* Sum and volume of boxes: what "least enlargement" compares. */
void sc_rtree_cell_join(struct sc_rtree_cell *to, const struct sc_rtree_cell *from, int n_coords);
double sc_rtree_cell_area(const struct sc_rtree_cell *cell, int n_coords);
int sc_rtree_cell_holds(const struct sc_rtree_cell *outer, const struct sc_rtree_cell *inner,
                        int n_coords);

/* The cell that stands for a node in its parent. n > 0. */
struct sc_rtree_cell sc_rtree_node_cell(const struct sc_rtree_node *node, int n_coords);

/* The child of an inner node that grows least by taking `cell`. n > 0. */
int sc_rtree_choose(const struct sc_rtree_node *node, const struct sc_rtree_cell *cell,
                    int n_coords);

/* Move the upper half of an overfull node, along the axis that spreads most, to `right`. */
void sc_rtree_split(struct sc_rtree_node *node, struct sc_rtree_node *right, int n_coords);

/* A node's bytes; out has node_bytes, which is at least 4 + n * (8 + 4 * n_coords). */
void sc_rtree_node_encode(const struct sc_rtree_node *node, int n_coords, unsigned char *out,
                          size_t node_bytes);
/* SC_BAD_DATA when the count does not fit the bytes. */
sc_status sc_rtree_node_decode(const void *bytes, size_t size, int64_t number, int n_coords,
                               struct sc_rtree_node *out, struct sc_error *err);

#endif
