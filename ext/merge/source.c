/* All of a merged index; see source.h. */
#include "merge/source.h"

#include "base/db.h"
#include "merge/statements.h"

static sc_status prepare(sqlite3 *db, enum sc_merge_statement which, const char *schema,
                         const char *table, sqlite3_stmt **out, struct sc_error *err) {
  return sc_db_prepare(db, sc_statement_text(which), schema ? schema : "main", table, out, err);
}

int sc_merge_is_index(sqlite3 *db, const char *schema, const char *table) {
  sqlite3_stmt *find = NULL;
  struct sc_error ignored = {0};
  if (prepare(db, SC_STMT_SOURCE_FIND, schema, table, &find, &ignored)) return 0;
  sqlite3_bind_text(find, 1, table, -1, SQLITE_STATIC);
  sqlite3_bind_int(find, 2, schema != NULL);
  int found = sqlite3_step(find) == SQLITE_ROW;
  sqlite3_finalize(find);
  return found;
}

sc_status sc_merge_source_chips(sqlite3 *db, const char *schema, const char *table,
                                sqlite3_stmt **out, struct sc_error *err) {
  return prepare(db, SC_STMT_SOURCE_CHIPS, schema, table, out, err);
}

sc_status sc_merge_source_items(sqlite3 *db, const char *schema, const char *table,
                                sqlite3_stmt **out, struct sc_error *err) {
  return prepare(db, SC_STMT_SOURCE_ITEM, schema, table, out, err);
}

sc_status sc_merge_source_item(sqlite3_stmt *items, int64_t id, struct sc_error *err) {
  int is_row;
  sqlite3_bind_int64(items, 1, id);
  sc_status st = sc_db_next(items, &is_row, err);
  if (st || is_row) return st;
  return sc_fail(err, SC_BAD_DATA, "item %lld of a chip is missing", (long long)id);
}

/* A JSON array of the rows of a one-column statement; JSON rows as they are. */
static sc_status put_array(sqlite3_stmt *stmt, const char *key, struct sc_buffer *out,
                           struct sc_error *err) {
  int is_row = 1;
  sc_status st = sc_buffer_printf(out, err, ",\"%s\":[", key);
  for (int n = 0; !st && !(st = sc_db_next(stmt, &is_row, err)) && is_row; n++) {
    const char *text = (const char *)sqlite3_column_text(stmt, 0);
    if (n) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_buffer_append_text(out, text ? text : "null", err);
  }
  return st ? st : sc_buffer_append_text(out, "]", err);
}

sc_status sc_merge_source_put_rules(sqlite3 *db, const char *schema, const char *table,
                                    struct sc_buffer *out, struct sc_error *err) {
  static const struct {
    enum sc_merge_statement statement;
    const char *key;
  } lists[] = {{SC_STMT_SOURCE_OPTIONS, "options"}, {SC_STMT_SOURCE_RULES, "rules"}};
  sc_status st = SC_OK;
  for (int i = 0; i < 2 && !st; i++) {
    sqlite3_stmt *stmt = NULL;
    struct sc_error not_there = {0};
    if (prepare(db, lists[i].statement, schema, table, &stmt, &not_there)) continue;
    st = put_array(stmt, lists[i].key, out, err);
    sqlite3_finalize(stmt);
  }
  return st;
}
