/*
 * The block reader against hostile TIFFs: layout, blocks whole and in part, and windows copied out
 * of them. What is decoded in part must equal what is decoded whole.
 *
 * The first byte of an input chooses what is wanted, the rest is the file. The mutator knows the
 * directory: it changes values of tags that matter, places of blocks, and the pixels behind a
 * DEFLATE stream, so that most inputs keep a header that can be read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "raster/block.h"
#include "raster/file.h"
#include "raster/read.h"
#include "raster/tiff.h"

#define FILE_MAX 4096
#define BLOCK_MAX ((size_t)1 << 15) /* bytes of a block that is worth the time */
#define BLOCKS_TRIED 4

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
  const uint8_t *data;
  size_t size;
};

static int64_t read_memory(void *context, uint64_t offset, void *bytes, size_t n) {
  const struct input *in = context;
  if (offset >= in->size) return 0;
  if (n > in->size - offset) n = in->size - (size_t)offset;
  memcpy(bytes, in->data + offset, n);
  return (int64_t)n;
}

/* Block `index` as a remote file would have it; empty where it lies outside. */
static struct sc_view stored_block(const struct input *in, const struct sc_tiff *t, size_t index) {
  uint64_t at = t->offsets[index], n = t->byte_counts[index];
  struct sc_view v = {NULL, 0};
  if (at < in->size && n <= in->size - at) v = (struct sc_view){in->data + at, (size_t)n};
  return v;
}

/* The rows that two blocks both have must be equal. */
static void compare(const struct sc_tiff *t, const struct sc_block *a, const struct sc_block *b) {
  int first = a->first_row > b->first_row ? a->first_row : b->first_row;
  int end = a->end_row < b->end_row ? a->end_row : b->end_row;
  for (int i = 0; i < sc_block_panels(t) && first < end; i++) {
    for (int band = 0; band < (t->planar ? 1 : t->n_bands); band++) {
      struct sc_block_panel s = sc_block_panel(a, t, i, band), u = sc_block_panel(b, t, i, band);
      size_t row = (size_t)s.width * sc_dtype_bytes(t->dtype);
      if (memcmp(s.pixels + (size_t)(first - a->first_row) * row,
                 u.pixels + (size_t)(first - b->first_row) * row, (size_t)(end - first) * row) != 0)
        abort();
    }
  }
}

/* One block in part, then further, and whole at once. Returns whether it decodes. */
static int try_block(const struct input *in, struct sc_file *f, size_t index, uint8_t wish) {
  const struct sc_tiff *t = &f->tiff;
  struct sc_view stored = stored_block(in, t, index);
  const struct sc_view *bytes = f->is_remote && stored.data ? &stored : NULL;
  struct sc_block part = {0}, whole = {0};
  struct sc_error err = {0};
  int all = sc_tiff_block_rows(t, index), n = 1 + (wish * all / 256), ok;
  unsigned char *once;
  if (f->is_remote && !bytes) return 0;
  ok = sc_block_prepare(&part, f, index, (struct sc_block_rows){n / 2, n, 0}, bytes, &err) == SC_OK;
  if (ok && part.end_row < n) abort();
  if (!ok && !err.status) abort();
  memset(&err, 0, sizeof err);
  ok &= sc_block_prepare(&whole, f, index, (struct sc_block_rows){0, all, 0}, bytes, &err) == SC_OK;
  compare(t, &part, &whole);
  memset(&err, 0, sizeof err);
  sc_block_prepare(&part, f, index, (struct sc_block_rows){0, all, 0}, bytes, &err);
  compare(t, &part, &whole);
  memset(&err, 0, sizeof err);
  sc_block_decode_once(f, index, n, bytes, &once, &err);
  if (bytes && t->byte_counts[index] > 1) { /* the first bytes of it */
    struct sc_view first = {stored.data, sc_block_part(t, index, n) / 2 + 1};
    struct sc_block passing = {.is_transient = 1};
    memset(&err, 0, sizeof err);
    if (sc_block_prepare(&passing, f, index, (struct sc_block_rows){0, n, 0}, &first, &err) ==
        SC_OK)
      compare(t, &passing, &whole);
    sc_block_end_transient(&passing);
  }
  sc_free(part.data);
  sc_free(whole.data);
  return ok;
}

