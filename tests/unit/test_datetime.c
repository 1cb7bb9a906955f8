/* Tests of ext/base/datetime.c. */
#include "base/datetime.h"

#include <string.h>

#include "check.h"

static void holds(const char *name, const char *text, const char *expected) {
  char out[SC_DATETIME_BYTES];
  check_case(name);
  CHECK_INT(expected[0] != 0, sc_datetime_normalise(text, out));
  CHECK_TEXT(expected, out);
}

/* Read and written back; INT32_MIN: no day. */
static void is_day(int32_t expected, const char *text) {
  int32_t days = INT32_MIN;
  char out[SC_DATETIME_BYTES];
  CHECK_INT(expected != INT32_MIN, sc_date_parse(text, strlen(text), &days));
  CHECK_INT(expected, days);
  if (expected == INT32_MIN) return;
  CHECK_INT(10, sc_date_format(days, out, sizeof out));
  CHECK_TEXT(text, out);
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
  is_day(0, "1970-01-01");
  is_day(19793, "2024-03-11");
  is_day(-1, "1969-12-31");
  is_day(19782, "2024-02-29");
  is_day(-719528, "0000-01-01");
  is_day(2932896, "9999-12-31");
  is_day(INT32_MIN, "2024-3-11");
  is_day(INT32_MIN, "2024/03/11");
  is_day(INT32_MIN, "2023-02-29");
  is_day(INT32_MIN, "2023-13-01");
  is_day(INT32_MIN, "2024-03-110");
  check_case("days_out_of_text");
  char small[8];
  CHECK_INT(10, sc_date_format(0, small, sizeof small));
  CHECK_TEXT("1970-01", small);
  check_case("civil_round_trip");
  for (int64_t d = -800000; d < 800000; d += 997) {
    int64_t y;
    int m, day;
    sc_civil_from_days(d, &y, &m, &day);
    CHECK_INT(d, sc_days_from_civil(y, m, day));
  }
  return check_report();
}
