/* The RLE / bit-packing hybrid; see rle.h. */
#include "parquet/rle.h"

#include <string.h>

#define LEAST_RUN 8 /* shorter repeats are packed with their neighbours */

uint64_t sc_bits_get(const unsigned char *bytes, size_t size, uint64_t at, unsigned width) {
  size_t byte = (size_t)(at >> 3);
  unsigned shift = (unsigned)(at & 7);
  uint64_t v = 0;
  if (width == 0) return 0;
  if (size - byte >= 9) {
    v = sc_le64(bytes + byte) >> shift;
    if (shift) v |= (uint64_t)bytes[byte + 8] << (64 - shift);
  } else {
    size_t n = size - byte;
    for (size_t i = 0; i < n && i < 8; i++) v |= (uint64_t)bytes[byte + i] << (8 * i);
    v >>= shift;
  }
  return width == 64 ? v : v & ((UINT64_C(1) << width) - 1);
}

sc_status sc_rle_init(struct sc_rle_in *r, const void *data, size_t size, unsigned width,
                      struct sc_error *err) {
  memset(r, 0, sizeof *r);
  r->bytes = sc_bytes_of(data, size);
  r->width = width;
  if (width <= 32) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "a run-length encoded value has %u bits; 32 are possible",
                 width);
}

static sc_status next_run(struct sc_rle_in *r, struct sc_error *err) {
  uint64_t head = sc_bytes_varint(&r->bytes, 5);
  if (head & 1 && r->width == 0) { /* groups of zeros, for which there are no bytes */
    r->is_packed = 0;
    r->run_left = (head >> 1) * 8;
    r->value = 0;
  } else if (head & 1) {
    uint64_t groups = head >> 1, size = groups * r->width;
    r->is_packed = 1;
    r->run_left = groups * 8;
    r->packed_at = 0;
    if (size > sc_bytes_left(&r->bytes)) { /* some writers leave the last group's padding out */
      size = sc_bytes_left(&r->bytes);
      r->run_left = size * 8 / r->width;
    }
    r->packed_size = (size_t)size;
    r->packed = sc_bytes_take(&r->bytes, (size_t)size);
  } else {
    const unsigned char *p = sc_bytes_take(&r->bytes, (r->width + 7) / 8);
    r->is_packed = 0;
    r->run_left = head >> 1;
    r->value = 0;
    for (unsigned i = 0; p && i < (r->width + 7) / 8; i++) r->value |= (uint32_t)p[i] << (8 * i);
    if (r->width < 32 && r->value >> r->width) {
      return sc_fail(err, SC_BAD_DATA, "a run's value %u has more than %u bits", r->value,
                     r->width);
    }
  }
  if (!r->bytes.overrun && r->run_left > 0) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "run-length encoded values end too early");
}

static void unpack(struct sc_rle_in *r, size_t n, uint32_t *out) {
  for (size_t i = 0; i < n; i++) {
    out[i] = (uint32_t)sc_bits_get(r->packed, r->packed_size, r->packed_at, r->width);
    r->packed_at += r->width;
  }
}

sc_status sc_rle_read(struct sc_rle_in *r, size_t n, uint32_t *out, struct sc_error *err) {
  size_t done = 0;
  while (done < n) {
    if (r->run_left == 0) {
      sc_status st = next_run(r, err);
      if (st) return st;
    }
    size_t part = r->run_left < n - done ? (size_t)r->run_left : n - done;
    if (r->is_packed) {
      unpack(r, part, out + done);
    } else {
      for (size_t i = 0; i < part; i++) out[done + i] = r->value;
    }
    r->run_left -= part;
    done += part;
  }
  return SC_OK;
}

static size_t run_length(const uint32_t *values, size_t n) {
  size_t i = 1;
  while (i < n && values[i] == values[0]) i++;
  return i;
}

static sc_status put_varint(struct sc_buffer *out, uint64_t v, struct sc_error *err) {
  unsigned char bytes[10];
  return sc_buffer_append(out, bytes, sc_put_varint(bytes, v), err);
}

sc_status sc_rle_write_run(uint32_t value, size_t n, unsigned width, struct sc_buffer *out,
                           struct sc_error *err) {
  unsigned char bytes[4];
  sc_put_le32(bytes, value);
  sc_status st = put_varint(out, (uint64_t)n << 1, err);
  return st ? st : sc_buffer_append(out, bytes, (width + 7) / 8, err);
}

/* n values in groups of 8; the last group is filled with zeros. */
static sc_status put_packed(const uint32_t *values, size_t n, unsigned width, struct sc_buffer *out,
                            struct sc_error *err) {
  size_t groups = (n + 7) / 8;
  sc_status st = put_varint(out, (uint64_t)groups << 1 | 1, err);
  if (!st) st = sc_buffer_reserve(out, groups * width + 8, err);
  if (st) return st;
  unsigned char *p = out->data + out->size;
  uint64_t bits = 0;
  unsigned n_bits = 0;
  for (size_t i = 0; i < groups * 8; i++) {
    bits |= (uint64_t)(i < n ? values[i] : 0) << n_bits;
    for (n_bits += width; n_bits >= 8; n_bits -= 8) {
      *p++ = (unsigned char)bits;
      bits >>= 8;
    }
  }
  out->size += groups * width;
  return SC_OK;
}

/* Values from `at` up to the next run worth repeating, in whole groups unless at the end. */
static size_t packed_length(const uint32_t *values, size_t n) {
  size_t i = 0;
  while (i < n) {
    if (run_length(values + i, n - i < LEAST_RUN ? n - i : LEAST_RUN) >= LEAST_RUN) return i;
    i += 8;
  }
  return n;
}

sc_status sc_rle_write(const uint32_t *values, size_t n, unsigned width, struct sc_buffer *out,
                       struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t at = 0; at < n && !st;) {
    size_t run = run_length(values + at, n - at);
    if (run >= LEAST_RUN || width == 0) {
      st = sc_rle_write_run(values[at], run, width, out, err);
      at += run;
    } else {
      size_t packed = packed_length(values + at, n - at);
      st = put_packed(values + at, packed, width, out, err);
      at += packed;
    }
  }
  return st;
}
