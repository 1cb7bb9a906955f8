/* Numbers for distinct texts (any bytes), in the order they are met: partitions, items. */
#ifndef SC_GEOPARQUET_TEXTS_H
#define SC_GEOPARQUET_TEXTS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_TEXTS_MAX (1u << 24)

/* Zeroed is empty. */
struct sc_texts {
  struct sc_buffer table; /* uint32_t: number + 1, or 0 */
  struct sc_buffer keys;  /* the texts' bytes */
  struct sc_buffer ends;  /* uint64_t: where each ends in keys */
  uint32_t n;
};

/* The number of a text. SC_TOO_BIG beyond SC_TEXTS_MAX. */
sc_status sc_texts_find(struct sc_texts *p, const void *key, size_t n, uint32_t *out,
                        struct sc_error *err);
/* The bytes of a number that was given out; valid until the next find. */
const unsigned char *sc_texts_get(const struct sc_texts *p, uint32_t i, size_t *n);
void sc_texts_free(struct sc_texts *p);

#endif
