/* Interned texts of any bytes: each distinct one is kept once and has a number, in the order that
 * they are met. For partitions and items. */
#ifndef SC_GEOPARQUET_INTERNED_H
#define SC_GEOPARQUET_INTERNED_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_INTERNED_MAX (1u << 24)

/* Zeroed is empty. */
struct sc_interned {
  struct sc_buffer table; /* uint32_t: number + 1, or 0 */
  struct sc_buffer keys;  /* the texts' bytes */
  struct sc_buffer ends;  /* uint64_t: where each ends in keys */
  uint32_t n;
};

/* The number of a text. SC_TOO_BIG beyond SC_INTERNED_MAX. */
sc_status sc_interned_find(struct sc_interned *p, const void *key, size_t n, uint32_t *out,
                           struct sc_error *err);
/* The bytes of a number that was given out; valid until the next find. */
const unsigned char *sc_interned_get(const struct sc_interned *p, uint32_t i, size_t *n);
void sc_interned_free(struct sc_interned *p);

#endif
