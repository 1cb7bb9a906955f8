/* Compression codecs of Parquet pages; see codec.h. */
#include "parquet/codec.h"

#include <brotli/decode.h>
#include <lz4.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"

#define GZIP_MAX_RATIO 1032 /* zlib's documentation: one bit for a match of 258 bytes */
#define LZ4_MAX_RATIO 255   /* a length byte of 255 each */

void sc_pq_codecs_free(struct sc_pq_codecs *c) {
  ZSTD_freeDCtx(c->zstd_in);
  ZSTD_freeCCtx(c->zstd_out);
  c->zstd_in = c->zstd_out = NULL;
}

const char *sc_pq_codec_name(int codec) {
  static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                      "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
  return codec >= 0 && codec < 8 ? names[codec] : NULL;
}

static sc_status fail_codec(int codec, struct sc_error *err) {
  const char *name = sc_pq_codec_name(codec);
  if (name) return sc_fail(err, SC_UNSUPPORTED, "compression %s is not supported", name);
  return sc_fail(err, SC_UNSUPPORTED, "compression codec %d is unknown", codec);
}

static sc_status fail_packed(int codec, size_t n, size_t size, struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "%zu bytes of %s do not unpack to %zu bytes", n,
                 sc_pq_codec_name(codec), size);
}

sc_status sc_pq_unpack_check(int codec, const unsigned char *in, size_t n, size_t size,
                             struct sc_error *err) {
  size_t length = 0;
  int fits = 1;
  if (size > SC_PQ_PAGE_MAX_BYTES) {
    return sc_fail(err, SC_TOO_BIG, "a page of %zu bytes; the limit is %zu", size,
                   SC_PQ_PAGE_MAX_BYTES);
  }
  switch (codec) {
    case SC_PQ_UNCOMPRESSED: fits = n == size; break;
    case SC_PQ_SNAPPY:
      fits =
          snappy_uncompressed_length((const char *)in, n, &length) == SNAPPY_OK && length == size;
      break;
    case SC_PQ_GZIP: fits = size / GZIP_MAX_RATIO <= n; break;
    case SC_PQ_LZ4:
    case SC_PQ_LZ4_RAW: fits = size / LZ4_MAX_RATIO <= n; break;
    case SC_PQ_ZSTD: {
      unsigned long long content = ZSTD_getFrameContentSize(in, n);
      fits = content != ZSTD_CONTENTSIZE_ERROR &&
             (content == ZSTD_CONTENTSIZE_UNKNOWN || content <= size);
      break;
    }
    case SC_PQ_BROTLI: break;
    default: return fail_codec(codec, err);
  }
  return fits ? SC_OK : fail_packed(codec, n, size, err);
}

/* One member after the other until the output is full. */
static int gunzip(const unsigned char *in, size_t n, unsigned char *out, size_t size) {
  z_stream z;
  memset(&z, 0, sizeof z);
  if (inflateInit2(&z, 15 + 32) != Z_OK) return 0;
  z.next_in = (unsigned char *)(size_t)in;
  z.avail_in = (uInt)n;
  z.next_out = out;
  z.avail_out = (uInt)size;
  int code = Z_OK;
  do {
    if (code == Z_STREAM_END) inflateReset(&z);
    code = inflate(&z, Z_FINISH);
  } while (code == Z_STREAM_END && z.avail_in > 0 && z.avail_out > 0);
  int full = code == Z_STREAM_END && z.avail_out == 0;
  inflateEnd(&z);
  return full;
}

static int unlz4(const unsigned char *in, size_t n, unsigned char *out, size_t size) {
  return LZ4_decompress_safe((const char *)in, (char *)out, (int)n, (int)size) == (int)size;
}

/* Hadoop's blocks: big-endian unpacked size, then chunks, each with its packed size. */
static int unlz4_hadoop(const unsigned char *in, size_t n, unsigned char *out, size_t size) {
  size_t at = 0, done = 0;
  while (done < size) {
    if (n - at < 8) return 0;
    size_t whole = sc_be32(in + at), packed = sc_be32(in + at + 4);
    at += 8;
    if (packed > n - at || whole > size - done) return 0;
    if (!unlz4(in + at, packed, out + done, whole)) return 0;
    at += packed;
    done += whole;
  }
  return at == n;
}

static int unzstd(struct sc_pq_codecs *c, const unsigned char *in, size_t n, unsigned char *out,
                  size_t size) {
  if (!c->zstd_in) c->zstd_in = ZSTD_createDCtx();
  if (!c->zstd_in) return 0;
  return ZSTD_decompressDCtx(c->zstd_in, out, size, in, n) == size;
}

static int unbrotli(const unsigned char *in, size_t n, unsigned char *out, size_t size) {
  size_t length = size;
  return BrotliDecoderDecompress(n, in, &length, out) == BROTLI_DECODER_RESULT_SUCCESS &&
         length == size;
}

