/* Calls in the ON of a LEFT JOIN; see outer_on.h. */
#include "base/outer_on.h"

#include <ctype.h>
#include <string.h>

enum token_type { END = 0, WORD, STRING, OTHER };

/* Words and strings come without their quotes; OTHER is a number or one character. */
struct token {
  enum token_type type;
  const char *text;
  size_t n;
  const char *next; /* behind it */
};

struct search {
  const char *table;
  int (*is_predicate)(const char *, size_t);
};

/* The table on the right of a join: its name, and what columns call it. */
struct right_side {
  struct token name, alias;
};

static int is_word_char(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

static const char *skip_blanks(const char *p) {
  for (;;) {
    const char *end = NULL;
    if (isspace((unsigned char)*p)) {
      p++;
      continue;
    }
    if (p[0] == '-' && p[1] == '-') end = strchr(p, '\n');
    if (p[0] == '/' && p[1] == '*') end = strstr(p + 2, "*/");
    if (end) {
      p = end + (*end == '*' ? 2 : 1);
    } else if ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '*')) {
      return p + strlen(p);
    } else {
      return p;
    }
  }
}

static struct token quoted_token(const char *p) {
  char end = *p == '[' ? ']' : *p;
  const char *q = strchr(p + 1, end);
  while (q && end != ']' && q[1] == end) q = strchr(q + 2, end);
  if (!q) q = p + strlen(p) - 1;
  struct token t = {*p == '\'' ? STRING : WORD, p + 1, (size_t)(q - p) - (q > p), q + 1};
  return t;
}

static struct token next_token(const char *p) {
  p = skip_blanks(p);
  struct token t = {*p ? OTHER : END, p, *p != '\0', p + (*p != '\0')};
  if (*p == '\'' || *p == '"' || *p == '`' || *p == '[') return quoted_token(p);
  if (!is_word_char(*p)) return t;
  while (is_word_char(p[t.n])) t.n++;
  t.type = isdigit((unsigned char)*p) ? OTHER : WORD;
  t.next = p + t.n;
  return t;
}

static int is(struct token t, const char *word) {
  return t.n == strlen(word) && t.type != END && t.type != STRING &&
         sqlite3_strnicmp(t.text, word, (int)t.n) == 0;
}

static int is_same(struct token a, struct token b) {
  return a.type == WORD && b.type == WORD && a.n == b.n &&
         sqlite3_strnicmp(a.text, b.text, (int)a.n) == 0;
}

static int is_one_of(struct token t, const char *const *words) {
  while (*words && !is(t, *words)) words++;
  return *words != NULL;
}

/* Behind the parenthesis that closes the one before p. */
static const char *skip_parentheses(const char *p) {
  int depth = 1;
  struct token t = next_token(p);
  for (; t.type != END && depth; t = next_token(t.next)) {
    depth += is(t, "(") - is(t, ")");
    p = t.next;
  }
  return p;
}

static const char *read_right_side(const char *p, struct right_side *out) {
  struct token t = next_token(p);
  memset(out, 0, sizeof *out);
  if (t.type == WORD) {
    out->name = t;
    t = next_token(t.next);
    if (is(t, ".")) {
      out->name = next_token(t.next);
      t = next_token(out->name.next);
    }
  }
  if (is(t, "(")) t = next_token(skip_parentheses(t.next));
  out->alias = out->name;
  if (is(t, "AS")) t = next_token(t.next);
  if (t.type != WORD || is(t, "ON") || is(t, "USING")) return t.text;
  out->alias = t;
  return t.next;
}

/* A call that SQLite takes for a constraint, whose arguments are not of the right side? */
static int is_foreign_call(const struct search *s, const struct right_side *right,
                           const char *arguments) {
  static const char *const compared[] = {"=",  "<",   ">",       "!",  "IS",
                                         "IN", "NOT", "BETWEEN", "OR", NULL};
  const char *end = skip_parentheses(arguments);
  if (is_one_of(next_token(end), compared)) return 0;
  struct token first = next_token(arguments), dot = next_token(first.next);
  int names_ours = right->name.n == strlen(s->table) && is(right->name, s->table);
  if (!is(dot, ".") && names_ours) return 0;
  for (struct token t = first; t.type != END && t.text < end; t = dot) {
    dot = next_token(t.next);
    if (is_same(t, right->alias) && is(dot, ".")) return 0;
  }
  return 1;
}

static int search_on(const struct search *s, const struct right_side *right, const char *p) {
  static const char *const ends[] = {"JOIN",  "LEFT",  "RIGHT",  "FULL",  "INNER",     "CROSS",
                                     "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT",     "NATURAL",
                                     "UNION", ",",     "EXCEPT", ";",     "INTERSECT", NULL};
  static const char *const before[] = {"=", "<", ">", "NOT", "OR", "IS", NULL};
  int depth = 0, is_compared = 0;
  for (struct token t = next_token(p); t.type != END; t = next_token(t.next)) {
    if (depth == 0 && is_one_of(t, ends)) return 0;
    if (is(t, "(")) depth++;
    if (is(t, ")") && depth-- == 0) return 0;
    struct token open = next_token(t.next);
    if (t.type == WORD && is(open, "(") && !is_compared && s->is_predicate(t.text, t.n) &&
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
  for (struct token t = next_token(sql); t.type != END; t = next_token(t.next)) {
    struct right_side right;
    if (is(t, "JOIN") && is_left) {
      struct token on = next_token(read_right_side(t.next, &right));
      if (is(on, "ON") && search_on(&s, &right, on.next)) return 1;
    }
    is_left = is(t, "LEFT") || (is_left && is(t, "OUTER"));
  }
  return 0;
}

static int names(const char *sql, const char *table) {
  for (struct token t = next_token(sql); t.type != END; t = next_token(t.next)) {
    if (t.type == WORD && is(t, table)) return 1;
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
