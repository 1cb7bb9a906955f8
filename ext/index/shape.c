/* Geometries as points, lines and rings; see shape.h. */
#include "index/shape.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/db.h"
#include "index/geometry_reader.h"

#define MAX_DEPTH 16         /* of collections in collections */
#define CRS_MAX_BYTES 262144 /* the longest WKTs that are known have some 20 KB */
enum { TINY_BIG = 0x80, TINY_LITTLE = 0x81, TINY_SRID_AT = 2, TINY_TYPE_AT = 6, TINY_HEAD = 7 };
enum { GPKG_HEAD = 8, GPKG_EXTENDED = 0x20, GPKG_ENVELOPES = 5 };

/* What is being read, and where to. */
struct parser {
  struct sc_geometry_reader r;
  struct sc_shape *shape;
  int is_wkb;
};

void sc_shape_free(struct sc_shape *shape) {
  sc_free(shape->x);
  sc_free(shape->y);
  sc_free(shape->parts);
  memset(shape, 0, sizeof *shape);
}

struct sc_box sc_shape_part_box(const struct sc_shape *shape, size_t part) {
  const struct sc_shape_part *p = &shape->parts[part];
  struct sc_box box = {HUGE_VAL, HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
  for (size_t i = p->first; i < p->first + p->n; i++) {
    box.min_x = fmin(box.min_x, shape->x[i]);
    box.min_y = fmin(box.min_y, shape->y[i]);
    box.max_x = fmax(box.max_x, shape->x[i]);
    box.max_y = fmax(box.max_y, shape->y[i]);
  }
  return box;
}

static sc_status fail_broken(struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "the geometry is damaged: its parts do not fit its bytes");
}

sc_status sc_shape_reserve(struct sc_shape *s, size_t n_points, struct sc_error *err) {
  if (n_points > s->points_capacity - s->n_points) {
    size_t capacity = s->n_points + n_points + s->points_capacity / 2 + 16;
    double *x = sc_realloc(s->x, capacity * sizeof *x);
    if (x) s->x = x;
    double *y = x ? sc_realloc(s->y, capacity * sizeof *y) : NULL;
    if (!y) return sc_fail_nomem(err);
    s->y = y;
    s->points_capacity = capacity;
  }
  return SC_OK;
}

sc_status sc_shape_begin_part(struct sc_shape *s, enum sc_shape_kind kind, struct sc_error *err) {
  if (s->n_parts == s->parts_capacity) {
    size_t capacity = s->parts_capacity * 2 + 4;
    struct sc_shape_part *parts = sc_realloc(s->parts, capacity * sizeof *parts);
    if (!parts) return sc_fail_nomem(err);
    s->parts = parts;
    s->parts_capacity = capacity;
  }
  s->parts[s->n_parts++] = (struct sc_shape_part){kind, s->n_points, 0};
  return SC_OK;
}

/* ---- points ---- */

/* A point to the last part, which has room for it. */
static sc_status add_point(struct sc_shape *s, double x, double y, struct sc_error *err) {
  if (!isfinite(x) || !isfinite(y)) {
    return sc_fail(err, SC_BAD_DATA, "the geometry has a coordinate that is not a finite number");
  }
  s->x[s->n_points] = x;
  s->y[s->n_points++] = y;
  s->parts[s->n_parts - 1].n++;
  return SC_OK;
}

static sc_status read_point(struct parser *p, struct sc_error *err) {
  double x = sc_geometry_double(&p->r), y = sc_geometry_double(&p->r);
  for (int i = 2; i < p->r.n_ordinates; i++) sc_geometry_double(&p->r);
  return add_point(p->shape, x, y, err);
}

/* A point between the first and the last of a compressed list: a step from the last one in floats,
 * but for M, which is a double. */
static sc_status read_step(struct parser *p, int has_z, int has_m, struct sc_error *err) {
  struct sc_shape *s = p->shape;
  double x = s->x[s->n_points - 1] + (double)sc_geometry_float(&p->r);
  double y = s->y[s->n_points - 1] + (double)sc_geometry_float(&p->r);
  sc_bytes_take(&p->r.bytes, (size_t)(has_z ? 4 : 0) + (has_m ? 8 : 0));
  return add_point(s, x, y, err);
}

