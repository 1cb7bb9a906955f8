/* The footprint of windows of a grid; see outline.h. */
#include "index/outline.h"

#include <math.h>
#include <string.h>

#include "index/footprint.h"
#include "raster/raster_api.h"

#define SIDE_POINTS 12 /* of a side that is followed; 4 * 12 fit into SC_RING_MAX_POINTS */
#define WIDE_DEG 30.0  /* of a side: beside a pole wider ones are no straight lines in degrees */
#define NEAR_PX 1e-6   /* of a pole and an edge */
#define POLE_DEG 1e-9  /* of a point and the pole */

static int is_at_pole(double lat) { return fabs(lat) > 90 - POLE_DEG; }

/* Pixels of the grid from coordinates of its CRS, in place. */
static void to_pixels(const struct sc_grid *grid, double *x, double *y) {
  const double *t = grid->transform, det = t[0] * t[4] - t[1] * t[3];
  double dx = *x - t[2], dy = *y - t[5];
  *x = (dx * t[4] - dy * t[1]) / det;
  *y = (dy * t[0] - dx * t[3]) / det;
}

/* Is the pole one point, the same from two meridians, that comes back as the pole? */
static sc_status find_pole(const struct sc_raster_api *raster, struct sc_outline *o, double lat,
                           struct sc_error *err) {
  double x[2] = {0, 110}, y[2] = {lat, lat}, back_x, back_y;
  sc_status st = raster->from_lonlat(o->grid->crs, 2, x, y, err);
  if (st || isnan(x[0]) || isnan(x[1])) return st;
  back_x = x[0], back_y = y[0];
  st = raster->to_lonlat(o->grid->crs, 1, &back_x, &back_y, err);
  if (st || !(fabs(back_y - lat) < 1e-6)) return st;
  for (int i = 0; i < 2; i++) to_pixels(o->grid, &x[i], &y[i]);
  if (fabs(x[0] - x[1]) > 0.01 || fabs(y[0] - y[1]) > 0.01) return SC_OK; /* a line */
  o->poles[o->n_poles++] = (struct sc_pole){x[0], y[0], lat};
  return SC_OK;
}

static sc_status project(const struct sc_outline *o, size_t n, double *x, double *y,
                         struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  for (size_t i = 0; i < n; i++) sc_grid_xy(o->grid, x[i], y[i], &x[i], &y[i]);
  return raster->to_lonlat(o->grid->crs, n, x, y, err);
}

/* Corner k of a box in ring order. */
static void corner_of(const double box[4], int k, double *col, double *row) {
  *col = k % 4 < 2 ? box[0] : box[2];
  *row = k % 4 == 0 || k % 4 == 3 ? box[1] : box[3];
}

/* Let longitudes run on without jumps; a point on a pole, or without a place, has none. */
static double follow(double *lon, const double *lat, int n) {
  double first = NAN, near = NAN;
  for (int i = 0; i < n; i++) {
    if (!isfinite(lon[i]) || is_at_pole(lat[i])) continue;
    if (isfinite(near)) {
      lon[i] = sc_nearest_turn(lon[i], near);
    } else {
      first = lon[i];
    }
    near = lon[i];
  }
  return isfinite(near) ? sc_nearest_turn(first, near) - first : 0;
}

sc_status sc_outline_border(const struct sc_outline *o, const double box[4], int n, double *lon,
                            double *lat, double *turn, struct sc_error *err) {
  for (int k = 0; k < 4; k++) {
    double from[2], to[2];
    corner_of(box, k, &from[0], &from[1]);
    corner_of(box, k + 1, &to[0], &to[1]);
    for (int i = 0; i < n; i++) {
      lon[k * n + i] = from[0] + (to[0] - from[0]) * i / n;
      lat[k * n + i] = from[1] + (to[1] - from[1]) * i / n;
    }
  }
  sc_status st = project(o, (size_t)(4 * n), lon, lat, err);
  *turn = st || o->is_geographic ? 0 : follow(lon, lat, 4 * n);
  return st;
}

sc_status sc_outline_begin(const struct sc_grid *grid, int few, struct sc_outline *out,
                           struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const double whole[4] = {0, 0, (double)grid->width_px, (double)grid->height_px};
  double lon[4 * SIDE_POINTS], lat[4 * SIDE_POINTS], turn, west = INFINITY, east = -INFINITY;
  memset(out, 0, sizeof *out);
  out->grid = grid;
  if (!raster) return err->status;
  out->is_geographic = raster->is_geographic(grid->crs);
  if (out->is_geographic) return SC_OK;
  sc_status st = find_pole(raster, out, 90, err);
  if (!st) st = find_pole(raster, out, -90, err);
  if (st || !few) return st;
  st = sc_outline_border(out, whole, SIDE_POINTS, lon, lat, &turn, err);
  for (int i = 0; i < 4 * SIDE_POINTS && !st; i++) {
    if (!isfinite(lon[i])) out->is_wide = 1;
    west = fmin(west, lon[i]);
    east = fmax(east, lon[i]);
  }
  if (!st && (turn != 0 || east - west > WIDE_DEG)) out->is_wide = 1;
  return st;
}

