/* Tokens of SQL; see sql_token.h. */
#include "base/sql_token.h"

#include <string.h>

#include "base/sqlite.h"

static int is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_word_char(char c) {
  char lower = c | 32;
  return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '_' || c == '$' || (c & 0x80);
}

static const char *skip_blanks(const char *p) {
  for (;;) {
    if (is_blank(*p)) {
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

static struct sc_sql_token quoted_token(const char *p) {
  char end = *p == '[' ? ']' : *p;
  const char *q = strchr(p + 1, end);
  while (q && end != ']' && q[1] == end) q = strchr(q + 2, end);
  const char *stop = q ? q : p + strlen(p);
  struct sc_sql_token t = {.type = *p == '\'' ? SC_SQL_STRING : SC_SQL_NAME,
                           .text = p + 1,
                           .n = (size_t)(stop - p) - 1,
                           .quote = end,
                           .next = stop + (q != NULL)};
  return t;
}

struct sc_sql_token sc_sql_next(const char *p) {
  p = skip_blanks(p);
  struct sc_sql_token t = {*p ? SC_SQL_OTHER : SC_SQL_END, p, *p != '\0', 0, p + (*p != '\0')};
  if (*p == '\'' || *p == '"' || *p == '`' || *p == '[') return quoted_token(p);
  if (!is_word_char(*p)) return t;
  while (is_word_char(p[t.n])) t.n++;
  t.type = is_digit(*p) ? SC_SQL_OTHER : SC_SQL_WORD;
  t.next = p + t.n;
  return t;
}

int sc_sql_is(struct sc_sql_token t, const char *word) {
  return (t.type == SC_SQL_WORD || t.type == SC_SQL_OTHER) && t.n == strlen(word) &&
         sqlite3_strnicmp(t.text, word, (int)t.n) == 0;
}

int sc_sql_spells(struct sc_sql_token t, const char *name) {
  const char *p = t.text, *end = t.text + t.n;
  if (t.type == SC_SQL_END || t.type == SC_SQL_OTHER) return 0;
  for (; p < end && *name; p++, name++) {
    if (sqlite3_strnicmp(p, name, 1) != 0) return 0;
    if (*p == t.quote && t.quote != ']') p++; /* doubled */
  }
  return p >= end && !*name;
}