/* The points of a line or ring: their number, then they. */
static sc_status read_points(struct parser *p, enum sc_shape_kind kind, uint32_t type,
                             struct sc_error *err) {
  uint32_t n = sc_geometry_u32(&p->r), dimensions = type % SC_BLOB_COMPRESSED / 1000;
  int has_z = dimensions == 1 || dimensions == 3, has_m = dimensions >= 2;
  int is_packed = type >= SC_BLOB_COMPRESSED;
  size_t least_bytes = is_packed ? 8 : 8 * (size_t)p->r.n_ordinates;
  if (n == 0 && !p->r.bytes.overrun) return SC_OK;
  if (n < (kind == SC_SHAPE_LINE ? 2 : 4) || n > sc_bytes_left(&p->r.bytes) / least_bytes)
    return fail_broken(err);
  sc_status st = sc_shape_reserve(p->shape, n, err);
  if (!st) st = sc_shape_begin_part(p->shape, kind, err);
  for (uint32_t i = 0; i < n && !st; i++) {
    int is_step = is_packed && i > 0 && i + 1 < n;
    st = is_step ? read_step(p, has_z, has_m, err) : read_point(p, err);
  }
  return !st && p->r.bytes.overrun ? fail_broken(err) : st;
}

static sc_status close_ring(struct parser *p, size_t part, struct sc_error *err) {
  const struct sc_shape_part *ring = &p->shape->parts[part];
  size_t first = ring->first, last = ring->first + ring->n - 1;
  if (p->shape->x[first] == p->shape->x[last] && p->shape->y[first] == p->shape->y[last])
    return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "the geometry is damaged: a ring does not end where it began");
}

static sc_status read_polygon(struct parser *p, uint32_t type, struct sc_error *err) {
  uint32_t n_rings = sc_geometry_u32(&p->r);
  enum sc_shape_kind kind = SC_SHAPE_SHELL;
  if (n_rings > sc_bytes_left(&p->r.bytes) / 4) return fail_broken(err);
  for (uint32_t i = 0; i < n_rings; i++) {
    size_t part = p->shape->n_parts;
    if (read_points(p, kind, type, err)) return err->status;
    if (p->shape->n_parts == part) continue; /* an empty ring */
    if (close_ring(p, part, err)) return err->status;
    kind = SC_SHAPE_HOLE;
  }
  return SC_OK;
}

/* WKB has no other empty point than one whose ordinates are NaN. */
static int is_empty_point(const struct parser *p) {
  struct sc_geometry_reader peek = p->r;
  double x = sc_geometry_double(&peek), y = sc_geometry_double(&peek);
  return p->is_wkb && isnan(x) && isnan(y) && !peek.bytes.overrun;
}

static sc_status read_simple(struct parser *p, uint32_t type, struct sc_error *err) {
  switch (type % 1000) {
    case SC_WKB_LINE: return read_points(p, SC_SHAPE_LINE, type, err);
    case SC_WKB_POLYGON: return read_polygon(p, type, err);
    default: break; /* a point */
  }
  if (is_empty_point(p)) {
    sc_bytes_take(&p->r.bytes, 8 * (size_t)p->r.n_ordinates);
    return p->r.bytes.overrun ? fail_broken(err) : SC_OK;
  }
  sc_status st = sc_shape_reserve(p->shape, 1, err);
  if (!st) st = sc_shape_begin_part(p->shape, SC_SHAPE_POINT, err);
  if (!st) st = read_point(p, err);
  return !st && p->r.bytes.overrun ? fail_broken(err) : st;
}

static sc_status fail_type(uint32_t type, struct sc_error *err) {
  if (type < 8 || type > 17) {
    return sc_fail(err, SC_BAD_DATA, "the geometry is damaged: it has a part of type %u", type);
  }
  return sc_fail(err, SC_UNSUPPORTED,
                 "the geometry has a %s (WKB type %u), and only points, lines and polygons are "
                 "read; ogr2ogr -nlt CONVERT_TO_LINEAR makes such of it",
                 type < 13 ? "curve" : "surface", type);
}

/* ---- SpatiaLite ---- */

/* A part that is no collection, of a type as SpatiaLite writes it. */
static sc_status read_entity(struct parser *p, uint32_t type, struct sc_error *err) {
  uint32_t flat = type % SC_BLOB_COMPRESSED, base = flat % 1000, kind = flat / 1000;
  int is_packed = type >= SC_BLOB_COMPRESSED;
  if (type >= 2 * SC_BLOB_COMPRESSED || kind > 3 || base < SC_WKB_POINT || base > SC_WKB_POLYGON ||
      (is_packed && base == SC_WKB_POINT)) {
    return p->r.bytes.overrun ? fail_broken(err) : fail_type(base, err);
  }
  p->r.n_ordinates = kind == 0 ? 2 : kind == 3 ? 4 : 3;
  return read_simple(p, type, err);
}

