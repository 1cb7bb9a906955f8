/*
 * Resampling at any place; see warp_kernel.h.
 *
 * Weights are laid once for a row and used by all bands of one resolution. Values are floats where
 * the file's are of up to 16 bits, of which a float holds each, and doubles elsewhere: ten bands of
 * a chip of 256 pixels take half the memory so, and the compiler puts four taps into a register.
 */
#include "raster/warp_kernel.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

#define LEAST_WEIGHT 1e-6 /* as GDAL's: what is less is no weight */
#define TAPS 4            /* of the loops that are unrolled */

struct sc_warp_kernel sc_warp_kernel_make(enum sc_resampling resampling, const double scale[2]) {
  struct sc_warp_kernel k = {.resampling = resampling, .scale = {1, 1}};
  static const int reaches[] = {0, 1, 2, 2, 3, 1, 1, 0};
  const int reach = reaches[resampling];
  for (int axis = 0; axis < 2; axis++) {
    double wider = scale[axis] < 1 ? 1 / scale[axis] : 1;
    if (fabs(wider - round(wider)) < 0.05) wider = round(wider); /* as GDAL snaps it */
    k.scale[axis] = 1 / wider;
    k.radius[axis] = (int)ceil(reach * wider - 1e-9);
  }
  k.is_plain = resampling <= SC_CUBIC && k.scale[0] >= 0.95 && k.scale[1] >= 0.95;
  if (k.is_plain) {
    k.scale[0] = k.scale[1] = 1;
    k.radius[0] = k.radius[1] = reach;
  } else if (k.radius[0] < 2 || k.radius[1] < 2) { /* zero weights fill the unrolled loops */
    k.radius[0] = k.radius[0] < 2 ? 2 : k.radius[0];
    k.radius[1] = k.radius[1] < 2 ? 2 : k.radius[1];
  }
  return k;
}

static int is_bilinear_plain(const struct sc_warp_kernel *k) {
  return k->is_plain && k->resampling == SC_BILINEAR;
}

/* --- taps --- */

sc_status sc_warp_taps_init(const struct sc_warp_kernel *k, int n, struct sc_warp_taps *t,
                            struct sc_error *err) {
  size_t count = (size_t)n, weights = 2 * (size_t)(k->radius[0] + k->radius[1]);
  memset(t, 0, sizeof *t);
  t->kernel = k;
  t->n = n;
  t->column = sc_alloc(count * sizeof *t->column);
  t->row = sc_alloc(count * sizeof *t->row);
  t->reach = sc_alloc(count);
  t->x = sc_alloc(count * sizeof *t->x);
  t->y = sc_alloc(count * sizeof *t->y);
  t->narrow = sc_alloc(count * weights * sizeof *t->narrow);
  t->wide = sc_alloc(count * weights * sizeof *t->wide);
  if (t->column && t->row && t->reach && t->x && t->y && t->narrow && t->wide) return SC_OK;
  sc_warp_taps_free(t);
  return sc_fail_nomem(err);
}

void sc_warp_taps_free(struct sc_warp_taps *t) {
  sc_free(t->column);
  sc_free(t->row);
  sc_free(t->reach);
  sc_free(t->x);
  sc_free(t->y);
  sc_free(t->narrow);
  sc_free(t->wide);
  memset(t, 0, sizeof *t);
}

/* A tie of nearest goes right and down, as everywhere (sc_read_middle()). For places above -1: a
 * cast is a tenth of floor(), which is a call without SSE4.1. */
static double snap_tie(double at) {
  double edge = (double)(int32_t)(at + 1.5) - 1, off = at - edge;
  return off < SC_TIE_PX && -off < SC_TIE_PX ? edge : at;
}

