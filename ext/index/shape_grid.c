/* Shapes in pixels of a grid; see shape.h. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "index/shape.h"
#include "raster/raster_api.h"

#define TURN 360.0
#define N_SIDE 32      /* points of a side of a grid's outline */
#define SEAM 1e-7      /* degrees by which the ends of a turn overlap: no pixel lies between them */
#define MAX_LON 3600.0 /* degrees beyond which longitudes are not turned */
#define LEAST_EDGE_PX                                                                             \
  8.0                      /* shorter edges are straight: a thousandth of a pixel at 100 m pixels \
                            */
#define LONG_EDGE_PX 64.0  /* longer ones are divided once unseen: an S has a straight middle */
#define LEAST_EDGE_LON 1.0 /* the same in degrees */
#define LONG_EDGE_LON 30.0
#define BEND_PX 0.05        /* how far an edge may lie from where it should */
#define MAX_PASSES 12       /* each divides the edges that still bend */
#define MAX_POINTS 20000000 /* of one geometry: 1 GB while edges are divided */

/* As GDALInvGeoTransform() does it, operation by operation: ties then fall as GDAL's do. */
static void invert(const double t[6], double out[6]) {
  if (t[1] == 0 && t[3] == 0) {
    out[0] = 1 / t[0], out[1] = 0, out[2] = -t[2] / t[0];
    out[3] = 0, out[4] = 1 / t[4], out[5] = -t[5] / t[4];
    return;
  }
  double over_det = 1 / (t[0] * t[4] - t[1] * t[3]);
  out[0] = t[4] * over_det;
  out[3] = -t[3] * over_det;
  out[1] = -t[1] * over_det;
  out[4] = t[0] * over_det;
  out[2] = (t[1] * t[5] - t[2] * t[4]) * over_det;
  out[5] = (-t[0] * t[5] + t[2] * t[3]) * over_det;
}

static void apply(const double t[6], size_t n, double *x, double *y) {
  for (size_t i = 0; i < n; i++) {
    double u = x[i], v = y[i];
    x[i] = t[2] + u * t[0] + v * t[1];
    y[i] = t[5] + u * t[3] + v * t[4];
  }
}

/* ---- the part of the source that counts ---- */

/* Pixels of the outline of the grid, grown, once round. */
static void outline(const struct sc_shape_grid *g, double *x, double *y) {
  double mx = fmax(16, 0.25 * (double)g->width_px), my = fmax(16, 0.25 * (double)g->height_px);
  double w = (double)g->width_px + 2 * mx, h = (double)g->height_px + 2 * my;
  for (int i = 0; i < N_SIDE; i++) {
    double at = (double)i / N_SIDE;
    x[i] = -mx + at * w, y[i] = -my;
    x[N_SIDE + i] = -mx + w, y[N_SIDE + i] = -my + at * h;
    x[2 * N_SIDE + i] = -mx + (1 - at) * w, y[2 * N_SIDE + i] = -my + h;
    x[3 * N_SIDE + i] = -mx, y[3 * N_SIDE + i] = -my + (1 - at) * h;
  }
}

static struct sc_box box_of(size_t n, const double *x, const double *y) {
  struct sc_box box = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
  for (size_t i = 0; i < n; i++) {
    box.min_x = fmin(box.min_x, x[i]);
    box.min_y = fmin(box.min_y, y[i]);
    box.max_x = fmax(box.max_x, x[i]);
    box.max_y = fmax(box.max_y, y[i]);
  }
  return box;
}

/* Longitudes that go on where the last one was; how often the closed line goes round. */
static double unwind(size_t n, double *lon) {
  for (size_t i = 1; i < n; i++) lon[i] += TURN * round((lon[i - 1] - lon[i]) / TURN);
  return round((lon[n - 1] - lon[0]) / TURN);
}

