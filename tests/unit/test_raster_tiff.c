/*
 * raster/tiff.c: the layout of files that libtiff writes here, as libtiff and GDAL see it, their
 * blocks as GDAL reads them; then hostile headers, damaged bytes and short reads.
 */
#include "raster/tiff.h"

#include <cpl_conv.h>
#include <errno.h>
#include <fcntl.h>
#include <gdal.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check.h"
#include "raster/block.h"
#include "raster/gdal.h"

#define TAG_NODATA 42113

struct memory {
  unsigned char *bytes;
  size_t size;
  int n_good; /* reads that succeed before all fail; -1: all of them */
};

static int64_t read_memory(void *context, uint64_t offset, void *bytes, size_t n) {
  struct memory *m = context;
  if (m->n_good == 0) return -1;
  if (m->n_good > 0) m->n_good--;
  if (offset >= m->size) return 0;
  if (n > m->size - offset) n = m->size - offset;
  memcpy(bytes, m->bytes + offset, n);
  return (int64_t)n;
}

static struct memory load(const char *path) {
  struct memory m = {.n_good = -1};
  FILE *f = fopen(path, "rb");
  if (!f) return m;
  fseek(f, 0, SEEK_END);
  m.size = (size_t)ftell(f);
  m.bytes = malloc(m.size);
  rewind(f);
  if (m.bytes && fread(m.bytes, 1, m.size, f) != m.size) m.size = 0;
  fclose(f);
  return m;
}

static sc_status open_memory(struct memory *m, struct sc_tiff *out, struct sc_error *err) {
  return sc_tiff_open(read_memory, m, m->size, out, err);
}

/* --- plain files --- */

struct shape {
  const char *name, *mode; /* libtiff: w little, b big endian, 8 BigTIFF */
  uint32_t width, height, block_width, block_height; /* block_width 0: strips */
  uint16_t bands, bits, format, planar, compression, predictor, photometric;
  const char *nodata;
  enum sc_dtype dtype; /* SC_DTYPE_NONE: not plain */
};

#define U SAMPLEFORMAT_UINT
#define I SAMPLEFORMAT_INT
#define F SAMPLEFORMAT_IEEEFP
#define PIXELS PLANARCONFIG_CONTIG
#define PLANES PLANARCONFIG_SEPARATE
#define NONE COMPRESSION_NONE
#define DEFLATE COMPRESSION_ADOBE_DEFLATE
#define ZSTD COMPRESSION_ZSTD
#define GREY PHOTOMETRIC_MINISBLACK

