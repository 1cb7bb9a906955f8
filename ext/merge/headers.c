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
#include "store/href.h"

#define MAX_READERS 16

/* Work shared by a few threads: the next asset is taken under the lock. */
struct header_job {
  pthread_mutex_t lock;
  const struct sc_raster_api *raster;
  const struct sc_index *index;
  char **hrefs; /* of the assets, as they will be read; NULL for those that have no header */
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
    struct sc_source source = {
        .href = job->hrefs[i], .item = job->index->item, .asset = asset->key};
    struct sc_error ignored = {0};
    if (!job->hrefs[i]) continue;
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

/*
 * Where the assets are read from, by the access rules and href_map; NULL for what is local, and for
 * what the rules forbid, whose reading will say so.
 */
static sc_status find_remote(const struct sc_index *index, char **hrefs, size_t *n_remote,
                             struct sc_error *err) {
  *n_remote = 0;
  for (size_t i = 0; i < index->n_assets; i++) {
    struct sc_error why = {0};
    /* As if all came over the network: local files are not asked for here. */
    sc_status st = sc_href_allow(index->assets[i].href, SC_ORIGIN_NETWORK, &hrefs[i], &why);
    if (st == SC_NOMEM) return sc_fail_nomem(err);
    if (!st && !sc_href_is_url(hrefs[i])) {
      sc_free(hrefs[i]);
      hrefs[i] = NULL;
    }
    *n_remote += hrefs[i] != NULL;
  }
  return SC_OK;
}

/* The headers of those that are remote. */
static sc_status make_headers(const struct sc_index *index, char **hrefs,
                              struct sc_merge_header **out, struct sc_error *err) {
  struct sc_error ignored = {0};
  size_t n_remote;
  sc_status st = find_remote(index, hrefs, &n_remote, err);
  const struct sc_raster_api *raster = !st && n_remote ? sc_raster(&ignored) : NULL;
  if (!raster || !raster->make_header) return st;
  *out = sc_alloc_zero(index->n_assets, sizeof **out);
  if (!*out) return sc_fail_nomem(err);
  struct header_job job = {.raster = raster, .index = index, .hrefs = hrefs, .headers = *out};
  run_readers(&job, n_remote);
  if (!sc_interrupted(NULL)) return SC_OK;
  sc_merge_headers_free(*out, index->n_assets);
  *out = NULL;
  return sc_fail(err, SC_INTERRUPT, "interrupted");
}

sc_status sc_merge_make_headers(const struct sc_merge_args *args, const struct sc_index *index,
                                struct sc_merge_header **out, struct sc_error *err) {
  *out = NULL;
  if (args->headers != SC_HEADERS_EAGER || index->n_assets == 0) return SC_OK;
  char **hrefs = sc_alloc_zero(index->n_assets, sizeof *hrefs);
  if (!hrefs) return sc_fail_nomem(err);
  sc_status st = make_headers(index, hrefs, out, err);
  for (size_t i = 0; i < index->n_assets; i++) sc_free(hrefs[i]);
  sc_free(hrefs);
  return st;
}
