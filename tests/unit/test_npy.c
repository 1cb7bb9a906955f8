/* pixels/npy.c: headers as NumPy's format.py has them, and archives. */
#include "pixels/npy.h"

#include <string.h>

#include "check.h"

static void test_header(void) {
  check_case("header_is_aligned_and_says_type_and_shape");
  for (int n = 1; n <= 4; n++) {
    struct sc_buffer out = {0};
    struct sc_error err = {0};
    const struct sc_npy_array array = {"<u2", n, {7, 10, 256, 100000}};
    CHECK_INT(SC_OK, sc_npy_header(&array, &out, &err));
    CHECK_BYTES("\x93NUMPY\x01\x00", 8, out.data, 8);
    CHECK_INT(0, out.size % 64);
    CHECK_INT(out.size - 10, out.data[8] + 256 * out.data[9]);
    CHECK_INT('\n', out.data[out.size - 1]);
    CHECK(memmem(out.data, out.size, "'descr': '<u2'", 14) != NULL);
    CHECK(memmem(out.data, out.size, "'fortran_order': False", 22) != NULL);
    const char *dims = n == 1   ? "(7,)"
                       : n == 2 ? "(7, 10)"
                       : n == 3 ? "(7, 10, 256)"
                                : "(7, 10, 256, 100000)";
    CHECK(memmem(out.data, out.size, dims, strlen(dims)) != NULL);
    sc_buffer_free(&out);
  }
}

static void test_names(void) {
  check_case("names_of_types");
  CHECK_TEXT("|u1", sc_npy_descr(SC_DTYPE_U8));
  CHECK_TEXT("|i1", sc_npy_descr(SC_DTYPE_I8));
  CHECK_TEXT("<i8", sc_npy_descr(SC_DTYPE_I64));
  CHECK_TEXT("<f4", sc_npy_descr(SC_DTYPE_F32));
}

static sc_status read_text(const char *dict, size_t n_data, struct sc_npy_view *view,
                           struct sc_error *err) {
  unsigned char npy[400] = "\x93NUMPY\x01";
  size_t n = strlen(dict);
  npy[8] = (unsigned char)n;
  memcpy(npy + 10, dict, n);
  return sc_npy_read(npy, 10 + n + n_data, view, err);
}

static void test_reading(void) {
  struct sc_npy_view view;
  struct sc_error err = {0};
  check_case("what_is_written_is_read");
  for (int n = 1; n <= 4; n++) {
    struct sc_buffer out = {0};
    const struct sc_npy_array array = {"<f4", n, {3, 2, 5, 1}};
    const size_t values[] = {0, 3, 6, 30, 30};
    CHECK_INT(SC_OK, sc_npy_header(&array, &out, &err));
    for (size_t i = 0; i < values[n]; i++)
      CHECK_INT(SC_OK, sc_buffer_append(&out, "abcd", 4, &err));
    CHECK_INT(SC_OK, sc_npy_read(out.data, out.size, &view, &err));
    CHECK_INT(SC_DTYPE_F32, view.dtype);
    CHECK_INT(n, view.n_dims);
    CHECK_INT(3, view.shape[0]);
    CHECK_INT(values[n], view.n_values);
    CHECK_BYTES("abcd", 4, view.data, 4);
    CHECK_INT(SC_BAD_DATA, sc_npy_read(out.data, out.size - 1, &view, &err));
    for (size_t i = 0; i < out.size - 4 * values[n]; i++) /* cut anywhere: an error, no fault */
      CHECK_INT(SC_BAD_DATA, sc_npy_read(out.data, i, &view, &err));
    sc_buffer_free(&out);
  }
  check_case("what_numpy_may_write_otherwise");
  CHECK_INT(SC_OK,
            read_text("{\"shape\":(2,3),'descr':'|b1','fortran_order':False}", 6, &view, &err));
  CHECK_INT(SC_DTYPE_U8, view.dtype);
  CHECK_INT(SC_OK, read_text("{'descr':'<u2','fortran_order':True,'shape':(1,3)}", 6, &view, &err));
  CHECK_INT(SC_OK, read_text("{'descr':'<u2','fortran_order':False,'shape':(0,18446744073709551)}",
                             0, &view, &err));
  CHECK_INT(0, view.n_values);
  static const struct {
    const char *dict, *message;
  } bad[] = {
      {"{'descr':'>u2','fortran_order':False,'shape':(3,)}", "type >u2"},
      {"{'descr':'<f2','fortran_order':False,'shape':(3,)}", "astype"},
      {"{'descr':'<u2','fortran_order':True,'shape':(3,1,1,3)}", "ascontiguousarray"},
      {"{'descr':'<u2','fortran_order':False,'shape':()}", "0 dimensions"},
      {"{'descr':'<u2','fortran_order':False,'shape':(1,1,1,1,3)}", "5 dimensions"},
      {"{'descr':'<u2','fortran_order':False,'shape':(4294967296,4294967296)}", "do not fit"},
      {"{'descr':'<u2','fortran_order':False,'shape':(-3,)}", "damaged"},
      {"{'descr':'<u2','fortran_order':False}", "damaged"},
      {"{'descr':'<u2','fortran_order':False,'shape':(3,)", "damaged"},
      {"{'descr':[('a','<u2')],'fortran_order':False,'shape':(3,)}", "damaged"},
      {"'descr'", "damaged"},
  };
  check_case("others_are_errors");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK_INT(SC_BAD_DATA, read_text(bad[i].dict, 6, &view, &err));
    CHECK_HAS(bad[i].message, err.text);
  }
  CHECK_INT(SC_BAD_DATA, sc_npy_read("PK", 2, &view, &err));
  CHECK_HAS("numpy.save", err.text);
}

static void test_archive(void) {
  check_case("archive_has_its_members_and_directory");
  struct sc_npz npz = {{0}, {0}, 0};
  struct sc_error err = {0};
  static const uint8_t data[6] = {1, 2, 3, 4, 5, 6};
  static const struct sc_npy_array array = {"|u1", 2, {2, 3}};
  static const char *const texts[] = {"a", "lang-\xc3\xa4", ""};
  CHECK_INT(SC_OK, sc_npz_add(&npz, "pixels", &array, data, sizeof data, &err));
  CHECK_INT(SC_OK, sc_npz_add_texts(&npz, "names", texts, 3, &err));
  CHECK_INT(SC_OK, sc_npz_finish(&npz, &err));
  CHECK_INT(2, npz.n_members);
  CHECK_BYTES("PK\x03\x04", 4, npz.archive.data, 4);
  CHECK_BYTES("PK\x05\x06", 4, npz.archive.data + npz.archive.size - 22, 4);
  CHECK(memmem(npz.archive.data, npz.archive.size, "pixels.npy", 10) != NULL);
  CHECK(memmem(npz.archive.data, npz.archive.size, "'<U6'", 5) != NULL); /* counted in characters */
  sc_npz_free(&npz);
}

int main(void) {
  test_header();
  test_names();
  test_reading();
  test_archive();
  return check_report();
}
