/*
 * Position along a Hilbert curve: near places get near numbers.
 */
#ifndef SC_PARQUET_HILBERT_H
#define SC_PARQUET_HILBERT_H

#include <stdint.h>

#define SC_HILBERT_BITS 20 /* of each axis: 38 m of longitude at the equator */

/* The distance along the curve of order SC_HILBERT_BITS; x, y below 2^SC_HILBERT_BITS. */
static inline uint64_t sc_hilbert(uint32_t x, uint32_t y) {
  uint64_t d = 0;
  for (uint32_t s = 1u << (SC_HILBERT_BITS - 1); s > 0; s >>= 1) {
    uint32_t rx = (x & s) != 0, ry = (y & s) != 0;
    d = d << 2 | ((3 * rx) ^ ry);
    if (ry == 0) {
      if (rx) {
        x = ~x & ((1u << SC_HILBERT_BITS) - 1);
        y = ~y & ((1u << SC_HILBERT_BITS) - 1);
      }
      uint32_t swap = x;
      x = y;
      y = swap;
    }
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
