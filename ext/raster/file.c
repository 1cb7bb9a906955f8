/* Raster files that were opened; see file.h. */
#include "raster/file.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "raster/gdal.h"
#include "raster/remote.h"
#include "raster/runtime.h"
#include "store/open.h"
#include "store/scheme.h"

#define N_FILES 256    /* kept open when nobody uses them */
#define SMALL_SHARE 16 /* a file is small that takes one of so many parts of the cache */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sc_file *files[N_FILES];
static unsigned long clock_now;
static uint64_t next_serial = 1;

static void file_free(struct sc_file *f) {
  if (!f) return;
  if (f->descriptor >= 0) close(f->descriptor);
  sc_remote_release(f->remote);
  sc_tiff_free(&f->tiff);
  sc_free(f->href);
  sc_free(f);
}

static int64_t read_at(void *file, uint64_t offset, void *bytes, size_t n) {
  return sc_read_at(((const struct sc_file *)file)->descriptor, offset, bytes, n);
}

sc_status sc_file_read(const struct sc_file *f, uint64_t offset, void *out, size_t n,
                       struct sc_error *err) {
  int64_t got = sc_read_at(f->descriptor, offset, out, n);
  if (got < 0) return sc_fail(err, SC_IO, "cannot read: %s", strerror(errno));
  if ((size_t)got == n) return SC_OK;
  return sc_fail(err, SC_IO, "the file ends %zu bytes into a block of %zu at %llu", (size_t)got, n,
                 (unsigned long long)offset);
}

static sc_status open_local(const struct sc_source *source, struct sc_file *f,
                            struct sc_error *err) {
  struct stat info;
  struct sc_error why = {0};
  if (sc_open_regular(source->href, &f->descriptor, &info, &why)) {
    return sc_source_fail(source, why.status, err, "cannot open", why.text);
  }
  f->size = (uint64_t)info.st_size;
  f->stamp = sc_stamp_from(&info);
  struct sc_error ignored = {0};
  sc_status st = sc_tiff_open(read_at, f, f->size, &f->tiff, &ignored);
  if (st == SC_NOMEM) return sc_fail_nomem(err);
  f->is_plain = st == SC_OK;
  return SC_OK;
}

static sc_status open_file(const struct sc_source *source, struct sc_file **out,
                           struct sc_error *err) {
  struct sc_file *f = sc_alloc_zero(1, sizeof *f);
  if (!f) return sc_fail_nomem(err);
  f->descriptor = -1;
  f->is_remote = sc_href_is_url(source->href);
  sc_status st = sc_strdup(source->href, &f->href, err);
  if (!st) st = f->is_remote ? sc_remote_open(source, f, err) : open_local(source, f, err);
  if (st) {
    file_free(f);
    return st;
  }
  *out = f;
  return SC_OK;
}

static int is_unchanged(const struct sc_file *f, const struct sc_source *source) {
  if (f->is_remote) return sc_remote_generation(f->remote) == f->stamp.generation;
  if (source->stamp) return sc_stamp_equals(source->stamp, &f->stamp);
  const struct sc_stamp now = sc_stamp_of(f->href);
  return sc_stamp_equals(&now, &f->stamp);
}

/* Take a file out of the set; it is freed when its last user gives it back. Lock held. */
static struct sc_file *take_out(int i) {
  struct sc_file *f = files[i];
  files[i] = NULL;
  if (f && f->n_users == 0) return f;
  if (f) f->used = 0; /* 0: no longer in the set */
  return NULL;
}

static struct sc_file *find_open(const struct sc_source *source, struct sc_file **stale) {
  for (int i = 0; i < N_FILES; i++) {
    struct sc_file *f = files[i];
    if (!f || strcmp(f->href, source->href) != 0) continue;
    if (is_unchanged(f, source)) {
      f->n_users++;
      f->used = ++clock_now;
      return f;
    }
    *stale = take_out(i);
    return NULL;
  }
  return NULL;
}

static struct sc_file *put_in(struct sc_file *f) {
  int oldest = -1;
  for (int i = 0; i < N_FILES; i++) {
    if (!files[i]) {
      oldest = i;
      break;
    }
    if (files[i]->n_users == 0 && (oldest < 0 || files[i]->used < files[oldest]->used)) oldest = i;
  }
  f->serial = next_serial++;
  f->n_users = 1;
  f->used = 0;
  if (oldest < 0) return NULL; /* all in use: this one stays outside */
  struct sc_file *evicted = take_out(oldest);
  files[oldest] = f;
  f->used = ++clock_now;
  return evicted;
}

sc_status sc_file_acquire(const struct sc_source *source, struct sc_file **out,
                          struct sc_error *err) {
  struct sc_file *stale = NULL, *evicted;
  pthread_mutex_lock(&lock);
  *out = find_open(source, &stale);
  pthread_mutex_unlock(&lock);
  file_free(stale);
  if (*out) return SC_OK;
  sc_status st = open_file(source, out, err);
  if (st) return st;
  pthread_mutex_lock(&lock);
  evicted = put_in(*out);
  pthread_mutex_unlock(&lock);
  file_free(evicted);
  return SC_OK;
}

void sc_file_release(struct sc_file *f) {
  if (!f) return;
  pthread_mutex_lock(&lock);
  int last = --f->n_users == 0 && f->used == 0;
  pthread_mutex_unlock(&lock);
  if (last) file_free(f);
}

/* In the next column of the same rows, or in the next rows. */
static int follows(const struct sc_file_window *last, const struct sc_file_window *w) {
  if (w->y == last->y) return w->x == last->x + last->width;
  return w->y == last->y + last->height && w->x <= last->x;
}

static int is_small(const struct sc_tiff *t) {
  double block = (double)t->block_height * (double)sc_tiff_row_bytes(t);
  return (double)t->n_blocks * block <= (double)sc_runtime_cache_bytes() / SMALL_SHARE;
}

int sc_file_expects_more(struct sc_file *f, struct sc_file_window w) {
  pthread_mutex_lock(&lock);
  struct sc_file_window *last = &f->last;
  int is_same = f->has_last && w.x == last->x && w.y == last->y && w.width == last->width &&
                w.height == last->height; /* another band */
  if (!is_same) {
    f->in_sequence = f->has_last && (follows(last, &w) || is_small(&f->tiff));
    f->has_last = 1;
    *last = w;
  }
  int expects = f->in_sequence;
  pthread_mutex_unlock(&lock);
  return expects;
}

void sc_file_abandon(void) {
  pthread_mutex_init(&lock, NULL);
  memset(files, 0, sizeof files);
}
