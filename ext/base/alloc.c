/* Allocation by SQLite's allocator; see alloc.h. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/sqlite.h"

void *sc_alloc(size_t size) { return sqlite3_malloc64(size ? size : 1); }

void *sc_alloc_zero(size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) return NULL;
  void *block = sc_alloc(total);
  if (block) memset(block, 0, total ? total : 1);
  return block;
}

void *sc_realloc(void *block, size_t size) { return sqlite3_realloc64(block, size ? size : 1); }

void sc_free(void *block) { sqlite3_free(block); }

int sc_memory_is_short(void) {
  void *block = sc_alloc(1 << 20);
  sc_free(block);
  return !block;
}

sc_status sc_strndup(const char *text, size_t n, char **out, struct sc_error *err) {
  *out = NULL;
  if (!text) return SC_OK;
  char *copy = sc_alloc(n + 1);
  if (!copy) return sc_fail_nomem(err);
  memcpy(copy, text, n);
  copy[n] = '\0';
  *out = copy;
  return SC_OK;
}

sc_status sc_strdup(const char *text, char **out, struct sc_error *err) {
  return sc_strndup(text, text ? strlen(text) : 0, out, err);
}

sc_status sc_format(char **out, struct sc_error *err, const char *format, ...) {
  va_list args;
  *out = NULL;
  va_start(args, format);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) return sc_fail(err, SC_BAD_ARG, "cannot format '%s'", format);
  char *text = sc_alloc((size_t)n + 1);
  if (!text) return sc_fail_nomem(err);
  va_start(args, format);
  vsnprintf(text, (size_t)n + 1, format, args);
  va_end(args);
  *out = text;
  return SC_OK;
}
