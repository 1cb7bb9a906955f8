/* The table that a running statement inserts into; see direct.h. */
#include "merge/direct.h"

#include <ctype.h>
#include <string.h>

/* A word, a quoted name with its quotes, or one other character; n is 0 at the end. */
struct token {
  const char *text;
  size_t n;
};

/* Blanks and comments (sqlite.org/lang_comment.html) taken away. */
static const char *skip_blanks(const char *p) {
  for (;;) {
    if (isspace((unsigned char)*p)) {
      p++;
    } else if (p[0] == '-' && p[1] == '-') {
      p += strcspn(p, "\n");
    } else if (p[0] == '/' && p[1] == '*') {
      const char *end = strstr(p + 2, "*/");
      p = end ? end + 2 : p + strlen(p);
    } else {
      return p;
    }
  }
}

static int is_word(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 128;
}

static char closing(char quote) { return quote == '[' ? ']' : quote; }

static struct token next(const char **from) {
  const char *start = skip_blanks(*from), *p = start;
  if (*p && strchr("\"'`[", *p)) {
    char end = closing(*p++);
    while (*p && (*p != end || (end != ']' && p[1] == end))) p += *p == end ? 2 : 1;
    if (*p) p++;
  } else if (is_word(*p)) {
    while (is_word(*p)) p++;
  } else if (*p) {
    p++;
  }
  *from = p;
  return (struct token){start, (size_t)(p - start)};
}

static int is_keyword(struct token t, const char *word) {
  return t.n == strlen(word) && sqlite3_strnicmp(t.text, word, (int)t.n) == 0;
}

/* Does a token, quoted or not, spell a name? Case of ASCII letters ignored, as in SQLite. */
static int spells(struct token t, const char *name) {
  const char *p = t.text, *end = t.text + t.n;
  char quote = 0;
  if (t.n >= 2 && strchr("\"'`[", *p)) {
    quote = closing(*p++);
    end--;
  }
  for (; p < end && *name; p++, name++) {
    if (sqlite3_strnicmp(p, name, 1) != 0) return 0;
    if (*p == quote && quote != ']') p++; /* doubled */
  }
  return p >= end && !*name;
}

/* The name behind INTO, without its schema. */
static struct token target(const char *p) {
  struct token name = next(&p), dot = next(&p);
  return is_keyword(dot, ".") ? next(&p) : name;
}

int sc_direct_names(const char *sql, const char *table) {
  struct token last = {"", 0}, before = last, earlier = last;
  int depth = 0;
  for (struct token t = next(&sql); t.n; t = next(&sql)) {
    if (*t.text == '(') depth++;
    if (*t.text == ')') depth--;
    /* INSERT INTO, REPLACE INTO, INSERT OR something INTO: also behind WITH and its parentheses */
    if (depth == 0 && is_keyword(t, "INTO") &&
        (is_keyword(last, "INSERT") || is_keyword(last, "REPLACE") ||
         (is_keyword(before, "OR") && is_keyword(earlier, "INSERT")))) {
      return spells(target(sql), table);
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
    if (sqlite3_stmt_busy(s) && sql && sc_direct_names(sql, table)) return 1;
  }
  return 0;
}
