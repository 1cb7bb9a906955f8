/* Batches read ahead; see reader.h. */
#include "pixels/reader.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "base/poll.h"
#include "base/thread.h"

/* Threads that hold superblocks: one waits for a server while the other decodes. */
#define N_HOLDERS 2
#define LOOK_PER_BATCH 3 /* superblocks opened ahead, for each batch that is read ahead */

/* Jobs lie in a ring: batch k in place k modulo n_jobs. Counts are batches of the epoch. */
struct sc_reader {
  struct sc_feed *feed;
  struct sc_job *jobs; /* the one that the caller has, and those ahead */
  size_t n_jobs;
  size_t n_given; /* batches before this one were given */
  int has_thread;
  pthread_t thread, holders[N_HOLDERS];
  size_t n_holders;
  /* guarded by lock: */
  size_t n_prepared, n_done;
  size_t n_opened, n_taken, n_held; /* superblocks of feed->opened: the first n_held are held */
  int cancel;
  pthread_mutex_t lock;
  pthread_cond_t moved;
};

/* --- fork() --- */

/*
 * The threads that read ahead allocate while the host may call fork(); whoever holds the mutex of
 * SQLite's allocator at that moment is not in the child, whose next sqlite3_free() would wait for
 * ever (26 of 60 children did). So fork() takes it first, as the C library does with malloc()'s
 * own.
 */
static sqlite3_mutex *allocator_mutex;

static void before_fork(void) { sqlite3_mutex_enter(allocator_mutex); }
static void after_fork(void) { sqlite3_mutex_leave(allocator_mutex); }

static void protect_forks(void) {
  allocator_mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_MEM);
  if (allocator_mutex) pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- jobs --- */

static struct sc_job *job_of(struct sc_reader *r, size_t k) { return &r->jobs[k % r->n_jobs]; }

static int is_cancelled(void *reader) {
  struct sc_reader *r = reader;
  pthread_mutex_lock(&r->lock);
  int cancel = r->cancel;
  pthread_mutex_unlock(&r->lock);
  return cancel;
}

/* Hold superblocks in the order in which batches want them. */
static void *hold_superblocks(void *reader) {
  struct sc_reader *r = reader;
  sc_interrupt_follow_task(is_cancelled, r);
  pthread_mutex_lock(&r->lock);
  while (!r->cancel) {
    if (r->n_taken == r->n_opened) {
      pthread_cond_wait(&r->moved, &r->lock);
      continue;
    }
    size_t i = r->n_taken++;
    struct sc_live *superblock = r->feed->opened[i];
    pthread_mutex_unlock(&r->lock);
    sc_feed_hold(superblock);
    pthread_mutex_lock(&r->lock);
    while (r->n_held < i && !r->cancel) pthread_cond_wait(&r->moved, &r->lock);
    r->n_held = i + 1;
    pthread_cond_broadcast(&r->moved);
  }
  pthread_mutex_unlock(&r->lock);
  return NULL;
}

static void *run_jobs(void *reader) {
  struct sc_reader *r = reader;
  sc_interrupt_follow_task(is_cancelled, r);
  pthread_mutex_lock(&r->lock);
  while (!r->cancel) {
    struct sc_job *job = job_of(r, r->n_done);
    if (r->n_done == r->n_prepared || r->n_held < job->n_needed) {
      pthread_cond_wait(&r->moved, &r->lock);
      continue;
    }
    pthread_mutex_unlock(&r->lock);
    sc_feed_run(r->feed, job);
    pthread_mutex_lock(&r->lock);
    r->n_done++;
    pthread_cond_broadcast(&r->moved);
  }
  pthread_mutex_unlock(&r->lock);
  return NULL;
}

/*
 * Batches want uneven numbers of new superblocks: some more than those that are read ahead want are
 * opened, so that a caller who takes as long as reading does seldom waits. Without holders the
 * caller's thread holds them.
 */