void sc_warp_taps_lay(struct sc_warp_taps *t, const double *x, const double *y,
                      struct sc_warp_file file, const struct sc_warp_plane *p) {
  const struct sc_warp_kernel *k = t->kernel;
  const int is_nearest = k->resampling == SC_NEAREST, rx = k->radius[0], ry = k->radius[1];
  t->width = p->width;
  t->height = p->height;
  for (int i = 0; i < t->n; i++) {
    t->reach[i] = SC_WARP_OUTSIDE;
    t->column[i] = t->row[i] = 0;
    if (!(x[i] > -0.5 && y[i] > -0.5 && x[i] < file.width && y[i] < file.height)) continue;
    double px = snap_tie(x[i]), py = snap_tie(y[i]);
    if (!(px >= 0 && py >= 0 && px < file.width && py < file.height)) continue;
    int32_t ax = is_nearest ? (int32_t)px : (int32_t)(x[i] + 0.5) - 1;
    int32_t ay = is_nearest ? (int32_t)py : (int32_t)(y[i] + 0.5) - 1;
    t->x[i] = x[i] - 0.5 - ax;
    t->y[i] = y[i] - 0.5 - ay;
    t->column[i] = ax - p->left - (is_nearest ? 0 : rx - 1);
    t->row[i] = ay - p->top - (is_nearest ? 0 : ry - 1);
    int last_x = t->column[i] + (is_nearest ? 0 : 2 * rx - 1);
    int last_y = t->row[i] + (is_nearest ? 0 : 2 * ry - 1);
    t->reach[i] = t->column[i] >= 0 && t->row[i] >= 0 && last_x < p->width && last_y < p->height
                      ? SC_WARP_INSIDE
                      : SC_WARP_EDGE;
  }
}

/* Keys' kernel with a = -1/2, and the triangle. */
#define CUBIC(T)                                             \
  ((T) <= 1  ? ((T)*3 / 2 - (REAL)2.5) * (T) * (T) + 1       \
   : (T) < 2 ? ((REAL)2.5 - (T) / 2) * (T) * (T)-4 * (T) + 2 \
             : 0)
#define TRIANGLE(T) ((T) < 1 ? 1 - (T) : 0)

/* Weights of 2 * radius taps, the first one radius - 1 pixels before `at`; their sum is 1. */
#define AXIS(NAME)                                                                              \
  static inline void NAME(const struct sc_warp_kernel *k, int axis, double at, REAL *weights) { \
    const int radius = k->radius[axis];                                                         \
    const REAL scale = (REAL)k->scale[axis], begin = (REAL)(1 - radius - at);                   \
    REAL sum = 0;                                                                               \
    for (int i = 0; i < 2 * radius; i++) {                                                      \
      REAL t = (begin + (REAL)i) * scale;                                                       \
      if (t < 0) t = -t;                                                                        \
      weights[i] = k->resampling == SC_CUBIC ? CUBIC(t) : TRIANGLE(t);                          \
      sum += weights[i];                                                                        \
    }                                                                                           \
    for (int i = 0; i < 2 * radius && !k->is_plain; i++) weights[i] /= sum;                     \
  }

/* Of 2 x 2 pixels: fx, fy are the shares of the second ones. */
#define FOUR(NAME)                                                                             \
  static inline REAL NAME(const REAL *p, size_t pitch, REAL fx, REAL fy) {                     \
    REAL above = p[0] * (1 - fx) + p[1] * fx, below = p[pitch] * (1 - fx) + p[pitch + 1] * fx; \
    return above * (1 - fy) + below * fy;                                                      \
  }

/* Of 4 x 4 pixels: sums down the columns first, four in a register. */
#define SIXTEEN(NAME)                                                           \
  static inline REAL NAME(const REAL *p, size_t pitch, const REAL *weights) {   \
    REAL sums[TAPS] = {0};                                                      \
    for (int j = 0; j < TAPS; j++, p += pitch) {                                \
      for (int i = 0; i < TAPS; i++) sums[i] += weights[TAPS + j] * p[i];       \
    }                                                                           \
    return sums[0] * weights[0] + sums[1] * weights[1] + sums[2] * weights[2] + \
           sums[3] * weights[3];                                                \
  }

/* Of as many as there are. */
#define MANY(NAME)                                                                               \
  static REAL NAME(const struct sc_warp_kernel *k, const REAL *p, size_t pitch, const REAL *w) { \
    const int nx = 2 * k->radius[0], ny = 2 * k->radius[1];                                      \
    REAL sum = 0;                                                                                \
    for (int j = 0; j < ny; j++, p += pitch) {                                                   \
      REAL row = 0;                                                                              \
      for (int i = 0; i < nx; i++) row += w[i] * p[i];                                           \
      sum += w[nx + j] * row;                                                                    \
    }                                                                                            \
    return sum;                                                                                  \
  }

#define REAL float
AXIS(weigh_narrow)
FOUR(four_narrow)
SIXTEEN(sixteen_narrow)
MANY(many_narrow)
#undef REAL
#define REAL double
AXIS(weigh_wide)
FOUR(four_wide)
SIXTEEN(sixteen_wide)
MANY(many_wide)
#undef REAL

