/* Encoding pictures and GeoTIFFs with GDAL, in memory; see sc_raster_api. */
#ifndef SC_RASTER_PICTURE_H
#define SC_RASTER_PICTURE_H

#include <gdal.h>

#include "raster/raster_api.h"

sc_status sc_picture_encode(enum sc_picture_format format, const uint8_t *pixels, int width,
                            int height, int channels, struct sc_buffer *out, struct sc_error *err);
sc_status sc_picture_geotiff(const struct sc_geotiff *image, struct sc_buffer *out,
                             struct sc_error *err);

/* Names, nodata, alpha, scales and offsets of a dataset's bands. */
void sc_picture_describe_bands(GDALDatasetH ds, const struct sc_geotiff *image);
/* flat: only the horizontal part of the CRS, in two dimensions. */
sc_status sc_picture_set_crs(GDALDatasetH ds, const char *crs, int flat, struct sc_error *err);

#endif
