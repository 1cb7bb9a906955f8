/* Packed arrays of pixels; see packed.h. */
#include "pixels/packed.h"

#include <string.h>

#include "base/alloc.h"
#include "raster/raster_api.h"

#define ZSTD_LEVEL 1 /* 2.2 ms a chip; level 3 takes 3.5 and makes 2 per cent more of them */

static const char *const names[] = {"raw", "lz4", "zstd"};
static const int codecs[] = {SC_PQ_UNCOMPRESSED, SC_PQ_LZ4_RAW, SC_PQ_ZSTD};

const char *sc_packing_name(enum sc_packing packing) { return names[packing]; }

int sc_packing_find(const char *name, enum sc_packing *out) {
  for (int i = 0; name && i <= SC_PACKING_ZSTD; i++) {
    if (strcmp(names[i], name) != 0) continue;
    *out = (enum sc_packing)i;
    return 1;
  }
  return 0;
}

size_t sc_packed_bytes(const struct sc_packed_shape *s) {
  return s->n_planes * s->height * s->width * sc_dtype_bytes(s->dtype);
}

void sc_packer_free(struct sc_packer *p) {
  sc_pq_codecs_free(&p->codecs);
  sc_buffer_free(&p->split);
}

static int is_integer(enum sc_dtype t) { return t >= SC_DTYPE_U8 && t <= SC_DTYPE_I64; }

/* --- rows of values of one width, taken apart into planes of bytes --- */

/* Functions for one width; stride: from a byte of a value to its next one. */
#define WIDTH(bits)                                                                              \
  static void split_##bits(const unsigned char *in, size_t n, int differs, size_t stride,        \
                           unsigned char *out) {                                                 \
    uint##bits##_t before = 0, v, d;                                                             \
    for (size_t i = 0; i < n; i++) {                                                             \
      memcpy(&v, in + i * sizeof v, sizeof v);                                                   \
      d = (uint##bits##_t)(differs ? v - before : v);                                            \
      before = v;                                                                                \
      for (size_t k = 0; k < sizeof d; k++) out[k * stride + i] = (unsigned char)(d >> 8 * k);   \
    }                                                                                            \
  }                                                                                              \
  static void join_##bits(const unsigned char *in, size_t n, int differs, size_t stride,         \
                          unsigned char *out) {                                                  \
    uint##bits##_t before = 0;                                                                   \
    for (size_t i = 0; i < n; i++) {                                                             \
      uint##bits##_t v = 0;                                                                      \
      for (size_t k = 0; k < sizeof v; k++)                                                      \
        v = (uint##bits##_t)(v | (uint##bits##_t)((uint##bits##_t)in[k * stride + i] << 8 * k)); \
      if (differs) v = (uint##bits##_t)(v + before);                                             \
      before = v;                                                                                \
      memcpy(out + i * sizeof v, &v, sizeof v);                                                  \
    }                                                                                            \
  }
WIDTH(8)
WIDTH(16)
WIDTH(32)
WIDTH(64)

typedef void row_function(const unsigned char *in, size_t n, int differs, size_t stride,
                          unsigned char *out);

/* Values are words of a row: complex ones two words each. */
struct words {
  size_t bytes, n; /* of a word; in a row */
  int differs;
  row_function *split, *join;
};

static struct words words_of(const struct sc_packed_shape *s) {
  size_t bytes = sc_dtype_bytes(s->dtype), parts = sc_dtype_is_complex(s->dtype) ? 2 : 1;
  struct words w = {bytes / parts, s->width * parts, is_integer(s->dtype), NULL, NULL};
  w.split = w.bytes == 1 ? split_8 : w.bytes == 2 ? split_16 : w.bytes == 4 ? split_32 : split_64;
  w.join = w.bytes == 1 ? join_8 : w.bytes == 2 ? join_16 : w.bytes == 4 ? join_32 : join_64;
  return w;
}

static void split_planes(const struct sc_packed_shape *s, const unsigned char *in,
                         unsigned char *out) {
  const struct words w = words_of(s);
  size_t row = w.n * w.bytes, stride = w.n * s->height;
  for (size_t p = 0; p < s->n_planes; p++) {
    for (size_t y = 0; y < s->height; y++)
      w.split(in + (p * s->height + y) * row, w.n, w.differs, stride,
              out + p * s->height * row + y * w.n);
  }
}

static void join_planes(const struct sc_packed_shape *s, const unsigned char *in,
                        unsigned char *out) {
  const struct words w = words_of(s);
  size_t row = w.n * w.bytes, stride = w.n * s->height;
  for (size_t p = 0; p < s->n_planes; p++) {
    for (size_t y = 0; y < s->height; y++)
      w.join(in + p * s->height * row + y * w.n, w.n, w.differs, stride,
             out + (p * s->height + y) * row);
  }
}

sc_status sc_pack(struct sc_packer *p, enum sc_packing packing, const struct sc_packed_shape *shape,
                  const void *pixels, struct sc_buffer *out, struct sc_error *err) {
  const unsigned char *from = pixels;
  size_t bytes = sc_packed_bytes(shape);
  out->size = 0;
  if (packing == SC_PACKING_ZSTD) {
    sc_status st = sc_buffer_resize(&p->split, bytes, err);
    if (st) return st;
    split_planes(shape, from, p->split.data);
    from = p->split.data;
  }
  return sc_pq_pack(&p->codecs, codecs[packing], ZSTD_LEVEL, from, bytes, out, err);
}

sc_status sc_unpack(enum sc_packing packing, const struct sc_packed_shape *shape, const void *in,
                    size_t n, void *pixels, struct sc_error *err) {
  size_t bytes = sc_packed_bytes(shape);
  struct sc_pq_codecs contexts = {NULL, NULL};
  if (packing != SC_PACKING_ZSTD)
    return sc_pq_unpack(&contexts, codecs[packing], in, n, pixels, bytes, err);
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  unsigned char *split = raster->memory_take(bytes);
  if (!split) return sc_fail_nomem(err);
  sc_status st = sc_pq_unpack(&contexts, SC_PQ_ZSTD, in, n, split, bytes, err);
  if (!st) join_planes(shape, split, pixels);
  sc_pq_codecs_free(&contexts);
  raster->memory_give(split);
  return st;
}