sc_status sc_pq_unpack(struct sc_pq_codecs *c, int codec, const unsigned char *in, size_t n,
                       unsigned char *out, size_t size, struct sc_error *err) {
  size_t length = size;
  int full;
  sc_status st = sc_pq_unpack_check(codec, in, n, size, err);
  if (st) return st;
  if (n > SC_PQ_PAGE_MAX_BYTES) return fail_packed(codec, n, size, err);
  switch (codec) {
    case SC_PQ_UNCOMPRESSED:
      if (n) memcpy(out, in, n);
      full = 1;
      break;
    case SC_PQ_SNAPPY:
      full = snappy_uncompress((const char *)in, n, (char *)out, &length) == SNAPPY_OK;
      break;
    case SC_PQ_GZIP: full = gunzip(in, n, out, size); break;
    case SC_PQ_LZ4: full = unlz4_hadoop(in, n, out, size) || unlz4(in, n, out, size); break;
    case SC_PQ_LZ4_RAW: full = unlz4(in, n, out, size); break;
    case SC_PQ_ZSTD: full = unzstd(c, in, n, out, size); break;
    default: full = unbrotli(in, n, out, size); break;
  }
  return full ? SC_OK : fail_packed(codec, n, size, err);
}

static sc_status gzip(int level, const unsigned char *in, size_t n, struct sc_buffer *out,
                      struct sc_error *err) {
  z_stream z;
  memset(&z, 0, sizeof z);
  if (deflateInit2(&z, level ? level : 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return sc_fail_nomem(err);
  }
  size_t bound = deflateBound(&z, (uLong)n);
  sc_status st = sc_buffer_reserve(out, bound, err);
  if (!st) {
    z.next_in = (unsigned char *)(size_t)in;
    z.avail_in = (uInt)n;
    z.next_out = out->data + out->size;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
      out->size += z.total_out;
    } else {
      st = sc_fail(err, SC_BAD_DATA, "gzip cannot pack %zu bytes", n);
    }
  }
  deflateEnd(&z);
  return st;
}

static sc_status zstd(struct sc_pq_codecs *c, int level, const unsigned char *in, size_t n,
                      struct sc_buffer *out, struct sc_error *err) {
  if (!c->zstd_out) c->zstd_out = ZSTD_createCCtx();
  if (!c->zstd_out) return sc_fail_nomem(err);
  size_t bound = ZSTD_compressBound(n);
  sc_status st = sc_buffer_reserve(out, bound, err);
  if (st) return st;
  size_t size = ZSTD_compressCCtx(c->zstd_out, out->data + out->size, bound, in, n,
                                  level ? level : ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size)) {
    return sc_fail(err, SC_BAD_DATA, "zstd cannot pack: %s", ZSTD_getErrorName(size));
  }
  out->size += size;
  return SC_OK;
}

static sc_status snappy(const unsigned char *in, size_t n, struct sc_buffer *out,
                        struct sc_error *err) {
  size_t length = snappy_max_compressed_length(n);
  sc_status st = sc_buffer_reserve(out, length, err);
  if (st) return st;
  if (snappy_compress((const char *)in, n, (char *)out->data + out->size, &length) != SNAPPY_OK) {
    return sc_fail(err, SC_BAD_DATA, "snappy cannot pack %zu bytes", n);
  }
  out->size += length;
  return SC_OK;
}

static sc_status lz4(const unsigned char *in, size_t n, struct sc_buffer *out,
                     struct sc_error *err) {
  int bound = LZ4_compressBound((int)n); /* n is at most a page */
  sc_status st = sc_buffer_reserve(out, (size_t)bound, err);
  if (st) return st;
  int size = LZ4_compress_default((const char *)in, (char *)out->data + out->size, (int)n, bound);
  if (size <= 0 && n) return sc_fail(err, SC_BAD_DATA, "lz4 cannot pack %zu bytes", n);
  out->size += (size_t)size;
  return SC_OK;
}

sc_status sc_pq_pack(struct sc_pq_codecs *c, int codec, int level, const unsigned char *in,
                     size_t n, struct sc_buffer *out, struct sc_error *err) {
  if (n > SC_PQ_PAGE_MAX_BYTES) {
    return sc_fail(err, SC_TOO_BIG, "a page of %zu bytes; the limit is %zu", n,
                   SC_PQ_PAGE_MAX_BYTES);
  }
  switch (codec) {
    case SC_PQ_UNCOMPRESSED: return sc_buffer_append(out, in, n, err);
    case SC_PQ_SNAPPY: return snappy(in, n, out, err);
    case SC_PQ_GZIP: return gzip(level, in, n, out, err);
    case SC_PQ_ZSTD: return zstd(c, level, in, n, out, err);
    case SC_PQ_LZ4_RAW: return lz4(in, n, out, err);
    default: return fail_codec(codec, err);
  }
}
