/* Chip footprints as SpatiaLite BLOBs and WKB; see geometry.h. */
#include "index/geometry.h"

#include <math.h>
#include <string.h>

#include "index/geometry_reader.h"

static void box_add(struct sc_box *box, double x, double y) {
  if (x < box->min_x) box->min_x = x;
  if (x > box->max_x) box->max_x = x;
  if (y < box->min_y) box->min_y = y;
  if (y > box->max_y) box->max_y = y;
}

static struct sc_box empty_box(void) {
  struct sc_box box = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
  return box;
}

struct sc_box sc_footprint_part_box(const struct sc_footprint *f, int part) {
  struct sc_box box = empty_box();
  for (int i = 0; i < f->parts[part].n_points; i++) {
    box_add(&box, f->parts[part].xy[i][0], f->parts[part].xy[i][1]);
  }
  return box;
}

struct sc_box sc_footprint_box(const struct sc_footprint *f) {
  struct sc_box box = empty_box();
  for (int part = 0; part < f->n_parts; part++) {
    struct sc_box one = sc_footprint_part_box(f, part);
    box_add(&box, one.min_x, one.min_y);
    box_add(&box, one.max_x, one.max_y);
  }
  return box;
}

/* Write one ring's count and points; returns the byte after. */
static unsigned char *put_ring(unsigned char *p, const struct sc_footprint *f, int part) {
  int n = f->parts[part].n_points;
  sc_put_le32(p, (uint32_t)n);
  p += 4;
  for (int i = 0; i < n; i++, p += 16) {
    sc_put_le_double(p, f->parts[part].xy[i][0]);
    sc_put_le_double(p + 8, f->parts[part].xy[i][1]);
  }
  return p;
}

/*
 * The body after the geometry type. Inside a MULTIPOLYGON each polygon begins with `entity`
 * (SpatiaLite) or a byte-order mark 1 (WKB), and its type.
 */
static unsigned char *put_body(unsigned char *p, const struct sc_footprint *f, int multi,
                               unsigned char entity) {
  if (multi) {
    sc_put_le32(p, (uint32_t)f->n_parts);
    p += 4;
  }
  for (int part = 0; part < f->n_parts; part++) {
    if (multi) {
      *p++ = entity;
      sc_put_le32(p, SC_WKB_POLYGON);
      p += 4;
    }
    sc_put_le32(p, 1); /* rings */
    p = put_ring(p + 4, f, part);
  }
  return p;
}

static size_t body_bytes(const struct sc_footprint *f, int multi) {
  size_t n = multi ? 4 : 0;
  for (int part = 0; part < f->n_parts; part++) {
    n += (multi ? 5 : 0) + 8 + 16 * (size_t)f->parts[part].n_points;
  }
  return n;
}

/* What a little-endian SpatiaLite BLOB begins with; returns where its type goes. */
static unsigned char *put_head(unsigned char *p, const struct sc_box *box, int srid) {
  p[0] = SC_BLOB_START;
  p[1] = 1; /* little endian */
  sc_put_le32(p + 2, (uint32_t)srid);
  sc_put_le_double(p + 6, box->min_x);
  sc_put_le_double(p + 14, box->min_y);
  sc_put_le_double(p + 22, box->max_x);
  sc_put_le_double(p + 30, box->max_y);
  p[SC_BLOB_MBR_END_AT] = SC_BLOB_MBR_END;
  return p + SC_BLOB_TYPE_AT;
}

sc_status sc_footprint_to_blob(const struct sc_footprint *f, int as_multi, struct sc_buffer *out,
                               struct sc_error *err) {
  int multi = as_multi || f->n_parts != 1;
  size_t size = SC_BLOB_HEAD_BYTES + body_bytes(f, multi) + 1;
  sc_status st = sc_buffer_reserve(out, size, err);
  if (st) return st;
  struct sc_box box = sc_footprint_box(f);
  unsigned char *p = put_head(out->data + out->size, &box, SC_SRID_LONLAT);
  sc_put_le32(p, multi ? SC_WKB_MULTIPOLYGON : SC_WKB_POLYGON);
  p = put_body(p + 4, f, multi, SC_BLOB_ENTITY);
  *p = SC_BLOB_END;
  out->size += size;
  return SC_OK;
}

