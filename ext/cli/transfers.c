/* Copies, several at a time; see transfers.h. */
#include "cli/transfers.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "store/stamp.h"
#include "store/store.h"

struct sc_transfers {
  pthread_t threads[SC_TRANSFERS_THREADS_MAX];
  int n_threads;
  pthread_mutex_t lock; /* of all below */
  pthread_cond_t has_work, has_result;
  struct sc_transfer *first, *last; /* waiting */
  struct sc_transfer *done;
  int n_under_way; /* submitted, and not yet given back */
  int is_stopped;
};

/* --- one file --- */

/* Does what is there agree with the item's checksum? Where it has none, later runs get one. */
static sc_status compare(struct sc_transfer *t, const char *path, int *is_equal,
                         struct sc_error *err) {
  enum sc_checksum found = SC_CHECKSUM_EQUAL;
  sc_status st = t->checksum ? sc_checksum_compare(path, t->checksum, &found, err)
                             : sc_checksum_make(path, t->digest, err);
  t->is_unverified = found == SC_CHECKSUM_UNKNOWN;
  *is_equal = found != SC_CHECKSUM_DIFFERENT;
  return st;
}

/* Is there a whole copy? By its size, as the item says it or as the source has it, and the
 * checksum. A source that does not say its size is copied again. */
static sc_status is_whole(struct sc_transfer *t, const char *path, int *out, struct sc_error *err) {
  int exists = 0, has_source = 0;
  uint64_t wanted = t->stated_bytes;
  struct sc_error refused = {0};
  *out = 0;
  sc_status st = sc_store_look(t->root, t->key, &exists, &t->bytes, err);
  if (st || !exists) return st;
  if (wanted == SC_SIZE_UNKNOWN && t->href &&
      sc_store_look_at(t->href, &has_source, &wanted, &refused) == SC_AGAIN) {
    *err = refused;
    return err->status;
  }
  if (t->bytes != wanted || wanted == SC_SIZE_UNKNOWN) return SC_OK;
  *out = 1;
  return t->is_trusted ? SC_OK : compare(t, path, out, err);
}

/* Are the file and its copy one, by whatever names? */
static int is_source(const struct sc_transfer *t, const char *path) {
  const struct sc_stamp source = sc_stamp_of(t->href), copy = sc_stamp_of(path);
  return source.modified_ns && sc_stamp_equals(&source, &copy);
}

static sc_status fetch(struct sc_transfer *t, const char *path, struct sc_error *err) {
  int exists, is_equal = 0;
  if (!t->href) {
    return sc_fail(err, SC_NOT_FOUND,
                   "%s: gone or damaged, and the item does not say where it came from", path);
  }
  if (is_source(t, path)) {
    return sc_fail(err, SC_BAD_DATA,
                   "%s: it lies in the mirror already, and has not the size or the checksum that "
                   "the item says",
                   path);
  }
  sc_status st = sc_store_copy(t->href, t->root, t->key, err);
  if (!st) st = sc_store_look(t->root, t->key, &exists, &t->bytes, err);
  if (st) return st;
  if (t->stated_bytes != SC_SIZE_UNKNOWN && t->bytes != t->stated_bytes) {
    st = sc_fail(err, SC_BAD_DATA, "it has %" PRIu64 " bytes; the item says (file:size) %" PRIu64,
                 t->bytes, t->stated_bytes);
  }
  if (!st) st = compare(t, path, &is_equal, err);
  if (!st && !is_equal) {
    st = sc_fail(err, SC_BAD_DATA, "what was copied has not the checksum that the item says (%s)",
                 t->checksum);
  }
  if (st) unlink(path);
  return st;
}

static void run_transfer(struct sc_transfer *t) {
  char *path = NULL;
  int whole = 0;
  sc_status st = sc_store_path(t->root, t->key, &path, &t->err);
  if (!st) st = is_whole(t, path, &whole, &t->err);
  t->is_new = !whole;
  if (!st && !whole) st = fetch(t, path, &t->err);
  sc_settle(&t->err, st);
  sc_free(path);
}

/* --- the threads --- */

static struct sc_transfer *take(struct sc_transfers *pool) {
  pthread_mutex_lock(&pool->lock);
  while (!pool->first && !pool->is_stopped) pthread_cond_wait(&pool->has_work, &pool->lock);
  struct sc_transfer *t = pool->is_stopped ? NULL : pool->first;
  if (t) pool->first = t->next;
  pthread_mutex_unlock(&pool->lock);
  return t;
}

static void *work(void *context) {
  struct sc_transfers *pool = context;
  for (struct sc_transfer *t; (t = take(pool)) != NULL;) {
    run_transfer(t);
    pthread_mutex_lock(&pool->lock);
    t->next = pool->done;
    pool->done = t;
    pthread_cond_signal(&pool->has_result);
    pthread_mutex_unlock(&pool->lock);
  }
  return NULL;
}

sc_status sc_transfers_start(int n_threads, struct sc_transfers **out, struct sc_error *err) {
  struct sc_transfers *pool = *out = sc_alloc_zero(1, sizeof *pool);
  if (!pool) return sc_fail_nomem(err);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->has_work, NULL);
  pthread_cond_init(&pool->has_result, NULL);
  while (pool->n_threads < n_threads &&
         sc_thread_start(&pool->threads[pool->n_threads], work, pool)) {
    pool->n_threads++;
  }
  if (pool->n_threads > 0) return SC_OK;
  sc_transfers_stop(pool);
  *out = NULL;
  return sc_fail(err, SC_IO, "the system starts no thread");
}

void sc_transfers_submit(struct sc_transfers *pool, struct sc_transfer *t) {
  pthread_mutex_lock(&pool->lock);
  t->next = NULL;
  if (pool->first) {
    pool->last->next = t;
  } else {
    pool->first = t;
  }
  pool->last = t;
  pool->n_under_way++;
  pthread_cond_signal(&pool->has_work);
  pthread_mutex_unlock(&pool->lock);
}

struct sc_transfer *sc_transfers_wait(struct sc_transfers *pool) {
  pthread_mutex_lock(&pool->lock);
  while (!pool->done && pool->n_under_way) pthread_cond_wait(&pool->has_result, &pool->lock);
  struct sc_transfer *t = pool->done;
  if (t) {
    pool->done = t->next;
    pool->n_under_way--;
  }
  pthread_mutex_unlock(&pool->lock);
  return t;
}

void sc_transfers_stop(struct sc_transfers *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  pool->is_stopped = 1;
  pthread_cond_broadcast(&pool->has_work);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 0; i < pool->n_threads; i++) pthread_join(pool->threads[i], NULL);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->has_work);
  pthread_cond_destroy(&pool->has_result);
  sc_free(pool);
}
