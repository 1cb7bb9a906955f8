/* Spatial predicates; see spatial.h. */
#include "merge/spatial.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

sc_status sc_area_init(struct sc_predicates *p, int predicate, sqlite3_value *value,
                       struct sc_area *out, struct sc_error *err) {
  static const char *const types[] = {"", "an integer", "a real", "text", "a BLOB", "NULL"};
  const char *name = sc_predicate_at(predicate)->name;
  int type = sqlite3_value_type(value), srid = 0, is_geometry = 0;
  struct sc_error ignored = {0};
  struct sc_view blob = {0}, polygon;
  sc_status st = SC_OK;
  memset(out, 0, sizeof *out);
  if (type == SQLITE_BLOB) {
    blob.data = sqlite3_value_blob(value);
    blob.size = (size_t)sqlite3_value_bytes(value);
    is_geometry = sc_blob_box(blob.data, blob.size, &out->box, &srid, &ignored) == SC_OK;
    if (!is_geometry) st = sc_predicates_box(p, blob, &out->box, &srid, &is_geometry, err);
  }
  if (st) return st;
  if (!is_geometry) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: expected a geometry (GeomFromText(...), BuildMbr(...)), found %s", name,
                   types[type]);
  }
  st = sc_predicate_check_srids(predicate, SC_SRID_LONLAT, srid, err);
  if (!st) st = sc_predicate_check_blob(predicate, blob, err);
  if (st) return st;
  out->blob = sc_alloc(blob.size);
  if (!out->blob) return sc_fail_nomem(err);
  memcpy(out->blob, blob.data, blob.size);
  out->size = blob.size;
  out->predicate = predicate;
  out->is_rectangle =
      sc_blob_polygon(blob.data, blob.size, &polygon) && sc_polygon_is_box(polygon, &out->box);
  return SC_OK;
}

void sc_area_free(struct sc_area *area) {
  sc_free(area->blob);
  area->blob = NULL;
}

static int boxes_meet(const struct sc_box *a, const struct sc_box32 *b) {
  return a->min_x <= (double)b->max_x && a->max_x >= (double)b->min_x &&
         a->min_y <= (double)b->max_y && a->max_y >= (double)b->min_y;
}

static int box_holds(const struct sc_box *a, const struct sc_box32 *b) {
  return a->min_x < (double)b->min_x && a->max_x > (double)b->max_x &&
         a->min_y < (double)b->min_y && a->max_y > (double)b->max_y;
}

/*
 * A polygon reaches from side to side of its bounding box, so a rectangle as tall (or wide) as
 * the box that overlaps it must meet the polygon. Boxes may be too large by the slack; those that
 * are not exact, by more.
 */
static int must_meet(const struct sc_area *area, const struct sc_chip_block *block,
                     const struct sc_box32 *b) {
  const struct sc_box *a = &area->box;
  double min_x = (double)b->min_x, max_x = (double)b->max_x, min_y = (double)b->min_y,
         max_y = (double)b->max_y, x = (double)block->slack_x, y = (double)block->slack_y;
  int overlaps = block->is_exact && a->min_x <= max_x - x && a->max_x >= min_x + x &&
                 a->min_y <= max_y - y && a->max_y >= min_y + y;
  if (!overlaps) return 0;
  if (sc_predicate_at(area->predicate)->native == SC_NATIVE_BOXES_MEET) return 1;
  return (a->min_x <= min_x && a->max_x >= max_x) || (a->min_y <= min_y && a->max_y >= max_y);
}

enum sc_match sc_area_test(const struct sc_area *area, const struct sc_chip_block *block,
                           const struct sc_chip_entry *chip) {
  const struct sc_predicate *predicate = sc_predicate_at(area->predicate);
  int is_double = !sc_box32_is_empty(&chip->west);
  if (is_double && predicate->is_mbr) return SC_MATCH_MAYBE; /* its MBR is the whole belt */
  if (!boxes_meet(&area->box, &chip->box) && !(is_double && boxes_meet(&area->box, &chip->west))) {
    return SC_MATCH_NO;
  }
  if (predicate->native == SC_NATIVE_BOXES_MEET && !is_double &&
      must_meet(area, block, &chip->box)) {
    return SC_MATCH_YES;
  }
  if (!area->is_rectangle) return SC_MATCH_MAYBE;
  if (predicate->native == SC_NATIVE_MEETS && !is_double && must_meet(area, block, &chip->box)) {
    return SC_MATCH_YES;
  }
  if (predicate->inside == SC_INSIDE_OPEN || !box_holds(&area->box, &chip->box))
    return SC_MATCH_MAYBE;
  if (is_double && !box_holds(&area->box, &chip->west)) return SC_MATCH_MAYBE;
  return predicate->inside == SC_INSIDE_TRUE ? SC_MATCH_YES : SC_MATCH_NO;
}