static sc_status read_blob(struct parser *p, const unsigned char *b, size_t size,
                           struct sc_error *err) {
  struct sc_box box;
  sc_status st = sc_blob_box(b, size, &box, &p->shape->srid, err);
  if (st) return st;
  p->r.bytes = sc_bytes_of(b + SC_BLOB_TYPE_AT, size - SC_BLOB_TYPE_AT - 1);
  p->r.big_endian = b[1] == 0;
  uint32_t type = sc_geometry_u32(&p->r), base = type % 1000;
  if (base >= SC_WKB_MULTIPOINT && base <= SC_WKB_COLLECTION && type < 4000) {
    uint32_t n = sc_geometry_u32(&p->r);
    for (uint32_t i = 0; i < n && !st; i++) {
      if (sc_bytes_u8(&p->r.bytes) != SC_BLOB_ENTITY) return fail_broken(err);
      st = read_entity(p, sc_geometry_u32(&p->r), err);
    }
    return st;
  }
  return read_entity(p, type, err);
}

/* SpatiaLite's short form of points, which have no MBR. */
static int is_tiny(const unsigned char *b, size_t size) {
  return size > TINY_HEAD && b[0] == SC_BLOB_START && (b[1] == TINY_BIG || b[1] == TINY_LITTLE) &&
         b[size - 1] == SC_BLOB_END;
}

static sc_status read_tiny(struct parser *p, const unsigned char *b, size_t size,
                           struct sc_error *err) {
  static const int ordinates[] = {0, 2, 3, 3, 4}; /* XY, XYZ, XYM, XYZM */
  int kind = b[TINY_TYPE_AT];
  p->r.big_endian = b[1] == TINY_BIG;
  p->r.bytes = sc_bytes_of(b + TINY_SRID_AT, size - TINY_SRID_AT - 1);
  p->shape->srid = (int)sc_geometry_u32(&p->r);
  sc_bytes_u8(&p->r.bytes);
  if (kind < 1 || kind > 4) return fail_broken(err);
  p->r.n_ordinates = ordinates[kind];
  return read_simple(p, SC_WKB_POINT, err);
}

/* ---- GeoPackage ---- */

static sc_status read_wkb(struct parser *p, int depth, struct sc_error *err) {
  uint32_t type = sc_geometry_wkb_type(&p->r);
  if (p->r.bytes.overrun) return fail_broken(err);
  if (type >= SC_WKB_POINT && type <= SC_WKB_POLYGON) return read_simple(p, type, err);
  if (type < SC_WKB_MULTIPOINT || type > SC_WKB_COLLECTION) return fail_type(type, err);
  if (depth == MAX_DEPTH) {
    return sc_fail(err, SC_TOO_BIG, "the geometry has more than %d collections in each other",
                   MAX_DEPTH);
  }
  uint32_t n = sc_geometry_u32(&p->r);
  if (n > sc_bytes_left(&p->r.bytes) / 5) return fail_broken(err);
  sc_status st = SC_OK;
  for (uint32_t i = 0; i < n && !st; i++) st = read_wkb(p, depth + 1, err);
  return st;
}

static sc_status read_geopackage(struct parser *p, const unsigned char *b, size_t size,
                                 struct sc_error *err) {
  static const size_t envelope_bytes[GPKG_ENVELOPES] = {0, 32, 48, 48, 64};
  unsigned flags = b[3], envelope = flags >> 1 & 7;
  p->shape->is_geopackage = p->is_wkb = 1;
  p->shape->srid = (int)(flags & 1 ? sc_le32(b + 4) : sc_be32(b + 4));
  if (b[2] != 0 || envelope >= GPKG_ENVELOPES) {
    return sc_fail(err, SC_BAD_DATA, "a GeoPackage geometry of unknown version or envelope");
  }
  if (flags & GPKG_EXTENDED) {
    return sc_fail(err, SC_UNSUPPORTED, "a GeoPackage geometry of an extended type");
  }
  p->r.bytes = sc_bytes_of(b + GPKG_HEAD, size - GPKG_HEAD);
  sc_bytes_take(&p->r.bytes, envelope_bytes[envelope]);
  return read_wkb(p, 0, err);
}

