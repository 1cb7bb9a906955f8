/*
 * The order of the chips of an epoch, cut into batches: which chips of a list come when. It reads
 * nothing, and knows no SQL.
 *
 * WORDS  A *superblock* holds the chips of one item whose middles lie in one block of its grid: the
 * largest block of the assets that are read, so that whoever reads its chips together decodes each
 * block once. *mix* of them are open at a time, in as many slots, and each batch draws from all of
 * these; a slot whose superblock runs out gets the next one. Slots draw at unequal rates (from 2/3
 * to 4/3 of the mean), so that they do not run out all at once.
 *
 * HOW IT WORKS  Superblocks come by stacchip_hash(seed, item, column, row) of the block, the chips
 * of one by stacchip_hash(seed, item, x, y). With mix 0 all chips come by the latter, unshuffled as
 * they were given. Nothing depends on the machine, on threads, or on the order that the list had.
 *
 * SHARDS  That sequence is cut into `world` pieces of equal length, give or take a chip, before it
 * is mixed: together they are all, and no chip is in two of them. At most world - 1 superblocks lie
 * in two shards. All shards have equally many batches: where one chip less would make one batch
 * less, the last full batch leaves a chip to a batch of its own.
 */
#ifndef SC_PIXELS_ORDER_H
#define SC_PIXELS_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SC_ORDER_MIX_MAX 4096
#define SC_ORDER_MAX_CHIPS (UINT32_MAX - 1)

struct sc_order_item {
  const char *id;
  double block_px[2]; /* width and height of a superblock, in pixels of the grid; above 0 */
};

struct sc_order_chip {
  uint32_t item;     /* position among the items */
  int32_t x, y;      /* chip_index_x, chip_index_y */
  int32_t middle[2]; /* column and row of the grid's pixel in its middle */
};

struct sc_order_options {
  int is_shuffled;
  int64_t seed;
  size_t mix;         /* superblocks at a time; 0: all chips at random */
  int by_superblock;  /* find superblocks even where the order needs none, for sc_order_mixing() */
  size_t n;           /* chips of a batch, from 1 */
  int drop_last;      /* leave out what makes no full batch */
  size_t rank, world; /* this shard, of how many; 0 of 1 is all */
};

/* Zeroed is empty; sc_order_free(). */
struct sc_order {
  uint32_t *chips;       /* positions in the list, in order */
  uint32_t *superblocks; /* of each of them; all 0 where none were looked for */
  size_t n_chips, n_superblocks;
  size_t n_batches, n; /* n: chips of a full batch */
};

/*
 * SC_BAD_ARG where the shards cannot have equally many batches: fewer chips than shards, or batches
 * of one chip.
 */
sc_status sc_order_make(const struct sc_order_item *items, const struct sc_order_chip *chips,
                        size_t n_chips, const struct sc_order_options *options,
                        struct sc_order *out, struct sc_error *err);
void sc_order_free(struct sc_order *order);

/* Batch k is chips [begin, end) of the order. */
void sc_order_batch(const struct sc_order *order, size_t k, size_t *begin, size_t *end);

/* How well a batch is mixed. */
struct sc_order_mixing {
  size_t superblocks, items; /* distinct ones in the batch */
};
sc_status sc_order_mixing(const struct sc_order *order, const struct sc_order_chip *chips, size_t k,
                          struct sc_order_mixing *out, struct sc_error *err);
/* Mean distance in the epoch of two chips of one superblock; a third of the chips were they drawn
 * at random. NaN where no superblock has two. */
sc_status sc_order_distance(const struct sc_order *order, double *out, struct sc_error *err);

#endif
