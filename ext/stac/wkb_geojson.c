/* WKB and GeoJSON; see wkb_geojson.h. */
#include "stac/wkb_geojson.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/real.h"

#define DEPTH_MAX 16 /* of collections in collections */
#define EWKB_Z 0x80000000u
#define EWKB_M 0x40000000u
#define EWKB_SRID 0x20000000u

enum { POINT = 1, LINE, POLYGON, MULTIPOINT, MULTILINE, MULTIPOLYGON, COLLECTION };
static const char *const names[] = {
    NULL,         "Point",           "LineString",   "Polygon",
    "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"};

struct reader {
  struct sc_bytes in;
  struct sc_buffer *out;
  int is_big; /* byte order of the geometry at hand */
  int has_z, has_m;
};

static uint32_t take_u32(struct reader *r) {
  const unsigned char *p = sc_bytes_take(&r->in, 4);
  return !p ? 0 : r->is_big ? sc_be32(p) : sc_le32(p);
}

static double take_double(struct reader *r) {
  const unsigned char *p = sc_bytes_take(&r->in, 8);
  return !p ? 0 : r->is_big ? sc_be_double(p) : sc_le_double(p);
}

static sc_status fail_damaged(struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "a geometry that is no WKB, or cut off");
}

/* A number of parts, of at least least_bytes each. */
static sc_status take_count(struct reader *r, size_t least_bytes, uint32_t *n,
                            struct sc_error *err) {
  *n = take_u32(r);
  int fits = !r->in.overrun && *n <= sc_bytes_left(&r->in) / least_bytes;
  return fits ? SC_OK : fail_damaged(err);
}

static sc_status put_point(struct reader *r, struct sc_error *err) {
  double v[4] = {0};
  int n = 2 + r->has_z + r->has_m;
  for (int i = 0; i < n; i++) v[i] = take_double(r);
  if (r->in.overrun) return fail_damaged(err);
  if (!isfinite(v[0]) || !isfinite(v[1]) || (r->has_z && !isfinite(v[2]))) {
    return sc_buffer_append_text(r->out, "[]", err); /* WKB's empty point */
  }
  sc_status st = SC_OK;
  for (int i = 0; i < 2 + r->has_z && !st; i++) {
    char text[SC_REAL_BYTES];
    sc_real_format(v[i], text);
    st = sc_buffer_append_text(r->out, i ? "," : "[", err);
    if (!st) st = sc_buffer_append_text(r->out, text, err);
  }
  return st ? st : sc_buffer_append_text(r->out, "]", err);
}

/* Points, or with rings > 0 lists of them. */
static sc_status put_points(struct reader *r, int rings, struct sc_error *err) {
  uint32_t n;
  size_t least = rings ? 4 : (size_t)8 * (size_t)(2 + r->has_z + r->has_m);
  sc_status st = take_count(r, least, &n, err);
  if (!st) st = sc_buffer_append_text(r->out, "[", err);
  for (uint32_t i = 0; i < n && !st; i++) {
    if (i) st = sc_buffer_append_text(r->out, ",", err);
    if (!st) st = rings ? put_points(r, 0, err) : put_point(r, err);
  }
  return st ? st : sc_buffer_append_text(r->out, "]", err);
}

static sc_status take_head(struct reader *r, uint32_t *type, struct sc_error *err) {
  r->is_big = sc_bytes_u8(&r->in) == 0;
  uint32_t word = take_u32(r), iso = (word & 0xFFFF) / 1000;
  r->has_z = (word & EWKB_Z) != 0 || iso == 1 || iso == 3;
  r->has_m = (word & EWKB_M) != 0 || iso == 2 || iso == 3;
  if (word & EWKB_SRID) take_u32(r);
  *type = (word & 0xFFFF) % 1000;
  int is_known = iso <= 3 && *type >= POINT && *type <= COLLECTION;
  return is_known && !r->in.overrun ? SC_OK : fail_damaged(err);
}

static sc_status put_geometry(struct reader *r, int depth, struct sc_error *err);

/* The coordinates, or geometries, of a geometry whose head was read. */
static sc_status put_body(struct reader *r, uint32_t type, int depth, struct sc_error *err) {
  uint32_t n, part;
  if (type == POINT) return put_point(r, err);
  if (type == LINE) return put_points(r, 0, err);
  if (type == POLYGON) return put_points(r, 1, err);
  if (depth == DEPTH_MAX) return sc_fail(err, SC_BAD_DATA, "collections more than %d deep", depth);
  sc_status st = take_count(r, 5, &n, err);
  if (!st) st = sc_buffer_append_text(r->out, "[", err);
  for (uint32_t i = 0; i < n && !st; i++) {
    if (i) st = sc_buffer_append_text(r->out, ",", err);
    if (!st && type == COLLECTION) {
      st = put_geometry(r, depth + 1, err);
      continue;
    }
    if (!st) st = take_head(r, &part, err);
    if (!st && part + 3 != type) st = fail_damaged(err);
    if (!st) st = put_body(r, part, depth + 1, err);
  }
  return st ? st : sc_buffer_append_text(r->out, "]", err);
}

static sc_status put_geometry(struct reader *r, int depth, struct sc_error *err) {
  uint32_t type;
  sc_status st = take_head(r, &type, err);
  if (!st) {
    st = sc_buffer_printf(r->out, err, "{\"type\":\"%s\",\"%s\":", names[type],
                          type == COLLECTION ? "geometries" : "coordinates");
  }
  if (!st) st = put_body(r, type, depth, err);
  return st ? st : sc_buffer_append_text(r->out, "}", err);
}

