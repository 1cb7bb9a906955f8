/*
 * What a Parquet value is in SQL: integer, real, text or BLOB. No SQLite calls.
 *
 * Dates, times and timestamps become ISO 8601 text with a fixed number of digits, so that
 * text compares as time does; DECIMALs become integers or reals where these are exact, else
 * text; unsigned 64 bit numbers beyond 2^63 become text.
 */
#ifndef SC_PARQUET_VALUE_H
#define SC_PARQUET_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "parquet/format.h"
#include "parquet/meta.h"

enum sc_pq_sql_type {
  SC_PQ_SQL_NULL,
  SC_PQ_SQL_INT,
  SC_PQ_SQL_REAL,
  SC_PQ_SQL_TEXT,
  SC_PQ_SQL_BLOB
};

struct sc_pq_sql {
  enum sc_pq_sql_type type;
  int64_t i;
  double r;
  const char *bytes; /* TEXT and BLOB: the value's own bytes, or `scratch` */
  size_t size;
  char scratch[64];
};

/* Convert one value of a leaf. out->bytes may point into out: do not copy the struct. */
void sc_pq_value_to_sql(const struct sc_pq_leaf *leaf, const struct sc_pq_value *v,
                        struct sc_pq_sql *out);

/* A bound in statistics (PLAIN, without a length) as a value; 0 where its size is wrong. */
int sc_pq_value_from_bound(const struct sc_pq_leaf *leaf, const struct sc_view *bound,
                           struct sc_pq_value *out);

/* Does the order of the SQL values follow the order that the leaf's statistics use? */
int sc_pq_leaf_is_ordered(const struct sc_pq_leaf *leaf);

/* The column's type for CREATE TABLE: INTEGER, REAL, TEXT, BLOB or NUMERIC. */
const char *sc_pq_sql_type_name(const struct sc_pq_leaf *leaf);

#endif
