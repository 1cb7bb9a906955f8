/*
 * The footprint of any window of a grid, those included whose four corners do not describe it: over
 * a pole, with an edge through one, or wider than half the globe.
 */
#ifndef SC_INDEX_OUTLINE_H
#define SC_INDEX_OUTLINE_H

#include "base/status.h"
#include "index/geometry.h"
#include "index/grid.h"

/* A pole that is one point of the grid's CRS, as it is of polar projections. */
struct sc_pole {
  double col, row; /* pixels of the grid */
  double lat;      /* 90 or -90 */
};

/* What is known of a grid. Made by sc_outline_begin(); nothing to free. */
struct sc_outline {
  const struct sc_grid *grid; /* borrowed */
  int is_geographic;          /* see sc_footprint_from_corners() */
  int is_wide;                /* windows of the grid may be as wide as half the globe */
  int n_poles;
  struct sc_pole poles[2];
};

/*
 * few  Nonzero where a window may be a good part of the grid, so that its width must be looked at.
 */
sc_status sc_outline_begin(const struct sc_grid *grid, int few, struct sc_outline *out,
                           struct sc_error *err);

/*
 * The footprint of a window whose corners are projected already.
 *
 * box       First column, first row, last column, last row, in pixels of the grid.
 * lon, lat  Of the corners in ring order: upper left, lower left, lower right, upper right.
 * has_place Out: 0 where it has none; see sc_footprint_from_corners().
 */
sc_status sc_outline_window(const struct sc_outline *outline, const double box[4],
                            const double lon[4], const double lat[4], int *has_place,
                            struct sc_footprint *out, struct sc_error *err);

/* The same for corners that are not. */
sc_status sc_outline_box(const struct sc_outline *outline, const double box[4], int *has_place,
                         struct sc_footprint *out, struct sc_error *err);

/*
 * The longitudes and latitudes along the border of the whole grid.
 *
 * n     Points a side.
 * lon   4 n degrees that do not jump (NaN: no place); lat likewise.
 * turn  Of sc_footprint_from_ring().
 */
sc_status sc_outline_border(const struct sc_outline *outline, const double box[4], int n,
                            double *lon, double *lat, double *turn, struct sc_error *err);

#endif
