/*
 * Who may stop what the calling thread does: asked by transfers that were given nobody to
 * ask, so that sqlite3_interrupt() ends a request that hangs wherever it was made.
 */
#ifndef SC_BASE_INTERRUPT_H
#define SC_BASE_INTERRUPT_H

#include "base/sqlite.h"

/* The connection whose statement this thread steps; NULL: none. */
void sc_interrupt_follow(sqlite3 *db);
/* Forget a connection that closes. */
void sc_interrupt_forget(const sqlite3 *db);
/* A helper thread asks for whom it works instead; NULL: nobody. */
void sc_interrupt_follow_task(int (*interrupted)(void *), void *context);

/* Has this thread been asked to stop? The argument is not used. */
int sc_interrupted(void *unused);

#endif
