/*
 * The one way to start a thread. Signals are the host's: a thread of ours takes none, so that no
 * handler of the host runs on a stack it knows nothing of.
 */
#ifndef SC_BASE_THREAD_H
#define SC_BASE_THREAD_H

#include <pthread.h>

/*
 * Start `run(context)` with every signal blocked. The caller joins *thread; `thread` NULL starts
 * one that nobody joins. Returns 1, or 0 where the system refuses: the caller then does the work
 * itself or reports it.
 */
int sc_thread_start(pthread_t *thread, void *(*run)(void *), void *context);

#endif
