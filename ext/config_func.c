/* stacchip_version(), stacchip_debug() and stacchip_config(name [, value]). */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/db.h"
#include "base/settings.h"
#include "connection.h"
#include "host.h"
#include "raster/raster_api.h"
#include "stacchip.h"
#include "store/disk_cache.h"
#include "store/href.h"

static void version_func(sqlite3_context *context, int n, sqlite3_value **values) {
  (void)n, (void)values;
  sqlite3_result_text(context, STACCHIP_VERSION, -1, SQLITE_STATIC);
}

/* One cell of a query on the connection, appended as a JSON value. */
static sc_status append_query(sqlite3 *db, const char *sql, struct sc_buffer *out,
                              struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_db_prepare(db, sql, NULL, NULL, &stmt, err);
  int is_row = 0;
  if (!st) st = sc_db_next(stmt, &is_row, err);
  if (!st && is_row) {
    st = sc_buffer_append_json(out, (const char *)sqlite3_column_text(stmt, 0), err);
  } else if (!st) {
    st = sc_buffer_append_text(out, "null", err);
  }
  sqlite3_finalize(stmt);
  return st;
}

/* What the process keeps, in bytes, and how often it was there. */
static sc_status append_kept(const struct sc_raster_api *raster, struct sc_buffer *b,
                             struct sc_error *err) {
  struct sc_kept k;
  raster->kept(&k);
  return sc_buffer_printf(
      b, err,
      ",\"memory\":{\"cache_bytes\":%lld,\"blocks\":%lld,\"block_bytes\":%lld,"
      "\"held_bytes\":%lld,\"idle_bytes\":%lld,\"in_use_bytes\":%lld,\"block_hits\":%lld,"
      "\"block_misses\":%lld,\"reused\":%lld,\"fresh\":%lld},"
      "\"disk_cache\":{\"hits\":%lld,\"misses\":%lld,\"hit_bytes\":%lld}",
      (long long)sc_settings_int("cache_bytes"), (long long)k.n_blocks, (long long)k.block_bytes,
      (long long)k.held_bytes, (long long)k.idle_bytes, (long long)k.in_use_bytes,
      (long long)k.n_block_hits, (long long)k.n_block_misses, (long long)k.n_memory_reused,
      (long long)k.n_memory_fresh, (long long)k.n_disk_hits, (long long)k.n_disk_misses,
      (long long)k.disk_hit_bytes);
}

static sc_status append_debug(sqlite3 *db, struct sc_buffer *b, struct sc_error *err) {
  struct sc_error missing = {0};
  const struct sc_raster_api *raster = sc_raster(&missing);
  sc_status st = sc_buffer_printf(b, err, "{\"stacchip\":\"%s\",\"sqlite\":\"%s\",\"sqlite_file\":",
                                  STACCHIP_VERSION, sqlite3_libversion());
  if (!st) st = sc_buffer_append_json(b, sc_host_sqlite_path(), err);
  if (!st) st = sc_buffer_printf(b, err, ",\"deepbind\":%d,\"spatialite\":", sc_host_deepbind());
  if (!st) st = append_query(db, "SELECT spatialite_version()", b, err);
  if (!st && raster) {
    st = sc_buffer_printf(b, err, ",\"raster\":%s", raster->versions());
    if (!st) st = append_kept(raster, b, err);
  } else if (!st) {
    st = sc_buffer_append_text(b, ",\"raster\":null,\"raster_error\":", err);
    if (!st) st = sc_buffer_append_json(b, missing.text, err);
  }
  if (!st) {
    st = sc_buffer_printf(b, err, ",\"compiler\":\"%s\",\"threadsafe\":%d}", __VERSION__,
                          sqlite3_threadsafe());
  }
  return st;
}

static void debug_func(sqlite3_context *context, int n, sqlite3_value **values) {
  (void)n, (void)values;
  struct sc_error err = {0};
  struct sc_buffer b = {0};
  if (sc_connection_check_direct(sqlite3_user_data(context), &err) ||
      append_debug(sqlite3_context_db_handle(context), &b, &err)) {
    sc_result_error(context, &err);
    sc_buffer_free(&b);
    return;
  }
  sqlite3_result_text64(context, (char *)b.data, b.size, sqlite3_free, SQLITE_UTF8);
}

/* A folder that SQL names is one that may be written to, and that can be: here somebody hears what
 * is wrong. */
static sc_status check_disk_cache(const char *value, struct sc_error *err) {
  struct sc_disk_setting s = {0};
  sc_status st = sc_disk_setting_parse(value, &s, err);
  if (!st && s.path) st = sc_href_check(s.path, err);
  if (!st) st = sc_disk_cache_check(value, err);
  sc_free(s.path);
  return st ? sc_fail_within(err, "stacchip_config: setting 'disk_cache'") : SC_OK;
}

static sc_status set(const char *name, const char *value, struct sc_error *err) {
  sc_status st = name && strcmp(name, "disk_cache") == 0 ? check_disk_cache(value, err) : SC_OK;
  return st ? st : sc_settings_set(name, value, err);
}

static void config_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  struct sc_buffer b = {0};
  const char *name = (const char *)sqlite3_value_text(values[0]);
  sc_status st = sc_connection_check_direct(sqlite3_user_data(context), &err);
  if (!st && n == 2) st = set(name, (const char *)sqlite3_value_text(values[1]), &err);
  if (!st) st = sc_settings_get(name, &b, &err);
  if (!st) st = sc_buffer_terminate(&b, &err);
  if (st) {
    sc_result_error(context, &err);
    sc_buffer_free(&b);
    return;
  }
  sqlite3_result_text64(context, (char *)b.data, b.size, sqlite3_free, SQLITE_UTF8);
}

static const struct sc_help config_help = {
    .name = "stacchip_config",
    .kind = SC_HELP_SCALAR,
    .about = "a setting of the process, for all its connections; with a value it is changed",
    .arguments =
        (const struct sc_help_name[]){{"name", "TEXT", NULL, "a setting"},
                                      {"value", "TEXT or INTEGER", "as it is", "what it becomes"},
                                      {0}},
    .options = {{"setting", "", &sc_settings_table}},
    .example = "SELECT stacchip_config('threads', 2)",
};

static const struct sc_help version_help = {
    .name = "stacchip_version",
    .kind = SC_HELP_SCALAR,
    .about = "the version of stacchip",
    .example = "SELECT stacchip_version()",
};

static const struct sc_help debug_help = {
    .name = "stacchip_debug",
    .kind = SC_HELP_SCALAR,
    .about = "JSON: versions of everything inside, and what the process keeps",
    .example = "SELECT stacchip_debug() ->> '$.sqlite'",
};

int sc_config_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_version", 0, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, version_func, 0, 0},
      {"stacchip_debug", 0, SQLITE_DIRECTONLY, debug_func, 0, 0},
      {"stacchip_config", 1, SQLITE_DIRECTONLY, config_func, 0, 0},
      {"stacchip_config", 2, SQLITE_DIRECTONLY, config_func, 0, 0},
  };
  sc_connection_help(c, &config_help);
  sc_connection_help(c, &version_help);
  sc_connection_help(c, &debug_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
