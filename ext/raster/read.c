/*
 * Reading many windows at once.
 *
 * HOW IT WORKS  Each window becomes pieces, one per block that it touches. Pieces are sorted
 * by file and block, so that each block is decoded once however many windows want it, and
 * files are read in their own order. The pieces of one block are a group, one task of the pool.
 * Windows of files that are not plain, and other kernels than nearest, are one task each, by
 * GDAL. A block of another size than expected is GDAL's too: its answer counts. Damaged data
 * are an error.
 *
 * WORDS  window: what one sc_read wants of one band. piece: a window's share of one block. group:
 * the pieces of one block. batch: consecutive groups whose remote blocks are fetched together.
 * Block, panel, transient: see block.h.
 *
 * MEMORY  Where all groups together would not fit into the cache, none of their blocks would be
 * there for a later read, and each would push out one that might be. So the read bypasses the
 * cache: its blocks are transient, decoded into the thread's scratch, only their wanted rows.
 * Memory that is used again saves a page fault for each 4 KB: a remote stack of 64 chips had 165
 * 000 faults before, 47 000 since.
 */
#include "raster/read.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/poll.h"
#include "base/sqlite.h"
#include "base/thread.h"
#include "raster/block.h"
#include "raster/gdal.h"
#include "raster/memory.h"
#include "raster/pool.h"
#include "raster/remote.h"
#include "raster/runtime.h"

/* A read and where its pixels come from. */
struct window {
  struct sc_read *read;
  struct sc_file *file; /* held; NULL for GDAL */
  int band;             /* 0-based */
  int *columns, *rows;  /* source column of each output column, -1 outside; one allocation */
  int borrows_maps;     /* columns and rows are those of a window before it */
  int plain_columns;    /* columns are consecutive: x0, x0 + 1, ... */
  int expects_more;     /* see sc_block_rows */
  pthread_mutex_t *lock;
};

struct piece {
  struct window *window;
  size_t block;
};

/* Pieces [begin, end) of one block, or one window for GDAL (begin == end). */
struct group {
  size_t begin, end;
  size_t batch;              /* of remote blocks; see struct fetcher */
  struct window *window;     /* GDAL */
  struct sc_shared bytes;    /* of a remote block: all, or the first */
  struct sc_block *held;     /* a remote block that the cache has, kept there until it is used */
  struct sc_error fetch_err; /* why a remote block could not be had */
};

struct fetcher;

struct plan {
  struct window *windows;
  size_t n_windows;
  struct piece *pieces;
  size_t n_pieces, capacity;
  struct group *groups;
  size_t n_groups;
  struct fetcher *fetcher; /* fetches remote blocks meanwhile; NULL: they are there */
  int is_hold;             /* blocks are made ready and held, nothing is copied */
  struct sc_held *held;    /* they */
  int bypass_cache;        /* more blocks than the cache holds: see MEMORY */
  pthread_mutex_t lock;    /* guards err of the reads */
};

/* Blocks that are held: see sc_raster_api.hold. */
struct sc_held {
  size_t n;
  struct sc_block *blocks[]; /* one per group; NULL where it is not held */
};

/* --- planning --- */

/* The source position of each of n output pixels, -1 outside [0, limit). */
static void map_axis(double begin, double extent, int n, int limit, int *map) {
  if (extent == n && begin == floor(begin) && fabs(begin) < INT32_MAX / 2) { /* most, and faster */
    int first = (int)begin;
    for (int i = 0; i < n; i++) map[i] = first + i < 0 || first + i >= limit ? -1 : first + i;
    return;
  }
  for (int i = 0; i < n; i++) {
    double at = floor(sc_read_middle(begin, extent, n, i));
    map[i] = at < 0 || at >= limit ? -1 : (int)at;
  }
}

static int is_consecutive(const int *map, int n) {
  for (int i = 1; i < n; i++) {
    if (map[i] >= 0 && map[i - 1] >= 0 && map[i] != map[i - 1] + 1) return 0;
  }
  return 1;
}

/* Is it the same window of a file of the same size? So it is for most bands of a chip. */
static int has_same_axes(const struct window *a, const struct window *b) {
  const struct sc_read *r = a->read, *s = b->read;
  const struct sc_tiff *t = &a->file->tiff, *u = &b->file->tiff;
  return r->x == s->x && r->y == s->y && r->width == s->width && r->height == s->height &&
         r->out_width == s->out_width && r->out_height == s->out_height && t->width == u->width &&
         t->height == u->height;
}