/* The box of the grown grid in crs: without bounds where a part of it has no place there. */
static sc_status find_box(struct sc_shape_placer *p, struct sc_error *err) {
  enum { N = 4 * N_SIDE };
  double x[N], y[N];
  outline(&p->grid, x, y);
  apply(p->grid.transform, N, x, y);
  for (int i = 0; i < N && p->is_grid_lonlat; i++) y[i] = fmax(-90, fmin(90, y[i]));
  sc_status st = p->raster->reproject(p->grid.crs, p->crs, N, x, y, err);
  if (st) return st;
  for (int i = 0; i < N; i++) {
    if (isfinite(x[i])) continue;
    p->box = (struct sc_box){-HUGE_VAL, -HUGE_VAL, HUGE_VAL, HUGE_VAL};
    if (p->is_lonlat) p->box = (struct sc_box){-TURN / 2, -90, TURN / 2, 90};
    return SC_OK;
  }
  double turns = p->is_lonlat ? unwind(N, x) : 0;
  p->box = box_of(N, x, y);
  if (turns != 0) { /* round a pole */
    p->box.min_x = -TURN / 2 - SEAM;
    p->box.max_x = TURN / 2 + SEAM;
    if (p->box.min_y + p->box.max_y > 0) p->box.max_y = 90;
    if (p->box.min_y + p->box.max_y < 0) p->box.min_y = -90;
  }
  return SC_OK;
}

/* ---- cutting ---- */

/* One side of the box: the axis and the bound; keep is 1 where the greater side counts. */
struct side {
  int is_y, keep;
  double at;
};

static int is_kept(const struct side *s, double x, double y) {
  double v = s->is_y ? y : x;
  return s->keep ? v >= s->at : v <= s->at;
}

/* The points of the ring `from` on one side, as `to` (Sutherland and Hodgman 1974): a ring stays
 * one, with edges along the bound. */
static sc_status cut_ring(const struct sc_shape *from, const struct side *s, struct sc_shape *to,
                          struct sc_error *err) {
  size_t n = from->n_points;
  to->n_points = 0;
  if (n == 0) return SC_OK;
  sc_status st = sc_shape_reserve(to, 2 * n + 1, err);
  if (st) return st;
  for (size_t i = 0; i + 1 < n; i++) {
    double ax = from->x[i], ay = from->y[i], bx = from->x[i + 1], by = from->y[i + 1];
    int a = is_kept(s, ax, ay), b = is_kept(s, bx, by);
    if (a) to->x[to->n_points] = ax, to->y[to->n_points++] = ay;
    if (a == b) continue;
    double t = s->is_y ? (s->at - ay) / (by - ay) : (s->at - ax) / (bx - ax);
    to->x[to->n_points] = s->is_y ? ax + t * (bx - ax) : s->at;
    to->y[to->n_points++] = s->is_y ? s->at : ay + t * (by - ay);
  }
  if (to->n_points > 0) to->x[to->n_points] = to->x[0], to->y[to->n_points] = to->y[0];
  if (to->n_points > 0) to->n_points++;
  return SC_OK;
}

static sc_status append(struct sc_shape *out, enum sc_shape_kind kind, size_t n, const double *x,
                        const double *y, struct sc_error *err) {
  sc_status st = sc_shape_reserve(out, n, err);
  if (!st) st = sc_shape_begin_part(out, kind, err);
  if (st) return st;
  memcpy(out->x + out->n_points, x, n * sizeof *x);
  memcpy(out->y + out->n_points, y, n * sizeof *y);
  out->n_points += n;
  out->parts[out->n_parts - 1].n = n;
  return SC_OK;
}

