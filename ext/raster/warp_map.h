/*
 * Where the pixels of an output grid lie in a file: exact places by PROJ, and between them
 * quadratic interpolation that is subdivided until it is good (see sc_warp in raster_api.h).
 */
#ifndef SC_RASTER_WARP_MAP_H
#define SC_RASTER_WARP_MAP_H

#include "base/status.h"
#include "raster/raster_api.h"

/* From output pixels to pixels of a file of one size. Made by sc_warp_map_init(). */
struct sc_warp_map {
  const struct sc_warp *warp; /* borrowed */
  double to_file[6];          /* from the file's CRS to its pixels */
  int is_same_crs;            /* the two grids differ by an affine transform alone */
  int is_geographic;          /* the file */
  double middle_x;            /* of the file: longitudes are taken on the turn nearest to it */
};

/* SC_BAD_DATA for a transform that is flat. width, height: of the file, pixels. */
sc_status sc_warp_map_init(const struct sc_warp *warp, int width, int height,
                           struct sc_warp_map *out, struct sc_error *err);

/* n places in output pixels (0, 0 is the corner) to file pixels, exactly, in place; NaN for what
 * has no place there. SC_BAD_DATA for an unknown CRS. */
sc_status sc_warp_map_exact(const struct sc_warp_map *map, size_t n, double *x, double *y,
                            struct sc_error *err);

/* A rectangle of output pixels. */
struct sc_warp_rect {
  int x, y, width, height;
};

/* The middles of its pixels: x and y [height][width], in pixels of the file; NaN as above. */
sc_status sc_warp_map_fill(const struct sc_warp_map *map, const struct sc_warp_rect *rect,
                           double *x, double *y, struct sc_error *err);

#endif
