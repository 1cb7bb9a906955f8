/* Shadow tables and their registration; see schema.h. */
#include "merge/schema.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/db.h"
#include "merge/statements.h"

/* SpatiaLite's tables that name a geometry table; geometry_columns is the parent of the rest. */
static const char *const table_registries[] = {
    "geometry_columns_auth", "geometry_columns_statistics", "geometry_columns_time",
    "geometry_columns_field_infos", "geometry_columns"};
static const char *const view_registries[] = {
    "views_geometry_columns_auth", "views_geometry_columns_statistics",
    "views_geometry_columns_field_infos", "views_geometry_columns"};
#define N_REGISTRIES(list) (sizeof(list) / sizeof *(list))

/* Run one statement with up to two texts bound. */
static sc_status run_bound(sqlite3 *db, enum sc_merge_statement which, const char *schema,
                           const char *name, const char *a, const char *b, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_db_prepare(db, sc_statement_text(which), schema, name, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, a, -1, SQLITE_STATIC);
    if (b) sqlite3_bind_text(stmt, 2, b, -1, SQLITE_STATIC);
    st = sc_db_step_reset(stmt, err);
  }
  sqlite3_finalize(stmt);
  return st;
}

/* One of SpatiaLite's functions that answer 1 or 0 instead of an error. */
static sc_status call_spatialite(sqlite3 *db, enum sc_merge_statement which, struct sc_error *err) {
  const char *sql = sc_statement_text(which);
  sqlite3_stmt *stmt = NULL;
  int result = 0, is_row = 0;
  sc_status st = sc_db_prepare(db, sql, NULL, NULL, &stmt, err);
  if (!st) st = sc_db_next(stmt, &is_row, err);
  if (!st && is_row) result = sqlite3_column_int(stmt, 0);
  sqlite3_finalize(stmt);
  if (!st && result != 1) {
    const char *text = strstr(sql, "SELECT ");
    st = sc_fail(err, SC_DB, "SpatiaLite: %.*s() failed", (int)strcspn(text + 7, "("), text + 7);
  }
  return st;
}

static sc_status make_metadata(sqlite3 *db, const char *schema, struct sc_error *err) {
  sqlite3_int64 n = 0;
  sc_status st = sc_db_query_int(db, sc_statement_text(SC_STMT_HAS_SPATIAL_METADATA), schema, NULL,
                                 0, &n, err);
  if (!st && n == 0) st = call_spatialite(db, SC_STMT_INIT_SPATIAL_METADATA, err);
  if (!st) st = sc_db_query_int(db, sc_statement_text(SC_STMT_HAS_SRID), schema, NULL, 0, &n, err);
  if (!st && n == 0) st = call_spatialite(db, SC_STMT_INSERT_SRID, err);
  return st;
}

static sc_status check_name(const char *schema, const char *name, struct sc_error *err) {
  if (sqlite3_stricmp(schema, "main") != 0) {
    return sc_fail(
        err, SC_BAD_ARG,
        "a merged index can only be made in \"main\", not in \"%s\": SpatiaLite supports "
        "no other database of a connection",
        schema);
  }
  if (strpbrk(name, "'\"")) {
    return sc_fail(err, SC_BAD_ARG, "a merged index cannot have a quote in its name: %s", name);
  }
  return SC_OK;
}

static sc_status create_layer(sqlite3 *db, const char *schema, const char *name,
                              struct sc_error *err) {
  char *layer = NULL, *chip = NULL;
  sc_status st = sc_format(&layer, err, "%s_layer", name);
  if (!st) st = sc_format(&chip, err, "%s_chip", name);
  if (!st) st = sc_db_run(db, sc_statement_text(SC_STMT_CREATE_LAYER), schema, name, err);
  if (!st) st = run_bound(db, SC_STMT_REGISTER_LAYER, schema, NULL, layer, chip, err);
  sc_free(layer);
  sc_free(chip);
  return st;
}

/* The geometry is registered by SQL and not by SpatiaLite's RecoverGeometryColumn(): that makes
 * triggers which have no use here, as only we write the table and keep its index, and (5.0) it
 * does not end when memory runs out. */
sc_status sc_merge_schema_create(sqlite3 *db, const char *schema, const char *name,
                                 struct sc_error *err) {
  sc_status st = check_name(schema, name, err);
  if (!st) st = make_metadata(db, schema, err);
  if (!st) st = sc_db_run(db, sc_statement_text(SC_STMT_CREATE), schema, name, err);
  if (!st) st = sc_db_run(db, sc_statement_text(SC_STMT_REGISTER_CHIP), schema, name, err);
  if (!st) st = create_layer(db, schema, name, err);
  return st;
}

static sc_status read_version(sqlite3 *db, const char *schema, const char *name, int64_t *out,
                              struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  *out = 0;
  sc_status st = sc_db_prepare(db, sc_statement_text(SC_STMT_CONFIG_GET), schema, name, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, "version", -1, SQLITE_STATIC);
    st = sc_db_next(stmt, &is_row, err);
  }
  if (!st && is_row) *out = sqlite3_column_int64(stmt, 0);
  sqlite3_finalize(stmt);
  if (st) return sc_fail_within(err, "merged index %s", name);
  if (*out >= 1) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "merged index %s: its schema has no version", name);
}

/* Our own statements read these tables, with rights that a view does not have: a view or another
 * module's table in the place of one would be opened by them. */
