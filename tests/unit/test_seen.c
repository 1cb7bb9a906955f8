/* stac/seen.c: a set of texts of two parts. */
#include "stac/seen.h"

#include <stdio.h>

#include "check.h"

static int add(struct sc_seen *s, const char *text, const char *more) {
  struct sc_error err = {0};
  int is_new = -1;
  CHECK_INT(SC_OK, sc_seen_add(s, text, more, &is_new, &err));
  return is_new;
}

static void test_parts(void) {
  struct sc_seen s = {0};
  check_case("parts are told apart");
  CHECK_INT(1, add(&s, "ab", "c"));
  CHECK_INT(1, add(&s, "a", "bc"));
  CHECK_INT(1, add(&s, "abc", NULL));
  CHECK_INT(0, add(&s, "abc", "")); /* no second part and an empty one are the same */
  CHECK_INT(1, add(&s, "", "abc"));
  CHECK_INT(1, add(&s, "", NULL));
  CHECK_INT(0, add(&s, "ab", "c"));
  sc_seen_free(&s);
  sc_seen_free(&s);
}

static void test_many(void) {
  struct sc_seen s = {0};
  char text[40];
  int n_new = 0, n_old = 0;
  check_case("many");
  for (int i = 0; i < 200000; i++) {
    snprintf(text, sizeof text, "https://h/items/%d", i % 100000);
    int is_new = add(&s, text, NULL);
    n_new += is_new && i < 100000;
    n_old += !is_new && i >= 100000;
  }
  CHECK_INT(100000, n_new);
  CHECK_INT(100000, n_old);
  sc_seen_free(&s);
}

int main(void) {
  test_parts();
  test_many();
  return check_report();
}
