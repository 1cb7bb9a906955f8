/*
 * pixels/static_result.c: the memory that a stack takes, and who may see its bytes for how long.
 * Under the address sanitizer a byte that is read too late is an error.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "stacchip.h"

#define SCENE "build/scenes/sentinel-2/item.json"
#define FROM_ROWS \
  " FROM (SELECT row, chip_index_x AS x, chip_index_y AS y FROM chips ORDER BY x, y)"
#define STACK "SELECT stacchip_stack(row, '{\"assets\":[\"red\",\"nir\"]}') AS v" FROM_ROWS

static sqlite3 *open_ready(void) {
  sqlite3 *db = NULL;
  char *message = NULL;
  sqlite3_open(":memory:", &db);
  if (sqlite3_stacchip_init(db, &message, NULL) != SQLITE_OK) exit(9);
  sqlite3_exec(db,
               "CREATE TABLE chips AS SELECT row, chip_index_x, chip_index_y "
               "FROM stacchip_index('" SCENE "')",
               NULL, NULL, NULL);
  return db;
}

static sqlite3_stmt *first_row(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s = NULL;
  CHECK_INT(SQLITE_OK, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
  CHECK_INT(SQLITE_ROW, sqlite3_step(s));
  return s;
}

/* A sum that depends on every byte. */
static uint64_t digest(const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  uint64_t h = 1469598103934665603u;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 1099511628211u;
  return h;
}

static uint64_t digest_of(sqlite3_stmt *s, int column) {
  return digest(sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column));
}

static uint64_t expected(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s = first_row(db, sql);
  uint64_t h = digest_of(s, 0);
  sqlite3_finalize(s);
  return h;
}

static void test_held_rows(void) {
  sqlite3 *db = open_ready();
  check_case("a_row_holds_its_stack_while_others_are_made");
  uint64_t want = expected(db, STACK);
  sqlite3_stmt *a = first_row(db, STACK);
  const void *seen = sqlite3_column_blob(a, 0);
  CHECK(sqlite3_column_bytes(a, 0) > 1 << 20);
  for (int i = 0; i < 3; i++) CHECK(expected(db, STACK) == want);
  CHECK(sqlite3_column_blob(a, 0) == seen && digest_of(a, 0) == want);
  sqlite3_stmt *b = first_row(db, STACK);
  sqlite3_finalize(a);
  CHECK(expected(db, STACK) == want && digest_of(b, 0) == want);
  sqlite3_finalize(b);

  check_case("one_statement_run_again_and_again");
  sqlite3_stmt *again = first_row(db, STACK);
  for (int i = 0; i < 3; i++) {
    CHECK(digest_of(again, 0) == want);
    sqlite3_reset(again);
    CHECK_INT(SQLITE_ROW, sqlite3_step(again));
  }
  sqlite3_finalize(again);
  CHECK_INT(SQLITE_OK, sqlite3_close(db));
}

static void test_several_in_one(void) {
  sqlite3 *db = open_ready();
  check_case("groups_of_one_statement");
  const char *groups =
      "SELECT y % 2, stacchip_stack(row, '{\"assets\":[\"red\",\"nir\"]}')" FROM_ROWS
      " GROUP BY y % 2 ORDER BY 1 DESC";
  uint64_t odd = expected(db, STACK " WHERE y % 2 = 1"),
           even = expected(db, STACK " WHERE y % 2 = 0");
  sqlite3_stmt *s = first_row(db, groups);
  CHECK(digest_of(s, 1) == odd);
  CHECK_INT(SQLITE_ROW, sqlite3_step(s));
  CHECK(digest_of(s, 1) == even);
  sqlite3_finalize(s);

  check_case("two_stacks_in_a_row_and_one_kept_in_a_table");
  uint64_t want = expected(db, STACK);
  s = first_row(db, "WITH a AS MATERIALIZED (" STACK ") SELECT v, (" STACK "), v FROM a");
  for (int i = 0; i < 3; i++) CHECK(digest_of(s, i) == want);
  sqlite3_finalize(s);
  CHECK_INT(SQLITE_OK, sqlite3_exec(db, "CREATE TABLE kept AS " STACK, NULL, NULL, NULL));
  CHECK(expected(db, STACK) == want && expected(db, "SELECT v FROM kept") == want);

  check_case("a_copy_of_the_value_outlives_its_statement");
  s = first_row(db, STACK);
  sqlite3_value *copy = sqlite3_value_dup(sqlite3_column_value(s, 0));
  sqlite3_finalize(s);
  CHECK(expected(db, STACK) == want);
  CHECK(digest(sqlite3_value_blob(copy), (size_t)sqlite3_value_bytes(copy)) == want);
  sqlite3_value_free(copy);

  check_case("a_connection_closed_before_its_statement");
  s = first_row(db, STACK);
  CHECK_INT(SQLITE_OK, sqlite3_close_v2(db));
  CHECK(digest_of(s, 0) == want);
  sqlite3_finalize(s);
}

/* Step to the next row; its first column's address and digest. */
static const void *next_stack(sqlite3_stmt *s, uint64_t *sum) {
  CHECK_INT(SQLITE_ROW, sqlite3_step(s));
  *sum = digest_of(s, 0);
  return sqlite3_column_blob(s, 0);
}

