/* Start threads; see thread.h. */
#include "base/thread.h"

#include <signal.h>

int sc_thread_start(pthread_t *thread, void *(*run)(void *), void *context) {
  pthread_attr_t attributes;
  pthread_t detached;
  sigset_t all, before;
  if (pthread_attr_init(&attributes) != 0) return 0;
  if (!thread) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread inherits the mask */
  int failed = pthread_create(thread ? thread : &detached, &attributes, run, context);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return !failed;
}
