/* Burning geometries into pixels, by GDAL's rasteriser. */
#ifndef SC_RASTER_BURN_H
#define SC_RASTER_BURN_H

#include "base/status.h"
#include "raster/raster_api.h"

/* See sc_raster_api.rasterize. */
sc_status sc_burn_shapes(const struct sc_burn_job *job, struct sc_error *err);

#endif