/* How a pole lies to a box: outside, inside, on a corner, or on side k (4 + k). */
enum { OUTSIDE, INSIDE, ON_CORNER, ON_SIDE };

static int locate_pole(const struct sc_pole *p, const double box[4]) {
  int left = fabs(p->col - box[0]) < NEAR_PX, right = fabs(p->col - box[2]) < NEAR_PX;
  int top = fabs(p->row - box[1]) < NEAR_PX, bottom = fabs(p->row - box[3]) < NEAR_PX;
  if (p->col < box[0] - NEAR_PX || p->col > box[2] + NEAR_PX || p->row < box[1] - NEAR_PX ||
      p->row > box[3] + NEAR_PX) {
    return OUTSIDE;
  }
  if ((left || right) && (top || bottom)) return ON_CORNER;
  if (left) return ON_SIDE;
  return bottom ? ON_SIDE + 1 : right ? ON_SIDE + 2 : top ? ON_SIDE + 3 : INSIDE;
}

/* A pole on side k: from its end the other three sides to its begin, and by the pole back. */
static int ring_by_pole(const double *lon, const double *lat, int side, double pole,
                        struct sc_footprint *out) {
  enum { N = 3 * SIDE_POINTS + 1 };
  double ring_lon[N + 2], ring_lat[N + 2];
  for (int i = 0; i < N; i++) {
    int from = ((side + 1) * SIDE_POINTS + i) % (4 * SIDE_POINTS);
    ring_lon[i] = i ? sc_nearest_turn(lon[from], ring_lon[i - 1]) : lon[from];
    ring_lat[i] = lat[from];
  }
  ring_lon[N] = ring_lon[N - 1], ring_lat[N] = pole;
  ring_lon[N + 1] = ring_lon[0], ring_lat[N + 1] = pole;
  return sc_footprint_from_ring(ring_lon, ring_lat, N + 2, 0, out);
}

/* Of corners whose longitudes run on. */
static int has_wide_side(const double lon[4]) {
  for (int k = 0; k < 4; k++) {
    if (fabs(lon[(k + 1) % 4] - lon[k]) > WIDE_DEG) return 1;
  }
  return 0;
}

/* The footprint by way of many points of the border. */
static sc_status follow_border(const struct sc_outline *o, const double box[4], const double lat[4],
                               int *has_place, struct sc_footprint *out, struct sc_error *err) {
  double border_lon[4 * SIDE_POINTS], border_lat[4 * SIDE_POINTS], lon[4], turn;
  int where = OUTSIDE;
  double pole = 0;
  for (int i = 0; i < o->n_poles && where == OUTSIDE; i++) {
    where = locate_pole(&o->poles[i], box);
    pole = o->poles[i].lat;
  }
  sc_status st = sc_outline_border(o, box, SIDE_POINTS, border_lon, border_lat, &turn, err);
  if (st) return st;
  for (int i = 0; i < 4 * SIDE_POINTS; i++) {
    if (!isfinite(border_lon[i])) where = ON_CORNER; /* the corners must do */
  }
  for (int k = 0; k < 4; k++) lon[k] = border_lon[k * SIDE_POINTS];
  if (where >= ON_SIDE) {
    *has_place = ring_by_pole(border_lon, border_lat, where - ON_SIDE, pole, out);
  } else if (where == ON_CORNER) {
    *has_place = sc_footprint_from_corners(lon, lat, 0, out);
  } else if (fabs(turn) > 180 || (o->n_poles > 0 && has_wide_side(lon))) {
    *has_place = sc_footprint_from_ring(border_lon, border_lat, 4 * SIDE_POINTS, turn, out);
  } else {
    *has_place = sc_footprint_from_ring(lon, lat, 4, 0, out);
  }
  return SC_OK;
}

sc_status sc_outline_window(const struct sc_outline *o, const double box[4], const double lon[4],
                            const double lat[4], int *has_place, struct sc_footprint *out,
                            struct sc_error *err) {
  int is_odd = o->is_wide;
  *has_place = sc_footprint_from_corners(lon, lat, o->is_geographic, out);
  for (int k = 0; k < 4 && !is_odd; k++) {
    is_odd = fabs(lon[k] - sc_nearest_turn(lon[(k + 1) % 4], lon[k])) > WIDE_DEG;
  }
  if (o->is_geographic || !is_odd) return SC_OK;
  for (int k = 0; k < 4; k++) {
    if (!isfinite(lon[k])) return SC_OK;
  }
  return follow_border(o, box, lat, has_place, out, err);
}

sc_status sc_outline_box(const struct sc_outline *o, const double box[4], int *has_place,
                         struct sc_footprint *out, struct sc_error *err) {
  double lon[4], lat[4];
  for (int k = 0; k < 4; k++) corner_of(box, k, &lon[k], &lat[k]);
  sc_status st = project(o, 4, lon, lat, err);
  return st ? st : sc_outline_window(o, box, lon, lat, has_place, out, err);
}
