/*
 * The worker pool; see pool.h.
 *
 * HOW IT WORKS  A call that wants helpers takes one of a few places, each with a lock of its own.
 * Workers sleep each on a condition of its own, and a bit says of each whether it does; the caller
 * wakes two, each of these two more while the job wants some, and nobody else. What is to be done
 * next is one atomic counter of the job. So no lock is common to all, and none is held while a task
 * is taken or done.
 *
 * A word of a place says whether its job takes helpers and how many are inside. A worker may read
 * the job only once it has counted itself in; the caller leaves only when none is inside.
 */
#include "raster/pool.h"

#include <limits.h>
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
#define N_PLACES 64 /* calls that have helpers at the same time; further ones work alone */
#define N_SPINS 200 /* looks around before a worker sleeps: some 10 µs, less than waking it takes \
                     */
#define WOKEN_BY_ONE 2

struct job {
  int (*task)(void *, size_t);
  void *context;
  size_t n;
  atomic_size_t next;
  atomic_int stop;   /* 0; 1 a task failed; 2 interrupted */
  atomic_int wanted; /* helpers that may still join */
};

#define IS_OPEN 0x10000u /* in place.word; below it the number of helpers inside */

struct place {
  _Alignas(64) atomic_uint word;
  atomic_int is_taken;
  struct job *job;
  pthread_mutex_t lock;
  pthread_cond_t left; /* the last helper has left */
};

struct worker {
  _Alignas(64) pthread_mutex_t lock;
  pthread_cond_t wake;
  int is_woken; /* guarded by lock */
};

static struct place places[N_PLACES];
static struct worker workers[WORKERS_MAX];
static atomic_uint_fast64_t asleep; /* a bit for each worker */
static atomic_uint n_offers;        /* so far: a change tells who spins */
static atomic_int n_workers;
static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER; /* of starting workers */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_all(void) {
  memset(places, 0, sizeof places);
  memset(workers, 0, sizeof workers);
  for (int i = 0; i < N_PLACES; i++) {
    pthread_mutex_init(&places[i].lock, NULL);
    pthread_cond_init(&places[i].left, NULL);
  }
  for (int i = 0; i < WORKERS_MAX; i++) {
    pthread_mutex_init(&workers[i].lock, NULL);
    pthread_cond_init(&workers[i].wake, NULL);
  }
  atomic_store(&asleep, 0);
  atomic_store(&n_workers, 0);
}

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

/* Let the other thread of the core run while this one looks again and again. */
static inline void relax(void) {
#ifdef __SSE2__
  __builtin_ia32_pause();
#endif
}

/* --- waking --- */

static void wake(int n) {
  for (; n > 0; n--) {
    uint64_t bits = atomic_load(&asleep), bit;
    do {
      if (!bits) return;
      bit = bits & (0 - bits);
    } while (!atomic_compare_exchange_weak(&asleep, &bits, bits & ~bit));
    struct worker *w = &workers[__builtin_ctzll(bit)];
    pthread_mutex_lock(&w->lock);
    w->is_woken = 1;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
  }
}

static int wake_count(int wanted) { return wanted < WOKEN_BY_ONE ? wanted : WOKEN_BY_ONE; }

/* --- workers --- */

/* Count this thread in, if the job still takes helpers. */
static int join_place(struct place *p) {
  unsigned word = atomic_load(&p->word);
  do {
    if (!(word & IS_OPEN)) return 0;
  } while (!atomic_compare_exchange_weak(&p->word, &word, word + 1));
  return 1;
}

static void leave_place(struct place *p) {
  if (atomic_fetch_sub(&p->word, 1) != 1) return;
  pthread_mutex_lock(&p->lock); /* the caller has closed it, and may be about to wait */
  pthread_cond_signal(&p->left);
  pthread_mutex_unlock(&p->lock);
}

static int help_at(struct place *p) {
  if (!join_place(p)) return 0;
  struct job *job = p->job;
  int wanted = atomic_fetch_sub(&job->wanted, 1), helps = wanted > 0;
  if (helps) {
    wake(wake_count(wanted - 1));
    sc_interrupt_follow_task(is_stopped, job); /* a transfer that hangs must not hold the job */
    run_tasks(job, NULL, NULL);
    sc_interrupt_follow_task(NULL, NULL);
  } else {
    atomic_fetch_add(&job->wanted, 1);
  }
  leave_place(p);
  return helps;
}

