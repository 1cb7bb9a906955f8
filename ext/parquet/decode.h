/*
 * Values of one data page, decoded in steps: every encoding that Parquet files use.
 *
 * No nulls here: definition levels are the chunk reader's concern (chunk.h).
 */
#ifndef SC_PARQUET_DECODE_H
#define SC_PARQUET_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "parquet/delta.h"
#include "parquet/format.h"
#include "parquet/meta.h"
#include "parquet/rle.h"

/* Most values of one sc_pq_decode_read() call. */
#define SC_PQ_BATCH 1024

struct sc_pq_dictionary {
  struct sc_buffer page;      /* unpacked bytes that the values point into */
  struct sc_pq_value *values; /* owned */
  size_t n;
};
void sc_pq_dictionary_free(struct sc_pq_dictionary *d);

/* Make the values of a PLAIN dictionary page: d->page holds its bytes. */
sc_status sc_pq_dictionary_parse(struct sc_pq_dictionary *d, const struct sc_pq_leaf *leaf,
                                 int64_t n, struct sc_error *err);

struct sc_pq_decoder {
  const struct sc_pq_leaf *leaf;             /* borrowed */
  const struct sc_pq_dictionary *dictionary; /* borrowed */
  int encoding;
  struct sc_bytes bytes; /* PLAIN; the text of DELTA_(LENGTH_)BYTE_ARRAY */
  unsigned bit;          /* PLAIN booleans: next bit of the current byte */
  struct sc_rle_in rle;
  struct sc_delta_in delta; /* numbers; lengths; prefix lengths */
  struct sc_delta_in suffixes;
  struct sc_buffer last; /* DELTA_BYTE_ARRAY: the value before */
  struct sc_buffer text; /* values put together since the last read */
  size_t n_values, at;   /* BYTE_STREAM_SPLIT */
};

/* Begin a page of n values. The decoder is reused from page to page. */
sc_status sc_pq_decode_begin(struct sc_pq_decoder *d, const struct sc_pq_leaf *leaf,
                             const struct sc_pq_dictionary *dictionary, int encoding,
                             struct sc_view data, size_t n, struct sc_error *err);
/*
 * The next n <= SC_PQ_BATCH values. Bytes they point to are the page's, the dictionary's or
 * the decoder's, valid until the next call.
 */
sc_status sc_pq_decode_read(struct sc_pq_decoder *d, size_t n, struct sc_pq_value *out,
                            struct sc_error *err);
void sc_pq_decode_free(struct sc_pq_decoder *d);

#endif
