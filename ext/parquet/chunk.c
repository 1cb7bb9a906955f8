/* Reading a column chunk; see chunk.h. */
#include "parquet/chunk.h"

#include <string.h>

#include "base/alloc.h"

/* Bytes read at once: a local file's pages are near, each request to a server costs 30 ms. */
#define READ_AHEAD_LOCAL ((uint64_t)256 << 10)
#define READ_AHEAD_REMOTE ((uint64_t)8 << 20)
#define HEADER_FIRST_BYTES 512

static sc_status begin(struct sc_pq_chunk_reader *r, struct sc_byte_source *source,
                       const struct sc_pq_leaf *leaf, const struct sc_pq_chunk *chunk,
                       int64_t n_rows, struct sc_error *err) {
  if (chunk->is_encrypted) {
    return sc_fail(err, SC_UNSUPPORTED, "column '%s' is encrypted, which is not supported",
                   leaf->path);
  }
  r->source = source;
  r->leaf = leaf;
  r->chunk = chunk;
  r->places = NULL;
  r->n_places = 0;
  r->n_rows = r->wanted_end = n_rows;
  r->next_row = r->page_end = 0;
  r->at = chunk->begin;
  r->window.size = 0;
  sc_free(r->dictionary.values);
  r->dictionary.values = NULL;
  r->dictionary.n = 0;
  return SC_OK;
}

sc_status sc_pq_chunk_begin(struct sc_pq_chunk_reader *r, struct sc_byte_source *source,
                            const struct sc_pq_leaf *leaf, const struct sc_pq_chunk *chunk,
                            int64_t n_rows, struct sc_error *err) {
  if (leaf->max_rep > 0) {
    return sc_fail(err, SC_UNSUPPORTED, "column '%s' is a list or map, which has no SQL value",
                   leaf->path);
  }
  return begin(r, source, leaf, chunk, n_rows, err);
}

sc_status sc_pq_chunk_begin_levels(struct sc_pq_chunk_reader *r, struct sc_byte_source *source,
                                   const struct sc_pq_leaf *leaf, const struct sc_pq_chunk *chunk,
                                   struct sc_error *err) {
  return begin(r, source, leaf, chunk, chunk->n_values, err);
}

void sc_pq_chunk_use_index(struct sc_pq_chunk_reader *r, const struct sc_pq_page_place *places,
                           size_t n_places) {
  r->places = n_places ? places : NULL;
  r->n_places = n_places;
}