static const struct shape shapes[] = {
    {"tiles", "wl", 300, 200, 64, 32, 1, 8, U, PIXELS, DEFLATE, 1, GREY, NULL, SC_DTYPE_U8},
    {"strips", "wl", 301, 203, 0, 16, 1, 16, U, PIXELS, DEFLATE, 2, GREY, "7", SC_DTYPE_U16},
    {"one strip", "wl", 31, 23, 0, 5000, 1, 16, I, PIXELS, NONE, 1, GREY, "-1", SC_DTYPE_I16},
    {"strips of one row", "wl", 9, 5, 0, 1, 1, 32, U, PIXELS, NONE, 1, GREY, "", SC_DTYPE_U32},
    {"BigTIFF", "w8l", 129, 65, 32, 32, 2, 32, I, PIXELS, ZSTD, 2, GREY, "5", SC_DTYPE_I32},
    {"planes", "wl", 100, 90, 48, 16, 3, 16, U, PLANES, DEFLATE, 2, GREY, "0", SC_DTYPE_U16},
    {"planes in strips", "w8l", 100, 90, 0, 13, 3, 8, U, PLANES, NONE, 1, GREY, "9", SC_DTYPE_U8},
    {"floats", "wl", 70, 70, 32, 32, 1, 32, F, PIXELS, DEFLATE, 3, GREY, "nan", SC_DTYPE_F32},
    {"doubles", "wl", 70, 70, 32, 32, 2, 64, F, PIXELS, ZSTD, 3, GREY, "-9999.5", SC_DTYPE_F64},
    {"a tile as wide as the image", "wl", 64, 70, 64, 32, 1, 8, U, PIXELS, DEFLATE, 1, GREY, "3",
     SC_DTYPE_U8},
    {"a tile larger than the image", "wl", 5, 6, 32, 32, 1, 8, U, PIXELS, DEFLATE, 1, GREY, "3",
     SC_DTYPE_U8},
    {"nodata beyond the type", "wl", 64, 64, 32, 32, 1, 8, U, PIXELS, NONE, 1, GREY, "-9999",
     SC_DTYPE_U8},
    {"nodata that is no number", "wl", 64, 64, 32, 32, 1, 8, U, PIXELS, NONE, 1, GREY, "none",
     SC_DTYPE_U8},
    {"a palette's indexes", "wl", 64, 64, 32, 32, 1, 8, U, PIXELS, NONE, 1, PHOTOMETRIC_MINISWHITE,
     NULL, SC_DTYPE_U8},
    {"big endian", "wb", 64, 64, 32, 32, 1, 16, U, PIXELS, DEFLATE, 1, GREY, NULL, SC_DTYPE_NONE},
    {"LZW", "wl", 64, 64, 32, 32, 1, 16, U, PIXELS, COMPRESSION_LZW, 1, GREY, NULL, SC_DTYPE_NONE},
    {"CMYK", "wl", 64, 64, 32, 32, 4, 8, U, PIXELS, NONE, 1, PHOTOMETRIC_SEPARATED, NULL,
     SC_DTYPE_NONE},
    {"bits", "wl", 64, 64, 32, 32, 1, 1, U, PIXELS, NONE, 1, GREY, NULL, SC_DTYPE_NONE},
    {"half floats", "wl", 64, 64, 32, 32, 1, 16, F, PIXELS, NONE, 1, GREY, NULL, SC_DTYPE_NONE},
};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

static void path_of(size_t i, char path[64]) { snprintf(path, 64, "build/tiff-%zu.tif", i); }

static void know_nodata(TIFF *tiff) {
  static const TIFFFieldInfo field[] = {
      {TAG_NODATA, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, (char *)(size_t) "GDALNoDataValue"}};
  TIFFMergeFieldInfo(tiff, field, 1);
}

/* Every third block is left out, where libtiff lets that be. */
static void write_blocks(TIFF *tiff, const struct shape *s) {
  tmsize_t size = s->block_width ? TIFFTileSize(tiff) : TIFFStripSize(tiff);
  uint32_t n = s->block_width ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff), h = 1;
  unsigned char *bytes = malloc((size_t)size);
  for (uint32_t block = 0; bytes && block < n; block++) {
    for (tmsize_t i = 0; i < size; i++) {
      h = h * 1664525u + 1013904223u;
      bytes[i] = (unsigned char)(h >> 29);
    }
    if (block % 3 == 2) continue;
    if (s->block_width) {
      TIFFWriteEncodedTile(tiff, block, bytes, size);
    } else {
      uint32_t rows = s->block_height > s->height ? s->height : s->block_height;
      uint32_t down = (s->height + rows - 1) / rows, at = block % down;
      uint32_t here = at + 1 == down ? s->height - at * rows : rows;
      TIFFWriteEncodedStrip(tiff, block, bytes, size / (tmsize_t)rows * (tmsize_t)here);
    }
  }
  free(bytes);
}

static void write_shape(const struct shape *s, const char *path) {
  TIFF *tiff = TIFFOpen(path, s->mode);
  if (!tiff) return;
  know_nodata(tiff);
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, s->width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, s->height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, s->bits);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, s->bands);
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, s->format);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, s->planar);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, s->compression);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, s->photometric);
  if (s->predictor != 1) TIFFSetField(tiff, TIFFTAG_PREDICTOR, s->predictor);
  if (s->block_width) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, s->block_width);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, s->block_height);
  } else {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, s->block_height);
  }
  if (s->nodata) TIFFSetField(tiff, TAG_NODATA, s->nodata);
  write_blocks(tiff, s);
  TIFFClose(tiff);
}

