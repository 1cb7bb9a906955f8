/* The "geo" key of GeoParquet; see geo_metadata.h. */
#include "geoparquet/geo_metadata.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sqlite.h"

#define GEO_MAX_BYTES ((size_t)16 << 20) /* of the JSON text */

/* A double as JSON; SQLite's printf knows no locale. */
static sc_status put_number(struct sc_buffer *out, double v, struct sc_error *err) {
  char text[64];
  sqlite3_snprintf((int)sizeof text, text, "%!.17g", v);
  return sc_buffer_append_text(out, text, err);
}

static sc_status put_box(struct sc_buffer *out, const struct sc_pq_box *box, struct sc_error *err) {
  const double numbers[] = {box->min_x, box->min_y, box->max_x, box->max_y};
  sc_status st = sc_buffer_append_text(out, ",\"bbox\":[", err);
  for (int i = 0; i < 4 && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_number(out, numbers[i], err);
  }
  return st ? st : sc_buffer_append_text(out, "]", err);
}

sc_status sc_geo_format(const struct sc_geo_info *info, struct sc_buffer *out,
                        struct sc_error *err) {
  sc_status st = sc_buffer_printf(
      out, err,
      "{\"version\":\"%s\",\"primary_column\":\"geometry\",\"columns\":{\"geometry\":{"
      "\"encoding\":\"WKB\",\"geometry_types\":[%s%s%s]",
      info->version == SC_GEO_2_0 ? "2.0-dev" : "1.1.0", info->has_polygons ? "\"Polygon\"" : "",
      info->has_polygons && info->has_multipolygons ? "," : "",
      info->has_multipolygons ? "\"MultiPolygon\"" : "");
  if (!st && info->box.present) st = put_box(out, &info->box, err);
  if (st) return st;
  return sc_buffer_append_text(
      out,
      ",\"covering\":{\"bbox\":{\"xmin\":[\"bbox\",\"xmin\"],\"ymin\":[\"bbox\",\"ymin\"],"
      "\"xmax\":[\"bbox\",\"xmax\"],\"ymax\":[\"bbox\",\"ymax\"]}}}}}",
      err);
}

static const char *text_of(const cJSON *object, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* bbox of four numbers, or of six with z in between. */
static void parse_box(const cJSON *box, struct sc_pq_box *out) {
  int n = cJSON_GetArraySize(box);
  const cJSON *v[4];
  if (!cJSON_IsArray(box) || (n != 4 && n != 6)) return;
  for (int i = 0; i < 4; i++) {
    v[i] = cJSON_GetArrayItem(box, i < 2 ? i : i + n / 2 - 2);
    if (!cJSON_IsNumber(v[i])) return;
  }
  out->min_x = v[0]->valuedouble;
  out->min_y = v[1]->valuedouble;
  out->max_x = v[2]->valuedouble;
  out->max_y = v[3]->valuedouble;
  out->present = 1;
}

/* The leaf of a path ["bbox", "xmin"], if it is a number. */
static int covering_leaf(const struct sc_pq_meta *meta, const cJSON *path) {
  char name[256] = "";
  size_t n = 0;
  const cJSON *part;
  cJSON_ArrayForEach(part, path) {
    const char *text = cJSON_IsString(part) ? part->valuestring : NULL;
    size_t size = text ? strlen(text) : 0;
    if (!text || size + 2 > sizeof name - n) return -1;
    if (n) name[n++] = '.';
    memcpy(name + n, text, size + 1);
    n += size;
  }
  int leaf = sc_pq_meta_find_leaf(meta, name);
  if (leaf < 0 || meta->leaves[leaf].max_rep) return -1;
  enum sc_pq_type type = meta->leaves[leaf].type;
  return type == SC_PQ_FLOAT || type == SC_PQ_DOUBLE ? leaf : -1;
}

static void parse_covering(const struct sc_pq_meta *meta, const cJSON *column,
                           struct sc_geo_file *out) {
  static const char *const names[] = {"xmin", "ymin", "xmax", "ymax"};
  const cJSON *covering = cJSON_GetObjectItemCaseSensitive(column, "covering");
  const cJSON *box = cJSON_GetObjectItemCaseSensitive(covering, "bbox");
  for (int i = 0; i < 4; i++) {
    const cJSON *path = cJSON_GetObjectItemCaseSensitive(box, names[i]);
    out->covering[i] = cJSON_IsArray(path) ? covering_leaf(meta, path) : -1;
  }
}

/* ---- coordinate systems ---- */

static int contains_wgs84(const char *name) {
  return name && (strstr(name, "World Geodetic System 1984") || strstr(name, "WGS_1984") ||
                  strstr(name, "WGS 84")); /* not WGS84: TOWGS84 is in others */
}

/* "EPSG:4326", "OGC:CRS84", "srid:4326", URNs and URLs of these, and WKT of any age. */
static int is_lonlat_text(const char *text) {
  static const char *const endings[] = {"CRS84", "CRS84h", ":4326", "/4326", ":4979", "/4979"};
  size_t n = strlen(text);
  if (strchr(text, '[')) return strncmp(text, "GEO", 3) == 0 && contains_wgs84(text);
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t m = strlen(endings[i]);
    if (n >= m && sqlite3_stricmp(text + n - m, endings[i]) == 0) return 1;
  }
  return 0;
}

