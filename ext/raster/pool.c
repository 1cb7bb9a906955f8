/* The worker pool; see pool.h. Workers are started on need and stay, waiting. */
#include "raster/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/poll.h"
#include "base/sqlite.h"
#include "base/thread.h"
#include "raster/runtime.h"

#define WORKERS_MAX 63

/* One sc_pool_run() on its caller's stack, in the list while it wants helpers. */
struct job {
  int (*task)(void *, size_t);
  void *context;
  size_t n;
  atomic_size_t next;
  atomic_int stop;   /* 0; 1 a task failed; 2 interrupted */
  int n_helpers;     /* workers inside; guarded by lock */
  int wants_helpers; /* how many more may join; guarded by lock */
  struct job *link;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER; /* a job wants helpers */
static pthread_cond_t done = PTHREAD_COND_INITIALIZER; /* a worker left a job */
static struct job *jobs;
static int n_workers, n_idle;

/* Asking takes longer than copying a block that is decoded already: only as often as base/poll.h
 * has it. */
static void run_tasks(struct job *job, int (*interrupted)(void *), void *interrupt_context) {
  struct timespec poll = sc_next_poll(CLOCK_MONOTONIC);
  while (!atomic_load(&job->stop)) {
    size_t i = atomic_fetch_add(&job->next, 1);
    if (i >= job->n) return;
    int running = 0, failed = job->task(job->context, i);
    if (failed) atomic_compare_exchange_strong(&job->stop, &running, 1);
    /* A task that failed may have been interrupted: then the helpers are told at once. */
    if (!interrupted || (!failed && !sc_poll_is_due(CLOCK_MONOTONIC, &poll))) continue;
    if (interrupted(interrupt_context)) atomic_store(&job->stop, 2);
    poll = sc_next_poll(CLOCK_MONOTONIC);
  }
}

static int is_stopped(void *job) { return atomic_load(&((struct job *)job)->stop) == 2; }

static struct job *find_job(void) {
  struct job *job = jobs;
  while (job && job->wants_helpers <= 0) job = job->link;
  return job;
}

static void *worker(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  for (;;) {
    struct job *job = find_job();
    if (!job) {
      n_idle++;
      pthread_cond_wait(&work, &lock);
      n_idle--;
      continue;
    }
    job->wants_helpers--;
    job->n_helpers++;
    pthread_mutex_unlock(&lock);
    sc_interrupt_follow_task(is_stopped, job); /* a transfer that hangs must not hold the job */
    run_tasks(job, NULL, NULL);
    sc_interrupt_follow_task(NULL, NULL);
    pthread_mutex_lock(&lock);
    job->n_helpers--;
    pthread_cond_broadcast(&done);
  }
  return NULL;
}

static void offer_job(struct job *job, int helpers) {
  pthread_mutex_lock(&lock);
  job->wants_helpers = helpers;
  job->link = jobs;
  jobs = job;
  while (n_workers < helpers && n_workers < WORKERS_MAX) {
    if (!sc_thread_start(NULL, worker, NULL)) break; /* the caller does it all */
    n_workers++;
  }
  pthread_cond_broadcast(&work);
  pthread_mutex_unlock(&lock);
}

/* The helpers may still be at work, and the caller be asked to stop meanwhile. */
static void wait_for_helpers(struct job *job, int (*interrupted)(void *), void *context) {
  while (job->n_helpers > 0) {
    struct timespec until = sc_next_poll(CLOCK_REALTIME);
    if (pthread_cond_timedwait(&done, &lock, &until) == 0 || !interrupted) continue;
    pthread_mutex_unlock(&lock);
    if (interrupted(context)) atomic_store(&job->stop, 2);
    pthread_mutex_lock(&lock);
  }
}

static void withdraw_job(struct job *job, int (*interrupted)(void *), void *context) {
  pthread_mutex_lock(&lock);
  job->wants_helpers = 0;
  struct job **at = &jobs;
  while (*at != job) at = &(*at)->link;
  *at = job->link;
  wait_for_helpers(job, interrupted, context);
  pthread_mutex_unlock(&lock);
}

int sc_pool_run(size_t n, int (*task)(void *, size_t), void *context, int (*interrupted)(void *),
                void *interrupt_context) {
  struct job job = {.task = task, .context = context, .n = n};
  int helpers = sc_runtime_threads() - 1;
  if ((size_t)helpers >= n) helpers = n ? (int)n - 1 : 0;
  if (!sqlite3_threadsafe()) helpers = 0;
  if (helpers > 0) offer_job(&job, helpers);
  run_tasks(&job, interrupted, interrupt_context);
  if (helpers > 0) withdraw_job(&job, interrupted, interrupt_context);
  return atomic_load(&job.stop);
}

void sc_pool_abandon(void) {
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&work, NULL);
  pthread_cond_init(&done, NULL);
  jobs = NULL;
  n_workers = n_idle = 0;
}
