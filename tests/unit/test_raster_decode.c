/* raster/decode.c: early stops at every length of many streams, damaged streams, predictors. */
#include "raster/decode.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "check.h"

#define WHOLE 24000

/* Bytes of several kinds: runs (long matches), noise (literals), and repeats across distances. */
static void make_bytes(unsigned kind, unsigned char *out, size_t n) {
  uint32_t h = kind * 2654435761u + 1;
  for (size_t i = 0; i < n; i++) {
    h = h * 1664525u + 1013904223u;
    switch (kind % 5) {
      case 0: out[i] = (unsigned char)(i / 700); break;
      case 1: out[i] = (unsigned char)(h >> 24); break;
      case 2: out[i] = i >= 300 ? out[i - 300] : (unsigned char)(h >> 24); break;
      case 3: out[i] = (unsigned char)(h >> 30 ? 0 : i); break;
      default: out[i] = i >= 5 && (h >> 28) ? out[i - 5] : (unsigned char)(h >> 16); break;
    }
  }
}

static size_t pack(enum sc_codec codec, int level, const unsigned char *bytes, size_t n,
                   unsigned char *out, size_t room) {
  if (codec == SC_CODEC_ZSTD) return ZSTD_compress(out, room, bytes, n, level);
  struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
  size_t size = libdeflate_zlib_compress(c, bytes, n, out, room);
  libdeflate_free_compressor(c);
  return size;
}

/* Stop after each of all lengths: the bytes wanted are right, and nothing lies beyond the room. */
static void check_cuts(enum sc_codec codec, unsigned kind, int level, size_t step) {
  static unsigned char bytes[WHOLE], packed[2 * WHOLE], out[WHOLE + SC_DECODE_SLACK];
  const struct sc_tiff tiff = {.codec = codec};
  struct sc_error err = {0};
  make_bytes(kind, bytes, sizeof bytes);
  size_t n = pack(codec, level, bytes, sizeof bytes, packed, sizeof packed);
  int n_wrong = 0, n_beyond = 0;
  for (size_t wanted = 1; wanted <= WHOLE; wanted += step) {
    size_t room = wanted + SC_DECODE_SLACK < WHOLE ? wanted + SC_DECODE_SLACK : WHOLE;
    memset(out, 0xA5, sizeof out);
    sc_status st = sc_decode_block(&tiff, packed, n, wanted, WHOLE, out, &err);
    n_wrong += st != SC_OK || memcmp(out, bytes, wanted) != 0;
    for (size_t i = room; i < sizeof out; i++) n_beyond += out[i] != 0xA5;
  }
  CHECK_INT(0, n_wrong);
  CHECK_INT(0, n_beyond);
}

static void test_cuts(void) {
  check_case("an_early_stop_gives_the_right_prefix_at_every_length");
  for (unsigned kind = 0; kind < 5; kind++) {
    check_cuts(SC_CODEC_DEFLATE, kind, 6, 1);
    for (int level = 0; level <= 12; level += 3) check_cuts(SC_CODEC_DEFLATE, kind, level, 17);
    for (int level = 1; level <= 19; level += 6) check_cuts(SC_CODEC_ZSTD, kind, level, 13);
  }
}

static void test_damage(void) {
  static unsigned char bytes[WHOLE], packed[2 * WHOLE], out[WHOLE];
  struct sc_error err = {0};
  make_bytes(4, bytes, sizeof bytes);
  check_case("a_cut_stream_is_an_error_never_a_short_result");
  for (int codec = SC_CODEC_DEFLATE; codec <= SC_CODEC_ZSTD; codec++) {
    const struct sc_tiff tiff = {.codec = (enum sc_codec)codec};
    size_t n = pack((enum sc_codec)codec, 6, bytes, sizeof bytes, packed, sizeof packed);
    int n_ok = 0;
    for (size_t cut = 0; cut < n - 8; cut += 7) {
      n_ok += sc_decode_block(&tiff, packed, cut, WHOLE, WHOLE, out, &err) == SC_OK;
    }
    CHECK_INT(0, n_ok);
  }
  check_case("a_wrong_checksum_is_an_error");
  const struct sc_tiff deflate = {.codec = SC_CODEC_DEFLATE}, none = {.codec = SC_CODEC_NONE};
  size_t n = pack(SC_CODEC_DEFLATE, 6, bytes, sizeof bytes, packed, sizeof packed);
  packed[n - 1] ^= 1;
  CHECK_INT(SC_BAD_DATA, sc_decode_block(&deflate, packed, n, WHOLE, WHOLE, out, &err));
  CHECK_HAS("inflate: damaged data", err.text);
  check_case("a_stream_longer_than_its_block_is_an_error");
  memset(&err, 0, sizeof err);
  packed[n - 1] ^= 1;
  CHECK_INT(SC_BAD_DATA, sc_decode_block(&deflate, packed, n, WHOLE - 10, WHOLE - 10, out, &err));
  CHECK_HAS("more data than the block has", err.text);
  check_case("an_uncompressed_block_that_is_short");
  memset(&err, 0, sizeof err);
  CHECK_INT(SC_UNSUPPORTED, sc_decode_block(&none, bytes, 99, 100, WHOLE, out, &err));
  CHECK_HAS("block of 99 bytes where 100 are needed", err.text);
}

