/* The pixel grid and the chips on it; see grid.h. */
#include "index/grid.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

static const char *const edge_names[] = {"drop", "pad", "shift"};

const char *sc_edge_name(enum sc_edge edge) { return edge_names[edge]; }

sc_status sc_edge_parse(const char *name, enum sc_edge *out, struct sc_error *err) {
  *out = SC_EDGE_DROP;
  for (int i = 0; name && i < 3; i++) {
    if (strcmp(name, edge_names[i]) == 0) {
      *out = (enum sc_edge)i;
      return SC_OK;
    }
  }
  if (!name) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "edge: '%s' is not one of drop, pad, shift", name);
}

void sc_grid_free(struct sc_grid *grid) {
  sc_free(grid->crs);
  memset(grid, 0, sizeof *grid);
}

int64_t sc_tiling_count(const struct sc_tiling *t, int64_t length_px) {
  int64_t size = t->chip_size_px, stride = t->stride_px;
  if (length_px <= 0) return 0;
  switch (t->edge) {
    case SC_EDGE_PAD: return (length_px + stride - 1) / stride;
    case SC_EDGE_SHIFT:
      if (length_px < size) return 0;
      return 1 + (length_px - size + stride - 1) / stride;
    case SC_EDGE_DROP: break;
  }
  return length_px < size ? 0 : 1 + (length_px - size) / stride;
}

int64_t sc_tiling_origin(const struct sc_tiling *t, int64_t length_px, int64_t i) {
  int64_t origin = i * t->stride_px;
  if (t->edge == SC_EDGE_SHIFT && origin > length_px - t->chip_size_px) {
    return length_px - t->chip_size_px;
  }
  return origin;
}

sc_status sc_grid_window(const struct sc_grid *grid, const struct sc_tiling *t, int64_t x,
                         int64_t y, struct sc_window *out, struct sc_error *err) {
  int64_t nx = sc_tiling_count(t, grid->width_px), ny = sc_tiling_count(t, grid->height_px);
  if (x < 0 || y < 0 || x >= nx || y >= ny) {
    return sc_fail(err, SC_RANGE,
                   "chip (%" PRId64 ", %" PRId64 ") is outside the grid of %" PRId64 " x %" PRId64
                   " chips of %d pixels",
                   x, y, nx, ny, t->chip_size_px);
  }
  out->x = sc_tiling_origin(t, grid->width_px, x);
  out->y = sc_tiling_origin(t, grid->height_px, y);
  out->width_px = out->height_px = t->chip_size_px;
  return SC_OK;
}

void sc_grid_xy(const struct sc_grid *grid, double col, double row, double *x, double *y) {
  const double *t = grid->transform;
  *x = t[0] * col + t[1] * row + t[2];
  *y = t[3] * col + t[4] * row + t[5];
}

sc_status sc_grid_check(const struct sc_grid *grid, struct sc_error *err) {
  const double *t = grid->transform;
  if (grid->width_px <= 0 || grid->height_px <= 0 || grid->width_px > SC_GRID_MAX_PX ||
      grid->height_px > SC_GRID_MAX_PX) {
    return sc_fail(err, SC_BAD_DATA,
                   "shape [%" PRId64 ", %" PRId64 "]: rows and columns must be 1 to %d",
                   grid->height_px, grid->width_px, SC_GRID_MAX_PX);
  }
  for (int i = 0; i < 6; i++) {
    if (!isfinite(t[i]) || fabs(t[i]) > 1e12) {
      return sc_fail(
          err, SC_BAD_DATA,
          "transform [%g, %g, %g, %g, %g, %g]: its numbers must be finite, and 1e12 at most", t[0],
          t[1], t[2], t[3], t[4], t[5]);
    }
  }
  double area = fabs(t[0] * t[4] - t[1] * t[3]);
  if (!(area > 1e-20)) {
    return sc_fail(err, SC_BAD_DATA, "transform [%g, %g, %g, %g, %g, %g] gives pixels without area",
                   t[0], t[1], t[2], t[3], t[4], t[5]);
  }
  return SC_OK;
}

void sc_grid_hash(const struct sc_grid *grid, char out[17]) {
  uint64_t h = sc_hash_bytes(SC_HASH_START, grid->crs, strlen(grid->crs));
  double numbers[8];
  memcpy(numbers, grid->transform, sizeof grid->transform);
  numbers[6] = (double)grid->height_px;
  numbers[7] = (double)grid->width_px;
  for (int i = 0; i < 8; i++) numbers[i] += 0.0; /* -0 and 0 are one transform */
  h = sc_hash_bytes(h, numbers, sizeof numbers);
  snprintf(out, 17, "%016" PRIx64, h);
}
