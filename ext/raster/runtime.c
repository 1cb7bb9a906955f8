/* Per-process state of the second half; see runtime.h. */
#include "raster/runtime.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "http/client.h"
#include "http/limits.h"
#include "http/sign.h"
#include "raster/cache.h"
#include "raster/disk.h"
#include "raster/file.h"
#include "raster/gdal.h"
#include "raster/memory.h"
#include "raster/pool.h"
#include "raster/remote.h"
#include "raster/tiff.h"

static atomic_long owner; /* process id; 0 before the first call; negative while it changes */
static atomic_int threads = 1, verify;
static _Atomic int64_t cache_bytes = 256 << 20;
static pthread_mutex_t large_lock = PTHREAD_MUTEX_INITIALIZER;

void sc_runtime_large_begin(size_t block_bytes) {
  if (block_bytes > SC_BLOCK_LARGE_BYTES) pthread_mutex_lock(&large_lock);
}

void sc_runtime_large_end(size_t block_bytes) {
  if (block_bytes > SC_BLOCK_LARGE_BYTES) pthread_mutex_unlock(&large_lock);
}

static void abandon_parents(void) {
  pthread_mutex_init(&large_lock, NULL);
  sc_pool_abandon();
  sc_gdal_abandon();
  sc_cache_abandon();
  sc_memory_abandon();
  sc_file_abandon();
  sc_remote_abandon();
  sc_disk_abandon();
  sc_http_abandon();
  sc_http_limits_abandon();
  sc_sign_abandon();
}

void sc_runtime_enter(void) {
  long self = (long)getpid(), before = atomic_load(&owner);
  while (before != self) {
    if (before == -self) { /* another thread of this child is at it */
      sched_yield();
      before = atomic_load(&owner);
    } else if (atomic_compare_exchange_strong(&owner, &before, -self)) {
      if (before != 0) abandon_parents();
      atomic_store(&owner, self);
      return;
    }
  }
}

void sc_runtime_configure(const struct sc_settings *s) {
  atomic_store(&threads, s->threads);
  atomic_store(&verify, s->verify);
  atomic_store(&cache_bytes, s->cache_bytes);
  sc_http_configure(s);
  sc_disk_configure(s); /* after the hosts: files are known by them */
  sc_memory_configure(s->cache_bytes);
  sc_cache_trim();
}

int sc_runtime_threads(void) { return atomic_load(&threads); }
int sc_runtime_verify(void) { return atomic_load(&verify); }
int64_t sc_runtime_cache_bytes(void) { return atomic_load(&cache_bytes); }
