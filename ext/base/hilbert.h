/*
 * Position along a Hilbert curve: near places get near numbers.
 */
#ifndef SC_BASE_HILBERT_H
#define SC_BASE_HILBERT_H

#include <stdint.h>

#define SC_HILBERT_BITS 20 /* of each axis: 38 m of longitude at the equator */

/* The distance along the curve of order SC_HILBERT_BITS; x, y below 2^SC_HILBERT_BITS. */
static inline uint64_t sc_hilbert(uint32_t x, uint32_t y) {
  const uint32_t all = (1u << SC_HILBERT_BITS) - 1;
  uint64_t d = 0;
  for (int bit = SC_HILBERT_BITS - 1; bit >= 0; bit--) {
    uint32_t rx = x >> bit & 1, ry = y >> bit & 1;
    uint32_t turn = ry - 1, flip = turn & (0 - rx) & all; /* masks: branches would be guesses */
    d = d << 2 | ((3 * rx) ^ ry);
    x ^= flip;
    y ^= flip;
    uint32_t swap = (x ^ y) & turn;
    x ^= swap;
    y ^= swap;
  }
  return d;
}

static inline uint32_t sc_hilbert_axis(double v, double min, double span) {
  double scaled = (v - min) / span * (double)(1u << SC_HILBERT_BITS);
  if (!(scaled > 0)) return 0; /* also NaN */
  if (scaled >= (double)(1u << SC_HILBERT_BITS)) return (1u << SC_HILBERT_BITS) - 1;
  return (uint32_t)scaled;
}

/* The place of a longitude and latitude in degrees. */
static inline uint64_t sc_hilbert_lonlat(double lon, double lat) {
  return sc_hilbert(sc_hilbert_axis(lon, -180, 360), sc_hilbert_axis(lat, -90, 180));
}

#endif