void sc_warp_taps_weigh(struct sc_warp_taps *t, int is_wide) {
  const struct sc_warp_kernel *k = t->kernel;
  const size_t nx = 2 * (size_t)k->radius[0], count = nx + 2 * (size_t)k->radius[1];
  if (k->resampling == SC_NEAREST || is_bilinear_plain(k)) return;
  for (size_t i = 0; i < (size_t)t->n; i++) {
    if (t->reach[i] == SC_WARP_OUTSIDE) continue;
    if (is_wide) {
      weigh_wide(k, 0, t->x[i], t->wide + i * count);
      weigh_wide(k, 1, t->y[i], t->wide + i * count + nx);
    } else {
      weigh_narrow(k, 0, t->x[i], t->narrow + i * count);
      weigh_narrow(k, 1, t->y[i], t->narrow + i * count + nx);
    }
  }
}

/* --- with pixels left out --- */

/* A rectangle of taps. */
struct taps_at {
  int column, row, nx, ny; /* column and row may lie before the plane */
  const double *wx, *wy;
};

static double value_at(const struct sc_warp_plane *p, size_t at) {
  return p->is_wide ? ((const double *)p->values)[at] : (double)((const float *)p->values)[at];
}

/* The weighted mean of the taps that are there and valid; 0 where there is none. */
static int sum_taps(const struct sc_warp_plane *p, const struct taps_at *t, double *out) {
  double sum = 0, weight = 0;
  for (int j = 0; j < t->ny; j++) {
    int row = t->row + j;
    if (row < 0 || row >= p->height || t->wy[j] == 0) continue;
    for (int i = 0; i < t->nx; i++) {
      int column = t->column + i;
      if (column < 0 || column >= p->width || t->wx[i] == 0) continue;
      size_t at = (size_t)row * (size_t)p->width + (size_t)column;
      if (p->valid && !p->valid[at]) continue;
      double w = t->wx[i] * t->wy[j];
      sum += w * value_at(p, at);
      weight += w;
    }
  }
  if (weight < LEAST_WEIGHT) return 0;
  *out = sum / weight;
  return 1;
}

static inline int are_whole(const struct sc_warp_plane *p, int column, int row, int n) {
  if (n == 2) {
    const uint8_t *two = p->valid + (size_t)row * (size_t)p->width + column;
    return two[0] & two[1] & two[p->width] & two[p->width + 1];
  }
  for (int j = 0; j < n; j++) {
    const uint8_t *at = p->valid + (size_t)(row + j) * (size_t)p->width + column;
    for (int i = 0; i < n; i++) {
      if (!at[i]) return 0;
    }
  }
  return 1;
}

/* Plain bilinear around pixel i, whose first tap (of any kernel) is `before` pixels before. */
static int sum_four(const struct sc_warp_taps *t, int i, int before, const struct sc_warp_plane *p,
                    double *out) {
  const double wx[2] = {1 - t->x[i], t->x[i]}, wy[2] = {1 - t->y[i], t->y[i]};
  const struct taps_at at = {t->column[i] + before, t->row[i] + before, 2, 2, wx, wy};
  return sum_taps(p, &at, out);
}

/* Is the pixel of the file under the place of pixel i valid? Where it is not, GDAL's warper makes
 * none, whatever lies around it. */
static int is_seen(const struct sc_warp_taps *t, int i, const struct sc_warp_plane *p) {
  const int *radius = t->kernel->radius;
  int column = t->column[i] + radius[0] - 1 + (t->x[i] >= 0.5);
  int row = t->row[i] + radius[1] - 1 + (t->y[i] >= 0.5);
  if (!p->valid) return 1;
  if (column >= p->width) column = p->width - 1; /* by the last bits of a place on the edge */
  if (row >= p->height) row = p->height - 1;
  if (column < 0) column = 0;
  if (row < 0) row = 0;
  return p->valid[(size_t)row * (size_t)p->width + (size_t)column];
}

/* A pixel of which some taps may be missing. GDAL's plain cubic then is bilinear. */
static int sum_some(const struct sc_warp_taps *t, int i, const struct sc_warp_plane *p,
                    double *out) {
  const struct sc_warp_kernel *k = t->kernel;
  const int nx = 2 * k->radius[0], ny = 2 * k->radius[1];
  double weights[2 * TAPS] = {0};
  const double *w = t->wide + (size_t)i * (size_t)(nx + ny);
  if (k->is_plain) return sum_four(t, i, k->radius[0] - 1, p, out);
  if (!p->is_wide) { /* of narrow planes only floats were made */
    const float *narrow = t->narrow + (size_t)i * (size_t)(nx + ny);
    double *to = nx + ny <= 2 * TAPS ? weights : t->wide + (size_t)i * (size_t)(nx + ny);
    for (int m = 0; m < nx + ny; m++) to[m] = narrow[m];
    w = to;
  }
  const struct taps_at at = {t->column[i], t->row[i], nx, ny, w, w + nx};
  return sum_taps(p, &at, out);
}

