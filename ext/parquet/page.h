/* Page headers and the page index, parsed from hostile bytes. */
#ifndef SC_PARQUET_PAGE_H
#define SC_PARQUET_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "parquet/meta.h"

/* Most bytes a page header is looked for in. Writers put statistics there, cut to some 100
 * bytes by most and whole by a few. */
#define SC_PQ_PAGE_HEADER_MAX_BYTES ((size_t)1 << 20)

struct sc_pq_page {
  int type;             /* enum sc_pq_page_type, or unknown */
  uint32_t head_bytes;  /* of the header itself */
  uint32_t bytes;       /* of the page as stored, after the header */
  uint32_t whole_bytes; /* unpacked */
  int64_t n_values;     /* nulls included */
  int encoding;
  int def_encoding, rep_encoding; /* v1 */
  uint32_t def_bytes, rep_bytes;  /* v2 */
  int is_packed;                  /* v2; 1 for the others */
};

/*
 * Parse the header at the start of n bytes. *is_short is set, and SC_OK returned, where it
 * goes on beyond them: call again with more.
 */
sc_status sc_pq_page_parse(const unsigned char *data, size_t n, struct sc_pq_page *out,
                           int *is_short, struct sc_error *err);

/* One data page as the page index describes it. */
struct sc_pq_page_place {
  uint64_t begin;    /* of its header in the file */
  uint32_t bytes;    /* header included */
  int64_t first_row; /* within the row group */
};

/* The offset index of a chunk. SC_BAD_DATA where pages leave [begin, end) of the chunk, or
 * rows do not rise from 0. *out is in the arena. */
sc_status sc_pq_offset_index_parse(struct sc_view data, const struct sc_pq_chunk *chunk,
                                   int64_t n_rows, struct sc_arena *arena,
                                   struct sc_pq_page_place **out, size_t *n_pages,
                                   struct sc_error *err);

/* The column index: statistics of n_pages pages; a page of nulls has no min and max. */
sc_status sc_pq_column_index_parse(const unsigned char *data, size_t n,
                                   const struct sc_pq_leaf *leaf, size_t n_pages,
                                   struct sc_arena *arena, struct sc_pq_stats **out,
                                   struct sc_error *err);

#endif
