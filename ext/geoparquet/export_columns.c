/* The columns of an export and the SELECT that reads them; see export.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "geoparquet/export.h"
#include "merge/source.h"
#include "stacchip.h"

static const struct sc_export_column columns[] = {
    {"chipid", SC_EXPORT_TEXT, 1, 1},
    {"platform", SC_EXPORT_TEXT, 1, 0},
    {"item", SC_EXPORT_TEXT, 1, 0},
    {"date", SC_EXPORT_DATE, 1, 0},
    {"chip_index_x", SC_EXPORT_POSITION, 1, 0},
    {"chip_index_y", SC_EXPORT_POSITION, 1, 0},
    {"cloud_cover_percentage", SC_EXPORT_FRACTION, 1, 0},
    {"nodata_percentage", SC_EXPORT_FRACTION, 1, 0},
    {"geometry", SC_EXPORT_GEOMETRY, 1, 1},
    {"datetime", SC_EXPORT_TEXT, 0, 0},
    {"row", SC_EXPORT_TEXT, 0, 1},
    {"collection", SC_EXPORT_TEXT, 0, 0},
    {"grid", SC_EXPORT_TEXT, 0, 0},
    {"col_off", SC_EXPORT_INTEGER, 0, 0},
    {"row_off", SC_EXPORT_INTEGER, 0, 0},
};
#define N_COLUMNS (sizeof columns / sizeof *columns)

const struct sc_export_column *sc_export_find_column(const char *name) {
  for (size_t i = 0; i < N_COLUMNS; i++) {
    if (sqlite3_stricmp(columns[i].name, name) == 0) return &columns[i];
  }
  return NULL;
}

sc_status sc_export_list_columns(struct sc_buffer *out, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < N_COLUMNS && !st; i++) {
    st = sc_buffer_printf(out, err, "%s%s", i ? ", " : "", columns[i].name);
  }
  return st;
}

/* Append SQL text made by SQLite's printf, which quotes names with %w. */
static sc_status append_sql(struct sc_buffer *out, char *text, struct sc_error *err) {
  if (!text) return sc_fail_nomem(err);
  sc_status st = sc_buffer_append_text(out, text, err);
  sqlite3_free(text);
  return st;
}

/* The columns of the table, as c0, c1 and so on, that meet the condition, in order. */
static sc_status build_rows(const char *schema, const char *table,
                            const struct sc_export_options *o, struct sc_buffer *sql,
                            struct sc_error *err) {
  sc_status st = sc_buffer_append_text(sql, "SELECT ", err);
  for (int i = 0; i < o->n_columns && !st; i++) {
    st = append_sql(
        sql,
        sqlite3_mprintf("%s\"%w\".\"%w\" AS c%d", i ? ", " : "", table, o->columns[i]->name, i),
        err);
  }
  if (!st && schema)
    st = append_sql(sql, sqlite3_mprintf(" FROM \"%w\".\"%w\"", schema, table), err);
  if (!st && !schema) st = append_sql(sql, sqlite3_mprintf(" FROM \"%w\"", table), err);
  /* The condition's line may end in a comment. */
  if (!st && o->where) st = append_sql(sql, sqlite3_mprintf(" WHERE (%s\n)", o->where), err);
  for (int i = 0; i < o->n_sort && !st; i++) {
    st = append_sql(sql,
                    sqlite3_mprintf("%s\"%w\".\"%w\"%s", i ? ", " : " ORDER BY ", table,
                                    o->sort_names[i], o->sort_descends[i] ? " DESC" : ""),
                    err);
  }
  return st;
}

/*
 * A column is written "table"."column": a bare "column" that does not exist would silently be
 * text. SQLite keeps the inner order for an aggregate that is not its own.
 */
static sc_status build_select(const char *schema, const char *table,
                              const struct sc_export_options *o, struct sc_buffer *sql,
                              struct sc_error *err) {
  sc_status st = sc_buffer_append_text(sql, "SELECT stacchip_export_row(?1", err);
  for (int i = 0; i < o->n_columns && !st; i++) st = sc_buffer_printf(sql, err, ", c%d", i);
  if (!st) st = sc_buffer_append_text(sql, ") FROM (", err);
  if (!st) st = build_rows(schema, table, o, sql, err);
  if (!st) st = sc_buffer_append_text(sql, ")", err);
  return st ? st : sc_buffer_terminate(sql, err);
}

