/*
 * One block of a plain TIFF with its rows decoded as far as wanted.
 */
#ifndef SC_RASTER_BLOCK_H
#define SC_RASTER_BLOCK_H

#include "base/buffer.h"
#include "base/status.h"
#include "raster/cache.h"
#include "raster/file.h"

/* What is wanted of a block: rows [first, n), counted from its top. */
struct sc_block_rows {
  int first, n;
  int expects_more; /* the rest will be wanted soon: decode all of it at once */
};

/*
 * Make rows of a block ready. The caller holds the block and its lock, or it is one that passes:
 * then only the wanted rows are there, until the thread decodes its next block or the caller
 * says sc_block_passed().
 *
 * bytes  The block as stored, or its first bytes (see sc_block_part), or NULL: read from the
 *        (local) file.
 *
 * The first time only the wanted rows are decoded; when a block is wanted again for more, it is
 * decoded whole.
 */
sc_status sc_block_prepare(struct sc_block *block, const struct sc_file *file, size_t index,
                           struct sc_block_rows rows, const struct sc_view *bytes,
                           struct sc_error *err);

/* The caller is done with a block that passes. */
void sc_block_passed(struct sc_block *block);

/*
 * How many of a stored block's bytes are likely to hold its first n_rows rows, if the rows
 * compress alike; all where that is not clearly fewer. If sc_block_prepare() fails on a part,
 * the whole block tells.
 */
uint64_t sc_block_part(const struct sc_tiff *tiff, size_t index, int n_rows);

/*
 * The pixels of a block lie in upright strips of 256 columns (the last may be narrower), strip
 * after strip, in each strip band after band, in each band row after row: the band of a chip of
 * 256 pixels is then one piece of memory, where rows as wide as the block make as many pieces
 * as it has rows, each too short for the processor to fetch it ahead.
 */
#define SC_STRIP_PX 256
struct sc_block_strip {
  int left, width;             /* in columns of the block */
  const unsigned char *pixels; /* `width` values a row, no gap between rows */
};
int sc_block_strips(const struct sc_tiff *tiff);
/* Strip i of one band (0-based within the block). */
struct sc_block_strip sc_block_strip(const struct sc_block *block, const struct sc_tiff *tiff,
                                     int i, int band);

/* Decode n rows for one pass over a file that is not kept, as they are stored: the predictor is
 * not undone. *out holds until the thread decodes its next block. */
sc_status sc_block_decode_once(const struct sc_file *file, size_t index, int n_rows,
                               const struct sc_view *bytes, unsigned char **out,
                               struct sc_error *err);

#endif
