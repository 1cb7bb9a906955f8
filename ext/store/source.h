/*
 * Where the bytes of a Parquet file come from: a local file, a URL, or memory.
 * One thread at a time.
 */
#ifndef SC_STORE_SOURCE_H
#define SC_STORE_SOURCE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

struct sc_byte_source {
  char *name; /* path or URL, for messages; owned */
  uint64_t size;
  uint64_t n_read; /* bytes read so far */
  int fd;          /* of a local file */
  int is_remote;
  struct sc_buffer head; /* of a remote file: its first bytes; all where there are no ranges */
  const unsigned char *memory; /* borrowed, or NULL */
};

/* Open a path or URL. Close with sc_byte_source_close(), also after an error. */
sc_status sc_byte_source_open(const char *path, struct sc_byte_source *out, struct sc_error *err);
/* Borrowed bytes as a file. */
sc_status sc_byte_source_memory(const char *name, const void *data, size_t n,
                                struct sc_byte_source *out, struct sc_error *err);
/* Replace `out` by n bytes from `offset`. SC_BAD_DATA beyond the end. */
sc_status sc_byte_source_read(struct sc_byte_source *s, uint64_t offset, size_t n,
                              struct sc_buffer *out, struct sc_error *err);
void sc_byte_source_close(struct sc_byte_source *s);

#endif
