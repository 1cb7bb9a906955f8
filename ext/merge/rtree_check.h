/* Checking the nodes of an R*Tree: against each other, and for what SQLite's module refuses. */
#ifndef SC_MERGE_RTREE_CHECK_H
#define SC_MERGE_RTREE_CHECK_H

#include "merge/rtree_write.h"

/*
 * Compare nodes, boxes and maps, as rtreecheck() does, which starts a transaction and so cannot be
 * called inside a write; and look for shapes that rtreecheck() passes and the module's next delete
 * refuses. SC_BAD_DATA with the first thing that is wrong.
 */
sc_status sc_rtree_check(struct sc_rtree *t, struct sc_error *err);

#endif
