/*
 * Writing an SQLite R*Tree through its shadow tables: bulk loads packed along a Hilbert curve,
 * batches grafted onto a tree that is there as packed subtrees, single entries, deletes.
 *
 * Unlike the R*Tree module's own writes this also works in xSync, where SQLite lets nobody
 * write to a virtual table. No cursor of this connection may be open on the R*Tree meanwhile.
 * What is written passes rtreecheck(), and the module's own writes can go on with it. Node
 * contents are hostile input.
 */
#ifndef SC_MERGE_RTREE_WRITE_H
#define SC_MERGE_RTREE_WRITE_H

#include "base/sqlite.h"
#include "merge/rtree_pack.h"
#include "merge/statements.h"

/* Zeroed, then sc_rtree_init(). */
struct sc_rtree {
  sqlite3 *db;
  const char *schema; /* borrowed */
  char *name;         /* owned */
  int n_coords;
  double repack_share; /* a batch of that share of the entries repacks the whole tree */
  size_t node_bytes;   /* of every node: the length of the root's data */
  int max_cells;
  int64_t next_node;
  struct sc_rtree_node root;  /* as of the last begin; depth is the tree's */
  struct sc_rtree_node *path; /* root to leaf of an insert, then two to split into */
  unsigned char *bytes;       /* one node */
  struct sc_statements statements;
};

/* name: of the virtual table; copied. Repacks when twice the entries come in. */
sc_status sc_rtree_init(struct sc_rtree *t, sqlite3 *db, const char *schema, const char *name,
                        int n_dimensions, struct sc_error *err);
void sc_rtree_free(struct sc_rtree *t);

/* Add entries whose ids are not there yet. Sorting needs 40 bytes an entry. */
sc_status sc_rtree_insert(struct sc_rtree *t, const struct sc_rtree_cell *entries, size_t n,
                          struct sc_error *err);

/* Remove entries; ids that are not there are passed over. No node below the root is left with
 * less than a third of its cells, no root with one child. */
sc_status sc_rtree_delete(struct sc_rtree *t, const int64_t *ids, size_t n, struct sc_error *err);

/* Read every entry and pack the tree again. */
sc_status sc_rtree_repack(struct sc_rtree *t, struct sc_error *err);

/* Remove every entry. */
sc_status sc_rtree_clear(struct sc_rtree *t, struct sc_error *err);

/* A node by its number; the node that holds a cell of that height (0: an entry), or 0. */
sc_status sc_rtree_read_node(struct sc_rtree *t, int64_t number, struct sc_rtree_node *out,
                             struct sc_error *err);
sc_status sc_rtree_holder(struct sc_rtree *t, int height, int64_t id, int64_t *out,
                          struct sc_error *err);

#endif
