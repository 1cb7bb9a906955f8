/* ext/parquet/value.c and prune.c */
#include "parquet/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/datetime.h"
#include "check.h"
#include "parquet/prune.h"

static struct sc_pq_leaf leaf_of(enum sc_pq_type type, enum sc_pq_kind kind) {
  struct sc_pq_leaf leaf = {0};
  leaf.type = type;
  leaf.kind = kind;
  return leaf;
}

static const char *text_of(const struct sc_pq_leaf *leaf, const struct sc_pq_value *v) {
  static struct sc_pq_sql sql;
  static char text[80];
  sc_pq_value_to_sql(leaf, v, &sql);
  if (sql.type != SC_PQ_SQL_TEXT) return "not text";
  snprintf(text, sizeof text, "%.*s", (int)sql.size, sql.bytes);
  return text;
}

static const char *text_of_int(const struct sc_pq_leaf *leaf, int64_t i) {
  struct sc_pq_value v = {{i}, 0};
  return text_of(leaf, &v);
}

static void dates_and_times_are_iso_text(void) {
  struct sc_pq_leaf leaf = leaf_of(SC_PQ_INT32, SC_PQ_KIND_DATE);
  int32_t days;
  check_case("dates_and_times_are_iso_text");
  CHECK_TEXT("1970-01-01", text_of_int(&leaf, 0));
  CHECK_TEXT("2024-02-29", text_of_int(&leaf, 19782));
  CHECK_TEXT("1969-12-31", text_of_int(&leaf, -1));
  CHECK_TEXT("0000-03-01", text_of_int(&leaf, -719468));
  for (int i = -719468; i < 2932896; i += 97) { /* years 0 to 9999 */
    CHECK(sc_date_parse(text_of_int(&leaf, i), 10, &days) && days == i);
  }
  CHECK(!sc_date_parse("2023-02-29", 10, &days));
  CHECK(!sc_date_parse("2023-13-01", 10, &days));
  CHECK(!sc_date_parse("2023/01/01", 10, &days));
  leaf = leaf_of(SC_PQ_INT64, SC_PQ_KIND_TIMESTAMP);
  leaf.unit_digits = 3;
  leaf.is_utc = 1;
  CHECK_TEXT("1970-01-01T00:00:00.001Z", text_of_int(&leaf, 1));
  CHECK_TEXT("1969-12-31T23:59:59.999Z", text_of_int(&leaf, -1));
  leaf.unit_digits = 9;
  leaf.is_utc = 0;
  CHECK_TEXT("2262-04-11T23:47:16.854775807", text_of_int(&leaf, INT64_MAX));
  CHECK_HAS("1677-09-21T00:12:43", text_of_int(&leaf, INT64_MIN));
  leaf = leaf_of(SC_PQ_INT32, SC_PQ_KIND_TIME);
  leaf.unit_digits = 3;
  CHECK_TEXT("23:59:59.999", text_of_int(&leaf, 86399999));
  leaf = leaf_of(SC_PQ_INT96, SC_PQ_KIND_TIMESTAMP);
  unsigned char int96[12] = {0};
  sc_put_le32(int96 + 8, 2440589);
  struct sc_pq_value v = {.as.bytes = int96, .size = 12};
  CHECK_TEXT("1970-01-02T00:00:00.000000000", text_of(&leaf, &v));
}

static void decimals_are_exact(void) {
  struct sc_pq_leaf leaf = leaf_of(SC_PQ_FIXED, SC_PQ_KIND_DECIMAL);
  unsigned char bytes[16];
  struct sc_pq_value v = {.as.bytes = bytes, .size = 16};
  struct sc_pq_sql sql;
  check_case("decimals_are_exact");
  memset(bytes, 0xFF, 16);
  leaf.precision = 38;
  leaf.scale = 2;
  CHECK_TEXT("-0.01", text_of(&leaf, &v));
  memset(bytes, 0, 16);
  bytes[0] = 0x80;
  CHECK_TEXT("-1701411834604692317316873037158841057.28", text_of(&leaf, &v));
  leaf = leaf_of(SC_PQ_INT32, SC_PQ_KIND_DECIMAL);
  leaf.precision = 9;
  leaf.scale = 2;
  v.as.i = 12345;
  v.size = 0;
  sc_pq_value_to_sql(&leaf, &v, &sql);
  CHECK_INT(SC_PQ_SQL_REAL, sql.type);
  CHECK_REAL(123.45, sql.r, 0);
  leaf.scale = 0;
  sc_pq_value_to_sql(&leaf, &v, &sql);
  CHECK_INT(12345, sql.i);
}

