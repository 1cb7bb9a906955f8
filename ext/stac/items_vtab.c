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
 *
 * PLAN  idxNum is the number of arguments that are given, from the left.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/options.h"
#include "base/rowid.h"
#include "connection.h"
#include "stac/items.h"

enum { ITEM_JSON, ID, COLLECTION, DATETIME, CLOUD, GEOMETRY, FIRST_ARGUMENT };
#define ARGUMENTS_MAX 3

struct items_table {
  sqlite3_vtab base;
  struct sc_connection *connection;
  int is_search;
  sqlite3_stmt *to_geometry; /* GeoJSON -> BLOB by SpatiaLite; made on first use */
};

struct items_cursor {
  sqlite3_vtab_cursor base;
  struct sc_items *items;
  struct sc_listed listed;
  int found;
  sqlite3_int64 rowid;
  sqlite3_value *arguments[ARGUMENTS_MAX]; /* as they were given; owned */
};

/* The last one, behind the arguments. */
static int n_arguments(const struct items_table *t) { return t->is_search ? 3 : 2; }
static int error_column(const struct items_table *t) { return FIRST_ARGUMENT + n_arguments(t); }

static int connect_table(sqlite3 *db, void *aux, int is_search, sqlite3_vtab **out) {
  int code = sqlite3_declare_vtab(
      db, is_search
              ? "CREATE TABLE x(item_json TEXT, id TEXT, collection TEXT, datetime TEXT, "
                "eo_cloud_cover REAL, geometry BLOB, url HIDDEN, query HIDDEN, options HIDDEN, "
                "error TEXT HIDDEN)"
              : "CREATE TABLE x(item_json TEXT, id TEXT, collection TEXT, datetime TEXT, "
                "eo_cloud_cover REAL, geometry BLOB, source HIDDEN, options HIDDEN, "
                "error TEXT HIDDEN)");
  struct items_table *t = code == SQLITE_OK ? sc_alloc_zero(1, sizeof *t) : NULL;
  if (!t) return code == SQLITE_OK ? SQLITE_NOMEM : code;
  t->connection = aux;
  t->is_search = is_search;
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY); /* it opens files and URLs */
  *out = &t->base;
  return SQLITE_OK;
}

static int items_connect(sqlite3 *db, void *aux, int n, const char *const *args, sqlite3_vtab **out,
                         char **message) {
  (void)n, (void)args, (void)message;
  return connect_table(db, aux, 0, out);
}

static int search_connect(sqlite3 *db, void *aux, int n, const char *const *args,
                          sqlite3_vtab **out, char **message) {
  (void)n, (void)args, (void)message;
  return connect_table(db, aux, 1, out);
}

static int items_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  int at[ARGUMENTS_MAX] = {-1, -1, -1}, n = 0;
  int most = n_arguments((struct items_table *)vtab);
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    int argument = c->iColumn - FIRST_ARGUMENT;
    if (c->op != SQLITE_INDEX_CONSTRAINT_EQ || argument < 0 || argument >= most) continue;
    if (!c->usable) return SQLITE_CONSTRAINT;
    at[argument] = i;
  }
  while (n < most && at[n] >= 0) {
    info->aConstraintUsage[at[n]].argvIndex = n + 1;
    info->aConstraintUsage[at[n]].omit = 1;
    n++;
  }
  info->idxNum = n;
  /* A call with fewer arguments is another call: where the branches of an OR share the first and
   * have other options, the scan of each branch must win over one scan by what they share. */
  info->estimatedCost = n == 0 ? SC_COST_INCOMPLETE : n < most ? 1e9 : 1e6;
  info->estimatedRows = 100;
  return SQLITE_OK;
}

static int items_disconnect(sqlite3_vtab *vtab) {
  sqlite3_finalize(((struct items_table *)vtab)->to_geometry);
  sc_free(vtab);
  return SQLITE_OK;
}

static int items_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  (void)vtab;
  struct items_cursor *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return SQLITE_NOMEM;
  *out = &c->base;
  return SQLITE_OK;
}

static void clear_cursor(struct items_cursor *c) {
  sc_listed_free(&c->listed);
  sc_items_free(c->items);
  c->items = NULL;
  c->found = 0;
  for (int i = 0; i < ARGUMENTS_MAX; i++) {
    sqlite3_value_free(c->arguments[i]);
    c->arguments[i] = NULL;
  }
}

static int items_close(sqlite3_vtab_cursor *cursor) {
  clear_cursor((struct items_cursor *)cursor);
  sc_free(cursor);
  return SQLITE_OK;
}

