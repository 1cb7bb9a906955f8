/*
 * Decoded blocks, kept with idle memory (memory.h) within a byte budget (setting cache_bytes),
 * shared by the process. Least recently used goes first. Decoding a DEFLATE block of 1024 x 1024
 * pixels of 16 bits takes 8.4 ms, a chip of a kept one 0.013 ms. A file is named by its serial,
 * which a changed file does not share, so no block of an old one is ever found.
 */
#ifndef SC_RASTER_CACHE_H
#define SC_RASTER_CACHE_H

#include <pthread.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "raster/raster_api.h"

/*
 * A block that the caller holds; it may use the members below `lock` while it has locked it. Or
 * a transient one of the caller's own: zeroed but for `is_transient`, without a lock.
 */
struct sc_block {
  uint64_t file_serial;
  uint64_t index; /* of the block in its file */
  pthread_mutex_t lock;
  unsigned char *data;     /* some of its rows, laid out as block.h has it; owned */
  size_t capacity;         /* bytes of data */
  int first_row, end_row;  /* rows [first_row, end_row) of the block are in data */
  int is_transient;        /* not in the cache: data belongs to the thread (see block.h) */
  struct sc_buffer stored; /* of a remote file, until all rows are decoded: its bytes */
  size_t counted_bytes;    /* what the budget was charged */
  /* of cache.c: */
  int n_users, n_holds;
  uint64_t used; /* sc_memory_tick() */
  struct sc_block *newer, *older, *chain;
};

/* Hold the block, a new empty one if it is not there. Release with sc_cache_release(). */
sc_status sc_cache_acquire(uint64_t file_serial, uint64_t index, struct sc_block **out,
                           struct sc_error *err);
/* Charge the budget for what the block has become. The caller has locked it. */
void sc_cache_charge(struct sc_block *block);
/* Let go, and bring the cache within its budget. keep 0: forget the block. */
void sc_cache_release(struct sc_block *block, int keep);

/* Hold the block if its first n_rows rows can be had without the file; else NULL. */
struct sc_block *sc_cache_acquire_ready(uint64_t file_serial, uint64_t index, int n_rows);

/*
 * Keep a block that the caller has acquired until sc_cache_let_go(), beside the budget: who knows
 * that it will be wanted again and when. 0: SC_HOLD_MAX_BYTES are held, and it is kept like any
 * other.
 */
#define SC_HOLD_MAX_BYTES ((int64_t)2 << 30) /* of the process */
int sc_cache_hold(struct sc_block *block);
void sc_cache_let_go(struct sc_block *block);

/* Bring blocks and idle memory (memory.h) within the budget: after it became smaller, or memory was
 * given back. */
void sc_cache_trim(void);

/* A block was wanted: were its rows there? */
void sc_cache_note(int is_hit);
/* The members of blocks. */
void sc_cache_count(struct sc_kept *out);

/* In a forked child: forget everything without freeing. */
void sc_cache_abandon(void);

#endif
