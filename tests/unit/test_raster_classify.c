/* raster/classify_row.c against plain loops: all tails and alignments. */
#include "raster/classify_row.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#define N_MAX 700

static uint8_t table[65536];

static void make_table(void) {
  for (size_t i = 0; i < sizeof table; i++) table[i] = (uint8_t)((i * 2654435761u >> 13) & 3);
}

/* Classes with few values, now and then a large one, in runs. */
static unsigned pixel(size_t i, unsigned kind) {
  unsigned h = (unsigned)(i / (kind + 1)) * 2654435761u;
  return kind == 0 ? h >> 16 & 0xFF : h >> 28 == 3 ? 200 : h >> 28;
}

static void test_bytes(void) {
  check_case("bytes_of_every_length_and_alignment");
  uint8_t pixels[N_MAX + 16], bits[N_MAX + 16];
  int n_wrong = 0, n_beyond = 0;
  for (unsigned kind = 0; kind < 40; kind += 3) {
    for (size_t n = 0; n < 150; n++) {
      size_t shift = (n + kind) % 16;
      for (size_t i = 0; i < n; i++) pixels[shift + i] = (uint8_t)pixel(i + kind, kind);
      memset(bits, 0xEE, sizeof bits);
      sc_classify_u8(pixels + shift, n, table, bits + shift);
      for (size_t i = 0; i < n; i++) n_wrong += bits[shift + i] != table[pixels[shift + i]];
      for (size_t i = shift + n; i < sizeof bits; i++) n_beyond += bits[i] != 0xEE;
    }
  }
  CHECK_INT(0, n_wrong);
  CHECK_INT(0, n_beyond);
}

static void test_words(void) {
  check_case("words_as_values_and_as_differences");
  uint16_t values[N_MAX], differences[N_MAX];
  uint8_t bits[N_MAX + 8];
  int n_wrong = 0, n_beyond = 0;
  for (unsigned kind = 0; kind < 12; kind++) {
    for (size_t n = 1; n < 120; n++) {
      for (size_t i = 0; i < n; i++) values[i] = (uint16_t)(pixel(i, kind) * 331u);
      for (size_t i = 0; i < n; i++)
        differences[i] = (uint16_t)(values[i] - (i ? values[i - 1] : 0));
      for (int as_differences = 0; as_differences < 2; as_differences++) {
        memset(bits, 0xEE, sizeof bits);
        sc_classify_u16(as_differences ? differences : values, n, table, as_differences, bits);
        for (size_t i = 0; i < n; i++) n_wrong += bits[i] != table[values[i]];
        for (size_t i = n; i < sizeof bits; i++) n_beyond += bits[i] != 0xEE;
      }
    }
  }
  CHECK_INT(0, n_wrong);
  CHECK_INT(0, n_beyond);
}

static void test_counts(void) {
  check_case("counts_of_every_length");
  uint8_t bits[N_MAX];
  int n_wrong = 0;
  for (int fill = 0; fill < 5; fill++) {
    for (size_t i = 0; i < N_MAX; i++)
      bits[i] = fill < 4 ? (uint8_t)fill : (uint8_t)(pixel(i, 2) & 3);
    for (size_t n = 0; n <= N_MAX; n++) {
      uint32_t cloud = 0, nodata = 0, want_cloud = 0, want_nodata = 0;
      for (size_t i = 0; i < n; i++) want_cloud += bits[i] & 1u, want_nodata += bits[i] >> 1 & 1u;
      sc_count_bits(bits, n, &cloud, &nodata);
      n_wrong += cloud != want_cloud || nodata != want_nodata;
    }
  }
  CHECK_INT(0, n_wrong);
}

int main(void) {
  make_table();
  test_bytes();
  test_words();
  test_counts();
  return check_report();
}
