/* Reading the headers of an item's assets; see headers.h. */
#include "merge/headers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/poll.h"
#include "base/thread.h"
#include "raster/raster_api.h"

static int is_remote(const char *href) {
  static const char *const schemes[] = {"http://", "https://", "s3://",
                                        "gs://",   "az://",    "abfs://"};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    if (sqlite3_strnicmp(href, schemes[i], (int)strlen(schemes[i])) == 0) return 1;
  }
  return 0;
}

#define MAX_READERS 16

/* Work shared by a few threads: the next asset is taken under the lock. */
struct header_job {
  pthread_mutex_t lock;
  const struct sc_raster_api *raster;
  const struct sc_index *index;
  struct sc_merge_header *headers;
  size_t next;
  atomic_int stop; /* the calling thread was asked to */
};

static int is_stopped(void *job) { return atomic_load(&((struct header_job *)job)->stop); }

static size_t take_asset(struct header_job *job) {
  pthread_mutex_lock(&job->lock);
  size_t i = job->next++;
  pthread_mutex_unlock(&job->lock);
  return i;
}

/* An asset whose header cannot be had is read without it later. */
static void read_headers(struct header_job *job) {
  for (size_t i; !sc_interrupted(NULL) && (i = take_asset(job)) < job->index->n_assets;) {
    const struct sc_index_asset *asset = &job->index->assets[i];
    struct sc_source source = {.href = asset->href, .item = job->index->item, .asset = asset->key};
    struct sc_error ignored = {0};
    if (!is_remote(asset->href)) continue;
    if (job->raster->make_header(&source, &job->headers[i].bytes, &ignored)) {
      sc_buffer_free(&job->headers[i].bytes);
    }
  }
}

static void *helper(void *job) {
  sc_interrupt_follow_task(is_stopped, job);
  read_headers(job);
  return NULL;
}

/* Wait for a helper, which breaks off when the calling thread is asked to stop. */
static void join_helper(struct header_job *job, pthread_t thread) {
  for (;;) {
    if (sc_interrupted(NULL)) atomic_store(&job->stop, 1);
    struct timespec until = sc_next_poll(CLOCK_REALTIME);
    if (pthread_timedjoin_np(thread, NULL, &until) == 0) return;
  }
}

static void run_readers(struct header_job *job, size_t n_remote) {
  pthread_t threads[MAX_READERS];
  size_t n = 0;
  pthread_mutex_init(&job->lock, NULL);
  while (n + 1 < n_remote && n < MAX_READERS && sc_thread_start(&threads[n], helper, job)) {
    n++;
  }
  read_headers(job);
  while (n > 0) join_helper(job, threads[--n]);
  pthread_mutex_destroy(&job->lock);
}

void sc_merge_headers_free(struct sc_merge_header *headers, size_t n) {
  for (size_t i = 0; headers && i < n; i++) sc_buffer_free(&headers[i].bytes);
  sc_free(headers);
}

sc_status sc_merge_make_headers(const struct sc_merge_args *args, const struct sc_index *index,
                                struct sc_merge_header **out, struct sc_error *err) {
  struct sc_error ignored = {0};
  size_t n_remote = 0;
  *out = NULL;
  if (args->headers != SC_HEADERS_EAGER) return SC_OK;
  for (size_t i = 0; i < index->n_assets; i++) n_remote += (size_t)is_remote(index->assets[i].href);
  if (n_remote == 0) return SC_OK;
  const struct sc_raster_api *raster = sc_raster(&ignored);
  if (!raster || !raster->make_header) return SC_OK;
  *out = sc_alloc_zero(index->n_assets, sizeof **out);
  if (!*out) return sc_fail_nomem(err);
  struct header_job job = {.raster = raster, .index = index, .headers = *out};
  run_readers(&job, n_remote);
  if (!sc_interrupted(NULL)) return SC_OK;
  sc_merge_headers_free(*out, index->n_assets);
  *out = NULL;
  return sc_fail(err, SC_INTERRUPT, "interrupted");
}
