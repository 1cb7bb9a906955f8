/*
 * One block of a plain TIFF with its rows decoded as far as wanted.
 */
#ifndef SC_RASTER_BLOCK_H
#define SC_RASTER_BLOCK_H

#include "base/buffer.h"
#include "base/status.h"
#include "raster/cache.h"
#include "raster/file.h"

/* Which rows of a block are wanted: from 0 on they are decompressed, in [begin, end) their
 * predictor is undone and their bands are put one after the other. */
struct sc_block_rows {
  int begin, end;
  int expects_more; /* the rest will be wanted soon: decompress all of it at once */
};

/*
 * Make rows of a block ready. The caller holds the block and its lock.
 *
 * bytes  The block as stored, or NULL: read from the (local) file.
 *
 * The first time only the rows down to `end` are decompressed; when a block is wanted again
 * for more, it is decompressed whole. In a row that is ready, a value of band b and column x is
 * number b * block_width + x.
 */
sc_status sc_block_prepare(struct sc_block *block, const struct sc_file *file, size_t index,
                           struct sc_block_rows rows, const struct sc_buffer *bytes,
                           struct sc_error *err);

/* The same into the caller's scratch, for one pass over a file that is not kept. *out borrows
 * from scratch. */
struct sc_block_scratch {
  struct sc_buffer stored, rows;
};
sc_status sc_block_decode_once(struct sc_block_scratch *scratch, const struct sc_file *file,
                               size_t index, int n_rows, const struct sc_buffer *bytes,
                               unsigned char **out, struct sc_error *err);
void sc_block_scratch_free(struct sc_block_scratch *scratch);

#endif
