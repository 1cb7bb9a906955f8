/*
 * A growable byte buffer with one owner. Zeroed memory is an empty buffer; its memory comes from
 * sc_alloc(), or from where `give` returns it.
 * Each appending function leaves the buffer as it was when it fails.
 */
#ifndef SC_BASE_BUFFER_H
#define SC_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

struct sc_buffer {
  unsigned char *data;      /* owned; freed by sc_buffer_free() */
  size_t size;              /* bytes in use */
  size_t capacity;          /* bytes allocated */
  void (*give)(void *data); /* frees data; NULL: sc_free() */
};

/* Bytes of somebody else. */
struct sc_view {
  const unsigned char *data;
  size_t size;
};

/* Allocate room for `extra` bytes after `size`, which is not there. */
sc_status sc_buffer_grow(struct sc_buffer *b, size_t extra, struct sc_error *err);
/* Make room for `extra` bytes after `size`. */
static inline sc_status sc_buffer_reserve(struct sc_buffer *b, size_t extra, struct sc_error *err) {
  return extra <= b->capacity - b->size ? SC_OK : sc_buffer_grow(b, extra, err);
}
/* Set the size; new bytes are not initialised. */
static inline sc_status sc_buffer_resize(struct sc_buffer *b, size_t size, struct sc_error *err) {
  if (size > b->capacity) {
    sc_status st = sc_buffer_grow(b, size - b->size, err);
    if (st) return st;
  }
  b->size = size;
  return SC_OK;
}
static inline sc_status sc_buffer_append(struct sc_buffer *b, const void *bytes, size_t n,
                                         struct sc_error *err) {
  sc_status st = sc_buffer_reserve(b, n, err);
  if (st) return st;
  /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): reserved n bytes, so data is set */
  if (n) memcpy(b->data + b->size, bytes, n);
  b->size += n;
  return SC_OK;
}
/* The low n bytes (1 to 8) of an integer, little-endian. */
sc_status sc_buffer_append_le(struct sc_buffer *b, uint64_t v, size_t n, struct sc_error *err);
sc_status sc_buffer_append_text(struct sc_buffer *b, const char *text, struct sc_error *err);
/* printf at the end; the terminating zero is written but not counted. */
sc_status sc_buffer_printf(struct sc_buffer *b, struct sc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Text as a JSON string with its quotes; NULL gives null. */
sc_status sc_buffer_append_json(struct sc_buffer *b, const char *text, struct sc_error *err);
/* Add a zero byte that is not counted, so that data can be read as a C string. */
sc_status sc_buffer_terminate(struct sc_buffer *b, struct sc_error *err);
/* Leaves `from` empty; `to` is freed first. */
void sc_buffer_move(struct sc_buffer *from, struct sc_buffer *to);
void sc_buffer_free(struct sc_buffer *b);

#endif
