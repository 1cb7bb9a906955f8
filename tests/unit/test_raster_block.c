/* raster/block.c: a block from its first bytes only, at every length: an error or the right rows.
 */
#include "raster/block.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "check.h"
#include "raster/memory.h"

#define SIDE 512
#define WHOLE ((size_t)SIDE * SIDE)

enum kind { RUNS, NOISE, REPEATS, SPARSE, DENSE_TOP, N_KINDS };

static void make_rows(enum kind kind, unsigned char *out) {
  uint32_t h = 1;
  for (size_t i = 0; i < WHOLE; i++) {
    h = h * 1664525u + 1013904223u;
    switch (kind) {
      case RUNS: out[i] = (unsigned char)(i / 7000); break;
      case NOISE: out[i] = (unsigned char)(h >> 24); break;
      case REPEATS: out[i] = i >= 300 && h >> 29 ? out[i - 300] : (unsigned char)(h >> 24); break;
      case SPARSE: out[i] = (unsigned char)(h >> 26 ? 0 : i); break;
      default: out[i] = i < WHOLE / 4 ? (unsigned char)(h >> 24) : 0; break;
    }
  }
}

static struct sc_file file_of(enum sc_codec codec, uint64_t *offset, uint64_t *size) {
  struct sc_file f = {.is_plain = 1, .is_remote = 1, .descriptor = -1};
  f.tiff.width = f.tiff.height = f.tiff.block_width = f.tiff.block_height = SIDE;
  f.tiff.n_bands = f.tiff.blocks_across = f.tiff.blocks_down = f.tiff.predictor = 1;
  f.tiff.n_blocks = 1;
  f.tiff.dtype = SC_DTYPE_U8;
  f.tiff.codec = codec;
  f.tiff.offsets = offset;
  f.tiff.byte_counts = size;
  return f;
}

static int is_right(const struct sc_block *b, const struct sc_tiff *t, const unsigned char *rows) {
  for (int i = 0; i < sc_block_panels(t); i++) {
    struct sc_block_panel s = sc_block_panel(b, t, i, 0);
    for (int y = 0; y < b->end_row; y++) {
      size_t n = (size_t)s.width, at = (size_t)y * SIDE + (size_t)s.left;
      if (memcmp(s.pixels + (size_t)y * n, rows + at, n) != 0) return 0;
    }
  }
  return 1;
}

/* Every step-th length of the part: returns how many gave rows, and counts wrong ones. */
static int try_parts(const struct sc_file *f, const unsigned char *packed, size_t n, int end,
                     const unsigned char *rows, size_t step, int *n_wrong) {
  int n_good = 0;
  for (size_t part = 1; part < n; part += step) {
    struct sc_block block = {0};
    struct sc_error err = {0};
    const struct sc_view bytes = {packed, part};
    const struct sc_block_rows wanted = {0, end, 0};
    if (sc_block_prepare(&block, f, 0, wanted, &bytes, &err) == SC_OK) {
      n_good++;
      *n_wrong += block.end_row != end || !is_right(&block, &f->tiff, rows);
    }
    sc_memory_give(block.data);
  }
  return n_good;
}

static void check_codec(enum sc_codec codec, int level) {
  unsigned char *rows = malloc(WHOLE), *packed = malloc(2 * WHOLE);
  struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
  int n_wrong = 0, n_good = 0;
  for (int kind = 0; kind < N_KINDS; kind++) {
    make_rows((enum kind)kind, rows);
    size_t n = codec == SC_CODEC_ZSTD ? ZSTD_compress(packed, 2 * WHOLE, rows, WHOLE, 3)
                                      : libdeflate_zlib_compress(c, rows, WHOLE, packed, 2 * WHOLE);
    uint64_t offset = 8, size = n;
    struct sc_file f = file_of(codec, &offset, &size);
    for (int end = 1; end < SIDE; end += 150) {
      n_good += try_parts(&f, packed, n, end, rows, n / 211 + 1, &n_wrong);
    }
  }
  CHECK_INT(0, n_wrong);
  CHECK(n_good > 100);
  libdeflate_free_compressor(c);
  free(rows);
  free(packed);
}

static void test_parts(void) {
  check_case("rows_from_a_part_are_right_or_an_error");
  for (int level = 0; level <= 12; level += 4) check_codec(SC_CODEC_DEFLATE, level);
  check_codec(SC_CODEC_ZSTD, 0);
}

static void test_part_size(void) {
  uint64_t offset = 8, size = 200000;
  struct sc_file f = file_of(SC_CODEC_DEFLATE, &offset, &size);
  check_case("a_part_grows_with_its_rows_up_to_the_whole");
  uint64_t last = 0;
  for (int end = 1; end <= SIDE; end++) {
    uint64_t part = sc_block_part(&f.tiff, 0, end);
    CHECK(part >= last && part <= size && part * SIDE >= size * (uint64_t)end);
    last = part;
  }
  CHECK_INT((int)size, (int)last);
  CHECK(sc_block_part(&f.tiff, 0, SIDE / 4) < size * 6 / 10);
}

int main(void) {
  test_parts();
  test_part_size();
  return check_report();
}