/* Predictor 2 of every size and stride against differences made by a plain loop. */
static void check_horizontal(enum sc_dtype dtype, int n_bands, int planar) {
  const struct sc_tiff tiff = {
      .dtype = dtype, .n_bands = n_bands, .planar = planar, .block_width = 37, .predictor = 2};
  size_t size = sc_dtype_bytes(dtype), stride = planar ? 1 : (size_t)n_bands, n = 37 * stride;
  uint64_t values[37 * 5], row[37 * 5];
  make_bytes(1, (unsigned char *)values, n * size);
  memcpy(row, values, n * size);
  for (size_t i = n; i-- > stride;) {
    uint64_t a = 0, b = 0;
    memcpy(&a, (unsigned char *)values + i * size, size);
    memcpy(&b, (unsigned char *)values + (i - stride) * size, size);
    a -= b;
    memcpy((unsigned char *)row + i * size, &a, size);
  }
  sc_decode_row(&tiff, (unsigned char *)row, NULL);
  CHECK_BYTES(values, n * size, row, n * size);
}

/* Predictor 3: high bytes of all values first, then byte differences. */
static void check_floating(enum sc_dtype dtype, int n_bands) {
  const struct sc_tiff tiff = {
      .dtype = dtype, .n_bands = n_bands, .block_width = 37, .predictor = 3};
  size_t size = sc_dtype_bytes(dtype), stride = (size_t)n_bands, n = 37 * stride;
  unsigned char values[37 * 4 * 8], row[37 * 4 * 8], scratch[37 * 4 * 8];
  make_bytes(1, values, n * size);
  for (size_t i = 0; i < n; i++) {
    for (size_t b = 0; b < size; b++) row[(size - 1 - b) * n + i] = values[i * size + b];
  }
  for (size_t i = n * size; i-- > stride;) row[i] = (unsigned char)(row[i] - row[i - stride]);
  sc_decode_row(&tiff, row, scratch);
  CHECK_BYTES(values, n * size, row, n * size);
}

static void test_predictors(void) {
  check_case("predictors_are_undone_for_every_type_and_number_of_bands");
  for (int bands = 1; bands <= 4; bands++) {
    for (int dtype = SC_DTYPE_U8; dtype <= SC_DTYPE_I64; dtype++) {
      check_horizontal((enum sc_dtype)dtype, bands, 0);
      check_horizontal((enum sc_dtype)dtype, bands, 1);
    }
    check_floating(SC_DTYPE_F32, bands);
    check_floating(SC_DTYPE_F64, bands);
  }
}

/* The bands of interleaved pixels, apart, against a plain loop; nothing else is written. */
static void check_split(enum sc_dtype dtype, int n_bands) {
  enum { N = 21, GAP = 8 };
  const struct sc_tiff tiff = {.dtype = dtype, .n_bands = n_bands, .block_width = N};
  size_t size = sc_dtype_bytes(dtype), plane = N * size + GAP, bands = (size_t)n_bands;
  uint64_t from[N * 5], out[(N + 1) * 5], expected[(N + 1) * 5];
  make_bytes(1, (unsigned char *)from, N * bands * size);
  memset(out, 0xA5, sizeof out);
  memset(expected, 0xA5, sizeof expected);
  for (size_t i = 0; i < N * bands; i++) {
    memcpy((unsigned char *)expected + i % bands * plane + i / bands * size,
           (unsigned char *)from + i * size, size);
  }
  sc_decode_split(&tiff, (unsigned char *)from, N, (unsigned char *)out, plane);
  CHECK_BYTES(expected, sizeof expected, out, sizeof out);
}

static void test_split(void) {
  check_case("bands_of_interleaved_pixels_are_parted_for_every_type_and_number_of_bands");
  for (int bands = 1; bands <= 5; bands++) {
    for (int dtype = SC_DTYPE_U8; dtype <= SC_DTYPE_F64; dtype++)
      check_split((enum sc_dtype)dtype, bands);
  }
}

int main(void) {
  test_cuts();
  test_damage();
  test_predictors();
  test_split();
  return check_report();
}
