/* The "geo" key of GeoParquet; see geo_metadata.h. */
#include "parquet/geo_metadata.h"

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

static int find_geometry(const struct sc_pq_meta *meta, const char *fallback) {
  int leaf = sc_pq_meta_find_leaf(meta, fallback);
  for (size_t i = 0; i < meta->n_leaves && leaf < 0; i++) {
    if (meta->leaves[i].kind == SC_PQ_KIND_GEOMETRY) leaf = (int)i;
  }
  return leaf;
}

static void parse_columns(const struct sc_pq_meta *meta, const cJSON *geo,
                          struct sc_geo_file *out) {
  const char *primary = text_of(geo, "primary_column");
  const cJSON *columns = cJSON_GetObjectItemCaseSensitive(geo, "columns");
  const cJSON *column = primary ? cJSON_GetObjectItemCaseSensitive(columns, primary) : NULL;
  int leaf = primary ? sc_pq_meta_find_leaf(meta, primary) : -1;
  if (!cJSON_IsObject(column) || leaf < 0) return;
  out->geometry_leaf = leaf;
  parse_box(cJSON_GetObjectItemCaseSensitive(column, "bbox"), &out->box);
  parse_covering(meta, column, out);
}

sc_status sc_geo_parse(const struct sc_pq_meta *meta, const char *fallback, struct sc_geo_file *out,
                       struct sc_error *err) {
  struct sc_span text = sc_pq_meta_find_key(meta, "geo");
  memset(out, 0, sizeof *out);
  for (int i = 0; i < 4; i++) out->covering[i] = -1;
  out->geometry_leaf = find_geometry(meta, fallback);
  if (!text.data || text.size > GEO_MAX_BYTES) return SC_OK;
  cJSON *geo = cJSON_ParseWithLength((const char *)text.data, text.size);
  if (geo) parse_columns(meta, geo, out);
  cJSON_Delete(geo);
  (void)err;
  return SC_OK;
}