static sc_status map_axes(struct window *w, const struct window *before, struct sc_error *err) {
  const struct sc_read *r = w->read;
  if (before && before->columns && has_same_axes(w, before)) {
    w->columns = before->columns;
    w->rows = before->rows;
    w->plain_columns = before->plain_columns;
    w->borrows_maps = 1;
    return SC_OK;
  }
  int nw = r->out_width, nh = r->out_height;
  w->columns = sc_alloc(((size_t)nw + (size_t)nh) * sizeof *w->columns);
  if (!w->columns) return sc_fail_nomem(err);
  w->rows = w->columns + nw;
  map_axis(r->x, r->width, nw, w->file->tiff.width, w->columns);
  map_axis(r->y, r->height, nh, w->file->tiff.height, w->rows);
  w->plain_columns = is_consecutive(w->columns, nw);
  return SC_OK;
}

/* First and last source position of an axis that is inside; 0 where there is none. */
static int find_range(const int *map, int n, int *least, int *most) {
  *least = INT32_MAX;
  *most = -1;
  for (int i = 0; i < n; i++) {
    if (map[i] < 0) continue;
    if (map[i] < *least) *least = map[i];
    if (map[i] > *most) *most = map[i];
  }
  return *most >= 0;
}

static sc_status add_piece(struct plan *p, struct window *w, size_t block, struct sc_error *err) {
  if (p->n_pieces == p->capacity) {
    size_t capacity = p->capacity ? 2 * p->capacity : 64;
    struct piece *pieces = sc_realloc(p->pieces, capacity * sizeof *pieces);
    if (!pieces) return sc_fail_nomem(err);
    p->pieces = pieces;
    p->capacity = capacity;
  }
  p->pieces[p->n_pieces++] = (struct piece){w, block};
  return SC_OK;
}

static void fill_output(const struct sc_read *r) {
  for (int j = 0; j < r->out_height; j++) {
    sc_gdal_convert(&r->fill, SC_DTYPE_F64, 0, (unsigned char *)r->out + (size_t)j * r->row_bytes,
                    r->dtype, sc_dtype_bytes(r->dtype), (size_t)r->out_width);
  }
}

static sc_status plan_window(struct plan *p, struct window *w, const struct window *before,
                             struct sc_error *err) {
  const struct sc_tiff *t = &w->file->tiff;
  const struct sc_read *r = w->read;
  int x0, x1, y0, y1;
  sc_status st = map_axes(w, before, err);
  if (st) return st;
  int some =
      find_range(w->columns, r->out_width, &x0, &x1) & find_range(w->rows, r->out_height, &y0, &y1);
  int leaves = w->columns[0] < 0 || w->columns[r->out_width - 1] < 0 || w->rows[0] < 0 ||
               w->rows[r->out_height - 1] < 0;
  if ((leaves || !some) && !p->is_hold) fill_output(r);
  if (!some) return SC_OK;
  size_t plane =
      t->planar ? (size_t)w->band * (size_t)t->blocks_across * (size_t)t->blocks_down : 0;
  for (int by = y0 / t->block_height; by <= y1 / t->block_height && !st; by++) {
    for (int bx = x0 / t->block_width; bx <= x1 / t->block_width && !st; bx++) {
      st = add_piece(p, w, plane + (size_t)by * (size_t)t->blocks_across + (size_t)bx, err);
    }
  }
  return st;
}

static int wants_gdal(const struct sc_read *r, const struct sc_file *f) {
  int resampled =
      r->resampling != SC_NEAREST && (r->width != r->out_width || r->height != r->out_height ||
                                      r->x != floor(r->x) || r->y != floor(r->y));
  return !f->is_plain || resampled || r->coarse || r->overview || r->band == SC_BAND_VALIDITY;
}

/* before: the window before it, or NULL. */
static sc_status open_window(struct plan *p, struct sc_read *r, struct window *w,
                             const struct window *before) {
  struct sc_file *f = NULL;
  w->read = r;
  w->lock = &p->lock;
  r->err.status = SC_OK;
  if (r->source->memory) return SC_OK; /* GDAL's, as all without a file */
  sc_status st = sc_file_acquire(r->source, &f, &r->err);
  if (st) return st;
  if (wants_gdal(r, f)) {
    sc_file_release(f);
    return SC_OK;
  }
  w->file = f;
  w->band = r->band - 1;
  st = sc_gdal_check_size(r, f->tiff.width, f->tiff.height, &r->err);
  if (st) return st;
  if (w->band >= f->tiff.n_bands) {
    char text[60];
    sqlite3_snprintf(sizeof text, text, "no band %d; it has %d", r->band, f->tiff.n_bands);
    return sc_source_fail(r->source, SC_NOT_FOUND, &r->err, text, "");
  }
  w->expects_more =
      sc_file_expects_more(f, (struct sc_file_window){r->x, r->y, r->width, r->height});
  return plan_window(p, w, before, &r->err);
}

static int by_block(const void *a, const void *b) {
  const struct piece *x = a, *y = b;
  uint64_t fx = x->window->file->serial, fy = y->window->file->serial;
  if (fx != fy) return fx < fy ? -1 : 1;
  return x->block < y->block ? -1 : x->block > y->block;
}

