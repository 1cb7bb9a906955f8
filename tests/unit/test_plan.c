/* merge/plan.c: what is said in idxStr is read back; merge/filter.c: exact comparisons. */
#include "merge/plan.h"

#include <string.h>

#include "check.h"
#include "merge/filter.h"

static void test_words(void) {
  struct sc_plan plan = {SC_SCAN_AREA,
                         SC_ORDER_CLOUD,
                         1,
                         0,
                         4,
                         {{SC_COL_GEOMETRY, SC_OP_PREDICATE, 0},
                          {SC_COL_DATE, SC_OP_GE, 0},
                          {SC_COL_ROWID, SC_OP_LIMIT, 0},
                          {SC_COL_ROWID, SC_OP_EQ, 0}}};
  struct sc_plan back;
  struct sc_error err = {0};
  check_case("a_plan_survives_its_words");
  char *words = sc_plan_encode(&plan);
  CHECK_TEXT(
      "area: geometry ST_Intersects, date >=, limit, rowid =; order by "
      "cloud_cover_percentage desc",
      words);
  CHECK_INT(SC_OK, sc_plan_decode(plan.source, words, &back, &err));
  CHECK(memcmp(&plan, &back, sizeof plan) == 0);
  sqlite3_free(words);
  check_case("every_term_survives");
  for (int column = SC_COL_ROWID; column < SC_N_COLUMNS; column++) {
    for (int op = SC_OP_EQ; op <= SC_OP_GE; op++) {
      struct sc_plan one = {SC_SCAN_DATE, SC_ORDER_NONE, 0, 0, 1, {{column, (enum sc_op)op, 0}}};
      words = sc_plan_encode(&one);
      CHECK_INT(SC_OK, sc_plan_decode(one.source, words, &back, &err));
      CHECK(memcmp(&one, &back, sizeof one) == 0);
      sqlite3_free(words);
    }
  }
  for (int number = 0; sc_predicate_at(number); number++) {
    struct sc_plan one = {
        SC_SCAN_AREA, SC_ORDER_DATE, 0, 0, 1, {{SC_COL_GEOMETRY, SC_OP_PREDICATE, number}}};
    words = sc_plan_encode(&one);
    CHECK_INT(SC_OK, sc_plan_decode(one.source, words, &back, &err));
    CHECK_INT(number, back.terms[0].predicate);
    sqlite3_free(words);
  }
  check_case("words_that_are_not_ours_are_refused");
  CHECK_INT(SC_BAD_DATA, sc_plan_decode(99, "", &back, &err));
  CHECK_INT(SC_BAD_DATA, sc_plan_decode(3, "area: nonsense", &back, &err));
  CHECK_INT(SC_BAD_DATA, sc_plan_decode(3, "area: geometry ST_Nonsense", &back, &err));
}

/* A filter of one term, its value the result of an SQL expression. */
static sc_status filter_of(struct sc_filter *f, int column, enum sc_op op, const char *value,
                           struct sc_error *err) {
  struct sc_plan plan = {SC_SCAN_ITEMS, SC_ORDER_NONE, 0, 0, 1, {{column, op, 0}}};
  char sql[100];
  sqlite3 *db;
  sqlite3_stmt *s;
  sqlite3_open(":memory:", &db);
  sqlite3_snprintf(sizeof sql, sql, "SELECT %s", value);
  sqlite3_prepare_v2(db, sql, -1, &s, NULL);
  sqlite3_step(s);
  /* as xFilter gets it: SQLite 3.53 takes no copy without a connection for a number */
  sqlite3_value *values[1] = {sqlite3_column_value(s, 0)};
  sc_status st = sc_filter_init(f, NULL, &plan, values, err);
  sqlite3_finalize(s);
  sqlite3_close(db);
  return st;
}

