/* stacchip index DB SOURCE...: items into a merged index, commit per item, resumable. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "stac/href.h"

enum { OPT_TABLE, OPT_QUERY, OPT_OPTIONS, OPT_DRY_RUN, N_OPTIONS };

/* A STAC API search where a query is given, else whatever stacchip_items() takes. */
static sc_status source_query(const char *source, const char *query, char **out,
                              struct sc_error *err) {
  char *sql = query && sc_href_is_url(source)
                  ? sqlite3_mprintf("SELECT item_json FROM stacchip_search(%Q, %Q)", source, query)
                  : sqlite3_mprintf("SELECT item_json FROM stacchip_items(%Q)", source);
  sc_status st = sql ? sc_strdup(sql, out, err) : sc_fail_nomem(err);
  sqlite3_free(sql);
  return st;
}

/* The table, made where it is not there; options are its arguments. */
static sc_status ensure_table(sqlite3 *db, const char *table, const char *arguments,
                              struct sc_error *err) {
  char *sql = sqlite3_mprintf("CREATE VIRTUAL TABLE IF NOT EXISTS \"%w\" USING stacchip_merge(%s)",
                              table, arguments ? arguments : "");
  sc_status st = sql ? sc_cli_run(db, err, sql) : sc_fail_nomem(err);
  sqlite3_free(sql);
  return st;
}

static int number(const cJSON *json, const char *key) {
  const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, key);
  return cJSON_IsNumber(v) ? v->valueint : 0;
}

static sc_status merge_source(sqlite3 *db, const char *table, const char *source, const char *query,
                              int *failed, struct sc_error *err) {
  struct sc_buffer result = {0};
  char *items = NULL;
  int found;
  sc_status st = source_query(source, query, &items, err);
  if (!st)
    st = sc_cli_text(db, &result, &found, err, "SELECT stacchip_merge_items(?1, ?2)", table, items);
  if (!st && found) {
    cJSON *json = cJSON_Parse((char *)result.data);
    sc_cli_say("%s: %d merged, %d done before, %d failed", source, number(json, "merged"),
               number(json, "skipped"), number(json, "failed"));
    *failed += number(json, "failed");
    cJSON_Delete(json);
  }
  sc_buffer_free(&result);
  sc_free(items);
  return st;
}

static sc_status show_failures(sqlite3 *db, const char *table, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  char *sql = sqlite3_mprintf(
      "SELECT coalesce(item, '?'), reason FROM \"%w_error\" ORDER BY rowid DESC LIMIT 10", table);
  if (sql && sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
    while (sqlite3_step(stmt) == SQLITE_ROW) {
      sc_cli_say("  failed: %s: %s", (const char *)sqlite3_column_text(stmt, 0),
                 (const char *)sqlite3_column_text(stmt, 1));
    }
  }
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  (void)err;
  return SC_OK;
}

int sc_cmd_index(int argc, char **argv) {
  static const struct sc_cli_option options[N_OPTIONS] = {
      [OPT_TABLE] = {"--table", {NULL}, "NAME", "name of the merged index", 0, "chips"},
      [OPT_QUERY] = {"--query", {NULL}, "JSON", "search body: the sources are STAC APIs", 0, NULL},
      [OPT_OPTIONS] = {"--with",
                       {NULL},
                       "ARGUMENTS",
                       "of stacchip_merge, for a new table: 'chip_size=512, max_nodata=1'",
                       0,
                       NULL},
      [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "list the items", 0, NULL},
  };
  const char *v[N_OPTIONS], *rest[256];
  struct sc_error err = {0};
  sqlite3 *db = NULL;
  int n_rest, failed = 0;
  int code =
      sc_cli_options("index",
                     "Merge the items of folders, files, catalogues and searches into a database. "
                     "An item that is there is skipped; running it again goes on.",
                     "DB SOURCE...", options, N_OPTIONS, argc, argv, v, rest, 256, &n_rest);
  if (code >= 0) return code;
  if (n_rest < 2) {
    sc_cli_message("index needs a database and a source (see --help)");
    return SC_EXIT_USAGE;
  }
  sc_status st = sc_cli_open(v[OPT_DRY_RUN] ? ":memory:" : rest[0], &db, &err);
  if (!st) st = sc_cli_run(db, &err, "SELECT stacchip_config('progress', 1)");
  if (!st) st = ensure_table(db, v[OPT_TABLE], v[OPT_OPTIONS], &err);
  for (int i = 1; i < n_rest && !st; i++) {
    if (v[OPT_DRY_RUN]) {
      char *items = NULL, *sql = NULL;
      struct sc_buffer list = {0};
      int found;
      st = source_query(rest[i], v[OPT_QUERY], &items, &err);
      if (!st) {
        sql = sqlite3_mprintf(
            "SELECT group_concat(json_extract(item_json, '$.id'), char(10)) FROM (%s)", items);
        st = sc_cli_text(db, &list, &found, &err, sql);
      }
      if (!st && found) printf("%s\n", (char *)list.data);
      sqlite3_free(sql);
      sc_buffer_free(&list);
      sc_free(items);
    } else {
      st = merge_source(db, v[OPT_TABLE], rest[i], v[OPT_QUERY], &failed, &err);
    }
  }
  sc_cli_bar_end();
  if (st) sc_cli_message("%s", err.text);
  if (!st && failed) show_failures(db, v[OPT_TABLE], &err);
  sqlite3_close(db);
  return st ? sc_exit_code(&err) : failed ? SC_EXIT_FAILED : SC_EXIT_DONE;
}