/* Add what of a ring lies in the box, in work[0]; nothing where none does. */
static sc_status add_ring(const struct sc_box *box, struct sc_shape work[2],
                          enum sc_shape_kind kind, struct sc_shape *out, struct sc_error *err) {
  const struct side sides[] = {
      {0, 1, box->min_x}, {0, 0, box->max_x}, {1, 1, box->min_y}, {1, 0, box->max_y}};
  struct sc_box own = box_of(work[0].n_points, work[0].x, work[0].y);
  const double overhang[] = {box->min_x - own.min_x, own.max_x - box->max_x, box->min_y - own.min_y,
                             own.max_y - box->max_y};
  sc_status st = SC_OK;
  if (!sc_boxes_meet(&own, box)) return SC_OK;
  int now = 0;
  for (int i = 0; i < 4 && !st; i++) {
    if (overhang[i] <= 0) continue;
    st = cut_ring(&work[now], &sides[i], &work[!now], err);
    now = !now;
  }
  if (st || work[now].n_points < 4) return st;
  return append(out, kind, work[now].n_points, work[now].x, work[now].y, err);
}

/* The part of a segment within the box (Liang and Barsky 1984): from t[0] to t[1] of it. */
static int cut_segment(const struct sc_box *box, const double a[2], const double b[2],
                       double t[2]) {
  const double bounds[2][2] = {{box->min_x, box->max_x}, {box->min_y, box->max_y}};
  t[0] = 0, t[1] = 1;
  for (int axis = 0; axis < 2; axis++) {
    double step = b[axis] - a[axis];
    if (step == 0 && !(a[axis] >= bounds[axis][0] && a[axis] <= bounds[axis][1])) return 0;
    if (step == 0) continue;
    double in = (bounds[axis][step < 0] - a[axis]) / step;
    double to = (bounds[axis][step > 0] - a[axis]) / step;
    t[0] = fmax(t[0], in), t[1] = fmin(t[1], to);
  }
  return t[0] <= t[1];
}

/* Add the pieces of a line that lie in the box. */
static sc_status add_line(const struct sc_box *box, const struct sc_shape *line,
                          struct sc_shape *out, struct sc_error *err) {
  int goes_on = 0;
  for (size_t i = 0; i + 1 < line->n_points; i++) {
    double a[2] = {line->x[i], line->y[i]}, b[2] = {line->x[i + 1], line->y[i + 1]}, t[2];
    if (!cut_segment(box, a, b, t)) {
      goes_on = 0;
      continue;
    }
    double x[2] = {t[0] > 0 ? a[0] + t[0] * (b[0] - a[0]) : a[0],
                   t[1] < 1 ? a[0] + t[1] * (b[0] - a[0]) : b[0]};
    double y[2] = {t[0] > 0 ? a[1] + t[0] * (b[1] - a[1]) : a[1],
                   t[1] < 1 ? a[1] + t[1] * (b[1] - a[1]) : b[1]};
    sc_status st = SC_OK;
    if (!goes_on || t[0] > 0) {
      st = append(out, SC_SHAPE_LINE, 2, x, y, err);
    } else if (!(st = sc_shape_reserve(out, 1, err))) {
      out->x[out->n_points] = x[1], out->y[out->n_points++] = y[1];
      out->parts[out->n_parts - 1].n++;
    }
    if (st) return st;
    goes_on = t[1] == 1;
  }
  return SC_OK;
}

/* One part, moved by `shift`, as far as it lies in the box. */
static sc_status add_part(const struct sc_shape_placer *p, const struct sc_shape *shape,
                          size_t part, double shift, struct sc_shape work[2], struct sc_shape *out,
                          struct sc_error *err) {
  const struct sc_shape_part *from = &shape->parts[part];
  work[0].n_points = 0;
  sc_status st = sc_shape_reserve(&work[0], from->n, err);
  if (st) return st;
  for (size_t i = 0; i < from->n; i++) {
    work[0].x[i] = shape->x[from->first + i] + shift;
    work[0].y[i] = shape->y[from->first + i];
  }
  work[0].n_points = from->n;
  if (p->is_same) { /* whole: a cut would move its edges by a last bit */
    struct sc_box own = box_of(from->n, work[0].x, work[0].y);
    if (!sc_boxes_meet(&own, &p->box)) return SC_OK;
    return append(out, from->kind, from->n, work[0].x, work[0].y, err);
  }
  if (from->kind == SC_SHAPE_LINE) return add_line(&p->box, &work[0], out, err);
  if (from->kind != SC_SHAPE_POINT) return add_ring(&p->box, work, from->kind, out, err);
  struct sc_box at = {work[0].x[0], work[0].y[0], work[0].x[0], work[0].y[0]};
  if (!sc_boxes_meet(&at, &p->box)) return SC_OK;
  return append(out, SC_SHAPE_POINT, 1, work[0].x, work[0].y, err);
}

