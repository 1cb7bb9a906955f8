/* The rows of a row group being written; see rows.h. */
#include "parquet/rows.h"

#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"

#define GROWTH_BYTES ((size_t)64 << 10)

sc_status sc_pq_rows_init(struct sc_pq_rows *rows, const struct sc_pq_spec *specs, size_t n_columns,
                          struct sc_error *err) {
  memset(rows, 0, sizeof *rows);
  rows->specs = specs;
  rows->n_columns = n_columns;
  rows->columns = sc_alloc_zero(n_columns, sizeof *rows->columns);
  return rows->columns ? SC_OK : sc_fail_nomem(err);
}

void sc_pq_rows_clear(struct sc_pq_rows *rows) {
  for (size_t c = 0; c < rows->n_columns; c++) {
    struct sc_pq_column_rows *column = &rows->columns[c];
    column->values.size = column->offsets.size = column->valid.size = 0;
    column->n_nulls = 0;
  }
  rows->n_rows = rows->n_bytes = 0;
}

void sc_pq_rows_free(struct sc_pq_rows *rows) {
  for (size_t c = 0; rows->columns && c < rows->n_columns; c++) {
    sc_buffer_free(&rows->columns[c].values);
    sc_buffer_free(&rows->columns[c].offsets);
    sc_buffer_free(&rows->columns[c].valid);
  }
  sc_free(rows->columns);
  memset(rows, 0, sizeof *rows);
}

/* Growth is in steps, so that it is rare. */
static sc_status grow(struct sc_pq_rows *rows, size_t c, size_t n, struct sc_error *err) {
  struct sc_buffer *values = &rows->columns[c].values;
  if (values->size > SC_PQ_COLUMN_MAX_BYTES || n > SC_PQ_COLUMN_MAX_BYTES - values->size) {
    return sc_fail(err, SC_TOO_BIG, "column '%s': more than %zu bytes in a row group",
                   rows->specs[c].name, SC_PQ_COLUMN_MAX_BYTES);
  }
  return sc_buffer_reserve(values, n + GROWTH_BYTES, err);
}

static sc_status put_valid(struct sc_pq_rows *rows, size_t c, size_t n, int is_valid,
                           struct sc_error *err) {
  struct sc_buffer *valid = &rows->columns[c].valid;
  sc_status st = sc_buffer_resize(valid, valid->size + n, err);
  if (!st) memset(valid->data + valid->size - n, is_valid, n);
  return st;
}

/* Room for n_values of n bytes together, NULL without memory or beyond the limit. */
static inline unsigned char *add(struct sc_pq_rows *rows, size_t c, size_t n_values, size_t n,
                                 struct sc_error *err) {
  struct sc_pq_column_rows *column = &rows->columns[c];
  if (n > column->values.capacity - column->values.size && grow(rows, c, n, err)) return NULL;
  if (column->n_nulls && put_valid(rows, c, n_values, 1, err)) return NULL;
  unsigned char *p = column->values.data + column->values.size;
  column->values.size += n;
  rows->n_bytes += n;
  return p;
}

/* Where n values of `size` bytes with their lengths will begin. */
static inline sc_status put_offsets(struct sc_pq_column_rows *column, size_t n, size_t size,
                                    struct sc_error *err) {
  uint32_t offset = (uint32_t)column->values.size;
  sc_status st = sc_buffer_reserve(&column->offsets, n * sizeof offset, err);
  for (size_t i = 0; i < n && !st; i++) {
    memcpy(column->offsets.data + column->offsets.size, &offset, sizeof offset);
    column->offsets.size += sizeof offset;
    offset += (uint32_t)size + 4;
  }
  return st;
}

sc_status sc_pq_rows_put_null(struct sc_pq_rows *rows, size_t c, struct sc_error *err) {
  struct sc_pq_column_rows *column = &rows->columns[c];
  sc_status st = SC_OK;
  if (column->n_nulls == 0) { /* the rows before have values */
    st = sc_buffer_resize(&column->valid, rows->n_rows, err);
    if (!st && rows->n_rows) memset(column->valid.data, 1, rows->n_rows);
  }
  if (!st && rows->specs[c].type == SC_PQ_BYTE_ARRAY) st = put_offsets(column, 1, 0, err);
  if (!st) st = put_valid(rows, c, 1, 0, err);
  column->n_nulls += !st;
  return st;
}

sc_status sc_pq_rows_put_fixed(struct sc_pq_rows *rows, size_t c, const unsigned char *bytes,
                               struct sc_error *err) {
  size_t n = sc_pq_type_bytes(rows->specs[c].type, 0);
  unsigned char *p = add(rows, c, 1, n, err);
  if (!p) return err->status;
  memcpy(p, bytes, n);
  return SC_OK;
}

unsigned char *sc_pq_rows_add_fixed(struct sc_pq_rows *rows, size_t c, size_t n,
                                    struct sc_error *err) {
  return add(rows, c, n, n * sc_pq_type_bytes(rows->specs[c].type, 0), err);
}

unsigned char *sc_pq_rows_add_bytes(struct sc_pq_rows *rows, size_t c, size_t n, size_t size,
                                    struct sc_error *err) {
  size_t most = SC_PQ_COLUMN_MAX_BYTES / (n ? n : 1);
  size_t bytes = size < most - 4 ? n * (size + 4) : SC_PQ_COLUMN_MAX_BYTES + 1; /* add() refuses */
  if (put_offsets(&rows->columns[c], n, size, err)) return NULL;
  return add(rows, c, n, bytes, err);
}

sc_status sc_pq_rows_put_bytes(struct sc_pq_rows *rows, size_t c, const void *data, size_t n,
                               struct sc_error *err) {
  unsigned char *p = sc_pq_rows_add_bytes(rows, c, 1, n, err);
  if (!p) return err->status;
  sc_put_le32(p, (uint32_t)n);
  if (n) memcpy(p + 4, data, n);
  return SC_OK;
}
