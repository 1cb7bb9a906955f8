/* A write-back buffer of blocks; see block_cache.h. */
#include "merge/chip_block_cache.h"

#include <string.h>

#include "base/alloc.h"

static size_t hash_of(const struct sc_chip_block_key *key) {
  uint64_t h = (uint64_t)key->item_id * UINT64_C(0x9E3779B97F4A7C15);
  h ^= ((uint64_t)(uint32_t)key->tile_y << 32 | (uint32_t)key->tile_x) *
       UINT64_C(0xC2B2AE3D27D4EB4F);
  return (size_t)(h ^ h >> 29);
}

static int is_same(const struct sc_chip_block_key *a, const struct sc_chip_block_key *b) {
  return a->item_id == b->item_id && a->tile_x == b->tile_x && a->tile_y == b->tile_y;
}

struct sc_cached_chip_block *sc_chip_block_cache_find(const struct sc_chip_block_cache *c,
                                                      const struct sc_chip_block_key *key) {
  if (c->n == 0) return NULL;
  for (size_t i = hash_of(key);; i++) {
    uint32_t index = c->slots[i & (c->n_slots - 1)];
    if (index == 0) return NULL;
    if (is_same(&c->entries[index - 1]->key, key)) return c->entries[index - 1];
  }
}

static void put_slot(struct sc_chip_block_cache *c, size_t index) {
  size_t i = hash_of(&c->entries[index]->key);
  while (c->slots[i & (c->n_slots - 1)]) i++;
  c->slots[i & (c->n_slots - 1)] = (uint32_t)index + 1;
}

static sc_status grow(struct sc_chip_block_cache *c, struct sc_error *err) {
  size_t capacity = c->capacity ? 2 * c->capacity : 64;
  struct sc_cached_chip_block **entries = sc_realloc(c->entries, capacity * sizeof *entries);
  if (!entries) return sc_fail_nomem(err);
  c->entries = entries;
  uint32_t *slots = sc_alloc_zero(2 * capacity, sizeof *slots);
  if (!slots) return sc_fail_nomem(err);
  sc_free(c->slots);
  c->slots = slots;
  c->n_slots = 2 * capacity;
  c->capacity = capacity;
  for (size_t i = 0; i < c->n; i++) put_slot(c, i);
  return SC_OK;
}

sc_status sc_chip_block_cache_add(struct sc_chip_block_cache *c,
                                  const struct sc_chip_block_key *key,
                                  struct sc_cached_chip_block **out, struct sc_error *err) {
  sc_status st = c->n == c->capacity ? grow(c, err) : SC_OK;
  if (st) return st;
  struct sc_cached_chip_block *b = sc_alloc(sizeof *b);
  if (!b) return sc_fail_nomem(err);
  b->key = *key;
  b->id = 0;
  b->day = 0;
  b->is_dirty = 0;
  sc_chip_block_init(&b->block);
  c->entries[c->n] = b;
  put_slot(c, c->n++);
  *out = b;
  return SC_OK;
}

void sc_chip_block_cache_clear(struct sc_chip_block_cache *c) {
  for (size_t i = 0; i < c->n; i++) sc_free(c->entries[i]);
  sc_free(c->entries);
  sc_free(c->slots);
  memset(c, 0, sizeof *c);
}
