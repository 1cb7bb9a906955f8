/*
 * How far long work is: shown by whoever follows (the program's bar), else told on stderr where the
 * setting "progress" asks for it.
 *
 *   struct sc_progress p;
 *   sc_progress_begin(&p, "stacchip_freeze", "chips");
 *   for (...) sc_progress_tell(&p, done, total, "");
 *   sc_progress_end(&p, done, total, "");
 */
#ifndef SC_BASE_PROGRESS_H
#define SC_BASE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct sc_progress {
  const char *what, *units; /* borrowed */
  double began_s, told_s;   /* of a monotonic clock */
};

void sc_progress_begin(struct sc_progress *p, const char *what, const char *units);
/* Cheap: most calls do no more than look at the clock. total 0: not known. note: what else there is
 * to say, or "". */
void sc_progress_tell(struct sc_progress *p, int64_t done, int64_t total, const char *note);
/* The same at the end of the work, whenever it was told last. */
void sc_progress_end(struct sc_progress *p, int64_t done, int64_t total, const char *note);

/* Have what this thread does shown, in place of the lines on stderr; NULL: no longer. */
void sc_progress_follow(void (*show)(void *context, int64_t done, int64_t total), void *context);

/* "34/100 items, 3.1/s, 0:21 left", or without a total "34 items, 3.1/s". Time left is told after a
 * second. */
#define SC_PROGRESS_TEXT 120
void sc_progress_text(const char *units, int64_t done, int64_t total, double seconds,
                      char out[SC_PROGRESS_TEXT]);

#endif
