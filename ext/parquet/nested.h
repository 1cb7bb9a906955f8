/*
 * Rows put together again from columns of any nesting: structs, lists and maps, as JSON texts.
 *
 * A column's entries are values with two levels: the repetition level says which list an entry goes
 * on (0: a new row), the definition level how much of the path to the value is there.
 * Source: apache/parquet-format, README.md (Nested Encoding) and LogicalTypes.md (Lists, Maps, with
 * the rules for lists that older writers made).
 *
 * JSON: a struct is an object without its members that are null; a list an array; a map an object.
 * Dates and timestamps are texts of ISO 8601, NaN and infinities null. Bytes that are neither text
 * nor a number are SC_UNSUPPORTED: who has a use for them takes sc_pq_nested_leaf().
 *
 * One thread at a time.
 */
#ifndef SC_PARQUET_NESTED_H
#define SC_PARQUET_NESTED_H

#include "parquet/reader.h"

/* Most columns of a file whose rows are put together: each has pages in memory. */
#define SC_PQ_NESTED_MAX_LEAVES 20000

struct sc_pq_nested;

/* Begin before the first row. The file is borrowed; *out is freed with sc_pq_nested_free(). */
sc_status sc_pq_nested_open(struct sc_pq_file *file, struct sc_pq_nested **out,
                            struct sc_error *err);
/* Go to the next row; *found is 0 at the end. Each field of a row is to be read, once, in order:
 * node 0, then the one at its `end`, and so on. */
sc_status sc_pq_nested_next(struct sc_pq_nested *r, int *found, struct sc_error *err);
/* Append the value of a top-level field; null where it is not there. SC_TOO_BIG where `out` would
 * pass max_bytes. */
sc_status sc_pq_nested_json(struct sc_pq_nested *r, size_t node, size_t max_bytes,
                            struct sc_buffer *out, struct sc_error *err);
/* The value of a top-level field that is a leaf and not repeated, valid until the next call. */
sc_status sc_pq_nested_leaf(struct sc_pq_nested *r, size_t node, struct sc_pq_value *out,
                            struct sc_error *err);
void sc_pq_nested_free(struct sc_pq_nested *r);

#endif