/* A thousand groups take a megabyte, for their errors. */
static void *take_zeroed(size_t n, size_t bytes) {
  void *memory = sc_memory_take(n * bytes);
  return memory ? memset(memory, 0, n * bytes) : NULL;
}

static sc_status make_groups(struct plan *p, struct sc_error *err) {
  p->groups = take_zeroed(p->n_pieces + p->n_windows, sizeof *p->groups);
  if (!p->groups) return sc_fail_nomem(err);
  if (p->n_pieces) qsort(p->pieces, p->n_pieces, sizeof *p->pieces, by_block);
  for (size_t i = 0; i < p->n_pieces;) {
    struct group *g = &p->groups[p->n_groups++];
    g->begin = i;
    while (i < p->n_pieces && by_block(&p->pieces[g->begin], &p->pieces[i]) == 0) i++;
    g->end = i;
  }
  for (size_t i = 0; i < p->n_windows; i++) {
    struct window *w = &p->windows[i];
    if (!w->file && w->read->err.status == SC_OK && !p->is_hold)
      p->groups[p->n_groups++].window = w;
  }
  return SC_OK;
}

/* --- remote blocks --- */

static struct sc_block_rows wanted_rows(const struct plan *p, const struct group *g);

/* Fetch what groups [begin, end) of remote files need and the cache has not, in one go. */
static sc_status fetch_remote(struct plan *p, size_t begin, size_t end, int (*interrupted)(void *),
                              void *interrupt_context, struct sc_error *err) {
  struct sc_remote_block *blocks = sc_alloc_zero(end - begin + 1, sizeof *blocks);
  struct group **owners = sc_alloc((end - begin + 1) * sizeof *owners);
  size_t n = 0;
  sc_status st = blocks && owners ? SC_OK : sc_fail_nomem(err);
  for (size_t i = begin; i < end && !st; i++) {
    struct group *g = &p->groups[i];
    if (g->begin == g->end) continue;
    struct window *w = p->pieces[g->begin].window;
    size_t block = p->pieces[g->begin].block;
    if (!w->file->is_remote || w->file->tiff.byte_counts[block] == 0) continue;
    struct sc_block_rows rows = wanted_rows(p, g);
    g->held = sc_cache_acquire_ready(w->file->serial, block,
                                     sc_block_rows_needed(&w->file->tiff, block, rows.n));
    if (g->held) continue;
    blocks[n].file = w->file;
    blocks[n].source = w->read->source;
    blocks[n].offset = w->file->tiff.offsets[block];
    blocks[n].size = w->file->tiff.byte_counts[block];
    if (p->bypass_cache) blocks[n].wanted = sc_block_part(&w->file->tiff, block, rows.n);
    owners[n++] = g;
  }
  if (!st && n) {
    st = sc_remote_fetch(blocks, n, interrupted, interrupt_context, err);
    if (st != SC_INTERRUPT && st != SC_NOMEM) st = SC_OK; /* each block has its own error */
    for (size_t i = 0; i < n; i++) {
      owners[i]->fetch_err = blocks[i].err;
      owners[i]->bytes = blocks[i].bytes;
    }
  }
  sc_free(owners);
  sc_free(blocks);
  return st;
}

/* --- doing --- */

static void set_error(struct window *w, const struct sc_error *err) {
  pthread_mutex_lock(w->lock);
  if (w->read->err.status == SC_OK) w->read->err = *err;
  pthread_mutex_unlock(w->lock);
}

/* The rows of the block that the pieces of a group want. */
static struct sc_block_rows wanted_rows(const struct plan *p, const struct group *g) {
  const struct piece *first = &p->pieces[g->begin];
  const struct sc_tiff *t = &first->window->file->tiff;
  int across = t->blocks_across;
  int top = (int)(first->block / (size_t)across % (size_t)t->blocks_down) * t->block_height;
  struct sc_block_rows rows = {.first = t->block_height};
  for (size_t i = g->begin; i < g->end; i++) {
    const struct window *w = p->pieces[i].window;
    rows.expects_more |= w->expects_more;
    for (int j = 0; j < w->read->out_height; j++) {
      int y = w->rows[j] - top;
      if (y < 0 || y >= t->block_height) continue;
      if (y >= rows.n) rows.n = y + 1;
      if (y < rows.first) rows.first = y;
    }
  }
  if (p->bypass_cache) rows.expects_more = 0;
  return rows;
}

/* Output columns [*first, *end) whose source lies in the block's columns. */
static void columns_in_block(const struct window *w, int left, int right, int *first, int *end) {
  int i = 0, n = w->read->out_width;
  while (i < n && (w->columns[i] < left || w->columns[i] >= right)) i++;
  *first = i;
  while (i < n && w->columns[i] >= left && w->columns[i] < right) i++;
  *end = i;
}