#define BY_ROWS \
  "SELECT stacchip_stack(row, '{\"assets\":[\"red\",\"nir\"]}') AS v" FROM_ROWS " GROUP BY y % 2"

static void test_one_after_the_other(void) {
  sqlite3 *db = open_ready();
  uint64_t want[2] = {expected(db, STACK " WHERE y % 2 = 0"),
                      expected(db, STACK " WHERE y % 2 = 1")};
  uint64_t sums[2];
  check_case("the_stacks_of_a_query_lie_in_the_same_memory_one_after_the_other");
  sqlite3_stmt *s = NULL;
  sqlite3_prepare_v2(db, BY_ROWS, -1, &s, NULL);
  const void *first = next_stack(s, &sums[0]), *second = next_stack(s, &sums[1]);
  CHECK(first == second && sums[0] == want[0] && sums[1] == want[1]);
  sqlite3_finalize(s);
  check_case("prepared_anew_in_the_same_place");
  sqlite3_prepare_v2(db, BY_ROWS, -1, &s, NULL);
  CHECK(next_stack(s, &sums[0]) == first && sums[0] == want[0]);

  check_case("another_one_meanwhile_has_its_own");
  sqlite3_stmt *other = NULL;
  sqlite3_prepare_v2(db, BY_ROWS " ORDER BY 1", -1, &other, NULL);
  CHECK(next_stack(other, &sums[1]) != first);
  CHECK(next_stack(other, &sums[1]) != first && digest_of(s, 0) == want[0]);
  sqlite3_finalize(other);
  CHECK(next_stack(s, &sums[1]) && sums[1] == want[1]);
  sqlite3_finalize(s);

  check_case("what_holds_a_stack_while_the_next_is_made_keeps_it");
  CHECK_INT(SQLITE_OK, sqlite3_exec(db, "CREATE TABLE kept AS " BY_ROWS, NULL, NULL, NULL));
  uint64_t largest = expected(db, "SELECT max(v) FROM kept");
  CHECK(expected(db, "SELECT max(v) FROM (" BY_ROWS ")") == largest);
  CHECK(expected(db, "SELECT min(v) FROM (" BY_ROWS ")") ==
        expected(db, "SELECT min(v) FROM kept"));
  CHECK(expected(db, BY_ROWS " UNION SELECT NULL ORDER BY 1 DESC") == largest);
  CHECK_INT(SQLITE_OK, sqlite3_exec(db, "CREATE TEMP VIEW view AS " BY_ROWS, NULL, NULL, NULL));
  CHECK(expected(db, "SELECT max(v) FROM view") == largest);
  s = first_row(db, "SELECT stacchip_stack(row, '{\"assets\":[\"red\",\"nir\"]}'), max(v)" FROM_ROWS
                    ", view WHERE y % 2 = 0");
  CHECK(digest_of(s, 0) != 0 && digest_of(s, 1) == largest);
  sqlite3_finalize(s);
  CHECK_INT(SQLITE_OK, sqlite3_close(db));
}

#ifndef __SANITIZE_ADDRESS__
/* kB of a line of /proc/self/status. */
static long status_kb(const char *name) {
  char line[200];
  long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, name, strlen(name)) == 0) kb = strtol(line + strlen(name), NULL, 10);
  }
  if (f) fclose(f);
  return kb;
}

/* VmHWM can be set back to what is resident now. */
static void forget_peak(void) {
  FILE *f = fopen("/proc/self/clear_refs", "w");
  if (f) fputs("5", f), fclose(f);
}

static void check_peak(const char *format) {
  enum { CACHE_KB = 16 << 10, MORE_KB = 32 << 10 };
  char sql[400];
  sqlite3 *db = open_ready();
  sqlite3_exec(db, "SELECT stacchip_config('cache_bytes', 16777216), stacchip_config('threads', 2)",
               NULL, NULL, NULL);
  sqlite3_finalize(first_row(db, "SELECT stacchip_chip_info(row) FROM chips"));
  sqlite3_snprintf(sizeof sql, sql,
                   "SELECT stacchip_stack(row, '{\"assets\":[\"red\",\"green\",\"blue\",\"nir\"],"
                   "\"dtype\":\"float64\",\"format\":\"%s\"}') FROM (SELECT row FROM chips, "
                   "(VALUES (1), (2)))",
                   format);
  forget_peak();
  long before = status_kb("VmRSS:");
  sqlite3_stmt *s = first_row(db, sql);
  long result_kb = sqlite3_column_bytes(s, 0) / 1024, most = result_kb + CACHE_KB + MORE_KB;
  long took = status_kb("VmHWM:") - before;
  CHECK(result_kb > 64 * 1024 && took > result_kb);
  if (took > most) CHECK_INT((int)most, (int)took);
  sqlite3_finalize(s);
  CHECK_INT(SQLITE_OK, sqlite3_close(db));
}

static void test_memory(void) {
  check_case("a_stack_takes_its_result_the_cache_and_32_MB");
  check_peak("npy");
  check_peak("raw");
  check_peak("npz");
}
#else
static void test_memory(void) {}
#endif

int main(void) {
  test_memory();
  test_held_rows();
  test_several_in_one();
  test_one_after_the_other();
  return check_report();
}
