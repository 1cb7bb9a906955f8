/* merge/direct.c: which statements insert into a table. */
#include "merge/direct.h"

#include "check.h"

static const char *const direct[] = {
    "INSERT INTO chips(item_json) VALUES (?)",
    "insert or replace into main.chips(item_json) select 1",
    "REPLACE INTO \"chips\" VALUES (1)",
    "INSERT OR IGNORE INTO [main].[Chips] VALUES (1)",
    "INSERT INTO 'chips'(item_json) VALUES ('x')",
    "INSERT INTO `main` . `chips`(item_json) VALUES ('x')",
    "/* chips */ -- INSERT INTO other\n INSERT/**/INTO/**/chips VALUES(1)",
    "WITH a(x) AS (SELECT 'INSERT INTO b'), replace AS (SELECT 1) INSERT INTO chips SELECT * FROM "
    "a",
    "WITH RECURSIVE \"in(to\" AS (VALUES(')')) REPLACE INTO chips SELECT 1",
    "INSERT INTO chips SELECT x FROM other WHERE y IN (SELECT z FROM third)",
};

static const char *const indirect[] = {
    "INSERT INTO notes SELECT count(*) FROM chips",
    "INSERT INTO notes VALUES ('INSERT INTO chips')",
    "INSERT INTO chips2 VALUES (1)",
    "INSERT INTO chip VALUES (1)",
    "INSERT INTO \"chips \" VALUES (1)",
    "INSERT INTO chips.notes VALUES (1)",
    "UPDATE chips SET a = 1",
    "DELETE FROM notes WHERE x IN (SELECT 1 FROM chips)",
    "SELECT 1 FROM chips",
    "WITH chips AS (SELECT 1) INSERT INTO notes SELECT * FROM chips",
    "INSERT INTO /* chips",
    "INSERT INTO",
    "",
    "'",
    "[",
};

static void test_quotes(void) {
  check_case("doubled_quotes_stand_for_one");
  CHECK(sc_direct_names("INSERT INTO \"a\"\"b\" VALUES (1)", "a\"b"));
  CHECK(!sc_direct_names("INSERT INTO \"a\"\"b\" VALUES (1)", "a\"\"b"));
  CHECK(sc_direct_names("INSERT INTO [a b] VALUES (1)", "a b"));
  CHECK(sc_direct_names("INSERT INTO \"w\xc3\xa4ld\"er VALUES (1)", "w\xc3\xa4ld"));
}

int main(void) {
  check_case("a_statement_that_inserts_is_known_by_any_spelling");
  for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) {
    CHECK_TEXT(direct[i], sc_direct_names(direct[i], "chips") ? direct[i] : "refused");
  }
  check_case("other_statements_are_told_apart");
  for (size_t i = 0; i < sizeof indirect / sizeof *indirect; i++) {
    CHECK_TEXT(indirect[i], sc_direct_names(indirect[i], "chips") ? "taken" : indirect[i]);
  }
  test_quotes();
  return check_report();
}