/* Offsets and sizes as libtiff has them. */
static void check_strile(const char *path, const struct sc_tiff *t) {
  TIFF *tiff = TIFFOpen(path, "r");
  if (!tiff) return;
  size_t n = TIFFIsTiled(tiff) ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff), wrong = 0;
  CHECK_INT(n, t->n_blocks);
  for (size_t i = 0; i < n && i < t->n_blocks; i++) {
    wrong += TIFFGetStrileOffset(tiff, (uint32_t)i) != t->offsets[i];
    wrong += TIFFGetStrileByteCount(tiff, (uint32_t)i) != t->byte_counts[i];
  }
  CHECK_INT(0, wrong);
  TIFFClose(tiff);
}

static void check_layout(GDALDatasetH ds, const struct sc_tiff *t) {
  GDALRasterBandH band = GDALGetRasterBand(ds, 1);
  int bw = 0, bh = 0, has = 0;
  GDALGetBlockSize(band, &bw, &bh);
  double nodata = GDALGetRasterNoDataValue(band, &has);
  CHECK_INT(GDALGetRasterXSize(ds), t->width);
  CHECK_INT(GDALGetRasterYSize(ds), t->height);
  CHECK_INT(GDALGetRasterCount(ds), t->n_bands);
  CHECK_INT(bw, t->block_width);
  CHECK_INT(bh, t->block_height);
  CHECK_INT(sc_gdal_dtype(band), t->dtype);
  if (t->has_nodata) CHECK_REAL(nodata, t->nodata, 0);
}

/* The rows at hand of one block of one band, from the strips of columns that block.c makes. */
static int same_rows(const struct sc_block *b, const struct sc_tiff *t, int band, int width,
                     const unsigned char *pixels) {
  size_t size = sc_dtype_bytes(t->dtype);
  for (int i = 0; i < sc_block_panels(t); i++) {
    struct sc_block_panel s = sc_block_panel(b, t, i, band);
    int here = s.width < width - s.left ? s.width : width - s.left;
    for (int y = b->first_row; y < b->end_row && here > 0; y++) {
      const unsigned char *ours = s.pixels + (size_t)(y - b->first_row) * (size_t)s.width * size;
      const unsigned char *theirs =
          pixels + ((size_t)y * (size_t)t->block_width + (size_t)s.left) * size;
      if (memcmp(ours, theirs, (size_t)here * size) != 0) return 0;
    }
  }
  return 1;
}

/* Every block decoded by block.c equals GDAL's, the ones that are not stored, too. passes: some
 * rows of it only, for one pass. */
static void check_blocks(const char *path, GDALDatasetH ds, const struct sc_tiff *t, size_t size,
                         int passes) {
  struct sc_file f = {.is_plain = 1, .tiff = *t, .size = size};
  int planes = t->planar ? t->n_bands : 1, n_wrong = 0;
  size_t per_plane = (size_t)t->blocks_across * (size_t)t->blocks_down;
  unsigned char *theirs = malloc(sc_tiff_row_bytes(t) * (size_t)t->block_height);
  f.descriptor = open(path, O_RDONLY | O_CLOEXEC);
  for (size_t i = 0; theirs && i < per_plane * (size_t)planes; i++) {
    int x = (int)(i % per_plane) % t->blocks_across, y = (int)(i % per_plane) / t->blocks_across;
    int rows = t->height - y * t->block_height, width = t->width - x * t->block_width;
    if (rows > t->block_height) rows = t->block_height;
    struct sc_block b = {.is_transient = passes};
    struct sc_error err = {0};
    struct sc_block_rows wanted = {rows / 3, passes ? rows - rows / 5 : rows, 0};
    n_wrong += sc_block_prepare(&b, &f, i, wanted, NULL, &err) != SC_OK;
    n_wrong += b.end_row != wanted.n || b.first_row != (passes ? wanted.first : 0);
    for (int band = 0; b.data && band < (t->planar ? 1 : t->n_bands); band++) {
      int number = t->planar ? (int)(i / per_plane) + 1 : band + 1;
      n_wrong += GDALReadBlock(GDALGetRasterBand(ds, number), x, y, theirs) != CE_None ||
                 !same_rows(&b, t, band, width, theirs);
    }
    if (passes) sc_block_end_transient(&b);
    sc_free(b.data);
  }
  CHECK_INT(0, n_wrong);
  close(f.descriptor);
  free(theirs);
}

