/* Stored columns of tables of Parquet files; see import_columns.h. */
#include "geoparquet/import_columns.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "geoparquet/import.h"
#include "parquet/value.h"
#include "sql/geoparquet/columns_create.h"
#include "sql/geoparquet/columns_drop.h"
#include "sql/geoparquet/columns_insert.h"

#define STORED_MAX_BYTES (1 << 20)

/* --- describing --- */

/* Does an earlier leaf have that name? SQLite's names know no case. */
static int name_is_taken(const struct sc_pq_meta *meta, size_t leaf) {
  for (size_t i = 0; i < leaf; i++) {
    if (sqlite3_stricmp(meta->leaves[i].path, meta->leaves[leaf].path) == 0) return 1;
  }
  return 0;
}

sc_status sc_import_columns_describe(const struct sc_pq_meta *meta, struct sc_buffer *json,
                                     struct sc_error *err) {
  sc_status st = sc_buffer_append_text(json, "[", err);
  for (size_t i = 0; i < meta->n_leaves && !st; i++) {
    const struct sc_pq_leaf *leaf = &meta->leaves[i];
    char suffix[32] = "", *name = NULL;
    if (name_is_taken(meta, i)) snprintf(suffix, sizeof suffix, ":%zu", i + 1);
    st = sc_format(&name, err, "%s%s", leaf->path, suffix);
    if (!st) st = sc_buffer_append_text(json, i ? ",[" : "[", err);
    if (!st) st = sc_buffer_append_json(json, name, err);
    if (!st) {
      st = sc_buffer_printf(json, err, ",\"%s\"%s]", sc_pq_sql_type_name(leaf),
                            leaf->max_rep ? ",1" : "");
    }
    sc_free(name);
  }
  if (!st) st = sc_buffer_append_text(json, "]", err);
  return st ? st : sc_buffer_terminate(json, err);
}

/* --- declaring --- */

/* One of the types that describe() writes; BLOB for whatever else is stored. */
static const char *type_of(const cJSON *column) {
  static const char *const types[] = {"INTEGER", "REAL", "NUMERIC", "TEXT", "BLOB"};
  const cJSON *type = cJSON_GetArrayItem(column, 1);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (cJSON_IsString(type) && strcmp(type->valuestring, types[i]) == 0) return types[i];
  }
  return "BLOB";
}

/* SQL text by SQLite's printf, which knows %w. */
static sc_status append_sql(struct sc_buffer *out, char *text, struct sc_error *err) {
  if (!text) return sc_fail_nomem(err);
  sc_status st = sc_buffer_append_text(out, text, err);
  sqlite3_free(text);
  return st;
}

static sc_status make_declaration(const cJSON *columns, struct sc_buffer *sql, size_t *n,
                                  struct sc_error *err) {
  const cJSON *column;
  sc_status st = sc_buffer_append_text(sql, "CREATE TABLE x(", err);
  *n = 0;
  cJSON_ArrayForEach(column, columns) {
    const cJSON *name = cJSON_GetArrayItem(column, 0);
    if (!st && (!cJSON_IsString(name) || *n >= SC_IMPORT_MAX_COLUMNS)) {
      st = sc_fail(err, SC_BAD_DATA, "column %zu: no name, or beyond the limit", *n + 1);
    }
    if (st) return st;
    st =
        append_sql(sql,
                   sqlite3_mprintf("%s\"%w\" %s%s", *n ? ", " : "", name->valuestring,
                                   type_of(column), cJSON_GetArrayItem(column, 2) ? " HIDDEN" : ""),
                   err);
    ++*n;
  }
  if (!st) st = sc_buffer_append_text(sql, ")", err);
  return st ? st : sc_buffer_terminate(sql, err);
}

sc_status sc_import_columns_declare(sqlite3 *db, const char *json, size_t *n,
                                    struct sc_error *err) {
  struct sc_buffer sql = {0};
  cJSON *columns = cJSON_Parse(json);
  sc_status st = cJSON_IsArray(columns) && columns->child
                     ? make_declaration(columns, &sql, n, err)
                     : sc_fail(err, SC_BAD_DATA, "the stored columns are not a JSON array");
  if (!st && sqlite3_declare_vtab(db, (const char *)sql.data) != SQLITE_OK) {
    st = sc_db_fail(db, err, "stacchip_parquet");
  }
  cJSON_Delete(columns);
  sc_buffer_free(&sql);
  return st;
}

/* --- storing --- */

sc_status sc_import_columns_store(sqlite3 *db, const char *schema, const char *table,
                                  const struct sc_buffer *json, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_db_run(db, sql_geoparquet_columns_create, schema, table, err);
  if (!st) st = sc_db_prepare(db, sql_geoparquet_columns_insert, schema, table, &stmt, err);
  if (!st) {
    sqlite3_bind_blob64(stmt, 1, json->data, json->size, SQLITE_STATIC);
    st = sc_db_step_reset(stmt, err);
  }
  sqlite3_finalize(stmt);
  return st;
}

/*
 * By the BLOB interface, which opens ordinary tables only and runs nothing: what has the name may
 * be a view that somebody wrote, or a virtual table.
 */
sc_status sc_import_columns_load(sqlite3 *db, const char *schema, const char *table,
                                 struct sc_buffer *json, struct sc_error *err) {
  char *name = NULL;
  sqlite3_blob *blob = NULL;
  sc_status st = sc_format(&name, err, "%s_columns", table);
  if (!st && sqlite3_blob_open(db, schema, name, "columns", 1, 0, &blob) == SQLITE_OK) {
    int n = sqlite3_blob_bytes(blob);
    if (n > STORED_MAX_BYTES) n = 0;
    st = sc_buffer_resize(json, (size_t)n, err);
    if (!st && sqlite3_blob_read(blob, json->data, n, 0) != SQLITE_OK) json->size = 0;
  }
  if (blob) sqlite3_blob_close(blob);
  sc_free(name);
  return st ? st : sc_buffer_terminate(json, err);
}

sc_status sc_import_columns_drop(sqlite3 *db, const char *schema, const char *table,
                                 struct sc_error *err) {
  return sc_db_run(db, sql_geoparquet_columns_drop, schema, table, err);
}

/* --- whose doing is it? --- */

/* Behind white space and comments. */
static const char *skip_blank(const char *p) {
  for (;;) {
    size_t n = strspn(p, " \t\r\n\f");
    if (!n && p[0] == '-' && p[1] == '-') n = strcspn(p, "\n");
    if (!n && p[0] == '/' && p[1] == '*') {
      const char *end = strstr(p + 2, "*/");
      n = end ? (size_t)(end + 2 - p) : strlen(p);
    }
    if (!n) return p;
    p += n;
  }
}

static int creates_virtual_table(const char *sql) {
  static const char *const words[] = {"CREATE", "VIRTUAL", "TABLE"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t n = strlen(words[i]);
    sql = skip_blank(sql);
    if (sqlite3_strnicmp(sql, words[i], (int)n) != 0) return 0;
    sql += n;
  }
  return 1;
}

/*
 * SQLite calls one function for both, as the module is a table-valued function, too. A table that
 * is made is made by a statement which is running; one that is connected, while another is being
 * prepared.
 */
int sc_import_columns_are_new(sqlite3 *db) {
  for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
    const char *sql = sqlite3_sql(s);
    if (sql && sqlite3_stmt_busy(s) && creates_virtual_table(sql)) return 1;
  }
  return 0;
}
