/* Who may stop the calling thread; see interrupt.h. */
#include "base/interrupt.h"

#include <stddef.h>

#include "base/db.h"

static _Thread_local sqlite3 *current;
static _Thread_local int (*task_interrupted)(void *);
static _Thread_local void *task_context;

void sc_interrupt_follow(sqlite3 *db) { current = db; }

void sc_interrupt_forget(const sqlite3 *db) {
  if (current == db) current = NULL;
}

void sc_interrupt_follow_task(int (*interrupted)(void *), void *context) {
  task_interrupted = interrupted;
  task_context = context;
}

int sc_interrupted(void *unused) {
  (void)unused;
  if (task_interrupted) return task_interrupted(task_context);
  return current && sc_db_interrupted(current);
}
