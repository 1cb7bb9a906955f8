/* One feature of a vector layer, through OGR; see raster_api.h, read_layer. */
#ifndef SC_RASTER_LAYER_H
#define SC_RASTER_LAYER_H

#include "raster/raster_api.h"

sc_status sc_layer_read(const struct sc_layer_place *from, struct sc_layer_row *out,
                        struct sc_error *err);

#endif
