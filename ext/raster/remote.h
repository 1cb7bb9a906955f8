/*
 * Remote raster files: their size and ETag, the bytes of their headers, and their blocks.
 *
 * A file's header bytes are kept in memory as segments, fetched on first touch or taken from
 * a stored header; what was touched is what a stored header holds, so that opening a file
 * from it asks the network for nothing. Each response's ETag and size are compared: a file that
 * has changed is SC_CHANGED, its header is forgotten, and the caller begins again.
 */
#ifndef SC_RASTER_REMOTE_H
#define SC_RASTER_REMOTE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "raster/file.h"
#include "raster/response.h"

struct sc_remote; /* one remote file; shared by its users */

/* The remote file of a source; asks for its first bytes unless they are known. Release it. */
sc_status sc_remote_acquire(const struct sc_source *source, struct sc_remote **out,
                            struct sc_error *err);
void sc_remote_release(struct sc_remote *remote); /* NULL is fine */

/* A number of the process that names it, and back again (held; NULL where it is gone). */
uint64_t sc_remote_serial(const struct sc_remote *remote);
struct sc_remote *sc_remote_by_serial(uint64_t serial);

uint64_t sc_remote_size(struct sc_remote *remote);
unsigned sc_remote_generation(struct sc_remote *remote);

/*
 * GDAL's drivers may take a failed read for the end of the file. So failures are counted here, and
 * the caller of GDAL compares the count before and after. *last (may be NULL) gets the last one.
 */
void sc_remote_note_failure(struct sc_remote *remote, const struct sc_error *err);
unsigned sc_remote_url_failures(const char *url, struct sc_error *last);

/*
 * Forget the bytes of a URL's file, because it is not a raster or its blocks do not decode: the
 * next call asks the server as a fresh process would. So an error page under status 200, or a file
 * that was replaced where the server sends no ETag, does not stay in the cache.
 */
void sc_remote_url_forget(const char *url);

/* The generation of a URL's file; 0 where it is not known. */
unsigned sc_remote_url_generation(const char *url);

/* Read bytes, from memory or the network; *got is less than n at the end of the file. */
sc_status sc_remote_read(struct sc_remote *remote, uint64_t offset, void *out, size_t n,
                         size_t *got, struct sc_error *err);

/* Fill size, tiff and is_plain of a remote file. */
sc_status sc_remote_open(const struct sc_source *source, struct sc_file *file,
                         struct sc_error *err);

/*
 * What the stored header of a source says of the file; *known is 0 where it does not, and
 * GDAL has to open it. *out is freed with sc_gdal_info_free().
 */
sc_status sc_remote_info(const struct sc_source *source, struct sc_raster_info *out, int *known,
                         struct sc_error *err);

/* The stored header of a source (see sc_raster_api.make_header), appended to out. */
sc_status sc_remote_make_header(const struct sc_source *source, struct sc_buffer *out,
                                struct sc_error *err);

/* A block to fetch: bytes [offset, offset + size) of a file. */
struct sc_remote_block {
  struct sc_file *file;
  const struct sc_source *source; /* for messages */
  uint64_t offset, size;
  uint64_t wanted;        /* how many from the first are needed; 0: all. More may be fetched */
  struct sc_shared bytes; /* out; released by the caller */
  struct sc_error err;    /* out */
};

/*
 * Fetch blocks side by side, neighbours merged into one request. Each block has its own err;
 * returns the first failure, or SC_OK.
 */
sc_status sc_remote_fetch(struct sc_remote_block *blocks, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err);

/* In a forked child. */
void sc_remote_abandon(void);

#endif
