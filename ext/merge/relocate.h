/* Files of an item that lie elsewhere now: copies of what a merged index was made from. */
#ifndef SC_MERGE_RELOCATE_H
#define SC_MERGE_RELOCATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/sqlite.h"
#include "base/status.h"

struct sc_merge_asset_place {
  const char *key, *href; /* href: an absolute path or URL */
};

/* Where an item is found from now on. Borrowed. */
struct sc_merge_item_place {
  const char *location;  /* path or URL of its text */
  const char *item_json; /* as it is stored; NULL: read from the location when it is needed */
  const struct sc_merge_asset_place *assets; /* those that have moved */
  size_t n_assets;
  const char *mask; /* a raster that the rule names by its path; NULL: it stays where it is */
};

/*
 * Rewrite an item of a merged index: its chips and their fractions stay as they are. Headers of
 * assets that have moved are forgotten. Inside a transaction of the caller's, or each table by
 * itself.
 *
 * table     "chips", or "schema.chips".
 * item_row  sc_merge_row.item_row (lookup.h).
 */
sc_status sc_merge_relocate(sqlite3 *db, const char *table, int64_t item_row,
                            const struct sc_merge_item_place *place, struct sc_error *err);

#endif
