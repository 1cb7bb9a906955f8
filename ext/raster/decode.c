/* Bytes of a block -> pixels; see decode.h. Predictors: TIFF 6.0 section 14 and Adobe
 * Photoshop TIFF technical note 3. */
#include "raster/decode.h"

#include <libdeflate.h>
#include <pthread.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"

struct decompressors {
  struct libdeflate_decompressor *deflate;
  ZSTD_DCtx *zstd;
};

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void free_decompressors(void *value) {
  struct decompressors *d = value;
  if (d->deflate) libdeflate_free_decompressor(d->deflate);
  ZSTD_freeDCtx(d->zstd);
  sc_free(d);
}

static void make_key(void) { pthread_key_create(&key, free_decompressors); }

static struct decompressors *thread_decompressors(struct sc_error *err) {
  pthread_once(&key_once, make_key);
  struct decompressors *d = pthread_getspecific(key);
  if (d) return d;
  d = sc_alloc_zero(1, sizeof *d);
  if (!d) {
    sc_fail_nomem(err);
    return NULL;
  }
  d->deflate = libdeflate_alloc_decompressor();
  d->zstd = ZSTD_createDCtx();
  if (!d->deflate || !d->zstd) {
    free_decompressors(d);
    sc_fail_nomem(err);
    return NULL;
  }
  pthread_setspecific(key, d);
  return d;
}

/*
 * libdeflate has no early stop of its own, but when the room is too small it says so after
 * filling it, and all of it is right but for its last match (at most 258 bytes); hence the slack.
 *
 * A stored block (bytes that do not compress, up to STORED_MAX of them) is the exception: where
 * it does not fit, nothing of it is written. A mark laid behind the wanted bytes, farther than a
 * match can reach, tells: while it is still there, more room is needed.
 */
#define STORED_MAX 65535
#define MARK_AT 512
static const unsigned char mark[32] = "\x8f\x13\xc4stacchip: not yet written\xe1\x5a\x96";

static sc_status inflate_error(enum libdeflate_result result, struct sc_error *err) {
  return sc_fail(
      err, SC_BAD_DATA, "inflate: %s",
      result == LIBDEFLATE_INSUFFICIENT_SPACE ? "more data than the block has" : "damaged data");
}

/* Into memory of its own, with room for a stored block behind the wanted bytes. */
static sc_status inflate_with_room(struct decompressors *d, const void *bytes, size_t n,
                                   size_t wanted, size_t whole, unsigned char *out,
                                   struct sc_error *err) {
  size_t room = wanted + STORED_MAX + SC_DECODE_SLACK, got = 0;
  if (room > whole) room = whole;
  unsigned char *copy = sc_alloc(room);
  if (!copy) return sc_fail_nomem(err);
  enum libdeflate_result result =
      libdeflate_zlib_decompress(d->deflate, bytes, n, copy, room, &got);
  int ok = (result == LIBDEFLATE_SUCCESS && got >= wanted) ||
           (result == LIBDEFLATE_INSUFFICIENT_SPACE && room < whole);
  if (ok) memcpy(out, copy, wanted);
  sc_free(copy);
  return ok ? SC_OK : inflate_error(result, err);
}

static sc_status inflate_block(struct decompressors *d, const void *bytes, size_t n, size_t wanted,
                               size_t whole, unsigned char *out, struct sc_error *err) {
  size_t room = wanted + SC_DECODE_SLACK < whole ? wanted + SC_DECODE_SLACK : whole, got = 0;
  if (room < whole) memcpy(out + wanted + MARK_AT, mark, sizeof mark);
  enum libdeflate_result result = libdeflate_zlib_decompress(d->deflate, bytes, n, out, room, &got);
  if (result == LIBDEFLATE_SUCCESS) {
    if (got >= wanted) return SC_OK;
    return sc_fail(err, SC_BAD_DATA, "inflate: %zu bytes where %zu are needed", got, wanted);
  }
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE && room < whole) {
    if (memcmp(out + wanted + MARK_AT, mark, sizeof mark) != 0) return SC_OK;
    return inflate_with_room(d, bytes, n, wanted, whole, out, err);
  }
  return inflate_error(result, err);
}