sc_status sc_wkb_to_geojson(const void *wkb, size_t size, struct sc_buffer *out,
                            struct sc_error *err) {
  struct reader r = {.in = sc_bytes_of(wkb, size), .out = out};
  sc_status st = put_geometry(&r, 0, err);
  return !st && sc_bytes_left(&r.in) ? fail_damaged(err) : st;
}

/* --- the other way --- */

const char *sc_geojson_type_name(int type) {
  return type >= POINT && type <= COLLECTION ? names[type] : NULL;
}

struct writer {
  struct sc_buffer *out;
  struct sc_geojson_info *info;
  int n_numbers; /* of a position: 2 or 3 */
};

static sc_status fail_geojson(struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "the geometry is no GeoJSON");
}

/* Numbers of the first position in the tree of arrays; 0 where there is none. */
static int count_numbers(const cJSON *json, int depth) {
  const cJSON *member;
  if (!cJSON_IsArray(json) || depth > DEPTH_MAX) return 0;
  if (cJSON_IsNumber(json->child)) return cJSON_GetArraySize(json) > 2 ? 3 : 2;
  cJSON_ArrayForEach(member, json) {
    int n = count_numbers(member, depth + 1);
    if (n) return n;
  }
  return 0;
}

static sc_status write_head(struct writer *w, int type, struct sc_error *err) {
  unsigned char head[5] = {1};
  sc_put_le32(head + 1, (uint32_t)(type + (w->n_numbers == 3 ? 1000 : 0)));
  return sc_buffer_append(w->out, head, sizeof head, err);
}

static sc_status write_position(struct writer *w, const cJSON *json, struct sc_error *err) {
  double v[3] = {NAN, NAN, NAN};
  const cJSON *number = cJSON_IsArray(json) ? json->child : NULL;
  if (!cJSON_IsArray(json)) return fail_geojson(err);
  for (int i = 0; number && i < w->n_numbers; i++, number = number->next) {
    if (!cJSON_IsNumber(number) || !isfinite(number->valuedouble)) return fail_geojson(err);
    v[i] = number->valuedouble;
    if (i + 1 < w->n_numbers && !number->next) return fail_geojson(err);
  }
  if (v[0] < w->info->min_x) w->info->min_x = v[0];
  if (v[0] > w->info->max_x) w->info->max_x = v[0];
  if (v[1] < w->info->min_y) w->info->min_y = v[1];
  if (v[1] > w->info->max_y) w->info->max_y = v[1];
  unsigned char bytes[24];
  for (int i = 0; i < w->n_numbers; i++) sc_put_le_double(bytes + 8 * i, v[i]);
  return sc_buffer_append(w->out, bytes, (size_t)w->n_numbers * 8, err);
}

/* The coordinates of a type: a count and its parts, each with a head of its own in a multi type. */
static sc_status write_coordinates(struct writer *w, int type, const cJSON *json,
                                   struct sc_error *err) {
  const cJSON *part;
  if (type == POINT) return write_position(w, json, err);
  if (!cJSON_IsArray(json)) return fail_geojson(err);
  sc_status st = sc_buffer_append_le(w->out, (uint64_t)cJSON_GetArraySize(json), 4, err);
  cJSON_ArrayForEach(part, json) {
    if (!st && type >= MULTIPOINT) st = write_head(w, type - 3, err);
    if (st) return st;
    st = type == POLYGON ? write_coordinates(w, LINE, part, err)
         : type == LINE  ? write_position(w, part, err)
                         : write_coordinates(w, type - 3, part, err);
  }
  return st;
}

static int type_of(const cJSON *geometry) {
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(geometry, "type");
  for (int i = POINT; cJSON_IsString(name) && i <= COLLECTION; i++) {
    if (strcmp(name->valuestring, names[i]) == 0) return i;
  }
  return 0;
}

static sc_status write_geometry(struct writer *w, const cJSON *geometry, int depth,
                                struct sc_error *err) {
  int type = type_of(geometry);
  const cJSON *parts = cJSON_GetObjectItemCaseSensitive(geometry, "geometries"), *part;
  const cJSON *coordinates = cJSON_GetObjectItemCaseSensitive(geometry, "coordinates");
  if (!type || depth > DEPTH_MAX) return fail_geojson(err);
  w->n_numbers = count_numbers(coordinates, 0) == 3 ? 3 : 2;
  if (depth == 0) {
    w->info->type = type;
    w->info->has_z = w->n_numbers == 3;
  }
  sc_status st = write_head(w, type, err);
  if (st || type != COLLECTION) return st ? st : write_coordinates(w, type, coordinates, err);
  if (!cJSON_IsArray(parts)) return fail_geojson(err);
  st = sc_buffer_append_le(w->out, (uint64_t)cJSON_GetArraySize(parts), 4, err);
  cJSON_ArrayForEach(part, parts) {
    if (!st) st = write_geometry(w, part, depth + 1, err);
  }
  return st;
}

sc_status sc_geojson_to_wkb(const cJSON *geometry, struct sc_buffer *out,
                            struct sc_geojson_info *info, struct sc_error *err) {
  struct writer w = {.out = out, .info = info};
  *info = (struct sc_geojson_info){
      .min_x = HUGE_VAL, .min_y = HUGE_VAL, .max_x = -HUGE_VAL, .max_y = -HUGE_VAL};
  return write_geometry(&w, geometry, 0, err);
}
