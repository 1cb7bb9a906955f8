/*
 * Pixels that polygons cover; see cover.h.
 *
 * HOW IT WORKS  Each edge leaves marks in the rows that it crosses, and a sum along each row makes
 * shares of them; no list of edges is sorted, and any window of a raster can be asked for by
 * itself. For SHARE a mark is the signed area to the right of an edge, within its pixel and beyond,
 * as rasterizers of fonts have it. For CENTRE a mark says that inside and outside change places at
 * a pixel. An edge left of the window leaves its marks in the first column, one right of it none.
 */
#include "pixels/cover.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "raster/raster_api.h"

#define LEAST_SHARE                                                                            \
  1e-9                 /* what the rounding of coordinates of 10^5 pixels may leave of nothing \
                        */
#define BORDER_PX 0.01 /* GDAL's: an edge along a border within that touches no pixel beside it */
#define EDGES_BETWEEN_LOOKS 4096

struct target {
  double *marks; /* [height][width] */
  int64_t x, y, width, height;
};

struct edge {
  double x0, y0, x1, y1;
};

static double mapped(const struct sc_mapping *m, int axis, double at) {
  return m->scale[axis] * at + m->offset[axis];
}

static int is_ring(const struct sc_shape_part *p) {
  return p->kind == SC_SHAPE_SHELL || p->kind == SC_SHAPE_HOLE;
}

/* --- shares --- */

/* The piece of an edge within one row: from xa to xb, of signed height d. */
static void mark_piece(double *row, int64_t width, double xa, double xb, double d) {
  if (xa > xb) {
    double swap = xa;
    xa = xb;
    xb = swap;
  }
  if (xa >= (double)width) return;
  if (xb <= 0) {
    row[0] += d;
    return;
  }
  double slope = xb > xa ? d / (xb - xa) : 0;
  if (xa < 0) {
    row[0] -= slope * xa;
    d += slope * xa;
    xa = 0;
  }
  for (int64_t c = (int64_t)xa; c < width; c++) {
    double end = fmin((double)(c + 1), xb), part = xb > (double)(c + 1) ? slope * (end - xa) : d;
    double right = part * ((xa + end) / 2 - (double)c); /* of the area, beyond this pixel */
    row[c] += part - right;
    if (c + 1 < width) row[c + 1] += right;
    if (end == xb) return;
    d -= part;
    xa = end;
  }
}

static void mark_share(const struct target *t, struct edge e, double sign) {
  if (e.y0 > e.y1) {
    e = (struct edge){e.x1, e.y1, e.x0, e.y0};
    sign = -sign;
  }
  e = (struct edge){e.x0 - (double)t->x, e.y0 - (double)t->y, e.x1 - (double)t->x,
                    e.y1 - (double)t->y};
  double top = fmax(e.y0, 0), bottom = fmin(e.y1, (double)t->height);
  if (!(top < bottom) || fmin(e.x0, e.x1) >= (double)t->width) return;
  double slope = (e.x1 - e.x0) / (e.y1 - e.y0);
  double y = top, x = y == e.y0 ? e.x0 : e.x0 + (y - e.y0) * slope;
  for (int64_t r = (int64_t)top; y < bottom; r++) {
    double next = fmin((double)(r + 1), bottom);
    double end = next == e.y1 ? e.x1 : e.x0 + (next - e.y0) * slope;
    mark_piece(t->marks + r * t->width, t->width, x, end, sign * (next - y));
    y = next;
    x = end;
  }
}

/* Twice the area of a ring; positive where it runs from x to y. */
static double ring_area2(const struct sc_shape *s, const struct sc_shape_part *p) {
  const double *x = s->x + p->first, *y = s->y + p->first;
  double sum = 0;
  for (size_t i = 1; i < p->n; i++)
    sum += (x[i - 1] - x[0]) * (y[i] - y[0]) - (x[i] - x[0]) * (y[i - 1] - y[0]);
  return sum;
}

static void sum_shares(double *row, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; i++) {
    sum += row[i];
    double share = fabs(sum);
    row[i] = share < LEAST_SHARE ? 0 : share > 1 - LEAST_SHARE ? 1 : share;
  }
}

/* --- rings --- */

static sc_status mark_ring(const struct sc_shape *s, const struct sc_shape_part *p,
                           const struct sc_mapping *m, const struct target *t,
                           struct sc_error *err) {
  const double *x = s->x + p->first, *y = s->y + p->first;
  double sign = (ring_area2(s, p) < 0) == (p->kind == SC_SHAPE_HOLE) ? 1 : -1;
  struct edge e = {0, 0, mapped(m, 0, x[0]), mapped(m, 1, y[0])};
  for (size_t i = 1; i < p->n; i++) {
    e = (struct edge){e.x1, e.y1, mapped(m, 0, x[i]), mapped(m, 1, y[i])};
    mark_share(t, e, sign);
    if (i % EDGES_BETWEEN_LOOKS == 0 && sc_interrupt_check(err)) return err->status;
  }
  return sc_interrupt_check(err);
}

