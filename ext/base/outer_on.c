/* Calls in the ON of a LEFT JOIN; see outer_on.h. */
#include "base/outer_on.h"

#include <string.h>

#include "base/sql_token.h"

struct search {
  const char *table;
  int (*is_predicate)(const char *, size_t);
};

/* The table on the right of a join: its name, and what columns call it. */
struct right_side {
  struct sc_sql_token name, alias;
};

static int is_same(struct sc_sql_token a, struct sc_sql_token b) {
  return sc_sql_is_name(a) && sc_sql_is_name(b) && a.n == b.n &&
         sqlite3_strnicmp(a.text, b.text, (int)a.n) == 0;
}

static int is_one_of(struct sc_sql_token t, const char *const *words) {
  while (*words && !sc_sql_is(t, *words)) words++;
  return *words != NULL;
}

/* Behind the parenthesis that closes the one before p. */
static const char *skip_parentheses(const char *p) {
  int depth = 1;
  struct sc_sql_token t = sc_sql_next(p);
  for (; t.type != SC_SQL_END && depth; t = sc_sql_next(t.next)) {
    depth += sc_sql_is(t, "(") - sc_sql_is(t, ")");
    p = t.next;
  }
  return p;
}

static const char *read_right_side(const char *p, struct right_side *out) {
  struct sc_sql_token t = sc_sql_next(p);
  memset(out, 0, sizeof *out);
  if (sc_sql_is_name(t)) {
    out->name = t;
    t = sc_sql_next(t.next);
    if (sc_sql_is(t, ".")) {
      out->name = sc_sql_next(t.next);
      t = sc_sql_next(out->name.next);
    }
  }
  if (sc_sql_is(t, "(")) t = sc_sql_next(skip_parentheses(t.next));
  out->alias = out->name;
  if (sc_sql_is(t, "AS")) t = sc_sql_next(t.next);
  if (!sc_sql_is_name(t) || sc_sql_is(t, "ON") || sc_sql_is(t, "USING")) return t.text;
  out->alias = t;
  return t.next;
}

/* A call that SQLite takes for a constraint, whose arguments are not of the right side? */
static int is_foreign_call(const struct search *s, const struct right_side *right,
                           const char *arguments) {
  static const char *const compared[] = {"=",  "<",   ">",       "!",  "IS",
                                         "IN", "NOT", "BETWEEN", "OR", NULL};
  const char *end = skip_parentheses(arguments);
  if (is_one_of(sc_sql_next(end), compared)) return 0;
  struct sc_sql_token first = sc_sql_next(arguments), dot = sc_sql_next(first.next);
  int names_ours = sc_sql_spells(right->name, s->table);
  if (!sc_sql_is(dot, ".") && names_ours) return 0;
  for (struct sc_sql_token t = first; t.type != SC_SQL_END && t.text < end; t = dot) {
    dot = sc_sql_next(t.next);
    if (is_same(t, right->alias) && sc_sql_is(dot, ".")) return 0;
  }
  return 1;
}

static int search_on(const struct search *s, const struct right_side *right, const char *p) {
  static const char *const ends[] = {"JOIN",  "LEFT",  "RIGHT",  "FULL",  "INNER",     "CROSS",
                                     "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT",     "NATURAL",
                                     "UNION", ",",     "EXCEPT", ";",     "INTERSECT", NULL};
  static const char *const before[] = {"=", "<", ">", "NOT", "OR", "IS", NULL};
  int depth = 0, is_compared = 0;
  for (struct sc_sql_token t = sc_sql_next(p); t.type != SC_SQL_END; t = sc_sql_next(t.next)) {
    if (depth == 0 && is_one_of(t, ends)) return 0;
    if (sc_sql_is(t, "(")) depth++;
    if (sc_sql_is(t, ")") && depth-- == 0) return 0;
    struct sc_sql_token open = sc_sql_next(t.next);
    if (sc_sql_is_name(t) && sc_sql_is(open, "(") && !is_compared && s->is_predicate(t.text, t.n) &&
        is_foreign_call(s, right, open.next)) {
      return 1;
    }
    is_compared = is_one_of(t, before);
  }
  return 0;
}

int sc_outer_on_find(const char *sql, const char *table,
                     int (*is_predicate)(const char *, size_t)) {
  const struct search s = {table, is_predicate};
  int is_left = 0;
  for (struct sc_sql_token t = sc_sql_next(sql); t.type != SC_SQL_END; t = sc_sql_next(t.next)) {
    struct right_side right;
    if (sc_sql_is(t, "JOIN") && is_left) {
      struct sc_sql_token on = sc_sql_next(read_right_side(t.next, &right));
      if (sc_sql_is(on, "ON") && search_on(&s, &right, on.next)) return 1;
    }
    is_left = sc_sql_is(t, "LEFT") || (is_left && sc_sql_is(t, "OUTER"));
  }
  return 0;
}

static int names(const char *sql, const char *table) {
  for (struct sc_sql_token t = sc_sql_next(sql); t.type != SC_SQL_END; t = sc_sql_next(t.next)) {
    if (sc_sql_is_name(t) && sc_sql_spells(t, table)) return 1;
  }
  return 0;
}

static int search_schema(sqlite3 *db, const char *table,
                         int (*is_predicate)(const char *, size_t)) {
  static const char *const texts[] = {
      "SELECT sql FROM sqlite_schema WHERE type IN ('view', 'trigger')",
      "SELECT sql FROM temp.sqlite_schema WHERE type IN ('view', 'trigger')"};
  int found = 0;
  for (int i = 0; i < 2 && !found; i++) {
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, texts[i], -1, &s, NULL) != SQLITE_OK) continue;
    while (!found && sqlite3_step(s) == SQLITE_ROW) {
      const char *sql = (const char *)sqlite3_column_text(s, 0);
      found = sql && names(sql, table) && sc_outer_on_find(sql, table, is_predicate);
    }
    sqlite3_finalize(s);
  }
  return found;
}

int sc_outer_on_is_running(sqlite3 *db, const char *table,
                           int (*is_predicate)(const char *, size_t)) {
  int is_named = 0;
  for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
    const char *sql = sqlite3_stmt_busy(s) ? sqlite3_sql(s) : NULL;
    if (!sql) continue;
    if (sc_outer_on_find(sql, table, is_predicate)) return 1;
    is_named |= names(sql, table);
  }
  return is_named ? 0 : search_schema(db, table, is_predicate);
}
