/* api/chip: all about one chip. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/db.h"
#include "browse/chips.h"
#include "browse/picture.h"

#define TEXT_SHOWN 4000              /* bytes of a column's text */
#define ITEM_BYTES ((size_t)2 << 20) /* an item with more is not sent along */
#define DATES_MAX 400
#define CHIP_SECONDS 20.0
#define N_LAST 3 /* columns of our own behind those of the table: see prepare_chip() */

/* ---- columns ---- */

static sc_status put_long_text(sqlite3_stmt *row, int i, struct sc_buffer *out,
                               struct sc_error *err) {
  char shown[TEXT_SHOWN + 8];
  const char *text = (const char *)sqlite3_column_text(row, i);
  if (!text) return sc_fail_nomem(err);
  if (strlen(text) <= TEXT_SHOWN) return sc_buffer_append_json(out, text, err);
  snprintf(shown, sizeof shown, "%.*s...", TEXT_SHOWN, text);
  sc_text_make_valid(shown);
  return sc_buffer_append_json(out, shown, err);
}

static sc_status put_column(sqlite3_stmt *row, int i, struct sc_buffer *out, struct sc_error *err) {
  switch (sqlite3_column_type(row, i)) {
    case SQLITE_TEXT: return put_long_text(row, i, out, err);
    case SQLITE_BLOB: {
      char text[60];
      snprintf(text, sizeof text, "%d bytes", sqlite3_column_bytes(row, i));
      return sc_buffer_append_json(out, text, err);
    }
    default: return sc_chips_put_number(row, i, out, err);
  }
}

/* A footprint as GeoJSON; other blobs as their size. */
static sc_status put_geometry(sqlite3_stmt *row, int i, struct sc_buffer *out,
                              struct sc_error *err) {
  struct sc_footprint f;
  struct sc_error not_that = {0};
  int srid;
  const void *blob = sqlite3_column_blob(row, i);
  size_t n = (size_t)sqlite3_column_bytes(row, i);
  if (!blob || sc_footprint_from_blob(blob, n, &f, &srid, &not_that))
    return put_column(row, i, out, err);
  sc_status st = sc_buffer_append_text(out, "{\"type\":\"MultiPolygon\",\"coordinates\":[", err);
  for (int part = 0; part < f.n_parts && !st; part++) {
    struct sc_footprint one = {.n_parts = 1};
    one.parts[0] = f.parts[part];
    if (part) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_chips_put_footprint(&one, out, err);
  }
  return st ? st : sc_buffer_append_text(out, "]}", err);
}

static int is_named(sqlite3_stmt *row, int i, const char *name) {
  const char *found = sqlite3_column_name(row, i);
  return found && strcasecmp(found, name) == 0;
}

static sc_status put_columns(sqlite3_stmt *row, struct sc_buffer *out, struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, ",\"columns\":{", err);
  int written = 0;
  for (int i = 0; i < sqlite3_column_count(row) - N_LAST && !st; i++) {
    if (is_named(row, i, "item_json") || is_named(row, i, "stac")) continue;
    if (written++) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_buffer_append_json(out, sqlite3_column_name(row, i), err);
    if (!st) st = sc_buffer_append_text(out, ":", err);
    if (!st)
      st = is_named(row, i, "geometry") ? put_geometry(row, i, out, err)
                                        : put_column(row, i, out, err);
  }
  return st ? st : sc_buffer_append_text(out, "}", err);
}

/* ---- the item ---- */

