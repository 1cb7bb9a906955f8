/*
 * sqlite3_stacchip_init(): gives a connection SpatiaLite's functions and ours, and does
 * nothing else. The GDAL half is opened later, by the first call that needs it.
 */
#include "stacchip.h"

#include <unistd.h>

#include "base/alloc.h"
#ifdef SQLITE_CORE
#include "base/sqlite.h"
#else
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#endif
#include "base/db.h"
#include "connection.h"
#include "host.h"
#include "stac/rules.h"

/* A line each. */
/* clang-format off */
static int (*const parts[])(struct sc_connection *) = {
    sc_index_register,
    sc_item_info_register,
    sc_platform_register,
    sc_items_register,
    sc_chip_register,
    sc_stack_register,
    sc_composite_register,
    sc_stats_register,
    sc_zonal_register,
    sc_sample_register,
    sc_batches_register,
    sc_mosaic_register,
    sc_freeze_register,
    sc_tile_register,
    sc_plot_register,
    sc_polygons_register,
    sc_hash_register,
    sc_split_register,
    sc_rasterize_register,
    sc_classes_register,
    sc_clay_register,
    sc_merge_register,
    sc_parquet_register,
    sc_compare_register,
    sc_config_register,
    sc_help_register,
};
/* clang-format on */

static int is_registered(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(db, "SELECT stacchip_version()", -1, &stmt, NULL);
  sqlite3_finalize(stmt);
  return code == SQLITE_OK;
}

static void free_rules(void *rules) { sc_rules_free(rules); }

static sc_status new_connection(sqlite3 *db, struct sc_connection **out, struct sc_error *err) {
  struct sc_connection *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return sc_fail_nomem(err);
  c->db = db;
  c->process_id = (long)getpid();
  c->n_references = 1;
  sc_status st = sc_rules_new(&c->rules, err);
  if (st) {
    sc_free(c);
    return st;
  }
  sc_connection_on_close(c, free_rules, c->rules);
  *out = c;
  return SC_OK;
}

/*
 * Have the schemas read again. Names that were not known when a schema was read were let pass in
 * its CHECKs, indexes and generated columns; once they are ours, that would be a way round
 * SQLITE_DIRECTONLY.
 */
static sc_status forget_schemas(sqlite3 *db, struct sc_error *err) {
  int was_writable = 0;
  sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, -1, &was_writable);
  sc_status st = sc_db_run(db, "PRAGMA writable_schema = RESET", NULL, NULL, err);
  if (was_writable) sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
  return st;
}

static sc_status register_all(sqlite3 *db, struct sc_error *err) {
  struct sc_connection *c = NULL;
  sc_status st = sc_host_spatialite(db, err);
  if (!st) st = new_connection(db, &c, err);
  for (size_t i = 0; i < sizeof parts / sizeof *parts && !st; i++) {
    if (parts[i](c) != SQLITE_OK) st = sc_db_fail(db, err, "registering stacchip");
  }
  if (c) sc_connection_unref(c);
  if (!st) st = forget_schemas(db, err);
  /* Asking for functions that are not there left an error behind, which sqlite3_open() would
   * take for its own under sqlite3_auto_extension(). */
  if (!st) st = sc_db_run(db, "SELECT 1", NULL, NULL, err);
  return st;
}

__attribute__((visibility("default"))) int sqlite3_stacchip_init(sqlite3 *db, char **message,
                                                                 const sqlite3_api_routines *api) {
  struct sc_error err = {0};
#ifndef SQLITE_CORE
  SQLITE_EXTENSION_INIT2(api);
#endif
  if (sc_host_is_inside() || is_registered(db)) return SQLITE_OK;
  sc_host_enter();
  sc_status st = sc_host_init(api, &err);
  if (!st) st = register_all(db, &err);
  sc_host_leave();
  if (st) {
    if (message) *message = sqlite3_mprintf("stacchip: %s", err.text);
    return sc_error_sqlite_code(&err);
  }
#ifdef SQLITE_CORE
  return SQLITE_OK;
#else
  return SQLITE_OK_LOAD_PERMANENTLY;
#endif
}

#ifndef SQLITE_CORE
/* The entry point that SQLite tries first: it does not depend on the name of the file, which may
 * be a symbolic link of any name. */
__attribute__((visibility("default"))) int sqlite3_extension_init(sqlite3 *db, char **message,
                                                                  const sqlite3_api_routines *api);
int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  return sqlite3_stacchip_init(db, message, api);
}
#endif
