/*
 * A bounded pool of worker threads, one per process, shared by everything that reads.
 *
 * One per process, not per connection or call: decoding fills all cores, so that more threads than
 * cores only wait for each other, and each thread keeps decompressors and buffers. The caller
 * works, too: with one thread there is no hand-over, and a pool that cannot start threads is no
 * error.
 */
#ifndef SC_RASTER_POOL_H
#define SC_RASTER_POOL_H

#include <stddef.h>

#include "base/status.h"

/*
 * Run task(context, i) for i in [0, n), in order of begin, on the calling thread and up to
 * sc_runtime_threads() - 1 workers. Returns when all have ended. A task that fails stores
 * its own error and returns nonzero; that stops tasks that have not begun.
 *
 * helpers      At most so many workers, where there is little to do; INT_MAX: as many as there are.
 * interrupted  Polled on the calling thread between its tasks, or NULL.
 * Returns      0; 1 where a task failed; 2 where it was interrupted.
 */
int sc_pool_run(size_t n, int helpers, int (*task)(void *context, size_t i), void *context,
                int (*interrupted)(void *), void *interrupt_context);

/* In a forked child: forget the parent's threads. */
void sc_pool_abandon(void);

#endif
