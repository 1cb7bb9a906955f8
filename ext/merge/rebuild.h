/* Checking a merged index against itself, and making its derived tables again. */
#ifndef SC_MERGE_REBUILD_H
#define SC_MERGE_REBUILD_H

#include "merge/table.h"

/*
 * Compare chips, items, blocks, area index and SpatiaLite's index. The first difference is an
 * error with the code SQLITE_CORRUPT_VTAB.
 */
sc_status sc_merge_check(struct sc_merge *t, struct sc_error *err);

/* Blocks, area index and SpatiaLite's index from the chip and item tables. */
sc_status sc_merge_rebuild(struct sc_merge *t, struct sc_error *err);

/* Pack both R*Trees. */
sc_status sc_merge_optimize(struct sc_merge *t, struct sc_error *err);

#endif
