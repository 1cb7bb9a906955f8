/* Numbers for the distinct values of the partition columns, in the order they are met. */
#ifndef SC_PARQUET_PARTITIONS_H
#define SC_PARQUET_PARTITIONS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_MAX_PARTITIONS (1u << 24)

struct sc_partitions {
  struct sc_buffer table; /* uint32_t: number + 1, or 0 */
  struct sc_buffer keys;  /* the values' bytes */
  struct sc_buffer ends;  /* uint64_t: where each ends in keys */
  uint32_t n;
};

/* The number of a value. SC_TOO_BIG beyond SC_MAX_PARTITIONS. */
sc_status sc_partitions_find(struct sc_partitions *p, const void *key, size_t n, uint32_t *out,
                             struct sc_error *err);
void sc_partitions_free(struct sc_partitions *p);

#endif
