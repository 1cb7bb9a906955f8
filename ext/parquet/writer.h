/*
 * Write a Parquet file, row by row or a row group at once; memory is bounded by n_pending row
 * groups, as columns and encoded: as many as threads, one more row by row, at most
 * SC_PQ_MAX_PENDING.
 *
 * Row groups are encoded in threads of their own while the caller fills the next one, and
 * written in order by the caller's thread.
 */
#ifndef SC_PARQUET_WRITER_H
#define SC_PARQUET_WRITER_H

#include "parquet/encode.h"
#include "parquet/rows.h"
#include "parquet/task.h"
#include "store/sink.h"

#define SC_PQ_MAX_PENDING 5
/* A row group of fewer rows ends here, so that long texts do not fill the memory. */
#define SC_PQ_ROW_GROUP_MAX_BYTES ((size_t)128 << 20)

/* Puts all rows of a row group into empty columns, and says the box of their geometries. */
typedef sc_status (*sc_pq_fill)(void *argument, struct sc_pq_rows *rows, struct sc_pq_box *box,
                                struct sc_error *err);

struct sc_pq_writer_options {
  const struct sc_pq_spec *specs; /* borrowed until the writer is freed */
  size_t n_columns;
  int codec, level;
  size_t row_group_rows;
  int is_grouped; /* sc_pq_writer_put_group() alone will be used */
};

/* A row group on its way: filled, encoded, written. */
struct sc_pq_pending {
  struct sc_pq_rows rows;
  struct sc_pq_encoder encoder;
  struct sc_buffer bytes;
  struct sc_pq_chunk_out *chunks;
  struct sc_pq_box box; /* of the geometries, kept by who fills it */
  sc_pq_fill fill;      /* NULL: the caller fills it row by row */
  void *argument;       /* of fill; borrowed */
  struct sc_task task;
  struct sc_error err; /* of the task */
  int is_busy;
};

/* What the footer says of a row group that is written. */
struct sc_pq_written {
  uint64_t begin; /* in the file */
  int64_t n_rows;
  struct sc_pq_chunk_out *chunks;
};

struct sc_pq_key_text {
  const char *key, *value;
};

struct sc_pq_writer {
  struct sc_pq_writer_options options;
  struct sc_sink *sink; /* borrowed, for the current file */
  struct sc_pq_pending pending[SC_PQ_MAX_PENDING];
  int n_pending, current;
  struct sc_buffer bytes;   /* of the row group being written */
  struct sc_buffer written; /* struct sc_pq_written[] */
  size_t n_written;
  int64_t n_rows;
};

/* Make a writer; sc_pq_writer_free() also after an error. */
sc_status sc_pq_writer_init(struct sc_pq_writer *w, const struct sc_pq_writer_options *options,
                            struct sc_error *err);
/* Begin a file. A writer may write several, one after the other. */
sc_status sc_pq_writer_begin(struct sc_pq_writer *w, struct sc_sink *sink, struct sc_error *err);
/* The rows being filled: put one value in each column, then sc_pq_writer_end_row(). */
static inline struct sc_pq_rows *sc_pq_writer_rows(struct sc_pq_writer *w) {
  return &w->pending[w->current].rows;
}
/* Widen the current row group's box of geometry. */
void sc_pq_writer_add_box(struct sc_pq_writer *w, double min_x, double min_y, double max_x,
                          double max_y);
sc_status sc_pq_writer_end_row(struct sc_pq_writer *w, struct sc_error *err);
/*
 * Instead of rows: the next row group is what `fill` makes in a thread of its own. The argument is
 * in use until n_pending more groups were put, or the flush.
 */
sc_status sc_pq_writer_put_group(struct sc_pq_writer *w, sc_pq_fill fill, void *argument,
                                 struct sc_error *err);
/* Write what is left. The footer comes with sc_pq_writer_finish(). */
sc_status sc_pq_writer_flush(struct sc_pq_writer *w, struct sc_error *err);
/*
 * After the flush: write indexes and footer.
 *
 * geometry_types  For a column with the GEOMETRY annotation: WKB type numbers for its
 *                 geospatial statistics.
 */
sc_status sc_pq_writer_finish(struct sc_pq_writer *w, const struct sc_pq_key_text *key_values,
                              size_t n_key_values, const int *geometry_types, size_t n_types,
                              struct sc_error *err);
void sc_pq_writer_free(struct sc_pq_writer *w);

/* footer.c: the page indexes and the footer of the row groups in w->written. */
sc_status sc_pq_footer_write(struct sc_pq_writer *w, const struct sc_pq_key_text *key_values,
                             size_t n_key_values, const int *geometry_types, size_t n_types,
                             struct sc_error *err);

/* Append the logical type of a schema element (its field 10). converted: its older name, which
 * tells integers apart. */
struct sc_thrift_out;
void sc_pq_put_logical(struct sc_thrift_out *t, int logical, enum sc_pq_converted converted);

#endif
