/*
 * Where output pixels lie in a file; see warp_map.h.
 *
 * HOW IT WORKS  A rectangle of pixels gets 5 x 5 exact places. A quadratic through every second of
 * them foretells the others; where it is within CHECKED_PX, the four quarters, each with a
 * quadratic through its own 3 x 3 places, are good: halving the distance makes the error of a
 * quadratic eight times smaller. Else each quarter is done by itself, down to single pixels.
 * Between two UTM zones a chip of 256 pixels takes 25 calls of PROJ, which GDAL's -et 0 makes for
 * each of its 65536 pixels.
 */
#include "raster/warp_map.h"

#include <math.h>
#include <string.h>

#include "raster/project.h"

#define N 5 /* exact places along a side */
#define CHECKED_PX 1e-4
#define TURN_DEG 360.0

sc_status sc_warp_map_init(const struct sc_warp *warp, int width, int height,
                           struct sc_warp_map *out, struct sc_error *err) {
  const double *t = warp->from, det = t[0] * t[4] - t[1] * t[3];
  memset(out, 0, sizeof *out);
  out->warp = warp;
  if (!(fabs(det) > 0) || !isfinite(det))
    return sc_fail(err, SC_BAD_DATA, "the transform of its pixels is flat");
  const double inverse[6] = {t[4] / det,  -t[1] / det, (t[1] * t[5] - t[4] * t[2]) / det,
                             -t[3] / det, t[0] / det,  (t[3] * t[2] - t[0] * t[5]) / det};
  memcpy(out->to_file, inverse, sizeof inverse);
  out->is_same_crs = sc_project_same_crs(warp->from_crs, warp->to_crs);
  out->is_geographic = sc_project_is_geographic(warp->from_crs);
  out->middle_x = t[0] * width / 2 + t[1] * height / 2 + t[2];
  return SC_OK;
}

static void apply(const double t[6], size_t n, double *x, double *y) {
  for (size_t i = 0; i < n; i++) {
    double column = x[i], row = y[i];
    x[i] = t[0] * column + t[1] * row + t[2];
    y[i] = t[3] * column + t[4] * row + t[5];
  }
}

sc_status sc_warp_map_exact(const struct sc_warp_map *m, size_t n, double *x, double *y,
                            struct sc_error *err) {
  apply(m->warp->to, n, x, y);
  sc_status st =
      m->is_same_crs ? SC_OK : sc_project(m->warp->to_crs, m->warp->from_crs, n, x, y, err);
  if (st) return st;
  for (size_t i = 0; m->is_geographic && i < n; i++) {
    x[i] -= TURN_DEG * round((x[i] - m->middle_x) / TURN_DEG);
  }
  apply(m->to_file, n, x, y);
  return SC_OK;
}

/* Exact places [row][column] along N lines of a rectangle, from its first pixel's middle to its
 * last one's. */
struct nodes {
  double x[N * N], y[N * N];
};

static sc_status find_nodes(const struct sc_warp_map *m, const struct sc_warp_rect *r,
                            struct nodes *out, struct sc_error *err) {
  for (int k = 0; k < N * N; k++) {
    out->x[k] = r->x + 0.5 + (r->width - 1) * (k % N) / (double)(N - 1);
    out->y[k] = r->y + 0.5 + (r->height - 1) * (k / N) / (double)(N - 1);
  }
  return sc_warp_map_exact(m, N * N, out->x, out->y, err);
}

/* The quadratic through values a, b, c at 0, 1, 2. */
static double quadratic(double a, double b, double c, double t) {
  return a + t * (b - a) + t * (t - 1) / 2 * (c - 2 * b + a);
}

/* Every second node foretells the others. False where one has no place. */
static int is_smooth(const double v[N * N]) {
  for (int j = 0; j < N; j++) {
    double across[3];
    for (int i = 0; i < N; i += 2)
      across[i / 2] = quadratic(v[i], v[2 * N + i], v[4 * N + i], j / 2.0);
    for (int i = 0; i < N; i++) {
      double off = quadratic(across[0], across[1], across[2], i / 2.0) - v[j * N + i];
      if (!(fabs(off) <= CHECKED_PX)) return 0;
    }
  }
  return 1;
}