sc_status sc_footprint_to_wkb(const struct sc_footprint *f, int as_multi, struct sc_buffer *out,
                              struct sc_error *err) {
  int multi = as_multi || f->n_parts != 1;
  size_t size = 5 + body_bytes(f, multi);
  sc_status st = sc_buffer_reserve(out, size, err);
  if (st) return st;
  unsigned char *p = out->data + out->size;
  *p = 1;
  sc_put_le32(p + 1, multi ? SC_WKB_MULTIPOLYGON : SC_WKB_POLYGON);
  put_body(p + 5, f, multi, 1);
  out->size += size;
  return SC_OK;
}

static sc_status read_ring(struct sc_geometry_reader *r, struct sc_footprint *f,
                           struct sc_error *err) {
  int part = f->n_parts;
  uint32_t n = sc_geometry_u32(r);
  if (n < 4 || n > SC_FOOTPRINT_MAX_POINTS) {
    return sc_fail(err, SC_BAD_DATA, "geometry: a ring of %u points; a footprint has 4 to %d", n,
                   SC_FOOTPRINT_MAX_POINTS);
  }
  for (uint32_t i = 0; i < n; i++) {
    double x = sc_geometry_double(r), y = sc_geometry_double(r);
    for (int extra = 2; extra < r->n_ordinates; extra++) sc_geometry_double(r);
    if (!isfinite(x) || !isfinite(y)) {
      return sc_fail(err, SC_BAD_DATA, "geometry: a coordinate is not a finite number");
    }
    f->parts[part].xy[i][0] = x;
    f->parts[part].xy[i][1] = y;
  }
  f->parts[part].n_points = (int)n;
  f->n_parts++;
  return SC_OK;
}

static sc_status read_polygon(struct sc_geometry_reader *r, struct sc_footprint *f,
                              struct sc_error *err) {
  uint32_t n_rings = sc_geometry_u32(r);
  if (n_rings != 1) {
    return sc_fail(err, SC_BAD_DATA, "geometry: a polygon of %u rings; a footprint has one",
                   n_rings);
  }
  if (f->n_parts == SC_FOOTPRINT_MAX_PARTS) {
    return sc_fail(err, SC_BAD_DATA, "geometry: more than %d polygons", SC_FOOTPRINT_MAX_PARTS);
  }
  return read_ring(r, f, err);
}

static sc_status check_end(const struct sc_geometry_reader *r, struct sc_error *err) {
  if (!r->bytes.overrun) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "geometry: it ends after %zu bytes, in the middle",
                 r->bytes.size);
}

sc_status sc_blob_box(const void *blob, size_t size, struct sc_box *out, int *srid,
                      struct sc_error *err) {
  const unsigned char *p = blob;
  if (size < SC_BLOB_HEAD_BYTES + 1 || p[0] != SC_BLOB_START || p[1] > 1 ||
      p[SC_BLOB_MBR_END_AT] != SC_BLOB_MBR_END || p[size - 1] != SC_BLOB_END) {
    return sc_fail(err, SC_BAD_DATA, "not a SpatiaLite geometry BLOB (%zu bytes)", size);
  }
  struct sc_geometry_reader r = {sc_bytes_of(p + 2, 36), p[1] == 0, 2};
  *srid = (int)sc_geometry_u32(&r);
  out->min_x = sc_geometry_double(&r);
  out->min_y = sc_geometry_double(&r);
  out->max_x = sc_geometry_double(&r);
  out->max_y = sc_geometry_double(&r);
  return SC_OK;
}