static const char *text_of(const cJSON *object, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* The names of an asset's bands, common ones first, whichever version of STAC says them. */
static cJSON *bands_of(const cJSON *asset) {
  static const char *const keys[] = {"bands", "eo:bands", "raster:bands"};
  cJSON *names = cJSON_CreateArray();
  for (size_t k = 0; k < 3 && names && !cJSON_GetArraySize(names); k++) {
    const cJSON *bands = cJSON_GetObjectItemCaseSensitive(asset, keys[k]);
    const cJSON *band;
    cJSON_ArrayForEach(band, bands) {
      const char *name = text_of(band, "eo:common_name");
      if (!name) name = text_of(band, "common_name");
      if (!name) name = text_of(band, "name");
      if (name) cJSON_AddItemToArray(names, cJSON_CreateString(name));
    }
  }
  return names;
}

static void add_asset(cJSON *list, const cJSON *asset) {
  cJSON *one = cJSON_CreateObject();
  const char *title = text_of(asset, "title"), *type = text_of(asset, "type");
  const cJSON *roles = cJSON_GetObjectItemCaseSensitive(asset, "roles");
  cJSON_AddStringToObject(one, "name", asset->string);
  if (title) cJSON_AddStringToObject(one, "title", title);
  if (type) cJSON_AddStringToObject(one, "type", type);
  cJSON_AddItemToObject(one, "bands", bands_of(asset));
  cJSON_AddItemToObject(one, "roles",
                        cJSON_IsArray(roles) ? cJSON_Duplicate(roles, 1) : cJSON_CreateArray());
  cJSON_AddItemToArray(list, one);
}

static sc_status put_json(const char *key, const cJSON *json, struct sc_buffer *out,
                          struct sc_error *err) {
  char *text = cJSON_PrintUnformatted(json);
  sc_status st = text ? sc_buffer_printf(out, err, ",\"%s\":", key) : sc_fail_nomem(err);
  if (!st) st = sc_buffer_append_text(out, text, err);
  cJSON_free(text);
  return st;
}

/* What an item says, without the links and hrefs, in which there may be secrets; its assets. */
static sc_status put_item(const char *text, size_t n, struct sc_buffer *out, struct sc_error *err) {
  static const char *const kept[] = {"id", "collection", "bbox", "properties", "stac_version"};
  cJSON *item = text && n <= ITEM_BYTES ? cJSON_ParseWithLength(text, n) : NULL;
  cJSON *shown = cJSON_CreateObject(), *assets = cJSON_CreateArray();
  const cJSON *asset;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(item, kept[i]);
    if (v) cJSON_AddItemToObject(shown, kept[i], cJSON_Duplicate(v, 1));
  }
  if (text && n > ITEM_BYTES) cJSON_AddNumberToObject(shown, "bytes", (double)n);
  cJSON_ArrayForEach(asset, cJSON_GetObjectItemCaseSensitive(item, "assets")) {
    if (asset->string) add_asset(assets, asset);
  }
  sc_status st = put_json("item", shown, out, err);
  if (!st) st = put_json("assets", assets, out, err);
  cJSON_Delete(item);
  cJSON_Delete(shown);
  cJSON_Delete(assets);
  return st;
}

/* ---- further statements ---- */

/* The assets that a picture shows unless others are named, or [] where the files cannot say. */
static sc_status put_rgb(const struct sc_browse_table *t, struct sc_session *s, int64_t id,
                         const char *options, struct sc_buffer *out, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  struct sc_error ignored = {0};
  const char *text = NULL;
  if (sc_table_prepare(t, s,
                       "SELECT json_extract(stacchip_chip_info({handle}, ?2), '$.assets') FROM "
                       "{from} WHERE {id} = ?1",
                       &stmt, &ignored) == SC_OK) {
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, options, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW) text = (const char *)sqlite3_column_text(stmt, 0);
  }
  sc_status st = sc_buffer_append_text(out, ",\"rgb\":", err);
  if (!st) st = sc_buffer_append_text(out, text ? text : "[]", err);
  sqlite3_finalize(stmt);
  return st;
}

/* What a place is known by: values of the chip, bound as ?1 to ?5. */
static const char place_values[] =
    "SELECT {grid}, {x}, {y}, {geometry} FROM {from} WHERE {id} = ?1";
static const char merged_place[] =
    "SELECT {id}, {date}, {cloud}, %s FROM {from} WHERE search_area = ?4 AND {grid} = ?1 AND {x} = "
    "?2 "
    "AND {y} = ?3 ORDER BY {date}, {id} LIMIT ?5";
/* A dataset has no grid: its chips of one place have one box. */
static const char frozen_place[] =
    "SELECT {id}, {date}, {cloud}, %s FROM {from} WHERE {x} = ?2 AND {y} = ?3 AND {geometry} = ?4 "
    "ORDER BY {date}, {id} LIMIT ?5";

static sc_status put_date(sqlite3_stmt *row, struct sc_buffer *out, struct sc_error *err) {
  sc_status st = sc_buffer_printf(out, err, "{\"id\":%lld,\"date\":", sqlite3_column_int64(row, 0));
  if (!st) st = sc_buffer_append_json(out, (const char *)sqlite3_column_text(row, 1), err);
  if (!st) st = sc_buffer_append_text(out, ",\"cloud\":", err);
  if (!st) st = put_column(row, 2, out, err);
  if (!st) st = sc_buffer_append_text(out, ",\"label\":", err);
  if (!st) st = sc_buffer_append_json(out, (const char *)sqlite3_column_text(row, 3), err);
  return st ? st : sc_buffer_append_text(out, "}", err);
}

static sc_status put_dates(const struct sc_browse_table *t, struct sc_session *s, int64_t id,
                           struct sc_buffer *out, struct sc_error *err) {
  sqlite3_stmt *place = NULL, *dates = NULL;
  struct sc_buffer sql = {0};
  int is_row = 0, written = 0;
  sc_status st = sc_table_prepare(t, s, place_values, &place, err);
  if (!st) sqlite3_bind_int64(place, 1, id);
  if (!st) st = sc_db_next(place, &is_row, err);
  if (!st)
    st = sc_buffer_printf(&sql, err, t->is_frozen ? frozen_place : merged_place,
                          sc_chips_label_sql(t, s));
  if (!st) st = sc_table_prepare(t, s, (char *)sql.data, &dates, err);
  for (int i = 0; i < 4 && !st && is_row; i++)
    sqlite3_bind_value(dates, 1 + i, sqlite3_column_value(place, i));
  if (!st) sqlite3_bind_int(dates, 5, DATES_MAX);
  if (!st) st = sc_buffer_append_text(out, ",\"dates\":[", err);
  while (!st && is_row && !(st = sc_db_next(dates, &is_row, err)) && is_row) {
    if (written++) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_date(dates, out, err);
  }
  sqlite3_finalize(place);
  sqlite3_finalize(dates);
  sc_buffer_free(&sql);
  return st ? st : sc_buffer_append_text(out, "]", err);
}

