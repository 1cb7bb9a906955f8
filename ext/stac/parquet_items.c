/* Items of STAC GeoParquet; see parquet_items.h. */
#include "stac/parquet_items.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "parquet/nested.h"
#include "stac/item.h"
#include "stac/json_reader.h"
#include "stac/wkb_geojson.h"
#include "store/access.h"
#include "store/open.h"
#include "store/percent.h"

/* The column `properties`, which holds those whose names are members of an item, on its way. */
#define OWN_PROPERTIES "stacchip:properties"

struct sc_parquet_items {
  char *href; /* owned */
  struct sc_pq_file file;
  struct sc_pq_nested *rows;
  char *collection; /* of all items, where the file or its folder says it once; owned, or NULL */
  struct sc_buffer members, properties, value; /* of the row at hand */
};

static int has_suffix(const char *href, const char *suffix) {
  size_t n = sc_href_is_url(href) ? strcspn(href, "?#") : strlen(href), m = strlen(suffix);
  return n > m && strncasecmp(href + n - m, suffix, m) == 0;
}

int sc_parquet_items_is_name(const char *href) {
  char head[4];
  if (has_suffix(href, ".parquet") || has_suffix(href, ".geoparquet")) return 1;
  return !sc_href_is_url(href) && sc_read_head(href, head, sizeof head) == sizeof head &&
         memcmp(head, SC_PQ_MAGIC, sizeof head) == 0;
}

void sc_parquet_items_free(struct sc_parquet_items *p) {
  if (!p) return;
  sc_pq_nested_free(p->rows);
  sc_pq_file_close(&p->file);
  sc_buffer_free(&p->members);
  sc_buffer_free(&p->properties);
  sc_buffer_free(&p->value);
  sc_free(p->collection);
  sc_free(p->href);
  sc_free(p);
}

/* --- what the file says of all its items --- */

static const struct sc_pq_node *find_field(const struct sc_pq_meta *meta, const char *name) {
  for (size_t i = 0; i < meta->n_nodes; i = meta->nodes[i].end) {
    if (strcmp(meta->nodes[i].name, name) == 0) return &meta->nodes[i];
  }
  return NULL;
}

/* The only collection of the file's metadata: {"collection": {...}} (1.0), or {"collections": {id:
 * {...}}} (1.1). */
static const char *collection_of(const cJSON *json) {
  const cJSON *one = cJSON_GetObjectItemCaseSensitive(json, "collection");
  const cJSON *all = cJSON_GetObjectItemCaseSensitive(json, "collections");
  if (!one && cJSON_GetArraySize(all) == 1) one = all->child;
  return sc_json_text(one, "id");
}

static sc_status read_metadata(struct sc_parquet_items *p, struct sc_error *err) {
  struct sc_view text = sc_pq_meta_find_key(&p->file.meta, "stac-geoparquet");
  cJSON *json = text.data ? cJSON_ParseWithLength((const char *)text.data, text.size) : NULL;
  const char *id = collection_of(json);
  sc_status st = id ? sc_strdup(id, &p->collection, err) : SC_OK;
  cJSON_Delete(json);
  return st;
}

/* .../collection=naip/part-0.parquet: who cuts a tree so leaves the column out. */
static sc_status read_folder(struct sc_parquet_items *p, struct sc_error *err) {
  const char *name = strstr(p->href, "/collection=");
  if (!name || p->collection) return SC_OK;
  name += strlen("/collection=");
  size_t n = strcspn(name, "/");
  if (!n || name[n] == '\0') return SC_OK;
  sc_status st = sc_strndup(name, n, &p->collection, err);
  if (!st) sc_percent_decode(p->collection);
  return st;
}

