/*
 * Bytes of a block -> pixels, only as far as wanted.
 *
 * DEFLATE and ZSTD streams are decoded from their begin to the last row that is needed: a
 * chip of 256 rows at the top of a 1024 block costs a quarter. What lies behind is neither
 * decoded nor checked, unless the whole block is asked for. Ten bands of random chips of
 * Sentinel-2: 29.6 ms a chip, 50.2 ms with blocks decoded to their end, 58.7 ms by GDAL.
 */
#ifndef SC_RASTER_DECODE_H
#define SC_RASTER_DECODE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"
#include "raster/tiff.h"

/*
 * Decompress a block of `whole` bytes at least as far as its first `wanted` ones.
 *
 * bytes, n  The block as stored, or its first bytes.
 * out       Room for wanted + SC_DECODE_SLACK bytes, or for `whole` where that is less.
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
 * the values of band b at out + b * plane_bytes. Done once, when the block is decoded: a chip then
 * copies rows of one band, where it would gather every third or fourth value of all of them.
 */
void sc_decode_split(const struct sc_tiff *tiff, const unsigned char *pixels, size_t n,
                     unsigned char *out, size_t plane_bytes);

/*
 * Buffers of the calling thread: a block's bytes as stored, its rows, and the panels of a
 * transient one. glibc maps memory of a block's size anew each time and gives it back when it is
 * freed: a page fault for each 4 KB, more than copying costs. They hold until the thread decodes
 * its next block; sc_decode_scratch_trim() then gives large ones back.
 */
struct sc_decode_scratch {
  struct sc_buffer stored, rows, panels;
};
struct sc_decode_scratch *sc_decode_scratch(struct sc_error *err);
void sc_decode_scratch_trim(struct sc_decode_scratch *scratch);

#endif
