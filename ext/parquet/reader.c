/* Reading Parquet files; see reader.h. */
#include "parquet/reader.h"

#include <string.h>

#include "base/alloc.h"

#define TAIL_BYTES 8 /* footer size and magic */
#define LEAST_FILE_BYTES 12

static sc_status check_tail(const struct sc_byte_source *s, const unsigned char *tail,
                            struct sc_error *err) {
  if (memcmp(tail + 4, SC_PQ_MAGIC_ENCRYPTED, 4) == 0) {
    return sc_fail(err, SC_UNSUPPORTED, "the file is encrypted, which is not supported");
  }
  if (memcmp(tail + 4, SC_PQ_MAGIC, 4) != 0) {
    return sc_fail(err, SC_BAD_DATA,
                   "not a Parquet file: its last 4 bytes are %02X %02X %02X %02X, "
                   "not PAR1",
                   tail[4], tail[5], tail[6], tail[7]);
  }
  uint32_t n = sc_le32(tail);
  if (n > s->size - LEAST_FILE_BYTES) {
    return sc_fail(err, SC_BAD_DATA, "a footer of %u bytes in a file of %llu", n,
                   (unsigned long long)s->size);
  }
  if (n > SC_PQ_FOOTER_MAX_BYTES) {
    return sc_fail(err, SC_TOO_BIG, "a footer of %u bytes; the limit is %u", n,
                   SC_PQ_FOOTER_MAX_BYTES);
  }
  return SC_OK;
}

static sc_status read_footer(struct sc_pq_file *f, struct sc_error *err) {
  struct sc_buffer tail = {0};
  struct sc_byte_source *s = &f->source;
  if (s->size < LEAST_FILE_BYTES) {
    return sc_fail(err, SC_BAD_DATA, "not a Parquet file: %llu bytes; the least is %d",
                   (unsigned long long)s->size, LEAST_FILE_BYTES);
  }
  sc_status st = sc_byte_source_read(s, s->size - TAIL_BYTES, TAIL_BYTES, &tail, err);
  if (!st) st = check_tail(s, tail.data, err);
  if (!st) {
    uint32_t n = sc_le32(tail.data);
    st = sc_byte_source_read(s, s->size - TAIL_BYTES - n, n, &f->footer, err);
  }
  if (!st) st = sc_pq_meta_parse(f->footer.data, f->footer.size, s->size, &f->meta, err);
  sc_buffer_free(&tail);
  return st;
}

sc_status sc_pq_file_open_source(struct sc_byte_source *source, struct sc_pq_file *out,
                                 struct sc_error *err) {
  memset(out, 0, sizeof *out);
  out->source = *source;
  memset(source, 0, sizeof *source);
  source->fd = -1;
  sc_status st = read_footer(out, err);
  return st ? sc_fail_within(err, "%s", out->source.name) : SC_OK;
}

sc_status sc_pq_file_open(const char *path, struct sc_pq_file *out, struct sc_error *err) {
  struct sc_byte_source source;
  memset(out, 0, sizeof *out);
  out->source.fd = -1;
  sc_status st = sc_byte_source_open(path, &source, err);
  if (!st) return sc_pq_file_open_source(&source, out, err);
  sc_byte_source_close(&source);
  return st;
}

void sc_pq_file_close(struct sc_pq_file *f) {
  sc_pq_meta_free(&f->meta);
  sc_buffer_free(&f->footer);
  sc_byte_source_close(&f->source);
}

sc_status sc_pq_scan_begin(struct sc_pq_scan *s, struct sc_pq_file *file,
                           const struct sc_pq_scan_plan *plan, struct sc_error *err) {
  memset(s, 0, sizeof *s);
  s->file = file;
  s->plan = *plan;
  s->readers = sc_alloc_zero(plan->n_leaves, sizeof *s->readers);
  s->values = sc_alloc_zero(plan->n_leaves * SC_PQ_BATCH, sizeof *s->values);
  return s->readers && s->values ? SC_OK : sc_fail_nomem(err);
}

static int box_excludes(const struct sc_pq_scan *s, const struct sc_pq_row_group *group) {
  const struct sc_pq_box *wanted = &s->plan.box;
  if (s->plan.geometry_leaf < 0 || !wanted->present) return 0;
  const struct sc_pq_box *has = &group->chunks[s->plan.geometry_leaf].box;
  if (!has->present) return 0;
  if (has->min_y > wanted->max_y || has->max_y < wanted->min_y) return 1;
  if (has->min_x > has->max_x) return 0; /* across the antimeridian */
  return has->min_x > wanted->max_x || has->max_x < wanted->min_x;
}

