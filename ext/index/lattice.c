/* The corners of all chips; see lattice.h. */
#include "index/lattice.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "raster/raster_api.h"

void sc_lattice_free(struct sc_lattice *l) {
  if (!l) return;
  sc_grid_free(&l->grid);
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

#define FEW_CHIPS 8       /* across or down: one of them may then be a good part of the grid */
#define BATCH_POINTS 8192 /* projected between two looks at an interrupt: some 10 ms */

static sc_status project(struct sc_lattice *l, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const struct sc_grid *grid = &l->grid;
  int64_t n = l->n_x * l->n_y;
  if (!raster) return err->status;
  for (int64_t begin = 0; begin < n; begin += BATCH_POINTS) {
    int64_t end = begin + BATCH_POINTS < n ? begin + BATCH_POINTS : n;
    if (sc_interrupted(NULL)) return sc_fail(err, SC_INTERRUPT, "interrupted");
    for (int64_t k = begin; k < end; k++) {
      sc_grid_xy(grid, corner_at(l, &l->tiling, grid->width_px, k % l->n_x),
                 corner_at(l, &l->tiling, grid->height_px, k / l->n_x), &l->lon[k], &l->lat[k]);
    }
    sc_status st =
        raster->to_lonlat(grid->crs, (size_t)(end - begin), l->lon + begin, l->lat + begin, err);
    if (st) return st;
  }
  return SC_OK;
}

static sc_status prepare(struct sc_lattice *l, const struct sc_grid *grid, struct sc_error *err) {
  l->grid = *grid;
  l->grid.crs = NULL;
  l->lon = sc_alloc((size_t)(l->n_x * l->n_y) * sizeof *l->lon);
  l->lat = sc_alloc((size_t)(l->n_x * l->n_y) * sizeof *l->lat);
  if (!l->lon || !l->lat) return sc_fail_nomem(err);
  sc_status st = sc_strdup(grid->crs, &l->grid.crs, err);
  int few = l->n_cols <= FEW_CHIPS || l->n_rows <= FEW_CHIPS;
  if (!st) st = sc_outline_begin(&l->grid, few, &l->outline, err);
  return st ? st : project(l, err);
}

sc_status sc_lattice_new(const struct sc_grid *grid, const struct sc_tiling *t,
                         struct sc_lattice **out, struct sc_error *err) {
  int64_t nx = sc_tiling_count(t, grid->width_px), ny = sc_tiling_count(t, grid->height_px);
  *out = NULL;
  if (nx > SC_GRID_MAX_CHIPS || ny > SC_GRID_MAX_CHIPS || nx * ny > SC_GRID_MAX_CHIPS) {
    return sc_fail(err, SC_TOO_BIG, "%" PRId64 " x %" PRId64 " chips; the limit is %d for an item",
                   nx, ny, SC_GRID_MAX_CHIPS);
  }
  struct sc_lattice *l = sc_alloc_zero(1, sizeof *l);
  if (!l) return sc_fail_nomem(err);
  l->n_cols = nx;
  l->n_rows = ny;
  l->shared = t->stride_px == t->chip_size_px && t->edge != SC_EDGE_SHIFT;
  l->n_x = nx * ny == 0 ? 0 : l->shared ? nx + 1 : 2 * nx;
  l->n_y = nx * ny == 0 ? 0 : l->shared ? ny + 1 : 2 * ny;
  l->tiling = *t;
  sc_status st = prepare(l, grid, err);
  if (st) {
    sc_lattice_free(l);
    return st;
  }
  *out = l;
  return SC_OK;
}

/* Of a box that has no place: that of its part within the grid, where it leaves it. */
static sc_status place_inner(const struct sc_outline *o, const double box[4], int *has_place,
                             struct sc_footprint *out, struct sc_error *err) {
  const double w = (double)o->grid->width_px, h = (double)o->grid->height_px;
  const double inner[4] = {fmax(box[0], 0), fmax(box[1], 0), fmin(box[2], w), fmin(box[3], h)};
  if (memcmp(box, inner, sizeof inner) == 0 || inner[0] >= inner[2] || inner[1] >= inner[3])
    return SC_OK;
  return sc_outline_box(o, inner, has_place, out, err);
}

sc_status sc_window_footprint(const struct sc_grid *grid, const struct sc_window *w, int *has_place,
                              struct sc_footprint *out, struct sc_error *err) {
  const double box[4] = {(double)w->x, (double)w->y, (double)(w->x + w->width_px),
                         (double)(w->y + w->height_px)};
  struct sc_outline outline;
  int few =
      w->width_px * FEW_CHIPS >= grid->width_px || w->height_px * FEW_CHIPS >= grid->height_px;
  sc_status st = sc_outline_begin(grid, few, &outline, err);
  if (!st) st = sc_outline_box(&outline, box, has_place, out, err);
  return st || *has_place ? st : place_inner(&outline, box, has_place, out, err);
}

sc_status sc_lattice_footprint(const struct sc_lattice *l, int64_t x, int64_t y, int *has_place,
                               struct sc_footprint *out, struct sc_error *err) {
  int64_t step = l->shared ? 1 : 2;
  int64_t upper = y * step * l->n_x + x * step, lower = upper + l->n_x;
  const double lon[4] = {l->lon[upper], l->lon[lower], l->lon[lower + 1], l->lon[upper + 1]};
  const double lat[4] = {l->lat[upper], l->lat[lower], l->lat[lower + 1], l->lat[upper + 1]};
  const struct sc_tiling *t = &l->tiling;
  double left = (double)sc_tiling_origin(t, l->grid.width_px, x);
  double top = (double)sc_tiling_origin(t, l->grid.height_px, y);
  const double box[4] = {left, top, left + t->chip_size_px, top + t->chip_size_px};
  sc_status st = sc_outline_window(&l->outline, box, lon, lat, has_place, out, err);
  return st || *has_place ? st : place_inner(&l->outline, box, has_place, out, err);
}
