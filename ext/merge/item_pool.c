/* Worker threads that index items; see item_pool.h. */
#include "merge/item_pool.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/thread.h"
#include "merge/headers.h"

struct sc_item_pool {
  pthread_mutex_t lock;
  pthread_cond_t work, done;
  pthread_t threads[SC_ITEM_POOL_MAX_THREADS];
  int n_threads;
  int is_stopping;
  struct sc_rules *rules;           /* borrowed; locked inside */
  const struct sc_merge_args *args; /* borrowed */
  int n_tasks, n_used;
  struct sc_item_task tasks[2 * SC_ITEM_POOL_MAX_THREADS];
};

static int is_stopping(void *context) {
  struct sc_item_pool *pool = context;
  pthread_mutex_lock(&pool->lock);
  int stop = pool->is_stopping;
  pthread_mutex_unlock(&pool->lock);
  return stop;
}

static struct sc_item_task *task_in_state(struct sc_item_pool *pool, int state) {
  for (int i = 0; i < pool->n_tasks; i++) {
    if ((int)pool->tasks[i].state == state) return &pool->tasks[i];
  }
  return NULL;
}

static void run_task(struct sc_item_pool *pool, struct sc_item_task *task) {
  struct sc_index_call call = {NULL, pool->rules, is_stopping, pool};
  sc_status st =
      sc_index_item(&call, task->item, task->size, &pool->args->index, &task->index, &task->err);
  if (!st) st = sc_merge_make_headers(pool->args, &task->index, &task->headers, &task->err);
  sc_settle(&task->err, st);
}

static void *work(void *argument) {
  struct sc_item_pool *pool = argument;
  sc_interrupt_follow_task(is_stopping, pool);
  pthread_mutex_lock(&pool->lock);
  while (!pool->is_stopping) {
    struct sc_item_task *task = task_in_state(pool, SC_TASK_WAITING);
    if (!task) {
      pthread_cond_wait(&pool->work, &pool->lock);
      continue;
    }
    task->state = SC_TASK_RUNNING;
    pthread_mutex_unlock(&pool->lock);
    run_task(pool, task);
    pthread_mutex_lock(&pool->lock);
    task->state = SC_TASK_DONE;
    pthread_cond_signal(&pool->done);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

sc_status sc_item_pool_start(int n_threads, struct sc_rules *rules,
                             const struct sc_merge_args *args, struct sc_item_pool **out,
                             struct sc_error *err) {
  struct sc_item_pool *pool = sc_alloc_zero(1, sizeof *pool);
  *out = pool;
  if (!pool) return sc_fail_nomem(err);
  pool->rules = rules;
  pool->args = args;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  if (n_threads > SC_ITEM_POOL_MAX_THREADS) n_threads = SC_ITEM_POOL_MAX_THREADS;
  /* Set before a worker is there to see them. */
  pool->n_tasks = 2 * n_threads;
  while (pool->n_threads < n_threads &&
         sc_thread_start(&pool->threads[pool->n_threads], work, pool)) {
    pool->n_threads++;
  }
  if (pool->n_threads > 0) return SC_OK;
  sc_item_pool_stop(pool);
  *out = NULL;
  return sc_fail(err, SC_AGAIN, "stacchip_merge_items: no thread could be started");
}

static void free_parts(struct sc_item_task *task) {
  sc_merge_headers_free(task->headers, task->index.n_assets);
  sc_index_free(&task->index);
  sc_free(task->item);
}

void sc_item_pool_stop(struct sc_item_pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  pool->is_stopping = 1;
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 0; i < pool->n_threads; i++) pthread_join(pool->threads[i], NULL);
  for (int i = 0; i < pool->n_tasks; i++) free_parts(&pool->tasks[i]);
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->done);
  pthread_mutex_destroy(&pool->lock);
  sc_free(pool);
}

struct sc_item_task *sc_item_pool_free_task(struct sc_item_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  struct sc_item_task *task = task_in_state(pool, SC_TASK_FREE);
  pthread_mutex_unlock(&pool->lock);
  return task;
}

void sc_item_pool_submit(struct sc_item_pool *pool, struct sc_item_task *task) {
  pthread_mutex_lock(&pool->lock);
  task->state = SC_TASK_WAITING;
  pool->n_used++;
  pthread_cond_signal(&pool->work);
  pthread_mutex_unlock(&pool->lock);
}

int sc_item_pool_count(const struct sc_item_pool *pool) { return pool->n_used; }

struct sc_item_task *sc_item_pool_wait(struct sc_item_pool *pool, int wait_ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += (long)wait_ms * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&pool->lock);
  struct sc_item_task *task = task_in_state(pool, SC_TASK_DONE);
  if (!task && pthread_cond_timedwait(&pool->done, &pool->lock, &until) == 0) {
    task = task_in_state(pool, SC_TASK_DONE);
  }
  pthread_mutex_unlock(&pool->lock);
  return task;
}

void sc_item_pool_release(struct sc_item_pool *pool, struct sc_item_task *task) {
  free_parts(task); /* done: workers look at its state, and at nothing else */
  pthread_mutex_lock(&pool->lock);
  memset(task, 0, sizeof *task);
  task->state = SC_TASK_FREE;
  pool->n_used--;
  pthread_mutex_unlock(&pool->lock);
}
