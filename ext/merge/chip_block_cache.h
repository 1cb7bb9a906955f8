/*
 * Blocks in memory that are being changed: a write-back buffer between the rows that come in
 * and the block and area tables. Flushing is the store's business; discarding is enough to
 * undo what was not flushed.
 */
#ifndef SC_MERGE_CHIP_BLOCK_CACHE_H
#define SC_MERGE_CHIP_BLOCK_CACHE_H

#include "merge/chip_block.h"

#define SC_CHIP_BLOCK_CACHE_MAX 24576 /* blocks, of 3 KB: 75 MB */

struct sc_chip_block_key {
  int64_t item_id;
  int32_t tile_x, tile_y;
};

struct sc_cached_chip_block {
  struct sc_chip_block_key key;
  int64_t id; /* of the row; 0 where there is none yet */
  float day;  /* of its item */
  int is_dirty;
  struct sc_chip_block_range range; /* what the area index has; valid when id is not 0 */
  struct sc_chip_block block;
};

/* Zeroed is empty; sc_chip_block_cache_clear(). */
struct sc_chip_block_cache {
  struct sc_cached_chip_block **entries; /* owned, in the order of their coming */
  size_t n, capacity;
  uint32_t *slots; /* hash table of index + 1 */
  size_t n_slots;
};

/* The block of that key, or NULL. */
struct sc_cached_chip_block *sc_chip_block_cache_find(const struct sc_chip_block_cache *c,
                                                      const struct sc_chip_block_key *key);
/* Add an empty block. It stays where it is until the cache is cleared. */
sc_status sc_chip_block_cache_add(struct sc_chip_block_cache *c,
                                  const struct sc_chip_block_key *key,
                                  struct sc_cached_chip_block **out, struct sc_error *err);
void sc_chip_block_cache_clear(struct sc_chip_block_cache *c);

#endif
