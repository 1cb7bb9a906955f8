/* Shared bodies of responses; see response.h. */
#include "raster/response.h"

#include <string.h>

#include "base/alloc.h"
#include "raster/memory.h"

sc_status sc_response_new(size_t n, struct sc_response **out, struct sc_error *err) {
  struct sc_response *a = sc_alloc_zero(1, sizeof *a);
  *out = NULL;
  if (!a) return sc_fail_nomem(err);
  a->n_users = 1;
  sc_status st = sc_memory_buffer(n, &a->bytes, err);
  if (st) {
    sc_response_release(a);
    return st;
  }
  *out = a;
  return SC_OK;
}

struct sc_shared sc_response_share(struct sc_response *a, size_t at, size_t n) {
  atomic_fetch_add(&a->n_users, 1);
  return (struct sc_shared){{a->bytes.data + at, n}, a};
}

void sc_response_release(struct sc_response *a) {
  if (!a || atomic_fetch_sub(&a->n_users, 1) > 1) return;
  sc_buffer_free(&a->bytes);
  sc_free(a);
}

void sc_shared_release(struct sc_shared *s) {
  sc_response_release(s->response);
  memset(s, 0, sizeof *s);
}
