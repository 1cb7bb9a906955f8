/* The table that a running statement inserts into; see direct.h. */
#include "merge/direct.h"

#include "base/running.h"
#include "base/sql_token.h"

/* The name behind INTO, without its schema. */
static struct sc_sql_token target(const char *p) {
  struct sc_sql_token name = sc_sql_next(p), dot = sc_sql_next(name.next);
  return sc_sql_is(dot, ".") ? sc_sql_next(dot.next) : name;
}

int sc_direct_names(const char *sql, const char *table) {
  struct sc_sql_token last = {0}, before = last, earlier = last;
  int depth = 0;
  for (struct sc_sql_token t = sc_sql_next(sql); t.type != SC_SQL_END; t = sc_sql_next(t.next)) {
    depth += sc_sql_is(t, "(") - sc_sql_is(t, ")");
    /* INSERT INTO, REPLACE INTO, INSERT OR something INTO: also behind WITH and its parentheses */
    if (depth == 0 && sc_sql_is(t, "INTO") &&
        (sc_sql_is(last, "INSERT") || sc_sql_is(last, "REPLACE") ||
         (sc_sql_is(before, "OR") && sc_sql_is(earlier, "INSERT")))) {
      return sc_sql_spells(target(t.next), table);
    }
    earlier = before;
    before = last;
    last = t;
  }
  return 0;
}

int sc_direct_is_insert(sqlite3 *db, const char *table) {
  for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
    const char *sql = sqlite3_sql(s);
    if (sc_is_running(s) && sql && sc_direct_names(sql, table)) return 1;
  }
  return 0;
}
