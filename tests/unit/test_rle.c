/* ext/parquet/rle.c and delta.c */
#include "parquet/rle.h"

#include "check.h"
#include "parquet/delta.h"

static void round_trip(const uint32_t *values, size_t n, unsigned width) {
  struct sc_buffer b = {0};
  struct sc_error err = {0};
  struct sc_rle_in r;
  uint32_t back[1000];
  CHECK_INT(SC_OK, sc_rle_write(values, n, width, &b, &err));
  CHECK_INT(SC_OK, sc_rle_init(&r, b.data, b.size, width, &err));
  for (size_t at = 0; at < n; at += 7) { /* in uneven steps */
    CHECK_INT(SC_OK, sc_rle_read(&r, n - at < 7 ? n - at : 7, back + at, &err));
  }
  CHECK_BYTES(values, n * sizeof *values, back, n * sizeof *values);
  sc_buffer_free(&b);
}

static void runs_and_packed_values_read_back(void) {
  uint32_t values[1000];
  check_case("runs_and_packed_values_read_back");
  for (unsigned width = 0; width <= 32; width++) {
    uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1;
    for (uint32_t i = 0; i < 1000; i++) {
      values[i] = (i / 100 % 2 ? 5 : i * 2654435761u) & mask; /* runs between noise */
    }
    if (width) round_trip(values, 1000, width);
    round_trip(values + 100, 100, width);
    if (width) round_trip(values, 3, width);
  }
}

static void hostile_runs_are_errors(void) {
  struct sc_error err = {0};
  struct sc_rle_in r;
  uint32_t out[64];
  check_case("hostile_runs_are_errors");
  CHECK_INT(SC_BAD_DATA, sc_rle_init(&r, "", 0, 33, &err));
  sc_rle_init(&r, "", 0, 3, &err);
  CHECK_INT(SC_BAD_DATA, sc_rle_read(&r, 1, out, &err)); /* nothing there */
  sc_rle_init(&r, "\x10\xFF", 2, 3, &err);
  CHECK_INT(SC_BAD_DATA, sc_rle_read(&r, 8, out, &err)); /* 255 in 3 bits */
  sc_rle_init(&r, "\x00\x01", 2, 3, &err);
  CHECK_INT(SC_BAD_DATA, sc_rle_read(&r, 1, out, &err)); /* a run of none */
  sc_rle_init(&r, "\xFF\xFF\xFF\xFF\xFF\xFF", 6, 3, &err);
  CHECK_INT(SC_BAD_DATA, sc_rle_read(&r, 1, out, &err));
  sc_rle_init(&r, "\x01", 1, 0, &err);
  CHECK_INT(SC_BAD_DATA, sc_rle_read(&r, 1, out, &err)); /* no groups of values without bits */
}

static void values_without_bits_are_zeros(void) {
  struct sc_error err = {0};
  struct sc_rle_in r;
  uint32_t out[64] = {7};
  check_case("values_without_bits_are_zeros");
  sc_rle_init(&r, "\x03\x06", 2, 0, &err); /* a packed group of 8, then a run of 3 */
  CHECK_INT(SC_OK, sc_rle_read(&r, 11, out, &err));
  for (int i = 0; i < 11; i++) CHECK_INT(0, out[i]);
  CHECK_INT(SC_BAD_DATA, sc_rle_read(&r, 1, out, &err));
}

static void delta_of_the_specification_reads(void) {
  /* Encodings.md, example 2: 7 5 3 1 2 3 4 5; block 128, 4 miniblocks, 8 values. */
  static const unsigned char bytes[] = {0x80, 0x01, 0x04, 0x08, 0x0E, 0x03, 0x02, 0, 0,
                                        0,    0xC0, 0x3F, 0,    0,    0,    0,    0, 0};
  static const int64_t expected[] = {7, 5, 3, 1, 2, 3, 4, 5};
  struct sc_error err = {0};
  struct sc_delta_in d;
  int64_t out[8];
  check_case("delta_of_the_specification_reads");
  CHECK_INT(SC_OK, sc_delta_init(&d, bytes, sizeof bytes, &err));
  CHECK_INT(8, d.left);
  CHECK_INT(SC_OK, sc_delta_read(&d, 3, out, &err));
  CHECK_INT(SC_OK, sc_delta_read(&d, 5, out + 3, &err));
  CHECK_BYTES(expected, sizeof expected, out, sizeof out);
  CHECK_INT(SC_BAD_DATA, sc_delta_read(&d, 1, out, &err));
}

static void hostile_deltas_are_errors(void) {
  struct sc_error err = {0};
  struct sc_delta_in d;
  int64_t out[300];
  check_case("hostile_deltas_are_errors");
  CHECK_INT(SC_BAD_DATA, sc_delta_init(&d, "\x80\x01\x00\x08\x0E", 5, &err)); /* 0 miniblocks */
  CHECK_INT(SC_BAD_DATA, sc_delta_init(&d, "\x00\x04\x08\x0E", 4, &err));     /* empty blocks */
  CHECK_INT(SC_BAD_DATA, sc_delta_init(&d, "\x80", 1, &err));
  CHECK_INT(SC_OK, sc_delta_init(&d, "\x80\x01\x04\xFF\x01\x0E\x03\x41\x41\x41\x41", 11, &err));
  CHECK_INT(SC_BAD_DATA, sc_delta_read(&d, 255, out, &err)); /* 65 bits */
}

int main(void) {
  runs_and_packed_values_read_back();
  hostile_runs_are_errors();
  values_without_bits_are_zeros();
  delta_of_the_specification_reads();
  hostile_deltas_are_errors();
  return check_report();
}
