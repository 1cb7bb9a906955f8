/* Percent escapes of URLs and folder names (RFC 3986, section 2.1). */
#ifndef SC_STORE_PERCENT_H
#define SC_STORE_PERCENT_H

static inline int sc_hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%XX" at p stands for, 1 to 255; 0 where there is no escape, or one of a zero. */
static inline int sc_percent_byte(const char *p) {
  int high = *p == '%' ? sc_hex_digit(p[1]) : -1, low = high < 0 ? -1 : sc_hex_digit(p[2]);
  return low < 0 ? 0 : high * 16 + low;
}

#endif
