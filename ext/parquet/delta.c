/* DELTA_BINARY_PACKED; see delta.h. */
#include "parquet/delta.h"

#include <string.h>

#include "parquet/rle.h"

#define BLOCK_MAX_VALUES (1u << 20)

static uint64_t unzigzag(uint64_t v) { return (v >> 1) ^ (0 - (v & 1)); }

sc_status sc_delta_init(struct sc_delta_in *d, const void *data, size_t size,
                        struct sc_error *err) {
  memset(d, 0, sizeof *d);
  d->bytes = sc_bytes_of(data, size);
  uint64_t block = sc_bytes_varint(&d->bytes, 10), minis = sc_bytes_varint(&d->bytes, 10);
  d->left = sc_bytes_varint(&d->bytes, 10);
  d->value = unzigzag(sc_bytes_varint(&d->bytes, 10));
  d->is_first = 1;
  if (d->bytes.overrun || minis == 0 || block == 0 || block > BLOCK_MAX_VALUES || minis > block ||
      block % minis != 0 || (block / minis) % 8 != 0) {
    return sc_fail(err, SC_BAD_DATA,
                   "delta encoding: a block of %llu values in %llu miniblocks is impossible",
                   (unsigned long long)block, (unsigned long long)minis);
  }
  d->block_values = (uint32_t)block;
  d->n_minis = d->mini = (uint32_t)minis;
  d->mini_values = (uint32_t)(block / minis);
  return SC_OK;
}

static sc_status fail_short(struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "delta encoded values end too early");
}

static sc_status next_mini(struct sc_delta_in *d, struct sc_error *err) {
  if (d->mini == d->n_minis) {
    d->least = unzigzag(sc_bytes_varint(&d->bytes, 10));
    d->widths = sc_bytes_take(&d->bytes, d->n_minis);
    if (d->bytes.overrun) return fail_short(err);
    d->mini = 0;
  }
  d->width = d->widths[d->mini++];
  if (d->width > 64) {
    return sc_fail(err, SC_BAD_DATA, "delta encoding: values of %u bits; 64 are possible",
                   d->width);
  }
  size_t size = (size_t)d->width * (d->mini_values / 8);
  /* Some writers leave out the padding of the last miniblock. */
  if (size > sc_bytes_left(&d->bytes)) size = sc_bytes_left(&d->bytes);
  d->packed_size = size;
  d->packed = sc_bytes_take(&d->bytes, size);
  d->packed_at = 0;
  d->mini_left = d->mini_values;
  return SC_OK;
}

/* Values of the current miniblock. */
static sc_status read_mini(struct sc_delta_in *d, size_t n, int64_t *out, struct sc_error *err) {
  if (d->packed_at + (uint64_t)n * d->width > (uint64_t)d->packed_size * 8) {
    return fail_short(err);
  }
  for (size_t i = 0; i < n; i++) {
    d->value += d->least + sc_bits_get(d->packed, d->packed_size, d->packed_at, d->width);
    d->packed_at += d->width;
    if (out) out[i] = (int64_t)d->value;
  }
  d->mini_left -= (uint32_t)n;
  return SC_OK;
}

sc_status sc_delta_read(struct sc_delta_in *d, size_t n, int64_t *out, struct sc_error *err) {
  sc_status st = SC_OK;
  if (n > d->left) return fail_short(err);
  d->left -= n;
  if (n && d->is_first) {
    d->is_first = 0;
    if (out) *out++ = (int64_t)d->value;
    n--;
  }
  while (n && !st) {
    if (d->mini_left == 0) st = next_mini(d, err);
    if (st) return st;
    size_t part = n < d->mini_left ? n : d->mini_left;
    st = read_mini(d, part, out, err);
    if (out) out += part;
    n -= part;
  }
  return st;
}
