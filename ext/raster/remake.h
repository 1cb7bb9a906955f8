/* A raster copied onto another grid, by GDAL's warper; see raster_api.h, remake. */
#ifndef SC_RASTER_REMAKE_H
#define SC_RASTER_REMAKE_H

#include "raster/raster_api.h"

sc_status sc_remake(const struct sc_remake *job, struct sc_made_grid *out, struct sc_error *err);

#endif