sc_status sc_parquet_items_open(const char *href, struct sc_parquet_items **out,
                                struct sc_error *err) {
  char shown[600];
  struct sc_parquet_items *p = sc_alloc_zero(1, sizeof *p);
  if (!p) return sc_fail_nomem(err);
  p->file.source.fd = -1;
  sc_status st = sc_strdup(href, &p->href, err);
  if (!st) st = sc_pq_file_open(href, &p->file, err);
  if (!st && (!find_field(&p->file.meta, "id") || !find_field(&p->file.meta, "assets"))) {
    st = sc_fail(err, SC_UNSUPPORTED,
                 "%s: no STAC GeoParquet: it has no columns 'id' and 'assets'; stacchip_parquet() "
                 "reads the files of an index",
                 sc_access_shown(href, shown, sizeof shown));
  }
  if (!st) st = read_metadata(p, err);
  if (!st && !find_field(&p->file.meta, "collection")) st = read_folder(p, err);
  if (!st) st = sc_pq_nested_open(&p->file, &p->rows, err);
  if (st) {
    sc_parquet_items_free(p);
    return st;
  }
  *out = p;
  return SC_OK;
}

/* --- a row --- */

static int is_member(const char *name) {
  static const char *const names[] = {"type",       "stac_version", "stac_extensions", "id",
                                      "geometry",   "bbox",         "links",           "assets",
                                      "collection", OWN_PROPERTIES};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(name, names[i]) == 0) return 1;
  }
  return 0;
}

/* Columns of WKB: proj:geometry is the other geometry that an item may have. */
static int is_geometry(const struct sc_pq_meta *meta, const struct sc_pq_node *node) {
  if (!node->is_leaf || node->max_rep || meta->leaves[node->leaf].type != SC_PQ_BYTE_ARRAY ||
      meta->leaves[node->leaf].kind == SC_PQ_KIND_TEXT) {
    return 0;
  }
  return strcmp(node->name, "geometry") == 0 || strcmp(node->name, "proj:geometry") == 0 ||
         meta->leaves[node->leaf].kind == SC_PQ_KIND_GEOMETRY;
}

/* Fractions of a second without the zeros at their end, as JSON has them; STAC's are of UTC. */
static void shorten_time(struct sc_buffer *value, size_t begin) {
  size_t end = value->size - 1; /* of the quote */
  if (value->data[end - 1] == 'Z') end--;
  unsigned char *dot = memchr(value->data + begin, '.', end - begin);
  size_t kept = end;
  while (dot && value->data + kept > dot + 1 && value->data[kept - 1] == '0') kept--;
  if (dot && value->data + kept == dot + 1) kept--;
  memcpy(value->data + kept, "Z\"", 2);
  value->size = kept + 2;
}

/* The value of a field into p->value: "null" where it is not there. */
static sc_status read_value(struct sc_parquet_items *p, size_t node, struct sc_error *err) {
  const struct sc_pq_meta *meta = &p->file.meta;
  const struct sc_pq_node *n = &meta->nodes[node];
  p->value.size = 0;
  if (is_geometry(meta, n)) {
    struct sc_pq_value wkb;
    sc_status st = sc_pq_nested_leaf(p->rows, node, &wkb, err);
    if (st) return st;
    if (wkb.size == SC_PQ_NULL) return sc_buffer_append_text(&p->value, "null", err);
    st = sc_wkb_to_geojson(wkb.as.bytes, wkb.size, &p->value, err);
    return st ? sc_fail_within(err, "%s: column '%s'", p->file.source.name, n->name) : SC_OK;
  }
  sc_status st = sc_buffer_reserve(&p->value, 64, err);
  if (!st) st = sc_pq_nested_json(p->rows, node, SC_ITEM_MAX_BYTES, &p->value, err);
  int is_time = n->is_leaf && meta->leaves[n->leaf].kind == SC_PQ_KIND_TIMESTAMP;
  if (!st && is_time && p->value.data[0] == '"' && p->value.size > 2) {
    st = sc_buffer_reserve(&p->value, 2, err);
    if (!st) shorten_time(&p->value, 0);
  }
  return st;
}

static sc_status put_field(struct sc_parquet_items *p, size_t node, struct sc_error *err) {
  const char *name = p->file.meta.nodes[node].name;
  if (strcmp(name, "properties") == 0) name = OWN_PROPERTIES;
  sc_status st = read_value(p, node, err);
  int is_null = !st && p->value.size == 4 && memcmp(p->value.data, "null", 4) == 0;
  if (st || (is_null && strcmp(name, "datetime") != 0 && strcmp(name, "geometry") != 0)) return st;
  struct sc_buffer *out = is_member(name) ? &p->members : &p->properties;
  if (out->size + p->value.size > SC_ITEM_MAX_BYTES) {
    return sc_fail(err, SC_TOO_BIG, "%s: an item of more than %d bytes", p->file.source.name,
                   SC_ITEM_MAX_BYTES);
  }
  if (out->size) st = sc_buffer_append_text(out, ",", err);
  if (!st) st = sc_buffer_append_json(out, name, err);
  if (!st) st = sc_buffer_append_text(out, ":", err);
  return st ? st : sc_buffer_append(out, p->value.data, p->value.size, err);
}

