/*
 * The columns of a table that was made of a Parquet file: stored beside it when it is made, as JSON
 * [["name","TEXT"], ["list","TEXT",1], ...], 1 for a hidden one. A schema is input: connecting to a
 * table that somebody else declared must neither open a file nor fetch a URL.
 */
#ifndef SC_GEOPARQUET_IMPORT_COLUMNS_H
#define SC_GEOPARQUET_IMPORT_COLUMNS_H

#include "base/buffer.h"
#include "base/sqlite.h"
#include "base/status.h"
#include "parquet/meta.h"

/* Append the columns of a file, each with a name of its own, and a zero byte. */
sc_status sc_import_columns_describe(const struct sc_pq_meta *meta, struct sc_buffer *json,
                                     struct sc_error *err);

/* Declare them as a virtual table's; SC_BAD_DATA for JSON that describes none. */
sc_status sc_import_columns_declare(sqlite3 *db, const char *json, size_t *n, struct sc_error *err);

sc_status sc_import_columns_store(sqlite3 *db, const char *schema, const char *table,
                                  const struct sc_buffer *json, struct sc_error *err);
/* Append what is stored, and a zero byte; nothing where nothing is. Runs no SQL of the schema's. */
sc_status sc_import_columns_load(sqlite3 *db, const char *schema, const char *table,
                                 struct sc_buffer *json, struct sc_error *err);
sc_status sc_import_columns_drop(sqlite3 *db, const char *schema, const char *table,
                                 struct sc_error *err);

/* Is CREATE VIRTUAL TABLE being run by the application (and no table of the schema connected)? */
int sc_import_columns_are_new(sqlite3 *db);

#endif
