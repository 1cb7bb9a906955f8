/* Vector layers within the access rules, and the way to the raster half, which alone calls GDAL. */
#ifndef SC_CLI_GEO_H
#define SC_CLI_GEO_H

#include <stdint.h>

#include "base/status.h"
#include "raster/raster_api.h"

/* The raster half, also before a connection is open. */
sc_status sc_geo_raster(const struct sc_raster_api **out, struct sc_error *err);

/* Read feature `row` (from 0) of the first layer of a file that the access rules allow
 * (store/href.h): GeoJSON, TopoJSON, GeoPackage, FlatGeobuf, Shapefile, Parquet or CSV; https://
 * and s3:// too. SC_RANGE where the layer has no such row. */
sc_status sc_geo_read_row(const char *source, int64_t row, struct sc_layer_row *out,
                          struct sc_error *err);
void sc_geo_row_free(struct sc_layer_row *row);

#endif
