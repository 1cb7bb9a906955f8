/*
 * A Parquet file opened for reading, and a scan over the rows of some of its columns.
 * One thread at a time.
 */
#ifndef SC_PARQUET_READER_H
#define SC_PARQUET_READER_H

#include "parquet/chunk.h"
#include "parquet/meta.h"
#include "parquet/prune.h"
#include "store/source.h"

/* Largest footer that is read; ones of wide tables with thousands of row groups have 100 MB. */
#define SC_PQ_FOOTER_MAX_BYTES ((uint32_t)512 << 20)

struct sc_pq_file {
  struct sc_byte_source source;
  struct sc_buffer footer;
  struct sc_pq_meta meta; /* points into footer */
};

/* Open and read the footer. Close also after an error. Messages begin with the name. */
sc_status sc_pq_file_open(const char *path, struct sc_pq_file *out, struct sc_error *err);
/* The same for a source that is open; it is taken over, also on error. */
sc_status sc_pq_file_open_source(struct sc_byte_source *source, struct sc_pq_file *out,
                                 struct sc_error *err);
void sc_pq_file_close(struct sc_pq_file *f);

/* What to scan; everything borrowed until the scan is freed. */
struct sc_pq_scan_plan {
  const int *leaves; /* the columns, by leaf number */
  size_t n_leaves;
  const struct sc_pq_filter *filters; /* all must hold */
  size_t n_filters;
  int geometry_leaf;    /* whose geospatial statistics `box` is compared with, or -1 */
  struct sc_pq_box box; /* present where only geometries that meet it are wanted */
};

struct sc_pq_scan {
  struct sc_pq_file *file; /* borrowed */
  struct sc_pq_scan_plan plan;
  struct sc_pq_chunk_reader *readers; /* one for each column */
  struct sc_pq_value *values;         /* [column][SC_PQ_BATCH] */
  size_t group;                       /* the next row group */
  struct sc_arena arena;              /* indexes of the current row group */
  const struct sc_pq_range *ranges;   /* wanted rows of the current row group */
  size_t n_ranges, range;
  int64_t row;       /* next row of the current range */
  int64_t first_row; /* of the last batch, counted over the file */
  int64_t group_first_row;
};

sc_status sc_pq_scan_begin(struct sc_pq_scan *s, struct sc_pq_file *file,
                           const struct sc_pq_scan_plan *plan, struct sc_error *err);
/* The next rows, up to SC_PQ_BATCH; *n is 0 at the end. Valid until the next call. */
sc_status sc_pq_scan_next(struct sc_pq_scan *s, size_t *n, struct sc_error *err);
/* Row i of column c of the last batch. */
static inline const struct sc_pq_value *sc_pq_scan_value(const struct sc_pq_scan *s, size_t c,
                                                         size_t i) {
  return &s->values[c * SC_PQ_BATCH + i];
}
void sc_pq_scan_free(struct sc_pq_scan *s);

#endif
