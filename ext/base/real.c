/* Reals as text; see real.h. */
#include "base/real.h"

#include <stdio.h>
#include <string.h>

size_t sc_real_format(double v, char out[SC_REAL_BYTES]) {
  char text[SC_REAL_BYTES];
  size_t n = 0;
  snprintf(text, sizeof text, "%.17g", v);
  /* The locale's decimal point has one byte or several. */
  for (const char *p = text; *p; p++) {
    if (strchr("0123456789eE+-.", *p)) {
      out[n++] = *p;
    } else if (n == 0 || out[n - 1] != '.') {
      out[n++] = '.';
    }
  }
  out[n] = '\0';
  return n;
}
