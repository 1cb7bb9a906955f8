/* One block of a plain TIFF; see block.h. */
#include "raster/block.h"

#include <string.h>

#include "base/alloc.h"
#include "raster/decode.h"
#include "raster/gdal.h"
#include "raster/runtime.h"

/* A block that the file does not store is all nodata, or 0. */
static void fill_missing(const struct sc_tiff *t, unsigned char *out, size_t bytes) {
  size_t size = sc_dtype_bytes(t->dtype);
  double value = t->has_nodata ? t->nodata : 0;
  sc_gdal_convert(&value, SC_DTYPE_F64, 0, out, t->dtype, size, bytes / size);
}

static sc_status load_stored(const struct sc_file *file, size_t index, struct sc_buffer *out,
                             struct sc_error *err) {
  const struct sc_tiff *t = &file->tiff;
  uint64_t n = t->byte_counts[index], offset = t->offsets[index];
  if (offset > file->size || n > file->size - offset) {
    return sc_fail(err, SC_BAD_DATA, "block %zu lies at %llu, beyond the file's %llu bytes", index,
                   (unsigned long long)offset, (unsigned long long)file->size);
  }
  sc_status st = sc_buffer_resize(out, (size_t)n, err);
  return st ? st : sc_file_read(file, offset, out->data, (size_t)n, err);
}

static int is_missing(const struct sc_tiff *t, size_t index) {
  return t->offsets[index] == 0 || t->byte_counts[index] == 0;
}

/* Decompress the first n_rows rows into out, which holds `capacity` bytes. */
static sc_status decompress(const struct sc_file *file, size_t index, int n_rows,
                            const struct sc_buffer *bytes, unsigned char *out, size_t capacity,
                            struct sc_error *err) {
  const struct sc_tiff *t = &file->tiff;
  size_t row = sc_tiff_row_bytes(t), wanted = row * (size_t)n_rows;
  size_t whole = row * (size_t)sc_tiff_block_rows(t, index);
  struct sc_buffer stored = {0};
  sc_status st = SC_OK;
  if (sc_runtime_verify()) wanted = whole;
  if (is_missing(t, index)) {
    fill_missing(t, out, wanted);
    return SC_OK;
  }
  if (!bytes) st = load_stored(file, index, &stored, err);
  if (!st) {
    const struct sc_buffer *from = bytes ? bytes : &stored;
    size_t room = whole < capacity ? whole : capacity;
    st = sc_decode_block(t, from->data, from->size, wanted, room < wanted ? wanted : whole, out,
                         err);
  }
  sc_buffer_free(&stored);
  return st;
}

static sc_status grow(struct sc_block *b, size_t bytes, size_t n_rows, struct sc_error *err) {
  unsigned char *data = sc_realloc(b->data, bytes);
  if (!data) return sc_fail_nomem(err);
  b->data = data;
  b->capacity = bytes;
  if (!b->row_done) {
    b->row_done = sc_alloc_zero(n_rows, 1);
    if (!b->row_done) return sc_fail_nomem(err);
  }
  return SC_OK;
}

/* Predictor undone, bands apart. */
static sc_status finish_rows(struct sc_block *b, const struct sc_tiff *t, struct sc_block_rows rows,
                             struct sc_error *err) {
  int split = sc_tiff_is_interleaved(t);
  size_t row = sc_tiff_row_bytes(t);
  unsigned char *scratch = NULL;
  if (t->predictor == 1 && !split) return SC_OK;
  for (int y = rows.begin; y < rows.end; y++) {
    if (b->row_done[y]) continue;
    if (!scratch) scratch = sc_alloc(row);
    if (!scratch) return sc_fail_nomem(err);
    sc_decode_row(t, b->data + row * (size_t)y, scratch);
    if (split) sc_decode_split(t, b->data + row * (size_t)y, scratch);
    b->row_done[y] = 1;
  }
  sc_free(scratch);
  return SC_OK;
}

sc_status sc_block_prepare(struct sc_block *b, const struct sc_file *file, size_t index,
                           struct sc_block_rows rows, const struct sc_buffer *bytes,
                           struct sc_error *err) {
  const struct sc_tiff *t = &file->tiff;
  size_t row = sc_tiff_row_bytes(t);
  int all = sc_tiff_block_rows(t, index);
  if (b->n_rows < rows.end) {
    int n_rows = b->n_rows > 0 || rows.expects_more || sc_runtime_verify() ? all : rows.end;
    size_t whole = row * (size_t)all, need = row * (size_t)n_rows + SC_DECODE_SLACK;
    sc_status st = grow(b, need < whole ? need : whole, (size_t)all, err);
    b->n_rows = 0;
    if (!st) memset(b->row_done, 0, (size_t)all);
    if (!st) st = decompress(file, index, n_rows, bytes, b->data, b->capacity, err);
    if (st) return st;
    b->n_rows = n_rows;
  }
  return is_missing(t, index) ? SC_OK : finish_rows(b, t, rows, err);
}

sc_status sc_block_decode_once(struct sc_block_scratch *s, const struct sc_file *file, size_t index,
                               int n_rows, const struct sc_buffer *bytes, unsigned char **out,
                               struct sc_error *err) {
  const struct sc_tiff *t = &file->tiff;
  size_t row = sc_tiff_row_bytes(t), whole = row * (size_t)sc_tiff_block_rows(t, index);
  sc_status st = SC_OK;
  if (!bytes && !is_missing(t, index)) {
    st = load_stored(file, index, &s->stored, err);
    bytes = &s->stored;
  }
  if (!st) st = sc_buffer_resize(&s->rows, whole, err);
  if (!st) st = decompress(file, index, n_rows, bytes, s->rows.data, whole, err);
  *out = s->rows.data;
  return st;
}

void sc_block_scratch_free(struct sc_block_scratch *s) {
  sc_buffer_free(&s->stored);
  sc_buffer_free(&s->rows);
}