/* Windows through the reader: plain, leaving the raster, resampled, converted. */
static void try_windows(const struct sc_tiff *t, int file, uint8_t wish) {
  static int64_t serial;
  enum { SIDE = 24 };
  unsigned char out[2][SIDE * SIDE * 8];
  char href[64];
  struct sc_stamp stamp = {.modified_ns = --serial}; /* never that of the file: opened anew */
  struct sc_error err = {0};
  snprintf(href, sizeof href, "/proc/self/fd/%d", file);
  struct sc_source source = {.href = href, .stamp = &stamp};
  struct sc_read reads[2] = {{.x = 0, .y = 0}, {.x = -3 + wish % 7, .y = wish % 11 - 2}};
  for (int i = 0; i < 2; i++) {
    struct sc_read *r = &reads[i];
    r->source = &source;
    r->band = 1 + (wish + i) % t->n_bands;
    r->width = i ? SIDE * (1 + wish % 5) / 2.0 : SIDE;
    r->height = SIDE;
    r->out_width = r->out_height = SIDE;
    r->dtype = i ? (enum sc_dtype)(1 + wish % SC_DTYPE_F64) : t->dtype;
    r->out = out[i];
    r->row_bytes = SIDE * sc_dtype_bytes(r->dtype);
  }
  sc_read_windows(reads, 2, NULL, NULL, &err);
}

static int memory_file(const struct input *in) {
  static int file = -1;
  if (file < 0) file = memfd_create("tiff", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, 0) != 0 ||
      pwrite(file, in->data, in->size, 0) != (ssize_t)in->size)
    abort();
  return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input in = {data + 1, size - 1};
  struct sc_error err = {0};
  if (size < 9 || size > FILE_MAX) return 0;
  uint8_t wish = data[0];
  struct sc_file f = {.is_plain = 1, .descriptor = -1, .size = in.size, .is_remote = wish & 1};
  if (sc_tiff_open(read_memory, &in, in.size, &f.tiff, &err)) {
    if (f.tiff.offsets || f.tiff.byte_counts || !err.text[0]) abort();
    return 0;
  }
  if (sc_tiff_row_bytes(&f.tiff) * (size_t)f.tiff.block_height <= BLOCK_MAX) {
    int all_decode = 1;
    if (!f.is_remote) f.descriptor = memory_file(&in);
    size_t n = f.tiff.n_blocks < BLOCKS_TRIED ? f.tiff.n_blocks : BLOCKS_TRIED;
    for (size_t i = 0; i < n; i++) {
      size_t index = i % 2 ? f.tiff.n_blocks - 1 - i / 2 : i / 2;
      all_decode &= try_block(&in, &f, index, wish);
    }
    /* GDAL, which would be asked of blocks that do not decode, costs a hundred times as much. */
    if (all_decode && f.tiff.n_blocks <= BLOCKS_TRIED && !f.is_remote)
      try_windows(&f.tiff, f.descriptor, wish >> 1);
  }
  sc_tiff_free(&f.tiff);
  return 0;
}

/* --- the mutator --- */

struct tag {
  size_t at; /* of its entry in the file */
  unsigned id, type;
  uint32_t n, value;
};

static uint32_t get(const uint8_t *p, int n) {
  uint32_t v = 0;
  for (int i = n; i-- > 0;) v = v << 8 | p[i];
  return v;
}

