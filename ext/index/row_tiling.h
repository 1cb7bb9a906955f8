/*
 * What a file of ours says of the size, stride and edge of its chips, on the way from
 * stacchip_parquet() into a merged index. Rows have nine columns and none of them for it: the
 * subtype of the geometry, a number that SQLite carries beside a value, names an entry of the
 * connection's list. Sorting loses subtypes: then nothing is said.
 */
#ifndef SC_INDEX_ROW_TILING_H
#define SC_INDEX_ROW_TILING_H

#include <stddef.h>

#include "base/sqlite.h"
#include "connection.h"
#include "index/grid.h"

struct sc_row_tilings; /* of one connection; freed with sc_free() */

/*
 * Read the key "stacchip" of a file, n bytes of JSON: {"options": [{"chip_size": 256, ...}]},
 * which lists the options that its items were indexed with. 0 where it is something else, or where
 * they do not agree.
 */
int sc_row_tiling_parse(const char *json, size_t n, struct sc_tiling *out);

/* The subtype that stands for a tiling; 0, which says nothing, where there are too many. */
unsigned sc_row_tiling_subtype(struct sc_connection *c, const struct sc_tiling *tiling);
/* What a geometry's subtype stands for, or NULL. Borrowed from the connection. */
const struct sc_tiling *sc_row_tiling_find(const struct sc_connection *c, sqlite3_value *geometry);

static inline int sc_tiling_equals(const struct sc_tiling *a, const struct sc_tiling *b) {
  return a->chip_size_px == b->chip_size_px && a->stride_px == b->stride_px && a->edge == b->edge;
}

#endif