/* The turns on which longitudes of a box reach the region that counts. */
static void find_turns(const struct sc_shape_placer *p, const struct sc_box *own, int *first,
                       int *last) {
  *first = *last = 0;
  if (!p->is_lonlat || !(own->min_x >= -MAX_LON) || !(own->max_x <= MAX_LON)) return;
  *first = (int)ceil((p->box.min_x - own->max_x) / TURN);
  *last = (int)floor((p->box.max_x - own->min_x) / TURN);
}

/* Replace the shape by what of it counts, on each turn that does. */
static sc_status cut(const struct sc_shape_placer *p, struct sc_shape *shape,
                     struct sc_error *err) {
  struct sc_shape out = {.srid = shape->srid, .is_geopackage = shape->is_geopackage};
  struct sc_shape work[2] = {{0}, {0}};
  sc_status st = SC_OK;
  for (size_t part = 0, end; part < shape->n_parts && !st; part = end) {
    int first, last;
    struct sc_box own = sc_shape_part_box(shape, part);
    find_turns(p, &own, &first, &last);
    for (end = part + 1; end < shape->n_parts && shape->parts[end].kind == SC_SHAPE_HOLE;) end++;
    for (int turn = first; turn <= last && !st; turn++) {
      size_t before = out.n_parts;
      st = add_part(p, shape, part, TURN * turn, work, &out, err);
      if (out.n_parts == before) continue; /* without its shell a hole is none */
      for (size_t hole = part + 1; hole < end && !st; hole++)
        st = add_part(p, shape, hole, TURN * turn, work, &out, err);
    }
  }
  sc_shape_free(&work[0]);
  sc_shape_free(&work[1]);
  sc_shape_free(shape);
  *shape = out;
  return st;
}

/* ---- projecting ---- */

/* Points of crs to pixels, in place. */
static sc_status to_pixels(const struct sc_shape_placer *p, size_t n, double *x, double *y,
                           struct sc_error *err) {
  double middle[2] = {(double)p->grid.width_px / 2, (double)p->grid.height_px / 2};
  sc_status st = n ? p->raster->reproject(p->crs, p->grid.crs, n, x, y, err) : SC_OK;
  if (st) return st;
  if (p->is_grid_lonlat) {
    apply(p->grid.transform, 1, &middle[0], &middle[1]);
    for (size_t i = 0; i < n; i++) x[i] -= TURN * round((x[i] - middle[0]) / TURN);
  }
  apply(p->inverse, n, x, y);
  return SC_OK;
}

/* The points of a shape as pixels in another, which has room for them. */
static sc_status copy_to_pixels(const struct sc_shape_placer *p, const struct sc_shape *from,
                                struct sc_shape *to, struct sc_error *err) {
  size_t n = from->n_points;
  if (n == 0) return SC_OK;
  memcpy(to->x, from->x, n * sizeof *to->x);
  memcpy(to->y, from->y, n * sizeof *to->y);
  to->n_points = n;
  sc_status st = to_pixels(p, n, to->x, to->y, err);
  for (size_t i = 0; i < n && !st; i++) {
    if (isfinite(to->x[i]) && isfinite(to->y[i])) continue;
    st = sc_fail(err, SC_RANGE, "the geometry's point %.15g, %.15g has no place in %.100s",
                 from->x[i], from->y[i], p->grid.crs);
  }
  return st;
}

/* A shape whose edges are being divided: in crs, and in pixels. */
struct edges {
  struct sc_shape *in_crs;
  struct sc_shape px; /* as many points, no parts */
  uint8_t *is_open;   /* of each point: its edge to the next may bend still */
};

