/* Percent escapes; see percent.h. */
#include "store/percent.h"

#include <string.h>

static int is_alphanumeric(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

sc_status sc_percent_encode(struct sc_buffer *out, const char *text, size_t n, const char *keep,
                            struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < n && !st; i++) {
    unsigned char c = (unsigned char)text[i];
    int is_kept = is_alphanumeric(c) || (c && strchr(keep, c < 0x80 ? c : 0x80));
    st = is_kept ? sc_buffer_append(out, &c, 1, err) : sc_buffer_printf(out, err, "%%%02X", c);
  }
  return st;
}

const char *sc_percent_decode(char *text) {
  const char *wrong = NULL;
  char *to = text;
  for (const char *p = text; *p; to++) {
    int high = *p == '%' ? sc_hex_digit(p[1]) : -1, low = high < 0 ? -1 : sc_hex_digit(p[2]);
    int byte = low < 0 ? 0 : high * 16 + low;
    if (*p == '%' && !byte && !wrong) wrong = to;
    *to = byte ? (char)byte : *p;
    p += byte ? 3 : 1;
  }
  *to = '\0';
  return wrong;
}
