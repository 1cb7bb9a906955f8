/*
 * What the second half keeps per process: settings, and the stamp that tells a forked child.
 *
 * After fork() the child's first call finds another process id and abandons the parent's
 * threads, datasets, files and connections without touching them, and starts its own.
 */
#ifndef SC_RASTER_RUNTIME_H
#define SC_RASTER_RUNTIME_H

#include <stdint.h>

#include "raster/raster_api.h"

/* Call first in every function of the API table. */
void sc_runtime_enter(void);

/* Copy new settings, those of requests to http/limits.h. */
void sc_runtime_configure(const struct sc_settings *settings);

/* One setting each; safe from any thread. */
int sc_runtime_threads(void);
int sc_runtime_verify(void);
int64_t sc_runtime_cache_bytes(void);

/*
 * Blocks of more than SC_BLOCK_LARGE_BYTES are decoded one at a time in the process: as many as
 * there are threads would take gigabytes. Call begin and end with the same size.
 */
void sc_runtime_large_begin(size_t block_bytes);
void sc_runtime_large_end(size_t block_bytes);

#endif
