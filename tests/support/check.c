/* Checks for the unit tests; see check.h. */
#include "check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *case_name = "(no case)";
static int n_passed, n_failed, n_skipped;

void check_case(const char *name) { case_name = name; }

static int fail(const char *file, int line, const char *expression) {
  n_failed++;
  printf("%s:%d: %s\n  check     %s\n", file, line, case_name, expression);
  return 0;
}

void check_true(const char *file, int line, const char *expression, int holds) {
  if (holds) {
    n_passed++;
  } else {
    fail(file, line, expression);
  }
}

void check_int(const char *file, int line, const char *expression, int64_t expected,
               int64_t actual) {
  if (expected == actual) {
    n_passed++;
    return;
  }
  fail(file, line, expression);
  printf("  expected  %" PRId64 "\n  got       %" PRId64 "\n", expected, actual);
}

void check_real(const char *file, int line, const char *expression, double expected, double actual,
                double tolerance) {
  if ((isnan(expected) && isnan(actual)) || fabs(expected - actual) <= tolerance) {
    n_passed++;
    return;
  }
  fail(file, line, expression);
  printf("  expected  %.17g (within %g)\n  got       %.17g\n", expected, tolerance, actual);
}

void check_text(const char *file, int line, const char *expression, const char *expected,
                const char *actual) {
  if (expected == actual || (expected && actual && strcmp(expected, actual) == 0)) {
    n_passed++;
    return;
  }
  fail(file, line, expression);
  printf("  expected  %s\n  got       %s\n", expected ? expected : "(null)",
         actual ? actual : "(null)");
}

void check_has(const char *file, int line, const char *expression, const char *part,
               const char *actual) {
  if (actual && strstr(actual, part)) {
    n_passed++;
    return;
  }
  fail(file, line, expression);
  printf("  expected  ...%s...\n  got       %s\n", part, actual ? actual : "(null)");
}

void check_bytes(const char *file, int line, const char *expression, const void *expected,
                 size_t n_expected, const void *actual, size_t n_actual) {
  if (n_expected == n_actual && (n_actual == 0 || memcmp(expected, actual, n_actual) == 0)) {
    n_passed++;
    return;
  }
  fail(file, line, expression);
  size_t at = 0;
  const unsigned char *a = expected, *b = actual;
  while (at < n_expected && at < n_actual && a[at] == b[at]) at++;
  printf("  expected  %zu bytes\n  got       %zu bytes; first difference at %zu\n", n_expected,
         n_actual, at);
}

void check_skip(const char *why) {
  n_skipped++;
  printf("skipped 1: %s\n", why);
}

int check_report(void) {
  printf("%d passed, %d failed", n_passed, n_failed);
  if (n_skipped) printf(", %d skipped", n_skipped);
  printf("\n");
  return n_failed > 125 ? 125 : n_failed;
}