static void check_shape(size_t i) {
  const struct shape *s = &shapes[i];
  struct sc_tiff t;
  struct sc_error err = {0};
  char path[64];
  path_of(i, path);
  check_case(s->name);
  write_shape(s, path);
  struct memory m = load(path);
  sc_status st = open_memory(&m, &t, &err);
  CHECK_INT(s->dtype ? SC_OK : SC_UNSUPPORTED, st);
  if (!st) {
    GDALDatasetH ds = GDALOpen(path, GA_ReadOnly);
    CHECK_INT(s->dtype, t.dtype);
    CHECK_INT(s->predictor, t.predictor);
    CHECK_INT(s->planar == PLANES, t.planar != 0);
    CHECK_INT(s->bands > 1 && s->planar == PIXELS, !t.planar && t.n_bands > 1);
    check_strile(path, &t);
    CHECK(ds != NULL);
    if (ds) {
      check_layout(ds, &t);
      for (int passes = 0; passes < 2; passes++) check_blocks(path, ds, &t, m.size, passes);
      GDALClose(ds);
    }
    sc_tiff_free(&t);
  }
  free(m.bytes);
}

static void test_last_strip(void) {
  struct sc_tiff t;
  struct sc_error err = {0};
  char path[64];
  path_of(1, path); /* 203 rows in strips of 16 */
  struct memory m = load(path);
  check_case("the_last_strip_has_fewer_rows");
  CHECK_INT(SC_OK, open_memory(&m, &t, &err));
  CHECK_INT(16, sc_tiff_block_rows(&t, 0));
  CHECK_INT(11, sc_tiff_block_rows(&t, 12));
  sc_tiff_free(&t);
  free(m.bytes);
}

/* A locale whose numbers have a comma; made here where the machine has none. */
static int set_comma_locale(void) {
  if (setlocale(LC_NUMERIC, "de_DE.UTF-8")) return 1;
  int made = system(
      "mkdir -p build/locale && localedef -i de_DE -f UTF-8 build/locale/de_DE.UTF-8 2>/dev/null");
  return made == 0 && setenv("LOCPATH", "build/locale", 1) == 0 &&
         setlocale(LC_NUMERIC, "de_DE.UTF-8");
}

static void test_locale(void) {
  struct sc_tiff t;
  struct sc_error err = {0};
  char path[64];
  path_of(8, path);
  check_case("nodata_has_a_point_in_any_locale");
  if (!set_comma_locale()) {
    check_skip("no locale with a comma (Debian: locales)");
    return;
  }
  struct memory m = load(path);
  CHECK_INT(SC_OK, open_memory(&m, &t, &err));
  CHECK_REAL(-9999.5, t.nodata, 0);
  setlocale(LC_NUMERIC, "C");
  sc_tiff_free(&t);
  free(m.bytes);
}

/* --- hostile files ----------------------------------------------------------------------------*/

struct entry {
  uint16_t tag, type; /* 3 SHORT, 4 LONG */
  uint32_t count, value;
};

/* A classic little-endian file of one directory, and `extra` zero bytes. */
static struct memory make_tiff(const struct entry *entries, uint16_t n, size_t extra) {
  struct memory m = {.n_good = -1};
  uint32_t at = 8;
  m.size = 8 + 2 + 12u * n + 4 + extra;
  m.bytes = calloc(1, m.size);
  memcpy(m.bytes, "II*\0", 4);
  memcpy(m.bytes + 4, &at, 4);
  memcpy(m.bytes + 8, &n, 2);
  for (uint16_t i = 0; i < n; i++) memcpy(m.bytes + 10 + 12u * i, &entries[i], 12);
  return m;
}

/* What is handed out is safe to compute with, whatever the file says. */
static int is_sane(const struct sc_tiff *t) {
  size_t blocks = (size_t)t->blocks_across * (size_t)t->blocks_down;
  return t->width > 0 && t->height > 0 && t->block_width > 0 && t->block_height > 0 &&
         t->n_bands > 0 && t->n_bands <= 4096 && t->dtype != SC_DTYPE_NONE && t->offsets &&
         t->byte_counts && t->n_blocks == blocks * (size_t)(t->planar ? t->n_bands : 1) &&
         (int64_t)t->blocks_across * t->block_width >= t->width &&
         (int64_t)t->blocks_down * t->block_height >= t->height &&
         sc_tiff_row_bytes(t) * (size_t)t->block_height <= 256u << 20;
}