/* SpatiaLite's types that are a footprint but for their form: 1003 is POLYGON Z, 1000003 a
 * compressed POLYGON. */
static sc_status fail_blob_type(uint32_t type, struct sc_error *err) {
  static const char *const dimensions[] = {"", " Z", " M", " ZM"};
  uint32_t flat = type % SC_BLOB_COMPRESSED, base = flat % 1000;
  int is_packed = type >= SC_BLOB_COMPRESSED, has_more = flat >= 1000;
  int is_known = (base == SC_WKB_POLYGON || base == SC_WKB_MULTIPOLYGON) && flat < 4000 &&
                 type < 2 * SC_BLOB_COMPRESSED;
  if (!is_known) {
    return sc_fail(err, SC_BAD_DATA,
                   "geometry of type %u; a footprint is a POLYGON or "
                   "MULTIPOLYGON",
                   type);
  }
  return sc_fail(err, SC_BAD_DATA,
                 "geometry: a %s%s%s; a footprint is one of x and y alone, uncompressed: "
                 "SpatiaLite's %s makes it one",
                 is_packed ? "compressed " : "",
                 base == SC_WKB_POLYGON ? "POLYGON" : "MULTIPOLYGON", dimensions[flat / 1000],
                 !is_packed ? "CastToXY()"
                 : has_more ? "CastToXY(UncompressGeometry())"
                            : "UncompressGeometry()");
}

sc_status sc_footprint_from_blob(const void *blob, size_t size, struct sc_footprint *out, int *srid,
                                 struct sc_error *err) {
  struct sc_box box;
  out->n_parts = 0;
  sc_status st = sc_blob_box(blob, size, &box, srid, err);
  if (st) return st;
  const unsigned char *p = blob;
  struct sc_geometry_reader r = {sc_bytes_of(p + SC_BLOB_TYPE_AT, size - SC_BLOB_TYPE_AT - 1),
                                 p[1] == 0, 2};
  uint32_t type = sc_geometry_u32(&r), n = 1;
  if (type != SC_WKB_POLYGON && type != SC_WKB_MULTIPOLYGON) return fail_blob_type(type, err);
  if (type == SC_WKB_MULTIPOLYGON) n = sc_geometry_u32(&r);
  for (uint32_t i = 0; i < n && !st && !r.bytes.overrun; i++) {
    if (type == SC_WKB_MULTIPOLYGON) {
      int is_entity = sc_bytes_u8(&r.bytes) == SC_BLOB_ENTITY;
      uint32_t part = sc_geometry_u32(&r);
      if (is_entity && part == SC_BLOB_COMPRESSED + SC_WKB_POLYGON)
        return fail_blob_type(part, err);
      if (!is_entity || part != SC_WKB_POLYGON)
        return sc_fail(err, SC_BAD_DATA, "geometry: part %u is not a polygon", i);
    }
    st = read_polygon(&r, out, err);
  }
  if (!st) st = check_end(&r, err);
  if (!st && out->n_parts == 0) st = sc_fail(err, SC_BAD_DATA, "geometry: it has no polygon");
  return st;
}

sc_status sc_footprint_from_wkb(const void *wkb, size_t size, struct sc_footprint *out,
                                struct sc_error *err) {
  struct sc_geometry_reader r = {sc_bytes_of(wkb, size), 0, 2};
  uint32_t type = sc_geometry_wkb_type(&r), n = 1;
  sc_status st = SC_OK;
  out->n_parts = 0;
  if (type != SC_WKB_POLYGON && type != SC_WKB_MULTIPOLYGON) {
    return sc_fail(err, SC_BAD_DATA, "WKB of type %u; a footprint is a POLYGON or MULTIPOLYGON",
                   type);
  }
  if (type == SC_WKB_MULTIPOLYGON) n = sc_geometry_u32(&r);
  for (uint32_t i = 0; i < n && !st && !r.bytes.overrun; i++) {
    if (type == SC_WKB_MULTIPOLYGON && sc_geometry_wkb_type(&r) != SC_WKB_POLYGON) {
      return sc_fail(err, SC_BAD_DATA, "WKB: part %u is not a polygon", i);
    }
    st = read_polygon(&r, out, err);
  }
  return st ? st : check_end(&r, err);
}