static int group_is_excluded(const struct sc_pq_scan *s, const struct sc_pq_row_group *group) {
  if (group->n_rows == 0 || box_excludes(s, group)) return 1;
  for (size_t i = 0; i < s->plan.n_filters; i++) {
    const struct sc_pq_filter *f = &s->plan.filters[i];
    if (sc_pq_filter_excludes(f, &s->file->meta.leaves[f->leaf], &group->chunks[f->leaf].stats,
                              group->n_rows)) {
      return 1;
    }
  }
  return 0;
}

/* Read part of the file into the arena, where parsed indexes may point into it. */
static sc_status read_to_arena(struct sc_pq_scan *s, uint64_t at, uint32_t n, unsigned char **out,
                               struct sc_error *err) {
  struct sc_buffer bytes = {0};
  sc_status st = sc_byte_source_read(&s->file->source, at, n, &bytes, err);
  if (!st) st = sc_arena_new(&s->arena, n, 1, out, err);
  if (!st && n) memcpy(*out, bytes.data, n);
  sc_buffer_free(&bytes);
  return st;
}

static sc_status read_places(struct sc_pq_scan *s, const struct sc_pq_row_group *group, int leaf,
                             struct sc_pq_page_place **places, size_t *n, struct sc_error *err) {
  const struct sc_pq_chunk *c = &group->chunks[leaf];
  unsigned char *data = NULL;
  *places = NULL;
  *n = 0;
  if (c->offset_index_bytes == 0) return SC_OK;
  sc_status st = read_to_arena(s, c->offset_index, c->offset_index_bytes, &data, err);
  struct sc_view index = {data, c->offset_index_bytes};
  if (!st) st = sc_pq_offset_index_parse(index, c, group->n_rows, &s->arena, places, n, err);
  return st ? sc_fail_within(err, "column '%s'", s->file->meta.leaves[leaf].path) : SC_OK;
}

/* The pages that the filter leaves, as ranges; touching ones are joined. */
static size_t filter_pages(const struct sc_pq_filter *f, const struct sc_pq_leaf *leaf,
                           const struct sc_pq_page_place *places, size_t n,
                           const struct sc_pq_stats *stats, int64_t n_rows,
                           struct sc_pq_range *out) {
  size_t n_out = 0;
  for (size_t i = 0; i < n; i++) {
    int64_t begin = places[i].first_row, end = i + 1 < n ? places[i + 1].first_row : n_rows;
    if (sc_pq_filter_excludes(f, leaf, &stats[i], end - begin)) continue;
    if (n_out && out[n_out - 1].end == begin) {
      out[n_out - 1].end = end;
    } else {
      out[n_out].begin = begin;
      out[n_out++].end = end;
    }
  }
  return n_out;
}

/* Cut the wanted ranges by one filter's page statistics, where the file has them. */
static sc_status apply_filter(struct sc_pq_scan *s, const struct sc_pq_row_group *group,
                              const struct sc_pq_filter *f, struct sc_error *err) {
  const struct sc_pq_chunk *c = &group->chunks[f->leaf];
  const struct sc_pq_leaf *leaf = &s->file->meta.leaves[f->leaf];
  struct sc_pq_page_place *places;
  struct sc_pq_stats *stats;
  struct sc_pq_range *kept, *both;
  unsigned char *data;
  size_t n;
  if (c->column_index_bytes == 0 || leaf->max_rep > 0) return SC_OK;
  sc_status st = read_places(s, group, f->leaf, &places, &n, err);
  if (st || n == 0) return st;
  st = read_to_arena(s, c->column_index, c->column_index_bytes, &data, err);
  if (!st) {
    st = sc_pq_column_index_parse(data, c->column_index_bytes, leaf, n, &s->arena, &stats, err);
  }
  if (!st) st = sc_arena_new(&s->arena, n, sizeof *kept, &kept, err);
  if (!st) st = sc_arena_new(&s->arena, n + s->n_ranges, sizeof *both, &both, err);
  if (st) return st;
  n = filter_pages(f, leaf, places, n, stats, group->n_rows, kept);
  s->n_ranges = sc_pq_ranges_intersect(s->ranges, s->n_ranges, kept, n, both);
  s->ranges = both;
  return SC_OK;
}

