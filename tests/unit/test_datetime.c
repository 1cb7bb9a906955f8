/* Tests of ext/stac/datetime.c. */
#include "check.h"
#include "index/index.h"
#include "stac/datetime.h"

static void holds(const char *name, const char *text, const char *expected) {
  char out[SC_DATETIME_BYTES];
  check_case(name);
  CHECK_INT(expected[0] != 0, sc_datetime_normalise(text, out));
  CHECK_TEXT(expected, out);
}

int main(void) {
  holds("with_z", "2024-03-11T14:11:54Z", "2024-03-11T14:11:54Z");
  holds("fraction_of_three_digits", "2024-03-11T14:11:54.463000Z", "2024-03-11T14:11:54.463Z");
  holds("fraction_of_seven_digits", "2024-03-11T14:11:54.4630001Z", "2024-03-11T14:11:54.4630001Z");
  holds("without_zone_is_utc", "2024-03-11T14:11:54", "2024-03-11T14:11:54Z");
  holds("offset_zero", "2024-03-11T14:11:54+00:00", "2024-03-11T14:11:54Z");
  holds("offset_into_the_day_before", "2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z");
  holds("negative_offset", "2023-12-31T23:30:00-0230", "2024-01-01T02:00:00Z");
  holds("date_only", "2020-10-31", "2020-10-31T00:00:00Z");
  holds("blank_for_t", "2020-10-31 12:00:00", "2020-10-31T12:00:00Z");
  holds("tiff_tag", "2015:01:02 03:04:05", "2015-01-02T03:04:05Z");
  holds("no_such_day", "2023-02-29T00:00:00Z", "");
  holds("no_such_month", "2023-13-01", "");
  holds("text", "yesterday", "");
  holds("rest_behind", "2023-01-01T00:00:00Zx", "");
  holds("empty", "", "");
  check_case("days_since_1970");
  CHECK_INT(0, sc_date_to_days("1970-01-01"));
  CHECK_INT(19793, sc_date_to_days("2024-03-11"));
  CHECK_INT(-1, sc_date_to_days("1969-12-31"));
  CHECK_INT(INT32_MIN, sc_date_to_days("2024-3-11"));
  check_case("civil_round_trip");
  for (int64_t d = -800000; d < 800000; d += 997) {
    int64_t y;
    int m, day;
    sc_civil_from_days(d, &y, &m, &day);
    CHECK_INT(d, sc_days_from_civil(y, m, day));
  }
  return check_report();
}
