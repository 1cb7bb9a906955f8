/*
 * Bits and runs: the RLE / bit-packing hybrid of levels, dictionary indexes and booleans.
 *
 * Source: apache/parquet-format, Encodings.md. Decoding is in steps of any size, over
 * borrowed hostile bytes.
 */
#ifndef SC_PARQUET_RLE_H
#define SC_PARQUET_RLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/status.h"

/* Bits [at, at + width) of bytes, least significant first. width <= 64; the caller has
 * checked at + width <= 8 * size. */
uint64_t sc_bits_get(const unsigned char *bytes, size_t size, uint64_t at, unsigned width);

struct sc_rle_in {
  struct sc_bytes bytes;
  unsigned width;    /* bits of a value, 0 to 32 */
  uint64_t run_left; /* values left in this run */
  int is_packed;
  uint32_t value; /* of a repeated run */
  const unsigned char *packed;
  size_t packed_size;
  uint64_t packed_at; /* bit */
};

/* Start. SC_BAD_DATA for a width beyond 32. */
sc_status sc_rle_init(struct sc_rle_in *r, const void *data, size_t size, unsigned width,
                      struct sc_error *err);
/* The next n values. SC_BAD_DATA where there are fewer. */
sc_status sc_rle_read(struct sc_rle_in *r, size_t n, uint32_t *out, struct sc_error *err);

/* The number of bits that hold 0 .. max. */
static inline unsigned sc_bits_for(uint32_t max) {
  return max ? 32 - (unsigned)__builtin_clz(max) : 0;
}

/* Append a run: one value n times. */
sc_status sc_rle_write_run(uint32_t value, size_t n, unsigned width, struct sc_buffer *out,
                           struct sc_error *err);
/* Append n values of `width` bits as the hybrid: runs of 8 and more repeated, else packed. */
sc_status sc_rle_write(const uint32_t *values, size_t n, unsigned width, struct sc_buffer *out,
                       struct sc_error *err);

#endif
