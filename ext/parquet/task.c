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

static void lane_main(void *lane) {
  struct sc_lane *l = lane;
  pthread_mutex_lock(&l->lock);
  for (;;) {
    while (l->n_done == l->n_put && !l->is_closing) pthread_cond_wait(&l->changed, &l->lock);
    if (l->n_done == l->n_put) break;
    void *argument = l->arguments[l->n_done % SC_LANE_PLACES];
    pthread_mutex_unlock(&l->lock);
    l->run(argument);
    pthread_mutex_lock(&l->lock);
    l->n_done++;
    pthread_cond_signal(&l->changed);
  }
  pthread_mutex_unlock(&l->lock);
}

void sc_lane_open(struct sc_lane *l, void (*run)(void *)) {
  l->run = run;
  l->is_open = pthread_mutex_init(&l->lock, NULL) == 0;
  if (l->is_open && pthread_cond_init(&l->changed, NULL) != 0) {
    pthread_mutex_destroy(&l->lock);
    l->is_open = 0;
  }
  if (l->is_open) start_thread(&l->task, lane_main, l);
}

uint64_t sc_lane_put(struct sc_lane *l, void *argument) {
  if (!l->task.is_running) {
    l->run(argument);
    l->n_done = ++l->n_put;
    return l->n_put;
  }
  if (l->n_put >= SC_LANE_PLACES) sc_lane_wait(l, l->n_put - SC_LANE_PLACES + 1);
  pthread_mutex_lock(&l->lock);
  l->arguments[l->n_put++ % SC_LANE_PLACES] = argument;
  pthread_cond_signal(&l->changed);
  pthread_mutex_unlock(&l->lock);
  return l->n_put;
}

void sc_lane_wait(struct sc_lane *l, uint64_t number) {
  if (!l->task.is_running) return;
  pthread_mutex_lock(&l->lock);
  while (l->n_done < number) pthread_cond_wait(&l->changed, &l->lock);
  pthread_mutex_unlock(&l->lock);
}

void sc_lane_close(struct sc_lane *l) {
  if (!l->is_open) return;
  pthread_mutex_lock(&l->lock);
  l->is_closing = 1;
  pthread_cond_signal(&l->changed);
  pthread_mutex_unlock(&l->lock);
  sc_task_wait(&l->task);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
  l->is_open = 0;
}