/* The last page that begins at or before the row. */
static size_t page_of_row(const struct sc_pq_chunk_reader *r, int64_t row) {
  size_t low = 0, high = r->n_places;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (r->places[middle].first_row <= row) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

/* How far reading ahead from r->at makes sense. */
static uint64_t useful_end(const struct sc_pq_chunk_reader *r) {
  if (!r->places || r->wanted_end <= 0) return r->chunk->end;
  if (r->at < r->places[0].begin) return r->places[0].begin; /* the dictionary */
  if (r->wanted_end >= r->n_rows) return r->chunk->end;
  const struct sc_pq_page_place *last = &r->places[page_of_row(r, r->wanted_end - 1)];
  uint64_t end = last->begin + last->bytes;
  return end > r->at ? end : r->chunk->end;
}

/* Make [at, at + n) available in the window; more where that is useful. */
static sc_status need(struct sc_pq_chunk_reader *r, uint64_t at, uint64_t n,
                      const unsigned char **out, struct sc_error *err) {
  if (n > r->chunk->end - at) {
    return sc_fail(err, SC_BAD_DATA, "a page at byte %llu leaves its column chunk",
                   (unsigned long long)at);
  }
  if (at < r->window_at || at - r->window_at > r->window.size ||
      n > r->window.size - (at - r->window_at)) {
    uint64_t ahead = r->source->is_remote ? READ_AHEAD_REMOTE : READ_AHEAD_LOCAL;
    uint64_t useful = useful_end(r) > at ? useful_end(r) - at : n;
    uint64_t size = ahead < useful ? ahead : useful;
    if (size < n) size = n;
    r->window_at = at;
    sc_status st = sc_byte_source_read(r->source, at, (size_t)size, &r->window, err);
    if (!st) st = sc_buffer_reserve(&r->window, 1, err); /* so that data is no NULL */
    if (st) {
      r->window.size = 0;
      return st;
    }
  }
  *out = r->window.data + (at - r->window_at);
  return SC_OK;
}

/* The header of the page at r->at. */
static sc_status read_header(struct sc_pq_chunk_reader *r, struct sc_pq_page *page,
                             struct sc_error *err) {
  uint64_t n = HEADER_FIRST_BYTES, left = r->chunk->end - r->at;
  const unsigned char *data;
  int is_short = 1;
  sc_status st = SC_OK;
  if (left == 0) {
    return sc_fail(err, SC_BAD_DATA, "its pages end after row %lld of %lld", (long long)r->page_end,
                   (long long)r->n_rows);
  }
  while (is_short && !st) {
    if (n > left) n = left;
    st = need(r, r->at, n, &data, err);
    if (!st) st = sc_pq_page_parse(data, (size_t)n, page, &is_short, err);
    if (!st && is_short && (n == left || n >= SC_PQ_PAGE_HEADER_MAX_BYTES)) {
      return sc_fail(err, SC_BAD_DATA, "the page header at byte %llu is damaged",
                     (unsigned long long)r->at);
    }
    n *= 8;
  }
  return st;
}

static sc_status unpack(struct sc_pq_chunk_reader *r, const unsigned char *data, size_t n,
                        size_t whole, struct sc_buffer *out, size_t out_at, struct sc_error *err) {
  sc_status st = sc_pq_unpack_check(r->chunk->codec, data, n, whole, err);
  if (!st) st = sc_buffer_resize(out, out_at + whole, err);
  if (!st) st = sc_buffer_reserve(out, 1, err); /* so that data is no NULL */
  if (!st) {
    st = sc_pq_unpack(&r->codecs, r->chunk->codec, data, n, out->data + out_at, whole, err);
  }
  return st;
}

static sc_status read_dictionary(struct sc_pq_chunk_reader *r, const struct sc_pq_page *page,
                                 const unsigned char *data, struct sc_error *err) {
  if (page->encoding != SC_PQ_PLAIN && page->encoding != SC_PQ_PLAIN_DICTIONARY) {
    return sc_fail(err, SC_UNSUPPORTED, "a dictionary with encoding %d", page->encoding);
  }
  if (r->dictionary.values) return sc_fail(err, SC_BAD_DATA, "it has two dictionaries");
  sc_status st = unpack(r, data, page->bytes, page->whole_bytes, &r->dictionary.page, 0, err);
  if (!st) st = sc_pq_dictionary_parse(&r->dictionary, r->leaf, page->n_values, err);
  return st;
}

/* One kind of levels of a v1 page, with their size before them; *is_there is 0 where all are 0. */
static sc_status begin_levels(struct sc_rle_in *levels, int *is_there, unsigned width, int encoding,
                              const unsigned char **data, size_t *n, struct sc_error *err) {
  *is_there = width > 0;
  if (!*is_there) return SC_OK;
  if (encoding != SC_PQ_RLE) {
    return sc_fail(err, SC_UNSUPPORTED, "levels with encoding %d", encoding);
  }
  if (*n < 4 || sc_le32(*data) > *n - 4) {
    return sc_fail(err, SC_BAD_DATA, "levels are longer than their page");
  }
  size_t size = sc_le32(*data);
  sc_status st = sc_rle_init(levels, *data + 4, size, width, err);
  *data += 4 + size;
  *n -= 4 + size;
  return st;
}

/* The levels of a v1 page stand before its values. */
static sc_status begin_levels_v1(struct sc_pq_chunk_reader *r, const struct sc_pq_page *page,
                                 const unsigned char **data, size_t *n, struct sc_error *err) {
  sc_status st = begin_levels(&r->repeats, &r->has_repeats, sc_bits_for((uint32_t)r->leaf->max_rep),
                              page->rep_encoding, data, n, err);
  return st ? st
            : begin_levels(&r->levels, &r->has_levels, sc_bits_for((uint32_t)r->leaf->max_def),
                           page->def_encoding, data, n, err);
}

/* Those of a v2 page, in r->page: repetition levels, then definition levels, sizes in its header.
 */
static sc_status begin_levels_v2(struct sc_pq_chunk_reader *r, const struct sc_pq_page *page,
                                 struct sc_error *err) {
  unsigned rep_width = sc_bits_for((uint32_t)r->leaf->max_rep);
  unsigned def_width = sc_bits_for((uint32_t)r->leaf->max_def);
  r->has_repeats = rep_width > 0 && page->rep_bytes > 0;
  r->has_levels = def_width > 0 && page->def_bytes > 0;
  if (page->n_values > 0 &&
      ((def_width > 0 && page->def_bytes == 0) || (rep_width > 0 && page->rep_bytes == 0))) {
    return sc_fail(err, SC_BAD_DATA, "a page has no definition levels, or no repetition levels");
  }
  sc_status st = SC_OK;
  if (r->has_repeats) st = sc_rle_init(&r->repeats, r->page.data, page->rep_bytes, rep_width, err);
  if (!st && r->has_levels) {
    st = sc_rle_init(&r->levels, r->page.data + page->rep_bytes, page->def_bytes, def_width, err);
  }
  return st;
}

/* v2: levels first and never packed, the values packed or not. */
static sc_status begin_page_v2(struct sc_pq_chunk_reader *r, const struct sc_pq_page *page,
                               const unsigned char *data, const unsigned char **values, size_t *n,
                               struct sc_error *err) {
  uint64_t levels = (uint64_t)page->def_bytes + page->rep_bytes;
  if (levels > page->bytes || levels > page->whole_bytes) {
    return sc_fail(err, SC_BAD_DATA, "levels of %llu bytes in a page of %u",
                   (unsigned long long)levels, page->bytes);
  }
  size_t packed = page->bytes - (size_t)levels;
  *n = page->whole_bytes - (size_t)levels;
  sc_status st = sc_buffer_resize(&r->page, (size_t)levels, err);
  if (st) return st;
  if (levels) memcpy(r->page.data, data, (size_t)levels);
  if (!page->is_packed || *n == 0) {
    if (packed != *n && *n) return sc_fail(err, SC_BAD_DATA, "a page is not as long as it says");
    st = sc_buffer_append(&r->page, data + levels, *n, err);
  } else {
    st = unpack(r, data + levels, packed, *n, &r->page, (size_t)levels, err);
  }
  if (!st) st = sc_buffer_reserve(&r->page, 1, err);
  if (st) return st;
  *values = r->page.data + levels;
  return begin_levels_v2(r, page, err);
}

/* Unpack a data page, and start its levels and values. */
static sc_status begin_page(struct sc_pq_chunk_reader *r, const struct sc_pq_page *page,
                            const unsigned char *data, struct sc_error *err) {
  const unsigned char *values = NULL;
  size_t n = 0;
  sc_status st;
  if (page->type == SC_PQ_DATA_PAGE_V2) {
    st = begin_page_v2(r, page, data, &values, &n, err);
  } else {
    st = unpack(r, data, page->bytes, page->whole_bytes, &r->page, 0, err);
    values = r->page.data;
    n = page->whole_bytes;
    if (!st) st = begin_levels_v1(r, page, &values, &n, err);
  }
  if (st) return st;
  /* BYTE_STREAM_SPLIT and the lengths of DELTA need the number of values that are no nulls. */
  size_t n_values = (size_t)page->n_values;
  if (r->has_levels && page->encoding >= SC_PQ_DELTA_BINARY_PACKED &&
      page->encoding != SC_PQ_RLE_DICTIONARY) {
    struct sc_rle_in levels = r->levels;
    uint32_t level[SC_PQ_BATCH];
    n_values = 0;
    for (size_t left = (size_t)page->n_values; left && !st;) {
      size_t part = left < SC_PQ_BATCH ? left : SC_PQ_BATCH;
      st = sc_rle_read(&levels, part, level, err);
      for (size_t i = 0; i < part && !st; i++) n_values += level[i] == (uint32_t)r->leaf->max_def;
      left -= part;
    }
  }
  if (st) return st;
  struct sc_view body = {values, n};
  return sc_pq_decode_begin(&r->decoder, r->leaf, &r->dictionary, page->encoding, body, n_values,
                            err);
}

static int is_data(const struct sc_pq_page *page) {
  return page->type == SC_PQ_DATA_PAGE || page->type == SC_PQ_DATA_PAGE_V2;
}

/*
 * Take the page at r->at: a dictionary is kept, a data page becomes the current one unless
 * all its rows lie before `row`, other pages are passed over.
 */
static sc_status take_page(struct sc_pq_chunk_reader *r, int64_t row, struct sc_error *err) {
  struct sc_pq_page page;
  const unsigned char *data = NULL;
  sc_status st = read_header(r, &page, err);
  if (st) return st;
  uint64_t at = r->at + page.head_bytes;
  int64_t end = r->page_end;
  if (is_data(&page)) {
    if (page.n_values > r->n_rows - r->page_end) {
      return sc_fail(err, SC_BAD_DATA, "its pages have more than the row group's %lld rows",
                     (long long)r->n_rows);
    }
    end += page.n_values;
  }
  int is_wanted = page.type == SC_PQ_DICTIONARY_PAGE || (is_data(&page) && end > row);
  if (page.bytes > r->chunk->end - at) {
    return sc_fail(err, SC_BAD_DATA, "the page at byte %llu leaves its column chunk",
                   (unsigned long long)r->at);
  }
  if (is_wanted) st = need(r, at, page.bytes, &data, err);
  if (st) return st;
  r->at = at + page.bytes;
  if (page.type == SC_PQ_DICTIONARY_PAGE) return read_dictionary(r, &page, data, err);
  r->next_row = r->page_end;
  r->page_end = end;
  return is_wanted ? begin_page(r, &page, data, err) : SC_OK;
}

/* With an offset index: read the dictionary if there is one, then go to the row's page. */
static sc_status jump(struct sc_pq_chunk_reader *r, int64_t row, struct sc_error *err) {
  size_t i = page_of_row(r, row);
  if (r->at == r->chunk->begin && r->places[0].begin > r->at) {
    sc_status st = take_page(r, -1, err);
    if (st) return st;
    if (r->page_end > 0) return sc_fail(err, SC_BAD_DATA, "its offset index misses a page");
  }
  if (r->places[i].first_row >= r->page_end && r->places[i].begin > r->at) {
    r->at = r->places[i].begin;
    r->page_end = r->next_row = r->places[i].first_row;
  }
  return SC_OK;
}

/* The page that was just taken must have the rows that the offset index says. */
static sc_status check_place(const struct sc_pq_chunk_reader *r, struct sc_error *err) {
  if (!r->places) return SC_OK;
  size_t i = page_of_row(r, r->next_row);
  int64_t end = i + 1 < r->n_places ? r->places[i + 1].first_row : r->n_rows;
  if (r->places[i].first_row == r->next_row && end == r->page_end) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "a page's rows %lld to %lld are not those of the offset index",
                 (long long)r->next_row, (long long)r->page_end);
}