static int items_next(sqlite3_vtab_cursor *cursor) {
  struct items_cursor *c = (struct items_cursor *)cursor;
  struct items_table *t = (struct items_table *)cursor->pVtab;
  struct sc_error err = {0};
  sc_listed_free(&c->listed);
  c->found = 0;
  int found = 0;
  if (sc_items_next(c->items, &c->listed, &found, sc_db_interrupted, t->connection->db, &err)) {
    return sc_vtab_error(cursor->pVtab, &err);
  }
  c->found = found;
  c->rowid++;
  return SQLITE_OK;
}

static const struct sc_option search_table[] = {
    {"max_items", SC_OPTION_INT, offsetof(struct sc_search_options, max_items), 1, 1e15, NULL, NULL,
     "stop after so many"},
    {"method", SC_OPTION_CHOICE, offsetof(struct sc_search_options, use_get), 0, 0, "POST|GET",
     "\"POST\"", "how the search is asked"},
    {"headers", SC_OPTION_JSON, offsetof(struct sc_search_options, headers), 0, 0,
     "an object of texts", NULL, "sent to the search's own server only"},
};

static sc_status open_search(struct items_cursor *c, int n, sqlite3_value **values,
                             struct sc_error *err) {
  struct sc_search_options options = {0};
  struct sc_options json = {0};
  const char *url = (const char *)sqlite3_value_text(values[0]);
  const char *query = n > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL;
  const char *text = n > 2 ? (const char *)sqlite3_value_text(values[2]) : NULL;
  const struct sc_option_set set = {search_table, sizeof search_table / sizeof *search_table,
                                    &options, NULL};
  sc_status st = sc_options_parse(text, "stacchip_search", &set, &json, err);
  if (!st && options.headers && !cJSON_IsObject(options.headers)) {
    st = sc_option_fail(err, "stacchip_search", "headers", NULL, "an object of texts");
  }
  if (!st) st = sc_items_search(url, query, &options, &c->items, err);
  sc_options_free(&json);
  return st;
}

static const struct sc_option items_options[] = {
    {"passed_over", SC_OPTION_BOOL, offsetof(struct sc_items_options, passed_over), 0, 0, NULL,
     "false", "also list JSON and Parquet files without items"},
};

static sc_status open_items(struct items_cursor *c, int n, sqlite3_value **values,
                            struct sc_error *err) {
  struct sc_items_options options = {0};
  struct sc_options json = {0};
  const char *source = (const char *)sqlite3_value_text(values[0]);
  const char *text = n > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL;
  const struct sc_option_set set = {items_options, sizeof items_options / sizeof *items_options,
                                    &options, NULL};
  sc_status st = sc_options_parse(text, "stacchip_items", &set, &json, err);
  if (!st) st = sc_items_open(source, &options, &c->items, err);
  sc_options_free(&json);
  return st;
}

static int items_filter(sqlite3_vtab_cursor *cursor, int plan, const char *text, int n,
                        sqlite3_value **values) {
  struct items_cursor *c = (struct items_cursor *)cursor;
  struct items_table *t = (struct items_table *)cursor->pVtab;
  struct sc_error err = {0};
  (void)text, (void)plan;
  clear_cursor(c);
  sc_status st = sc_connection_check_direct(t->connection, &err);
  if (!st && n == 0) {
    st = sc_fail(&err, SC_BAD_ARG, "%s; on the right of a RIGHT JOIN write (SELECT * FROM %s(...))",
                 t->is_search ? "stacchip_search(url, query [, options]) needs a URL"
                              : "stacchip_items(source [, options]) needs a source",
                 t->is_search ? "stacchip_search" : "stacchip_items");
  }
  if (st) return sc_vtab_error(cursor->pVtab, &err);
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return SQLITE_OK;
  c->rowid = sc_rowid_start(values, n);
  for (int i = 0; i < n && !st; i++) {
    c->arguments[i] = sqlite3_value_dup(values[i]);
    if (!c->arguments[i]) st = sc_fail_nomem(&err);
  }
  if (!st) st = t->is_search ? open_search(c, n, values, &err) : open_items(c, n, values, &err);
  if (st) return sc_vtab_error(cursor->pVtab, &err);
  return items_next(cursor);
}

static int items_eof(sqlite3_vtab_cursor *cursor) {
  return !((struct items_cursor *)cursor)->found;
}

