/* Memory freed at once; see arena.h. */
#include "parquet/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

#define BLOCK_BYTES 16384
#define ALIGN 8 /* what sqlite3_malloc64() promises; enough for pointers, int64_t and double */

struct block {
  struct block *next;
  _Alignas(ALIGN) unsigned char bytes[];
};

static sc_status add_block(struct sc_arena *a, size_t size, struct sc_error *err) {
  struct block *b = sc_alloc(sizeof *b + size);
  if (!b) return sc_fail_nomem(err);
  b->next = a->blocks;
  a->blocks = b;
  a->size = size;
  a->used = 0;
  return SC_OK;
}

sc_status sc_arena_new(struct sc_arena *a, size_t count, size_t size, void *out,
                       struct sc_error *err) {
  size_t n;
  if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX / 2) return sc_fail_nomem(err);
  n = (n + ALIGN - 1) / ALIGN * ALIGN;
  if (!a->blocks || n > a->size - a->used) {
    sc_status st = add_block(a, n > BLOCK_BYTES ? n : BLOCK_BYTES, err);
    if (st) return st;
  }
  void *p = ((struct block *)a->blocks)->bytes + a->used;
  a->used += n;
  memset(p, 0, n);
  memcpy(out, &p, sizeof p);
  return SC_OK;
}

sc_status sc_arena_text(struct sc_arena *a, const void *text, size_t n, char **out,
                        struct sc_error *err) {
  sc_status st = sc_arena_new(a, n + 1, 1, out, err);
  if (!st && n) memcpy(*out, text, n);
  return st;
}

void sc_arena_free(struct sc_arena *a) {
  struct block *b = a->blocks;
  while (b) {
    struct block *next = b->next;
    sc_free(b);
    b = next;
  }
  memset(a, 0, sizeof *a);
}