/* Levels into nulls; the number of values that are there. */
static sc_status read_nulls(struct sc_pq_chunk_reader *r, size_t n, uint32_t *levels,
                            struct sc_pq_value *out, size_t *n_values, struct sc_error *err) {
  uint32_t full = (uint32_t)r->leaf->max_def;
  sc_status st = sc_rle_read(&r->levels, n, levels, err);
  *n_values = 0;
  for (size_t i = 0; i < n && !st; i++) {
    if (levels[i] > full) {
      return sc_fail(err, SC_BAD_DATA, "definition level %u; the most is %u", levels[i], full);
    }
    out[i].size = levels[i] == full ? 0 : SC_PQ_NULL;
    *n_values += levels[i] == full;
  }
  return st;
}

static sc_status read_repeats(struct sc_pq_chunk_reader *r, size_t n, uint32_t *reps,
                              struct sc_error *err) {
  uint32_t most = (uint32_t)r->leaf->max_rep;
  sc_status st = sc_rle_read(&r->repeats, n, reps, err);
  for (size_t i = 0; i < n && !st; i++) {
    if (reps[i] > most) {
      return sc_fail(err, SC_BAD_DATA, "repetition level %u; the most is %u", reps[i], most);
    }
  }
  return st;
}

/* Spread n_values values over the rows that are no nulls, from the back, in place. */
static void spread(struct sc_pq_value *out, size_t n, size_t n_values,
                   const struct sc_pq_value *values) {
  for (size_t i = n; i-- > 0;) {
    if (out[i].size != SC_PQ_NULL) out[i] = values[--n_values];
  }
}

