/*
 * A set of texts that were met before, for what may come round: links, pages, items. It keeps
 * 64-bit hashes under a key of its own: of ten million texts, two are taken for one with a
 * probability of 3e-6.
 */
#ifndef SC_STAC_SEEN_H
#define SC_STAC_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Zeroed is empty; sc_seen_free(). */
struct sc_seen {
  uint64_t *slots; /* 0: free; owned */
  size_t n, n_slots;
  uint64_t key;
};

/* Add a text of two parts (the second may be NULL). *is_new is 0 where it was there. */
sc_status sc_seen_add(struct sc_seen *seen, const char *text, const char *more, int *is_new,
                      struct sc_error *err);
void sc_seen_free(struct sc_seen *seen);

#endif
