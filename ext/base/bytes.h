/*
 * A bounds-checked cursor over borrowed bytes, little and big endian.
 *
 * Reading past the end gives zeros and sets `overrun`, so that a parser can read a whole
 * structure and test once; the cursor never leaves its bytes.
 */
#ifndef SC_BASE_BYTES_H
#define SC_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sc_bytes {
  const unsigned char *data; /* borrowed */
  size_t size;
  size_t at;   /* next byte; at <= size */
  int overrun; /* a read went past the end */
};

static inline struct sc_bytes sc_bytes_of(const void *data, size_t size) {
  struct sc_bytes b = {(const unsigned char *)data, size, 0, 0};
  return b;
}

static inline size_t sc_bytes_left(const struct sc_bytes *b) { return b->size - b->at; }

/* The next n bytes, or NULL (and overrun) if there are fewer. */
static inline const unsigned char *sc_bytes_take(struct sc_bytes *b, size_t n) {
  if (n > b->size - b->at) {
    b->overrun = 1;
    b->at = b->size;
    return NULL;
  }
  const unsigned char *p = b->data + b->at;
  b->at += n;
  return p;
}

static inline uint16_t sc_le16(const unsigned char *p) {
  return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}
static inline uint32_t sc_le32(const unsigned char *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t sc_le64(const unsigned char *p) {
  return (uint64_t)sc_le32(p) | (uint64_t)sc_le32(p + 4) << 32;
}
static inline uint32_t sc_be32(const unsigned char *p) {
  return (uint32_t)p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}
static inline uint16_t sc_be16(const unsigned char *p) {
  return (uint16_t)(p[1] | (unsigned)p[0] << 8);
}
static inline uint64_t sc_be64(const unsigned char *p) {
  return (uint64_t)sc_be32(p + 4) | (uint64_t)sc_be32(p) << 32;
}
static inline double sc_le_double(const unsigned char *p) {
  uint64_t u = sc_le64(p);
  double d;
  memcpy(&d, &u, sizeof d);
  return d;
}
static inline double sc_be_double(const unsigned char *p) {
  uint64_t u = sc_be64(p);
  double d;
  memcpy(&d, &u, sizeof d);
  return d;
}

/* An unsigned LEB128 number of at most max_bytes (1 to 10), as Parquet and Thrift write them
 * (DWARF 4, 7.6); 0 and overrun if it is longer. */
static inline uint64_t sc_bytes_varint(struct sc_bytes *b, unsigned max_bytes) {
  uint64_t v = 0;
  for (unsigned i = 0; i < max_bytes; i++) {
    const unsigned char *p = sc_bytes_take(b, 1);
    uint8_t byte = p ? *p : 0;
    v |= (uint64_t)(byte & 0x7F) << (7 * i);
    if (!(byte & 0x80)) return v;
  }
  b->overrun = 1;
  return 0;
}
/* Write one to p, room for 10; gives the bytes written. */
static inline size_t sc_put_varint(unsigned char *p, uint64_t v) {
  size_t n = 0;
  do {
    p[n++] = (unsigned char)((v & 0x7F) | (v > 0x7F ? 0x80 : 0));
    v >>= 7;
  } while (v);
  return n;
}

static inline void sc_put_le32(unsigned char *p, uint32_t v) {
  p[0] = (unsigned char)v;
  p[1] = (unsigned char)(v >> 8);
  p[2] = (unsigned char)(v >> 16);
  p[3] = (unsigned char)(v >> 24);
}
static inline void sc_put_le64(unsigned char *p, uint64_t v) {
  sc_put_le32(p, (uint32_t)v);
  sc_put_le32(p + 4, (uint32_t)(v >> 32));
}
static inline void sc_put_be32(unsigned char *p, uint32_t v) {
  p[3] = (unsigned char)v;
  p[2] = (unsigned char)(v >> 8);
  p[1] = (unsigned char)(v >> 16);
  p[0] = (unsigned char)(v >> 24);
}
static inline void sc_put_le_double(unsigned char *p, double d) {
  uint64_t u;
  memcpy(&u, &d, sizeof u);
  sc_put_le64(p, u);
}

static inline uint8_t sc_bytes_u8(struct sc_bytes *b) {
  const unsigned char *p = sc_bytes_take(b, 1);
  return p ? *p : 0;
}
static inline uint16_t sc_bytes_le16(struct sc_bytes *b) {
  const unsigned char *p = sc_bytes_take(b, 2);
  return p ? sc_le16(p) : 0;
}
static inline uint32_t sc_bytes_le32(struct sc_bytes *b) {
  const unsigned char *p = sc_bytes_take(b, 4);
  return p ? sc_le32(p) : 0;
}
static inline uint64_t sc_bytes_le64(struct sc_bytes *b) {
  const unsigned char *p = sc_bytes_take(b, 8);
  return p ? sc_le64(p) : 0;
}
static inline double sc_bytes_le_double(struct sc_bytes *b) {
  const unsigned char *p = sc_bytes_take(b, 8);
  return p ? sc_le_double(p) : 0;
}

#endif
