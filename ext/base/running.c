/* Statements in the middle of a step; see running.h. */
#include "base/running.h"

#include <stddef.h>

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
