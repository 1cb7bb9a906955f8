/* Who may stop the calling thread; see interrupt.h. */
#include "base/interrupt.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/db.h"
#include "base/poll.h"

static _Thread_local sqlite3 *current;
static _Thread_local int (*task_interrupted)(void *);
static _Thread_local void *task_context;
static int (*_Atomic watched)(void *);

void sc_interrupt_follow(sqlite3 *db) { current = db; }

void sc_interrupt_forget(const sqlite3 *db) {
  if (current == db) current = NULL;
}

void sc_interrupt_follow_task(int (*interrupted)(void *), void *context) {
  task_interrupted = interrupted;
  task_context = context;
}

void sc_interrupt_watch(int (*interrupted)(void *)) {
  if (interrupted != sc_interrupted) atomic_store(&watched, interrupted); /* both halves in one */
}

int sc_interrupted(void *unused) {
  int (*ask)(void *) = atomic_load(&watched);
  int is_stopped =
      task_interrupted ? task_interrupted(task_context) : current && sc_db_interrupted(current);
  return is_stopped || (ask && ask(unused));
}

sc_status sc_interrupt_check(struct sc_error *err) {
  static _Thread_local struct timespec due;
  if (!sc_poll_is_due(CLOCK_MONOTONIC, &due)) return SC_OK;
  if (sc_interrupted(NULL)) return sc_fail(err, SC_INTERRUPT, "interrupted");
  due = sc_next_poll(CLOCK_MONOTONIC);
  return SC_OK;
}
