/*
 * A row group into bytes: dictionaries, data pages (v1), compression, statistics.
 *
 * Pure work on memory, so that it can run in a thread of its own.
 */
#ifndef SC_PARQUET_ENCODE_H
#define SC_PARQUET_ENCODE_H

#include "parquet/codec.h"
#include "parquet/dictionary.h"
#include "parquet/meta.h"
#include "parquet/rows.h"

/* Most rows of a page. */
#define SC_PQ_PAGE_ROWS 10240
/* Longest minimum and maximum of texts in statistics; longer ones are cut. */
#define SC_PQ_BOUND_MAX_BYTES 64

struct sc_pq_bound {
  unsigned char bytes[SC_PQ_BOUND_MAX_BYTES];
  uint32_t size;
  int is_exact;
};

struct sc_pq_stats_out {
  int has_bounds;   /* min and max are set */
  int is_unbounded; /* there are values that min and max cannot hold: NaN alone, or no text
                     * of at most SC_PQ_BOUND_MAX_BYTES above them */
  int64_t n_nulls;
  struct sc_pq_bound min, max;
};

struct sc_pq_page_out {
  uint64_t begin; /* in the row group's bytes, header included */
  uint32_t bytes;
  int64_t first_row;
  int64_t n_rows;
  struct sc_pq_stats_out stats;
};

struct sc_pq_chunk_out {
  int has_dictionary;
  uint64_t begin;      /* in the row group's bytes */
  uint64_t data_begin; /* of the first data page */
  uint64_t packed_bytes, whole_bytes;
  int64_t n_values;
  struct sc_pq_stats_out stats;
  struct sc_pq_box box;   /* of a geometry column, where asked for */
  struct sc_buffer pages; /* struct sc_pq_page_out[] */
  size_t n_pages;
};

struct sc_pq_encoder {
  int codec, level;
  struct sc_pq_codecs codecs;
  struct sc_pq_dictionary_out dictionary;
  struct sc_buffer body, packed, levels, seen; /* scratch */
};

/* Append the row group to `out`; chunks has one zeroed struct for each column. The rows' values are
 * written over. */
sc_status sc_pq_encode(struct sc_pq_encoder *e, struct sc_pq_rows *rows, struct sc_buffer *out,
                       struct sc_pq_chunk_out *chunks, struct sc_error *err);
void sc_pq_encoder_free(struct sc_pq_encoder *e);

/* Widen `into` by `more`; both may be without bounds. */
void sc_pq_stats_merge(struct sc_pq_stats_out *into, const struct sc_pq_stats_out *more,
                       enum sc_pq_type type, int is_unsigned);

#endif