/* "EPSG:3857" of {"authority": "EPSG", "code": 3857}; 0 where it is something else. */
static int format_id(const cJSON *id, char *out, int size) {
  const char *authority = text_of(id, "authority");
  const cJSON *code = cJSON_GetObjectItemCaseSensitive(id, "code");
  if (!authority || (!cJSON_IsString(code) && !cJSON_IsNumber(code))) return 0;
  if (cJSON_IsString(code)) {
    sqlite3_snprintf(size, out, "%s:%s", authority, code->valuestring);
  } else {
    sqlite3_snprintf(size, out, "%s:%.0f", authority, code->valuedouble);
  }
  return 1;
}

/* PROJJSON: by its id, else by its datum. */
static void take_projjson(const cJSON *crs, struct sc_geo_file *out) {
  const char *type = text_of(crs, "type"), *name = text_of(crs, "name");
  const cJSON *datum = cJSON_GetObjectItemCaseSensitive(crs, "datum"), *id;
  if (!datum) datum = cJSON_GetObjectItemCaseSensitive(crs, "datum_ensemble");
  id = cJSON_GetObjectItemCaseSensitive(crs, "id");
  if (!id) id = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(crs, "ids"), 0);
  int is_geographic = type && (!strcmp(type, "GeographicCRS") || !strcmp(type, "GeodeticCRS"));
  int has_id = format_id(id, out->crs, (int)sizeof out->crs);
  if (!has_id) sqlite3_snprintf((int)sizeof out->crs, out->crs, "%s", name ? name : "unnamed");
  if (has_id ? is_lonlat_text(out->crs) : is_geographic && contains_wgs84(text_of(datum, "name"))) {
    out->crs[0] = '\0';
  }
}

static void take_crs(const cJSON *crs, struct sc_geo_file *out) {
  out->crs[0] = '\0';
  out->crs_is_unknown = cJSON_IsNull(crs);
  if (cJSON_IsObject(crs)) take_projjson(crs, out);
  const char *text = cJSON_GetStringValue(crs);
  if (text && !is_lonlat_text(text)) {
    sqlite3_snprintf((int)sizeof out->crs, out->crs, "%s", text);
  }
}

/*
 * The CRS of a GEOMETRY column's type: PROJJSON, the name of a key that has it, or another
 * spelling. Source: parquet-format, Geospatial.md.
 */
static void take_type_crs(const struct sc_pq_meta *meta, struct sc_view text,
                          struct sc_geo_file *out) {
  static const char prefix[] = "projjson:";
  size_t n = sizeof prefix - 1;
  char name[256];
  if (text.size > n && text.size - n < sizeof name && memcmp(text.data, prefix, n) == 0) {
    memcpy(name, text.data + n, text.size - n);
    name[text.size - n] = '\0';
    struct sc_view value = sc_pq_meta_find_key(meta, name);
    if (value.data) text = value;
  }
  if (!text.data || text.size == 0 || text.size > GEO_MAX_BYTES) return;
  cJSON *crs =
      text.data[0] == '{' ? cJSON_ParseWithLength((const char *)text.data, text.size) : NULL;
  char *plain = crs ? NULL : sqlite3_mprintf("%.*s", (int)text.size, (const char *)text.data);
  if (!crs && plain) crs = cJSON_CreateString(plain);
  take_crs(crs, out);
  sqlite3_free(plain);
  cJSON_Delete(crs);
}

/* ---- the column ---- */

static int find_geometry(const struct sc_pq_meta *meta, const char *name) {
  int leaf = sc_pq_meta_find_leaf(meta, name);
  for (size_t i = 0; i < meta->n_leaves && leaf < 0; i++) {
    if (meta->leaves[i].kind == SC_PQ_KIND_GEOMETRY) leaf = (int)i;
  }
  return leaf;
}

static void parse_columns(const struct sc_pq_meta *meta, const cJSON *geo, const char *name,
                          struct sc_geo_file *out) {
  const cJSON *columns = cJSON_GetObjectItemCaseSensitive(geo, "columns");
  const cJSON *column = cJSON_GetObjectItemCaseSensitive(columns, name);
  if (!column && sc_pq_meta_find_leaf(meta, name) < 0) {
    name = text_of(geo, "primary_column");
    column = name ? cJSON_GetObjectItemCaseSensitive(columns, name) : NULL;
  }
  if (!cJSON_IsObject(column)) return;
  const char *encoding = text_of(column, "encoding");
  const cJSON *crs = cJSON_GetObjectItemCaseSensitive(column, "crs");
  if (encoding && sqlite3_stricmp(encoding, "WKB") != 0) {
    sqlite3_snprintf((int)sizeof out->encoding, out->encoding, "%s", encoding);
  }
  if (crs) take_crs(crs, out);
  int leaf = sc_pq_meta_find_leaf(meta, name);
  if (leaf < 0) return;
  out->geometry_leaf = leaf;
  parse_box(cJSON_GetObjectItemCaseSensitive(column, "bbox"), &out->box);
  parse_covering(meta, column, out);
}

void sc_geo_parse(const struct sc_pq_meta *meta, const char *name, struct sc_geo_file *out) {
  struct sc_view text = sc_pq_meta_find_key(meta, "geo");
  memset(out, 0, sizeof *out);
  for (int i = 0; i < 4; i++) out->covering[i] = -1;
  out->geometry_leaf = find_geometry(meta, name);
  if (out->geometry_leaf >= 0) take_type_crs(meta, meta->leaves[out->geometry_leaf].crs, out);
  if (!text.data || text.size > GEO_MAX_BYTES) return;
  cJSON *geo = cJSON_ParseWithLength((const char *)text.data, text.size);
  if (geo) parse_columns(meta, geo, name, out);
  cJSON_Delete(geo);
}
