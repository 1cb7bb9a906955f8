/*
 * stacchip_export(..., '{"format": "stac-geoparquet"}'): the items of a table as STAC GeoParquet
 * 1.1, https://github.com/stac-utils/stac-geoparquet/blob/main/spec/
 *
 * HOW IT WORKS  Two passes over the same rows: the first finds the columns (items_shape.h), the
 * second writes. Both stand in one statement of the caller's, so that they see the same items.
 * Memory is that of one item, the columns' shape and one row group.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/real.h"
#include "geoparquet/export.h"
#include "geoparquet/items_shape.h"
#include "merge/source.h"
#include "stac/item.h"
#include "stac/json_reader.h"
#include "stac/wkb_geojson.h"

struct items_job {
  sqlite3 *db;
  const struct sc_export_options *options;
  sqlite3_stmt *stmt; /* gives each item's text */
  struct sc_items_shape shape;
  size_t n_shape_fields;
  struct sc_pq_field root;
  struct sc_sink sink;
  struct sc_pq_nested_writer *writer;
  struct sc_buffer wkb;
  unsigned types[2]; /* of the geometries, bits by number: without z, with */
  double min_x, min_y, max_x, max_y;
  int64_t n_items;
};

/* --- the items --- */

/* Of a merged index the first chip of each item that the condition leaves; else each text once. */
static sc_status prepare(struct items_job *j, const char *schema, const char *table,
                         struct sc_error *err) {
  const char *where = j->options->where;
  char *place =
      schema ? sqlite3_mprintf("\"%w\".\"%w\"", schema, table) : sqlite3_mprintf("\"%w\"", table);
  char *condition = where ? sqlite3_mprintf("WHERE (%s\n)", where) : sqlite3_mprintf("");
  char *sql = NULL;
  if (place && condition) {
    sql = sc_merge_is_index(j->db, schema, table)
              ? sqlite3_mprintf(
                    "SELECT item_json FROM %s WHERE rowid IN (SELECT min(rowid) FROM %s "
                    "%s GROUP BY collection, platform, item)",
                    place, place, condition)
              : sqlite3_mprintf("SELECT DISTINCT item_json FROM %s %s", place, condition);
  }
  sc_status st = sql ? SC_OK : sc_fail_nomem(err);
  if (!st && where) st = sc_export_check_where(j->db, schema, table, where, err);
  if (!st && sqlite3_prepare_v2(j->db, sql, -1, &j->stmt, NULL) != SQLITE_OK) {
    st = sc_db_fail(j->db, err, "stacchip_export: reading items");
  }
  sqlite3_free(place);
  sqlite3_free(condition);
  sqlite3_free(sql);
  return st;
}

/* The next item's JSON, the caller's; NULL at the end. */
static sc_status next_item(struct items_job *j, cJSON **out, struct sc_error *err) {
  int is_row;
  *out = NULL;
  sc_status st = sc_db_next(j->stmt, &is_row, err);
  if (st || !is_row) return st;
  const char *text = (const char *)sqlite3_column_text(j->stmt, 0);
  if (!text) {
    return sc_fail(err, SC_BAD_DATA,
                   "stacchip_export: an item has no text, as those that were merged from index "
                   "files; leave it out by option 'where', e.g. \"item_json IS NOT NULL\"");
  }
  return sc_json_reader_one(text, (size_t)sqlite3_column_bytes(j->stmt, 0), "stacchip_export", out,
                            err);
}

static sc_status each_item(struct items_job *j,
                           sc_status (*take)(struct items_job *j, const cJSON *item,
                                             struct sc_error *err),
                           struct sc_error *err) {
  sc_status st = SC_OK;
  cJSON *item = NULL;
  while (!st) {
    st = next_item(j, &item, err);
    if (st || !item) break;
    const char *id = sc_json_text(item, "id");
    st = take(j, item, err);
    if (st) sc_fail_within(err, "stacchip_export: item %.200s", id ? id : "");
    cJSON_Delete(item);
    if (!st && sc_db_interrupted(j->db)) {
      st = sc_fail(err, SC_INTERRUPT, "stacchip_export: interrupted");
    }
  }
  sqlite3_reset(j->stmt);
  return st;
}

