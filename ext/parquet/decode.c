/* Decoding the values of data pages; see decode.h. */
#include "parquet/decode.h"

#include <string.h>

#include "base/alloc.h"

/* The text of one DELTA_BYTE_ARRAY step: 1024 values that all repeat a long prefix. */
#define STEP_TEXT_MAX_BYTES ((size_t)256 << 20)

static sc_status fail_short(struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "its values end too early");
}

static void set_fixed(const struct sc_pq_leaf *leaf, const unsigned char *p,
                      struct sc_pq_value *v) {
  uint32_t u;
  float f;
  v->size = 0;
  switch (leaf->type) {
    case SC_PQ_INT32: v->as.i = (int32_t)sc_le32(p); break;
    case SC_PQ_INT64: v->as.i = (int64_t)sc_le64(p); break;
    case SC_PQ_FLOAT:
      u = sc_le32(p);
      memcpy(&f, &u, 4);
      v->as.r = (double)f;
      break;
    case SC_PQ_DOUBLE: v->as.r = sc_le_double(p); break;
    case SC_PQ_INT96: v->as.bytes = p, v->size = 12; break;
    default: v->as.bytes = p, v->size = leaf->fixed_bytes;
  }
}

static sc_status read_plain_fixed(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                                  struct sc_error *err) {
  size_t width = sc_pq_type_bytes(d->leaf->type, d->leaf->fixed_bytes);
  const unsigned char *p = sc_bytes_take(&d->bytes, n * width);
  if (!p) return fail_short(err);
  for (size_t i = 0; i < n; i++, p += width) set_fixed(d->leaf, p, &out[i]);
  return SC_OK;
}

static sc_status read_plain_bytes(struct sc_bytes *b, size_t n, struct sc_pq_value *out,
                                  struct sc_error *err) {
  for (size_t i = 0; i < n; i++) {
    uint32_t size = sc_bytes_le32(b);
    const unsigned char *p = sc_bytes_take(b, size);
    if (b->overrun) return fail_short(err);
    out[i].as.bytes = p;
    out[i].size = size;
  }
  return SC_OK;
}

static sc_status read_plain_boolean(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                                    struct sc_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (d->bytes.at == d->bytes.size) return fail_short(err);
    out[i].as.i = d->bytes.data[d->bytes.at] >> d->bit & 1;
    out[i].size = 0;
    if (++d->bit == 8) {
      d->bit = 0;
      d->bytes.at++;
    }
  }
  return SC_OK;
}

static sc_status read_plain(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                            struct sc_error *err) {
  if (d->leaf->type == SC_PQ_BYTE_ARRAY) return read_plain_bytes(&d->bytes, n, out, err);
  if (d->leaf->type == SC_PQ_BOOLEAN) return read_plain_boolean(d, n, out, err);
  return read_plain_fixed(d, n, out, err);
}

static sc_status read_rle_boolean(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                                  struct sc_error *err) {
  uint32_t bits[SC_PQ_BATCH];
  sc_status st = sc_rle_read(&d->rle, n, bits, err);
  for (size_t i = 0; i < n && !st; i++) {
    out[i].as.i = bits[i];
    out[i].size = 0;
  }
  return st;
}

static sc_status read_dictionary(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                                 struct sc_error *err) {
  uint32_t indexes[SC_PQ_BATCH];
  sc_status st = sc_rle_read(&d->rle, n, indexes, err);
  if (st) return st;
  for (size_t i = 0; i < n; i++) {
    if (indexes[i] >= d->dictionary->n) {
      return sc_fail(err, SC_BAD_DATA, "value %u of a dictionary of %zu", indexes[i],
                     d->dictionary->n);
    }
    out[i] = d->dictionary->values[indexes[i]];
  }
  return SC_OK;
}

static sc_status read_delta(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                            struct sc_error *err) {
  int64_t numbers[SC_PQ_BATCH];
  sc_status st = sc_delta_read(&d->delta, n, numbers, err);
  int is_short = d->leaf->type == SC_PQ_INT32;
  for (size_t i = 0; i < n && !st; i++) {
    out[i].as.i = is_short ? (int32_t)(uint32_t)numbers[i] : numbers[i];
    out[i].size = 0;
  }
  return st;
}

/* One length of a text within what is left. */
static const unsigned char *take_text(struct sc_pq_decoder *d, int64_t size) {
  if (size < 0 || (uint64_t)size > sc_bytes_left(&d->bytes) || size >= SC_PQ_NULL) return NULL;
  return sc_bytes_take(&d->bytes, (size_t)size);
}

static sc_status read_delta_length(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                                   struct sc_error *err) {
  int64_t sizes[SC_PQ_BATCH];
  sc_status st = sc_delta_read(&d->delta, n, sizes, err);
  for (size_t i = 0; i < n && !st; i++) {
    out[i].as.bytes = take_text(d, sizes[i]);
    if (!out[i].as.bytes) return fail_short(err);
    out[i].size = (uint32_t)sizes[i];
  }
  return st;
}