static void put(uint8_t *p, uint32_t v, int n) {
  for (int i = 0; i < n; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* The entries of the first directory of a little-endian classic TIFF; returns how many. */
static size_t find_tags(const uint8_t *file, size_t size, struct tag *tags, size_t room) {
  if (size < 14 || memcmp(file, "II*\0", 4) != 0) return 0;
  size_t at = get(file + 4, 4), n = 0;
  if (at > size - 2) return 0;
  size_t count = get(file + at, 2);
  for (; n < count && n < room && at + 14 + 12 * n <= size; n++) {
    const uint8_t *p = file + at + 2 + 12 * n;
    tags[n] =
        (struct tag){(size_t)(p - file), get(p, 2), get(p + 2, 2), get(p + 4, 4), get(p + 8, 4)};
  }
  return n;
}

static const struct tag *find_tag(const struct tag *tags, size_t n, unsigned a, unsigned b) {
  for (size_t i = 0; i < n; i++) {
    if (tags[i].id == a || tags[i].id == b) return &tags[i];
  }
  return NULL;
}

/* Where element i of a tag of shorts or longs is stored, and its bytes; NULL outside. */
static uint8_t *element(uint8_t *file, size_t size, const struct tag *t, uint32_t i, int *bytes) {
  *bytes = t->type == 3 ? 2 : 4;
  size_t all = (size_t)t->n * (size_t)*bytes, at = all <= 4 ? t->at + 8 : t->value;
  at += (size_t)i * (size_t)*bytes;
  return i < t->n && at + 4 <= size ? file + at : NULL;
}

static void change_value(uint8_t *file, size_t size, const struct tag *tags, size_t n) {
  static const uint16_t values[] = {0,   1,   2,    3,    4,  5,  7,  8,   13,    15,    16,
                                    17,  31,  32,   33,   48, 64, 65, 100, 127,   128,   255,
                                    256, 257, 1000, 4096, 8,  8,  1,  2,   50000, 32946, 0xFFFF};
  const struct tag *t = &tags[(size_t)rand() % n];
  int bytes;
  uint8_t *p = element(file, size, t, t->n ? (uint32_t)rand() % t->n : 0, &bytes);
  if (!p) return;
  uint32_t v = get(p, bytes);
  switch (rand() % 3) {
    case 0: v = values[(size_t)rand() % (sizeof values / sizeof *values)]; break;
    case 1: v += (uint32_t)(rand() % 5 - 2); break;
    default: v ^= 1u << (rand() % (8 * bytes));
  }
  put(p, v, bytes);
}

/* Other pixels in a DEFLATE block, packed again and put at the end of the file. */
static size_t repack(uint8_t *file, size_t size, size_t room, uint8_t *place, uint8_t *count,
                     int place_bytes, int count_bytes) {
  static uint8_t raw[BLOCK_MAX];
  uLongf n = sizeof raw - 64;
  size_t at = get(place, place_bytes), stored = get(count, count_bytes);
  if (place_bytes < 4 || at > size || stored > size - at) return size;
  if (uncompress(raw, &n, file + at, stored) != Z_OK || n == 0) return size;
  n = LLVMFuzzerMutate(raw, n, rand() % 4 ? n : sizeof raw);
  uLongf packed = room - size;
  if (compress2(file + size, &packed, raw, n, rand() % 10) != Z_OK) return size;
  put(place, (uint32_t)size, 4);
  put(count, (uint32_t)packed, count_bytes);
  return size + packed;
}

static size_t change_block(uint8_t *file, size_t size, size_t room, const struct tag *tags,
                           size_t n) {
  const struct tag *places = find_tag(tags, n, 273, 324), *counts = find_tag(tags, n, 279, 325);
  if (!places || !counts || !places->n) return size;
  uint32_t i = (uint32_t)rand() % places->n;
  int place_bytes, count_bytes;
  uint8_t *place = element(file, size, places, i, &place_bytes);
  uint8_t *count = element(file, size, counts, i, &count_bytes);
  if (!place || !count) return size;
  size_t at = get(place, place_bytes), stored = get(count, count_bytes);
  int what = rand() % 4;
  if (what == 0) return repack(file, size, room, place, count, place_bytes, count_bytes);
  if (what == 1 && at < size && stored && stored <= size - at) {
    LLVMFuzzerMutate(file + at, stored, stored);
  } else if (what == 2) {
    put(count, (uint32_t)(stored + (size_t)(rand() % 9) - 4), count_bytes);
  } else {
    put(place, rand() % 3 ? (uint32_t)(at + (size_t)(rand() % 9) - 4) : 0, place_bytes);
  }
  return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed) {
  struct tag tags[64];
  srand(seed);
  if (size < 16 || rand() % 16 == 0) return LLVMFuzzerMutate(data, size, room);
  if (rand() % 8 == 0) data[0] = (uint8_t)rand();
  if (room > FILE_MAX) room = FILE_MAX;
  if (size > room) size = room;
  uint8_t *file = data + 1;
  size_t n = find_tags(file, size - 1, tags, 64);
  if (!n) return LLVMFuzzerMutate(data, size, room);
  for (int times = 1 + rand() % 3; times > 0; times--) {
    if (rand() % 2) {
      change_value(file, size - 1, tags, n);
    } else {
      size = 1 + change_block(file, size - 1, room - 1, tags, n);
    }
  }
  return size;
}
