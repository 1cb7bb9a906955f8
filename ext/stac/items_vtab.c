/*
 * stacchip_items(source [, options]) and stacchip_search(url, query [, options]): items in bulk.
 *
 *   CREATE TABLE stacchip_items(item_json, id, collection, datetime, eo_cloud_cover, geometry,
 *                               source HIDDEN, options HIDDEN, error HIDDEN);
 *   CREATE TABLE stacchip_search(item_json, id, collection, datetime, eo_cloud_cover, geometry,
 *                                url HIDDEN, query HIDDEN, options HIDDEN, error HIDDEN);
 *
 *   SELECT id, datetime FROM stacchip_items('scenes/');
 *   INSERT INTO chips(item_json) SELECT item_json FROM stacchip_items('catalog.json');
 *   SELECT item_json FROM stacchip_search('https://earth-search.aws.element84.com/v1',
 *     '{"collections": ["sentinel-2-l2a"], "bbox": [-71, 42, -70, 43]}') LIMIT 10;
 *
 * eo_cloud_cover is STAC's own, in per cent. geometry is a SpatiaLite BLOB. What cannot be read (a
 * broken file of a folder, a dead link) is a row without an id, whose error says why and whose
 * item_json is its path or URL, or its text: who merges it gets, or records, that error.
 *
 * HOW IT WORKS  Items are read as the cursor steps: LIMIT stops reading and paging.
 */
#include <cjson/cJSON.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/options.h"
#include "stac/items.h"
#include "table_function.h"

enum { ITEM_JSON, ID, COLLECTION, DATETIME, CLOUD, GEOMETRY, FIRST_ARGUMENT };

struct items_cursor {
  struct sc_table_cursor base;
  struct sc_items *items;
  struct sc_listed listed;
  sqlite3_stmt *to_geometry; /* GeoJSON -> BLOB by SpatiaLite; made on first use */
};

static void clear_items(void *cursor) {
  struct items_cursor *c = cursor;
  sc_listed_free(&c->listed);
  sc_items_free(c->items);
  sqlite3_finalize(c->to_geometry);
}

static sc_status next_item(void *cursor, struct sc_error *err) {
  struct items_cursor *c = cursor;
  sc_listed_free(&c->listed);
  return sc_items_next(c->items, &c->listed, &c->base.is_row, sc_db_interrupted,
                       c->base.connection->db, err);
}

static const struct sc_option search_options[] = {
    {"max_items", SC_OPTION_INT, offsetof(struct sc_search_options, max_items), 1, 1e15, NULL, NULL,
     "stop after so many"},
    {"method", SC_OPTION_CHOICE, offsetof(struct sc_search_options, use_get), 0, 0, "POST|GET",
     "\"POST\"", "how the search is asked"},
    {"headers", SC_OPTION_JSON, offsetof(struct sc_search_options, headers), 0, 0,
     "an object of texts", NULL, "sent to the search's own server only"},
};

static sc_status begin_search(void *cursor, struct sc_error *err) {
  struct items_cursor *c = cursor;
  struct sc_search_options options = {0};
  struct sc_options json = {0};
  const struct sc_option_set set = {search_options, sizeof search_options / sizeof *search_options,
                                    &options, NULL};
  if (sc_table_is_null(&c->base, 0)) return SC_OK;
  sc_status st = sc_options_parse(sc_table_text(&c->base, 2), "stacchip_search", &set, &json, err);
  if (!st && options.headers && !cJSON_IsObject(options.headers)) {
    st = sc_option_fail(err, "stacchip_search", "headers", NULL, "an object of texts");
  }
  if (!st) {
    st = sc_items_search(sc_table_text(&c->base, 0), sc_table_text(&c->base, 1), &options,
                         &c->items, err);
  }
  sc_options_free(&json);
  return st ? st : next_item(c, err);
}

static const struct sc_option items_options[] = {
    {"passed_over", SC_OPTION_BOOL, offsetof(struct sc_items_options, passed_over), 0, 0, NULL,
     "false", "also list JSON and Parquet files without items"},
};

static sc_status begin_items(void *cursor, struct sc_error *err) {
  struct items_cursor *c = cursor;
  struct sc_items_options options = {0};
  struct sc_options json = {0};
  const struct sc_option_set set = {items_options, sizeof items_options / sizeof *items_options,
                                    &options, NULL};
  if (sc_table_is_null(&c->base, 0)) return SC_OK;
  sc_status st = sc_options_parse(sc_table_text(&c->base, 1), "stacchip_items", &set, &json, err);
  if (!st) st = sc_items_open(sc_table_text(&c->base, 0), &options, &c->items, err);
  sc_options_free(&json);
  return st ? st : next_item(c, err);
}

static sc_status result_geometry(struct items_cursor *c, const struct sc_item *item,
                                 sqlite3_context *context, struct sc_error *err) {
  const cJSON *geometry = cJSON_GetObjectItemCaseSensitive(item->json, "geometry");
  char *text = cJSON_IsObject(geometry) ? cJSON_PrintUnformatted(geometry) : NULL;
  sc_status st = SC_OK;
  if (!text) return SC_OK;
  if (!c->to_geometry) {
    st = sc_db_prepare(c->base.connection->db, "SELECT SetSRID(GeomFromGeoJSON(?1), 4326)", NULL,
                       NULL, &c->to_geometry, err);
  }
  if (!st) {
    sqlite3_bind_text(c->to_geometry, 1, text, -1, SQLITE_STATIC);
    int is_row;
    st = sc_db_next(c->to_geometry, &is_row, err);
    if (!st && is_row) {
      sqlite3_result_value(context, sqlite3_column_value(c->to_geometry, 0));
    }
    sqlite3_reset(c->to_geometry);
    sqlite3_clear_bindings(c->to_geometry);
  }
  cJSON_free(text);
  return st;
}

