/*
 * The hash of stacchip_hash(seed, value, ...), value by value: begin with sc_stable_hash_start(),
 * end with sc_stable_hash_end(). Equal on all machines and in all versions.
 */
#ifndef SC_PIXELS_HASH_H
#define SC_PIXELS_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Finalizer of SplitMix64 (Steele, Lea and Flood, 2014). */
static inline uint64_t sc_stable_hash_mix(uint64_t h) {
  h = (h ^ (h >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ (h >> 27)) * UINT64_C(0x94D049BB133111EB);
  return h ^ (h >> 31);
}

static inline uint64_t sc_stable_hash_start(void) { return UINT64_C(0x243F6A8885A308D3); } /* pi */

static inline uint64_t sc_stable_hash_bytes(uint64_t h, const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  uint64_t word;
  for (; n >= 8; n -= 8, p += 8) {
    memcpy(&word, p, 8);
    h = sc_stable_hash_mix(h + UINT64_C(0x9E3779B97F4A7C15) + word);
  }
  word = 0;
  if (n) memcpy(&word, p, n);
  return sc_stable_hash_mix(h + UINT64_C(0x9E3779B97F4A7C15) + word + ((uint64_t)n << 56));
}

static inline uint64_t sc_stable_hash_real(uint64_t h, double v) {
  v += 0.0; /* -0 is 0 */
  return sc_stable_hash_bytes(sc_stable_hash_mix(h + 1), &v, sizeof v);
}

/* 3 and 3.0 are one value in SQL comparisons, so they are here. */
static inline uint64_t sc_stable_hash_integer(uint64_t h, int64_t v) {
  double d = (double)v;
  if (d < 9.2e18 && (int64_t)d == v) return sc_stable_hash_real(h, d);
  return sc_stable_hash_bytes(sc_stable_hash_mix(h + 4), &v, sizeof v);
}

static inline uint64_t sc_stable_hash_text(uint64_t h, const char *text, size_t n) {
  return sc_stable_hash_bytes(sc_stable_hash_mix(h + 2), text, n);
}

/* In [0, 1). */
static inline double sc_stable_hash_end(uint64_t h) { return (double)(h >> 11) * 0x1p-53; }

#endif
