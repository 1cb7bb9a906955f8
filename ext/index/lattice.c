/* The corners of all chips; see lattice.h. */
#include "index/lattice.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "index/footprint.h"
#include "raster/raster_api.h"

void sc_lattice_free(struct sc_lattice *l) {
  if (!l) return;
  sc_free(l->lon);
  sc_free(l->lat);
  sc_free(l);
}

/* Position in pixels of corner k along an axis: begin of chip k, or begin and end by turns. */
static double corner_at(const struct sc_lattice *l, const struct sc_tiling *t, int64_t length_px,
                        int64_t k) {
  if (l->shared) return (double)(k * t->stride_px);
  return (double)(sc_tiling_origin(t, length_px, k / 2) + (k % 2) * t->chip_size_px);
}

static sc_status project(struct sc_lattice *l, const struct sc_grid *grid,
                         const struct sc_tiling *t, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  for (int64_t j = 0; j < l->n_y; j++) {
    double row = corner_at(l, t, grid->height_px, j);
    for (int64_t i = 0; i < l->n_x; i++) {
      int64_t k = j * l->n_x + i;
      sc_grid_xy(grid, corner_at(l, t, grid->width_px, i), row, &l->lon[k], &l->lat[k]);
    }
  }
  l->geographic = raster->is_geographic(grid->crs);
  return raster->to_lonlat(grid->crs, (size_t)(l->n_x * l->n_y), l->lon, l->lat, err);
}

sc_status sc_lattice_new(const struct sc_grid *grid, const struct sc_tiling *t,
                         struct sc_lattice **out, struct sc_error *err) {
  int64_t nx = sc_tiling_count(t, grid->width_px), ny = sc_tiling_count(t, grid->height_px);
  *out = NULL;
  if (nx > SC_GRID_MAX_CHIPS || ny > SC_GRID_MAX_CHIPS || nx * ny > SC_GRID_MAX_CHIPS) {
    return sc_fail(err, SC_TOO_BIG, "%" PRId64 " x %" PRId64 " chips; at most %d of an item", nx,
                   ny, SC_GRID_MAX_CHIPS);
  }
  struct sc_lattice *l = sc_alloc_zero(1, sizeof *l);
  if (!l) return sc_fail_nomem(err);
  l->n_cols = nx;
  l->n_rows = ny;
  l->shared = t->stride_px == t->chip_size_px && t->edge != SC_EDGE_SHIFT;
  l->n_x = nx * ny == 0 ? 0 : l->shared ? nx + 1 : 2 * nx;
  l->n_y = nx * ny == 0 ? 0 : l->shared ? ny + 1 : 2 * ny;
  l->lon = sc_alloc((size_t)(l->n_x * l->n_y) * sizeof *l->lon);
  l->lat = sc_alloc((size_t)(l->n_x * l->n_y) * sizeof *l->lat);
  sc_status st = l->lon && l->lat ? project(l, grid, t, err) : sc_fail_nomem(err);
  if (st) {
    sc_lattice_free(l);
    return st;
  }
  *out = l;
  return SC_OK;
}

sc_status sc_window_footprint(const struct sc_grid *grid, const struct sc_window *w, int *has_place,
                              struct sc_footprint *out, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  double lon[4], lat[4];
  if (!raster) return err->status;
  for (int i = 0; i < 4; i++) { /* as below: down the left side, up the right one */
    double col = (double)(i < 2 ? w->x : w->x + w->width_px);
    double row = (double)(i == 0 || i == 3 ? w->y : w->y + w->height_px);
    sc_grid_xy(grid, col, row, &lon[i], &lat[i]);
  }
  sc_status st = raster->to_lonlat(grid->crs, 4, lon, lat, err);
  if (!st) *has_place = sc_footprint_from_corners(lon, lat, raster->is_geographic(grid->crs), out);
  return st;
}

int sc_lattice_footprint(const struct sc_lattice *l, int64_t x, int64_t y,
                         struct sc_footprint *out) {
  int64_t step = l->shared ? 1 : 2;
  int64_t upper = y * step * l->n_x + x * step, lower = upper + l->n_x;
  const double lon[4] = {l->lon[upper], l->lon[lower], l->lon[lower + 1], l->lon[upper + 1]};
  const double lat[4] = {l->lat[upper], l->lat[lower], l->lat[lower + 1], l->lat[upper + 1]};
  return sc_footprint_from_corners(lon, lat, l->geographic, out);
}
