/*
 * Which row groups and pages may hold wanted rows: comparisons against statistics.
 *
 * A filter only ever leaves out what certainly has no match; whoever asked tests each row
 * again.
 */
#ifndef SC_PARQUET_PRUNE_H
#define SC_PARQUET_PRUNE_H

#include "parquet/meta.h"
#include "parquet/value.h"

enum sc_pq_op { SC_PQ_EQ, SC_PQ_LT, SC_PQ_LE, SC_PQ_GT, SC_PQ_GE };

/* column <op> value */
struct sc_pq_filter {
  int leaf;
  enum sc_pq_op op;
  enum sc_pq_sql_type type; /* INT, REAL, TEXT or BLOB */
  int64_t i;
  double r;
  const char *bytes; /* borrowed as long as the filter is used */
  size_t size;
};

/* 1 where no row within these statistics can match. n_rows: of the page or row group. */
int sc_pq_filter_excludes(const struct sc_pq_filter *f, const struct sc_pq_leaf *leaf,
                          const struct sc_pq_stats *stats, int64_t n_rows);

/* Half-open ranges of rows, rising, not touching. */
struct sc_pq_range {
  int64_t begin, end;
};

/* a and b cut with each other into out, which has room for n_a + n_b; returns their number. */
size_t sc_pq_ranges_intersect(const struct sc_pq_range *a, size_t n_a, const struct sc_pq_range *b,
                              size_t n_b, struct sc_pq_range *out);

#endif
