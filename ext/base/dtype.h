/* Types of pixels. */
#ifndef SC_BASE_DTYPE_H
#define SC_BASE_DTYPE_H

#include <math.h>
#include <stddef.h>

enum sc_dtype {
  SC_DTYPE_NONE = 0,
  SC_DTYPE_U8,
  SC_DTYPE_I8,
  SC_DTYPE_U16,
  SC_DTYPE_I16,
  SC_DTYPE_U32,
  SC_DTYPE_I32,
  SC_DTYPE_U64,
  SC_DTYPE_I64,
  SC_DTYPE_F32,
  SC_DTYPE_F64,
  SC_DTYPE_C64, /* two floats: real, imaginary; also of files of complex int16 */
  SC_DTYPE_C128 /* two doubles; also of files of complex int32 */
};

/* Bytes of one value; 0 for SC_DTYPE_NONE. */
static inline size_t sc_dtype_bytes(enum sc_dtype t) {
  static const unsigned char bytes[] = {0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 8, 16};
  return bytes[t];
}

/* Can an integer type hold the value? No NaN and no infinity. */
static inline int sc_dtype_holds_whole(enum sc_dtype t, double v) {
  static const double least[] = {0, 0, -0x1p7, 0, -0x1p15, 0, -0x1p31, 0, -0x1p63};
  /* The first that is too large. */
  static const double end[] = {0, 0x1p8, 0x1p7, 0x1p16, 0x1p15, 0x1p32, 0x1p31, 0x1p64, 0x1p63};
  return v == floor(v) && v >= least[t] && v < end[t];
}

static inline int sc_dtype_is_complex(enum sc_dtype t) {
  return t == SC_DTYPE_C64 || t == SC_DTYPE_C128;
}

#endif
