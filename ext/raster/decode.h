/*
 * Bytes of a block -> pixels, only as far as wanted.
 *
 * DEFLATE and ZSTD streams are decoded from their begin to the last row that is needed: a
 * chip of 256 rows at the top of a 1024 block costs a quarter. What lies behind is neither
 * decoded nor checked, unless the whole block is asked for.
 */
#ifndef SC_RASTER_DECODE_H
#define SC_RASTER_DECODE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"
#include "raster/tiff.h"

/*
 * Decompress at least the first `rows` rows of a block.
 *
 * out       Room for out_bytes; out_bytes >= rows * row bytes, and for an early stop
 *           SC_DECODE_SLACK more (or the whole block).
 * Returns   SC_BAD_DATA with the reason ("inflate: ...") for damaged data, which is an error even
 *           where GDAL lets it pass (libtiff does not look at the checksum); SC_UNSUPPORTED
 *           for a block that is shorter than it should be, where GDAL is asked.
 *
 * THREADS  Decompressors are kept per thread.
 */
#define SC_DECODE_SLACK 1024
sc_status sc_decode_block(const struct sc_tiff *tiff, const void *bytes, size_t n, size_t wanted,
                          size_t whole, unsigned char *out, struct sc_error *err);

/* Undo the predictor of one row in place, over the block's whole width. scratch: row bytes,
 * used by predictor 3 only. */
void sc_decode_row(const struct sc_tiff *tiff, unsigned char *row, unsigned char *scratch);

/*
 * n pixels of one row, each with its bands side by side, or with one band only -> bands apart:
 * the values of band b at out + b * plane_bytes.
 */
void sc_decode_split(const struct sc_tiff *tiff, const unsigned char *pixels, size_t n,
                     unsigned char *out, size_t plane_bytes);

/*
 * Buffers of the calling thread: a block's bytes as stored, its rows, and those of them that
 * are wanted for one pass. Fresh memory for each block would cost a fault for each page. They
 * hold until the thread decodes its next block; sc_decode_scratch_trim() then gives large ones
 * back.
 */
struct sc_decode_scratch {
  struct sc_buffer stored, rows, strips;
};
struct sc_decode_scratch *sc_decode_scratch(struct sc_error *err);
void sc_decode_scratch_trim(struct sc_decode_scratch *scratch);

#endif
