/*
 * stacchip_platform: the rules of this connection as a read-only table, and
 * stacchip_platform_set(name, json), stacchip_platform_drop(name).
 *
 *   CREATE TABLE stacchip_platform(name, "match", mask, cloud, nodata, assets, note);
 *
 *   SELECT name, cloud FROM stacchip_platform WHERE name LIKE 'sentinel%';
 *   SELECT stacchip_platform_set('my-drone', '{"match": "collection = ''drone''", ...}');
 *
 * HOW IT WORKS  A cursor takes a copy of the list when it is opened (xFilter), the rule tried
 * first in front; there is one plan, the scan.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "connection.h"
#include "stac/rules.h"

enum { NAME, MATCH, MASK, CLOUD, NODATA, ASSETS, NOTE, N_COLUMNS };

struct platform_table {
  sqlite3_vtab base;
  struct sc_rules *rules; /* the connection's */
};

struct platform_cursor {
  sqlite3_vtab_cursor base;
  cJSON *list; /* array of rules, each with its name; owned */
  const cJSON *at;
  sqlite3_int64 row;
};

static int platform_connect(sqlite3 *db, void *aux, int n, const char *const *args,
                            sqlite3_vtab **out, char **message) {
  (void)n, (void)args, (void)message;
  int code = sqlite3_declare_vtab(
      db, "CREATE TABLE x(name, \"match\", mask, cloud, nodata, assets, note)");
  struct platform_table *t = code == SQLITE_OK ? sc_alloc_zero(1, sizeof *t) : NULL;
  if (!t) return code == SQLITE_OK ? SQLITE_NOMEM : code;
  t->rules = ((struct sc_connection *)aux)->rules;
  sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  *out = &t->base;
  return SQLITE_OK;
}

static int platform_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  (void)vtab;
  info->estimatedCost = 30;
  info->estimatedRows = 30;
  return SQLITE_OK;
}

static int platform_disconnect(sqlite3_vtab *vtab) {
  sc_free(vtab);
  return SQLITE_OK;
}

static int platform_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  (void)vtab;
  struct platform_cursor *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return SQLITE_NOMEM;
  *out = &c->base;
  return SQLITE_OK;
}

static int platform_close(sqlite3_vtab_cursor *cursor) {
  struct platform_cursor *c = (struct platform_cursor *)cursor;
  cJSON_Delete(c->list);
  sc_free(c);
  return SQLITE_OK;
}

static sc_status add_rule(void *context, const char *name, const char *json, struct sc_error *err) {
  cJSON *rule = cJSON_Parse(json);
  if (!rule || !cJSON_AddStringToObject(rule, "name", name) ||
      !cJSON_AddItemToArray(context, rule)) {
    cJSON_Delete(rule);
    return sc_fail_nomem(err);
  }
  return SC_OK;
}

static int platform_filter(sqlite3_vtab_cursor *cursor, int plan, const char *text, int n,
                           sqlite3_value **values) {
  struct platform_cursor *c = (struct platform_cursor *)cursor;
  struct platform_table *t = (struct platform_table *)cursor->pVtab;
  struct sc_error err = {0};
  (void)plan, (void)text, (void)n, (void)values;
  cJSON_Delete(c->list);
  c->list = cJSON_CreateArray();
  if (sc_rules_list(t->rules, add_rule, c->list, &err)) return sc_vtab_error(cursor->pVtab, &err);
  c->at = c->list->child;
  c->row = 1;
  return SQLITE_OK;
}

static int platform_next(sqlite3_vtab_cursor *cursor) {
  struct platform_cursor *c = (struct platform_cursor *)cursor;
  c->at = c->at->next;
  c->row++;
  return SQLITE_OK;
}

static int platform_eof(sqlite3_vtab_cursor *cursor) {
  return ((struct platform_cursor *)cursor)->at == NULL;
}

static int platform_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  static const char *const keys[N_COLUMNS] = {"name",   "match",  "mask", "cloud",
                                              "nodata", "assets", "note"};
  const struct platform_cursor *c = (struct platform_cursor *)cursor;
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(c->at, keys[column]);
  if (cJSON_IsString(value)) {
    sqlite3_result_text(context, value->valuestring, -1, SQLITE_TRANSIENT);
  } else if (value && !cJSON_IsNull(value)) {
    char *text = cJSON_PrintUnformatted(value);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
    cJSON_free(text);
  }
  return SQLITE_OK;
}

