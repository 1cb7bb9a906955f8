/*
 * Memory that is handed out bit by bit and freed at once: the parsed footer of a file.
 * Zeroed is empty.
 */
#ifndef SC_PARQUET_ARENA_H
#define SC_PARQUET_ARENA_H

#include <stddef.h>

#include "base/status.h"

struct sc_arena {
  void *blocks; /* owned list */
  size_t used;  /* bytes of the newest block */
  size_t size;
};

/* Zeroed memory for count elements, aligned for pointers and 64 bit numbers; SC_NOMEM also on
 * overflow. */
sc_status sc_arena_new(struct sc_arena *a, size_t count, size_t size, void *out,
                       struct sc_error *err);
/* A copy of n bytes with a zero after them. */
sc_status sc_arena_text(struct sc_arena *a, const void *text, size_t n, char **out,
                        struct sc_error *err);
void sc_arena_free(struct sc_arena *a);

#endif
