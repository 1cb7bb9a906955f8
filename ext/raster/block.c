/* One block of a plain TIFF; see block.h. */
#include "raster/block.h"

#include <string.h>

#include "base/alloc.h"
#include "raster/decode.h"
#include "raster/gdal.h"
#include "raster/memory.h"
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
    return sc_fail(err, SC_BAD_DATA,
                   "block %zu lies at byte %llu, beyond the end of the file at %llu", index,
                   (unsigned long long)offset, (unsigned long long)file->size);
  }
  sc_status st = sc_buffer_resize(out, (size_t)n, err);
  return st ? st : sc_file_read(file, offset, out->data, (size_t)n, err);
}

static int is_missing(const struct sc_tiff *t, size_t index) {
  return t->offsets[index] == 0 || t->byte_counts[index] == 0;
}

/*
 * libdeflate takes up to 8 bytes behind the end of its input for zeros before it calls it
 * damaged: at most 64 symbols, of which each second one may be a match of 258 bytes. So where it
 * stands at the end of a part, up to 16.5 KB of what it wrote last may be wrong; that many must
 * come out behind the wanted rows.
 */
#define PART_SLACK ((size_t)32 << 10)

static int is_part(const struct sc_tiff *t, size_t index, const struct sc_view *bytes) {
  return bytes && bytes->size < t->byte_counts[index];
}

uint64_t sc_block_part(const struct sc_tiff *t, size_t index, int n_rows) {
  double row = (double)sc_tiff_row_bytes(t), stored = (double)t->byte_counts[index];
  double whole = row * sc_tiff_block_rows(t, index), need = row * n_rows + (double)PART_SLACK;
  double part = stored * (need / whole) * 1.125 + 16384; /* the rows above may compress worse */
  if (sc_runtime_verify() || part > stored * 0.95) return t->byte_counts[index];
  return (uint64_t)part;
}

/* Decompress the first n_rows rows into the thread's scratch; all rows when verifying. */
static sc_status decompress(const struct sc_file *file, size_t index, int n_rows,
                            const struct sc_view *bytes, struct sc_decode_scratch *scratch,
                            struct sc_error *err) {
  const struct sc_tiff *t = &file->tiff;
  size_t row = sc_tiff_row_bytes(t), whole = row * (size_t)sc_tiff_block_rows(t, index);
  size_t wanted = sc_runtime_verify() ? whole : row * (size_t)n_rows;
  if (is_part(t, index, bytes)) wanted += PART_SLACK;
  if (wanted > whole)
    return sc_fail(err, SC_BAD_DATA, "only a part of a block is there, and all of it is needed");
  size_t room = wanted + SC_DECODE_SLACK < whole ? wanted + SC_DECODE_SLACK : whole;
  sc_status st = sc_buffer_resize(&scratch->rows, room, err);
  if (!st && is_missing(t, index)) {
    fill_missing(t, scratch->rows.data, wanted);
    return SC_OK;
  }
  struct sc_view stored = bytes ? *bytes : (struct sc_view){NULL, 0};
  if (!st && !bytes) {
    st = load_stored(file, index, &scratch->stored, err);
    stored = (struct sc_view){scratch->stored.data, scratch->stored.size};
  }
  return st ? st
            : sc_decode_block(t, stored.data, stored.size, wanted, whole, scratch->rows.data, err);
}

int sc_block_panels(const struct sc_tiff *t) {
  return (t->block_width + SC_PANEL_PX - 1) / SC_PANEL_PX;
}

/* Where a panel of a block with n_rows rows begins, and how wide it is. */
static size_t panel_place(const struct sc_tiff *t, int n_rows, int i, int *width) {
  int left = i * SC_PANEL_PX, rest = t->block_width - left;
  *width = rest < SC_PANEL_PX ? rest : SC_PANEL_PX;
  return (size_t)left * (size_t)n_rows * sc_tiff_pixel_bytes(t);
}

struct sc_block_panel sc_block_panel(const struct sc_block *b, const struct sc_tiff *t, int i,
                                     int band) {
  struct sc_block_panel s = {.left = i * SC_PANEL_PX};
  int n_rows = b->end_row - b->first_row;
  size_t at = panel_place(t, n_rows, i, &s.width);
  size_t plane = (size_t)s.width * (size_t)n_rows * sc_dtype_bytes(t->dtype);
  s.pixels = b->data + at + (size_t)band * plane;
  return s;
}

/* One row of a block, its predictor undone, into the panels. */
static void put_row(const struct sc_tiff *t, const unsigned char *row, int y, int n_rows,
                    unsigned char *data) {
  size_t size = sc_dtype_bytes(t->dtype), pixel = sc_tiff_pixel_bytes(t);
  for (int i = 0; i < sc_block_panels(t); i++) {
    int width;
    unsigned char *panel = data + panel_place(t, n_rows, i, &width);
    size_t row_bytes = (size_t)width * size;
    sc_decode_split(t, row + (size_t)i * SC_PANEL_PX * pixel, (size_t)width,
                    panel + (size_t)y * row_bytes, row_bytes * (size_t)n_rows);
  }
}

