/* Writing Parquet files; see writer.h. */
#include "parquet/writer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/settings.h"

static sc_status new_chunks(struct sc_pq_slot *s, size_t n, struct sc_error *err) {
  s->chunks = sc_alloc_zero(n, sizeof *s->chunks);
  return s->chunks ? SC_OK : sc_fail_nomem(err);
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
  w->n_slots = threads > SC_PQ_MAX_SLOTS ? SC_PQ_MAX_SLOTS : (int)threads;
  for (int i = 0; i < w->n_slots && !st; i++) {
    w->slots[i].encoder.codec = options->codec;
    w->slots[i].encoder.level = options->level;
    st = sc_pq_rows_init(&w->slots[i].rows, options->specs, options->n_columns, err);
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

static void encode_slot(void *argument) {
  struct sc_pq_slot *s = argument;
  s->err.status = SC_OK;
  s->bytes.size = 0;
  sc_status st = s->fill ? s->fill(s->argument, &s->rows, &s->box, &s->err) : SC_OK;
  if (!st) st = sc_pq_encode(&s->encoder, &s->rows, &s->bytes, s->chunks, &s->err);
  sc_settle(&s->err, st);
}

/* Wait for a slot's row group and take it out: into w->bytes, which are next in the file. */
static sc_status take_slot(struct sc_pq_writer *w, struct sc_pq_slot *s, struct sc_error *err) {
  w->bytes.size = 0;
  if (!s->is_busy) return SC_OK;
  sc_task_wait(&s->task);
  s->is_busy = 0;
  struct sc_pq_written group = {w->sink->n_written, (int64_t)s->rows.n_rows, s->chunks};
  if (s->err.status) {
    *err = s->err;
    return err->status;
  }
  for (size_t c = 0; c < w->options.n_columns; c++) {
    if (w->options.specs[c].type == SC_PQ_BYTE_ARRAY) s->chunks[c].box = s->box;
  }
  sc_status st = sc_buffer_append(&w->written, &group, sizeof group, err);
  if (st) return st;
  s->chunks = NULL; /* now in w->written */
  w->n_written++;
  w->n_rows += group.n_rows;
  s->box.present = 0;
  s->fill = NULL;
  sc_pq_rows_clear(&s->rows);
  struct sc_buffer bytes = w->bytes;
  w->bytes = s->bytes;
  s->bytes = bytes;
  return SC_OK;
}

static sc_status write_slot(struct sc_pq_writer *w, struct sc_pq_slot *s, struct sc_error *err) {
  sc_status st = take_slot(w, s, err);
  return st ? st : sc_sink_write(w->sink, w->bytes.data, w->bytes.size, err);
}

static sc_status start_slot(struct sc_pq_writer *w, struct sc_pq_slot *s, struct sc_error *err) {
  free_chunks(s->chunks, w->options.n_columns);
  sc_status st = new_chunks(s, w->options.n_columns, err);
  if (st) return st;
  s->is_busy = 1;
  sc_task_start(&s->task, encode_slot, s);
  return SC_OK;
}

void sc_pq_writer_add_box(struct sc_pq_writer *w, double min_x, double min_y, double max_x,
                          double max_y) {
  struct sc_pq_box *b = &w->slots[w->current].box;
  if (!b->present || min_x < b->min_x) b->min_x = min_x;
  if (!b->present || min_y < b->min_y) b->min_y = min_y;
  if (!b->present || max_x > b->max_x) b->max_x = max_x;
  if (!b->present || max_y > b->max_y) b->max_y = max_y;
  b->present = 1;
}

/* Encode the current slot; the next one is that of longest ago. */
static sc_status end_group(struct sc_pq_writer *w, struct sc_error *err) {
  sc_status st = start_slot(w, &w->slots[w->current], err);
  w->current = (w->current + 1) % w->n_slots;
  return st;
}

sc_status sc_pq_writer_end_row(struct sc_pq_writer *w, struct sc_error *err) {
  struct sc_pq_slot *s = &w->slots[w->current];
  s->rows.n_rows++;
  if (s->rows.n_rows < w->options.row_group_rows && s->rows.n_bytes < SC_PQ_ROW_GROUP_MAX_BYTES) {
    return SC_OK;
  }
  sc_status st = end_group(w, err);
  return st ? st : write_slot(w, &w->slots[w->current], err);
}

sc_status sc_pq_writer_put_group(struct sc_pq_writer *w, sc_pq_fill fill, void *argument,
                                 struct sc_error *err) {
  struct sc_pq_slot *s = &w->slots[w->current];
  sc_status st = take_slot(w, s, err);
  s->fill = fill;
  s->argument = argument;
  if (!st) st = end_group(w, err); /* before the writing, so that the thread need not wait for it */
  return st ? st : sc_sink_write(w->sink, w->bytes.data, w->bytes.size, err);
}

sc_status sc_pq_writer_flush(struct sc_pq_writer *w, struct sc_error *err) {
  struct sc_pq_slot *s = &w->slots[w->current];
  sc_status st = s->rows.n_rows && !s->is_busy ? end_group(w, err) : SC_OK;
  for (int i = 0; i < w->n_slots && !st; i++) {
    st = write_slot(w, &w->slots[(w->current + i) % w->n_slots], err);
  }
  return st;
}

sc_status sc_pq_writer_finish(struct sc_pq_writer *w, const struct sc_pq_key_text *key_values,
                              size_t n_key_values, const int *geometry_types, size_t n_types,
                              struct sc_error *err) {
  return sc_pq_footer_write(w, key_values, n_key_values, geometry_types, n_types, err);
}

void sc_pq_writer_free(struct sc_pq_writer *w) {
  for (int i = 0; i < w->n_slots; i++) {
    struct sc_pq_slot *s = &w->slots[i];
    sc_task_wait(&s->task);
    sc_pq_rows_free(&s->rows);
    sc_pq_encoder_free(&s->encoder);
    sc_buffer_free(&s->bytes);
    free_chunks(s->chunks, w->options.n_columns);
  }
  forget_written(w);
  sc_buffer_free(&w->written);
  sc_buffer_free(&w->bytes);
  memset(w, 0, sizeof *w);
}
