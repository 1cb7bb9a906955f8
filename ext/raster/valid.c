/* Is a pixel valid? See valid.h. */
#include "raster/valid.h"

#include <math.h>
#include <string.h>

/* Doubles from here on round to an infinite float. */
#define FLOAT_END 0x1.ffffffp127

static int is_real(enum sc_dtype t) { return t >= SC_DTYPE_F32; }

struct sc_nodata sc_nodata_make(enum sc_dtype dtype, double value) {
  struct sc_nodata out = {.value = value};
  switch (dtype) {
    case SC_DTYPE_NONE: break;
    case SC_DTYPE_F64:
    case SC_DTYPE_C128: out.is_set = 1; break;
    case SC_DTYPE_F32:
    case SC_DTYPE_C64:
      out.is_set = !isfinite(value) || fabs(value) < FLOAT_END;
      if (out.is_set) out.value = (double)(float)value;
      break;
    default: out.is_set = sc_dtype_holds_whole(dtype, value);
  }
  /* Texts and JSON round the largest 64-bit integers up to the first number beyond. */
  if (dtype == SC_DTYPE_I64) {
    out.is_set |= value == 0x1p63;
    if (out.is_set) out.bits = value == 0x1p63 ? INT64_MAX : (uint64_t)(int64_t)value;
  } else if (dtype == SC_DTYPE_U64) {
    out.is_set |= value == 0x1p64;
    if (out.is_set) out.bits = value == 0x1p64 ? UINT64_MAX : (uint64_t)value;
  }
  return out;
}

int sc_valid_by_value(const struct sc_validity *v) { return v->nodata.is_set || is_real(v->dtype); }

int sc_valid_shows(const struct sc_validity *v, enum sc_dtype type) {
  if (type == v->dtype) return 1;
  return type == SC_DTYPE_F64 && v->dtype != SC_DTYPE_U64 && v->dtype != SC_DTYPE_I64 &&
         !sc_dtype_is_complex(v->dtype);
}

/* The loop over pixels side by side is one of its own, so that compilers make vectors of it. */
#define CLEAR(TYPE, IS_INVALID)                            \
  do {                                                     \
    const unsigned char *at = pixels;                      \
    if (stride == sizeof(TYPE)) {                          \
      for (size_t i = 0; i < n; i++, at += sizeof(TYPE)) { \
        TYPE x;                                            \
        memcpy(&x, at, sizeof x);                          \
        valid[i] = (uint8_t)(valid[i] & !(IS_INVALID));    \
      }                                                    \
    } else {                                               \
      for (size_t i = 0; i < n; i++, at += stride) {       \
        TYPE x;                                            \
        memcpy(&x, at, sizeof x);                          \
        valid[i] = (uint8_t)(valid[i] & !(IS_INVALID));    \
      }                                                    \
    }                                                      \
  } while (0)

/* isnan(), as arithmetic. Where no value is nodata, it is compared with NaN, which nothing equals.
 */
#define IS_NAN(X) ((X) != (X))

struct complex_f32 {
  float real, imaginary;
};
struct complex_f64 {
  double real, imaginary;
};

static void clear_reals(double nodata, const void *pixels, enum sc_dtype type, size_t stride,
                        size_t n, uint8_t *valid) {
  switch (type) {
    case SC_DTYPE_F32: CLEAR(float, IS_NAN(x) | ((double)x == nodata)); break;
    case SC_DTYPE_F64: CLEAR(double, IS_NAN(x) | (x == nodata)); break;
    case SC_DTYPE_C64:
      CLEAR(struct complex_f32, IS_NAN(x.real) | IS_NAN(x.imaginary) | ((double)x.real == nodata));
      break;
    default: CLEAR(struct complex_f64, IS_NAN(x.real) | IS_NAN(x.imaginary) | (x.real == nodata));
  }
}

void sc_valid_pixels(const struct sc_validity *v, const void *pixels, enum sc_dtype type,
                     size_t stride, size_t n, uint8_t *valid) {
  const struct sc_nodata *nodata = &v->nodata;
  if (is_real(type)) {
    clear_reals(nodata->is_set ? nodata->value : NAN, pixels, type, stride, n, valid);
    return;
  }
  if (!nodata->is_set) return;
  const int64_t whole = sc_dtype_bytes(type) < 8 ? (int64_t)nodata->value : 0;
  switch (type) {
    case SC_DTYPE_U8: CLEAR(uint8_t, x == (uint8_t)whole); break;
    case SC_DTYPE_I8: CLEAR(int8_t, x == (int8_t)whole); break;
    case SC_DTYPE_U16: CLEAR(uint16_t, x == (uint16_t)whole); break;
    case SC_DTYPE_I16: CLEAR(int16_t, x == (int16_t)whole); break;
    case SC_DTYPE_U32: CLEAR(uint32_t, x == (uint32_t)whole); break;
    case SC_DTYPE_I32: CLEAR(int32_t, x == (int32_t)whole); break;
    default: CLEAR(uint64_t, x == nodata->bits); break;
  }
}
