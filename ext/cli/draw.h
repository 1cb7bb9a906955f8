/*
 * Draws as Python's module random makes them, so that a row of a layer gets the same scenes as in
 * the Python package.
 *
 * Source  Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform
 *         pseudo-random number generator", 1998, with init_by_array() of their 2002 version; and
 *         what Python's documentation and source say of seed(), sample() and choice() (3.9
 * to 3.13).
 */
#ifndef SC_CLI_DRAW_H
#define SC_CLI_DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SC_MT_WORDS 624

struct sc_draw {
  uint32_t state[SC_MT_WORDS];
  int at;
};

/* random.seed(seed) of a whole number. */
void sc_draw_seed(struct sc_draw *d, uint64_t seed);
/* A whole number below n, from 1: random.randrange(n), which choice() takes too. */
uint32_t sc_draw_below(struct sc_draw *d, uint32_t n);
/* random.sample(range(n), k): k <= n numbers into out. SC_NOMEM. */
sc_status sc_draw_sample(struct sc_draw *d, uint32_t n, uint32_t k, uint32_t *out,
                         struct sc_error *err);

#endif