/* {"xmin": ..., "ymin": ...} as STAC's array. */
static sc_status fix_bbox(cJSON *json, struct sc_error *err) {
  static const char *const flat[] = {"xmin", "ymin", "xmax", "ymax", NULL};
  static const char *const deep[] = {"xmin", "ymin", "zmin", "xmax", "ymax", "zmax", NULL};
  cJSON *bbox = cJSON_GetObjectItemCaseSensitive(json, "bbox");
  if (!cJSON_IsObject(bbox)) return SC_OK;
  const char *const *names = cJSON_HasObjectItem(bbox, "zmin") ? deep : flat;
  cJSON *array = cJSON_CreateArray();
  for (size_t i = 0; array && names[i]; i++) {
    const cJSON *side = cJSON_GetObjectItemCaseSensitive(bbox, names[i]);
    cJSON_AddItemToArray(array, cJSON_CreateNumber(cJSON_IsNumber(side) ? side->valuedouble : 0));
  }
  if (!array || !cJSON_ReplaceItemInObjectCaseSensitive(json, "bbox", array)) {
    return sc_fail_nomem(err);
  }
  return SC_OK;
}

/* Properties that the file keeps in a column of their own go to the others. */
static void join_properties(cJSON *json) {
  cJSON *own = cJSON_DetachItemFromObjectCaseSensitive(json, OWN_PROPERTIES);
  cJSON *properties = cJSON_GetObjectItemCaseSensitive(json, "properties");
  while (cJSON_IsObject(own) && own->child) {
    cJSON *member = cJSON_DetachItemViaPointer(own, own->child);
    if (cJSON_HasObjectItem(properties, member->string)) {
      cJSON_Delete(member);
    } else {
      cJSON_AddItemToArray(properties, member); /* keeps its name */
    }
  }
  cJSON_Delete(own);
}

static sc_status complete(struct sc_parquet_items *p, cJSON *json, struct sc_error *err) {
  sc_status st = fix_bbox(json, err);
  if (st) return st;
  join_properties(json);
  if (!cJSON_HasObjectItem(json, "type") && !cJSON_AddStringToObject(json, "type", "Feature")) {
    return sc_fail_nomem(err);
  }
  if (p->collection && !cJSON_HasObjectItem(json, "collection") &&
      !cJSON_AddStringToObject(json, "collection", p->collection)) {
    return sc_fail_nomem(err);
  }
  return SC_OK;
}

sc_status sc_parquet_items_next(struct sc_parquet_items *p, cJSON **out, struct sc_error *err) {
  const struct sc_pq_meta *meta = &p->file.meta;
  char shown[600];
  int found;
  *out = NULL;
  sc_status st = sc_pq_nested_next(p->rows, &found, err);
  if (st || !found) return st;
  p->members.size = p->properties.size = 0;
  for (size_t i = 0; i < meta->n_nodes && !st; i = meta->nodes[i].end) st = put_field(p, i, err);
  p->value.size = 0;
  if (!st) st = sc_buffer_append_text(&p->value, "{", err);
  if (!st) st = sc_buffer_append(&p->value, p->members.data, p->members.size, err);
  if (!st) st = sc_buffer_append_text(&p->value, p->members.size ? "," : "", err);
  if (!st) st = sc_buffer_append_text(&p->value, "\"properties\":{", err);
  if (!st) st = sc_buffer_append(&p->value, p->properties.data, p->properties.size, err);
  if (!st) st = sc_buffer_append_text(&p->value, "}}", err);
  if (!st) {
    st = sc_json_reader_one(p->value.data, p->value.size,
                            sc_access_shown(p->href, shown, sizeof shown), out, err);
  }
  if (!st) st = complete(p, *out, err);
  if (!st) return SC_OK;
  cJSON_Delete(*out);
  *out = NULL;
  return st;
}
