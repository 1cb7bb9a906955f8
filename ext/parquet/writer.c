/* Writing Parquet files; see writer.h. */
#include "parquet/writer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/settings.h"

static sc_status new_chunks(struct sc_pq_pending *p, size_t n, struct sc_error *err) {
  p->chunks = sc_alloc_zero(n, sizeof *p->chunks);
  return p->chunks ? SC_OK : sc_fail_nomem(err);
}

static void free_chunks(struct sc_pq_chunk_out *chunks, size_t n) {
  for (size_t i = 0; chunks && i < n; i++) sc_buffer_free(&chunks[i].pages);
  sc_free(chunks);
}

sc_status sc_pq_writer_init(struct sc_pq_writer *w, const struct sc_pq_writer_options *options,
                            struct sc_error *err) {
  int64_t threads = sc_task_threads_allowed() ? sc_settings_int("threads") : 0;
  sc_status st = SC_OK;
  memset(w, 0, sizeof *w);
  w->options = *options;
  if (!options->is_grouped || threads == 0) threads++;
  w->n_pending = threads > SC_PQ_MAX_PENDING ? SC_PQ_MAX_PENDING : (int)threads;
  for (int i = 0; i < w->n_pending && !st; i++) {
    w->pending[i].encoder.codec = options->codec;
    w->pending[i].encoder.level = options->level;
    st = sc_pq_rows_init(&w->pending[i].rows, options->specs, options->n_columns, err);
  }
  return st;
}

static void forget_written(struct sc_pq_writer *w) {
  struct sc_pq_written *groups = (struct sc_pq_written *)(void *)w->written.data;
  for (size_t i = 0; i < w->n_written; i++) free_chunks(groups[i].chunks, w->options.n_columns);
  w->written.size = 0;
  w->n_written = 0;
}

sc_status sc_pq_writer_begin(struct sc_pq_writer *w, struct sc_sink *sink, struct sc_error *err) {
  forget_written(w);
  w->sink = sink;
  w->n_rows = 0;
  w->current = 0;
  return sc_sink_write(sink, SC_PQ_MAGIC, 4, err);
}

static void encode_pending(void *argument) {
  struct sc_pq_pending *p = argument;
  p->err.status = SC_OK;
  p->bytes.size = 0;
  sc_status st = p->fill ? p->fill(p->argument, &p->rows, &p->box, &p->err) : SC_OK;
  if (!st) st = sc_pq_encode(&p->encoder, &p->rows, &p->bytes, p->chunks, &p->err);
  sc_settle(&p->err, st);
}

/* Wait for a row group on its way and take it out: into w->bytes, which are next in the file. */
static sc_status take_pending(struct sc_pq_writer *w, struct sc_pq_pending *p,
                              struct sc_error *err) {
  w->bytes.size = 0;
  if (!p->is_busy) return SC_OK;
  sc_task_wait(&p->task);
  p->is_busy = 0;
  struct sc_pq_written group = {w->sink->n_written, (int64_t)p->rows.n_rows, p->chunks};
  if (p->err.status) {
    *err = p->err;
    return err->status;
  }
  for (size_t c = 0; c < w->options.n_columns; c++) {
    if (w->options.specs[c].type == SC_PQ_BYTE_ARRAY) p->chunks[c].box = p->box;
  }
  sc_status st = sc_buffer_append(&w->written, &group, sizeof group, err);
  if (st) return st;
  p->chunks = NULL; /* now in w->written */
  w->n_written++;
  w->n_rows += group.n_rows;
  p->box.present = 0;
  p->fill = NULL;
  sc_pq_rows_clear(&p->rows);
  struct sc_buffer bytes = w->bytes;
  w->bytes = p->bytes;
  p->bytes = bytes;
  return SC_OK;
}

static sc_status write_pending(struct sc_pq_writer *w, struct sc_pq_pending *p,
                               struct sc_error *err) {
  sc_status st = take_pending(w, p, err);
  return st ? st : sc_sink_write(w->sink, w->bytes.data, w->bytes.size, err);
}

static sc_status start_pending(struct sc_pq_writer *w, struct sc_pq_pending *p,
                               struct sc_error *err) {
  free_chunks(p->chunks, w->options.n_columns);
  sc_status st = new_chunks(p, w->options.n_columns, err);
  if (st) return st;
  p->is_busy = 1;
  sc_task_start(&p->task, encode_pending, p);
  return SC_OK;
}

void sc_pq_writer_add_box(struct sc_pq_writer *w, double min_x, double min_y, double max_x,
                          double max_y) {
  struct sc_pq_box *b = &w->pending[w->current].box;
  if (!b->present || min_x < b->min_x) b->min_x = min_x;
  if (!b->present || min_y < b->min_y) b->min_y = min_y;
  if (!b->present || max_x > b->max_x) b->max_x = max_x;
  if (!b->present || max_y > b->max_y) b->max_y = max_y;
  b->present = 1;
}

/* Encode the current row group; the next to be filled is that of longest ago. */
static sc_status end_group(struct sc_pq_writer *w, struct sc_error *err) {
  sc_status st = start_pending(w, &w->pending[w->current], err);
  w->current = (w->current + 1) % w->n_pending;
  return st;
}

sc_status sc_pq_writer_end_row(struct sc_pq_writer *w, struct sc_error *err) {
  struct sc_pq_pending *p = &w->pending[w->current];
  p->rows.n_rows++;
  if (p->rows.n_rows < w->options.row_group_rows && p->rows.n_bytes < SC_PQ_ROW_GROUP_MAX_BYTES) {
    return SC_OK;
  }
  sc_status st = end_group(w, err);
  return st ? st : write_pending(w, &w->pending[w->current], err);
}

sc_status sc_pq_writer_put_group(struct sc_pq_writer *w, sc_pq_fill fill, void *argument,
                                 struct sc_error *err) {
  struct sc_pq_pending *p = &w->pending[w->current];
  sc_status st = take_pending(w, p, err);
  p->fill = fill;
  p->argument = argument;
  if (!st) st = end_group(w, err); /* before the writing, so that the thread need not wait for it */
  return st ? st : sc_sink_write(w->sink, w->bytes.data, w->bytes.size, err);
}

sc_status sc_pq_writer_flush(struct sc_pq_writer *w, struct sc_error *err) {
  struct sc_pq_pending *p = &w->pending[w->current];
  sc_status st = p->rows.n_rows && !p->is_busy ? end_group(w, err) : SC_OK;
  for (int i = 0; i < w->n_pending && !st; i++) {
    st = write_pending(w, &w->pending[(w->current + i) % w->n_pending], err);
  }
  return st;
}

sc_status sc_pq_writer_finish(struct sc_pq_writer *w, const struct sc_pq_key_text *key_values,
                              size_t n_key_values, const int *geometry_types, size_t n_types,
                              struct sc_error *err) {
  return sc_pq_footer_write(w, key_values, n_key_values, geometry_types, n_types, err);
}

void sc_pq_writer_free(struct sc_pq_writer *w) {
  for (int i = 0; i < w->n_pending; i++) {
    struct sc_pq_pending *p = &w->pending[i];
    sc_task_wait(&p->task);
    sc_pq_rows_free(&p->rows);
    sc_pq_encoder_free(&p->encoder);
    sc_buffer_free(&p->bytes);
    free_chunks(p->chunks, w->options.n_columns);
  }
  forget_written(w);
  sc_buffer_free(&w->written);
  sc_buffer_free(&w->bytes);
  memset(w, 0, sizeof *w);
}