/* Put prefix and suffix together in d->text; the value becomes the next one's `last`. */
static sc_status join_text(struct sc_pq_decoder *d, int64_t prefix, int64_t size,
                           struct sc_error *err) {
  const unsigned char *suffix = take_text(d, size);
  if (prefix < 0 || (uint64_t)prefix > d->last.size || !suffix) return fail_short(err);
  if ((uint64_t)prefix + (uint64_t)size > STEP_TEXT_MAX_BYTES - d->text.size) {
    return sc_fail(err, SC_TOO_BIG, "%d of its texts have more than %zu bytes", SC_PQ_BATCH,
                   STEP_TEXT_MAX_BYTES);
  }
  sc_status st = sc_buffer_append(&d->text, d->last.data, (size_t)prefix, err);
  if (!st) st = sc_buffer_append(&d->text, suffix, (size_t)size, err);
  d->last.size = (size_t)prefix;
  if (!st) st = sc_buffer_append(&d->last, suffix, (size_t)size, err);
  return st;
}

static sc_status read_delta_bytes(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                                  struct sc_error *err) {
  int64_t prefixes[SC_PQ_BATCH], sizes[SC_PQ_BATCH];
  sc_status st = sc_delta_read(&d->delta, n, prefixes, err);
  if (!st) st = sc_delta_read(&d->suffixes, n, sizes, err);
  d->text.size = 0;
  for (size_t i = 0; i < n && !st; i++) {
    st = join_text(d, prefixes[i], sizes[i], err);
    out[i].size = (uint32_t)(prefixes[i] + sizes[i]);
    if (!st && d->leaf->type == SC_PQ_FIXED && out[i].size != d->leaf->fixed_bytes) {
      return fail_short(err);
    }
  }
  if (!st) st = sc_buffer_reserve(&d->text, 1, err); /* so that data is no NULL */
  for (size_t i = 0, at = 0; i < n && !st; i++) {
    out[i].as.bytes = d->text.data + at;
    at += out[i].size;
  }
  return st;
}

static sc_status read_split(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                            struct sc_error *err) {
  size_t width = sc_pq_type_bytes(d->leaf->type, d->leaf->fixed_bytes);
  if (n > d->n_values - d->at) return fail_short(err);
  d->text.size = 0;
  sc_status st = sc_buffer_reserve(&d->text, n * width, err);
  for (size_t i = 0; i < n && !st; i++, d->at++) {
    unsigned char *p = d->text.data + i * width;
    for (size_t k = 0; k < width; k++) p[k] = d->bytes.data[k * d->n_values + d->at];
    set_fixed(d->leaf, p, &out[i]);
  }
  return st;
}

sc_status sc_pq_decode_read(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                            struct sc_error *err) {
  if (n == 0) return SC_OK;
  switch (d->encoding) {
    case SC_PQ_PLAIN: return read_plain(d, n, out, err);
    case SC_PQ_RLE: return read_rle_boolean(d, n, out, err);
    case SC_PQ_PLAIN_DICTIONARY:
    case SC_PQ_RLE_DICTIONARY: return read_dictionary(d, n, out, err);
    case SC_PQ_DELTA_BINARY_PACKED: return read_delta(d, n, out, err);
    case SC_PQ_DELTA_LENGTH_BYTE_ARRAY: return read_delta_length(d, n, out, err);
    case SC_PQ_DELTA_BYTE_ARRAY: return read_delta_bytes(d, n, out, err);
    default: return read_split(d, n, out, err);
  }
}

static sc_status fail_encoding(const struct sc_pq_decoder *d, struct sc_error *err) {
  return sc_fail(err, SC_BAD_DATA, "encoding %d is not one of physical type %d", d->encoding,
                 (int)d->leaf->type);
}

static sc_status begin_dictionary(struct sc_pq_decoder *d, const unsigned char *data, size_t size,
                                  size_t n, struct sc_error *err) {
  if (!d->dictionary || !d->dictionary->values) {
    return sc_fail(err, SC_BAD_DATA, "a page refers to a dictionary that is not there");
  }
  d->encoding = SC_PQ_RLE_DICTIONARY;
  if (size == 0) {
    return n ? fail_short(err) : sc_rle_init(&d->rle, data, 0, 0, err);
  }
  return sc_rle_init(&d->rle, data + 1, size - 1, data[0], err);
}

static sc_status begin_rle(struct sc_pq_decoder *d, const unsigned char *data, size_t size,
                           struct sc_error *err) {
  if (d->leaf->type != SC_PQ_BOOLEAN) return fail_encoding(d, err);
  if (size < 4 || sc_le32(data) > size - 4) return fail_short(err);
  return sc_rle_init(&d->rle, data + 4, sc_le32(data), 1, err);
}

