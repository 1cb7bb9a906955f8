/*
 * The corners of all chips of a grid in longitude and latitude, each projected once, in one
 * call. Chips that touch share corners.
 */
#ifndef SC_INDEX_LATTICE_H
#define SC_INDEX_LATTICE_H

#include <stdint.h>

#include "base/status.h"
#include "index/geometry.h"
#include "index/grid.h"
#include "index/outline.h"

struct sc_lattice {
  int64_t n_cols, n_rows; /* chips across and down */
  int shared;             /* chips touch: the end of one is the begin of the next */
  struct sc_grid grid;    /* a copy */
  struct sc_tiling tiling;
  struct sc_outline outline; /* of that grid */
  int64_t n_x, n_y;          /* corners across and down */
  double *lon, *lat;         /* n_x * n_y degrees, row by row; NaN: no place */
};

/* *out is freed with sc_lattice_free(). SC_TOO_BIG beyond SC_GRID_MAX_CHIPS, SC_INTERRUPT. */
sc_status sc_lattice_new(const struct sc_grid *grid, const struct sc_tiling *tiling,
                         struct sc_lattice **out, struct sc_error *err);
void sc_lattice_free(struct sc_lattice *lattice);

/* The footprint of one window; *has_place is 0 where it has none. Of a window that leaves the grid
 * and has no place, as padding beyond a pole, that of the part within. */
sc_status sc_window_footprint(const struct sc_grid *grid, const struct sc_window *window,
                              int *has_place, struct sc_footprint *out, struct sc_error *err);

/* The same for chip (x, y). */
sc_status sc_lattice_footprint(const struct sc_lattice *lattice, int64_t x, int64_t y,
                               int *has_place, struct sc_footprint *out, struct sc_error *err);

#endif
