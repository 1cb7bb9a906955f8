/*
 * Blocks: what our own queries read instead of the chip table.
 *
 * A block holds the chips of one item whose positions lie in one tile of 8 x 8 positions:
 * rowid, position, fractions and bounding box, about 20 bytes a chip where the chip row has
 * 180. Most queries (counts, cloud, date, boxes without partial overlap) never touch the
 * chip table. Blocks are derived data: 'rebuild' makes them anew.
 *
 * This file is the format alone: no SQL. Bytes, little endian:
 *   0  version (2)      1  flags       2  bytes of a step in x    3  bytes of a step in y (1 to 4)
 *   4  base in x (4)    8  base in y (4): the rank of the least coordinate
 *   12 mask of the positions that are there, bit 8 * (y % 8) + (x % 8)
 *   20 rowid of the first chip
 *   28 n rowids (8 each) with BLOCK_EXPLICIT_IDS; else they count up from the first
 *      n clouds, n nodatas (float each; one value with BLOCK_ONE_CLOUD, BLOCK_ONE_NODATA)
 *      n boxes: min x, max x, min y, max y as steps from the base
 *      with BLOCK_WEST_BOXES, a mask of the chips that have a second box, and these, 4 float each
 * n is the number of bits in the mask; chips come in the order of the bits. A coordinate is the
 * rank of its float among all floats, of which a block spans few: two or three bytes, no loss, so
 * that a block may be read and written again as often as one likes.
 *
 * Version 1 (until schema version 2) had boxes as 65535ths of a common one, rounded outwards, and
 * once more at each rewrite. Such blocks are read, their boxes are taken for no more than bounds,
 * and whoever writes one anew first sets its boxes from the chips' geometries.
 */
#ifndef SC_MERGE_CHIP_BLOCK_H
#define SC_MERGE_CHIP_BLOCK_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "index/geometry.h"

#define SC_CHIP_BLOCK_SIDE 8
#define SC_CHIP_BLOCK_CHIPS 64
#define SC_BOX32_SLACK 4e-5f /* degrees: two steps of single precision at 180, and to spare */

/* A box in single precision that holds the true one. Empty when min_x > max_x. */
struct sc_box32 {
  float min_x, max_x, min_y, max_y;
};

struct sc_chip_entry {
  int64_t id;
  float cloud, nodata;  /* NaN: unknown */
  struct sc_box32 box;  /* the chip's; of its eastern parts (centre >= 0) if it has two */
  struct sc_box32 west; /* of its western parts, for a chip across the antimeridian; or empty */
};

struct sc_chip_block {
  uint64_t mask;          /* positions that are there */
  int n;                  /* bits of mask */
  int n_west;             /* chips with a second box */
  int is_exact;           /* boxes are as sc_chip_block_boxes() made them, not rounded outwards */
  float slack_x, slack_y; /* by how much a box may be larger than its footprint; degrees */
  struct sc_chip_entry chips[SC_CHIP_BLOCK_CHIPS]; /* the first n, in the order of the bits */
};

/* The summary of a block that the area index holds. */
struct sc_chip_block_range {
  struct sc_box32 box;        /* of all first boxes; of the eastern ones if there are two */
  struct sc_box32 west;       /* of all western boxes, or empty */
  float min_cloud, max_cloud; /* of the known ones; -1 where none is known */
};

/* Smallest box in single precision that holds the footprint; split for several parts. */
void sc_chip_block_boxes(const struct sc_footprint *f, struct sc_box32 *box, struct sc_box32 *west);
struct sc_box32 sc_box32_of(const struct sc_box *box);
static inline int sc_box32_is_empty(const struct sc_box32 *b) { return b->min_x > b->max_x; }

/* The bit of position (x, y) within its tile. */
static inline int sc_chip_block_bit(int32_t x, int32_t y) {
  return SC_CHIP_BLOCK_SIDE * (y % SC_CHIP_BLOCK_SIDE) + x % SC_CHIP_BLOCK_SIDE;
}
/* Index into chips of a bit, whether it is set or not. */
static inline int sc_chip_block_rank(const struct sc_chip_block *b, int bit) {
  return __builtin_popcountll(b->mask & ((UINT64_C(1) << bit) - 1));
}
static inline int sc_chip_block_has(const struct sc_chip_block *b, int bit) {
  return (int)(b->mask >> bit & 1);
}

/* Add a chip at a free bit; replace the one at a taken bit; remove the one at a taken bit. */
void sc_chip_block_put(struct sc_chip_block *b, int bit, const struct sc_chip_entry *chip);
void sc_chip_block_remove(struct sc_chip_block *b, int bit);

struct sc_chip_block_range sc_chip_block_range(const struct sc_chip_block *b);

/* An empty block. */
void sc_chip_block_init(struct sc_chip_block *b);

/* Append the bytes of a block, whose boxes are exact. */
sc_status sc_chip_block_encode(const struct sc_chip_block *b, struct sc_buffer *out,
                               struct sc_error *err);
/* Read them; hostile bytes. SC_BAD_DATA says what is wrong. */
sc_status sc_chip_block_decode(const void *bytes, size_t size, struct sc_chip_block *out,
                               struct sc_error *err);

#endif
