/*
 * DELTA_BINARY_PACKED integers, read in steps over borrowed hostile bytes.
 *
 * Source: apache/parquet-format, Encodings.md.
 */
#ifndef SC_PARQUET_DELTA_H
#define SC_PARQUET_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct sc_delta_in {
  struct sc_bytes bytes;
  uint64_t left; /* values still to come */
  uint32_t block_values, mini_values, n_minis;
  uint64_t value; /* the next one; arithmetic wraps, as the format says */
  int is_first;
  uint64_t least; /* smallest delta of this block */
  const unsigned char *widths;
  uint32_t mini; /* next miniblock of this block */
  const unsigned char *packed;
  size_t packed_size;
  uint64_t packed_at; /* bit */
  unsigned width;
  uint32_t mini_left; /* values left in this miniblock */
};

/* Read the head; d->left is then the number of values. */
sc_status sc_delta_init(struct sc_delta_in *d, const void *data, size_t size, struct sc_error *err);
/* The next n values. SC_BAD_DATA where there are fewer. out may be NULL: they are skipped. */
sc_status sc_delta_read(struct sc_delta_in *d, size_t n, int64_t *out, struct sc_error *err);

#endif
