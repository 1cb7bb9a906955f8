/* Chip corners -> footprint; see footprint.h. */
#include "index/footprint.h"

#include <math.h>
#include <string.h>

#define RING_MAX (SC_RING_MAX_POINTS + 7) /* and what a cut, or the way to a pole, adds */

struct ring {
  int n;
  double lon[RING_MAX], lat[RING_MAX]; /* unwrapped longitudes, not closed */
};

static void ring_add(struct ring *r, double lon, double lat) {
  if (r->n == RING_MAX) return;
  r->lon[r->n] = lon;
  r->lat[r->n] = lat;
  r->n++;
}

static double signed_area(const struct ring *r) {
  double sum = 0;
  for (int i = 0, j = r->n - 1; i < r->n; j = i++) {
    sum += (r->lon[j] - r->lon[0]) * (r->lat[i] - r->lat[0]) -
           (r->lon[i] - r->lon[0]) * (r->lat[j] - r->lat[0]);
  }
  return sum / 2;
}

static void ring_reverse(struct ring *r) {
  for (int i = 0, j = r->n - 1; i < j; i++, j--) {
    double lon = r->lon[i], lat = r->lat[i];
    r->lon[i] = r->lon[j], r->lat[i] = r->lat[j];
    r->lon[j] = lon, r->lat[j] = lat;
  }
}

double sc_nearest_turn(double lon, double near) { return lon - 360 * round((lon - near) / 360); }

static int at_pole(double lat) { return fabs(lat) > 90 - 1e-11; }

/*
 * Follow the corners with longitudes that do not jump. A corner on a pole has no longitude:
 * it becomes two points there, with those of its neighbours. Returns the sum of the turns:
 * 0, or +-360 round a pole.
 */
static double unwrap(const double lon[4], const double lat[4], int geographic, struct ring *r) {
  double near = lon[0];
  for (int i = 0; i < 4 && at_pole(lat[i]) && !geographic; i++) near = lon[(i + 1) % 4];
  double first = 0;
  for (int i = 0; i < 5; i++) {
    int k = i % 4;
    if (!geographic && at_pole(lat[k])) {
      if (i == 4) continue;
      double next = sc_nearest_turn(lon[(k + 1) % 4], near);
      ring_add(r, near, lat[k]);
      ring_add(r, next, lat[k]);
      near = next;
      if (i == 0) first = r->lon[0];
      continue;
    }
    double here = geographic ? lon[k] : sc_nearest_turn(lon[k], near);
    near = here;
    if (i == 4) return here - first;
    if (i == 0) first = here;
    ring_add(r, here, lat[k]);
  }
  return sc_nearest_turn(first, near) - first;
}

/* The part of a ring on one side of a meridian (Sutherland and Hodgman). side: -1 west. */
static void clip(const struct ring *in, double meridian, int side, struct ring *out) {
  out->n = 0;
  for (int i = 0, j = in->n - 1; i < in->n; j = i++) {
    double dj = (in->lon[j] - meridian) * side, di = (in->lon[i] - meridian) * side;
    if ((dj < 0 && di > 0) || (dj > 0 && di < 0)) {
      double t = dj / (dj - di);
      ring_add(out, meridian, in->lat[j] + t * (in->lat[i] - in->lat[j]));
    }
    if (di >= 0) ring_add(out, in->lon[i], in->lat[i]);
  }
}

static void add_part(struct sc_footprint *f, struct ring *r, double shift) {
  if (r->n < 3 || f->n_parts == SC_FOOTPRINT_MAX_PARTS || fabs(signed_area(r)) < 1e-22) return;
  if (signed_area(r) < 0) ring_reverse(r);
  int n = 0;
  for (int i = 0; i < r->n; i++, n++) {
    double lon = r->lon[i] + shift;
    /* Rounding of the shift may leave the globe by a hair. */
    f->parts[f->n_parts].xy[n][0] = lon > 180 ? 180 : lon < -180 ? -180 : lon;
    f->parts[f->n_parts].xy[n][1] = r->lat[i];
  }
  memcpy(f->parts[f->n_parts].xy[n], f->parts[f->n_parts].xy[0], 2 * sizeof(double));
  f->parts[f->n_parts].n_points = n + 1;
  f->n_parts++;
}

