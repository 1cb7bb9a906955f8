/* Remote raster files: opening them by their stored header or by ranges, and their blocks. */
#ifndef SC_HTTP_REMOTE_H
#define SC_HTTP_REMOTE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "raster/file.h"

/*
 * Fill size, etag, tiff and is_plain of a remote file: from source->header where that is
 * given (no request), else by reading the head of the file.
 */
sc_status sc_remote_open(const struct sc_source *source, struct sc_file *file,
                         struct sc_error *err);

/* A block to fetch: bytes [offset, offset + size) of a file. */
struct sc_remote_block {
  struct sc_file *file;
  const struct sc_source *source; /* for messages */
  uint64_t offset, size;
  struct sc_buffer bytes; /* out; freed by the caller */
  struct sc_error err;    /* out */
};

/*
 * Fetch blocks side by side, neighbours merged into one request. A file that has changed
 * since it was opened fails with SC_BAD_DATA. Returns the first failure, or SC_OK.
 */
sc_status sc_remote_fetch(struct sc_remote_block *blocks, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err);

#endif