static sc_status take_shape(struct items_job *j, const cJSON *item, struct sc_error *err) {
  return sc_items_shape_add_item(&j->shape, item, &j->n_shape_fields, err);
}

/* --- values --- */

/* Where a value goes. */
struct place {
  const struct sc_items_shape *shape;
  const struct sc_pq_field *field;
  int rep;        /* of the first entry */
  int parent_def; /* of the innermost field around it that is there */
};

static sc_status put(struct items_job *j, struct place p, const cJSON *json, struct sc_error *err);

static sc_status put_real(struct items_job *j, struct place p, double v, struct sc_error *err) {
  unsigned char bytes[8];
  sc_put_le_double(bytes, v);
  return sc_pq_nested_put_value(j->writer, p.field, p.rep, bytes, 8, err);
}

static sc_status put_int(struct items_job *j, struct place p, int64_t v, struct sc_error *err) {
  unsigned char bytes[8];
  sc_put_le64(bytes, (uint64_t)v);
  return sc_pq_nested_put_value(j->writer, p.field, p.rep, bytes, 8, err);
}

static sc_status put_geometry(struct items_job *j, struct place p, const cJSON *json,
                              struct sc_error *err) {
  struct sc_geojson_info info;
  j->wkb.size = 0;
  sc_status st = sc_geojson_to_wkb(json, &j->wkb, &info, err);
  if (st) return sc_fail_within(err, "member '%s'", p.field->name);
  if (strcmp(p.field->name, "geometry") == 0) {
    j->types[info.has_z] |= 1u << info.type;
    j->min_x = fmin(j->min_x, info.min_x), j->max_x = fmax(j->max_x, info.max_x);
    j->min_y = fmin(j->min_y, info.min_y), j->max_y = fmax(j->max_y, info.max_y);
  }
  return sc_pq_nested_put_value(j->writer, p.field, p.rep, j->wkb.data, j->wkb.size, err);
}

/* Four numbers of a box that may have six: z is then not there. */
static sc_status put_box(struct items_job *j, struct place p, const cJSON *json,
                         struct sc_error *err) {
  int n = cJSON_GetArraySize(json), is_flat = n == 4 && p.field->n_children == 6;
  sc_status st = SC_OK;
  for (int i = 0, at = 0; i < (int)p.field->n_children && !st; i++) {
    struct place side = {NULL, &p.field->children[i], p.rep, p.field->def};
    if (is_flat && i % 3 == 2) {
      st = sc_pq_nested_put_absent(j->writer, side.field, p.rep, p.field->def, err);
    } else {
      st = put_real(j, side, cJSON_GetArrayItem(json, at++)->valuedouble, err);
    }
  }
  return st;
}

static sc_status put_struct(struct items_job *j, struct place p, const cJSON *json,
                            struct sc_error *err) {
  const struct sc_pq_field *field = p.field->children;
  sc_status st = SC_OK;
  for (size_t i = 0; i < p.shape->n_children && !st; i++) {
    const struct sc_items_shape *child = &p.shape->children[i];
    if (!sc_items_shape_is_written(child)) continue;
    struct place member = {child, field++, p.rep, p.field->def};
    st = put(j, member, cJSON_GetObjectItemCaseSensitive(json, child->name), err);
  }
  return st;
}

