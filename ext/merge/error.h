/* Items that could not be indexed: the rows of <name>_error. */
#ifndef SC_MERGE_ERROR_H
#define SC_MERGE_ERROR_H

#include "merge/table.h"

struct sc_index;

/*
 * Record why an item failed, in place of what was recorded of it before.
 *
 * item, n  As it was given: text, path or URL.
 * index    What sc_index_item() left of it.
 * failure  What it said.
 *
 * The row has the item's id where it could be read, the path or URL of the item, or for an item
 * that came as text the href of the asset that the failure names, and that text.
 */
sc_status sc_merge_record_failure(struct sc_merge *t, const char *item, size_t n,
                                  const struct sc_index *index, const struct sc_error *failure,
                                  struct sc_error *err);

/* How many of the failures that the calling thread has recorded will not pass by
 * themselves: SC_AGAIN and a locked database do. */
unsigned long sc_merge_lasting_failures(void);

/*
 * The item was merged: what was recorded of it goes. index is that of the item, the rest as above.
 * A text is known by its id, a path or URL by itself, as it was given then or as it was found now.
 */
sc_status sc_merge_forget_failure(struct sc_merge *t, const char *item, size_t n,
                                  const struct sc_index *index, struct sc_error *err);

#endif
