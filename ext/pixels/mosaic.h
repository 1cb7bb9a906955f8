/*
 * Arrays of chips put together to one raster on the grid of their item: what stacchip_mosaic()
 * does with predictions.
 *
 * HOW IT WORKS  The raster is cut into tiles of SC_COG_TILE_PX. A tile holds, for each pixel and
 * band, the weighted mean of what the chips said so far, and the sum of their weights. As the
 * tiling says how many chips touch a tile, the last of them completes it: it is then written, and
 * its memory is free again. So chips in the order of an index need the tiles of two rows of chips.
 * In any other order, and where chips are missing, tiles that were not touched for longest go into
 * a temporary file beyond SC_MOSAIC_TILES_BYTES.
 */
#ifndef SC_PIXELS_MOSAIC_H
#define SC_PIXELS_MOSAIC_H

#include "base/status.h"
#include "index/grid.h"
#include "pixels/npy.h"

#define SC_MOSAIC_TILES_BYTES ((size_t)512 << 20)

/* What a pixel that several chips have becomes. */
enum sc_blend {
  SC_BLEND_FEATHER = 0, /* mean, weighted by the distance to the chip's edges, multiplied */
  SC_BLEND_MEAN,
  SC_BLEND_FIRST, /* the first row's */
  SC_BLEND_TRIM   /* the chip whose edges are farthest */
};
#define SC_BLEND_CHOICES "feather|mean|first|trim"

struct sc_mosaic_options {
  int blend;     /* enum sc_blend */
  int is_argmax; /* the band with the highest value, as uint8, 255 where there is none */
  int has_nodata;
  double nodata; /* pixels of this value say nothing; so do NaN */
};

/* Where a chip's array lies: all that the chips of one raster have in common, and its window. */
struct sc_mosaic_place {
  const struct sc_grid *grid; /* borrowed for the call */
  struct sc_tiling tiling;
  struct sc_window window; /* of the grid */
};

struct sc_mosaic;

/*
 * Begin with the first chip's place and array.
 *
 * array  (rows, columns) or (bands, rows, columns), its rows and columns the window's, or these
 *        multiplied or divided by one whole number.
 */
sc_status sc_mosaic_begin(const struct sc_mosaic_options *options,
                          const struct sc_mosaic_place *place, const struct sc_npy_view *array,
                          struct sc_mosaic **out, struct sc_error *err);
/* Put a chip: SC_BAD_DATA where grid, tiling, type or bands are not the first one's, or where it
 * came before. */
sc_status sc_mosaic_put(struct sc_mosaic *m, const struct sc_mosaic_place *place,
                        const struct sc_npy_view *array, struct sc_error *err);
/* Write the raster; *path is then the file in a folder that lives as long as m. */
sc_status sc_mosaic_finish(struct sc_mosaic *m, const char **path, struct sc_error *err);
void sc_mosaic_free(struct sc_mosaic *m);

#endif
