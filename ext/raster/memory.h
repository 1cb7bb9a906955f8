/*
 * Large memory that is used again: decoded blocks, results, answers of servers.
 *
 * A result of 1.3 MB in fresh memory costs 320 page faults, more than copying its pixels: glibc
 * maps what is large anew and unmaps it when it is freed. Here memory comes from arenas that are
 * aligned to 2 MB and advised to be huge pages (one fault for each 2 MB), and stays mapped between
 * calls.
 *
 * WORDS  *Idle* is memory that the kernel has given and nobody uses. Kept is what is idle and the
 * blocks of the cache: together they stay within the setting cache_bytes, which cache.h sees to.
 *
 * WHOSE  Arenas are taken from SQLite's allocator, 32 MB at least: its hard limit holds for them,
 * by whole arenas. Where it gives none, the memory wanted is asked for alone.
 *
 * THREADS  Any. A forked child forgets the parent's arenas, and what it gives back of them stays.
 */
#ifndef SC_RASTER_MEMORY_H
#define SC_RASTER_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

/* Not zeroed; NULL where memory ran out. Less than SC_MEMORY_LEAST bytes are sc_alloc()'s. */
#define SC_MEMORY_LEAST ((size_t)64 << 10)
void *sc_memory_take(size_t bytes);
/* Give back what sc_memory_take() gave; NULL is fine. */
void sc_memory_give(void *memory);
/* What a piece of so many bytes takes. */
size_t sc_memory_rounded(size_t bytes);

/* Room for n bytes in an empty buffer, which gives it back when it is freed. */
sc_status sc_memory_buffer(size_t n, struct sc_buffer *out, struct sc_error *err);

/* A number that grows with each call: when something was used last. */
uint64_t sc_memory_tick(void);

struct sc_memory_state {
  int64_t in_use;     /* bytes of arenas that somebody has */
  int64_t idle_pages; /* idle bytes between pieces */
  int64_t idle_large; /* idle bytes of arenas for one large piece each */
  int64_t n_reused;   /* pieces that took memory which was there */
  int64_t n_fresh;    /* and others */
};
void sc_memory_get_state(struct sc_memory_state *out);

/* When the large piece that has been idle longest was given back; UINT64_MAX: there is none. */
uint64_t sc_memory_oldest_large(void);
/* Return it to SQLite's allocator. */
void sc_memory_free_large(void);
/* Return idle pages to the kernel, where whole ones are, until at most `most` bytes are left. */
void sc_memory_free_pages(int64_t most);

/* How large arenas are to be for a cache of so many bytes. */
void sc_memory_configure(int64_t cache_bytes);

/* In a forked child. */
void sc_memory_abandon(void);

#endif