/* The next n values with their definition levels. */
static sc_status read_values(struct sc_pq_chunk_reader *r, size_t n, struct sc_pq_value *out,
                             uint32_t *defs, struct sc_error *err) {
  struct sc_pq_value values[SC_PQ_BATCH];
  size_t n_values = n;
  sc_status st = SC_OK;
  if (r->has_levels) st = read_nulls(r, n, defs, out, &n_values, err);
  if (!st && n_values == n) {
    st = sc_pq_decode_read(&r->decoder, n, out, err);
  } else if (!st) {
    st = sc_pq_decode_read(&r->decoder, n_values, values, err);
    if (!st) spread(out, n, n_values, values);
  }
  r->next_row += (int64_t)n;
  return st;
}

sc_status sc_pq_chunk_read(struct sc_pq_chunk_reader *r, size_t n, struct sc_pq_value *out,
                           struct sc_error *err) {
  uint32_t defs[SC_PQ_BATCH];
  sc_status st = read_values(r, n, out, defs, err);
  return st ? sc_fail_within(err, "column '%s'", r->leaf->path) : SC_OK;
}

sc_status sc_pq_chunk_read_levels(struct sc_pq_chunk_reader *r, size_t n, struct sc_pq_value *out,
                                  uint32_t *defs, uint32_t *reps, struct sc_error *err) {
  sc_status st = SC_OK;
  if (!r->has_levels) memset(defs, 0, n * sizeof *defs);
  if (!r->has_repeats) memset(reps, 0, n * sizeof *reps);
  if (r->has_repeats) st = read_repeats(r, n, reps, err);
  if (!st) st = read_values(r, n, out, defs, err);
  return st ? sc_fail_within(err, "column '%s'", r->leaf->path) : SC_OK;
}

