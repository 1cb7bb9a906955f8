/*
 * The rows of one column chunk, page by page, nulls included: of columns without repetition. Of
 * any column its entries, values with their levels, of which a row may have several (nested.h puts
 * them together): what is said of rows below is then said of entries.
 */
#ifndef SC_PARQUET_CHUNK_H
#define SC_PARQUET_CHUNK_H

#include "parquet/codec.h"
#include "parquet/decode.h"
#include "parquet/meta.h"
#include "parquet/page.h"
#include "store/source.h"

struct sc_pq_chunk_reader {
  struct sc_byte_source *source; /* borrowed, as the next three */
  const struct sc_pq_leaf *leaf;
  const struct sc_pq_chunk *chunk;
  const struct sc_pq_page_place *places; /* the offset index, or NULL */
  size_t n_places;
  int64_t n_rows;          /* of the row group */
  int64_t wanted_end;      /* no row at or after it will be asked for */
  int64_t next_row;        /* the row that the next read gives */
  int64_t page_end;        /* the row after the current page */
  uint64_t at;             /* file offset of the next page */
  struct sc_buffer window; /* bytes of the file from window_at */
  uint64_t window_at;
  struct sc_buffer page;     /* unpacked */
  const unsigned char *body; /* of the current page: its bytes, unpacked */
  struct sc_pq_dictionary dictionary;
  int has_levels; /* the current page may hold nulls */
  struct sc_rle_in levels;
  int has_repeats; /* the current page may hold lists */
  struct sc_rle_in repeats;
  struct sc_pq_decoder decoder;
  struct sc_pq_codecs codecs;
};

/*
 * Begin a chunk. The reader is reused from chunk to chunk; zeroed before the first.
 * SC_UNSUPPORTED for repeated columns and encrypted ones.
 */
sc_status sc_pq_chunk_begin(struct sc_pq_chunk_reader *r, struct sc_byte_source *source,
                            const struct sc_pq_leaf *leaf, const struct sc_pq_chunk *chunk,
                            int64_t n_rows, struct sc_error *err);
/* Begin a chunk of which sc_pq_chunk_read_levels() will read the entries; any column but encrypted
 * ones. */
sc_status sc_pq_chunk_begin_levels(struct sc_pq_chunk_reader *r, struct sc_byte_source *source,
                                   const struct sc_pq_leaf *leaf, const struct sc_pq_chunk *chunk,
                                   struct sc_error *err);
/* Use the offset index: pages without wanted rows are not read. */
void sc_pq_chunk_use_index(struct sc_pq_chunk_reader *r, const struct sc_pq_page_place *places,
                           size_t n_places);
/*
 * Go to a row, never backwards, and say how many rows from there are in one page.
 * `end`: rows from there on will not be asked for before the next seek; bounds read-ahead.
 */
sc_status sc_pq_chunk_seek(struct sc_pq_chunk_reader *r, int64_t row, int64_t end, int64_t *n_ready,
                           struct sc_error *err);
/* The next n <= SC_PQ_BATCH rows, within the page. Bytes are valid until the next call. */
sc_status sc_pq_chunk_read(struct sc_pq_chunk_reader *r, size_t n, struct sc_pq_value *out,
                           struct sc_error *err);
/* The same of entries: `defs` and `reps` get their levels, `out` SC_PQ_NULL where the definition
 * level is not the leaf's max_def. */
sc_status sc_pq_chunk_read_levels(struct sc_pq_chunk_reader *r, size_t n, struct sc_pq_value *out,
                                  uint32_t *defs, uint32_t *reps, struct sc_error *err);
void sc_pq_chunk_free(struct sc_pq_chunk_reader *r);

#endif