/* ---- one polygon of one ring, as bytes ---- */

static int take_polygon(const unsigned char *p, size_t size, struct sc_view *out) {
  if (size < SC_POLYGON_POINTS_AT || sc_le32(p) != SC_WKB_POLYGON || sc_le32(p + 4) != 1) return 0;
  uint32_t n = sc_le32(p + 8);
  if (n < 4 || n > SC_FOOTPRINT_MAX_POINTS || size != SC_POLYGON_POINTS_AT + 16 * (size_t)n)
    return 0;
  out->data = p;
  out->size = size;
  return 1;
}

int sc_blob_polygon(const void *blob, size_t size, struct sc_view *out) {
  const unsigned char *p = blob;
  size_t at = SC_BLOB_TYPE_AT;
  if (size < SC_BLOB_HEAD_BYTES + 10 || p[0] != SC_BLOB_START || p[1] != 1 ||
      p[SC_BLOB_MBR_END_AT] != SC_BLOB_MBR_END || p[size - 1] != SC_BLOB_END) {
    return 0;
  }
  /* The one part of a MULTIPOLYGON: type, count, entity, then the polygon. */
  if (sc_le32(p + at) == SC_WKB_MULTIPOLYGON && sc_le32(p + at + 4) == 1 &&
      p[at + 8] == SC_BLOB_ENTITY)
    at += 9;
  return take_polygon(p + at, size - at - 1, out);
}

int sc_wkb_polygon(const void *wkb, size_t size, struct sc_view *out) {
  const unsigned char *p = wkb;
  return size > 1 && p[0] == 1 && take_polygon(p + 1, size - 1, out);
}

int sc_polygon_box(struct sc_view polygon, struct sc_box *out) {
  const unsigned char *p = polygon.data + SC_POLYGON_POINTS_AT;
  *out = empty_box();
  for (size_t n = sc_polygon_n_points(polygon); n > 0; n--, p += 16) {
    double x = sc_le_double(p), y = sc_le_double(p + 8);
    if (!isfinite(x) || !isfinite(y)) return 0;
    box_add(out, x, y);
  }
  return 1;
}

sc_status sc_polygon_to_blob(struct sc_view polygon, const struct sc_box *box, int srid,
                             struct sc_buffer *out, struct sc_error *err) {
  sc_status st = sc_buffer_resize(out, SC_BLOB_TYPE_AT + polygon.size + 1, err);
  if (st) return st;
  unsigned char *p = put_head(out->data, box, srid);
  memcpy(p, polygon.data, polygon.size);
  p[polygon.size] = SC_BLOB_END;
  return SC_OK;
}

int sc_polygon_is_box(struct sc_view polygon, const struct sc_box *box) {
  const unsigned char *xy = polygon.data + SC_POLYGON_POINTS_AT;
  int last = -1, corners = 0;
  if (sc_polygon_n_points(polygon) != 5 || !(box->min_x < box->max_x) ||
      !(box->min_y < box->max_y)) {
    return 0;
  }
  for (int i = 0; i < 5; i++, xy += 16) {
    double x = sc_le_double(xy), y = sc_le_double(xy + 8);
    if ((x != box->min_x && x != box->max_x) || (y != box->min_y && y != box->max_y)) return 0;
    int corner = (x == box->max_x) | (y == box->max_y) << 1;
    if (last >= 0 && (corner ^ last) != 1 && (corner ^ last) != 2) return 0;
    corners |= 1 << corner;
    last = corner;
  }
  return corners == 15;
}

static int dimensions_of(uint32_t type) {
  uint32_t kind = type / 1000;
  return kind == 0 ? 2 : kind == 3 ? 4 : 3;
}

