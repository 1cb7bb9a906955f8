/* Draws as Python makes them; see draw.h. */
#include "cli/draw.h"

#include <math.h>

#include "base/alloc.h"

#define MT_SHIFT 397

static void init(struct sc_draw *d, uint32_t seed) {
  d->state[0] = seed;
  for (uint32_t i = 1; i < SC_MT_WORDS; i++) {
    uint32_t before = d->state[i - 1];
    d->state[i] = UINT32_C(1812433253) * (before ^ before >> 30) + i;
  }
  d->at = SC_MT_WORDS;
}

void sc_draw_seed(struct sc_draw *d, uint64_t seed) {
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t *s = d->state, i = 1, j = 0, n = key[1] ? 2 : 1;
  init(d, UINT32_C(19650218));
  for (int k = 0; k < SC_MT_WORDS; k++) {
    s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * UINT32_C(1664525)) + key[j] + j;
    if (++i == SC_MT_WORDS) s[0] = s[SC_MT_WORDS - 1], i = 1;
    if (++j == n) j = 0;
  }
  for (int k = 1; k < SC_MT_WORDS; k++) {
    s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * UINT32_C(1566083941)) - i;
    if (++i == SC_MT_WORDS) s[0] = s[SC_MT_WORDS - 1], i = 1;
  }
  s[0] = UINT32_C(0x80000000);
}

static void twist(struct sc_draw *d) {
  uint32_t *s = d->state;
  for (int i = 0; i < SC_MT_WORDS; i++) {
    uint32_t y = (s[i] & UINT32_C(0x80000000)) | (s[(i + 1) % SC_MT_WORDS] & UINT32_C(0x7fffffff));
    s[i] = s[(i + MT_SHIFT) % SC_MT_WORDS] ^ y >> 1 ^ (y & 1 ? UINT32_C(0x9908b0df) : 0);
  }
  d->at = 0;
}

static uint32_t next(struct sc_draw *d) {
  if (d->at == SC_MT_WORDS) twist(d);
  uint32_t y = d->state[d->at++];
  y ^= y >> 11;
  y ^= y << 7 & UINT32_C(0x9d2c5680);
  y ^= y << 15 & UINT32_C(0xefc60000);
  return y ^ y >> 18;
}

uint32_t sc_draw_below(struct sc_draw *d, uint32_t n) {
  int bits = 32 - __builtin_clz(n);
  uint32_t v;
  do {
    v = next(d) >> (32 - bits);
  } while (v >= n);
  return v;
}

/* Is a list of all n shorter than a set of the k that were drawn? Python asks so. */
static int is_pool(uint32_t n, uint32_t k) {
  double size = 21;
  if (k > 5) size += pow(4, ceil(log(3.0 * k) / log(4)));
  return n <= size;
}

static int was_drawn(const uint32_t *out, uint32_t n, uint32_t v) {
  for (uint32_t i = 0; i < n; i++) {
    if (out[i] == v) return 1;
  }
  return 0;
}

sc_status sc_draw_sample(struct sc_draw *d, uint32_t n, uint32_t k, uint32_t *out,
                         struct sc_error *err) {
  if (!is_pool(n, k)) {
    for (uint32_t i = 0; i < k; i++) {
      do {
        out[i] = sc_draw_below(d, n);
      } while (was_drawn(out, i, out[i]));
    }
    return SC_OK;
  }
  uint32_t *pool = sc_alloc((n + 1) * sizeof *pool);
  if (!pool) return sc_fail_nomem(err);
  for (uint32_t i = 0; i < n; i++) pool[i] = i;
  for (uint32_t i = 0; i < k; i++) {
    uint32_t at = sc_draw_below(d, n - i);
    out[i] = pool[at];
    pool[at] = pool[n - i - 1];
  }
  sc_free(pool);
  return SC_OK;
}
