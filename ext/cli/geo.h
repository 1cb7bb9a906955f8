/* Vector layers and reprojected copies; the only file of the program that calls OGR and GDAL. */
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
 * and s3:// too, through GDAL's own client, which follows redirects without our rules. SC_RANGE
 * where the layer has no such row. */
sc_status sc_geo_read_row(const char *source, int64_t row, struct sc_geo_row *out,
                          struct sc_error *err);
void sc_geo_row_free(struct sc_geo_row *row);

/* The grid of a raster that was written. */
struct sc_geo_grid {
  int width, height, epsg; /* epsg 0: the CRS has no EPSG code */
  char *wkt;               /* for epsg 0: the CRS as WKT 2, or NULL; freed with sc_free() */
  double transform[6];     /* a b c d e f */
};

/* Reproject a raster to Web Mercator with nearest neighbours, as a deflated COG. */
sc_status sc_geo_to_mercator(const char *from, const char *to, struct sc_geo_grid *out,
                             struct sc_error *err);
/* Resample a raster bilinearly to a pixel size in its CRS, first three bands, as a COG. */
sc_status sc_geo_resample(const char *from, const char *to, double pixel_size,
                          struct sc_geo_grid *out, struct sc_error *err);

#endif