/* --- rows --- */

static inline int is_whole(const struct sc_warp_taps *t, int i, const struct sc_warp_plane *p) {
  const struct sc_warp_kernel *k = t->kernel;
  if (t->reach[i] != SC_WARP_INSIDE) return 0;
  if (!p->valid) return 1;
  if (k->radius[0] != k->radius[1]) return 0;
  return are_whole(p, t->column[i], t->row[i], 2 * k->radius[0]);
}

/* WHOLE: the value of pixel i whose taps are all there, at p. */
#define ROW(NAME, WHOLE)                                                                           \
  static void NAME(const struct sc_warp_taps *t, const struct sc_warp_plane *plane, double fill,   \
                   REAL *out, uint8_t *valid) {                                                    \
    const size_t pitch = (size_t)plane->width;                                                     \
    const size_t count = 2 * (size_t)(t->kernel->radius[0] + t->kernel->radius[1]);                \
    (void)count;                                                                                   \
    for (int i = 0; i < t->n; i++) {                                                               \
      double value = fill;                                                                         \
      valid[i] = 1;                                                                                \
      if (is_whole(t, i, plane)) {                                                                 \
        const REAL *p = (const REAL *)plane->values + (size_t)t->row[i] * pitch + t->column[i];    \
        out[i] = WHOLE;                                                                            \
        continue;                                                                                  \
      }                                                                                            \
      valid[i] =                                                                                   \
          t->reach[i] != SC_WARP_OUTSIDE && is_seen(t, i, plane) && sum_some(t, i, plane, &value); \
      out[i] = (REAL)value;                                                                        \
    }                                                                                              \
  }

#define REAL float
ROW(row_four_narrow, four_narrow(p, pitch, (float)t->x[i], (float)t->y[i]))
ROW(row_sixteen_narrow, sixteen_narrow(p, pitch, t->narrow + (size_t)i * count))
ROW(row_many_narrow, many_narrow(t->kernel, p, pitch, t->narrow + (size_t)i * count))
#undef REAL
#define REAL double
ROW(row_four_wide, four_wide(p, pitch, t->x[i], t->y[i]))
ROW(row_sixteen_wide, sixteen_wide(p, pitch, t->wide + (size_t)i * count))
ROW(row_many_wide, many_wide(t->kernel, p, pitch, t->wide + (size_t)i * count))
#undef REAL

/* Values that are no number are as invalid as what never entered. */
static void clear_nan(const void *values, int is_wide, int n, uint8_t *valid) {
  for (int i = 0; i < n; i++) {
    double v = is_wide ? ((const double *)values)[i] : (double)((const float *)values)[i];
    valid[i] = (uint8_t)(valid[i] & (v == v));
  }
}

void sc_warp_row(const struct sc_warp_taps *t, const struct sc_warp_plane *p, double fill,
                 void *out, uint8_t *valid) {
  const struct sc_warp_kernel *k = t->kernel;
  int is_sixteen = k->radius[0] == 2 && k->radius[1] == 2;
  if (p->is_wide) {
    (is_bilinear_plain(k) ? row_four_wide
     : is_sixteen         ? row_sixteen_wide
                          : row_many_wide)(t, p, fill, out, valid);
  } else {
    (is_bilinear_plain(k) ? row_four_narrow
     : is_sixteen         ? row_sixteen_narrow
                          : row_many_narrow)(t, p, fill, out, valid);
  }
  if (p->may_be_nan) clear_nan(out, p->is_wide, t->n, valid);
}

void sc_warp_row_nearest(const struct sc_warp_taps *t, const struct sc_warp_plane *p, size_t size,
                         void *out, uint8_t *valid) {
  unsigned char *to = out;
  for (int i = 0; i < t->n; i++, to += size) {
    size_t at = (size_t)t->row[i] * (size_t)p->width + (size_t)t->column[i];
    valid[i] = t->reach[i] == SC_WARP_INSIDE && (!p->valid || p->valid[at]);
    if (!valid[i]) continue;
    const unsigned char *from = (const unsigned char *)p->values + at * size;
    switch (size) {
      case 1: *to = *from; break;
      case 2: memcpy(to, from, 2); break;
      case 4: memcpy(to, from, 4); break;
      case 8: memcpy(to, from, 8); break;
      default: memcpy(to, from, 16);
    }
  }
}
