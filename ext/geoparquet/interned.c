/* Interned texts; see interned.h. */
#include "geoparquet/interned.h"

#include <string.h>

#include "base/hash.h"

#define FIRST_SLOTS 1024

static uint32_t *slots_of(const struct sc_interned *p) { return (uint32_t *)(void *)p->table.data; }

const unsigned char *sc_interned_get(const struct sc_interned *p, uint32_t i, size_t *n) {
  const uint64_t *ends = (const uint64_t *)(const void *)p->ends.data;
  uint64_t begin = i ? ends[i - 1] : 0;
  *n = (size_t)(ends[i] - begin);
  return p->keys.data + begin;
}

/* The slot that has the key, or the empty one where it belongs. */
static uint32_t *find_slot(const struct sc_interned *p, const void *key, size_t n) {
  size_t n_slots = p->table.size / sizeof(uint32_t), have;
  uint32_t *slots = slots_of(p);
  for (size_t i = sc_hash_mix(sc_hash_bytes(SC_HASH_START, key, n)) % n_slots;;
       i = (i + 1) % n_slots) {
    if (!slots[i]) return &slots[i];
    const unsigned char *k = sc_interned_get(p, slots[i] - 1, &have);
    if (have == n && memcmp(k, key, n) == 0) return &slots[i];
  }
}

static sc_status grow(struct sc_interned *p, struct sc_error *err) {
  size_t n = p->table.size ? 2 * p->table.size : FIRST_SLOTS * sizeof(uint32_t);
  sc_status st = sc_buffer_resize(&p->table, n, err);
  if (st) return st;
  memset(p->table.data, 0, n);
  for (uint32_t i = 0; i < p->n; i++) {
    size_t size;
    const unsigned char *key = sc_interned_get(p, i, &size);
    *find_slot(p, key, size) = i + 1;
  }
  return SC_OK;
}

sc_status sc_interned_find(struct sc_interned *p, const void *key, size_t n, uint32_t *out,
                           struct sc_error *err) {
  sc_status st = SC_OK;
  if (2 * (size_t)p->n >= p->table.size / sizeof(uint32_t)) st = grow(p, err);
  if (st) return st;
  uint32_t *slot = find_slot(p, key, n);
  if (!*slot) {
    if (p->n == SC_INTERNED_MAX) {
      return sc_fail(err, SC_TOO_BIG, "more than %u partitions or texts", SC_INTERNED_MAX);
    }
    st = sc_buffer_append(&p->keys, key, n, err);
    uint64_t end = p->keys.size;
    if (!st) st = sc_buffer_append(&p->ends, &end, sizeof end, err);
    if (st) return st;
    *slot = ++p->n;
  }
  *out = *slot - 1;
  return SC_OK;
}

void sc_interned_free(struct sc_interned *p) {
  sc_buffer_free(&p->table);
  sc_buffer_free(&p->keys);
  sc_buffer_free(&p->ends);
  memset(p, 0, sizeof *p);
}
