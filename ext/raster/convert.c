/*
 * Converting values from type to type; see gdal.h. GDAL's way, but for reals that become integers:
 * its own depends on the types (NaN becomes 0 or the least value, and what is too large for 64 bits
 * 0; odd floats beyond 2^23 become even). Here all of them are cast alike.
 */
#include <math.h>
#include <string.h>

#include "raster/gdal.h"

/* The largest double below a half: added to another, it never rounds 0.49999999999999994 up. */
#define HALF 0x1.fffffffffffffp-2

/* NaN is 0, what lies outside is the nearest value of the type, halves go away from zero. */
#define CAST(FROM, TO, LEAST, MOST, FROM_STRIDE, TO_STRIDE)                                  \
  for (size_t i = 0; i < n; i++) {                                                           \
    FROM real;                                                                               \
    memcpy(&real, from + i * (FROM_STRIDE), sizeof real);                                    \
    double v = (double)real;                                                                 \
    int is_in = v > (double)(LEAST) && v < (double)(MOST); /* no cast is right for others */ \
    double rounded = is_in ? (v < 0 ? v - HALF : v + HALF) : 0;                              \
    TO whole = (TO)rounded;                                                                  \
    if (v <= (double)(LEAST)) whole = (LEAST);                                               \
    if (v >= (double)(MOST)) whole = (MOST);                                                 \
    memcpy(to + i * (TO_STRIDE), &whole, sizeof whole);                                      \
  }

/* Rows of pixels lie close; constant steps make the loop several times as fast. */
#define CAST_REALS(FROM, TO, LEAST, MOST)                       \
  if (from_stride == sizeof(FROM) && to_stride == sizeof(TO)) { \
    CAST(FROM, TO, LEAST, MOST, sizeof(FROM), sizeof(TO))       \
  } else {                                                      \
    CAST(FROM, TO, LEAST, MOST, from_stride, to_stride)         \
  }

#define CAST_TO_ALL(FROM)                                                     \
  switch (to_type) {                                                          \
    case SC_DTYPE_U8: CAST_REALS(FROM, uint8_t, 0, UINT8_MAX) break;          \
    case SC_DTYPE_I8: CAST_REALS(FROM, int8_t, INT8_MIN, INT8_MAX) break;     \
    case SC_DTYPE_U16: CAST_REALS(FROM, uint16_t, 0, UINT16_MAX) break;       \
    case SC_DTYPE_I16: CAST_REALS(FROM, int16_t, INT16_MIN, INT16_MAX) break; \
    case SC_DTYPE_U32: CAST_REALS(FROM, uint32_t, 0, UINT32_MAX) break;       \
    case SC_DTYPE_I32: CAST_REALS(FROM, int32_t, INT32_MIN, INT32_MAX) break; \
    case SC_DTYPE_U64: CAST_REALS(FROM, uint64_t, 0, UINT64_MAX) break;       \
    default: CAST_REALS(FROM, int64_t, INT64_MIN, INT64_MAX) break;           \
  }

static void cast_floats(const unsigned char *from, size_t from_stride, unsigned char *to,
                        enum sc_dtype to_type, size_t to_stride, size_t n) {
  CAST_TO_ALL(float)
}

static void cast_doubles(const unsigned char *from, size_t from_stride, unsigned char *to,
                         enum sc_dtype to_type, size_t to_stride, size_t n) {
  CAST_TO_ALL(double)
}

static void copy_words(const void *from, enum sc_dtype from_type, size_t from_stride, void *to,
                       enum sc_dtype to_type, size_t to_stride, size_t n) {
  GDALCopyWords64(from, sc_gdal_type(from_type), (int)from_stride, to, sc_gdal_type(to_type),
                  (int)to_stride, (GPtrDiff_t)n);
}

/* GDAL 3.6 has no signed byte: to and from it by way of int16. */
static void convert_signed_byte(const unsigned char *from, enum sc_dtype from_type,
                                size_t from_stride, unsigned char *to, enum sc_dtype to_type,
                                size_t to_stride, size_t n) {
  for (; n > 0; n--, from += from_stride, to += to_stride) {
    int16_t v;
    if (from_type == SC_DTYPE_I8) {
      v = (signed char)*from;
    } else {
      copy_words(from, from_type, 0, &v, SC_DTYPE_I16, 0, 1);
    }
    if (to_type == SC_DTYPE_I8) {
      *to = (unsigned char)(v < -128 ? -128 : v > 127 ? 127 : v);
    } else {
      copy_words(&v, SC_DTYPE_I16, 0, to, to_type, 0, 1);
    }
  }
}

int sc_gdal_casts(enum sc_dtype from, enum sc_dtype to) {
  int from_real = from == SC_DTYPE_F32 || from == SC_DTYPE_F64;
  int to_integer = to >= SC_DTYPE_U8 && to <= SC_DTYPE_I64;
  return (from_real && to_integer) || (from != to && (from == SC_DTYPE_I8 || to == SC_DTYPE_I8));
}

void sc_gdal_convert(const void *from, enum sc_dtype from_type, size_t from_stride, void *to,
                     enum sc_dtype to_type, size_t to_stride, size_t n) {
  if (!sc_gdal_casts(from_type, to_type)) {
    copy_words(from, from_type, from_stride, to, to_type, to_stride, n);
  } else if (from_type == SC_DTYPE_F32) {
    cast_floats(from, from_stride, to, to_type, to_stride, n);
  } else if (from_type == SC_DTYPE_F64) {
    cast_doubles(from, from_stride, to, to_type, to_stride, n);
  } else {
    convert_signed_byte(from, from_type, from_stride, to, to_type, to_stride, n);
  }
}
