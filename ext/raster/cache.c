/* Decoded blocks; see cache.h. A hash table with chains and one list in order of use. */
#include "raster/cache.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "raster/memory.h"
#include "raster/runtime.h"

#define N_BUCKETS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sc_block *buckets[N_BUCKETS];
static struct sc_block *newest, *oldest;
static int64_t total_bytes, held_bytes; /* of blocks: that the budget is for; beside it */
static int64_t n_blocks;
static atomic_int_fast64_t n_hits, n_misses;

static struct sc_block **bucket_of(uint64_t serial, uint64_t index) {
  uint64_t h = (serial * UINT64_C(0x9E3779B97F4A7C15)) ^ (index * UINT64_C(0xC2B2AE3D27D4EB4F));
  return &buckets[(h >> 32) % N_BUCKETS];
}

static void unlink_use(struct sc_block *b) {
  *(b->newer ? &b->newer->older : &newest) = b->older;
  *(b->older ? &b->older->newer : &oldest) = b->newer;
  b->newer = b->older = NULL;
}

static void link_newest(struct sc_block *b) {
  b->older = newest;
  b->newer = NULL;
  b->used = sc_memory_tick();
  if (newest) newest->newer = b;
  newest = b;
  if (!oldest) oldest = b;
}

static void block_free(struct sc_block *b) {
  pthread_mutex_destroy(&b->lock);
  sc_memory_give(b->data);
  sc_buffer_free(&b->stored);
  sc_free(b);
}

/* Take an unused block out of the table. The lock is held. */
static void drop(struct sc_block *b) {
  struct sc_block **at = bucket_of(b->file_serial, b->index);
  while (*at != b) at = &(*at)->chain;
  *at = b->chain;
  unlink_use(b);
  total_bytes -= (int64_t)b->counted_bytes;
  n_blocks--;
  block_free(b);
}

static int64_t idle_bytes(struct sc_memory_state *idle) {
  sc_memory_get_state(idle);
  return idle->idle_pages + idle->idle_large;
}

static struct sc_block *oldest_unused(void) {
  struct sc_block *b = oldest;
  while (b && b->n_users > 0) b = b->newer;
  return b;
}

/* Give up one thing: what was used longest ago, of blocks and of large idle memory. A piece of more
 * than half of the budget goes first, since it would leave no room for blocks. 0: there is none. */
static int give_up_one(int64_t budget, int64_t idle_large) {
  struct sc_block *b = oldest_unused();
  if (idle_large && (!b || idle_large > budget / 2 || sc_memory_oldest_large() < b->used)) {
    sc_memory_free_large();
    return 1;
  }
  if (b) drop(b);
  return b != NULL;
}

/*
 * Blocks and idle memory within the budget. A block that is dropped leaves idle pages, which the
 * next one takes: a quarter of the budget may be such. Giving them back to the kernel each time
 * would fault them in again.
 */
static void trim(int64_t budget) {
  struct sc_memory_state idle;
  while (total_bytes + idle_bytes(&idle) > budget) {
    int64_t left = budget - total_bytes - idle.idle_large;
    if (left >= budget / 4) {
      sc_memory_free_pages(left);
      if (total_bytes + idle_bytes(&idle) <= budget) break;
    }
    if (!give_up_one(budget, idle.idle_large)) {
      sc_memory_free_pages(left > 0 ? left : 0);
      break;
    }
  }
}

static struct sc_block *find(uint64_t serial, uint64_t index) {
  struct sc_block *b = *bucket_of(serial, index);
  while (b && (b->file_serial != serial || b->index != index)) b = b->chain;
  return b;
}

sc_status sc_cache_acquire(uint64_t serial, uint64_t index, struct sc_block **out,
                           struct sc_error *err) {
  sc_status st = SC_OK;
  pthread_mutex_lock(&lock);
  struct sc_block *b = find(serial, index);
  if (b) {
    unlink_use(b);
  } else {
    b = sc_alloc_zero(1, sizeof *b);
    if (b) {
      struct sc_block **bucket = bucket_of(serial, index);
      pthread_mutex_init(&b->lock, NULL);
      b->file_serial = serial;
      b->index = index;
      b->chain = *bucket;
      *bucket = b;
      n_blocks++;
    }
  }
  if (b) {
    link_newest(b);
    b->n_users++;
  } else {
    st = sc_fail_nomem(err);
  }
  pthread_mutex_unlock(&lock);
  *out = b;
  return st;
}

void sc_cache_charge(struct sc_block *b) {
  size_t bytes = sc_memory_rounded(b->capacity) + sc_memory_rounded(b->stored.capacity);
  if (bytes == b->counted_bytes) return;
  pthread_mutex_lock(&lock);
  *(b->n_holds ? &held_bytes : &total_bytes) += (int64_t)bytes - (int64_t)b->counted_bytes;
  b->counted_bytes = bytes;
  pthread_mutex_unlock(&lock);
}

int sc_cache_hold(struct sc_block *b) {
  pthread_mutex_lock(&lock);
  int64_t bytes = (int64_t)b->counted_bytes;
  int is_held = b->n_holds > 0 || held_bytes + bytes <= SC_HOLD_MAX_BYTES;
  if (is_held && b->n_holds++ == 0) {
    total_bytes -= bytes;
    held_bytes += bytes;
  }
  if (is_held) b->n_users++;
  pthread_mutex_unlock(&lock);
  return is_held;
}

void sc_cache_let_go(struct sc_block *b) {
  pthread_mutex_lock(&lock);
  if (--b->n_holds == 0) {
    total_bytes += (int64_t)b->counted_bytes;
    held_bytes -= (int64_t)b->counted_bytes;
  }
  pthread_mutex_unlock(&lock);
  sc_cache_release(b, 1);
}

void sc_cache_release(struct sc_block *b, int keep) {
  if (!b) return;
  int64_t budget = sc_runtime_cache_bytes();
  pthread_mutex_lock(&lock);
  if (--b->n_users == 0 && !keep) drop(b);
  trim(budget);
  pthread_mutex_unlock(&lock);
}

struct sc_block *sc_cache_acquire_ready(uint64_t serial, uint64_t index, int n_rows) {
  pthread_mutex_lock(&lock);
  struct sc_block *b = find(serial, index);
  if (b) {
    unlink_use(b);
    link_newest(b);
    b->n_users++;
  }
  pthread_mutex_unlock(&lock);
  if (!b) return NULL;
  pthread_mutex_lock(&b->lock);
  int ready = b->end_row >= n_rows || b->stored.data;
  pthread_mutex_unlock(&b->lock);
  if (ready) return b;
  sc_cache_release(b, 1);
  return NULL;
}

void sc_cache_trim(void) {
  pthread_mutex_lock(&lock);
  trim(sc_runtime_cache_bytes());
  pthread_mutex_unlock(&lock);
}

void sc_cache_note(int is_hit) { atomic_fetch_add(is_hit ? &n_hits : &n_misses, 1); }

void sc_cache_count(struct sc_kept *out) {
  pthread_mutex_lock(&lock);
  out->block_bytes = total_bytes;
  out->held_bytes = held_bytes;
  out->n_blocks = n_blocks;
  pthread_mutex_unlock(&lock);
  out->n_block_hits = atomic_load(&n_hits);
  out->n_block_misses = atomic_load(&n_misses);
}

void sc_cache_abandon(void) {
  pthread_mutex_init(&lock, NULL);
  memset(buckets, 0, sizeof buckets);
  newest = oldest = NULL;
  total_bytes = held_bytes = n_blocks = 0;
}