#define GATHER(TYPE)                                                  \
  do {                                                                \
    const TYPE *from = (const TYPE *)(const void *)band;              \
    TYPE *into = (TYPE *)to;                                          \
    for (size_t i = 0; i < n; i++) into[i] = from[columns[i] - left]; \
  } while (0)

/* Pixels of a block row side by side: output columns [first, end). Blocks, results and their
 * rows are multiples of the type's size away from memory that malloc() aligned. */
static void gather(const struct window *w, const unsigned char *band, int left, int first, int end,
                   void *to) {
  size_t size = sc_dtype_bytes(w->file->tiff.dtype), n = (size_t)(end - first);
  const int *columns = w->columns + first;
  if (w->plain_columns) {
    memcpy(to, band + (size_t)(columns[0] - left) * size, n * size);
    return;
  }
  switch (size) {
    case 1: GATHER(uint8_t); break;
    case 2: GATHER(uint16_t); break;
    case 4: GATHER(uint32_t); break;
    default: GATHER(uint64_t); break;
  }
}

/* Copy one row of a panel: the value of a column is number column - left. */
static void copy_row(const struct window *w, const unsigned char *band, int left, int first,
                     int end, unsigned char *out) {
  enum { CHUNK = 256 };
  const struct sc_tiff *t = &w->file->tiff;
  size_t size = sc_dtype_bytes(t->dtype), to_size = sc_dtype_bytes(w->read->dtype);
  if (t->dtype == w->read->dtype) {
    gather(w, band, left, first, end, out + (size_t)first * size);
    return;
  }
  uint64_t values[CHUNK];
  for (int i = first; i < end; i += CHUNK) {
    int n = end - i < CHUNK ? end - i : CHUNK;
    gather(w, band, left, i, i + n, values);
    sc_gdal_convert(values, t->dtype, size, out + (size_t)i * to_size, w->read->dtype, to_size,
                    (size_t)n);
  }
}

/* Rows of a panel that lie one after the other in the result, too; 0 where they do not. */
static int rows_at_once(const struct window *w, const struct sc_block_panel *s, int first, int end,
                        int j, int bottom) {
  int n = 1;
  if (!w->plain_columns || end - first != s->width || w->read->dtype != w->file->tiff.dtype ||
      w->read->row_bytes != (size_t)s->width * sc_dtype_bytes(w->read->dtype)) {
    return 0;
  }
  while (j + n < w->read->out_height && w->rows[j + n] == w->rows[j] + n && w->rows[j + n] < bottom)
    n++;
  return n;
}

/* Copy what the window wants of a panel; left and top: of the panel in the file. */
static void copy_panel(const struct window *w, const struct sc_block_panel *s, int left, int top,
                       int bottom) {
  int first, end, previous = -1;
  columns_in_block(w, left, left + s->width, &first, &end);
  if (first == end) return;
  size_t size = sc_dtype_bytes(w->read->dtype);
  size_t pitch = (size_t)s->width * sc_dtype_bytes(w->file->tiff.dtype);
  for (int j = 0; j < w->read->out_height; j++) {
    int y = w->rows[j];
    if (y < top || y >= bottom) continue;
    unsigned char *out = (unsigned char *)w->read->out + (size_t)j * w->read->row_bytes;
    const unsigned char *from = s->pixels + (size_t)(y - top) * pitch;
    int n = rows_at_once(w, s, first, end, j, bottom);
    if (n > 0) {
      memcpy(out, from, (size_t)n * pitch);
      j += n - 1;
    } else if (j > 0 && previous == y) { /* the same source row again: copy what was made of it */
      memcpy(out + (size_t)first * size, out - w->read->row_bytes + (size_t)first * size,
             (size_t)(end - first) * size);
    } else {
      copy_row(w, from, left, first, end, out);
    }
    previous = y;
  }
}

static void copy_piece(const struct piece *piece, const struct sc_block *block) {
  const struct window *w = piece->window;
  const struct sc_tiff *t = &w->file->tiff;
  size_t in_plane = piece->block % ((size_t)t->blocks_across * (size_t)t->blocks_down);
  int top = (int)(in_plane / (size_t)t->blocks_across) * t->block_height;
  int left = (int)(in_plane % (size_t)t->blocks_across) * t->block_width;
  for (int i = 0; i < sc_block_panels(t); i++) {
    struct sc_block_panel s = sc_block_panel(block, t, i, t->planar ? 0 : w->band);
    copy_panel(w, &s, left + s.left, top + block->first_row, top + t->block_height);
  }
}

