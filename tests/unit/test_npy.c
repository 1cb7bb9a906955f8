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
  test_archive();
  return check_report();
}