/* Least and greatest of n dot products of points with (ux, uy). */
static void project(const double (*xy)[2], int n, double ux, double uy, double *low, double *high) {
  *low = HUGE_VAL;
  *high = -HUGE_VAL;
  for (int i = 0; i < n; i++) {
    double d = xy[i][0] * ux + xy[i][1] * uy;
    if (d < *low) *low = d;
    if (d > *high) *high = d;
  }
}

/*
 * Does a closed ring meet a rectangle? By separating axes, the rectangle's and those of the
 * ring's edges; open when the ring is not convex or they come close to touching.
 */
static enum sc_match ring_meets(const double (*xy)[2], int n_points, const struct sc_box *box) {
  const double near = 1e-9, corners[4][2] = {{box->min_x, box->min_y},
                                             {box->max_x, box->min_y},
                                             {box->max_x, box->max_y},
                                             {box->min_x, box->max_y}};
  int n = n_points - 1, turn = 0;
  double low, high, other_low, other_high;
  for (int i = 0; i < n; i++) {
    const double *a = xy[i], *b = xy[i + 1], *c = xy[(i + 1) % n + 1];
    double cross = (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]);
    int sign = (cross > 0) - (cross < 0);
    if (sign == 0 || (turn && sign != turn)) return SC_MATCH_MAYBE;
    turn = sign;
  }
  for (int i = -2; i < n; i++) {
    double ux = i == -2, uy = i == -1;
    if (i >= 0) {
      double dx = xy[i + 1][0] - xy[i][0], dy = xy[i + 1][1] - xy[i][1], length = hypot(dx, dy);
      ux = -dy / length;
      uy = dx / length;
    }
    project(xy, n, ux, uy, &low, &high);
    project(corners, 4, ux, uy, &other_low, &other_high);
    if (low > other_high + near || high < other_low - near) return SC_MATCH_NO;
    if (low > other_high - near || high < other_low + near) return SC_MATCH_MAYBE;
  }
  return SC_MATCH_YES;
}

static enum sc_match ring_lies_in(const double (*xy)[2], int n, const struct sc_box *box) {
  enum sc_match answer = SC_MATCH_YES;
  for (int i = 0; i < n; i++) {
    double x = xy[i][0], y = xy[i][1];
    if (x < box->min_x || x > box->max_x || y < box->min_y || y > box->max_y) return SC_MATCH_NO;
    if (x == box->min_x || x == box->max_x || y == box->min_y || y == box->max_y) {
      answer = SC_MATCH_MAYBE;
    }
  }
  return answer;
}

/* A chip of one part and a rectangle: mostly decided here, a hundred times faster. */
static enum sc_match answer_natively(const struct sc_area *area, const void *blob, size_t size) {
  enum sc_native native = sc_predicate_at(area->predicate)->native;
  struct sc_footprint f;
  struct sc_error ignored = {0};
  int srid;
  if (!area->is_rectangle || native == SC_NATIVE_NONE || native == SC_NATIVE_BOXES_MEET) {
    return SC_MATCH_MAYBE;
  }
  if (sc_footprint_from_blob(blob, size, &f, &srid, &ignored) || f.n_parts != 1 ||
      srid != SC_SRID_LONLAT || f.parts[0].n_points > 9) {
    return SC_MATCH_MAYBE;
  }
  const double(*xy)[2] = (const double(*)[2])f.parts[0].xy;
  if (native == SC_NATIVE_MEETS) return ring_meets(xy, f.parts[0].n_points, &area->box);
  return ring_lies_in(xy, f.parts[0].n_points, &area->box);
}

sc_status sc_area_evaluate(struct sc_predicates *p, const struct sc_area *area, const void *blob,
                           size_t size, int *out, struct sc_error *err) {
  enum sc_match known = answer_natively(area, blob, size);
  struct sc_view chip = {blob, size}, other = {area->blob, area->size};
  int answer = 0;
  *out = known == SC_MATCH_YES;
  if (known != SC_MATCH_MAYBE) return SC_OK;
  sc_status st = sc_predicate_check_blob(area->predicate, chip, err);
  if (!st) st = sc_predicates_call(p, area->predicate, chip, other, &answer, err);
  *out = answer == 1;
  return st;
}