static sc_status put_list(struct items_job *j, struct place p, const cJSON *json,
                          struct sc_error *err) {
  static const struct sc_items_shape no_element = {.kind = SC_ITEMS_SHAPE_TEXT};
  const struct sc_pq_field *element = p.field->children;
  int is_known = p.shape->n_children && sc_items_shape_is_written(&p.shape->children[0]);
  const cJSON *part;
  sc_status st = SC_OK;
  struct place at = {is_known ? &p.shape->children[0] : &no_element, element, p.rep,
                     p.field->def + 1};
  if (!json->child) return sc_pq_nested_put_absent(j->writer, element, p.rep, p.field->def, err);
  cJSON_ArrayForEach(part, json) {
    if (!st) st = put(j, at, is_known ? part : NULL, err);
    at.rep = element->rep;
  }
  return st;
}

static sc_status put_json(struct items_job *j, struct place p, const cJSON *json,
                          struct sc_error *err) {
  char *text = cJSON_PrintUnformatted(json);
  if (!text) return sc_fail_nomem(err);
  sc_status st = sc_pq_nested_put_value(j->writer, p.field, p.rep, text, strlen(text), err);
  cJSON_free(text);
  return st;
}

static sc_status put(struct items_job *j, struct place p, const cJSON *json, struct sc_error *err) {
  unsigned char byte = cJSON_IsTrue(json) ? 1 : 0;
  int64_t micros = 0;
  if (!json || cJSON_IsNull(json)) {
    return sc_pq_nested_put_absent(j->writer, p.field, p.rep, p.parent_def, err);
  }
  switch (p.shape->kind) {
    case SC_ITEMS_SHAPE_BOOL:
      return sc_pq_nested_put_value(j->writer, p.field, p.rep, &byte, 1, err);
    case SC_ITEMS_SHAPE_INT: return put_int(j, p, (int64_t)json->valuedouble, err);
    case SC_ITEMS_SHAPE_REAL: return put_real(j, p, json->valuedouble, err);
    case SC_ITEMS_SHAPE_TIME:
      sc_items_shape_time(json->valuestring, &micros);
      return put_int(j, p, micros, err);
    case SC_ITEMS_SHAPE_GEOMETRY: return put_geometry(j, p, json, err);
    case SC_ITEMS_SHAPE_BOX: return put_box(j, p, json, err);
    case SC_ITEMS_SHAPE_STRUCT: return put_struct(j, p, json, err);
    case SC_ITEMS_SHAPE_LIST: return put_list(j, p, json, err);
    case SC_ITEMS_SHAPE_TEXT:
      return sc_pq_nested_put_value(j->writer, p.field, p.rep, json->valuestring,
                                    strlen(json->valuestring), err);
    default: return put_json(j, p, json, err);
  }
}

static sc_status take_row(struct items_job *j, const cJSON *item, struct sc_error *err) {
  const struct sc_pq_field *field = j->root.children;
  sc_status st = SC_OK;
  for (size_t i = 0; i < j->shape.n_children && !st; i++) {
    const struct sc_items_shape *column = &j->shape.children[i];
    if (!sc_items_shape_is_written(column)) continue;
    struct place p = {column, field++, 0, 0};
    st = put(j, p, sc_items_shape_value(column, item), err);
  }
  j->n_items++;
  return st ? st : sc_pq_nested_end_row(j->writer, j->options->row_group_rows, err);
}

/* --- the file --- */

static sc_status put_types(const struct items_job *j, struct sc_buffer *out, struct sc_error *err) {
  const char *comma = "";
  sc_status st = SC_OK;
  for (int z = 0; z < 2; z++) {
    for (int i = 1; sc_geojson_type_name(i) && !st; i++) {
      if (!(j->types[z] & 1u << i)) continue;
      st = sc_buffer_printf(out, err, "%s\"%s%s\"", comma, sc_geojson_type_name(i), z ? " Z" : "");
      comma = ",";
    }
  }
  return st;
}

static const struct sc_pq_field *find_column(const struct items_job *j, const char *name) {
  for (size_t i = 0; i < j->root.n_children; i++) {
    if (strcmp(j->root.children[i].name, name) == 0) return &j->root.children[i];
  }
  return NULL;
}

