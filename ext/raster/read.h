/* Reading many windows at once; see sc_raster_api.read. */
#ifndef SC_RASTER_READ_H
#define SC_RASTER_READ_H

#include "raster/raster_api.h"

sc_status sc_read_windows(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err);

/* See sc_raster_api.hold and let_go. */
sc_status sc_read_hold(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                       void *interrupt_context, struct sc_held **held, struct sc_error *err);
void sc_read_let_go(struct sc_held *held);

#endif