static sc_status skip_rows(struct sc_pq_chunk_reader *r, int64_t row, struct sc_error *err) {
  struct sc_pq_value ignored[SC_PQ_BATCH];
  sc_status st = SC_OK;
  while (r->next_row < row && !st) {
    int64_t n = row - r->next_row < SC_PQ_BATCH ? row - r->next_row : SC_PQ_BATCH;
    st = sc_pq_chunk_read(r, (size_t)n, ignored, err);
  }
  return st;
}

sc_status sc_pq_chunk_seek(struct sc_pq_chunk_reader *r, int64_t row, int64_t end, int64_t *n_ready,
                           struct sc_error *err) {
  sc_status st = SC_OK;
  r->wanted_end = end;
  if (r->places && row >= r->page_end) st = jump(r, row, err);
  while (!st && row >= r->page_end) {
    int64_t before = r->page_end;
    st = take_page(r, row, err);
    if (!st && r->page_end > before) st = check_place(r, err);
  }
  if (st) return sc_fail_within(err, "column '%s'", r->leaf->path);
  st = skip_rows(r, row, err);
  *n_ready = r->page_end - row;
  return st;
}

void sc_pq_chunk_free(struct sc_pq_chunk_reader *r) {
  sc_buffer_free(&r->window);
  sc_buffer_free(&r->page);
  sc_pq_dictionary_free(&r->dictionary);
  sc_pq_decode_free(&r->decoder);
  sc_pq_codecs_free(&r->codecs);
  memset(r, 0, sizeof *r);
}
