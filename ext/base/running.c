/* Statements in the middle of a step; see running.h. */
#include "base/running.h"

#include <string.h>

#define PLAIN_MAX_BYTES 4096

int sc_is_running(sqlite3_stmt *stmt) {
  return sqlite3_stmt_busy(stmt) && sqlite3_data_count(stmt) == 0 && sqlite3_sql(stmt);
}

int sc_running_count(sqlite3 *db) {
  int n = 0;
  for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
    n += sc_is_running(s);
  }
  return n;
}

/* Does SQLite expand it to its own text, and quickly? */
static int is_plain(sqlite3_stmt *s) {
  const char *sql = sqlite3_sql(s);
  return sql && sqlite3_bind_parameter_count(s) == 0 &&
         strnlen(sql, PLAIN_MAX_BYTES) < PLAIN_MAX_BYTES;
}

/*
 * sqlite3_expanded_sql() writes "-- " before each line while a statement runs inside another one
 * (since 3.14; so do traces): a sign that is exact, where that of sc_is_running() is not. A SQLite
 * built without traces gives none.
 */
int sc_running_is_nested(sqlite3 *db) {
  sqlite3_stmt *own = NULL, *s = sqlite3_next_stmt(db, NULL);
  while (s && !is_plain(s)) s = sqlite3_next_stmt(db, s);
  if (!s && sqlite3_prepare_v2(db, "SELECT 1", -1, &own, NULL) == SQLITE_OK) s = own;
  char *expanded = s ? sqlite3_expanded_sql(s) : NULL;
  int nested = expanded ? strcmp(expanded, sqlite3_sql(s)) != 0 : sc_running_count(db) > 1;
  sqlite3_free(expanded);
  sqlite3_finalize(own);
  return nested;
}
