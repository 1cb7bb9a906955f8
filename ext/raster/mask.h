/* Counting a mask; see sc_raster_api.count_mask. */
#ifndef SC_RASTER_MASK_H
#define SC_RASTER_MASK_H

#include "raster/raster_api.h"

sc_status sc_mask_count(struct sc_mask_job *job, struct sc_error *err);

#endif
