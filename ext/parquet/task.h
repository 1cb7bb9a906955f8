/*
 * A task in a thread of its own, or several in turn in one; at once where there are no
 * threads (setting "threads" 1, SQLite without mutexes, or the system refuses one).
 */
#ifndef SC_PARQUET_TASK_H
#define SC_PARQUET_TASK_H

#include <pthread.h>
#include <stdint.h>

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

#define SC_QUEUE_PLACES 8

/* Tasks, one after the other in one thread. All calls come from one other thread. */
struct sc_task_queue {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct sc_task task;
  int is_open, is_closing;
  uint64_t n_put, n_done;
  void (*run)(void *argument);
  void *arguments[SC_QUEUE_PLACES];
};

/* Open for work by one function; zeroed before. Close also where it was not opened. */
void sc_queue_open(struct sc_task_queue *q, void (*run)(void *));
/* Add a task; waits where SC_QUEUE_PLACES are not done. Returns its number, from 1. */
uint64_t sc_queue_put(struct sc_task_queue *q, void *argument);
/* Wait until that task is done; 0 is. */
void sc_queue_wait(struct sc_task_queue *q, uint64_t number);
/* Wait for all work, and end the thread. */
void sc_queue_close(struct sc_task_queue *q);

#endif
