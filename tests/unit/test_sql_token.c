/* ext/base/sql_token.c; what is a token is SQLite's documentation's word. */
#include "base/sql_token.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

/* The tokens as one text: W, N, S or O and the token, between bars. */
static const char *tokens_of(const char *sql) {
  static char out[500];
  size_t n = 0;
  out[0] = '\0';
  for (struct sc_sql_token t = sc_sql_next(sql); t.type != SC_SQL_END; t = sc_sql_next(t.next)) {
    n += (size_t)snprintf(out + n, sizeof out - n, "%c%.*s|", "EWNSO"[t.type], (int)t.n, t.text);
  }
  return out;
}

static void texts_are_cut_as_sqlite_cuts_them(void) {
  check_case("texts_are_cut_as_sqlite_cuts_them");
  CHECK_TEXT("WSELECT|Wa1|O,|N b |N[c|Nd|Sit''s|O7|",
             tokens_of("SELECT a1,\" b \"[[c]`d`'it''s'7"));
  CHECK_TEXT("Wa|Wb|Wc|", tokens_of("a--x\n/* ' */b /**/ c -- \" d"));
  CHECK_TEXT("", tokens_of(" \t\r\n"));
  CHECK_TEXT("", tokens_of("/* never closed"));
  CHECK_TEXT("Sopen|", tokens_of("'open"));
  CHECK_TEXT("N|", tokens_of("\""));
}

static void names_are_spelled_in_any_quotes_and_case(void) {
  check_case("names_are_spelled_in_any_quotes_and_case");
  CHECK(sc_sql_spells(sc_sql_next("Chips"), "chips"));
  CHECK(sc_sql_spells(sc_sql_next("\"a\"\"b\""), "a\"b"));
  CHECK(!sc_sql_spells(sc_sql_next("\"a\"\"b\""), "a\"\"b"));
  CHECK(!sc_sql_spells(sc_sql_next("chips2"), "chips"));
  CHECK(!sc_sql_spells(sc_sql_next("7"), "7"));
  check_case("what_stands_in_quotes_is_no_keyword");
  CHECK(sc_sql_is(sc_sql_next("join"), "JOIN"));
  CHECK(!sc_sql_is(sc_sql_next("\"join\""), "JOIN"));
  CHECK(!sc_sql_is(sc_sql_next("'('"), "("));
}

int main(void) {
  texts_are_cut_as_sqlite_cuts_them();
  names_are_spelled_in_any_quotes_and_case();
  return check_report();
}
