/* Vector layers and reprojected copies, by OGR and GDAL's utilities; the CLI's only user of them.
 */
#ifndef SC_CLI_GEO_H
#define SC_CLI_GEO_H

#include <stdint.h>

#include "base/status.h"

/* One feature of a sample layer, in EPSG:4326. Free with sc_geo_row_free(). */
struct sc_geo_row {
  char *name;      /* the attribute "name", or NULL */
  char *geojson;   /* the geometry */
  double lon, lat; /* its centroid */
};

/* Read feature `row` (from 0) of the first layer of a file that the access rules allow
 * (store/href.h): GeoJSON, TopoJSON, GeoPackage, FlatGeobuf, Shapefile, Parquet or CSV; https://
 * and s3:// too, by GDAL's own client, which judges no redirect. SC_RANGE where the layer has no
 * such row. */
sc_status sc_geo_read_row(const char *source, int64_t row, struct sc_geo_row *out,
                          struct sc_error *err);
void sc_geo_row_free(struct sc_geo_row *row);

/* The grid of a raster that was made. */
struct sc_geo_grid {
  int width, height, epsg; /* epsg 0: its CRS has no such code */
  char *wkt;               /* its CRS as WKT 2 then, or NULL; freed with sc_free() */
  double transform[6];     /* a b c d e f */
};

/* Reproject a raster to Web Mercator with nearest neighbours, as a deflated COG. */
sc_status sc_geo_to_mercator(const char *from, const char *to, struct sc_geo_grid *out,
                             struct sc_error *err);
/* Resample a raster bilinearly to a pixel size in its CRS, first three bands, as a COG. */
sc_status sc_geo_resample(const char *from, const char *to, double pixel_size,
                          struct sc_geo_grid *out, struct sc_error *err);

#endif
