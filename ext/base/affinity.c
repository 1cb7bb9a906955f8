/* Texts that are numbers to SQLite; see affinity.h. */
#include "base/affinity.h"

static size_t skip(const char *text, size_t n, size_t at, const char *set) {
  for (; at < n; at++) {
    const char *c = set;
    while (*c && *c != text[at]) c++;
    if (!*c) break;
  }
  return at;
}

static size_t skip_sign(const char *text, size_t n, size_t at) {
  return at + (at < n && (text[at] == '+' || text[at] == '-'));
}

int sc_looks_numeric(const char *text, size_t n) {
  static const char blanks[] = " \t\n\v\f\r", digits[] = "0123456789";
  size_t start = skip_sign(text, n, skip(text, n, 0, blanks)), at = skip(text, n, start, digits);
  if (at < n && text[at] == '.') at = skip(text, n, at + 1, digits);
  if (at == start) return 0;
  if (at < n && (text[at] == 'e' || text[at] == 'E')) {
    at = skip(text, n, skip_sign(text, n, at + 1), digits);
  }
  return skip(text, n, at, blanks) == n;
}
