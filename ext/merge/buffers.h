/*
 * The write buffers of a merged index: blocks with their area index, and SpatiaLite's index.
 * Used by shadow.c, which says when they are flushed.
 */
#ifndef SC_MERGE_BUFFERS_H
#define SC_MERGE_BUFFERS_H

#include "merge/table.h"

/* The block of a tile, from the buffer or the table; a new one if is_new says it must be. */
sc_status sc_merge_block(struct sc_merge *t, const struct sc_chip_block_key *key, float day,
                         int is_new, struct sc_cached_chip_block **out, struct sc_error *err);

/*
 * The row to fill for a new chip: written with others, at the latest by the flush of the index
 * or of the blocks. A chip that was asked for last can be dropped again.
 */
sc_status sc_merge_new_chip(struct sc_merge *t, struct sc_new_chip **out, struct sc_error *err);
void sc_merge_drop_new_chip(struct sc_merge *t);
sc_status sc_merge_flush_chips(struct sc_merge *t, struct sc_error *err);

/*
 * Add an entry to SpatiaLite's index, or take one out. For the first after a flush the R*Tree
 * module is asked, which refuses while a cursor is open on the index: then we must not write its
 * nodes either. It is asked with an entry that it passes over before it looks at a node: a node
 * that it had open would keep the database locked after a rollback (SQLite 3.40).
 */
sc_status sc_merge_index_add(struct sc_merge *t, int64_t id, const struct sc_box *box,
                             struct sc_error *err);
sc_status sc_merge_index_remove(struct sc_merge *t, int64_t id, struct sc_error *err);

sc_status sc_merge_flush_index(struct sc_merge *t, struct sc_error *err);
sc_status sc_merge_flush_blocks(struct sc_merge *t, struct sc_error *err);

#endif
