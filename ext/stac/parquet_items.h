/*
 * Items of STAC GeoParquet: https://github.com/stac-utils/stac-geoparquet/blob/main/spec/
 * (versions 1.0 and 1.1, and the files of rustac and of the libraries before them).
 *
 * A row is an item. Its members are columns, those of `properties` too; a column is a property
 * unless its name is that of a member of an item. Geometries are WKB, bbox a struct or a list,
 * dates timestamps. What is null is not there, but datetime, which STAC asks for.
 */
#ifndef SC_STAC_PARQUET_ITEMS_H
#define SC_STAC_PARQUET_ITEMS_H

#include "base/status.h"

struct cJSON;
struct sc_parquet_items;

/* Is it to be read as a Parquet file, by the suffix of its path or URL or, for a local file, its
 * first bytes? */
int sc_parquet_items_is_name(const char *href);

/* Open a path or URL that has passed the access rules. *out is freed with sc_parquet_items_free().
 * Returns SC_UNSUPPORTED for a Parquet file that has no items: columns id and assets. */
sc_status sc_parquet_items_open(const char *href, struct sc_parquet_items **out,
                                struct sc_error *err);
/* The next item's JSON, the caller's; NULL at the end. */
sc_status sc_parquet_items_next(struct sc_parquet_items *p, struct cJSON **out,
                                struct sc_error *err);
void sc_parquet_items_free(struct sc_parquet_items *p);

#endif
