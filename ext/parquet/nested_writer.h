/*
 * Write a Parquet file of nested columns, row by row: the counterpart of nested.h. Memory is
 * bounded by one row group, as columns and encoded.
 *
 * Every field is optional. A list is three levels: the field, a repeated group `list`, its
 * `element` (apache/parquet-format, LogicalTypes.md). Pages are v1, values PLAIN.
 */
#ifndef SC_PARQUET_NESTED_WRITER_H
#define SC_PARQUET_NESTED_WRITER_H

#include "parquet/codec.h"
#include "parquet/format.h"
#include "parquet/writer.h"
#include "store/sink.h"

enum sc_pq_field_kind { SC_PQ_FIELD_VALUE, SC_PQ_FIELD_STRUCT, SC_PQ_FIELD_LIST };

/* A field of a new file. A list has one child, its element, whose name does not matter. */
struct sc_pq_field {
  const char *name;
  enum sc_pq_field_kind kind;
  enum sc_pq_type type; /* of a value: BOOLEAN, INT64, DOUBLE or BYTE_ARRAY */
  int logical;          /* STRING or TIMESTAMP (microseconds, UTC); 0: none */
  struct sc_pq_field *children;
  size_t n_children;
  /* The writer's: levels of a value that is there, and the leaves below. */
  int def, rep;
  size_t first_leaf, n_leaves;
};

struct sc_pq_nested_writer;

/* Begin a file; root is a struct whose children are the columns, each with a leaf below. Root and
 * sink are borrowed. *out is freed with sc_pq_nested_writer_free(). */
sc_status sc_pq_nested_writer_new(struct sc_pq_field *root, struct sc_sink *sink, int codec,
                                  int level, struct sc_pq_nested_writer **out,
                                  struct sc_error *err);
/*
 * The field is not there: each leaf below gets an entry of these levels. `def` is that of the
 * innermost field around it that is; `rep` 0 for a new row, else the rep of the list that goes on.
 */
sc_status sc_pq_nested_put_absent(struct sc_pq_nested_writer *w, const struct sc_pq_field *field,
                                  int rep, int def, struct sc_error *err);
/* A value of a leaf as PLAIN has it: 8 bytes, one byte 0 or 1 of a boolean, or a text's bytes. */
sc_status sc_pq_nested_put_value(struct sc_pq_nested_writer *w, const struct sc_pq_field *leaf,
                                 int rep, const void *bytes, size_t n, struct sc_error *err);
/* Every leaf got its entries of the row. */
sc_status sc_pq_nested_end_row(struct sc_pq_nested_writer *w, int64_t row_group_rows,
                               struct sc_error *err);
/* Write what is left and the footer. */
sc_status sc_pq_nested_finish(struct sc_pq_nested_writer *w,
                              const struct sc_pq_key_text *key_values, size_t n_key_values,
                              struct sc_error *err);
void sc_pq_nested_writer_free(struct sc_pq_nested_writer *w);

#endif
