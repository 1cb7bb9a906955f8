/* Worker threads that index items; see item_pool.h. */
#include "merge/item_pool.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "merge/write.h"

struct item_pool {
  pthread_mutex_t lock;
  pthread_cond_t work, done;
  pthread_t threads[SC_POOL_MAX_THREADS];
  int n_threads;
  int is_stopping;
  struct sc_rules *rules;           /* borrowed; locked inside */
  const struct sc_merge_args *args; /* borrowed */
  int n_tasks, n_used;
  struct pool_task tasks[2 * SC_POOL_MAX_THREADS];
};

static int is_stopping(void *context) {
  struct item_pool *pool = context;
  pthread_mutex_lock(&pool->lock);
  int stop = pool->is_stopping;
  pthread_mutex_unlock(&pool->lock);
  return stop;
}

static struct pool_task *task_in_state(struct item_pool *pool, int state) {
  for (int i = 0; i < pool->n_tasks; i++) {
    if ((int)pool->tasks[i].state == state) return &pool->tasks[i];
  }
  return NULL;
}

static void run_task(struct item_pool *pool, struct pool_task *task) {
  struct sc_index_call call = {NULL, pool->rules, is_stopping, pool};
  sc_status st =
      sc_index_item(&call, task->item, task->size, &pool->args->index, &task->index, &task->err);
  if (!st) st = sc_merge_make_headers(pool->args, &task->index, &task->headers, &task->err);
  sc_settle(&task->err, st);
}

static void *work(void *argument) {
  struct item_pool *pool = argument;
  sc_interrupt_follow_task(is_stopping, pool);
  pthread_mutex_lock(&pool->lock);
  while (!pool->is_stopping) {
    struct pool_task *task = task_in_state(pool, TASK_WAITING);
    if (!task) {
      pthread_cond_wait(&pool->work, &pool->lock);
      continue;
    }
    task->state = TASK_RUNNING;
    pthread_mutex_unlock(&pool->lock);
    run_task(pool, task);
    pthread_mutex_lock(&pool->lock);
    task->state = TASK_DONE;
    pthread_cond_signal(&pool->done);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

sc_status sc_pool_start(int n_threads, struct sc_rules *rules, const struct sc_merge_args *args,
                        struct item_pool **out, struct sc_error *err) {
  struct item_pool *pool = sc_alloc_zero(1, sizeof *pool);
  *out = pool;
  if (!pool) return sc_fail_nomem(err);
  pool->rules = rules;
  pool->args = args;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  if (n_threads > SC_POOL_MAX_THREADS) n_threads = SC_POOL_MAX_THREADS;
  /* Set before a worker is there to see them. */
  pool->n_tasks = 2 * n_threads;
  while (pool->n_threads < n_threads &&
         pthread_create(&pool->threads[pool->n_threads], NULL, work, pool) == 0) {
    pool->n_threads++;
  }
  if (pool->n_threads > 0) return SC_OK;
  sc_pool_stop(pool);
  *out = NULL;
  return sc_fail(err, SC_AGAIN, "stacchip_merge_items: no thread could be started");
}

static void free_parts(struct pool_task *task) {
  sc_merge_headers_free(task->headers, task->index.n_assets);
  sc_index_free(&task->index);
  sc_free(task->item);
}

void sc_pool_stop(struct item_pool *pool) {
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

struct pool_task *sc_pool_free_task(struct item_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  struct pool_task *task = task_in_state(pool, TASK_FREE);
  pthread_mutex_unlock(&pool->lock);
  return task;
}

void sc_pool_submit(struct item_pool *pool, struct pool_task *task) {
  pthread_mutex_lock(&pool->lock);
  task->state = TASK_WAITING;
  pool->n_used++;
  pthread_cond_signal(&pool->work);
  pthread_mutex_unlock(&pool->lock);
}

int sc_pool_count(const struct item_pool *pool) { return pool->n_used; }

struct pool_task *sc_pool_wait(struct item_pool *pool, int wait_ms) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += (long)wait_ms * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_mutex_lock(&pool->lock);
  struct pool_task *task = task_in_state(pool, TASK_DONE);
  if (!task && pthread_cond_timedwait(&pool->done, &pool->lock, &until) == 0) {
    task = task_in_state(pool, TASK_DONE);
  }
  pthread_mutex_unlock(&pool->lock);
  return task;
}

void sc_pool_release(struct item_pool *pool, struct pool_task *task) {
  free_parts(task); /* done: workers look at its state, and at nothing else */
  pthread_mutex_lock(&pool->lock);
  memset(task, 0, sizeof *task);
  task->state = TASK_FREE;
  pool->n_used--;
  pthread_mutex_unlock(&pool->lock);
}