static sc_status unzstd_block(struct decompressors *d, const void *bytes, size_t n, size_t wanted,
                              size_t whole, unsigned char *out, struct sc_error *err) {
  size_t room = wanted + SC_DECODE_SLACK < whole ? wanted + SC_DECODE_SLACK : whole;
  ZSTD_inBuffer in = {bytes, n, 0};
  ZSTD_outBuffer to = {out, room, 0};
  ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_only);
  while (to.pos < wanted) {
    size_t before_in = in.pos, before_out = to.pos;
    size_t left = ZSTD_decompressStream(d->zstd, &to, &in);
    if (ZSTD_isError(left)) {
      return sc_fail(err, SC_BAD_DATA, "zstd: %s", ZSTD_getErrorName(left));
    }
    if (left == 0 || (in.pos == before_in && to.pos == before_out)) break;
  }
  if (to.pos >= wanted) return SC_OK;
  return sc_fail(err, SC_UNSUPPORTED, "zstd: %zu bytes where %zu are needed", to.pos, wanted);
}

sc_status sc_decode_block(const struct sc_tiff *tiff, const void *bytes, size_t n, size_t wanted,
                          size_t whole, unsigned char *out, struct sc_error *err) {
  if (tiff->codec == SC_CODEC_NONE) {
    if (n < wanted) {
      return sc_fail(err, SC_UNSUPPORTED, "block of %zu bytes where %zu are needed", n, wanted);
    }
    memcpy(out, bytes, wanted);
    return SC_OK;
  }
  struct decompressors *d = thread_decompressors(err);
  if (!d) return err->status;
  return tiff->codec == SC_CODEC_DEFLATE ? inflate_block(d, bytes, n, wanted, whole, out, err)
                                         : unzstd_block(d, bytes, n, wanted, whole, out, err);
}

/* Running sums of n values, each on the value `stride` before it. */
#define SUM_ROW(TYPE)                                                          \
  do {                                                                         \
    TYPE *p = (TYPE *)(void *)row;                                             \
    if (stride == 1) {                                                         \
      TYPE sum = p[0];                                                         \
      for (size_t i = 1; i < n; i++) p[i] = sum = (TYPE)(sum + p[i]);          \
    } else {                                                                   \
      for (size_t i = stride; i < n; i++) p[i] = (TYPE)(p[i] + p[i - stride]); \
    }                                                                          \
  } while (0)

static void undo_horizontal(const struct sc_tiff *t, unsigned char *row) {
  size_t stride = t->planar ? 1 : (size_t)t->n_bands, n = (size_t)t->block_width * stride;
  switch (sc_dtype_bytes(t->dtype)) {
    case 1: SUM_ROW(uint8_t); break;
    case 2: SUM_ROW(uint16_t); break;
    case 4: SUM_ROW(uint32_t); break;
    default: SUM_ROW(uint64_t); break;
  }
}

/* Byte differences over the row, then the bytes of each value gathered, high byte first. */
static void undo_floating(const struct sc_tiff *t, unsigned char *row, unsigned char *scratch) {
  size_t stride = t->planar ? 1 : (size_t)t->n_bands, size = sc_dtype_bytes(t->dtype);
  size_t n_values = (size_t)t->block_width * stride, n = n_values * size;
  for (size_t i = stride; i < n; i++) row[i] = (unsigned char)(row[i] + row[i - stride]);
  memcpy(scratch, row, n);
  for (size_t i = 0; i < n_values; i++) {
    for (size_t b = 0; b < size; b++) row[i * size + b] = scratch[(size - 1 - b) * n_values + i];
  }
}

void sc_decode_row(const struct sc_tiff *t, unsigned char *row, unsigned char *scratch) {
  if (t->predictor == 2) undo_horizontal(t, row);
  if (t->predictor == 3) undo_floating(t, row, scratch);
}
