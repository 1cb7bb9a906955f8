/* Texts that were met before; see seen.h. */
#include "stac/seen.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/sqlite.h"

/* From a secret start: nobody can make texts that meet. The first's zero byte parts the two. */
static uint64_t hash(uint64_t key, const char *text, const char *more) {
  uint64_t h = sc_hash_bytes(key ^ SC_HASH_START, text, strlen(text) + 1);
  if (more) h = sc_hash_bytes(h, more, strlen(more));
  h = sc_hash_mix(h);
  return h ? h : 1;
}

/* The slot of a hash, or the free one where it would be. */
static uint64_t *find(const struct sc_seen *s, uint64_t h) {
  size_t at = (size_t)h & (s->n_slots - 1);
  while (s->slots[at] && s->slots[at] != h) at = (at + 1) & (s->n_slots - 1);
  return &s->slots[at];
}

static sc_status grow(struct sc_seen *s, struct sc_error *err) {
  struct sc_seen larger = {.n = s->n, .n_slots = s->n_slots ? 2 * s->n_slots : 64, .key = s->key};
  if (!s->n_slots) sqlite3_randomness((int)sizeof larger.key, &larger.key);
  larger.slots = sc_alloc_zero(larger.n_slots, sizeof *larger.slots);
  if (!larger.slots) return sc_fail_nomem(err);
  for (size_t i = 0; i < s->n_slots; i++) {
    if (s->slots[i]) *find(&larger, s->slots[i]) = s->slots[i];
  }
  sc_free(s->slots);
  *s = larger;
  return SC_OK;
}

sc_status sc_seen_add(struct sc_seen *s, const char *text, const char *more, int *is_new,
                      struct sc_error *err) {
  *is_new = 0;
  if (2 * s->n >= s->n_slots && grow(s, err)) return err->status;
  uint64_t h = hash(s->key, text, more), *slot = find(s, h);
  *is_new = *slot == 0;
  if (*is_new) s->n++;
  *slot = h;
  return SC_OK;
}

void sc_seen_free(struct sc_seen *s) {
  sc_free(s->slots);
  memset(s, 0, sizeof *s);
}
