/* Headers of remote assets, kept so that reading a chip asks for none; see merge_write.h. */
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "merge/merge_store.h"
#include "merge/merge_write.h"
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
};

static size_t take_asset(struct header_job *job) {
  pthread_mutex_lock(&job->lock);
  size_t i = job->next++;
  pthread_mutex_unlock(&job->lock);
  return i;
}

/* An asset whose header cannot be had is read without it later. */
static void *read_headers(void *argument) {
  struct header_job *job = argument;
  for (size_t i; (i = take_asset(job)) < job->index->n_assets;) {
    const struct sc_index_asset *asset = &job->index->assets[i];
    struct sc_source source = {asset->href, job->index->item, asset->key, NULL, 0};
    struct sc_error ignored = {0};
    if (!is_remote(asset->href)) continue;
    if (job->raster->make_header(&source, &job->headers[i].bytes, &ignored)) {
      sc_buffer_free(&job->headers[i].bytes);
    }
  }
  return NULL;
}

static void run_readers(struct header_job *job, size_t n_remote) {
  pthread_t threads[MAX_READERS];
  size_t n = 0;
  pthread_mutex_init(&job->lock, NULL);
  while (n + 1 < n_remote && n < MAX_READERS &&
         pthread_create(&threads[n], NULL, read_headers, job) == 0) {
    n++;
  }
  read_headers(job);
  while (n > 0) pthread_join(threads[--n], NULL);
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
  return SC_OK;
}