static int help_somebody(void) {
  for (int i = 0; i < N_PLACES; i++) {
    if ((atomic_load(&places[i].word) & IS_OPEN) && help_at(&places[i])) return 1;
  }
  return 0;
}

static int sees_an_offer(unsigned seen) {
  for (int i = 0; i < N_SPINS; i++) {
    if (atomic_load(&n_offers) != seen) return 1;
    relax();
  }
  return 0;
}

/* Sleep until somebody takes our bit. An offer made before it was set was seen by no one else. */
static void sleep_until_woken(int i, unsigned seen) {
  struct worker *w = &workers[i];
  uint64_t bit = UINT64_C(1) << i;
  atomic_fetch_or(&asleep, bit);
  if (atomic_load(&n_offers) != seen && (atomic_fetch_and(&asleep, ~bit) & bit)) return;
  pthread_mutex_lock(&w->lock);
  while (!w->is_woken) pthread_cond_wait(&w->wake, &w->lock);
  w->is_woken = 0;
  pthread_mutex_unlock(&w->lock);
}

static void *work(void *number) {
  int i = (int)(intptr_t)number;
  for (;;) {
    unsigned seen = atomic_load(&n_offers);
    if (help_somebody() || sees_an_offer(seen)) continue;
    sleep_until_woken(i, seen);
  }
  return NULL;
}

static void start_workers(int n) {
  if (atomic_load(&n_workers) >= n) return;
  pthread_mutex_lock(&start_lock);
  for (int i = atomic_load(&n_workers); i < n && i < WORKERS_MAX; i++) {
    if (!sc_thread_start(NULL, work, (void *)(intptr_t)i)) break; /* the caller does it all */
    atomic_store(&n_workers, i + 1);
  }
  pthread_mutex_unlock(&start_lock);
}

/* --- callers --- */

static struct place *take_place(void) {
  for (int i = 0; i < N_PLACES; i++) {
    int is_free = 0;
    if (atomic_compare_exchange_strong(&places[i].is_taken, &is_free, 1)) return &places[i];
  }
  return NULL;
}

static void offer(struct place *p, struct job *job, int helpers) {
  start_workers(helpers);
  atomic_store(&job->wanted, helpers);
  p->job = job;
  atomic_store(&p->word, IS_OPEN);
  atomic_fetch_add(&n_offers, 1);
  wake(wake_count(helpers));
}

/* The helpers may still be at work, and the caller be asked to stop meanwhile. */
static void withdraw(struct place *p, int (*interrupted)(void *), void *context) {
  struct job *job = p->job;
  atomic_fetch_and(&p->word, ~IS_OPEN);
  for (int i = 0; i < N_SPINS && atomic_load(&p->word); i++) {
    relax();
  }
  pthread_mutex_lock(&p->lock);
  while (atomic_load(&p->word)) {
    struct timespec until = sc_next_poll(CLOCK_REALTIME);
    if (pthread_cond_timedwait(&p->left, &p->lock, &until) == 0 || !interrupted) continue;
    pthread_mutex_unlock(&p->lock);
    if (interrupted(context)) atomic_store(&job->stop, 2);
    pthread_mutex_lock(&p->lock);
  }
  pthread_mutex_unlock(&p->lock);
  atomic_store(&p->is_taken, 0);
}

int sc_pool_run(size_t n, int helpers, int (*task)(void *, size_t), void *context,
                int (*interrupted)(void *), void *interrupt_context) {
  struct job job = {.task = task, .context = context, .n = n};
  int most = sc_runtime_threads() - 1;
  if (helpers > most) helpers = most;
  if (n <= INT_MAX && helpers >= (int)n) helpers = (int)n - 1;
  if (!sqlite3_threadsafe()) helpers = 0;
  pthread_once(&once, init_all);
  struct place *p = helpers > 0 ? take_place() : NULL;
  if (p) offer(p, &job, helpers);
  run_tasks(&job, interrupted, interrupt_context);
  if (p) withdraw(p, interrupted, interrupt_context);
  return atomic_load(&job.stop);
}

void sc_pool_abandon(void) {
  pthread_once(&once, init_all);
  pthread_mutex_init(&start_lock, NULL);
  init_all();
}
