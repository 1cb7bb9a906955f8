/* Bytes of a block -> pixels; see decode.h. Predictors: TIFF 6.0 section 14 and Adobe
 * Photoshop TIFF technical note 3. */
#include "raster/decode.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <libdeflate.h>
#include <pthread.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"

#define SCRATCH_MAX (8u << 20) /* of each buffer, between blocks */

/* What a thread keeps for the blocks that it decodes. */
struct tools {
  struct libdeflate_decompressor *deflate;
  ZSTD_DCtx *zstd;
  struct sc_decode_scratch scratch;
};

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void free_tools(void *value) {
  struct tools *d = value;
  if (d->deflate) libdeflate_free_decompressor(d->deflate);
  ZSTD_freeDCtx(d->zstd);
  sc_buffer_free(&d->scratch.stored);
  sc_buffer_free(&d->scratch.rows);
  sc_buffer_free(&d->scratch.panels);
  sc_free(d);
}

static void make_key(void) { pthread_key_create(&key, free_tools); }

static struct tools *thread_tools(struct sc_error *err) {
  pthread_once(&key_once, make_key);
  struct tools *d = pthread_getspecific(key);
  if (d) return d;
  d = sc_alloc_zero(1, sizeof *d);
  if (!d) {
    sc_fail_nomem(err);
    return NULL;
  }
  d->deflate = libdeflate_alloc_decompressor();
  d->zstd = ZSTD_createDCtx();
  if (!d->deflate || !d->zstd) {
    free_tools(d);
    sc_fail_nomem(err);
    return NULL;
  }
  pthread_setspecific(key, d);
  return d;
}

struct sc_decode_scratch *sc_decode_scratch(struct sc_error *err) {
  struct tools *d = thread_tools(err);
  return d ? &d->scratch : NULL;
}

