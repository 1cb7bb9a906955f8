/*
 * Bodies of HTTP responses, counted by reference and recycled: a response is shared by the blocks
 * that lie in it. Fresh memory would cost a page fault for each of its pages, and a copy of each
 * block another one.
 */
#ifndef SC_RASTER_RESPONSE_H
#define SC_RASTER_RESPONSE_H

#include <pthread.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_N_SPARE_RESPONSES 32

/* The memory that responses return to; one for each call that fetches. */
struct sc_responses {
  pthread_mutex_t lock; /* guards what is below, and n_users of its responses */
  struct sc_buffer spare[SC_N_SPARE_RESPONSES];
  size_t n_spare;
};
void sc_responses_init(struct sc_responses *home);
/* After all its responses were released. */
void sc_responses_free(struct sc_responses *home);

struct sc_response {
  struct sc_buffer bytes;
  struct sc_responses *home;
  int n_users;
};

/* Some of a response's bytes, and a reference to it. Zeroed is empty. */
struct sc_shared {
  struct sc_view view;
  struct sc_response *response;
};

/* A new empty response, held, with room for n bytes. */
sc_status sc_response_new(struct sc_responses *home, size_t n, struct sc_response **out,
                          struct sc_error *err);
/* Bytes [at, at + n) of a response that the caller holds. */
struct sc_shared sc_response_share(struct sc_response *response, size_t at, size_t n);
void sc_response_release(struct sc_response *response); /* NULL is fine */
void sc_shared_release(struct sc_shared *shared);

#endif