/* Cut at every antimeridian that the ring crosses, and bring the parts into [-180, 180]. */
static void split(struct ring *r, struct sc_footprint *out) {
  double west = r->lon[0], east = r->lon[0];
  for (int i = 1; i < r->n; i++) {
    if (r->lon[i] < west) west = r->lon[i];
    if (r->lon[i] > east) east = r->lon[i];
  }
  double shift = -360 * floor((west + 180) / 360);
  double meridian = 180 - shift;
  if (meridian >= east) {
    add_part(out, r, shift);
    return;
  }
  struct ring rest = *r;
  while (meridian < east && out->n_parts < SC_FOOTPRINT_MAX_PARTS - 1) {
    struct ring left, right;
    clip(&rest, meridian, -1, &left);
    clip(&rest, meridian, 1, &right);
    add_part(out, &left, shift);
    rest = right;
    shift -= 360;
    meridian += 360;
  }
  add_part(out, &rest, shift);
}

/*
 * A ring that goes once round a pole, as one polygon: along it from 180 degrees west to 180 east,
 * then to the pole and back. Cut anywhere else than at the antimeridian it would be two polygons
 * with a common edge, which is not valid.
 */
static void go_round_pole(struct ring *r, double turn, struct sc_footprint *out) {
  struct ring cut;
  double sum = 0;
  cut.n = 0;
  if (turn < 0) ring_reverse(r);
  for (int i = 0; i < r->n; i++) sum += r->lat[i];
  double pole = sum > 0 ? 90 : -90, seam = 360 * floor((r->lon[0] + 180) / 360) + 180;
  int after = 0; /* first point beyond the seam; n: the first one, come round */
  while (after < r->n && r->lon[after] <= seam) after++;
  int before = after > 0 ? after - 1 : r->n - 1, next = after % r->n;
  double span = r->lon[next] + (after == r->n ? 360 : 0) - r->lon[before];
  double t = span > 0 ? (seam - r->lon[before]) / span : 0;
  double lat = r->lat[before] + t * (r->lat[next] - r->lat[before]);
  ring_add(&cut, -180, lat);
  for (int i = 0; i < r->n; i++) {
    int k = (after + i) % r->n;
    double lon = r->lon[k] - seam + (after + i < r->n ? -180 : 180);
    if (lon > -180 && lon < 180) ring_add(&cut, lon, r->lat[k]);
  }
  ring_add(&cut, 180, lat);
  ring_add(&cut, 180, pole);
  ring_add(&cut, -180, pole);
  add_part(out, &cut, 0);
}

int sc_footprint_from_ring(const double *lon, const double *lat, int n, double turn,
                           struct sc_footprint *out) {
  struct ring r;
  out->n_parts = r.n = 0; /* a kilobyte that is not cleared: this runs for each chip */
  for (int i = 0; i < n; i++) ring_add(&r, lon[i], lat[i]);
  if (r.n == 0) return 0;
  if (fabs(turn) > 180) {
    go_round_pole(&r, turn, out);
  } else {
    split(&r, out);
  }
  return out->n_parts > 0;
}

int sc_footprint_from_corners(const double lon[4], const double lat[4], int geographic,
                              struct sc_footprint *out) {
  struct ring r;
  double clamped[4];
  out->n_parts = r.n = 0;
  for (int i = 0; i < 4; i++) {
    if (!isfinite(lon[i]) || !(fabs(lat[i]) <= 90 + 1e-9)) return 0;
    clamped[i] = lat[i] > 90 ? 90 : lat[i] < -90 ? -90 : lat[i];
  }
  double turn = unwrap(lon, clamped, geographic, &r);
  return sc_footprint_from_ring(r.lon, r.lat, r.n, turn, out);
}

int sc_box_is_same_chip(const struct sc_box *a, const struct sc_box *b) {
  const double deg = 3.14159265358979323846 / 180;
  double height = a->max_y - a->min_y, near = fmin(1e-4, height / 4);
  if (fabs(a->min_y - b->min_y) > near || fabs(a->max_y - b->max_y) > near) return 0;
  if (a->max_x - a->min_x > 180 || b->max_x - b->min_x > 180) return 1;
  near /= fmax(cos(a->min_y * deg), 0.01); /* a metre is more degrees of longitude */
  return fabs(a->min_x - b->min_x) <= near && fabs(a->max_x - b->max_x) <= near;
}