sc_status sc_shape_parse(const void *blob, size_t size, struct sc_shape *out,
                         struct sc_error *err) {
  const unsigned char *b = blob;
  struct parser p = {.shape = out};
  sc_status st;
  memset(out, 0, sizeof *out);
  if (size > GPKG_HEAD && b[0] == 'G' && b[1] == 'P') {
    st = read_geopackage(&p, b, size, err);
  } else if (is_tiny(b, size)) {
    st = read_tiny(&p, b, size, err);
  } else if (size > 0 && b[0] == SC_BLOB_START) {
    st = read_blob(&p, b, size, err);
  } else {
    st = sc_fail(err, SC_BAD_DATA,
                 "neither a SpatiaLite nor a GeoPackage geometry (%zu bytes); GeomFromWKB(), "
                 "GeomFromText() and GeomFromGeoJSON() make one",
                 size);
  }
  if (!st && (p.r.bytes.overrun || sc_bytes_left(&p.r.bytes) > 0)) st = fail_broken(err);
  if (st) sc_shape_free(out);
  return st;
}

/* ---- SRIDs ---- */

/* The CRS of a row of spatial_ref_sys: (authority, code, WKT). */
static sc_status crs_of_row(sqlite3_stmt *row, int srid, char **crs, struct sc_error *err) {
  const char *authority = (const char *)sqlite3_column_text(row, 0);
  if (authority && *authority && sqlite3_stricmp(authority, "none") != 0) {
    sc_status st = sc_format(crs, err, "%.40s:%d", authority, sqlite3_column_int(row, 1));
    for (char *c = *crs; !st && *c; c++) *c = (char)toupper((unsigned char)*c);
    return st;
  }
  const char *wkt = (const char *)sqlite3_column_text(row, 2);
  if (!wkt || sqlite3_column_bytes(row, 2) > CRS_MAX_BYTES) {
    return sc_fail(err, SC_BAD_DATA, "SRID %d: its row in spatial_ref_sys says no CRS", srid);
  }
  return sc_strdup(wkt, crs, err);
}

/* *crs stays NULL where the database has no such table or row. */
static sc_status crs_in(sqlite3 *db, const char *database, const struct sc_shape *shape, char **crs,
                        struct sc_error *err) {
  static const char spatialite[] =
      "SELECT auth_name, auth_srid, srtext FROM \"{db}\".spatial_ref_sys WHERE srid = ?1";
  static const char geopackage[] =
      "SELECT organization, organization_coordsys_id, definition "
      "FROM \"{db}\".gpkg_spatial_ref_sys WHERE srs_id = ?1";
  struct sc_error none = {0};
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  if (sc_db_prepare(db, shape->is_geopackage ? geopackage : spatialite, database, NULL, &stmt,
                    &none)) {
    return none.status == SC_NOMEM ? sc_fail_nomem(err) : SC_OK;
  }
  sqlite3_bind_int(stmt, 1, shape->srid);
  sc_status st = sc_db_next(stmt, &is_row, err);
  if (!st && is_row) st = crs_of_row(stmt, shape->srid, crs, err);
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_shape_crs(sqlite3 *db, const struct sc_shape *shape, char **crs,
                       struct sc_error *err) {
  sqlite3_stmt *databases = NULL;
  int is_row = 0;
  *crs = NULL;
  if (shape->srid <= 0) {
    return sc_fail(err, SC_BAD_DATA,
                   "the geometry has SRID %d, which says no CRS; SetSRID(%s, 4326) says which",
                   shape->srid, shape->is_geopackage ? "GeomFromGPB(geom)" : "geometry");
  }
  if (shape->srid == SC_SRID_LONLAT) return sc_strdup("EPSG:4326", crs, err);
  sc_status st = sc_db_prepare(db, "PRAGMA database_list", NULL, NULL, &databases, err);
  if (!st) st = sc_db_next(databases, &is_row, err);
  while (!st && is_row && !*crs) {
    st = crs_in(db, (const char *)sqlite3_column_text(databases, 1), shape, crs, err);
    if (!st) st = sc_db_next(databases, &is_row, err);
  }
  sqlite3_finalize(databases);
  if (!st && !*crs) st = sc_format(crs, err, "EPSG:%d", shape->srid);
  if (st) {
    sc_free(*crs);
    *crs = NULL;
  }
  return st;
}
