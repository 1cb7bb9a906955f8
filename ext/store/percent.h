/* Percent escapes of URLs and folder names (RFC 3986, section 2.1). */
#ifndef SC_STORE_PERCENT_H
#define SC_STORE_PERCENT_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"

/* What stays as it is beside letters and digits: RFC 3986's other unreserved characters. */
#define SC_UNRESERVED "-._~"

/* Append n bytes of text, with %XX for all but ASCII letters, digits and the characters of `keep`,
 * in which "\x80" stands for every byte from 0x80 on. */
sc_status sc_percent_encode(struct sc_buffer *out, const char *text, size_t n, const char *keep,
                            struct sc_error *err);

static inline int sc_hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Put the bytes that escapes stand for into a text, in place. A percent sign that begins no escape,
 * or one of a zero byte, stays. Returns NULL, or where the first such sign is in the result.
 */
const char *sc_percent_decode(char *text);

#endif
