/* A region of a raster as a SpatiaLite geometry; see region_blob.h and index/geometry.h. */
#include "pixels/region_blob.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "raster/raster_api.h"

#define HEAD_BYTES 39 /* start, byte order, SRID, box, end of the head */
#define WKB_POLYGON 3
#define WKB_MULTIPOLYGON 6
#define ENTITY 0x69 /* begins a polygon of a MULTIPOLYGON */

int sc_srid_of_crs(const char *crs) {
  char *end;
  if (strncasecmp(crs, "EPSG:", 5) != 0) return -1;
  long n = strtol(crs + 5, &end, 10);
  return *end || end == crs + 5 || n <= 0 || n > INT32_MAX ? -1 : (int)n;
}

void sc_region_points_free(struct sc_region_points *points) {
  sc_free(points->x);
  sc_free(points->y);
}

static sc_status make_room(struct sc_region_points *p, size_t n, struct sc_error *err) {
  if (n <= p->capacity) return SC_OK;
  sc_region_points_free(p);
  size_t capacity = n + n / 2;
  p->x = sc_alloc(capacity * sizeof *p->x);
  p->y = sc_alloc(capacity * sizeof *p->y);
  p->capacity = p->x && p->y ? capacity : 0;
  return p->capacity ? SC_OK : sc_fail_nomem(err);
}

static sc_status place_corners(const struct sc_region *r, const struct sc_region_place *place,
                               struct sc_region_points *p, struct sc_error *err) {
  const double *t = place->transform;
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  sc_status st = make_room(p, r->n_corners, err);
  if (st) return st;
  for (size_t i = 0; i < r->n_corners; i++) {
    double column = r->corners[i].x, row = r->corners[i].y;
    p->x[i] = t[0] * column + t[1] * row + t[2];
    p->y[i] = t[3] * column + t[4] * row + t[5];
  }
  if (!place->to_crs) return SC_OK;
  st = raster->reproject(place->crs, place->to_crs, r->n_corners, p->x, p->y, err);
  for (size_t i = 0; i < r->n_corners && !st; i++) {
    if (!isfinite(p->x[i]) || !isfinite(p->y[i]))
      st = sc_fail(err, SC_RANGE, "a corner of a pixel has no place in the CRS %.120s",
                   place->to_crs);
    if (place->is_lonlat) p->x[i] -= 360 * round((p->x[i] - place->middle_lon) / 360);
  }
  return st;
}

static unsigned char *put_u32(unsigned char *p, size_t v) {
  sc_put_le32(p, (uint32_t)v);
  return p + 4;
}

static unsigned char *put_point(unsigned char *p, const struct sc_region_points *from, size_t i) {
  sc_put_le_double(p, from->x[i]);
  sc_put_le_double(p + 8, from->y[i]);
  return p + 16;
}

static unsigned char *put_box(unsigned char *p, const struct sc_region_points *from, size_t n) {
  double box[4] = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
  for (size_t i = 0; i < n; i++) {
    box[0] = fmin(box[0], from->x[i]), box[2] = fmax(box[2], from->x[i]);
    box[1] = fmin(box[1], from->y[i]), box[3] = fmax(box[3], from->y[i]);
  }
  for (int i = 0; i < 4; i++, p += 8) sc_put_le_double(p, box[i]);
  return p;
}

/* Shells are counter-clockwise in the CRS: where rows go upwards corners come in the other order.
 */
static unsigned char *put_ring(unsigned char *p, const struct sc_region_ring *ring, int is_turned,
                               const struct sc_region_points *from) {
  p = put_u32(p, ring->n + 1);
  for (size_t i = 0; i <= ring->n; i++) {
    size_t k = i % ring->n;
    p = put_point(p, from, ring->first + (is_turned ? ring->n - 1 - k : k));
  }
  return p;
}

static unsigned char *put_part(unsigned char *p, const struct sc_region *r,
                               const struct sc_region_part *part, int is_turned,
                               const struct sc_region_points *from) {
  p = put_u32(p, part->n);
  for (size_t i = 0; i < part->n; i++) p = put_ring(p, &r->rings[part->first + i], is_turned, from);
  return p;
}

static size_t blob_bytes(const struct sc_region *r, int is_multi) {
  size_t rings = 4 * r->n_rings + 16 * (r->n_corners + r->n_rings);
  return HEAD_BYTES + 4 + (is_multi ? 4 + 5 * r->n_parts : 0) + 4 * r->n_parts + rings + 1;
}

sc_status sc_region_blob(const struct sc_region *r, const struct sc_region_place *place,
                         struct sc_region_points *points, size_t limit, struct sc_buffer *out,
                         struct sc_error *err) {
  const double *t = place->transform;
  size_t bytes = blob_bytes(r, place->is_multi);
  int is_turned = t[0] * t[4] - t[1] * t[3] > 0;
  if (bytes > limit)
    return sc_fail(err, SC_TOO_BIG, "a polygon of %zu bytes; the limit of this connection is %zu",
                   bytes, limit);
  out->size = 0;
  sc_status st = place_corners(r, place, points, err);
  if (!st) st = sc_buffer_resize(out, bytes, err);
  if (st) return st;
  unsigned char *p = out->data;
  *p++ = 0x00;
  *p++ = 0x01; /* little-endian */
  p = put_u32(p, (uint32_t)place->srid);
  p = put_box(p, points, r->n_corners);
  *p++ = 0x7C;
  p = put_u32(p, place->is_multi ? WKB_MULTIPOLYGON : WKB_POLYGON);
  if (place->is_multi) p = put_u32(p, r->n_parts);
  for (size_t i = 0; i < r->n_parts; i++) {
    if (place->is_multi) {
      *p++ = ENTITY;
      p = put_u32(p, WKB_POLYGON);
    }
    p = put_part(p, r, &r->parts[i], is_turned, points);
  }
  *p = 0xFE;
  return SC_OK;
}
