/* What a bar and a line of progress say. */
#include "base/progress.h"
#include "check.h"

static void says(const char *expected, int64_t done, int64_t total, double seconds) {
  char text[SC_PROGRESS_TEXT];
  sc_progress_text("items", done, total, seconds, text);
  CHECK_TEXT(expected, text);
}

static void test_time_left(void) {
  check_case("time left where it is known");
  says("0/10 items, 0.0/s", 0, 10, 5);
  says("1/10 items, 2.0/s", 1, 10, 0.5); /* too early to say */
  says("5/10 items, 2.5/s, 0:02 left", 5, 10, 2);
  says("1/100 items, 1.0/s, 1:39 left", 1, 100, 1);
  says("10/100000 items, 1.0/s, 27:46:30 left", 10, 100000, 10);
  says("10/10 items, 5.0/s", 10, 10, 2);
  says("12/10 items, 6.0/s", 12, 10, 2); /* more than were counted */
}

static void test_no_total(void) {
  check_case("without a total there is none");
  says("34 items, 17.0/s", 34, 0, 2);
  says("0 items, 0.0/s", 0, 0, 0);
}

int main(void) {
  test_time_left();
  test_no_total();
  return check_report();
}
