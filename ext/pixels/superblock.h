/*
 * How the chips of an item share blocks: the size of its superblocks (see order.h).
 */
#ifndef SC_PIXELS_SUPERBLOCK_H
#define SC_PIXELS_SUPERBLOCK_H

#include "pixels/chip.h"

/* Chips of a superblock, across and down, where the blocks are not known. */
#define SC_SUPERBLOCK_CHIPS 8
/* The most: where a block is a whole strip, or a whole file, parts of it are superblocks, so that
 * several of them can be mixed and held. */
#define SC_SUPERBLOCK_MAX_CHIPS 256

struct sc_superblock {
  char *item; /* id; owned; NULL where the item could not be read */
  struct sc_tiling tiling;
  int64_t grid_px[2]; /* columns, rows */
  int64_t x, y;       /* position of the chip; of one round a centre its middle */
  int64_t middle[2];  /* of the chip, pixels of the grid */
  double size_px[2];  /* width, height of a superblock */
};

/*
 * The superblocks of the item of a chip: as large as the largest block, in pixels of the grid, of
 * the assets that `options` choose. Files are opened where they are local, or a merged index has
 * their headers; of others, and what cannot be read, superblocks are 8 x 8 chips.
 *
 * Returns  SC_NOMEM, SC_INTERRUPT or SC_DB. Free out->item with sc_free().
 */
sc_status sc_superblock_find(struct sc_connection *c, const struct sc_chip_name *name,
                             const struct sc_chip_options *options, struct sc_superblock *out,
                             struct sc_error *err);

#endif
