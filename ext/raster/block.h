/*
 * One block of a plain TIFF with its rows decoded as far as wanted.
 *
 * WORDS  A *block* is what the TIFF stores at one place, whether the format calls it a tile or a
 * strip. Its pixels, once decoded, lie in *panels* of 256 columns. A *kept* block is in the cache
 * (cache.h); a *transient* one is decoded for one read, into memory of the thread. The first bytes
 * of a stored block are a *part* of it.
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

/* How many rows of a block must be decoded for its first n_rows to count: all of them under the
 * setting verify, whatever was read before it was set. */
int sc_block_rows_needed(const struct sc_tiff *t, size_t index, int n_rows);

/*
 * Make rows of a block ready. The caller holds the block and its lock, or it is a transient one:
 * then only the wanted rows are there, until the thread decodes its next block or the caller
 * says sc_block_end_transient().
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

/* The caller is done with a transient block. */
void sc_block_end_transient(struct sc_block *block);

/*
 * How many of a stored block's bytes are likely to hold its first n_rows rows, if the rows
 * compress alike; all where that is not clearly fewer. If sc_block_prepare() fails on a part,
 * try again with the whole block.
 */
uint64_t sc_block_part(const struct sc_tiff *tiff, size_t index, int n_rows);

/*
 * The pixels of a block lie panel after panel (256 columns each, the last may be narrower), in each
 * panel band after band, in each band row after row. So the band of a chip of 256 pixels is one run
 * of memory and one memcpy(). In rows as wide as a block of 1024 pixels of 16 bits it would be 256
 * runs of 512 bytes out of 2 KB, too short for the processor to fetch the next one ahead: reading
 * chips of kept blocks was bound by memory latency.
 */
#define SC_PANEL_PX 256
struct sc_block_panel {
  int left, width;             /* in columns of the block */
  const unsigned char *pixels; /* `width` values a row, no gap between rows */
};
int sc_block_panels(const struct sc_tiff *tiff);
/* Panel i of one band (0-based within the block). */
struct sc_block_panel sc_block_panel(const struct sc_block *block, const struct sc_tiff *tiff,
                                     int i, int band);

/* Decode n rows for one pass over a file that is not kept, as they are stored: the predictor is
 * not undone. *out holds until the thread decodes its next block. */
sc_status sc_block_decode_once(const struct sc_file *file, size_t index, int n_rows,
                               const struct sc_view *bytes, unsigned char **out,
                               struct sc_error *err);

#endif