/* GDAL is the reference for blocks that are not as they should be. */
static void ask_gdal(const struct plan *p, const struct group *g) {
  for (size_t i = g->begin; i < g->end; i++) {
    struct sc_error err = {0};
    struct window *w = p->pieces[i].window;
    if (sc_gdal_read(w->read, &err)) set_error(w, &err);
  }
}

static void fail_group(const struct plan *p, const struct group *g, const struct sc_error *why) {
  for (size_t i = g->begin; i < g->end; i++) {
    struct sc_error err = {0};
    struct window *w = p->pieces[i].window;
    if (why->status == SC_NOMEM) {
      set_error(w, why);
    } else {
      sc_source_fail(w->read->source, why->status, &err, "reading pixels failed", why->text);
      set_error(w, &err);
    }
  }
}

/* Fetch what is missing behind the first bytes of a block. */
static sc_status fetch_rest(const struct plan *p, struct group *g, struct sc_error *err) {
  const struct piece *first = &p->pieces[g->begin];
  const struct sc_tiff *t = &first->window->file->tiff;
  const uint64_t size = t->byte_counts[first->block], had = g->bytes.view.size;
  struct sc_remote_block rest = {.file = first->window->file,
                                 .source = first->window->read->source,
                                 .offset = t->offsets[first->block] + had,
                                 .size = size - had};
  struct sc_response *both = NULL;
  sc_status st = sc_remote_fetch(&rest, 1, NULL, NULL, err);
  if (!st) st = sc_response_new((size_t)size, &both, err);
  if (!st) st = sc_buffer_append(&both->bytes, g->bytes.view.data, (size_t)had, err);
  if (!st) st = sc_buffer_append(&both->bytes, rest.bytes.view.data, rest.bytes.view.size, err);
  if (!st) {
    sc_shared_release(&g->bytes);
    g->bytes = sc_response_share(both, 0, both->bytes.size);
  }
  sc_response_release(both);
  sc_shared_release(&rest.bytes);
  return st;
}

/*
 * Make the wanted rows of a block ready, from what is at hand of it. Its lock is held. A remote
 * block of which only some rows were decoded keeps its bytes as stored: more rows then cost no
 * request.
 */
static sc_status prepare_block(struct plan *p, struct group *g, struct sc_block *block,
                               struct sc_error *err) {
  const struct piece *first = &p->pieces[g->begin];
  const struct sc_file *file = first->window->file;
  const uint64_t size = file->tiff.byte_counts[first->block];
  struct sc_block_rows rows = wanted_rows(p, g);
  struct sc_view stored = {block->stored.data, block->stored.size};
  if (!stored.data && g->bytes.view.data && g->bytes.view.size < size) {
    sc_status st = sc_block_prepare(block, file, first->block, rows, &g->bytes.view, err);
    if (!st || st == SC_NOMEM) return st;
    st = fetch_rest(p, g, err);
    if (st) return st;
  }
  if (!stored.data) stored = g->bytes.view;
  sc_status st =
      sc_block_prepare(block, file, first->block, rows, stored.data ? &stored : NULL, err);
  if (block->end_row >= sc_tiff_block_rows(&file->tiff, first->block)) {
    sc_buffer_free(&block->stored);
  } else if (!st && !block->is_transient && !block->stored.data && stored.data) {
    st = sc_memory_buffer(stored.size, &block->stored, err);
    if (!st) st = sc_buffer_append(&block->stored, stored.data, stored.size, err);
  }
  return st;
}

static sc_status use_block(struct plan *p, struct group *g, struct sc_block *block,
                           struct sc_error *err) {
  sc_status st = prepare_block(p, g, block, err);
  for (size_t i = g->begin; i < g->end && !st && !p->is_hold; i++) copy_piece(&p->pieces[i], block);
  return st;
}

/* By a block of the cache. held: that of the group, or NULL: found or made there. */
static sc_status read_cached(struct plan *p, struct group *g, struct sc_block *held,
                             struct sc_error *err) {
  const struct piece *first = &p->pieces[g->begin];
  struct sc_block *block = held;
  sc_status st = SC_OK;
  if (!block) st = sc_cache_acquire(first->window->file->serial, first->block, &block, err);
  if (st) return st;
  pthread_mutex_lock(&block->lock);
  st = use_block(p, g, block, err);
  sc_cache_charge(block);
  pthread_mutex_unlock(&block->lock);
  if (p->is_hold && !st && sc_cache_hold(block)) p->held->blocks[g - p->groups] = block;
  sc_cache_release(block, st == SC_OK);
  return st;
}

static sc_status read_transient(struct plan *p, struct group *g, struct sc_error *err) {
  struct sc_block block = {.is_transient = 1};
  sc_status st = use_block(p, g, &block, err);
  sc_block_end_transient(&block);
  return st;
}

