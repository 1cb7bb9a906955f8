/*
 * The tables behind a merged index and their registration with SpatiaLite: create, check,
 * rename, drop. Everything is ordinary SpatiaLite in `main`; nothing needs us to be read.
 */
#ifndef SC_MERGE_SCHEMA_H
#define SC_MERGE_SCHEMA_H

#include "base/sqlite.h"
#include "base/status.h"

#define SC_MERGE_SCHEMA_VERSION 3

/* Create the tables of merged index `name`, with SpatiaLite's metadata if it is missing. */
sc_status sc_merge_schema_create(sqlite3 *db, const char *schema, const char *name,
                                 struct sc_error *err);

/* Is this a version we can read? Newer ones are SC_UNSUPPORTED; older ones are read as they are. */
sc_status sc_merge_schema_check(sqlite3 *db, const char *schema, const char *name,
                                struct sc_error *err);

/* Bring an older version forward, step by step, within the transaction that is open. */
sc_status sc_merge_schema_migrate(sqlite3 *db, const char *schema, const char *name,
                                  struct sc_error *err);

sc_status sc_merge_schema_rename(sqlite3 *db, const char *schema, const char *name,
                                 const char *new_name, struct sc_error *err);

/* Drop the tables that are there, and every registration. */
sc_status sc_merge_schema_drop(sqlite3 *db, const char *schema, const char *name,
                               struct sc_error *err);

/* xShadowName: true for the part of a shadow table's name after "<name>_". */
int sc_merge_schema_is_shadow(const char *suffix);

#endif
