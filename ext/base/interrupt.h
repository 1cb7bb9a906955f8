/*
 * The thread's source of interrupts, which transfers poll that were given no callback: so
 * sqlite3_interrupt() ends a request that hangs wherever it was made. Each shared object has one
 * of its own; the second one polls the first (sc_interrupt_watch()).
 */
#ifndef SC_BASE_INTERRUPT_H
#define SC_BASE_INTERRUPT_H

#include "base/sqlite.h"
#include "base/status.h"

/* The connection whose statement this thread steps; NULL: none. */
void sc_interrupt_follow(sqlite3 *db);
/* Forget a connection that closes. */
void sc_interrupt_forget(const sqlite3 *db);
/* A helper thread polls its job instead of a connection; NULL: neither. */
void sc_interrupt_follow_task(int (*interrupted)(void *), void *context);

/* Poll this too, on every thread of the process: in the second half, sc_interrupted() of the first.
 */
void sc_interrupt_watch(int (*interrupted)(void *unused));

/* Has this thread been asked to stop? The argument is not used. */
int sc_interrupted(void *unused);

/* SC_INTERRUPT where it has. For inner loops: it asks only as often as base/poll.h has it, so that
 * most calls cost no more than a look at the clock. */
sc_status sc_interrupt_check(struct sc_error *err);

#endif
