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
#include "connection.h"
#include "index/grid.h"
#include "pixels/chip_options.h"
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

/* A tile of the raster that is done; pixels outside the raster are not there. */
struct sc_mosaic_tile {
  int x, y, width, height;     /* pixels of the raster; x and y are multiples of SC_COG_TILE_PX */
  const unsigned char *pixels; /* [band][row][column] */
  const uint8_t *said;         /* [row][column]: 1 where a chip says something, else 0 */
};

struct sc_mosaic_options {
  int blend;     /* enum sc_blend */
  int is_argmax; /* the band with the highest value, as uint8, 255 where there is none */
  int has_nodata;
  double nodata; /* pixels of this value say nothing; so do NaN */
  /* Takes tiles that chips say something of, in the order in which they are done; NULL: they become
   * a COG. */
  sc_status (*take)(void *context, const struct sc_mosaic_tile *tile, struct sc_error *err);
  void *context;
};

/* The raster: freed with the mosaic. */
struct sc_mosaic_map {
  int width, height, n_bands;
  enum sc_dtype dtype;
  char *crs;
  double transform[6]; /* as in sc_raster_info */
};

struct sc_mosaic;

const struct sc_mosaic_map *sc_mosaic_map(const struct sc_mosaic *m);

/*
 * Put the array of a chip. The first one begins *m, which is NULL before.
 *
 * of     table and items of the handle.
 * row    A handle, not NULL.
 * array  A BLOB as numpy.save() writes it, of (rows, columns) or (bands, rows, columns), its rows
 *        and columns the chip's, or these multiplied or divided by one whole number.
 * Returns  SC_BAD_DATA where grid, tiling, type or bands are not the first one's, or where the chip
 *          came before; SC_BAD_ARG; what sc_chip_locate() gives.
 */
sc_status sc_mosaic_put_row(struct sc_connection *c, const struct sc_mosaic_options *options,
                            const struct sc_chip_options *of, sqlite3_value *row,
                            sqlite3_value *array, struct sc_mosaic **m, struct sc_error *err);

/* Finish the tiles that wait for chips which did not come; without `take` write the raster: *path
 * is then the file in a folder that lives as long as m. */
sc_status sc_mosaic_finish(struct sc_mosaic *m, const char **path, struct sc_error *err);
void sc_mosaic_free(struct sc_mosaic *m);

#endif
