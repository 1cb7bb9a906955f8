/* Reals as text, whatever the host's locale. */
#ifndef SC_BASE_REAL_H
#define SC_BASE_REAL_H

#include <stddef.h>

#define SC_REAL_BYTES 40

/* A finite number as JSON writes it, with 17 digits, which give the same number back. Returns the
 * length; out gets a zero byte behind it. */
size_t sc_real_format(double v, char out[SC_REAL_BYTES]);

#endif
