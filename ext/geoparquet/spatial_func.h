/*
 * SpatiaLite's predicates on the geometry of stacchip_parquet: their names are overloaded so
 * that SQLite offers them as constraints, and answered by the boxes where these do. NULL gives
 * NULL (SpatiaLite's own give -1).
 */
#ifndef SC_GEOPARQUET_SPATIAL_FUNC_H
#define SC_GEOPARQUET_SPATIAL_FUNC_H

#include <stddef.h>

#include "base/sqlite.h"

#define SC_SPATIAL_N 25
#define SC_SPATIAL_FIRST_OP 150 /* of xFindFunction: SQLITE_INDEX_CONSTRAINT_FUNCTION */

/* SpatiaLite's own function, prepared when the boxes do not decide. */
struct sc_spatial {
  const char *name;
  sqlite3_stmt *stmt; /* owned, or NULL */
};

/* Cleared memory becomes the table's set. */
void sc_spatial_init(struct sc_spatial *set);
void sc_spatial_free(struct sc_spatial *set);

/* Is a name of n bytes one of them? */
int sc_spatial_is_name(const char *name, size_t n);

/* The body of xFindFunction: 0, or the operator that xBestIndex will see. */
int sc_spatial_find(struct sc_spatial *set, int n_args, const char *name,
                    void (**function)(sqlite3_context *, int, sqlite3_value **), void **arg);

#endif