/* The columns of what could not be read; the error stands behind the arguments. */
static void result_failure(const struct sc_listed *listed, int column, sqlite3_context *context) {
  const char *text = column == ITEM_JSON        ? listed->source
                     : column >= FIRST_ARGUMENT ? listed->reason
                                                : NULL;
  if (text) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static sc_status show_item(void *cursor, int column, sqlite3_context *context,
                           struct sc_error *err) {
  struct items_cursor *c = cursor;
  const struct sc_item *item = &c->listed.item;
  char *text = NULL;
  const cJSON *cloud;
  sc_status st = SC_OK;
  if (c->listed.reason) {
    result_failure(&c->listed, column, context);
    return SC_OK;
  }
  switch (column) {
    case ITEM_JSON:
      st = sc_item_text(item, &text, err);
      if (!st) sqlite3_result_text(context, text, -1, sc_free);
      break;
    case ID: sqlite3_result_text(context, item->id, -1, SQLITE_TRANSIENT); break;
    case COLLECTION:
      if (item->collection) sqlite3_result_text(context, item->collection, -1, SQLITE_TRANSIENT);
      break;
    case DATETIME:
      if (item->datetime[0]) sqlite3_result_text(context, item->datetime, -1, SQLITE_TRANSIENT);
      break;
    case CLOUD:
      cloud = cJSON_GetObjectItemCaseSensitive(item->properties, "eo:cloud_cover");
      if (cJSON_IsNumber(cloud)) sqlite3_result_double(context, cloud->valuedouble);
      break;
    case GEOMETRY: st = result_geometry(c, item, context, err); break;
    default: break;
  }
  return st;
}

static const struct sc_help_name columns[] = {
    {"item_json", "TEXT", NULL, "the item's text, hrefs made absolute"},
    {"id", "TEXT", NULL, "the item's id"},
    {"collection", "TEXT", NULL, "the item's collection"},
    {"datetime", "TEXT", NULL, "as the item has it"},
    {"eo_cloud_cover", "REAL", NULL, "of the whole scene, in per cent"},
    {"geometry", "BLOB", NULL, "a SpatiaLite geometry of SRID 4326"},
    {"error", "TEXT, hidden", NULL, "why the row has no item"},
    {0}};

static const struct sc_help items_help = {
    .name = "stacchip_items",
    .kind = SC_HELP_TABLE,
    .about = "the items of folders, documents and catalogues, local or remote",
    .arguments =
        (const struct sc_help_name[]){
            {"source", "TEXT", NULL,
             "a folder, file, pattern, catalogue or STAC GeoParquet, by path or URL"},
            SC_HELP_OPTIONS,
            {0}},
    .columns = columns,
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(items_options)}},
    .example = "SELECT id, datetime FROM stacchip_items('scenes/')",
};

static const struct sc_help search_help = {
    .name = "stacchip_search",
    .kind = SC_HELP_TABLE,
    .about = "the items that a STAC API finds, page by page",
    .arguments =
        (const struct sc_help_name[]){
            {"url", "TEXT", NULL, "the API's root, or its /search"},
            {"query", "JSON", "{}",
             "the search, as STAC has it: collections, bbox, datetime, query, filter"},
            SC_HELP_OPTIONS,
            {0}},
    .columns = columns,
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(search_options)}},
    .example =
        "SELECT id, eo_cloud_cover FROM "
        "stacchip_search('https://earth-search.aws.element84.com/v1', '{\"collections\": "
        "[\"sentinel-2-l2a\"], \"bbox\": [-63, -33, -62, -32]}') LIMIT 2",
};

static const struct sc_table_function items_table = {
    .help = &items_help,
    .declaration =
        "CREATE TABLE x(item_json TEXT, id TEXT, collection TEXT, datetime TEXT, "
        "eo_cloud_cover REAL, geometry BLOB, source HIDDEN, options HIDDEN, error TEXT HIDDEN)",
    .risk = SQLITE_VTAB_DIRECTONLY, /* it opens files and URLs */
    .first_argument = FIRST_ARGUMENT,
    .n_arguments = 2,
    .n_needed = 1,
    .missing =
        "stacchip_items(source [, options]) needs a source; on the right of a RIGHT JOIN write "
        "(SELECT * FROM stacchip_items(...))",
    .cost = 1e6,
    .rows = 100,
    .cursor_bytes = sizeof(struct items_cursor),
    .begin = begin_items,
    .next = next_item,
    .column = show_item,
    .clear = clear_items,
};

static const struct sc_table_function search_table = {
    .help = &search_help,
    .declaration =
        "CREATE TABLE x(item_json TEXT, id TEXT, collection TEXT, datetime TEXT, "
        "eo_cloud_cover REAL, geometry BLOB, url HIDDEN, query HIDDEN, options HIDDEN, "
        "error TEXT HIDDEN)",
    .risk = SQLITE_VTAB_DIRECTONLY,
    .first_argument = FIRST_ARGUMENT,
    .n_arguments = 3,
    .n_needed = 1,
    .missing =
        "stacchip_search(url, query [, options]) needs a URL; on the right of a RIGHT JOIN write "
        "(SELECT * FROM stacchip_search(...))",
    .cost = 1e6,
    .rows = 100,
    .cursor_bytes = sizeof(struct items_cursor),
    .begin = begin_search,
    .next = next_item,
    .column = show_item,
    .clear = clear_items,
};

int sc_items_register(struct sc_connection *c) {
  int code = sc_register_table(c, &items_table);
  return code != SQLITE_OK ? code : sc_register_table(c, &search_table);
}