static sc_status put_geo(const struct items_job *j, struct sc_buffer *out, struct sc_error *err) {
  const struct sc_pq_field *bbox = find_column(j, "bbox");
  const double sides[] = {j->min_x, j->min_y, j->max_x, j->max_y};
  sc_status st = sc_buffer_append_text(out,
                                       "{\"version\":\"1.1.0\",\"primary_column\":\"geometry\","
                                       "\"columns\":{\"geometry\":{\"encoding\":\"WKB\","
                                       "\"geometry_types\":[",
                                       err);
  if (!st) st = put_types(j, out, err);
  if (!st) st = sc_buffer_append_text(out, "]", err);
  for (int i = 0; i < 4 && j->min_x <= j->max_x && !st; i++) {
    char text[SC_REAL_BYTES];
    sc_real_format(sides[i], text);
    st = sc_buffer_printf(out, err, "%s%s", i ? "," : ",\"bbox\":[", text);
    if (!st && i == 3) st = sc_buffer_append_text(out, "]", err);
  }
  if (!st && bbox && bbox->kind == SC_PQ_FIELD_STRUCT) {
    st = sc_buffer_append_text(out,
                               ",\"covering\":{\"bbox\":{\"xmin\":[\"bbox\",\"xmin\"],"
                               "\"ymin\":[\"bbox\",\"ymin\"],\"xmax\":[\"bbox\",\"xmax\"],"
                               "\"ymax\":[\"bbox\",\"ymax\"]}}",
                               err);
  }
  if (!st) st = sc_buffer_append_text(out, "}}}", err);
  return st ? st : sc_buffer_terminate(out, err);
}

static sc_status write_file(struct items_job *j, const char *path, struct sc_error *err) {
  struct sc_buffer geo = {0};
  sc_status st = sc_items_shape_fields(&j->shape, &j->root, err);
  if (!st) st = sc_sink_open(path, SC_SINK_ALONE, &j->sink, err);
  if (!st) {
    st = sc_pq_nested_writer_new(&j->root, &j->sink, j->options->codec, j->options->level,
                                 &j->writer, err);
  }
  if (!st) st = each_item(j, take_row, err);
  if (!st) st = put_geo(j, &geo, err);
  if (!st) {
    const struct sc_pq_key_text keys[] = {{"stac-geoparquet", "{\"version\":\"1.1.0\"}"},
                                          {"geo", (const char *)geo.data}};
    st = sc_pq_nested_finish(j->writer, keys, find_column(j, "geometry") ? 2 : 1, err);
  }
  if (!st) st = sc_sink_finish(&j->sink, err);
  if (!st) st = sc_sink_commit(&j->sink, err);
  sc_buffer_free(&geo);
  return st;
}

sc_status sc_export_items(sqlite3 *db, const char *table, const char *path,
                          const struct sc_export_options *options, int64_t *n_items,
                          struct sc_error *err) {
  struct items_job j = {.db = db, .options = options};
  char *schema = NULL;
  const char *name = table;
  j.min_x = j.min_y = HUGE_VAL;
  j.max_x = j.max_y = -HUGE_VAL;
  sc_status st = sc_export_split_name(db, table, &schema, &name, err);
  if (!st) st = prepare(&j, schema, name, err);
  if (!st) st = each_item(&j, take_shape, err);
  if (!st && j.shape.n_children == 0) {
    st = sc_fail(err, SC_NOT_FOUND, "stacchip_export: %s has no items to write", table);
  }
  if (!st) st = write_file(&j, path, err);
  *n_items = j.n_items;
  sqlite3_finalize(j.stmt);
  sc_pq_nested_writer_free(j.writer);
  sc_sink_close(&j.sink);
  sc_items_shape_fields_free(&j.root);
  sc_items_shape_free(&j.shape);
  sc_buffer_free(&j.wkb);
  sc_free(schema);
  return st;
}
