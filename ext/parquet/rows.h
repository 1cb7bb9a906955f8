/*
 * The rows of one row group on their way into a file, column by column.
 *
 * Values are kept as PLAIN encoding wants them, so that a page is a slice.
 */
#ifndef SC_PARQUET_ROWS_H
#define SC_PARQUET_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/status.h"
#include "parquet/format.h"

/* What a column of a new file is. Every column is optional; with `group` it is a required
 * field of an optional group of that name (its neighbours with the same name are too). */
struct sc_pq_spec {
  const char *group; /* or NULL */
  const char *name;
  enum sc_pq_type type; /* INT32, INT64, FLOAT, DOUBLE or BYTE_ARRAY */
  enum sc_pq_converted converted;
  int logical;      /* enum sc_pq_logical, or 0 */
  int is_unordered; /* no minimum and maximum */
  int is_unique;    /* a dictionary cannot pay */
};

/* Column chunks stay below this: offsets are 32 bits. */
#define SC_PQ_COLUMN_MAX_BYTES ((size_t)1 << 30)

struct sc_pq_column_rows {
  struct sc_buffer values;  /* PLAIN, nulls left out */
  struct sc_buffer offsets; /* BYTE_ARRAY: uint32_t[n_rows], where each row's value begins */
  struct sc_buffer valid;   /* uint8_t[n_rows]: 1, or 0 for null; empty without nulls */
  size_t n_nulls;
};

static inline int sc_pq_rows_is_valid(const struct sc_pq_column_rows *column, size_t row) {
  return column->n_nulls == 0 || column->valid.data[row];
}

struct sc_pq_rows {
  const struct sc_pq_spec *specs; /* borrowed */
  size_t n_columns, n_rows;
  size_t n_bytes; /* of all values */
  struct sc_pq_column_rows *columns;
};

sc_status sc_pq_rows_init(struct sc_pq_rows *rows, const struct sc_pq_spec *specs, size_t n_columns,
                          struct sc_error *err);
/* Empty, memory kept. */
void sc_pq_rows_clear(struct sc_pq_rows *rows);
void sc_pq_rows_free(struct sc_pq_rows *rows);

/* The next value of a column; each row needs one in every column, then rows->n_rows++. */
sc_status sc_pq_rows_put_null(struct sc_pq_rows *rows, size_t c, struct sc_error *err);
/* A number's bytes, little endian, in as many as its type has. */
sc_status sc_pq_rows_put_fixed(struct sc_pq_rows *rows, size_t c, const unsigned char *bytes,
                               struct sc_error *err);
sc_status sc_pq_rows_put_bytes(struct sc_pq_rows *rows, size_t c, const void *data, size_t n,
                               struct sc_error *err);

/* Values of n rows at once, to be filled in by the caller: where they go, NULL without memory or
 * beyond the limit. Numbers, and texts of `size` bytes, each with its size before it. */
unsigned char *sc_pq_rows_add_fixed(struct sc_pq_rows *rows, size_t c, size_t n,
                                    struct sc_error *err);
unsigned char *sc_pq_rows_add_bytes(struct sc_pq_rows *rows, size_t c, size_t n, size_t size,
                                    struct sc_error *err);

/* Four bytes are most of what is written: without a call where there is room. */
static inline sc_status sc_pq_rows_put_four(struct sc_pq_rows *rows, size_t c, uint32_t v,
                                            struct sc_error *err) {
  struct sc_pq_column_rows *column = &rows->columns[c];
  struct sc_buffer *values = &column->values;
  unsigned char bytes[4];
  sc_put_le32(bytes, v);
  if (column->n_nulls || values->capacity - values->size < 4) {
    return sc_pq_rows_put_fixed(rows, c, bytes, err);
  }
  memcpy(values->data + values->size, bytes, 4);
  values->size += 4;
  rows->n_bytes += 4;
  return SC_OK;
}

static inline sc_status sc_pq_rows_put_int(struct sc_pq_rows *rows, size_t c, int64_t v,
                                           struct sc_error *err) {
  unsigned char bytes[8];
  if (rows->specs[c].type != SC_PQ_INT64) return sc_pq_rows_put_four(rows, c, (uint32_t)v, err);
  sc_put_le64(bytes, (uint64_t)v);
  return sc_pq_rows_put_fixed(rows, c, bytes, err);
}

static inline sc_status sc_pq_rows_put_real(struct sc_pq_rows *rows, size_t c, double v,
                                            struct sc_error *err) {
  unsigned char bytes[8];
  float f = (float)v;
  uint32_t u;
  memcpy(&u, &f, 4);
  if (rows->specs[c].type != SC_PQ_DOUBLE) return sc_pq_rows_put_four(rows, c, u, err);
  sc_put_le_double(bytes, v);
  return sc_pq_rows_put_fixed(rows, c, bytes, err);
}

/* Where the values of the rows after `row` begin, given where its own does. */
static inline size_t sc_pq_rows_value_end(const struct sc_pq_rows *rows, size_t c, size_t row,
                                          size_t begin) {
  const struct sc_pq_column_rows *column = &rows->columns[c];
  const uint32_t *offsets = (const uint32_t *)(const void *)column->offsets.data;
  size_t width = sc_pq_type_bytes(rows->specs[c].type, 0);
  if (width) return begin + (sc_pq_rows_is_valid(column, row) ? width : 0);
  return row + 1 < rows->n_rows ? offsets[row + 1] : column->values.size;
}

#endif