static sc_status fail_broken(struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "the geometry is damaged: its parts do not fit its bytes");
}

static sc_status check_coordinates(struct sc_geometry_reader *r, uint64_t n, struct sc_error *err) {
  if (n > sc_bytes_left(&r->bytes) / 8) return fail_broken(err);
  for (uint64_t i = 0; i < n; i++) {
    if (!isfinite(sc_geometry_double(r))) {
      return sc_fail(err, SC_BAD_DATA, "the geometry has a coordinate that is not a finite number");
    }
  }
  return SC_OK;
}

/* Points between the first and the last of a compressed list: steps of 4 bytes, M as a double. */
static sc_status check_steps(struct sc_geometry_reader *r, uint64_t n, int has_m,
                             struct sc_error *err) {
  uint64_t bytes = has_m ? (uint64_t)(r->n_ordinates - 1) * 4 + 8 : (uint64_t)r->n_ordinates * 4;
  if (n > sc_bytes_left(&r->bytes) / bytes) return fail_broken(err);
  sc_bytes_take(&r->bytes, (size_t)(n * bytes));
  return SC_OK;
}

/* The points of a line or ring: their number, then they. */
static sc_status check_points(struct sc_geometry_reader *r, uint32_t type, uint32_t least,
                              struct sc_error *err) {
  uint32_t n = sc_geometry_u32(r), plain = type % SC_BLOB_COMPRESSED;
  uint64_t ordinates = (uint64_t)r->n_ordinates;
  if (n < least) return fail_broken(err);
  if (type < SC_BLOB_COMPRESSED) return check_coordinates(r, n * ordinates, err);
  sc_status st = check_coordinates(r, ordinates, err);
  if (!st) st = check_steps(r, n - 2, plain / 1000 >= 2, err);
  return st ? st : check_coordinates(r, ordinates, err);
}

static sc_status check_simple(struct sc_geometry_reader *r, uint32_t type, struct sc_error *err) {
  uint32_t base = type % 1000, n_rings = 1;
  sc_status st = SC_OK;
  r->n_ordinates = dimensions_of(type % SC_BLOB_COMPRESSED);
  if (type / SC_BLOB_COMPRESSED > 1 || type % SC_BLOB_COMPRESSED >= 4000) return fail_broken(err);
  if (base == SC_WKB_POINT) return check_coordinates(r, (uint64_t)r->n_ordinates, err);
  if (base == SC_WKB_LINE) return check_points(r, type, 2, err);
  if (base != SC_WKB_POLYGON) return fail_broken(err);
  n_rings = sc_geometry_u32(r);
  if (n_rings == 0) return fail_broken(err);
  for (uint32_t i = 0; i < n_rings && !st; i++) st = check_points(r, type, 4, err);
  return st;
}

sc_status sc_blob_check(const void *blob, size_t size, struct sc_error *err) {
  struct sc_box box;
  int srid;
  sc_status st = sc_blob_box(blob, size, &box, &srid, err);
  if (st) return st;
  const unsigned char *p = blob;
  struct sc_geometry_reader r = {sc_bytes_of(p + SC_BLOB_TYPE_AT, size - SC_BLOB_TYPE_AT - 1),
                                 p[1] == 0, 2};
  uint32_t type = sc_geometry_u32(&r), base = type % 1000;
  if (base >= SC_WKB_MULTIPOINT && base <= SC_WKB_COLLECTION && type < 4000) {
    uint32_t n = sc_geometry_u32(&r);
    for (uint32_t i = 0; i < n && !st; i++) {
      if (sc_bytes_u8(&r.bytes) != SC_BLOB_ENTITY) return fail_broken(err);
      st = check_simple(&r, sc_geometry_u32(&r), err);
    }
  } else {
    st = check_simple(&r, type, err);
  }
  if (!st && (r.bytes.overrun || sc_bytes_left(&r.bytes) > 0)) return fail_broken(err);
  return st;
}
