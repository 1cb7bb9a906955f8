/*
 * One piece of work in a thread of its own, or at once where there are no threads (setting
 * "threads" 1, SQLite without mutexes, or the system refuses one).
 */
#ifndef SC_PARQUET_TASK_H
#define SC_PARQUET_TASK_H

#include <pthread.h>

struct sc_task {
  pthread_t thread;
  int is_running;
  void (*run)(void *argument);
  void *argument; /* borrowed */
};

/* 1 where work may run beside the caller. */
int sc_task_threads_allowed(void);
/* Start. The task and its argument stay untouched until sc_task_wait(). */
void sc_task_start(struct sc_task *t, void (*run)(void *), void *argument);
/* Wait for it; nothing where it does not run. */
void sc_task_wait(struct sc_task *t);

#endif
