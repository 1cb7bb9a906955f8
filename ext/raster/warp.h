/* Reading windows whose output has a grid of its own (sc_read.warp). */
#ifndef SC_RASTER_WARP_H
#define SC_RASTER_WARP_H

#include "raster/raster_api.h"

/* As sc_read_windows(), of reads that all have a warp. */
sc_status sc_warp_windows(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err);

#endif
