/*
 * Bodies of HTTP responses, counted by reference: a response is shared by the blocks that lie in
 * it. Their memory is used again (memory.h).
 */
#ifndef SC_RASTER_RESPONSE_H
#define SC_RASTER_RESPONSE_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/status.h"

struct sc_response {
  struct sc_buffer bytes;
  atomic_int n_users;
};

/* Some of a response's bytes, and a reference to it. Zeroed is empty. */
struct sc_shared {
  struct sc_view view;
  struct sc_response *response;
};

/* A new empty response, held, with room for n bytes. */
sc_status sc_response_new(size_t n, struct sc_response **out, struct sc_error *err);
/* Bytes [at, at + n) of a response that the caller holds. */
struct sc_shared sc_response_share(struct sc_response *response, size_t at, size_t n);
void sc_response_release(struct sc_response *response); /* NULL is fine */
void sc_shared_release(struct sc_shared *shared);

#endif
