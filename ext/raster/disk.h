/*
 * What is kept on the local disk of remote raster files (setting disk_cache): the state that their
 * server had last, and ranges of their bytes.
 *
 * A file is known by what is asked over the wire, without signatures and secrets (store/secrets.h),
 * and by the setting `hosts`: what was fetched under one rule is not there under another, so that
 * a host which is no longer allowed is asked for, and refused. Names and heads of entries are
 * SHA-256 of that; no URL, and nothing that came from the environment, is written.
 *
 * STATE   Size and ETag, when a response last confirmed them, and a count of the times when the
 *         file was forgotten. A state is believed for `max_age` seconds; then a response has to
 *         confirm it, which is one request for the file. A file without ETag and without time of
 *         modification is not kept.
 * RANGES  Known by the file, its size, its ETag and the count. So bytes of two states never meet,
 *         and bytes that made no raster are not found again.
 *
 * Each entry has a checksum. A damaged one is not there.
 *
 * THREADS  Any; a struct sc_disk_file is its owner's to lock.
 */
#ifndef SC_RASTER_DISK_H
#define SC_RASTER_DISK_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/settings.h"
#include "raster/raster_api.h"

#define SC_DISK_KEY_BYTES 32
#define SC_DISK_ETAG_BYTES 128
/* Ranges that GDAL and the parsers of headers read are kept in pieces of this size, at multiples of
 * it: which ranges they ask for depends on what memory has. */
#define SC_DISK_PIECE_BYTES 32768
/* Blocks up to this size are fetched and kept whole, though their first rows would do today. */
#define SC_DISK_WHOLE_BYTES (4u << 20)

struct sc_disk_file {
  unsigned settings; /* count of changes when the rest was found; 0: nothing is */
  int is_identified, is_confirmed;
  int64_t confirmed_s;
  uint32_t n_forgotten;
  unsigned char id[SC_DISK_KEY_BYTES], key[SC_DISK_KEY_BYTES];
};

/* Called for each change of a setting. A folder that cannot be opened is as none. */
void sc_disk_configure(const struct sc_settings *settings);

/* Is there a disk cache? */
int sc_disk_is_on(void);

/* Below, a key has SC_DISK_KEY_BYTES, and an etag that is written to SC_DISK_ETAG_BYTES. */

/* The state of a URL's file that the disk knows and that is young enough; 0: none. */
int sc_disk_recall(struct sc_disk_file *file, const char *url, uint64_t *size, char *etag);

/* A response has confirmed the state of the file. */
void sc_disk_confirm(struct sc_disk_file *file, const char *url, uint64_t size, const char *etag);

/* What is known of the file was wrong: ask the server. */
void sc_disk_forget(struct sc_disk_file *file, const char *url);

/* The key of the file's ranges; 0 while its state is not confirmed, or not lately enough. */
int sc_disk_key(struct sc_disk_file *file, const char *url, uint64_t size, const char *etag,
                unsigned char *key);

enum sc_disk_kind { SC_DISK_STATE = 's', SC_DISK_PIECE = 'p', SC_DISK_BLOCK = 'b' };

/* Read a range of at least `least` bytes: append its bytes, up to `most`, to out. 0: not there. */
int sc_disk_read(const unsigned char *key, enum sc_disk_kind kind, uint64_t offset, uint64_t least,
                 uint64_t most, struct sc_buffer *out);
void sc_disk_write(const unsigned char *key, enum sc_disk_kind kind, uint64_t offset,
                   struct sc_view bytes);

/* Fill in what is counted of ranges since the process began. */
void sc_disk_count(struct sc_kept *out);

/* In a forked child. */
void sc_disk_abandon(void);

#endif
