/* Encoding pictures and GeoTIFFs with GDAL, in memory; see sc_raster_api. */
#ifndef SC_RASTER_PICTURE_H
#define SC_RASTER_PICTURE_H

#include "raster/raster_api.h"

sc_status sc_picture_encode(enum sc_picture_format format, const uint8_t *pixels, int width,
                            int height, int channels, struct sc_buffer *out, struct sc_error *err);
sc_status sc_picture_geotiff(const struct sc_geotiff *image, struct sc_buffer *out,
                             struct sc_error *err);

#endif
