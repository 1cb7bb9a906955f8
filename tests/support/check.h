/*
 * Checks for the unit tests: a failing one prints place, case, expression, expected and
 * actual, and the run goes on. End main() with `return check_report();`.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

/* Name the case that follows: situation and result, e.g. scene_smaller_than_chip_has_no_chips. */
void check_case(const char *name);

#define CHECK(expression) check_true(__FILE__, __LINE__, #expression, (expression) != 0)
#define CHECK_INT(expected, actual) \
  check_int(__FILE__, __LINE__, #actual, (int64_t)(expected), (int64_t)(actual))
#define CHECK_REAL(expected, actual, tolerance) \
  check_real(__FILE__, __LINE__, #actual, (expected), (actual), (tolerance))
#define CHECK_TEXT(expected, actual) check_text(__FILE__, __LINE__, #actual, (expected), (actual))
/* `part` occurs in `actual`. */
#define CHECK_HAS(part, actual) check_has(__FILE__, __LINE__, #actual, (part), (actual))
#define CHECK_BYTES(expected, n_expected, actual, n_actual) \
  check_bytes(__FILE__, __LINE__, #actual, (expected), (n_expected), (actual), (n_actual))

void check_true(const char *file, int line, const char *expression, int holds);
void check_int(const char *file, int line, const char *expression, int64_t expected,
               int64_t actual);
void check_real(const char *file, int line, const char *expression, double expected, double actual,
                double tolerance);
void check_text(const char *file, int line, const char *expression, const char *expected,
                const char *actual);
void check_has(const char *file, int line, const char *expression, const char *part,
               const char *actual);
void check_bytes(const char *file, int line, const char *expression, const void *expected,
                 size_t n_expected, const void *actual, size_t n_actual);

/* Say that the case cannot be tried here, and count it. */
void check_skip(const char *why);

/* Print "N passed, N failed[, N skipped]" (checks) and return the number of failures, at most 125.
 */
int check_report(void);

#endif
