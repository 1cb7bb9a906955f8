/* A growable byte buffer; see buffer.h. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

static void free_data(const struct sc_buffer *b) {
  if (b->give) {
    b->give(b->data);
  } else {
    sc_free(b->data);
  }
}

/* Out of memory that cannot be resized, into some that can. */
static unsigned char *copy_data(struct sc_buffer *b, size_t capacity) {
  unsigned char *data = sc_alloc(capacity);
  if (!data) return NULL;
  memcpy(data, b->data, b->size);
  free_data(b);
  b->give = NULL;
  return data;
}

sc_status sc_buffer_grow(struct sc_buffer *b, size_t extra, struct sc_error *err) {
  size_t need;
  if (__builtin_add_overflow(b->size, extra, &need)) return sc_fail_nomem(err);
  size_t capacity = b->capacity + b->capacity / 2;
  if (capacity < need) capacity = need;
  if (capacity < 64) capacity = 64;
  unsigned char *data = b->give ? copy_data(b, capacity) : sc_realloc(b->data, capacity);
  if (!data) return sc_fail_nomem(err);
  b->data = data;
  b->capacity = capacity;
  return SC_OK;
}

sc_status sc_buffer_append_le(struct sc_buffer *b, uint64_t v, size_t n, struct sc_error *err) {
  unsigned char raw[8];
  sc_put_le64(raw, v);
  return sc_buffer_append(b, raw, n, err);
}

sc_status sc_buffer_append_text(struct sc_buffer *b, const char *text, struct sc_error *err) {
  return sc_buffer_append(b, text, strlen(text), err);
}

sc_status sc_buffer_printf(struct sc_buffer *b, struct sc_error *err, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) return sc_fail(err, SC_BAD_ARG, "cannot format '%s'", format);
  sc_status st = sc_buffer_reserve(b, (size_t)n + 1, err);
  if (st) return st;
  va_start(args, format);
  vsnprintf((char *)b->data + b->size, (size_t)n + 1, format, args);
  va_end(args);
  b->size += (size_t)n;
  return SC_OK;
}

sc_status sc_buffer_append_json(struct sc_buffer *b, const char *text, struct sc_error *err) {
  if (!text) return sc_buffer_append_text(b, "null", err);
  size_t n = strlen(text);
  sc_status st = n > SIZE_MAX / 6 - 2 ? sc_fail_nomem(err) : sc_buffer_reserve(b, 6 * n + 2, err);
  if (st) return st;
  unsigned char *p = b->data + b->size;
  *p++ = '"';
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      *p++ = '\\';
      *p++ = c;
    } else if (c < 0x20) {
      p += snprintf((char *)p, 7, "\\u%04x", c);
    } else {
      *p++ = c;
    }
  }
  *p++ = '"';
  b->size = (size_t)(p - b->data);
  return SC_OK;
}

sc_status sc_buffer_terminate(struct sc_buffer *b, struct sc_error *err) {
  sc_status st = sc_buffer_reserve(b, 1, err);
  if (!st) b->data[b->size] = 0;
  return st;
}

void sc_buffer_move(struct sc_buffer *from, struct sc_buffer *to) {
  sc_buffer_free(to);
  *to = *from;
  memset(from, 0, sizeof *from);
}

void sc_buffer_free(struct sc_buffer *b) {
  free_data(b);
  memset(b, 0, sizeof *b);
}