static void start_holders(struct sc_reader *r) {
  while (r->feed->by_superblock && r->n_holders < N_HOLDERS &&
         sc_thread_start(&r->holders[r->n_holders], hold_superblocks, r))
    r->n_holders++;
  if (r->n_holders) r->feed->look = LOOK_PER_BATCH * (r->n_jobs - 1);
}

sc_status sc_reader_start(struct sc_feed *feed, size_t ahead, struct sc_reader **out,
                          struct sc_error *err) {
  struct sc_reader *r = sc_alloc_zero(1, sizeof *r);
  if (!r) return sc_fail_nomem(err);
  r->feed = feed;
  r->n_jobs = ahead + 1;
  r->n_given = r->n_prepared = r->n_done = feed->first;
  r->jobs = sc_alloc_zero(r->n_jobs, sizeof *r->jobs);
  if (!r->jobs) {
    sc_free(r);
    return sc_fail_nomem(err);
  }
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->moved, NULL);
  static pthread_once_t protected = PTHREAD_ONCE_INIT;
  if (ahead > 0) pthread_once(&protected, protect_forks);
  if (ahead > 0 && sqlite3_threadsafe()) r->has_thread = sc_thread_start(&r->thread, run_jobs, r);
  if (r->has_thread) start_holders(r);
  *out = r;
  return SC_OK;
}

/* Prepare the batches that may be under way beside the next one. */
static void prepare_ahead(struct sc_reader *r) {
  size_t end = r->n_given + (r->has_thread ? r->n_jobs : 1);
  if (end > r->feed->order->n_batches) end = r->feed->order->n_batches;
  for (size_t k = r->n_prepared; k < end; k++) {
    struct sc_job *job = job_of(r, k);
    sc_job_free(job);
    sc_feed_prepare(r->feed, k, job);
    size_t n_opened = r->feed->n_opened;
    for (size_t i = r->n_opened; i < n_opened && !r->n_holders; i++)
      sc_feed_hold(r->feed->opened[i]);
    pthread_mutex_lock(&r->lock);
    r->n_opened = n_opened;
    if (!r->n_holders) r->n_held = n_opened;
    r->n_prepared = k + 1;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
  }
}

static sc_status wait_for_job(struct sc_reader *r, struct sc_error *err) {
  sqlite3 *db = r->feed->c->db;
  int stop = 0;
  pthread_mutex_lock(&r->lock);
  while (r->n_done == r->n_given && !stop) {
    struct timespec until = sc_next_poll(CLOCK_REALTIME);
    if (pthread_cond_timedwait(&r->moved, &r->lock, &until) == 0) continue;
    pthread_mutex_unlock(&r->lock);
    stop = sc_db_interrupted(db);
    pthread_mutex_lock(&r->lock);
    r->cancel |= stop;
  }
  pthread_mutex_unlock(&r->lock);
  return stop ? sc_fail(err, SC_INTERRUPT, "interrupted") : SC_OK;
}

sc_status sc_reader_next(struct sc_reader *r, struct sc_job **out, struct sc_error *err) {
  struct sc_job *job = job_of(r, r->n_given);
  prepare_ahead(r);
  if (r->has_thread) {
    sc_status st = wait_for_job(r, err);
    if (st) return st;
  } else {
    sc_feed_run(r->feed, job);
  }
  r->n_given++;
  sc_feed_settle(r->feed, job);
  if (job->status) *err = job->err;
  *out = job;
  return job->status;
}

void sc_reader_stop(struct sc_reader *r) {
  if (!r) return;
  if (r->has_thread) {
    pthread_mutex_lock(&r->lock);
    r->cancel = 1;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    for (size_t i = 0; i < r->n_holders; i++) pthread_join(r->holders[i], NULL);
  }
  for (size_t i = 0; i < r->n_jobs; i++) sc_job_free(&r->jobs[i]);
  sc_free(r->jobs);
  pthread_cond_destroy(&r->moved);
  pthread_mutex_destroy(&r->lock);
  sc_free(r);
}