static void read_block(struct plan *p, struct group *g) {
  const struct piece *first = &p->pieces[g->begin];
  const struct sc_file *file = first->window->file;
  struct sc_error err = {0};
  struct sc_block *held = g->held;
  g->held = NULL;
  if (g->fetch_err.status) {
    fail_group(p, g, &g->fetch_err);
    return;
  }
  if (p->bypass_cache && !file->is_remote)
    held = sc_cache_acquire_ready(
        file->serial, first->block,
        sc_block_rows_needed(&file->tiff, first->block, wanted_rows(p, g).n));
  const size_t bytes = sc_tiff_row_bytes(&file->tiff) * (size_t)file->tiff.block_height;
  sc_runtime_large_begin(bytes);
  sc_status st =
      p->bypass_cache && !held ? read_transient(p, g, &err) : read_cached(p, g, held, &err);
  sc_runtime_large_end(bytes);
  sc_shared_release(&g->bytes);
  if (st && st != SC_NOMEM && st != SC_BAD_DATA && !file->is_remote) {
    if (!p->is_hold) ask_gdal(p, g);
  } else if (st) {
    fail_group(p, g, &err);
  }
}

/* --- batches --- */

/* Of remote blocks. Smaller ones cost more requests, since only blocks of one batch are joined into
 * one; with larger ones decoding begins later. */
#define BATCH_BYTES (8u << 20)
#define N_FETCHERS 4    /* batches that are under way at once, so that none waits */
#define BATCHES_AHEAD 6 /* fetched or under way, beyond the one in use */

/* Threads fetch batch after batch while the caller and the pool decode. */
struct fetcher {
  struct plan *plan;
  const size_t *ends;                /* of the batches, as group numbers */
  unsigned char *is_fetched;         /* a byte per batch */
  size_t n_batches, n_begun, n_used; /* n_used: the furthest that a group was wanted of */
  pthread_t caller;
  int (*interrupted)(void *);
  void *interrupt_context;
  int cancel;
  sc_status status; /* of the first that failed */
  struct sc_error err;
  pthread_mutex_t lock; /* guards all from is_fetched on */
  pthread_cond_t moved;
};

static size_t batch_begin(const struct fetcher *f, size_t k) { return k ? f->ends[k - 1] : 0; }

static int is_cancelled(void *fetcher) {
  struct fetcher *f = fetcher;
  pthread_mutex_lock(&f->lock);
  int cancel = f->cancel;
  pthread_mutex_unlock(&f->lock);
  return cancel;
}

static void *fetch_batches(void *fetcher) {
  struct fetcher *f = fetcher;
  pthread_mutex_lock(&f->lock);
  while (!f->cancel && !f->status && f->n_begun < f->n_batches) {
    struct sc_error err = {0};
    size_t k = f->n_begun;
    if (k >= f->n_used + BATCHES_AHEAD) {
      pthread_cond_wait(&f->moved, &f->lock);
      continue;
    }
    f->n_begun++;
    pthread_mutex_unlock(&f->lock);
    sc_status st = fetch_remote(f->plan, batch_begin(f, k), f->ends[k], is_cancelled, f, &err);
    pthread_mutex_lock(&f->lock);
    f->is_fetched[k] = st == SC_OK;
    if (st && !f->status) {
      f->status = st;
      f->err = err;
    }
    pthread_cond_broadcast(&f->moved);
  }
  pthread_mutex_unlock(&f->lock);
  return NULL;
}

/* Wait for the batch of a group; 0 where it will not come. The caller's thread asks meanwhile
 * whether to stop. */
static int wait_for_batch(struct fetcher *f, size_t k) {
  int is_caller = pthread_equal(pthread_self(), f->caller);
  pthread_mutex_lock(&f->lock);
  if (k > f->n_used) {
    f->n_used = k;
    pthread_cond_broadcast(&f->moved);
  }
  while (!f->is_fetched[k] && !f->status && !f->cancel) {
    struct timespec until = sc_next_poll(CLOCK_REALTIME);
    if (pthread_cond_timedwait(&f->moved, &f->lock, &until) == 0) continue;
    if (!is_caller || !f->interrupted) continue;
    pthread_mutex_unlock(&f->lock);
    int stop = f->interrupted(f->interrupt_context);
    pthread_mutex_lock(&f->lock);
    f->cancel |= stop;
  }
  int is_there = f->is_fetched[k];
  pthread_mutex_unlock(&f->lock);
  return is_there;
}

static int run_group(void *context, size_t i) {
  struct plan *p = context;
  struct group *g = &p->groups[i];
  struct sc_error err = {0};
  if (p->fetcher && !wait_for_batch(p->fetcher, g->batch)) return 1;
  if (g->window) {
    if (sc_gdal_read(g->window->read, &err)) set_error(g->window, &err);
  } else {
    read_block(p, g);
  }
  /* A failed read does not stop the others, which callers may want. */
  return sc_interrupt_check(&err) != SC_OK;
}