/* Rows [b->first_row, b->end_row) of those that were decompressed, into the block's panels. */
static sc_status put_rows(const struct sc_tiff *t, size_t index, unsigned char *rows,
                          const struct sc_block *b, struct sc_error *err) {
  size_t row = sc_tiff_row_bytes(t);
  int undo = t->predictor != 1 && !is_missing(t, index);
  unsigned char *scratch = undo && t->predictor == 3 ? sc_alloc(row) : NULL;
  if (undo && t->predictor == 3 && !scratch) return sc_fail_nomem(err);
  for (int y = b->first_row; y < b->end_row; y++) {
    unsigned char *at = rows + (size_t)y * row;
    if (undo) sc_decode_row(t, at, scratch);
    put_row(t, at, y - b->first_row, b->end_row - b->first_row, b->data);
  }
  sc_free(scratch);
  return SC_OK;
}

static void drop_rows(struct sc_block *b) {
  if (!b->is_transient) sc_memory_give(b->data);
  b->data = NULL;
  b->capacity = 0;
  b->first_row = b->end_row = 0;
}

/* Memory for rows [first, end): the block's own, or the thread's for a transient one. */
static sc_status make_room(struct sc_block *b, const struct sc_tiff *t, int first, int end,
                           struct sc_decode_scratch *scratch, struct sc_error *err) {
  size_t bytes = sc_tiff_row_bytes(t) * (size_t)(end - first);
  if (b->is_transient && sc_buffer_resize(&scratch->panels, bytes, err)) return err->status;
  b->data = b->is_transient ? scratch->panels.data : sc_memory_take(bytes);
  if (!b->data) return sc_fail_nomem(err);
  b->capacity = bytes;
  b->first_row = first;
  b->end_row = end;
  return SC_OK;
}

/* Make rows up to `end` ready. */
static sc_status prepare_rows(struct sc_block *b, const struct sc_file *file, size_t index,
                              struct sc_block_rows rows, int end, const struct sc_view *bytes,
                              struct sc_error *err) {
  const struct sc_tiff *t = &file->tiff;
  struct sc_decode_scratch *scratch = sc_decode_scratch(err);
  if (!scratch) return err->status;
  drop_rows(b);
  sc_status st = decompress(file, index, end, bytes, scratch, err);
  if (!st) st = make_room(b, t, b->is_transient ? rows.first : 0, end, scratch, err);
  if (!st) st = put_rows(t, index, scratch->rows.data, b, err);
  if (st) drop_rows(b);
  if (!b->is_transient) sc_decode_scratch_trim(scratch);
  return st;
}

int sc_block_rows_needed(const struct sc_tiff *t, size_t index, int n_rows) {
  return sc_runtime_verify() ? sc_tiff_block_rows(t, index) : n_rows;
}

sc_status sc_block_prepare(struct sc_block *b, const struct sc_file *file, size_t index,
                           struct sc_block_rows rows, const struct sc_view *bytes,
                           struct sc_error *err) {
  int is_ready = b->end_row >= sc_block_rows_needed(&file->tiff, index, rows.n);
  sc_cache_note(is_ready);
  if (is_ready) return SC_OK;
  int verify = sc_runtime_verify();
  /* A block that is wanted a second time is decoded whole: one stream cannot be taken up again
   * where it was left, and a third chip would decode its begin for the third time. */
  int more = b->end_row > 0 || rows.expects_more || verify;
  int end = more ? sc_tiff_block_rows(&file->tiff, index) : rows.n;
  sc_status st = prepare_rows(b, file, index, rows, end, bytes, err);
  if (!st || st == SC_NOMEM || end == rows.n || verify) return st;
  /* Damage behind the wanted rows must not be seen because of what was read before. */
  struct sc_error again = {0};
  if (prepare_rows(b, file, index, rows, rows.n, bytes, &again)) return st;
  memset(err, 0, sizeof *err);
  return SC_OK;
}

void sc_block_end_transient(struct sc_block *b) {
  struct sc_error ignored = {0};
  struct sc_decode_scratch *scratch = sc_decode_scratch(&ignored);
  drop_rows(b);
  sc_buffer_free(&b->stored);
  if (scratch) sc_decode_scratch_trim(scratch);
}

sc_status sc_block_decode_once(const struct sc_file *file, size_t index, int n_rows,
                               const struct sc_view *bytes, unsigned char **out,
                               struct sc_error *err) {
  struct sc_decode_scratch *scratch = sc_decode_scratch(err);
  if (!scratch) return err->status;
  sc_decode_scratch_trim(scratch);
  sc_status st = decompress(file, index, n_rows, bytes, scratch, err);
  *out = scratch->rows.data;
  return st;
}