/* 1: opened, and sane; 0: refused, and nothing is left; -1: wrong. */
static int try_open(struct memory *m) {
  struct sc_tiff t;
  struct sc_error err = {0};
  sc_status st = open_memory(m, &t, &err);
  if (st) return (st == SC_UNSUPPORTED || st == SC_NOMEM) && !t.offsets && !t.byte_counts ? 0 : -1;
  int sane = is_sane(&t);
  sc_tiff_free(&t);
  return sane ? 1 : -1;
}

static void check_entries(const char *name, uint32_t w, uint32_t h, uint32_t bw, uint32_t bh,
                          uint32_t bands, uint32_t planar, uint32_t n_blocks, int expected) {
  const struct entry entries[] = {
      {256, 4, 1, w},  {257, 4, 1, h},        {258, 3, 1, 8},         {259, 3, 1, 1},
      {262, 3, 1, 1},  {277, 3, 1, bands},    {284, 3, 1, planar},    {322, 4, 1, bw},
      {323, 4, 1, bh}, {324, 4, n_blocks, 8}, {325, 4, n_blocks, 16},
  };
  struct memory m = make_tiff(entries, sizeof entries / sizeof *entries, 4096);
  check_case(name);
  CHECK_INT(expected, try_open(&m));
  free(m.bytes);
}

static void test_sizes(void) {
  const uint32_t most = UINT32_MAX;
  check_entries("a_plain_tile", 16, 16, 16, 16, 1, 1, 1, 1);
  check_entries("no_width", 0, 16, 16, 16, 1, 1, 1, 0);
  check_entries("no_height", 16, 0, 16, 16, 1, 1, 1, 0);
  check_entries("tiles_of_no_width", 16, 16, 0, 16, 1, 1, 1, 0);
  check_entries("tiles_of_no_height", 16, 16, 16, 0, 1, 1, 1, 0);
  check_entries("no_bands", 16, 16, 16, 16, 0, 1, 1, 0);
  check_entries("too_many_bands", 16, 16, 16, 16, 65535, 1, 1, 0);
  check_entries("the_widest_image", most, most, 16, 16, 1, 1, 1, 0);
  check_entries("tiles_that_multiply_to_little", most, most, 65536, 65536, 1, 1, 1, 0);
  check_entries("a_tile_of_gigabytes", 65536, 65536, 65536, 65536, 1, 1, 1, 0);
  check_entries("the_largest_tile", 16, 16, most, most, 1, 1, 1, 0);
  check_entries("a_tile_large_by_its_bands", 4096, 4096, 4096, 4096, 4096, 1, 1, 0);
  check_entries("more_blocks_than_an_integer", 0x3FFFFFFF, 0x3FFFFFFF, 1, 1, 4096, 2, 1, 0);
  check_entries("millions_of_blocks", 0x3FFFFFFF, 16, 16, 16, 1, 1, 1, 0);
  check_entries("no_offsets", 16, 16, 16, 16, 1, 1, 0, 0);
  check_entries("fewer_offsets_than_blocks", 16, 128, 16, 16, 1, 1, 5, 0);
}

/* Blocks outside the file, or with sizes that wrap: an error when they are read. */
static void test_far_blocks(void) {
  static const struct {
    uint64_t offset, size;
  } far[] = {{4000, 4096},    {UINT64_MAX, 256}, {UINT64_MAX - 100, 256},
             {8, UINT64_MAX}, {1 << 20, 1},      {8, 10}};
  unsigned char zeros[4096] = {0};
  FILE *file = tmpfile();
  CHECK(file && fwrite(zeros, 1, sizeof zeros, file) == sizeof zeros && fflush(file) == 0);
  check_case("a_block_outside_the_file_is_an_error");
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    uint64_t offset = far[i].offset, size = far[i].size;
    struct sc_file f = {.is_plain = 1, .size = sizeof zeros, .descriptor = fileno(file)};
    struct sc_block b = {0};
    struct sc_error err = {0};
    f.tiff = (struct sc_tiff){.width = 16,
                              .height = 16,
                              .block_width = 16,
                              .block_height = 16,
                              .n_bands = 1,
                              .dtype = SC_DTYPE_U8,
                              .predictor = 1,
                              .blocks_across = 1,
                              .blocks_down = 1,
                              .n_blocks = 1,
                              .offsets = &offset,
                              .byte_counts = &size};
    CHECK(sc_block_prepare(&b, &f, 0, (struct sc_block_rows){0, 16, 0}, NULL, &err) != SC_OK);
    CHECK(!b.data && err.text[0]);
  }
  fclose(file);
}