static int chip_passes(int column, enum sc_op op, const char *value, double cloud) {
  struct sc_filter f;
  struct sc_error err = {0};
  filter_of(&f, column, op, value, &err);
  int passes = !f.is_never && sc_filter_chip(&f, 7, 3, 4, cloud, 0);
  sc_filter_free(&f);
  return passes;
}

static void test_numbers(void) {
  struct sc_filter f;
  struct sc_error err = {0};
  check_case("strict_bounds_are_strict");
  CHECK(chip_passes(SC_COL_CLOUD, SC_OP_LE, "0.5", 0.5) &&
        !chip_passes(SC_COL_CLOUD, SC_OP_LT, "0.5", 0.5));
  CHECK(chip_passes(SC_COL_CLOUD, SC_OP_GE, "0.5", 0.5) &&
        !chip_passes(SC_COL_CLOUD, SC_OP_GT, "0.5", 0.5));
  CHECK(chip_passes(SC_COL_CLOUD, SC_OP_EQ, "0.5", 0.5) &&
        !chip_passes(SC_COL_CLOUD, SC_OP_EQ, "0.5", 0.4));
  check_case("a_number_is_less_than_text_and_null_is_nothing");
  CHECK(chip_passes(SC_COL_CLOUD, SC_OP_LT, "'a'", 0.5) &&
        !chip_passes(SC_COL_CLOUD, SC_OP_GT, "'a'", 0.5));
  CHECK(!chip_passes(SC_COL_CLOUD, SC_OP_LT, "NULL", 0.5) &&
        chip_passes(SC_COL_X, SC_OP_EQ, "'3'", 0));
  check_case("rowid_bounds");
  CHECK(chip_passes(SC_COL_ROWID, SC_OP_GT, "6.5", 0) &&
        !chip_passes(SC_COL_ROWID, SC_OP_GT, "7", 0));
  CHECK(chip_passes(SC_COL_ROWID, SC_OP_LT, "7.5", 0) &&
        !chip_passes(SC_COL_ROWID, SC_OP_LT, "7.0", 0));
  CHECK(chip_passes(SC_COL_ROWID, SC_OP_LE, "9223372036854775807", 0));
  CHECK(!chip_passes(SC_COL_ROWID, SC_OP_GT, "9223372036854775807", 0));
  CHECK(chip_passes(SC_COL_ROWID, SC_OP_GT, "-1e300", 0) &&
        !chip_passes(SC_COL_ROWID, SC_OP_GT, "1e300", 0));
  check_case("fractions_are_0_to_1");
  CHECK_INT(SC_BAD_ARG, filter_of(&f, SC_COL_CLOUD, SC_OP_LT, "10", &err));
  CHECK_HAS("did you mean 0.1?", err.text);
  CHECK_INT(SC_BAD_ARG, filter_of(&f, SC_COL_NODATA, SC_OP_GT, "-0.5", &err));
  CHECK_INT(SC_OK, filter_of(&f, SC_COL_CLOUD, SC_OP_LE, "1", &err));
}

static void test_texts(void) {
  struct sc_filter f;
  struct sc_error err = {0};
  check_case("texts_compare_by_bytes");
  filter_of(&f, SC_COL_DATE, SC_OP_GE, "'2024-06'", &err);
  CHECK(sc_filter_text_passes(&f, SC_COL_DATE, "2024-06-01"));
  CHECK(!sc_filter_text_passes(&f, SC_COL_DATE, "2024-05-31"));
  CHECK(!sc_filter_text_passes(&f, SC_COL_DATE, NULL));
  CHECK(sc_filter_text_passes(&f, SC_COL_ITEM, NULL));
  CHECK_TEXT("2024-06", sc_filter_text_bound(&f, SC_COL_DATE, 0));
  CHECK(sc_filter_text_bound(&f, SC_COL_DATE, 1) == NULL);
  sc_filter_free(&f);
}

int main(void) {
  test_words();
  test_numbers();
  test_texts();
  return check_report();
}