static sc_status result_geometry(struct items_table *t, const struct sc_item *item,
                                 sqlite3_context *context, struct sc_error *err) {
  const cJSON *geometry = cJSON_GetObjectItemCaseSensitive(item->json, "geometry");
  char *text = cJSON_IsObject(geometry) ? cJSON_PrintUnformatted(geometry) : NULL;
  sc_status st = SC_OK;
  if (!text) return SC_OK;
  if (!t->to_geometry) {
    st = sc_db_prepare(t->connection->db, "SELECT SetSRID(GeomFromGeoJSON(?1), 4326)", NULL, NULL,
                       &t->to_geometry, err);
  }
  if (!st) {
    sqlite3_bind_text(t->to_geometry, 1, text, -1, SQLITE_STATIC);
    int is_row;
    st = sc_db_next(t->to_geometry, &is_row, err);
    if (!st && is_row) {
      sqlite3_result_value(context, sqlite3_column_value(t->to_geometry, 0));
    }
    sqlite3_reset(t->to_geometry);
    sqlite3_clear_bindings(t->to_geometry);
  }
  cJSON_free(text);
  return st;
}

/* The columns of what could not be read. */
static void result_failure(const struct items_table *t, const struct sc_listed *listed,
                           sqlite3_context *context, int column) {
  const char *text = column == ITEM_JSON         ? listed->source
                     : column == error_column(t) ? listed->reason
                                                 : NULL;
  if (text) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static int items_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  struct items_cursor *c = (struct items_cursor *)cursor;
  struct items_table *t = (struct items_table *)cursor->pVtab;
  const struct sc_item *item = &c->listed.item;
  struct sc_error err = {0};
  char *text = NULL;
  const cJSON *cloud;
  sc_status st = SC_OK;
  int argument = column - FIRST_ARGUMENT;
  if (argument >= 0 && argument < n_arguments(t)) {
    if (c->arguments[argument]) sqlite3_result_value(context, c->arguments[argument]);
    return SQLITE_OK;
  }
  if (c->listed.reason) {
    result_failure(t, &c->listed, context, column);
    return SQLITE_OK;
  }
  switch (column) {
    case ITEM_JSON:
      st = sc_item_text(item, &text, &err);
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
    case GEOMETRY: st = result_geometry(t, item, context, &err); break;
    default: break;
  }
  if (st) sc_result_error(context, &err);
  return SQLITE_OK;
}

static int items_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  *rowid = ((struct items_cursor *)cursor)->rowid;
  return SQLITE_OK;
}

#define METHODS                                                                                  \
  .iVersion = 0, .xCreate = NULL /* eponymous only */, .xBestIndex = items_best_index,           \
  .xDisconnect = items_disconnect, .xDestroy = NULL, .xOpen = items_open, .xClose = items_close, \
  .xFilter = items_filter, .xNext = items_next, .xEof = items_eof, .xColumn = items_column,      \
  .xRowid = items_rowid, .xUpdate = NULL

static const sqlite3_module items_module = {METHODS, .xConnect = items_connect};
static const sqlite3_module search_module = {METHODS, .xConnect = search_connect};

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
    .columns =
        (const struct sc_help_name[]){
            {"item_json", "TEXT", NULL, "the item's text, hrefs made absolute"},
            {"id", "TEXT", NULL, "the item's id"},
            {"collection", "TEXT", NULL, "the item's collection"},
            {"datetime", "TEXT", NULL, "as the item has it"},
            {"eo_cloud_cover", "REAL", NULL, "of the whole scene, in per cent"},
            {"geometry", "BLOB", NULL, "a SpatiaLite geometry of SRID 4326"},
            {"error", "TEXT, hidden", NULL, "why the row has no item"},
            {0}},
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
    .columns =
        (const struct sc_help_name[]){
            {"item_json", "TEXT", NULL, "the item's text, hrefs made absolute"},
            {"id", "TEXT", NULL, "the item's id"},
            {"collection", "TEXT", NULL, "the item's collection"},
            {"datetime", "TEXT", NULL, "as the item has it"},
            {"eo_cloud_cover", "REAL", NULL, "of the whole scene, in per cent"},
            {"geometry", "BLOB", NULL, "a SpatiaLite geometry of SRID 4326"},
            {"error", "TEXT, hidden", NULL, "why the row has no item"},
            {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(search_table)}},
    .example =
        "SELECT id, eo_cloud_cover FROM "
        "stacchip_search('https://earth-search.aws.element84.com/v1', '{\"collections\": "
        "[\"sentinel-2-l2a\"], \"bbox\": [-63, -33, -62, -32]}') LIMIT 2",
};

int sc_items_register(struct sc_connection *c) {
  sc_connection_help(c, &items_help);
  sc_connection_help(c, &search_help);
  int code = sc_register_module(c, "stacchip_items", &items_module);
  return code != SQLITE_OK ? code : sc_register_module(c, "stacchip_search", &search_module);
}
