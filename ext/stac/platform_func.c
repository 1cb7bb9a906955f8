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

#include "base/db.h"
#include "stac/rules.h"
#include "table_function.h"

enum { NAME, MATCH, MASK, CLOUD, NODATA, ASSETS, NOTE, N_COLUMNS };

struct platform_cursor {
  struct sc_table_cursor base;
  cJSON *list; /* array of rules, each with its name; owned */
  const cJSON *at;
};

static void clear_platform(void *cursor) { cJSON_Delete(((struct platform_cursor *)cursor)->list); }

static sc_status add_rule(void *context, const char *name, const char *json, struct sc_error *err) {
  cJSON *rule = cJSON_Parse(json);
  if (!rule || !cJSON_AddStringToObject(rule, "name", name) ||
      !cJSON_AddItemToArray(context, rule)) {
    cJSON_Delete(rule);
    return sc_fail_nomem(err);
  }
  return SC_OK;
}

static sc_status show_rule(struct platform_cursor *c, const cJSON *rule) {
  c->at = rule;
  c->base.is_row = rule != NULL;
  return SC_OK;
}

static sc_status begin_platform(void *cursor, struct sc_error *err) {
  struct platform_cursor *c = cursor;
  c->list = cJSON_CreateArray();
  sc_status st = sc_rules_list(c->base.connection->rules, add_rule, c->list, err);
  return st ? st : show_rule(c, c->list->child);
}

static sc_status next_platform(void *cursor, struct sc_error *err) {
  struct platform_cursor *c = cursor;
  (void)err;
  return show_rule(c, c->at->next);
}

static sc_status show_platform(void *cursor, int column, sqlite3_context *context,
                               struct sc_error *err) {
  static const char *const keys[N_COLUMNS] = {"name",   "match",  "mask", "cloud",
                                              "nodata", "assets", "note"};
  const struct platform_cursor *c = cursor;
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(c->at, keys[column]);
  (void)err;
  if (cJSON_IsString(value)) {
    sqlite3_result_text(context, value->valuestring, -1, SQLITE_TRANSIENT);
  } else if (value && !cJSON_IsNull(value)) {
    char *text = cJSON_PrintUnformatted(value);
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
    cJSON_free(text);
  }
  return SC_OK;
}

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

static const struct sc_table_function platform_table = {
    .help = &platform_help,
    .declaration = "CREATE TABLE x(name, \"match\", mask, cloud, nodata, assets, note)",
    .risk = SQLITE_VTAB_INNOCUOUS,
    .cost = 30,
    .rows = 30,
    .cursor_bytes = sizeof(struct platform_cursor),
    .begin = begin_platform,
    .next = next_platform,
    .column = show_platform,
    .clear = clear_platform,
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
  int code = sc_register_table(c, &platform_table);
  if (code != SQLITE_OK) return code;
  sc_connection_help(c, &platform_set_help);
  sc_connection_help(c, &platform_drop_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