static double edge_px(const struct edges *e, size_t i) {
  return fmax(fabs(e->px.x[i + 1] - e->px.x[i]), fabs(e->px.y[i + 1] - e->px.y[i]));
}

/* Degrees of longitude of an edge: round a pole its ends may be one place. */
static double edge_lon(const struct sc_shape_placer *p, const struct edges *e, size_t i) {
  return p->is_lonlat ? fabs(e->in_crs->x[i + 1] - e->in_crs->x[i]) : 0;
}

/* Is an edge divided before anybody looks at its middle? */
static int is_long(const struct sc_shape_placer *p, const struct edges *e, size_t i, int pass) {
  return (pass == 0 && edge_px(e, i) > LONG_EDGE_PX) || edge_lon(p, e, i) > LONG_EDGE_LON;
}

/* How far a point lies from the line through the ends of edge i. */
static double bend_px(const struct edges *e, size_t i, double x, double y) {
  double dx = e->px.x[i + 1] - e->px.x[i], dy = e->px.y[i + 1] - e->px.y[i];
  double length = hypot(dx, dy);
  double ux = x - e->px.x[i], uy = y - e->px.y[i];
  return length > 0 ? fabs(ux * dy - uy * dx) / length : hypot(ux, uy);
}

/* The middles of all open edges, in crs and in pixels. */
static sc_status find_middles(const struct sc_shape_placer *p, const struct edges *e,
                              struct sc_shape *crs, struct sc_shape *px, struct sc_error *err) {
  size_t n = 0, n_points = e->in_crs->n_points;
  for (size_t i = 0; i < n_points; i++) n += e->is_open[i];
  sc_status st = sc_shape_reserve(crs, n, err);
  if (!st) st = sc_shape_reserve(px, n, err);
  if (st) return st;
  for (size_t i = 0; i < n_points; i++) {
    if (!e->is_open[i]) continue;
    crs->x[crs->n_points] = e->in_crs->x[i] + (e->in_crs->x[i + 1] - e->in_crs->x[i]) / 2;
    crs->y[crs->n_points++] = e->in_crs->y[i] + (e->in_crs->y[i + 1] - e->in_crs->y[i]) / 2;
  }
  return copy_to_pixels(p, crs, px, err);
}

/* Put the middles of the edges that bend between their ends. Gives the edges after it. */
static sc_status divide(const struct sc_shape_placer *p, struct edges *e, int pass,
                        const struct sc_shape *crs, const struct sc_shape *px,
                        struct sc_error *err) {
  size_t n = e->in_crs->n_points, to = 0, middle = 0, most = n + px->n_points;
  struct sc_shape out_crs = {0}, out_px = {0};
  uint8_t *is_open = sc_alloc_zero(most, 1);
  sc_status st = is_open ? sc_shape_reserve(&out_crs, most, err) : sc_fail_nomem(err);
  if (!st) st = sc_shape_reserve(&out_px, most, err);
  for (size_t part = 0; part < e->in_crs->n_parts && !st; part++) {
    struct sc_shape_part *now = &e->in_crs->parts[part];
    size_t begin = now->first, end = begin + now->n;
    now->first = to;
    for (size_t i = begin; i < end; i++) {
      out_crs.x[to] = e->in_crs->x[i], out_crs.y[to] = e->in_crs->y[i];
      out_px.x[to] = e->px.x[i], out_px.y[to++] = e->px.y[i];
      if (!e->is_open[i]) continue;
      double x = px->x[middle], y = px->y[middle];
      if (is_long(p, e, i, pass) || bend_px(e, i, x, y) > BEND_PX) {
        is_open[to - 1] = is_open[to] = 1;
        out_crs.x[to] = crs->x[middle], out_crs.y[to] = crs->y[middle];
        out_px.x[to] = x, out_px.y[to++] = y;
      }
      middle++;
    }
    now->n = to - now->first;
  }
  out_crs.n_points = out_px.n_points = to;
  if (!st) {
    double *x = e->in_crs->x, *y = e->in_crs->y;
    e->in_crs->x = out_crs.x, e->in_crs->y = out_crs.y;
    e->in_crs->n_points = to, e->in_crs->points_capacity = out_crs.points_capacity;
    out_crs.x = x, out_crs.y = y;
    struct sc_shape old = e->px;
    e->px = out_px, out_px = old;
    uint8_t *were = e->is_open;
    e->is_open = is_open, is_open = were;
  }
  sc_shape_free(&out_crs);
  sc_shape_free(&out_px);
  sc_free(is_open);
  return st;
}

