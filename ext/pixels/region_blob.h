/* A region of a raster as a SpatiaLite geometry. */
#ifndef SC_PIXELS_REGION_BLOB_H
#define SC_PIXELS_REGION_BLOB_H

#include "base/buffer.h"
#include "base/status.h"
#include "pixels/regions.h"

/* Where the corners of a raster lie. Texts are borrowed. */
struct sc_region_place {
  double transform[6]; /* as in sc_raster_info */
  const char *crs;
  const char *to_crs; /* NULL: the raster's own */
  int srid;           /* of the CRS that geometries have; see sc_srid_of_crs() */
  int is_multi;       /* MULTIPOLYGON, else POLYGON of the first part */
  int is_lonlat;      /* to_crs is geographic: longitudes go round the turn of middle_lon */
  double middle_lon;
};

/* The number of "EPSG:n" (in any case); -1, SpatiaLite's undefined Cartesian one, for other texts.
 */
int sc_srid_of_crs(const char *crs);

/* Memory for points that is used again. Zeroed is empty; sc_region_points_free(). */
struct sc_region_points {
  double *x, *y;
  size_t capacity;
};
void sc_region_points_free(struct sc_region_points *points);

/* Replace `out` by the BLOB. SC_TOO_BIG above `limit` bytes; SC_RANGE where a corner has no place
 * in to_crs. */
sc_status sc_region_blob(const struct sc_region *region, const struct sc_region_place *place,
                         struct sc_region_points *points, size_t limit, struct sc_buffer *out,
                         struct sc_error *err);

#endif
