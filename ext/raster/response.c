/* Recycled bodies of responses; see response.h. */
#include "raster/response.h"

#include <string.h>

#include "base/alloc.h"

void sc_responses_init(struct sc_responses *home) {
  memset(home, 0, sizeof *home);
  pthread_mutex_init(&home->lock, NULL);
}

void sc_responses_free(struct sc_responses *home) {
  while (home->n_spare > 0) sc_buffer_free(&home->spare[--home->n_spare]);
  pthread_mutex_destroy(&home->lock);
}

/* The smallest spare one that has room for n bytes, or an empty one. */
static struct sc_buffer take_spare(struct sc_responses *home, size_t n) {
  struct sc_buffer taken = {0};
  size_t best = SC_N_SPARE_RESPONSES;
  pthread_mutex_lock(&home->lock);
  for (size_t i = 0; i < home->n_spare; i++) {
    size_t capacity = home->spare[i].capacity;
    if (capacity >= n && (best == SC_N_SPARE_RESPONSES || capacity < home->spare[best].capacity)) {
      best = i;
    }
  }
  if (best < SC_N_SPARE_RESPONSES) {
    taken = home->spare[best];
    home->spare[best] = home->spare[--home->n_spare];
  }
  pthread_mutex_unlock(&home->lock);
  taken.size = 0;
  return taken;
}

/* Keep it, or the larger one of it and the smallest; the other is left in *b. Lock held. */
static void keep_spare(struct sc_responses *home, struct sc_buffer *b) {
  if (home->n_spare < SC_N_SPARE_RESPONSES) {
    home->spare[home->n_spare++] = *b;
    memset(b, 0, sizeof *b);
    return;
  }
  size_t least = 0;
  for (size_t i = 1; i < home->n_spare; i++) {
    if (home->spare[i].capacity < home->spare[least].capacity) least = i;
  }
  if (home->spare[least].capacity >= b->capacity) return;
  struct sc_buffer smaller = home->spare[least];
  home->spare[least] = *b;
  *b = smaller;
}

sc_status sc_response_new(struct sc_responses *home, size_t n, struct sc_response **out,
                          struct sc_error *err) {
  struct sc_response *a = sc_alloc_zero(1, sizeof *a);
  *out = NULL;
  if (!a) return sc_fail_nomem(err);
  a->bytes = take_spare(home, n);
  a->home = home;
  a->n_users = 1;
  sc_status st = sc_buffer_reserve(&a->bytes, n, err);
  if (st) {
    sc_response_release(a);
    return st;
  }
  *out = a;
  return SC_OK;
}

struct sc_shared sc_response_share(struct sc_response *a, size_t at, size_t n) {
  pthread_mutex_lock(&a->home->lock);
  a->n_users++;
  pthread_mutex_unlock(&a->home->lock);
  return (struct sc_shared){{a->bytes.data + at, n}, a};
}

void sc_response_release(struct sc_response *a) {
  if (!a) return;
  pthread_mutex_lock(&a->home->lock);
  int last = --a->n_users == 0;
  if (last) keep_spare(a->home, &a->bytes);
  pthread_mutex_unlock(&a->home->lock);
  if (!last) return;
  sc_buffer_free(&a->bytes);
  sc_free(a);
}

void sc_shared_release(struct sc_shared *s) {
  sc_response_release(s->response);
  memset(s, 0, sizeof *s);
}
