/* Work in threads; see task.h. */
#include "parquet/task.h"

#include <signal.h>

#include "base/settings.h"
#include "base/sqlite.h"

int sc_task_threads_allowed(void) {
  return sc_settings_int("threads") > 1 && sqlite3_threadsafe() != 0;
}

static void *thread_main(void *argument) {
  struct sc_task *t = argument;
  t->run(t->argument);
  return NULL;
}

void sc_task_start(struct sc_task *t, void (*run)(void *), void *argument) {
  sigset_t all, before;
  t->run = run;
  t->argument = argument;
  t->is_running = 0;
  if (sc_task_threads_allowed()) {
    sigfillset(&all); /* signals are the host's: its own threads get them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    t->is_running = pthread_create(&t->thread, NULL, thread_main, t) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  if (!t->is_running) run(argument);
}

void sc_task_wait(struct sc_task *t) {
  if (t->is_running) pthread_join(t->thread, NULL);
  t->is_running = 0;
}