/*
 * How many helpers pay. Waking one and handing a task over takes some 20 to 50 µs; decoding DEFLATE
 * gives about 400 bytes a µs, copying out of a block that is there some thousands. So a worker for
 * each 100 µs of work: a chip of ten bands whose blocks are kept (130 µs) is made by its caller
 * alone, one whose blocks are not by as many as there are blocks.
 */
#define HELPER_US 100
#define DECODED_BYTES_PER_US 400
#define COPIED_BYTES_PER_US 4000
#define LARGE_READ 256 /* groups: more always pay, and need not be looked at */

static int is_ready(const struct plan *p, const struct group *g) {
  const struct piece *first = &p->pieces[g->begin];
  struct sc_block *b = sc_cache_acquire_ready(
      first->window->file->serial, first->block,
      sc_block_rows_needed(&first->window->file->tiff, first->block, wanted_rows(p, g).n));
  sc_cache_release(b, 1);
  return b != NULL && !first->window->file->is_remote;
}

static size_t cost_us(const struct plan *p, const struct group *g) {
  if (g->window) return HELPER_US; /* by GDAL */
  size_t copied = 0;
  for (size_t i = g->begin; i < g->end; i++) {
    const struct sc_read *r = p->pieces[i].window->read;
    copied += r->row_bytes * (size_t)r->out_height;
  }
  const struct sc_tiff *t = &p->pieces[g->begin].window->file->tiff;
  size_t decoded = is_ready(p, g) ? 0 : sc_tiff_row_bytes(t) * (size_t)wanted_rows(p, g).n;
  return decoded / DECODED_BYTES_PER_US + copied / COPIED_BYTES_PER_US;
}

static int useful_helpers(const struct plan *p) {
  size_t us = 0;
  if (p->n_groups > LARGE_READ || p->fetcher) return INT_MAX;
  for (size_t i = 0; i < p->n_groups; i++) us += cost_us(p, &p->groups[i]);
  return (int)(us / HELPER_US);
}

static sc_status run_groups(struct plan *p, int (*interrupted)(void *), void *interrupt_context,
                            struct sc_error *err) {
  int helpers = sc_runtime_threads() > 1 ? useful_helpers(p) : 0;
  if (sc_pool_run(p->n_groups, helpers, run_group, p, interrupted, interrupt_context) != 2)
    return SC_OK;
  return sc_fail(err, SC_INTERRUPT, "interrupted");
}

/* What the cache would hold of a block: of a remote one its bytes as stored. */
static uint64_t kept_bytes(const struct piece *piece) {
  const struct sc_file *f = piece->window->file;
  return f->is_remote ? f->tiff.byte_counts[piece->block]
                      : (uint64_t)sc_tiff_row_bytes(&f->tiff) * (uint64_t)f->tiff.block_height;
}

/* Where the batches end; returns how many. Decides, too, whether the read bypasses the cache. */
static size_t find_batches(struct plan *p, size_t *ends) {
  size_t n = 0;
  uint64_t bytes = 0, total = 0;
  for (size_t i = 0; i < p->n_groups; i++) {
    struct group *g = &p->groups[i];
    const struct piece *first = g->begin < g->end ? &p->pieces[g->begin] : NULL;
    uint64_t kept = first ? kept_bytes(first) : 0;
    g->batch = n;
    total += kept;
    if (first && first->window->file->is_remote) bytes += kept;
    if (bytes < BATCH_BYTES && i + 1 < p->n_groups) continue;
    ends[n++] = i + 1;
    bytes = 0;
  }
  p->bypass_cache = !p->is_hold && total > (uint64_t)sc_runtime_cache_bytes();
  return n;
}

/* Run the groups while threads fetch for them. *has_run 0: no thread could be had. */
static sc_status run_with_fetchers(struct fetcher *f, int *has_run, struct sc_error *err) {
  pthread_t threads[N_FETCHERS];
  size_t n = 0;
  sc_status st = SC_OK;
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->moved, NULL);
  while (n < N_FETCHERS && n < f->n_batches && sc_thread_start(&threads[n], fetch_batches, f)) {
    n++;
  }
  *has_run = n > 0;
  f->plan->fetcher = f;
  if (n) st = run_groups(f->plan, f->interrupted, f->interrupt_context, err);
  f->plan->fetcher = NULL;
  pthread_mutex_lock(&f->lock);
  if (!st && f->cancel) st = sc_fail(err, SC_INTERRUPT, "interrupted");
  if (!st && f->status) {
    *err = f->err;
    st = f->status;
  }
  f->cancel = 1;
  pthread_cond_broadcast(&f->moved);
  pthread_mutex_unlock(&f->lock);
  while (n > 0) pthread_join(threads[--n], NULL);
  pthread_cond_destroy(&f->moved);
  pthread_mutex_destroy(&f->lock);
  return st;
}

