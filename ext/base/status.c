/* Status codes and error texts; see status.h. */
#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/sniff.h"
#include "base/sqlite.h"

/* What stands in files and names may be no UTF-8, and a cut may leave half a character at the end:
 * every message is UTF-8. */
static void make_utf8(char *text) {
  size_t n = strlen(text), at;
  int is_cut = n + 1 >= SC_ERROR_TEXT_BYTES;
  while ((at = sc_sniff_utf8(text, n)) < n)
    text[at] = is_cut && n - at < 4 ? '\0' : '?', n = strlen(text);
}

sc_status sc_vfail(struct sc_error *err, sc_status status, const char *format, va_list args) {
  err->status = status;
  err->db_code = 0;
  vsnprintf(err->text, sizeof err->text, format, args);
  make_utf8(err->text);
  return status;
}

sc_status sc_fail(struct sc_error *err, sc_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  sc_vfail(err, status, format, args);
  va_end(args);
  return status;
}

sc_status sc_fail_within(struct sc_error *err, const char *format, ...) {
  char inner[SC_ERROR_TEXT_BYTES];
  va_list args;
  memcpy(inner, err->text, sizeof inner);
  va_start(args, format);
  int n = vsnprintf(err->text, sizeof err->text, format, args);
  va_end(args);
  if (n >= 0 && n < (int)sizeof err->text) {
    size_t left = sizeof err->text - (size_t)n;
    if (snprintf(err->text + n, left, ": %s", inner) < 0) err->text[n] = '\0';
  }
  make_utf8(err->text);
  return err->status;
}

sc_status sc_fail_nomem(struct sc_error *err) { return sc_fail(err, SC_NOMEM, "out of memory"); }

int sc_error_sqlite_code(const struct sc_error *err) {
  switch (err->status) {
    case SC_OK: return SQLITE_OK;
    case SC_NOMEM: return SQLITE_NOMEM;
    case SC_DB: return err->db_code ? err->db_code : SQLITE_ERROR;
    case SC_CONSTRAINT: return SQLITE_CONSTRAINT;
    case SC_INTERRUPT: return SQLITE_INTERRUPT;
    case SC_TOO_BIG: return SQLITE_TOOBIG;
    default: return SQLITE_ERROR;
  }
}
