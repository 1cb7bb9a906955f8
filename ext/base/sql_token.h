/*
 * The tokens of an SQL text, for those who must know what a running statement says because SQLite
 * does not tell (merge/direct.h, base/outer_on.h).
 *
 * Source: sqlite.org/lang_expr.html (literals), lang_keywords.html (quotes), lang_comment.html.
 */
#ifndef SC_BASE_SQL_TOKEN_H
#define SC_BASE_SQL_TOKEN_H

#include <stddef.h>

enum sc_sql_type {
  SC_SQL_END = 0,
  SC_SQL_WORD,   /* a keyword or a name without quotes */
  SC_SQL_NAME,   /* in "", `` or [] */
  SC_SQL_STRING, /* in '' */
  SC_SQL_OTHER   /* a number, or one other character */
};

/* Borrowed from the text; without its quotes, in which a doubled one stands for one. */
struct sc_sql_token {
  enum sc_sql_type type;
  const char *text;
  size_t n;
  char quote;       /* that closes it; 0: none */
  const char *next; /* behind it */
};

/* The first token from p on, blanks and comments passed over. What is not closed ends with p. */
struct sc_sql_token sc_sql_next(const char *p);

/* Is it that keyword or character? Names in quotes are no keywords. Case of ASCII letters is
 * ignored here and below, as in SQLite. */
int sc_sql_is(struct sc_sql_token t, const char *word);

/* Does a word, a name or a string spell that name? */
int sc_sql_spells(struct sc_sql_token t, const char *name);

/* Could it be a name: a word, or one in quotes that are not a string's? */
static inline int sc_sql_is_name(struct sc_sql_token t) {
  return t.type == SC_SQL_WORD || t.type == SC_SQL_NAME;
}

#endif
