/* Work in threads; see task.h. */
#include "parquet/task.h"

#include "base/settings.h"
#include "base/sqlite.h"
#include "base/thread.h"

int sc_task_threads_allowed(void) {
  return sc_settings_int("threads") > 1 && sqlite3_threadsafe() != 0;
}

static void *thread_main(void *argument) {
  struct sc_task *t = argument;
  t->run(t->argument);
  return NULL;
}

/* 0 where there are no threads. */
static int start_thread(struct sc_task *t, void (*run)(void *), void *argument) {
  t->run = run;
  t->argument = argument;
  t->is_running = 0;
  if (!sc_task_threads_allowed()) return 0;
  t->is_running = sc_thread_start(&t->thread, thread_main, t);
  return t->is_running;
}

void sc_task_start(struct sc_task *t, void (*run)(void *), void *argument) {
  if (!start_thread(t, run, argument)) run(argument);
}

void sc_task_wait(struct sc_task *t) {
  if (t->is_running) pthread_join(t->thread, NULL);
  t->is_running = 0;
}

static void queue_main(void *queue) {
  struct sc_task_queue *q = queue;
  pthread_mutex_lock(&q->lock);
  for (;;) {
    while (q->n_done == q->n_put && !q->is_closing) pthread_cond_wait(&q->changed, &q->lock);
    if (q->n_done == q->n_put) break;
    void *argument = q->arguments[q->n_done % SC_QUEUE_PLACES];
    pthread_mutex_unlock(&q->lock);
    q->run(argument);
    pthread_mutex_lock(&q->lock);
    q->n_done++;
    pthread_cond_signal(&q->changed);
  }
  pthread_mutex_unlock(&q->lock);
}

void sc_queue_open(struct sc_task_queue *q, void (*run)(void *)) {
  q->run = run;
  q->is_open = pthread_mutex_init(&q->lock, NULL) == 0;
  if (q->is_open && pthread_cond_init(&q->changed, NULL) != 0) {
    pthread_mutex_destroy(&q->lock);
    q->is_open = 0;
  }
  if (q->is_open) start_thread(&q->task, queue_main, q);
}

uint64_t sc_queue_put(struct sc_task_queue *q, void *argument) {
  if (!q->task.is_running) {
    q->run(argument);
    q->n_done = ++q->n_put;
    return q->n_put;
  }
  if (q->n_put >= SC_QUEUE_PLACES) sc_queue_wait(q, q->n_put - SC_QUEUE_PLACES + 1);
  pthread_mutex_lock(&q->lock);
  q->arguments[q->n_put++ % SC_QUEUE_PLACES] = argument;
  pthread_cond_signal(&q->changed);
  pthread_mutex_unlock(&q->lock);
  return q->n_put;
}

void sc_queue_wait(struct sc_task_queue *q, uint64_t number) {
  if (!q->task.is_running) return;
  pthread_mutex_lock(&q->lock);
  while (q->n_done < number) pthread_cond_wait(&q->changed, &q->lock);
  pthread_mutex_unlock(&q->lock);
}

void sc_queue_close(struct sc_task_queue *q) {
  if (!q->is_open) return;
  pthread_mutex_lock(&q->lock);
  q->is_closing = 1;
  pthread_cond_signal(&q->changed);
  pthread_mutex_unlock(&q->lock);
  sc_task_wait(&q->task);
  pthread_cond_destroy(&q->changed);
  pthread_mutex_destroy(&q->lock);
  q->is_open = 0;
}
