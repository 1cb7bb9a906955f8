/*
 * The block layout of a plain TIFF, by libtiff: where each block's bytes are and how they
 * are packed. "Plain" is what the block reader decodes exactly as GDAL does (tiff_is_plain);
 * everything else stays with GDAL.
 */
#ifndef SC_RASTER_TIFF_H
#define SC_RASTER_TIFF_H

#include <stdint.h>

#include "base/status.h"
#include "raster/raster_api.h"

enum sc_codec { SC_CODEC_NONE, SC_CODEC_DEFLATE, SC_CODEC_ZSTD };

#define SC_BANDS_MAX 4096                /* of a file */
#define SC_BLOCK_MAX_BYTES 256000000     /* of one block, all its bands: larger ones are refused */
#define SC_BLOCK_LARGE_BYTES (64u << 20) /* larger ones are decoded one at a time */

/* Zeroed is empty; sc_tiff_free(). */
struct sc_tiff {
  int width, height;
  int is_tiled; /* else blocks are strips, as wide as the image */
  int block_width, block_height;
  int n_bands; /* samples per pixel */
  int planar;  /* nonzero: each band has its own blocks */
  enum sc_dtype dtype;
  enum sc_codec codec;
  int predictor; /* 1 none, 2 horizontal differences, 3 floating point */
  int has_nodata;
  double nodata;
  int blocks_across, blocks_down;
  size_t n_blocks;   /* of all bands together when planar */
  uint64_t *offsets; /* n_blocks; 0: the block is not stored (all nodata) */
  uint64_t *byte_counts;
};

/* Reads bytes for libtiff: up to n bytes at offset; returns the number read, or -1. */
typedef int64_t (*sc_tiff_read)(void *context, uint64_t offset, void *bytes, size_t n);

/*
 * Read the layout of the first image. SC_UNSUPPORTED for any TIFF that is not plain, and for
 * what is no TIFF: the caller then asks GDAL. size: of the file.
 */
sc_status sc_tiff_open(sc_tiff_read read, void *context, uint64_t size, struct sc_tiff *out,
                       struct sc_error *err);
void sc_tiff_free(struct sc_tiff *tiff);

/* Bytes of one pixel in a block (all bands when interleaved), of a block row, of a block. */
size_t sc_tiff_pixel_bytes(const struct sc_tiff *tiff);
size_t sc_tiff_row_bytes(const struct sc_tiff *tiff);
/* Rows of the block: fewer in the last strip of an untiled file. */
int sc_tiff_block_rows(const struct sc_tiff *tiff, size_t block);

#endif
