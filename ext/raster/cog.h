/* A Cloud Optimized GeoTIFF from tiles that come in any order; see raster_api.h, cog_create. */
#ifndef SC_RASTER_COG_H
#define SC_RASTER_COG_H

#include "raster/raster_api.h"

sc_status sc_cog_create(const struct sc_geotiff *image, const char *folder, struct sc_cog **out,
                        struct sc_error *err);
sc_status sc_cog_put(struct sc_cog *cog, int x, int y, int width, int height, const void *pixels,
                     struct sc_error *err);
sc_status sc_cog_finish(struct sc_cog *cog, const char *path, int is_classes, struct sc_error *err);
void sc_cog_close(struct sc_cog *cog);

#endif
