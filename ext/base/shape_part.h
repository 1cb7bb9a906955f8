/* Points, lines and rings of a geometry, as index/shape.h reads them and the raster half burns
 * them. */
#ifndef SC_BASE_SHAPE_PART_H
#define SC_BASE_SHAPE_PART_H

#include <stddef.h>

enum sc_shape_kind {
  SC_SHAPE_POINT,
  SC_SHAPE_LINE,
  SC_SHAPE_SHELL, /* the outer ring of a polygon; the holes that follow it are the polygon's */
  SC_SHAPE_HOLE
};

/* A point, a line or a ring: points [first, first + n) of the shape. A ring's first point is
 * repeated as its last. */
struct sc_shape_part {
  enum sc_shape_kind kind;
  size_t first, n;
};

#endif