static struct sc_box mapped_box(const struct sc_shape *s, size_t part, const struct sc_mapping *m) {
  struct sc_box box = sc_shape_part_box(s, part);
  return (struct sc_box){mapped(m, 0, box.min_x), mapped(m, 1, box.min_y), mapped(m, 0, box.max_x),
                         mapped(m, 1, box.max_y)};
}

struct sc_box sc_cover_box(const struct sc_shape *s, const struct sc_mapping *m) {
  struct sc_box all = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
  for (size_t i = 0; i < s->n_parts; i++) {
    struct sc_box box = mapped_box(s, i, m);
    all = (struct sc_box){fmin(all.min_x, box.min_x), fmin(all.min_y, box.min_y),
                          fmax(all.max_x, box.max_x), fmax(all.max_y, box.max_y)};
  }
  return all;
}

static double whole_area(const struct sc_shape *s, const struct sc_mapping *m) {
  double sum = 0;
  for (size_t i = 0; i < s->n_parts; i++) {
    const struct sc_shape_part *p = &s->parts[i];
    if (is_ring(p)) sum += (p->kind == SC_SHAPE_HOLE ? -0.5 : 0.5) * fabs(ring_area2(s, p));
  }
  return sum * m->scale[0] * m->scale[1];
}

/* The raster is one pixel, then, of which the polygons cover a part. */
sc_status sc_cover_area_outside(const struct sc_shape *s, const struct sc_mapping *m, int width,
                                int height, double *out, struct sc_error *err) {
  const struct sc_mapping one = {.scale = {m->scale[0] / width, m->scale[1] / height},
                                 .offset = {m->offset[0] / width, m->offset[1] / height}};
  double inside = 0;
  const struct target t = {&inside, 0, 0, 1, 1};
  sc_status st = SC_OK;
  for (size_t i = 0; i < s->n_parts && !st; i++) {
    if (is_ring(&s->parts[i])) st = mark_ring(s, &s->parts[i], &one, &t, err);
  }
  *out = fmax(whole_area(s, m) - fabs(inside) * width * height, 0);
  return st;
}

static sc_status find_shares(const struct sc_shape *shape, const struct sc_mapping *mapping,
                             const struct sc_window *w, double *share, struct sc_error *err) {
  const struct target t = {share, w->x, w->y, w->width_px, w->height_px};
  const struct sc_box window = {(double)w->x, (double)w->y, (double)(w->x + w->width_px),
                                (double)(w->y + w->height_px)};
  for (size_t i = 0; i < shape->n_parts; i++) {
    struct sc_box box = mapped_box(shape, i, mapping);
    if (!is_ring(&shape->parts[i]) || !sc_boxes_meet(&box, &window)) continue;
    sc_status st = mark_ring(shape, &shape->parts[i], mapping, &t, err);
    if (st) return st;
  }
  for (int64_t r = 0; r < t.height; r++) sum_shares(share + r * t.width, t.width);
  return sc_interrupt_check(err);
}

static sc_status burn(const struct sc_shape *s, const struct sc_mapping *m, int all_touched,
                      const struct sc_window *w, double *share, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  double *x = sc_alloc(2 * s->n_points * sizeof *x), *y = x + s->n_points;
  if (!x) return sc_fail_nomem(err);
  for (size_t i = 0; i < s->n_points; i++) {
    x[i] = mapped(m, 0, s->x[i]) - (double)w->x;
    y[i] = mapped(m, 1, s->y[i]) - (double)w->y;
  }
  const struct sc_burn shape = {
      .x = x, .y = y, .parts = s->parts, .n_parts = s->n_parts, .value = 1};
  const struct sc_burn_job job = {.pixels = share,
                                  .dtype = SC_DTYPE_F64,
                                  .width = (int)w->width_px,
                                  .height = (int)w->height_px,
                                  .all_touched = all_touched,
                                  .burns = &shape,
                                  .n_burns = 1};
  sc_status st = raster->rasterize(&job, err);
  sc_free(x);
  return st;
}

sc_status sc_cover_find(const struct sc_shape *shape, const struct sc_mapping *mapping,
                        enum sc_cover_rule rule, const struct sc_window *w, double *share,
                        struct sc_error *err) {
  memset(share, 0, (size_t)(w->width_px * w->height_px) * sizeof *share);
  return rule == SC_COVER_SHARE ? find_shares(shape, mapping, w, share, err)
                                : burn(shape, mapping, rule == SC_COVER_TOUCHED, w, share, err);
}
