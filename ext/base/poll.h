/*
 * How often a thread that waits for others asks whether its caller wants it to stop.
 */
#ifndef SC_BASE_POLL_H
#define SC_BASE_POLL_H

#include <time.h>

/* 20 times a second: an interrupt feels instant, asking costs nothing. */
#define SC_POLL_NS 50000000

/* The time of the next poll on the clock that the wait itself goes by. */
static inline struct timespec sc_next_poll(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += SC_POLL_NS;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

/* Has that time come? */
static inline int sc_poll_is_due(clockid_t clock, const struct timespec *at) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec > at->tv_sec || (now.tv_sec == at->tv_sec && now.tv_nsec >= at->tv_nsec);
}

#endif
