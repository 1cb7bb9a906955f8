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

/* n more bytes of a buffer, NULL without memory. Growth is in steps, so that it is rare. */
static inline unsigned char *room(struct sc_buffer *b, size_t n, struct sc_error *err) {
  if (n > b->capacity - b->size && sc_buffer_reserve(b, n + GROWTH_BYTES, err)) return NULL;
  unsigned char *p = b->data + b->size;
  b->size += n;
  return p;
}

/* Room for one value of n bytes, NULL without memory or beyond the limit. */
static inline unsigned char *add(struct sc_pq_rows *rows, size_t c, size_t n, int is_valid,
                                 struct sc_error *err) {
  struct sc_pq_column_rows *column = &rows->columns[c];
  uint32_t offset = (uint32_t)column->values.size;
  unsigned char *p;
  if (n > SC_PQ_COLUMN_MAX_BYTES - column->values.size) {
    sc_fail(err, SC_TOO_BIG, "column '%s': more than %zu bytes in a row group", rows->specs[c].name,
            SC_PQ_COLUMN_MAX_BYTES);
    return NULL;
  }
  if (rows->specs[c].type == SC_PQ_BYTE_ARRAY) {
    if (!(p = room(&column->offsets, sizeof offset, err))) return NULL;
    memcpy(p, &offset, sizeof offset);
  }
  if (!(p = room(&column->valid, 1, err))) return NULL;
  *p = (unsigned char)is_valid;
  column->n_nulls += !is_valid;
  rows->n_bytes += n;
  return room(&column->values, n, err);
}

sc_status sc_pq_rows_put_null(struct sc_pq_rows *rows, size_t c, struct sc_error *err) {
  return add(rows, c, 0, 0, err) ? SC_OK : err->status;
}

sc_status sc_pq_rows_put_int(struct sc_pq_rows *rows, size_t c, int64_t v, struct sc_error *err) {
  int is_long = rows->specs[c].type == SC_PQ_INT64;
  unsigned char *p = add(rows, c, is_long ? 8 : 4, 1, err);
  if (!p) return err->status;
  if (is_long) {
    sc_put_le64(p, (uint64_t)v);
  } else {
    sc_put_le32(p, (uint32_t)v);
  }
  return SC_OK;
}

sc_status sc_pq_rows_put_real(struct sc_pq_rows *rows, size_t c, double v, struct sc_error *err) {
  int is_double = rows->specs[c].type == SC_PQ_DOUBLE;
  float f = (float)v;
  uint32_t u;
  unsigned char *p = add(rows, c, is_double ? 8 : 4, 1, err);
  if (!p) return err->status;
  if (is_double) {
    sc_put_le_double(p, v);
  } else {
    memcpy(&u, &f, 4);
    sc_put_le32(p, u);
  }
  return SC_OK;
}

sc_status sc_pq_rows_put_bytes(struct sc_pq_rows *rows, size_t c, const void *data, size_t n,
                               struct sc_error *err) {
  if (n > SC_PQ_COLUMN_MAX_BYTES - 4) n = SC_PQ_COLUMN_MAX_BYTES; /* add() refuses it */
  unsigned char *p = add(rows, c, n + 4, 1, err);
  if (!p) return err->status;
  sc_put_le32(p, (uint32_t)n);
  if (n) memcpy(p + 4, data, n);
  return SC_OK;
}