void sc_decode_scratch_trim(struct sc_decode_scratch *s) {
  if (s->stored.capacity > SCRATCH_MAX) sc_buffer_free(&s->stored);
  if (s->rows.capacity > SCRATCH_MAX) sc_buffer_free(&s->rows);
  if (s->panels.capacity > SCRATCH_MAX) sc_buffer_free(&s->panels);
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
static sc_status inflate_with_room(struct tools *d, const void *bytes, size_t n, size_t wanted,
                                   size_t whole, unsigned char *out, struct sc_error *err) {
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

static sc_status inflate_block(struct tools *d, const void *bytes, size_t n, size_t wanted,
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

static sc_status unzstd_block(struct tools *d, const void *bytes, size_t n, size_t wanted,
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
  struct tools *d = thread_tools(err);
  if (!d) return err->status;
  return tiff->codec == SC_CODEC_DEFLATE ? inflate_block(d, bytes, n, wanted, whole, out, err)
                                         : unzstd_block(d, bytes, n, wanted, whole, out, err);
}

/*
 * Running sums within a row: each value of `size` bytes on the value `lag` bytes before it. The
 * sums of 16 bytes are made without looking at the 16 before them, and then raised by these.
 */
#ifdef __SSE2__
static inline __attribute__((always_inline)) __m128i add_lanes(__m128i a, __m128i b, int size) {
  return size == 1   ? _mm_add_epi8(a, b)
         : size == 2 ? _mm_add_epi16(a, b)
         : size == 4 ? _mm_add_epi32(a, b)
                     : _mm_add_epi64(a, b);
}

/* The last `lag` bytes, all over the register. */
static inline __attribute__((always_inline)) __m128i repeat_last(__m128i v, int lag) {
  if (lag == 8) return _mm_shuffle_epi32(v, 0xEE);
  if (lag == 1) v = _mm_unpackhi_epi8(v, v);
  if (lag < 4) v = _mm_shufflehi_epi16(v, 0xFF);
  return _mm_shuffle_epi32(v, 0xFF);
}

/* Returns how many bytes are done. size and lag are constants where it is called. */
static inline __attribute__((always_inline)) size_t sum_vectors(unsigned char *row, size_t n,
                                                                int size, int lag) {
  __m128i before = _mm_setzero_si128();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    __m128i *at = (__m128i *)(void *)(row + i), v = _mm_loadu_si128(at);
    if (lag <= 1) v = add_lanes(v, _mm_slli_si128(v, 1), size);
    if (lag <= 2) v = add_lanes(v, _mm_slli_si128(v, 2), size);
    if (lag <= 4) v = add_lanes(v, _mm_slli_si128(v, 4), size);
    v = add_lanes(v, _mm_slli_si128(v, 8), size);
    _mm_storeu_si128(at, add_lanes(v, before, size));
    before = add_lanes(before, repeat_last(v, lag), size);
  }
  return i;
}

static size_t sum_fast(unsigned char *row, size_t n, size_t size, size_t lag) {
  switch (size * 16 + lag) {
    case 0x11: return sum_vectors(row, n, 1, 1);
    case 0x12: return sum_vectors(row, n, 1, 2);
    case 0x14: return sum_vectors(row, n, 1, 4);
    case 0x18: return sum_vectors(row, n, 1, 8);
    case 0x22: return sum_vectors(row, n, 2, 2);
    case 0x24: return sum_vectors(row, n, 2, 4);
    case 0x28: return sum_vectors(row, n, 2, 8);
    case 0x44: return sum_vectors(row, n, 4, 4);
    case 0x48: return sum_vectors(row, n, 4, 8);
    case 0x88: return sum_vectors(row, n, 8, 8);
    default: return 0;
  }
}
#else
static size_t sum_fast(unsigned char *row, size_t n, size_t size, size_t lag) {
  (void)row, (void)n, (void)size, (void)lag;
  return 0;
}
#endif

#define SUM_REST(TYPE)                                                 \
  do {                                                                 \
    TYPE *p = (TYPE *)(void *)row;                                     \
    for (; i < n / size; i++) p[i] = (TYPE)(p[i] + p[i - lag / size]); \
  } while (0)

static void sum_row(unsigned char *row, size_t n, size_t size, size_t lag) {
  size_t i = (lag <= 8 ? sum_fast(row, n, size, lag) : 0) / size;
  if (i == 0) i = lag / size;
  switch (size) {
    case 1: SUM_REST(uint8_t); break;
    case 2: SUM_REST(uint16_t); break;
    case 4: SUM_REST(uint32_t); break;
    default: SUM_REST(uint64_t); break;
  }
}

/* The bytes of each value gathered, high byte first. */
static void join_bytes(size_t size, size_t n_values, unsigned char *row, unsigned char *scratch) {
  memcpy(scratch, row, n_values * size);
  for (size_t i = 0; i < n_values; i++) {
    for (size_t b = 0; b < size; b++) row[i * size + b] = scratch[(size - 1 - b) * n_values + i];
  }
}

void sc_decode_row(const struct sc_tiff *t, unsigned char *row, unsigned char *scratch) {
  size_t size = sc_dtype_bytes(t->dtype), n = sc_tiff_row_bytes(t);
  size_t n_bands = t->planar ? 1 : (size_t)t->n_bands;
  if (t->predictor == 2) sum_row(row, n, size, n_bands * size);
  if (t->predictor != 3) return;
  sum_row(row, n, 1, n_bands);
  join_bytes(size, n / size, row, scratch);
}

/* Three and four bands of bytes are the most frequent: told that the planes do not overlap, the
 * compiler reads each pixel once and vectorizes (a third of the time of SPLIT). */
static void split_3(const uint8_t *restrict from, size_t n, uint8_t *restrict a,
                    uint8_t *restrict b, uint8_t *restrict c) {
  for (size_t x = 0; x < n; x++) {
    a[x] = from[3 * x];
    b[x] = from[3 * x + 1];
    c[x] = from[3 * x + 2];
  }
}

static void split_4(const uint8_t *restrict from, size_t n, uint8_t *restrict a,
                    uint8_t *restrict b, uint8_t *restrict c, uint8_t *restrict d) {
  for (size_t x = 0; x < n; x++) {
    a[x] = from[4 * x];
    b[x] = from[4 * x + 1];
    c[x] = from[4 * x + 2];
    d[x] = from[4 * x + 3];
  }
}

#define SPLIT(TYPE)                                            \
  for (size_t b = 0; b < n_bands; b++) {                       \
    const TYPE *from = (const TYPE *)(const void *)pixels + b; \
    TYPE *to = (TYPE *)(void *)(out + b * plane_bytes);        \
    for (size_t x = 0; x < n; x++) to[x] = from[x * n_bands];  \
  }

void sc_decode_split(const struct sc_tiff *t, const unsigned char *pixels, size_t n,
                     unsigned char *out, size_t plane_bytes) {
  size_t size = sc_dtype_bytes(t->dtype), n_bands = sc_tiff_pixel_bytes(t) / size;
  if (n_bands == 1) {
    memcpy(out, pixels, n * size);
  } else if (size == 1 && n_bands == 3) {
    split_3(pixels, n, out, out + plane_bytes, out + 2 * plane_bytes);
  } else if (size == 1 && n_bands == 4) {
    split_4(pixels, n, out, out + plane_bytes, out + 2 * plane_bytes, out + 3 * plane_bytes);
  } else if (size == 1) {
    SPLIT(uint8_t);
  } else if (size == 2) {
    SPLIT(uint16_t);
  } else if (size == 4) {
    SPLIT(uint32_t);
  } else {
    SPLIT(uint64_t);
  }
}
