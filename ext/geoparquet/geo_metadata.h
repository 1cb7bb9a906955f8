/*
 * The "geo" key of GeoParquet files.
 *
 * Source: https://geoparquet.org/releases/v1.1.0/ ; version 2.0 adds Parquet's own GEOMETRY
 * type and keeps the key; its schema so far wants the version to be "2.0-dev".
 */
#ifndef SC_GEOPARQUET_GEO_METADATA_H
#define SC_GEOPARQUET_GEO_METADATA_H

#include "base/buffer.h"
#include "base/status.h"
#include "parquet/meta.h"

enum sc_geo_version { SC_GEO_1_1, SC_GEO_2_0 };

/* What a new file has. */
struct sc_geo_info {
  enum sc_geo_version version;
  int has_polygons, has_multipolygons;
  struct sc_pq_box box; /* of all geometries */
};

/* Append the JSON text for a file whose geometry is in column "geometry", its box in "bbox". */
sc_status sc_geo_format(const struct sc_geo_info *info, struct sc_buffer *out,
                        struct sc_error *err);

/* What we need to know of a file that is read. */
struct sc_geo_file {
  int geometry_leaf;    /* the column with the geometry, or -1 */
  struct sc_pq_box box; /* of the whole file */
  int covering[4];      /* leaves of xmin, ymin, xmax, ymax; or -1 */
  char encoding[32];    /* of the geometry where it is not WKB, such as "polygon"; else "" */
  char crs[80];         /* its name where it is not longitude and latitude of WGS 84; else "" */
  int crs_is_unknown;   /* the file says that nobody knows */
};

/*
 * Read the geo key: of the column `name` where the file has one, else of the primary column.
 * Without that key, or with one that makes no sense, the geometry is the column `name` or the first
 * GEOMETRY column, and what it is in comes from the column's type. A CRS that is not given is
 * OGC:CRS84, by both specifications.
 */
void sc_geo_parse(const struct sc_pq_meta *meta, const char *name, struct sc_geo_file *out);

#endif
