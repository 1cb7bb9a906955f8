/* Status codes and error texts; see status.h. */
#include "base/status.h"

#include <stdio.h>
#include <string.h>

#include "base/sniff.h"
#include "base/sqlite.h"

void sc_text_make_valid(char *text) {
  size_t n = strlen(text), at = 0;
  while ((at += sc_sniff_utf8(text + at, n - at)) < n) {
    size_t rest = at + 1; /* a character that was cut leaves the bytes that should go on with it */
    while (rest < n && ((unsigned char)text[rest] & 0xC0) == 0x80) rest++;
    text[at++] = '?';
    memmove(text + at, text + rest, n - rest + 1);
    n -= rest - at;
  }
}

/* What a message is made in before it is fitted: hrefs and ids of items may be long. */
#define DRAFT_BYTES 8192

/*
 * Fit a draft into the error. Whose error it is stands in front and the reason at the end, so of
 * one that is too long the middle goes.
 */
static void take_draft(struct sc_error *err, const char *draft) {
  static const char gap[] = " ... ";
  size_t n = strlen(draft), room = sizeof err->text - 1, tail = room / 2;
  if (n <= room) {
    memcpy(err->text, draft, n + 1);
  } else {
    size_t head = room - tail - (sizeof gap - 1);
    memcpy(err->text, draft, head);
    memcpy(err->text + head, gap, sizeof gap - 1);
    memcpy(err->text + room - tail, draft + n - tail, tail + 1);
  }
  sc_text_make_valid(err->text);
}

sc_status sc_vfail(struct sc_error *err, sc_status status, const char *format, va_list args) {
  char draft[DRAFT_BYTES];
  err->status = status;
  err->db_code = 0;
  if (vsnprintf(draft, sizeof draft, format, args) < 0) draft[0] = '\0';
  take_draft(err, draft);
  return status;
}

void sc_fail_text(struct sc_error *err, sc_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  sc_vfail(err, status, format, args);
  va_end(args);
}

sc_status sc_fail_within(struct sc_error *err, const char *format, ...) {
  char draft[DRAFT_BYTES];
  size_t room = sizeof draft - sizeof err->text - 2;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(draft, room, format, args);
  va_end(args);
  size_t used = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
  snprintf(draft + used, sizeof draft - used, ": %s", err->text);
  take_draft(err, draft);
  return err->status;
}

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
