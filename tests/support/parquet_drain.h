/*
 * For tests and the fuzzer: read everything of a Parquet file in memory, and write one into
 * memory.
 */
#ifndef PARQUET_DRAIN_H
#define PARQUET_DRAIN_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "geoparquet/geo_metadata.h"
#include "parquet/nested.h"
#include "parquet/reader.h"
#include "parquet/value.h"
#include "parquet/writer.h"

#define DRAIN_MAX_ROWS 200000 /* small files may hold many equal rows */

static sc_status memory_write(void *file, const void *data, size_t n, struct sc_error *err) {
  return sc_buffer_append(file, data, n, err);
}
static sc_status memory_done(void *file, struct sc_error *err) {
  (void)file, (void)err;
  return SC_OK;
}
static void memory_close(void *file) { (void)file; }
static const struct sc_sink_methods memory_methods = {memory_write, memory_done, memory_done,
                                                      memory_close};

/* Read one column, or all flat ones (column -1). The number of values that are no nulls. */
static inline sc_status drain_columns(struct sc_pq_file *f, int column,
                                      const struct sc_pq_filter *filter, int64_t *n_values,
                                      struct sc_error *err) {
  int *leaves = sc_alloc_zero(f->meta.n_leaves, sizeof *leaves);
  struct sc_pq_scan_plan plan = {leaves, 0, filter, filter ? 1 : 0, -1, {0, 0, 0, 0, 0}};
  struct sc_pq_scan scan;
  int64_t rows = 0;
  size_t n = 1;
  if (!leaves) return sc_fail_nomem(err);
  for (size_t i = 0; i < f->meta.n_leaves; i++) {
    int is_wanted = column < 0 ? f->meta.leaves[i].max_rep == 0 : (int)i == column;
    if (is_wanted && plan.n_leaves < 100) leaves[plan.n_leaves++] = (int)i;
  }
  sc_status st = sc_pq_scan_begin(&scan, f, &plan, err);
  while (!st && n && rows < DRAIN_MAX_ROWS) {
    st = sc_pq_scan_next(&scan, &n, err);
    rows += (int64_t)n;
    for (size_t c = 0; c < plan.n_leaves; c++) {
      for (size_t i = 0; i < n; i++) {
        struct sc_pq_sql sql;
        volatile char sum = 0;
        sc_pq_value_to_sql(&f->meta.leaves[leaves[c]], sc_pq_scan_value(&scan, c, i), &sql);
        *n_values += sql.type != SC_PQ_SQL_NULL;
        if (sql.type < SC_PQ_SQL_TEXT) continue;
        for (size_t k = 0; k < sql.size; k++) sum = (char)(sum + sql.bytes[k]);
      }
    }
  }
  sc_pq_scan_free(&scan);
  sc_free(leaves);
  return st;
}

#define DRAIN_MAX_BYTES ((size_t)1 << 20) /* of a row as JSON */

/* Put its rows together, as JSON. */
static inline sc_status drain_rows(struct sc_pq_file *f, struct sc_error *err) {
  struct sc_buffer json = {0};
  struct sc_pq_nested *rows = NULL;
  int found = 1;
  sc_status st = sc_pq_nested_open(f, &rows, err);
  for (int i = 0; i < 20000 && !st && found; i++) {
    st = sc_pq_nested_next(rows, &found, err);
    json.size = 0;
    for (size_t n = 0; n < f->meta.n_nodes && !st && found; n = f->meta.nodes[n].end) {
      st = sc_pq_nested_json(rows, n, DRAIN_MAX_BYTES, &json, err);
    }
  }
  sc_pq_nested_free(rows);
  sc_buffer_free(&json);
  return st;
}

/* Open bytes as a file and read all there is: together, one by one, and with a filter. */
static inline sc_status drain(const void *data, size_t size, int64_t *n_values,
                              struct sc_error *err) {
  struct sc_byte_source source;
  struct sc_pq_file f;
  struct sc_geo_file geo;
  *n_values = 0;
  sc_status st = sc_byte_source_memory("memory", data, size, &source, err);
  if (st) return st;
  st = sc_pq_file_open_source(&source, &f, err);
  if (!st) sc_geo_parse(&f.meta, "geometry", &geo);
  if (!st) st = drain_columns(&f, -1, NULL, n_values, err);
  for (size_t i = 0; i < f.meta.n_leaves && i < 20; i++) { /* also after an error */
    struct sc_error ignored = {0};
    struct sc_pq_filter filter = {(int)i, SC_PQ_GE, SC_PQ_SQL_INT, 7, 0, "", 0};
    int64_t n = 0;
    if (f.meta.leaves[i].kind == SC_PQ_KIND_TEXT)
      filter.type = SC_PQ_SQL_TEXT, filter.bytes = "m", filter.size = 1;
    drain_columns(&f, (int)i, NULL, &n, &ignored);
    drain_columns(&f, (int)i, &filter, &n, &ignored);
  }
  if (f.meta.leaves) {
    struct sc_error ignored = {0};
    drain_rows(&f, &ignored);
  }
  sc_pq_file_close(&f);
  return st;
}

#endif