/* Project the points, and open the edges that are long enough to bend. */
static sc_status begin_edges(const struct sc_shape_placer *p, struct edges *e,
                             struct sc_error *err) {
  size_t n = e->in_crs->n_points;
  sc_status st = sc_shape_reserve(&e->px, n, err);
  if (!st && !(e->is_open = sc_alloc_zero(n + 1, 1))) st = sc_fail_nomem(err);
  if (st || n == 0) return st;
  st = copy_to_pixels(p, e->in_crs, &e->px, err);
  for (size_t part = 0; part < e->in_crs->n_parts && !st; part++) {
    const struct sc_shape_part *now = &e->in_crs->parts[part];
    for (size_t i = now->first; i + 1 < now->first + now->n; i++)
      e->is_open[i] = edge_px(e, i) > LEAST_EDGE_PX || edge_lon(p, e, i) > LEAST_EDGE_LON;
  }
  return st;
}

static sc_status project(const struct sc_shape_placer *p, struct sc_shape *shape,
                         struct sc_error *err) {
  struct edges e = {.in_crs = shape};
  sc_status st = begin_edges(p, &e, err);
  for (int pass = 0; pass < MAX_PASSES && !st; pass++) {
    struct sc_shape crs = {0}, px = {0};
    st = find_middles(p, &e, &crs, &px, err);
    size_t n = px.n_points;
    if (!st && shape->n_points + n > MAX_POINTS) {
      st = sc_fail(err, SC_TOO_BIG, "the geometry has more than %d points", MAX_POINTS);
    }
    if (!st && n > 0) st = divide(p, &e, pass, &crs, &px, err);
    sc_shape_free(&crs);
    sc_shape_free(&px);
    if (n == 0) break;
  }
  if (!st && shape->n_points > 0) {
    memcpy(shape->x, e.px.x, shape->n_points * sizeof *shape->x);
    memcpy(shape->y, e.px.y, shape->n_points * sizeof *shape->y);
  }
  sc_shape_free(&e.px);
  sc_free(e.is_open);
  return st;
}

sc_status sc_shape_placer_init(struct sc_shape_placer *out, const char *crs,
                               const struct sc_shape_grid *grid, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  *out = (struct sc_shape_placer){.raster = raster, .grid = *grid, .crs = crs};
  invert(grid->transform, out->inverse);
  out->is_same = raster->same_crs(crs, grid->crs);
  out->is_lonlat = raster->is_geographic(crs);
  out->is_grid_lonlat = out->is_same ? out->is_lonlat : raster->is_geographic(grid->crs);
  return out->is_same && !out->is_lonlat ? SC_OK : find_box(out, err);
}

sc_status sc_shape_place(const struct sc_shape_placer *p, struct sc_shape *shape,
                         struct sc_error *err) {
  sc_status st = p->is_same && !p->is_lonlat ? SC_OK : cut(p, shape, err);
  if (!st && p->is_same) apply(p->inverse, shape->n_points, shape->x, shape->y);
  if (!st && !p->is_same) st = project(p, shape, err);
  return st;
}

sc_status sc_shape_to_grid(struct sc_shape *shape, const char *crs,
                           const struct sc_shape_grid *grid, struct sc_error *err) {
  struct sc_shape_placer placer = {0};
  sc_status st = sc_shape_placer_init(&placer, crs, grid, err);
  return st ? st : sc_shape_place(&placer, shape, err);
}