/* One row of pixels, t from 0 to 4 over the columns, by quadratics through places 0, 1, 2 of `at`
 * and 2, 3, 4. */
static void fill_row(const double at[N], int n, double *out) {
  const double step = n > 1 ? (N - 1) / (double)(n - 1) : 0;
  const double first = at[1] - at[0], first_bend = (at[2] - 2 * at[1] + at[0]) / 2;
  const double second = at[3] - at[2], second_bend = (at[4] - 2 * at[3] + at[2]) / 2;
  const int half = (n + 1) / 2;
  for (int i = 0; i < half; i++) {
    double t = i * step;
    out[i] = at[0] + t * (first + (t - 1) * first_bend);
  }
  for (int i = half; i < n; i++) {
    double t = i * step - 2;
    out[i] = at[2] + t * (second + (t - 1) * second_bend);
  }
}

/* A column of nodes at row t, 0 to 4. */
static double along(const double v[N * N], int i, double t) {
  int from = t > 2 ? 2 : 0;
  return quadratic(v[from * N + i], v[(from + 1) * N + i], v[(from + 2) * N + i], t - from);
}

/* Where a result goes: pixel (x, y) of the whole rectangle at [y][x] of arrays `pitch` wide. */
struct target {
  double *x, *y;
  size_t pitch;
};

static void fill_quarters(const struct nodes *nodes, const struct sc_warp_rect *r,
                          const struct target *to) {
  for (int j = 0; j < r->height; j++) {
    double row_x[N], row_y[N], t = r->height > 1 ? j * (N - 1) / (double)(r->height - 1) : 0;
    for (int i = 0; i < N; i++) {
      row_x[i] = along(nodes->x, i, t);
      row_y[i] = along(nodes->y, i, t);
    }
    fill_row(row_x, r->width, to->x + (size_t)j * to->pitch);
    fill_row(row_y, r->width, to->y + (size_t)j * to->pitch);
  }
}

/* At most N * N pixels, each by itself. */
static sc_status fill_pixels(const struct sc_warp_map *m, const struct sc_warp_rect *r,
                             const struct target *to, struct sc_error *err) {
  struct nodes at;
  size_t n = (size_t)r->width * (size_t)r->height;
  for (size_t k = 0; k < n; k++) {
    at.x[k] = r->x + 0.5 + (double)(k % (size_t)r->width);
    at.y[k] = r->y + 0.5 + (double)(k / (size_t)r->width);
  }
  sc_status st = sc_warp_map_exact(m, n, at.x, at.y, err);
  for (size_t k = 0; k < n && !st; k++) {
    size_t to_at = k / (size_t)r->width * to->pitch + k % (size_t)r->width;
    to->x[to_at] = at.x[k];
    to->y[to_at] = at.y[k];
  }
  return st;
}

/* By halves along the longer side: at most 20 levels deep. */
static sc_status fill(const struct sc_warp_map *m, const struct sc_warp_rect *r,
                      const struct target *to, struct sc_error *err) {
  struct nodes nodes;
  if (r->width * (int64_t)r->height <= N * N) return fill_pixels(m, r, to, err);
  sc_status st = find_nodes(m, r, &nodes, err);
  if (st) return st;
  if (is_smooth(nodes.x) && is_smooth(nodes.y)) {
    fill_quarters(&nodes, r, to);
    return SC_OK;
  }
  struct sc_warp_rect first = *r, second = *r;
  struct target behind = *to;
  if (r->width > r->height) {
    second.width -= first.width = r->width / 2;
    second.x += first.width;
    behind.x += first.width, behind.y += first.width;
  } else {
    second.height -= first.height = r->height / 2;
    second.y += first.height;
    behind.x += (size_t)first.height * to->pitch, behind.y += (size_t)first.height * to->pitch;
  }
  st = fill(m, &first, to, err);
  return st ? st : fill(m, &second, &behind, err);
}

sc_status sc_warp_map_fill(const struct sc_warp_map *m, const struct sc_warp_rect *r, double *x,
                           double *y, struct sc_error *err) {
  const struct target to = {x, y, (size_t)r->width};
  return fill(m, r, &to, err);
}
