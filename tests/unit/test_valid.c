/* raster/valid.c: which values are nodata, of each type. */
#include "raster/valid.h"

#include <math.h>
#include <string.h>

#include "check.h"

static void check_made(enum sc_dtype dtype, double value, int is_set) {
  struct sc_nodata made = sc_nodata_make(dtype, value);
  CHECK_INT(is_set, made.is_set);
}

static void test_values_of_types(void) {
  check_case("a_value_that_the_type_cannot_hold_is_none");
  check_made(SC_DTYPE_U8, 0, 1);
  check_made(SC_DTYPE_U8, 255, 1);
  check_made(SC_DTYPE_U8, 256, 0);
  check_made(SC_DTYPE_U8, -1, 0);
  check_made(SC_DTYPE_U8, 0.5, 0);
  check_made(SC_DTYPE_U8, NAN, 0);
  check_made(SC_DTYPE_I8, -128, 1);
  check_made(SC_DTYPE_I8, 128, 0);
  check_made(SC_DTYPE_U16, 65536, 0);
  check_made(SC_DTYPE_I16, -32768, 1);
  check_made(SC_DTYPE_I16, -32769, 0);
  check_made(SC_DTYPE_U32, 4294967295.0, 1);
  check_made(SC_DTYPE_U32, 4294967296.0, 0);
  check_made(SC_DTYPE_I32, -2147483649.0, 0);
  check_made(SC_DTYPE_F32, 1e300, 0);
  check_made(SC_DTYPE_F32, -3.4028235e38, 1);
  check_made(SC_DTYPE_F32, INFINITY, 1);
  check_made(SC_DTYPE_F64, 1e300, 1);
  check_made(SC_DTYPE_C64, 1e300, 0);
  check_made(SC_DTYPE_C128, NAN, 1);
  check_made(SC_DTYPE_NONE, 0, 0);
  check_case("the_largest_64_bit_integers_are_rounded_up_by_texts");
  CHECK(sc_nodata_make(SC_DTYPE_U64, 18446744073709551615.0).bits == UINT64_MAX);
  CHECK(sc_nodata_make(SC_DTYPE_I64, 9223372036854775807.0).bits == INT64_MAX);
  CHECK(sc_nodata_make(SC_DTYPE_I64, -0x1p63).bits == (uint64_t)INT64_MIN);
  check_made(SC_DTYPE_U64, -1, 0);
  check_made(SC_DTYPE_U64, 0x1p65, 0);
}

/* Of n pixels, stride bytes apart, those that are valid, as bits; a cleared one stays cleared. */
static unsigned judged(enum sc_dtype dtype, double nodata, const void *pixels, size_t stride,
                       size_t n) {
  struct sc_validity v = {.dtype = dtype, .nodata = sc_nodata_make(dtype, nodata)};
  uint8_t valid[8] = {1, 1, 1, 1, 1, 1, 1, 0};
  unsigned bits = 0;
  sc_valid_pixels(&v, pixels, dtype, stride, n, valid);
  for (size_t i = 0; i < 8; i++) bits |= (unsigned)valid[i] << i;
  return bits;
}

static void test_pixels(void) {
  const int8_t i8[] = {-1, 1, -1, 127, -128, 0, 5, 6};
  const uint16_t u16[] = {0, 65535, 0, 3, 65535, 1, 2, 7};
  const int64_t i64[] = {INT64_C(9007199254740993), INT64_C(9007199254740992), 0, 1, 2, 3, 4, 5};
  const float f32[] = {NAN, 0.1f, INFINITY, 0, -0.0f, 5, -INFINITY, 1};
  const float c64[] = {1, 2, 0, 1, NAN, 0, 2, NAN};
  check_case("values_are_compared_in_the_type_of_the_band");
  CHECK_INT(0x7A, judged(SC_DTYPE_I8, -1, i8, 1, 8));
  CHECK_INT(0x7F, judged(SC_DTYPE_U8, -1, i8, 1, 8));
  CHECK_INT(0x6D, judged(SC_DTYPE_U16, 65535, u16, 2, 8));
  CHECK_INT(0x7C, judged(SC_DTYPE_F32, 0.1, f32, 4, 8));
  CHECK_INT(0x66, judged(SC_DTYPE_F32, 0, f32, 4, 8));
  CHECK_INT(0x7A, judged(SC_DTYPE_F32, INFINITY, f32, 4, 8));
  CHECK_INT(0x71, judged(SC_DTYPE_C64, 0, c64, 8, 4));
  check_case("pixels_lie_apart");
  CHECK_INT(0x7E, judged(SC_DTYPE_I8, -1, i8, 4, 2));
  CHECK_INT(0x7C, judged(SC_DTYPE_U16, 0, u16, 4, 2));
  check_case("integers_that_no_double_holds");
  struct sc_validity v = {.dtype = SC_DTYPE_I64,
                          .nodata = {.is_set = 1, .bits = UINT64_C(9007199254740993)}};
  uint8_t valid[2] = {1, 1};
  sc_valid_pixels(&v, i64, SC_DTYPE_I64, 8, 2, valid);
  CHECK(valid[0] == 0 && valid[1] == 1);
}

static void test_shows(void) {
  const struct sc_validity wide = {.dtype = SC_DTYPE_I64}, narrow = {.dtype = SC_DTYPE_U16};
  check_case("float64_shows_what_it_holds");
  CHECK(sc_valid_shows(&narrow, SC_DTYPE_F64) && sc_valid_shows(&narrow, SC_DTYPE_U16));
  CHECK(!sc_valid_shows(&narrow, SC_DTYPE_U8) && !sc_valid_shows(&narrow, SC_DTYPE_F32));
  CHECK(sc_valid_shows(&wide, SC_DTYPE_I64) && !sc_valid_shows(&wide, SC_DTYPE_F64));
}

int main(void) {
  test_values_of_types();
  test_pixels();
  test_shows();
  return check_report();
}