static void other_types_have_their_forms(void) {
  struct sc_pq_leaf leaf = leaf_of(SC_PQ_INT64, SC_PQ_KIND_UINT);
  struct sc_pq_sql sql;
  check_case("other_types_have_their_forms");
  CHECK_TEXT("18446744073709551615", text_of_int(&leaf, -1));
  leaf.type = SC_PQ_INT32;
  struct sc_pq_value v = {{-1}, 0};
  sc_pq_value_to_sql(&leaf, &v, &sql);
  CHECK_INT(4294967295, sql.i);
  leaf = leaf_of(SC_PQ_FIXED, SC_PQ_KIND_UUID);
  v.as.bytes =
      (const unsigned char *)"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
  v.size = 16;
  CHECK_TEXT("00112233-4455-6677-8899-aabbccddeeff", text_of(&leaf, &v));
  leaf = leaf_of(SC_PQ_FIXED, SC_PQ_KIND_FLOAT16);
  v.as.bytes = (const unsigned char *)"\x00\x3E";
  v.size = 2;
  sc_pq_value_to_sql(&leaf, &v, &sql);
  CHECK_REAL(1.5, sql.r, 0);
  leaf = leaf_of(SC_PQ_DOUBLE, SC_PQ_KIND_PLAIN);
  v.as.r = NAN;
  v.size = 0;
  sc_pq_value_to_sql(&leaf, &v, &sql);
  CHECK_INT(SC_PQ_SQL_NULL, sql.type);
}

static int excludes(enum sc_pq_op op, const char *text) {
  static unsigned char min[4], max[4];
  struct sc_pq_leaf leaf = leaf_of(SC_PQ_INT32, SC_PQ_KIND_DATE);
  struct sc_pq_filter f = {0, op, SC_PQ_SQL_TEXT, 0, 0, text, strlen(text)};
  sc_put_le32(min, 19723); /* 2024-01-01 */
  sc_put_le32(max, 19753); /* 2024-01-31 */
  struct sc_pq_stats s = {{min, 4}, {max, 4}, 0};
  return sc_pq_filter_excludes(&f, &leaf, &s, 100);
}

static void statistics_leave_out_what_cannot_match(void) {
  check_case("statistics_leave_out_what_cannot_match");
  CHECK_INT(0, excludes(SC_PQ_EQ, "2024-01-31"));
  CHECK_INT(1, excludes(SC_PQ_EQ, "2024-02-01"));
  CHECK_INT(1, excludes(SC_PQ_LT, "2024-01-01"));
  CHECK_INT(0, excludes(SC_PQ_LE, "2024-01-01"));
  CHECK_INT(1, excludes(SC_PQ_GT, "2024-01-31"));
  CHECK_INT(0, excludes(SC_PQ_GE, "2024-01-31"));
  CHECK_INT(0, excludes(SC_PQ_GT, "2024-01"));
  CHECK_INT(1, excludes(SC_PQ_GT, "2024-02"));
}

static void numbers_compare_across_types(void) {
  unsigned char min[8], max[8];
  struct sc_pq_leaf leaf = leaf_of(SC_PQ_INT64, SC_PQ_KIND_PLAIN);
  struct sc_pq_filter f = {0, SC_PQ_GT, SC_PQ_SQL_REAL, 0, 9.5, NULL, 0};
  check_case("numbers_compare_across_types");
  sc_put_le64(min, 1);
  sc_put_le64(max, 9);
  struct sc_pq_stats s = {{min, 8}, {max, 8}, -1};
  CHECK_INT(1, sc_pq_filter_excludes(&f, &leaf, &s, 100));
  f.type = SC_PQ_SQL_TEXT; /* SQLite would convert: no answer */
  f.bytes = "zzz";
  f.size = 3;
  CHECK_INT(0, sc_pq_filter_excludes(&f, &leaf, &s, 100));
  s.null_count = 100;
  CHECK_INT(1, sc_pq_filter_excludes(&f, &leaf, &s, 100));
  s.min.size = 4; /* statistics of a wrong size are none */
  s.null_count = -1;
  f.type = SC_PQ_SQL_REAL;
  CHECK_INT(0, sc_pq_filter_excludes(&f, &leaf, &s, 100));
  leaf = leaf_of(SC_PQ_DOUBLE, SC_PQ_KIND_PLAIN);
  sc_put_le_double(min, NAN);
  sc_put_le_double(max, NAN);
  s.min.size = 8;
  CHECK_INT(0, sc_pq_filter_excludes(&f, &leaf, &s, 100));
}

static void ranges_are_cut_with_each_other(void) {
  struct sc_pq_range a[] = {{0, 10}, {20, 30}}, b[] = {{5, 22}, {25, 26}, {29, 40}}, out[5];
  check_case("ranges_are_cut_with_each_other");
  CHECK_INT(4, sc_pq_ranges_intersect(a, 2, b, 3, out));
  CHECK_INT(5, out[0].begin);
  CHECK_INT(22, out[1].end);
  CHECK_INT(30, out[3].end);
  CHECK_INT(0, sc_pq_ranges_intersect(a, 0, b, 3, out));
}

int main(void) {
  dates_and_times_are_iso_text();
  decimals_are_exact();
  other_types_have_their_forms();
  statistics_leave_out_what_cannot_match();
  numbers_compare_across_types();
  ranges_are_cut_with_each_other();
  return check_report();
}
