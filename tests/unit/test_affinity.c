/* base/affinity.c: the texts that SQLite's numeric affinity makes numbers of. */
#include "base/affinity.h"

#include <string.h>

#include "base/sqlite.h"
#include "check.h"

/* Whether SQLite makes a number of it. */
static int is_number(sqlite3_stmt *s, const char *text) {
  sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
  sqlite3_step(s);
  int type = sqlite3_value_numeric_type(sqlite3_column_value(s, 0));
  sqlite3_reset(s);
  return type != SQLITE_TEXT;
}

int main(void) {
  static const char *const texts[] = {"7",    "007",     "-1",         "+1.5", ".5",  "5.",  " 7 ",
                                      "1e5",  "1E-5",    "",           " ",    "7x",  "x7",  "1-2",
                                      "0x10", "2024-01", "2024-01-02", "I1",   "--1", "1 2", "inf",
                                      "nan",  "7\n",     "\t7",        "+",    ".",   "7a"};
  sqlite3 *db;
  sqlite3_stmt *s;
  sqlite3_open(":memory:", &db);
  sqlite3_prepare_v2(db, "SELECT ?1", -1, &s, NULL);
  check_case("numbers_look_like_numbers");
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (is_number(s, texts[i])) CHECK(sc_looks_numeric(texts[i], strlen(texts[i])));
  }
  check_case("dates_and_names_do_not");
  for (size_t i = 9; i < 22; i++) CHECK(!sc_looks_numeric(texts[i], strlen(texts[i])));
  sqlite3_finalize(s);
  sqlite3_close(db);
  return check_report();
}
