/*
 * The pixel grid of an item and the chips on it: pure arithmetic, no I/O.
 *
 * grid     CRS, transform and shape of the item's finest pixels
 * tiling   how chips lie on a grid: size, stride, edge
 * lattice  the corners of a grid's chips in degrees (lattice.h)
 * mapping  from grid pixels to those of an asset of another resolution (mapping.h)
 * outline  the footprint of windows that their four corners do not describe (outline.h)
 * place    whether a grid lies where the item and its files say (place.h)
 * scene    an item with its rule, its assets and its grid (scene.h)
 */
#ifndef SC_INDEX_GRID_H
#define SC_INDEX_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SC_CHIP_SIZE_DEFAULT_PX 256
#define SC_CHIP_SIZE_MAX_PX 65536
#define SC_GRID_MAX_PX 100000000  /* rows or columns of a grid that we believe */
#define SC_GRID_MAX_CHIPS 4000000 /* of one item: 200 MB; beyond, shape or options are wrong */

struct sc_grid {
  char *crs;           /* "EPSG:32720", WKT or PROJJSON; owned, sc_grid_free() */
  double transform[6]; /* a b c d e f: x = a col + b row + c, y = d col + e row + f */
  int64_t width_px, height_px;
};

enum sc_edge { SC_EDGE_DROP = 0, SC_EDGE_PAD, SC_EDGE_SHIFT };
#define SC_EDGE_CHOICES "drop|pad|shift" /* of an option, in the order of the enum */
/* "drop" ...; static. */
const char *sc_edge_name(enum sc_edge edge);
/* The edge of that name; NULL is the default, drop. SC_BAD_DATA, with the names, for another word.
 */
sc_status sc_edge_parse(const char *name, enum sc_edge *out, struct sc_error *err);

/* How chips lie on a grid. */
struct sc_tiling {
  int32_t chip_size_px;
  int32_t stride_px; /* distance of chip origins */
  enum sc_edge edge;
};

/* A window of grid pixels, origin top left, y down. May leave the grid (edge pad). */
struct sc_window {
  int64_t x, y;
  int64_t width_px, height_px;
};

void sc_grid_free(struct sc_grid *grid);

/* Number of chips along one axis of length_px pixels; 0 where none fits. */
int64_t sc_tiling_count(const struct sc_tiling *tiling, int64_t length_px);

/* Origin in pixels of chip `i` along an axis of length_px pixels. */
int64_t sc_tiling_origin(const struct sc_tiling *tiling, int64_t length_px, int64_t i);

/* The window of chip (x, y). SC_RANGE when there is no such chip; the text says the range. */
sc_status sc_grid_window(const struct sc_grid *grid, const struct sc_tiling *tiling, int64_t x,
                         int64_t y, struct sc_window *out, struct sc_error *err);

/* Coordinates in the grid's CRS of a pixel corner. */
void sc_grid_xy(const struct sc_grid *grid, double col, double row, double *x, double *y);

/* SC_BAD_DATA with the reason when shape or transform cannot be a grid (zero, NaN, huge, flat). */
sc_status sc_grid_check(const struct sc_grid *grid, struct sc_error *err);

/* 16 hexadecimal digits that are equal for equal CRS, transform and shape. */
void sc_grid_hash(const struct sc_grid *grid, char out[17]);

#endif