static sc_status check_tables(sqlite3 *db, const char *schema, const char *name,
                              struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  sc_status st = sc_db_prepare(db, sc_statement_text(SC_STMT_STRANGE), schema, name, &stmt, err);
  if (!st) sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
  if (!st) st = sc_db_next(stmt, &is_row, err);
  if (!st && is_row) {
    st = sc_fail(err, SC_BAD_DATA, "merged index %s: table %s was not made by stacchip", name,
                 (const char *)sqlite3_column_text(stmt, 0));
  }
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_merge_schema_check(sqlite3 *db, const char *schema, const char *name,
                                struct sc_error *err) {
  int64_t version = 0;
  sc_status st = check_tables(db, schema, name, err);
  if (!st) st = read_version(db, schema, name, &version, err);
  if (st || version <= SC_MERGE_SCHEMA_VERSION) return st;
  return sc_fail(err, SC_UNSUPPORTED,
                 "merged index %s has schema version %lld, this stacchip knows up to %d: use a "
                 "newer stacchip",
                 name, (long long)version, SC_MERGE_SCHEMA_VERSION);
}

sc_status sc_merge_schema_migrate(sqlite3 *db, const char *schema, const char *name,
                                  struct sc_error *err) {
  static const enum sc_merge_statement steps[SC_MERGE_SCHEMA_VERSION] = {
      [1] = SC_STMT_MIGRATE_1, [2] = SC_STMT_MIGRATE_2};
  int64_t version;
  sc_status st = read_version(db, schema, name, &version, err);
  for (; !st && version < SC_MERGE_SCHEMA_VERSION; version++) {
    st = sc_db_run(db, sc_statement_text(steps[version]), schema, name, err);
  }
  return st;
}

static sc_status unregister(sqlite3 *db, const char *schema, const char *name,
                            struct sc_error *err) {
  char *layer = NULL, *chip = NULL;
  sqlite3_int64 has_metadata = 0;
  sc_status st = sc_format(&layer, err, "%s_layer", name);
  if (!st) st = sc_format(&chip, err, "%s_chip", name);
  if (!st) {
    st = sc_db_query_int(db, sc_statement_text(SC_STMT_HAS_SPATIAL_METADATA), schema, NULL, 0,
                         &has_metadata, err);
  }
  for (size_t i = 0; i < N_REGISTRIES(view_registries) && has_metadata && !st; i++) {
    st = run_bound(db, SC_STMT_UNREGISTER_VIEW, schema, view_registries[i], layer, NULL, err);
  }
  for (size_t i = 0; i < N_REGISTRIES(table_registries) && has_metadata && !st; i++) {
    st = run_bound(db, SC_STMT_UNREGISTER, schema, table_registries[i], chip, NULL, err);
  }
  sc_free(layer);
  sc_free(chip);
  return st;
}

/* The new parent first, then its children, then the old parent goes: also with foreign keys. */
static sc_status move_registration(sqlite3 *db, const char *schema, const char *name,
                                   const char *new_name, struct sc_error *err) {
  char *from = NULL, *to = NULL;
  sc_status st = sc_format(&from, err, "%s_chip", name);
  if (!st) st = sc_format(&to, err, "%s_chip", new_name);
  if (!st) st = run_bound(db, SC_STMT_COPY_REGISTRATION, schema, NULL, from, to, err);
  for (size_t i = 0; i + 1 < N_REGISTRIES(table_registries) && !st; i++) {
    st = run_bound(db, SC_STMT_MOVE_REGISTRATION, schema, table_registries[i], from, to, err);
  }
  sc_free(from);
  sc_free(to);
  return st;
}

/* The statement "rename" with the new name put in. */
static sc_status rename_tables(sqlite3 *db, const char *schema, const char *name,
                               const char *new_name, struct sc_error *err) {
  struct sc_buffer sql = {0};
  sc_status st = SC_OK;
  const char *p = sc_statement_text(SC_STMT_RENAME);
  for (const char *hit; !st && (hit = strstr(p, "{to}")) != NULL; p = hit + 4) {
    st = sc_buffer_append(&sql, p, (size_t)(hit - p), err);
    if (!st) st = sc_buffer_append_text(&sql, new_name, err);
  }
  if (!st) st = sc_buffer_append_text(&sql, p, err);
  if (!st) st = sc_buffer_terminate(&sql, err);
  if (!st) st = sc_db_run(db, (char *)sql.data, schema, name, err);
  sc_buffer_free(&sql);
  return st;
}

sc_status sc_merge_schema_rename(sqlite3 *db, const char *schema, const char *name,
                                 const char *new_name, struct sc_error *err) {
  sc_status st = check_name(schema, new_name, err);
  if (!st) st = sc_db_run(db, sc_statement_text(SC_STMT_DROP_LAYER), schema, name, err);
  if (!st) st = rename_tables(db, schema, name, new_name, err);
  if (!st) st = move_registration(db, schema, name, new_name, err);
  if (!st) st = unregister(db, schema, name, err);
  if (!st) st = create_layer(db, schema, new_name, err);
  return st;
}

sc_status sc_merge_schema_drop(sqlite3 *db, const char *schema, const char *name,
                               struct sc_error *err) {
  sc_status st = unregister(db, schema, name, err);
  if (!st) st = sc_db_run(db, sc_statement_text(SC_STMT_DROP_LAYER), schema, name, err);
  if (!st) st = sc_db_run(db, sc_statement_text(SC_STMT_DROP), schema, name, err);
  return st;
}

int sc_merge_schema_is_shadow(const char *suffix) {
  static const char *const names[] = {"config", "item", "chip", "block", "area", "asset", "error"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (sqlite3_stricmp(suffix, names[i]) == 0) return 1;
  }
  return 0;
}