/* A statement that reads the chip, for people to copy. */
static sc_status put_sql(const struct sc_browse_table *t, int64_t id, struct sc_buffer *out,
                         struct sc_error *err) {
  char *sql = sqlite3_mprintf("SELECT stacchip_chip(%s) FROM \"%w\" WHERE %s = %lld",
                              t->is_frozen ? "handle" : "row", t->table,
                              t->is_frozen ? "position" : "rowid", (long long)id);
  sc_status st = sql ? sc_buffer_append_text(out, ",\"sql\":", err) : sc_fail_nomem(err);
  if (!st) st = sc_buffer_append_json(out, sql, err);
  sqlite3_free(sql);
  return st;
}

/* ---- the request ---- */

/* All of the chip's row; its last three columns are handle, label and the item's text. */
static sc_status prepare_chip(const struct sc_browse_table *t, struct sc_session *s,
                              sqlite3_stmt **out, struct sc_error *err) {
  struct sc_buffer sql = {0};
  const char *columns = t->is_frozen ? "*"
                                     : "chipid, platform, item, date, datetime, collection, "
                                       "chip_index_x, chip_index_y, cloud_cover_percentage, "
                                       "nodata_percentage, geometry, grid, col_off, row_off";
  const char *item = t->is_frozen ? "(SELECT s.stac FROM main.items AS s JOIN main.chips AS c ON "
                                    "c.item = s.id WHERE c.position = ?1)"
                                  : "item_json";
  sc_status st =
      sc_buffer_printf(&sql, err, "SELECT %s, {handle}, %s, %s FROM {from} WHERE {id} = ?1",
                       columns, sc_chips_label_sql(t, s), item);
  if (!st) st = sc_table_prepare(t, s, (char *)sql.data, out, err);
  sc_buffer_free(&sql);
  return st;
}

static sc_status put_chip(const struct sc_browse_table *t, struct sc_session *s, int64_t id,
                          struct sc_buffer *out, struct sc_error *err) {
  sqlite3_stmt *row = NULL;
  sc_status st = prepare_chip(t, s, &row, err);
  if (!st) sqlite3_bind_int64(row, 1, id);
  int code = st ? SQLITE_DONE : sqlite3_step(row);
  if (!st && code != SQLITE_ROW)
    st = code == SQLITE_DONE ? sc_fail(err, SC_NOT_FOUND, "there is no such chip")
                             : sc_session_fail(s, err);
  int last = st ? 0 : sqlite3_column_count(row) - 1;
  if (!st) st = sc_buffer_printf(out, err, "{\"id\":%lld,\"handle\":", (long long)id);
  if (!st) st = sc_buffer_append_json(out, (const char *)sqlite3_column_text(row, last - 2), err);
  if (!st) st = sc_buffer_append_text(out, ",\"label\":", err);
  if (!st) st = sc_buffer_append_json(out, (const char *)sqlite3_column_text(row, last - 1), err);
  if (!st) st = put_columns(row, out, err);
  if (!st)
    st = put_item((const char *)sqlite3_column_text(row, last),
                  (size_t)sqlite3_column_bytes(row, last), out, err);
  sqlite3_finalize(row);
  return st;
}

sc_status sc_browse_chip(struct sc_browse *b, const struct sc_server_request *r,
                         struct sc_server_answer *a, struct sc_error *err) {
  struct sc_browse_table *t = NULL;
  struct sc_session *s = NULL;
  struct sc_buffer options = {0};
  int64_t id = 0;
  sc_status st = sc_browse_table(b, sc_server_argument(r, "table"), &t, err);
  if (!st) st = sc_picture_id(r, &id, err);
  if (!st) st = sc_picture_options(t, r, "png", &options, err);
  if (!st) st = sc_session_take(t->sessions, SC_SESSION_OWN, &s, err);
  if (!st) sc_session_limit(s, CHIP_SECONDS, NULL);
  if (!st) st = put_chip(t, s, id, &a->body, err);
  if (!st) st = put_rgb(t, s, id, (char *)options.data, &a->body, err);
  if (!st) st = put_dates(t, s, id, &a->body, err);
  if (!st) st = put_sql(t, id, &a->body, err);
  if (!st) st = sc_buffer_append_text(&a->body, "}", err);
  sc_session_give(s);
  sc_buffer_free(&options);
  return st;
}
