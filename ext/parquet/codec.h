/*
 * The compression codecs of Parquet pages: the only user of zstd, snappy, zlib, brotli and
 * lz4. A codec object may be used by one thread at a time.
 */
#ifndef SC_PARQUET_CODEC_H
#define SC_PARQUET_CODEC_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"
#include "parquet/format.h"

/* Largest page we unpack or write. DuckDB's reach 100 MB; the format allows 2 GB. */
#define SC_PQ_PAGE_MAX_BYTES ((size_t)1 << 30)

/* Contexts kept between calls. Zeroed is empty. */
struct sc_pq_codecs {
  void *zstd_in, *zstd_out;
};
void sc_pq_codecs_free(struct sc_pq_codecs *c);

/* "ZSTD" and so on; "codec 9" has no name and gives NULL. */
const char *sc_pq_codec_name(int codec);

/*
 * Unpack into out[0, size), which must come out exactly full.
 * SC_BAD_DATA where it does not; SC_UNSUPPORTED for LZO and unknown codecs.
 */
sc_status sc_pq_unpack(struct sc_pq_codecs *c, int codec, const unsigned char *in, size_t n,
                       unsigned char *out, size_t size, struct sc_error *err);

/*
 * May n packed bytes hold `size` bytes? Asked before `size` bytes are allocated: SC_BAD_DATA
 * where the codec, or the packed bytes' own head, says no.
 */
sc_status sc_pq_unpack_check(int codec, const unsigned char *in, size_t n, size_t size,
                             struct sc_error *err);

/* Pack and append. UNCOMPRESSED, SNAPPY, GZIP, ZSTD and LZ4_RAW; level 0 is the codec's default. */
sc_status sc_pq_pack(struct sc_pq_codecs *c, int codec, int level, const unsigned char *in,
                     size_t n, struct sc_buffer *out, struct sc_error *err);

#endif
