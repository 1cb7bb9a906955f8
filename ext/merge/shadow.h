/*
 * Writing to a merged index: items, single rows, deletes, and when what is written reaches
 * the tables.
 *
 * WHAT IS DEFERRED. Chip rows are written at once. Blocks and their area index, which only
 * we read, are buffered until xSync, xSavepoint or a read of the merged index. SpatiaLite's
 * index of the chips is buffered to the end of the statement, since others may look at it:
 * in autocommit mode that is xSync, inside BEGIN the xRelease of the savepoint that SQLite
 * makes for a statement of many rows, or the end of xUpdate. Buffers only hold what succeeded since
 * the last savepoint, so ROLLBACK TO discards them.
 *
 * FAILURES. Everything is computed and checked before the first write. A failing write is
 * undone by deletes; if one fails too, or a flush fails, the table is broken: xSync refuses
 * until ROLLBACK.
 */
#ifndef SC_MERGE_SHADOW_H
#define SC_MERGE_SHADOW_H

#include "index/index.h"
#include "merge/headers.h"
#include "merge/table.h"

#define SC_NO_DAY (-1e9f) /* "no date" in the area index */

enum sc_conflict { SC_CONFLICT_FAIL = 0, SC_CONFLICT_REPLACE };

/* A row as INSERT gives it. Borrowed. Fractions are NaN where unknown. */
struct sc_merge_new_row {
  const char *platform, *item, *collection, *date, *datetime, *grid;
  int32_t x, y;
  float cloud, nodata;
  const void *geometry; /* SpatiaLite BLOB */
  size_t geometry_size;
};

/*
 * Add a chip. SC_CONSTRAINT when there is one of that item and position, unless it is to be
 * replaced (it then keeps its rowid).
 */
sc_status sc_merge_insert_row(struct sc_merge *t, const struct sc_merge_new_row *row,
                              enum sc_conflict conflict, int64_t *id, struct sc_error *err);

/*
 * Add an item with its chips. SC_CONSTRAINT when it is there; replacing deletes the old one
 * after the new one is written. headers: one for each asset, or NULL.
 */
sc_status sc_merge_insert_item(struct sc_merge *t, const struct sc_index *index,
                               const struct sc_merge_header *headers, enum sc_conflict conflict,
                               int64_t *last_id, struct sc_error *err);

/*
 * Bare rasters have the names of their files for ids, which those of several folders may share.
 * SC_BAD_DATA where the one that is there is another file than this: no item that could be passed
 * over or replaced.
 */
sc_status sc_merge_check_raster(struct sc_merge *t, const struct sc_index *index,
                                struct sc_error *err);

/* SC_CONSTRAINT when the item is there. */
sc_status sc_merge_check_new(struct sc_merge *t, const struct sc_index *index,
                             struct sc_error *err);

/* Delete a chip; an item without chips goes with its last one. */
sc_status sc_merge_delete_chip(struct sc_merge *t, int64_t id, struct sc_error *err);

/* Bring all buffers into the tables. */
sc_status sc_merge_flush(struct sc_merge *t, struct sc_error *err);
/* Bring SpatiaLite's index up to date unless the end of the statement is still to come. */
sc_status sc_merge_end_row(struct sc_merge *t, struct sc_error *err);

/* xSavepoint and xRelease: see above. */
sc_status sc_merge_savepoint(struct sc_merge *t, struct sc_error *err);
sc_status sc_merge_release_savepoint(struct sc_merge *t, struct sc_error *err);

/*
 * Around our own writes: the savepoints that their statements open come to our vtab methods
 * too, but are not for it.
 */
void sc_merge_enter(struct sc_merge *t);
void sc_merge_leave(struct sc_merge *t);

/* Forget the buffers, after ROLLBACK TO. */
void sc_merge_discard(struct sc_merge *t);
/* After ROLLBACK. */
void sc_merge_rolled_back(struct sc_merge *t);
/* Forget what another connection may change, at the end of a transaction. */
void sc_merge_forget(struct sc_merge *t);

/* Days since 1970 of a date as the area index has it. */
float sc_merge_day(const char *date);

#endif