/* Each byte of a file's header and directory in turn takes awkward values. */
static void test_damage(size_t i) {
  static const unsigned char values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
  char path[64];
  int n_bad = 0, n_refused = 0;
  path_of(i, path);
  struct memory m = load(path);
  check_case("a_damaged_byte_is_refused_or_harmless");
  for (size_t at = 0; at < m.size; at += at < 16 || at + 1200 > m.size ? 1 : 97) {
    unsigned char before = m.bytes[at];
    for (size_t k = 0; k < sizeof values; k++) {
      m.bytes[at] = values[k];
      int opened = try_open(&m);
      n_bad += opened < 0;
      n_refused += opened == 0;
    }
    m.bytes[at] = before;
  }
  CHECK_INT(0, n_bad);
  CHECK(n_refused > 10);
  free(m.bytes);
}

static void test_short_reads(size_t i) {
  char path[64];
  int n_bad = 0, n_opened = 0;
  path_of(i, path);
  struct memory m = load(path);
  size_t whole = m.size;
  check_case("a_file_cut_anywhere_is_refused_or_harmless");
  for (m.size = 0; m.size<whole; m.size += m.size + 1500> whole ? 1 : 61) {
    n_bad += try_open(&m) < 0;
  }
  m.size = whole;
  check_case("a_read_that_fails_is_refused_or_harmless");
  for (int n = 0; n < 40; n++) {
    m.n_good = n;
    int opened = try_open(&m);
    n_bad += opened < 0;
    n_opened += opened == 1;
  }
  CHECK_INT(0, n_bad);
  CHECK(n_opened > 0);
  m.n_good = 0;
  CHECK_INT(0, try_open(&m));
  free(m.bytes);
}

/* Only the first directory counts, wherever the chain of the others leads. */
static void test_cycle(void) {
  struct entry entries[] = {{256, 4, 1, 16}, {257, 4, 1, 16}, {258, 3, 1, 8},  {259, 3, 1, 1},
                            {262, 3, 1, 1},  {273, 4, 1, 8},  {278, 4, 1, 16}, {279, 4, 1, 256}};
  const uint32_t next[] = {0, 8, 9, 4000, UINT32_MAX};
  check_case("a_chain_of_directories_that_returns");
  for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
    struct memory m = make_tiff(entries, 8, 512);
    memcpy(m.bytes + 10 + 12 * 8, &next[i], 4);
    CHECK_INT(1, try_open(&m));
    free(m.bytes);
  }
  check_case("a_directory_in_its_own_header_or_nowhere");
  for (uint32_t at = 0; at < 8; at++) {
    struct memory m = make_tiff(entries, 8, 512);
    memcpy(m.bytes + 4, &at, 4);
    CHECK_INT(0, try_open(&m));
    free(m.bytes);
  }
}

int main(void) {
  CPLPushErrorHandler(CPLQuietErrorHandler);
  TIFFSetErrorHandler(NULL);
  TIFFSetWarningHandler(NULL);
  sc_gdal_register();
  for (size_t i = 0; i < N_SHAPES; i++) check_shape(i);
  test_last_strip();
  test_locale();
  test_sizes();
  test_far_blocks();
  test_cycle();
  for (size_t i = 0; i < 7; i++) {
    test_damage(i);
    test_short_reads(i);
  }
  for (size_t i = 0; i < N_SHAPES; i++) {
    char path[64];
    path_of(i, path);
    unlink(path);
  }
  return check_report();
}