static int platform_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  *rowid = ((struct platform_cursor *)cursor)->row;
  return SQLITE_OK;
}

static const sqlite3_module platform_module = {
    .iVersion = 0,
    .xCreate = NULL, /* eponymous only */
    .xConnect = platform_connect,
    .xBestIndex = platform_best_index,
    .xDisconnect = platform_disconnect,
    .xDestroy = NULL,
    .xOpen = platform_open,
    .xClose = platform_close,
    .xFilter = platform_filter,
    .xNext = platform_next,
    .xEof = platform_eof,
    .xColumn = platform_column,
    .xRowid = platform_rowid,
    .xUpdate = NULL, /* read-only: see stacchip_platform_set() */
};

static void set_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_error err = {0};
  const char *name = (const char *)sqlite3_value_text(values[0]);
  (void)n;
  if (sc_connection_check_direct(c, &err) ||
      sc_rules_set(c->rules, name, (const char *)sqlite3_value_text(values[1]), &err)) {
    sc_result_error(context, &err);
    return;
  }
  sqlite3_result_value(context, values[0]);
}

static void drop_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_error err = {0};
  (void)n;
  if (sc_connection_check_direct(c, &err) ||
      sc_rules_drop(c->rules, (const char *)sqlite3_value_text(values[0]), &err)) {
    sc_result_error(context, &err);
    return;
  }
  sqlite3_result_value(context, values[0]);
}

static const struct sc_help platform_help = {
    .name = "stacchip_platform",
    .kind = SC_HELP_TABLE,
    .about = "the rules of the connection, in the order in which they are tried",
    .columns =
        (const struct sc_help_name[]){
            {"name", "TEXT", NULL, "the platform"},
            {"match", "TEXT", NULL,
             "expression over id, collection, platform, constellation, properties and assets, true "
             "for the items of the rule"},
            {"mask", "JSON", NULL,
             "the asset that clouds and nodata are counted in: a name, or an array of names"},
            {"cloud", "TEXT", NULL,
             "expression over v and nd, true for a cloudy pixel of the mask"},
            {"nodata", "TEXT", NULL,
             "expression over v and nd, true for a pixel of the mask without data"},
            {"assets", "JSON", NULL, "the assets that hold pixels, in output order"},
            {"note", "TEXT", NULL, "what the rule is for"},
            {0}},
    .example = "SELECT name, mask, cloud FROM stacchip_platform",
};

static const struct sc_help platform_set_help = {
    .name = "stacchip_platform_set",
    .kind = SC_HELP_SCALAR,
    .about = "gives the connection a rule of your own, or replaces one",
    .arguments = (const struct sc_help_name[]){{"name", "TEXT", NULL, "the platform"},
                                               {"rule", "JSON", NULL, "an object: see the keys"},
                                               {0}},
    .options = {{"key", "", &sc_rule_option_table}},
    .example =
        "SELECT stacchip_platform_set('drone', '{\"match\": \"collection = ''drone''\", \"mask\": "
        "\"qa\", \"cloud\": \"v & 6\", \"nodata\": \"nd\"}')",
};

static const struct sc_help platform_drop_help = {
    .name = "stacchip_platform_drop",
    .kind = SC_HELP_SCALAR,
    .about = "takes a rule of your own away",
    .arguments = (const struct sc_help_name[]){{"name", "TEXT", NULL, "the platform"}, {0}},
    .example =
        "SELECT stacchip_platform_set('drone', '{\"match\": \"collection = ''drone''\"}'); SELECT "
        "stacchip_platform_drop('drone')",
};

int sc_platform_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_platform_set", 2, SQLITE_DIRECTONLY, set_func, 0, 0},
      {"stacchip_platform_drop", 1, SQLITE_DIRECTONLY, drop_func, 0, 0},
  };
  sc_connection_help(c, &platform_help);
  sc_connection_help(c, &platform_set_help);
  sc_connection_help(c, &platform_drop_help);
  int code = sc_register_module(c, "stacchip_platform", &platform_module);
  if (code != SQLITE_OK) return code;
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
