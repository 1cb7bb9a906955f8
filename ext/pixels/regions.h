/*
 * Regions of equal pixels as polygons: rows of a raster in, from the first to the last, polygons
 * out as soon as no further row can add to them. Pure arithmetic.
 *
 * HOW IT WORKS  Parts are found by union-find over the runs of two rows. At each corner of the
 * pixels, the two edges that bound a sector of one region are joined, so that borders grow as
 * chains of corners; chains that meet themselves are rings. Held are two rows, and the corners of
 * parts that are not complete.
 */
#ifndef SC_PIXELS_REGIONS_H
#define SC_PIXELS_REGIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A corner of pixels: column and row of its lines, 0 0 the upper left corner of the raster. */
struct sc_corner {
  int32_t x, y;
};

/* Corners [first, first + n) of a region; the first is not repeated. None comes twice. */
struct sc_region_ring {
  size_t first, n;
};

/* Rings [first, first + n) of a region: the shell and its holes. */
struct sc_region_part {
  size_t first, n;
};

/* Pixels of one value that hang together. With y upwards shells are counter-clockwise, holes
 * clockwise. Rings touch each other in single corners at most. */
struct sc_region {
  double value;
  int64_t n_pixels;
  const struct sc_corner *corners;
  const struct sc_region_ring *rings;
  const struct sc_region_part *parts; /* one where four neighbours count */
  size_t n_corners, n_rings, n_parts;
};

struct sc_regions_options {
  int width;    /* of the raster, 1 to INT32_MAX - 1 */
  int is_eight; /* pixels hang together that share a corner, too */
  /* 0: corners of rings where they turn alone. Else also where three regions meet, and at multiples
   * of it: so that neighbours have the same corners, which may then be brought to another CRS. */
  int dense_px;
  sc_status (*take)(void *context, const struct sc_region *region, struct sc_error *err);
  void *context;
};

struct sc_regions;

sc_status sc_regions_new(const struct sc_regions_options *options, struct sc_regions **out,
                         struct sc_error *err);
void sc_regions_free(struct sc_regions *r);

/* The next row: `width` values, of which those count that have said[i]. SC_TOO_BIG where the
 * borders that are held take more than 2 GB. */
sc_status sc_regions_row(struct sc_regions *r, const double *values, const uint8_t *said,
                         struct sc_error *err);
/* After the last one: gives what is left. */
sc_status sc_regions_end(struct sc_regions *r, struct sc_error *err);

#endif