static sc_status begin_columns(struct sc_pq_scan *s, const struct sc_pq_row_group *group,
                               struct sc_error *err) {
  const struct sc_pq_meta *meta = &s->file->meta;
  int is_whole = s->n_ranges == 1 && s->ranges[0].begin == 0 && s->ranges[0].end == group->n_rows;
  sc_status st = SC_OK;
  for (size_t c = 0; c < s->plan.n_leaves && !st; c++) {
    struct sc_pq_page_place *places;
    size_t n = 0;
    int leaf = s->plan.leaves[c];
    st = sc_pq_chunk_begin(&s->readers[c], &s->file->source, &meta->leaves[leaf],
                           &group->chunks[leaf], group->n_rows, err);
    if (st || is_whole) continue;
    st = read_places(s, group, leaf, &places, &n, err);
    if (!st) sc_pq_chunk_use_index(&s->readers[c], places, n);
  }
  return st;
}

static sc_status begin_group(struct sc_pq_scan *s, const struct sc_pq_row_group *group,
                             struct sc_error *err) {
  struct sc_pq_range *whole;
  sc_arena_free(&s->arena);
  sc_status st = sc_arena_new(&s->arena, 1, sizeof *whole, &whole, err);
  if (st) return st;
  whole->begin = 0;
  whole->end = group->n_rows;
  s->ranges = whole;
  s->n_ranges = 1;
  for (size_t i = 0; i < s->plan.n_filters && s->n_ranges && !st; i++) {
    st = apply_filter(s, group, &s->plan.filters[i], err);
  }
  s->range = 0;
  s->row = s->n_ranges ? s->ranges[0].begin : 0;
  if (!st && s->n_ranges) st = begin_columns(s, group, err);
  return st;
}

/* Go to the next row group with wanted rows; *n is 0 where there is none. */
static sc_status next_group(struct sc_pq_scan *s, size_t *n, struct sc_error *err) {
  const struct sc_pq_meta *meta = &s->file->meta;
  sc_status st = SC_OK;
  *n = 0;
  while (s->group < meta->n_row_groups && !*n && !st) {
    const struct sc_pq_row_group *group = &meta->row_groups[s->group];
    if (s->group > 0) s->group_first_row += group[-1].n_rows;
    s->group++;
    if (group_is_excluded(s, group)) continue;
    st = begin_group(s, group, err);
    *n = s->n_ranges;
  }
  return st;
}

/* Read as many rows as each column has ready in its page. */
static sc_status read_batch(struct sc_pq_scan *s, size_t *n, struct sc_error *err) {
  int64_t end = s->ranges[s->range].end, count = end - s->row;
  sc_status st = SC_OK;
  if (count > SC_PQ_BATCH) count = SC_PQ_BATCH;
  for (size_t c = 0; c < s->plan.n_leaves && !st; c++) {
    int64_t ready;
    st = sc_pq_chunk_seek(&s->readers[c], s->row, end, &ready, err);
    if (!st && ready < count) count = ready;
  }
  for (size_t c = 0; c < s->plan.n_leaves && !st; c++) {
    st = sc_pq_chunk_read(&s->readers[c], (size_t)count, &s->values[c * SC_PQ_BATCH], err);
  }
  *n = st ? 0 : (size_t)count;
  s->first_row = s->group_first_row + s->row;
  s->row += count;
  return st;
}

static sc_status next_batch(struct sc_pq_scan *s, size_t *n, struct sc_error *err) {
  if (s->range < s->n_ranges && s->row >= s->ranges[s->range].end) {
    s->range++;
    if (s->range < s->n_ranges) s->row = s->ranges[s->range].begin;
  }
  if (s->range >= s->n_ranges) {
    sc_status st = next_group(s, n, err);
    if (st || *n == 0) return st;
  }
  return read_batch(s, n, err);
}

sc_status sc_pq_scan_next(struct sc_pq_scan *s, size_t *n, struct sc_error *err) {
  *n = 0;
  sc_status st = next_batch(s, n, err);
  return st ? sc_fail_within(err, "%s", s->file->source.name) : SC_OK;
}

void sc_pq_scan_free(struct sc_pq_scan *s) {
  for (size_t c = 0; s->readers && c < s->plan.n_leaves; c++) {
    sc_pq_chunk_free(&s->readers[c]);
  }
  sc_free(s->readers);
  sc_free(s->values);
  sc_arena_free(&s->arena);
  memset(s, 0, sizeof *s);
}