static sc_status run_all(struct plan *p, int (*interrupted)(void *), void *interrupt_context,
                         struct sc_error *err) {
  int has_run = 0;
  size_t *ends = sc_alloc((p->n_groups + 1) * sizeof *ends);
  unsigned char *is_fetched = sc_alloc_zero(p->n_groups + 1, 1);
  sc_status st = ends && is_fetched ? SC_OK : sc_fail_nomem(err);
  if (!st) {
    struct fetcher f = {.plan = p,
                        .ends = ends,
                        .is_fetched = is_fetched,
                        .caller = pthread_self(),
                        .interrupted = interrupted,
                        .interrupt_context = interrupt_context};
    f.n_batches = find_batches(p, ends);
    if (f.n_batches > 1) st = run_with_fetchers(&f, &has_run, err);
  }
  if (!st && !has_run) {
    st = fetch_remote(p, 0, p->n_groups, interrupted, interrupt_context, err);
    if (!st) st = run_groups(p, interrupted, interrupt_context, err);
  }
  sc_free(is_fetched);
  sc_free(ends);
  return st;
}

static void free_plan(struct plan *p) {
  for (size_t i = 0; i < p->n_groups; i++) {
    sc_shared_release(&p->groups[i].bytes);
    sc_cache_release(p->groups[i].held, 1);
  }
  for (size_t i = 0; p->windows && i < p->n_windows; i++) {
    sc_file_release(p->windows[i].file);
    if (!p->windows[i].borrows_maps) sc_free(p->windows[i].columns);
  }
  sc_free(p->windows);
  sc_free(p->pieces);
  sc_memory_give(p->groups);
  pthread_mutex_destroy(&p->lock);
}

static sc_status first_error(const struct sc_read *reads, size_t n, struct sc_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (reads[i].err.status) {
      *err = reads[i].err;
      return err->status;
    }
  }
  return SC_OK;
}

static sc_status make_held(struct plan *p, struct sc_error *err) {
  p->held = sc_alloc_zero(1, sizeof *p->held + p->n_groups * sizeof(struct sc_block *));
  if (!p->held) return sc_fail_nomem(err);
  p->held->n = p->n_groups;
  return SC_OK;
}

/* out: what is held then; NULL to read. */
static sc_status read_once(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                           void *interrupt_context, struct sc_held **out, struct sc_error *err) {
  struct plan p = {.n_windows = n, .is_hold = out != NULL};
  pthread_mutex_init(&p.lock, NULL);
  p.windows = sc_alloc_zero(n, sizeof *p.windows);
  sc_status st = p.windows ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < n && !st; i++) {
    const struct window *before = i ? &p.windows[i - 1] : NULL;
    sc_status one = sc_settle(&reads[i].err, open_window(&p, &reads[i], &p.windows[i], before));
    if (one == SC_NOMEM) st = sc_fail_nomem(err);
  }
  if (!st) st = make_groups(&p, err);
  if (!st && out) st = make_held(&p, err);
  if (!st) st = run_all(&p, interrupted, interrupt_context, err);
  free_plan(&p);
  if (out) *out = p.held;
  return st ? st : first_error(reads, n, err);
}

static int has_changed(const struct sc_read *reads, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (reads[i].err.status == SC_CHANGED) return 1;
  }
  return 0;
}

/* Files whose bytes made no pixels are asked for anew by the next call. */
static void forget_bad(const struct sc_read *reads, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (reads[i].err.status == SC_BAD_DATA) sc_remote_url_forget(reads[i].source->href);
  }
}

sc_status sc_read_windows(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err) {
  sc_status st = read_once(reads, n, interrupted, interrupt_context, NULL, err);
  if (has_changed(reads, n)) {
    /* A remote file is another one now: begin again, with what it is today. */
    memset(err, 0, sizeof *err);
    st = read_once(reads, n, interrupted, interrupt_context, NULL, err);
  }
  if (st) forget_bad(reads, n);
  return st;
}

void sc_read_let_go(struct sc_held *held) {
  for (size_t i = 0; held && i < held->n; i++) {
    if (held->blocks[i]) sc_cache_let_go(held->blocks[i]);
  }
  sc_free(held);
}

sc_status sc_read_hold(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                       void *interrupt_context, struct sc_held **held, struct sc_error *err) {
  sc_status st = read_once(reads, n, interrupted, interrupt_context, held, err);
  if (has_changed(reads, n)) {
    memset(err, 0, sizeof *err);
    sc_read_let_go(*held);
    st = read_once(reads, n, interrupted, interrupt_context, held, err);
  }
  return st == SC_NOMEM || st == SC_INTERRUPT ? st : sc_settle(err, SC_OK);
}