static sc_status fail_where(struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG, "stacchip_export: option 'where' is not one condition");
}

/* Within parentheses "1) OR (1" would pass: the condition must stand by itself too. */
sc_status sc_export_check_where(sqlite3 *db, const char *schema, const char *table,
                                const char *where, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  const char *rest = NULL;
  char *sql = schema
                  ? sqlite3_mprintf("SELECT 1 FROM \"%w\".\"%w\" WHERE %s\n", schema, table, where)
                  : sqlite3_mprintf("SELECT 1 FROM \"%w\" WHERE %s\n", table, where);
  if (!sql) return sc_fail_nomem(err);
  int code = sqlite3_prepare_v2(db, sql, -1, &stmt, &rest);
  int is_one = code == SQLITE_OK && rest[strspn(rest, " \t\r\n")] == '\0';
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return is_one ? SC_OK : fail_where(err);
}

sc_status sc_export_prepare(sqlite3 *db, const char *schema, const char *table,
                            const struct sc_export_options *o, sqlite3_stmt **out,
                            struct sc_error *err) {
  struct sc_buffer sql = {0};
  const char *rest = NULL;
  *out = NULL;
  sc_status st = build_select(schema, table, o, &sql, err);
  if (!st && sqlite3_prepare_v2(db, (const char *)sql.data, -1, out, &rest) != SQLITE_OK) {
    st = sc_fail(err, SC_BAD_ARG, "stacchip_export: table '%s': %s", table, sqlite3_errmsg(db));
  }
  if (!st && (*rest || !sqlite3_stmt_readonly(*out))) {
    sqlite3_finalize(*out);
    *out = NULL;
    st = fail_where(err);
  }
  if (!st && o->where) st = sc_export_check_where(db, schema, table, o->where, err);
  sc_buffer_free(&sql);
  return st;
}

/* 1 where a table or view has exactly that name, in any schema. */
static int table_exists(sqlite3 *db, const char *table) {
  char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", table);
  sqlite3_stmt *stmt = NULL;
  int code = sql ? sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) : SQLITE_NOMEM;
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  return code == SQLITE_OK;
}

sc_status sc_export_split_name(sqlite3 *db, const char *name, char **schema, const char **table,
                               struct sc_error *err) {
  const char *dot = strchr(name, '.');
  *schema = NULL;
  *table = name;
  if (!dot || table_exists(db, name)) return SC_OK;
  *table = dot + 1;
  return sc_strndup(name, (size_t)(dot - name), schema, err);
}

/* How the tree was cut, so that a reader knows which columns its names are of. */
static sc_status put_partition(const struct sc_export_options *o, struct sc_buffer *out,
                               struct sc_error *err) {
  if (o->n_partition == 0) return SC_OK;
  sc_status st = sc_buffer_printf(out, err, ",\"partition_style\":\"%s\",\"partition_by\":[",
                                  o->is_hive ? "hive" : "directory");
  for (int i = 0; i < o->n_partition && !st; i++) {
    st = sc_buffer_printf(out, err, "%s\"%s\"", i ? "," : "", o->columns[o->partition[i]]->name);
  }
  return st ? st : sc_buffer_append_text(out, "]", err);
}

sc_status sc_export_metadata(sqlite3 *db, const char *schema, const char *table,
                             const struct sc_export_options *o, struct sc_buffer *out,
                             struct sc_error *err) {
  sc_status st = sc_buffer_printf(out, err, "{\"version\":\"%s\"", STACCHIP_VERSION);
  if (!st) st = sc_merge_source_put_rules(db, schema, table, out, err);
  if (!st) st = put_partition(o, out, err);
  if (!st) st = sc_buffer_append_text(out, "}", err);
  return st ? st : sc_buffer_terminate(out, err);
}