/* A list of delta encoded lengths; *bytes moves to the byte after it. */
static sc_status begin_lengths(struct sc_delta_in *lengths, struct sc_bytes *bytes, size_t n,
                               struct sc_error *err) {
  const unsigned char *data = bytes->data + bytes->at;
  sc_status st = sc_delta_init(lengths, data, sc_bytes_left(bytes), err);
  if (st) return st;
  if (lengths->left != n) {
    return sc_fail(err, SC_BAD_DATA, "it has %llu lengths for %zu values",
                   (unsigned long long)lengths->left, n);
  }
  struct sc_delta_in end = *lengths;
  st = sc_delta_read(&end, n, NULL, err);
  if (!st) sc_bytes_take(bytes, end.bytes.at);
  return st;
}

static sc_status begin_delta(struct sc_pq_decoder *d, size_t n, struct sc_error *err) {
  enum sc_pq_type type = d->leaf->type;
  sc_status st = SC_OK;
  if (d->encoding == SC_PQ_DELTA_BINARY_PACKED) {
    if (type != SC_PQ_INT32 && type != SC_PQ_INT64) return fail_encoding(d, err);
    if (n == 0) return SC_OK;
    return sc_delta_init(&d->delta, d->bytes.data, d->bytes.size, err);
  }
  int has_prefixes = d->encoding == SC_PQ_DELTA_BYTE_ARRAY;
  if (type != SC_PQ_BYTE_ARRAY && !(has_prefixes && type == SC_PQ_FIXED)) {
    return fail_encoding(d, err);
  }
  if (n == 0) return SC_OK;
  d->last.size = 0;
  st = begin_lengths(&d->delta, &d->bytes, n, err);
  if (!st && has_prefixes) st = begin_lengths(&d->suffixes, &d->bytes, n, err);
  return st;
}

static sc_status begin_split(struct sc_pq_decoder *d, size_t n, struct sc_error *err) {
  size_t width = sc_pq_type_bytes(d->leaf->type, d->leaf->fixed_bytes);
  if (width == 0 || d->leaf->type == SC_PQ_INT96) return fail_encoding(d, err);
  if (n > d->bytes.size / width) return fail_short(err);
  d->n_values = n;
  d->at = 0;
  return SC_OK;
}

sc_status sc_pq_decode_begin(struct sc_pq_decoder *d, const struct sc_pq_leaf *leaf,
                             const struct sc_pq_dictionary *dictionary, int encoding,
                             struct sc_view data, size_t n, struct sc_error *err) {
  d->leaf = leaf;
  d->dictionary = dictionary;
  d->encoding = encoding;
  d->bytes = sc_bytes_of(data.data, data.size);
  d->bit = 0;
  switch (encoding) {
    case SC_PQ_PLAIN: return SC_OK;
    case SC_PQ_PLAIN_DICTIONARY:
    case SC_PQ_RLE_DICTIONARY: return begin_dictionary(d, data.data, data.size, n, err);
    case SC_PQ_RLE: return begin_rle(d, data.data, data.size, err);
    case SC_PQ_DELTA_BINARY_PACKED:
    case SC_PQ_DELTA_LENGTH_BYTE_ARRAY:
    case SC_PQ_DELTA_BYTE_ARRAY: return begin_delta(d, n, err);
    case SC_PQ_BYTE_STREAM_SPLIT: return begin_split(d, n, err);
    default: return sc_fail(err, SC_UNSUPPORTED, "encoding %d is unknown", encoding);
  }
}

void sc_pq_decode_free(struct sc_pq_decoder *d) {
  sc_buffer_free(&d->last);
  sc_buffer_free(&d->text);
  memset(d, 0, sizeof *d);
}

/* The fewest bytes of one PLAIN value: what bounds the dictionary's memory. */
static size_t least_bytes(const struct sc_pq_leaf *leaf) {
  return leaf->type == SC_PQ_BYTE_ARRAY ? 4 : sc_pq_type_bytes(leaf->type, leaf->fixed_bytes);
}

sc_status sc_pq_dictionary_parse(struct sc_pq_dictionary *d, const struct sc_pq_leaf *leaf,
                                 int64_t n, struct sc_error *err) {
  if (leaf->type == SC_PQ_BOOLEAN) {
    return sc_fail(err, SC_BAD_DATA, "booleans have no dictionary");
  }
  size_t least = least_bytes(leaf);
  if (least == 0 || n < 0 || (uint64_t)n > d->page.size / least) {
    return sc_fail(err, SC_BAD_DATA, "a dictionary of %lld values in %zu bytes", (long long)n,
                   d->page.size);
  }
  sc_free(d->values);
  d->n = 0;
  d->values = sc_alloc_zero((size_t)n + 1, sizeof *d->values);
  if (!d->values) return sc_fail_nomem(err);
  struct sc_pq_decoder plain = {0};
  struct sc_view page = {d->page.data, d->page.size};
  sc_status st = sc_pq_decode_begin(&plain, leaf, NULL, SC_PQ_PLAIN, page, (size_t)n, err);
  if (!st) st = sc_pq_decode_read(&plain, (size_t)n, d->values, err);
  if (!st) d->n = (size_t)n;
  return st;
}

void sc_pq_dictionary_free(struct sc_pq_dictionary *d) {
  sc_buffer_free(&d->page);
  sc_free(d->values);
  memset(d, 0, sizeof *d);
}
