/*
 * Reading windows whose output has a grid of its own.
 *
 * HOW IT WORKS  Reads of one place and file size (the bands of a chip) are a group. Its output is
 * cut into tiles, each with the places of its pixels in the file (warp_map.h) and the window of the
 * file around them. The windows of many tiles are read at once, as any others: by blocks, through
 * the cache. Then strips of rows are resampled (warp_kernel.h), all bands of a group by the same
 * weights; or GDAL does it, a tile and band at a time (warp_gdal.h). Each of these steps runs in
 * the pool.
 *
 * MEMORY  Tiles are taken as many at a time as hold BATCH_BYTES; one whose window has more than
 * WINDOW_MAX_PX pixels (a seam or a pole in it, or much finer pixels) is halved until it has not.
 */
#include "raster/warp.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "raster/gdal.h"
#include "raster/pool.h"
#include "raster/read.h"
#include "raster/valid.h"
#include "raster/warp_gdal.h"
#include "raster/warp_kernel.h"
#include "raster/warp_map.h"

#define TILE_PX 256
#define STRIP_ROWS 32
#define BATCH_BYTES (64u << 20)
#define WINDOW_MAX_PX (4 << 20)
#define EDGE_STEPS 21 /* places along a side that GDAL's warper looks at */

/* Reads of one place. */
struct group {
  struct sc_read **reads;
  size_t n_reads, capacity;
  struct sc_warp_map map;
  int is_coarse; /* an overview was looked for, which other files may not have */
  struct sc_gdal_overview overview;
  struct sc_warp_file file; /* size of what is read: of the file, or the overview */
  double shrink[2];         /* pixels of the overview to one of the file; else 1 */
  double across[2]; /* about as many pixels of the file, along x and y, lie under the output */
  struct sc_warp_kernel kernel;
  int takes_cells; /* corners of the output's pixels are placed, not their middles */
  double turn_px;  /* of the globe, in what is read of the file; infinite where it has none */
};

/* A band of a tile. */
struct source {
  struct sc_read *read;          /* whose it is */
  enum sc_dtype dtype;           /* of the file */
  void *pixels;                  /* as the file has them, then as the kernel takes them */
  uint8_t *valid;                /* NULL: all are */
  size_t pixel_read, mask_read;  /* positions in batch.reads; SIZE_MAX: none */
  int shares_mask;               /* the mask was read for the band before */
  struct sc_warp_plane plane[2]; /* of a complex band: real and imaginary parts */
};

struct tile {
  struct group *group;
  struct sc_warp_rect rect;
  double *x, *y;                /* of each pixel, or corner, in what is read of the file */
  int left, top, right, bottom; /* the window around them; empty: right is not above left */
  int is_large;
  struct source *sources; /* one for each read of the group */
  struct sc_error err;
};

struct batch {
  struct tile *tiles;
  size_t n;
  struct sc_read *reads; /* plain ones */
  size_t n_reads;
  size_t *first_strip; /* of each tile; n + 1 */
  int (*interrupted)(void *);
  void *interrupt_context;
};

/* --- groups --- */

static int is_same_place(const struct sc_read *a, const struct sc_read *b) {
  const struct sc_warp *v = a->warp, *w = b->warp;
  return a->resampling == b->resampling && a->out_width == b->out_width &&
         a->out_height == b->out_height && a->file_width == b->file_width &&
         a->file_height == b->file_height && memcmp(v->from, w->from, sizeof v->from) == 0 &&
         memcmp(v->to, w->to, sizeof v->to) == 0 && strcmp(v->from_crs, w->from_crs) == 0 &&
         strcmp(v->to_crs, w->to_crs) == 0;
}

static int is_same_group(const struct group *g, const struct sc_read *r) {
  const struct sc_read *first = g->reads[0];
  int is_same_file = strcmp(first->source->href, r->source->href) == 0;
  return is_same_place(first, r) && (!g->is_coarse || is_same_file);
}

static sc_status group_add(struct group *g, struct sc_read *read, struct sc_error *err) {
  if (g->n_reads == g->capacity) {
    size_t capacity = g->capacity ? 2 * g->capacity : 16;
    struct sc_read **reads = sc_realloc(g->reads, capacity * sizeof *reads);
    if (!reads) return sc_fail_nomem(err);
    g->reads = reads;
    g->capacity = capacity;
  }
  g->reads[g->n_reads++] = read;
  return SC_OK;
}

/* Pixels of the file to one of the output, and how many lie under it along x and y: the least of
 * some spots, since near a pole there is no end to them. 0: nowhere. */
static sc_status find_ratio(struct group *g, const struct sc_read *r, double *out,
                            struct sc_error *err) {
  static const double spots[][2] = {{.5, .5}, {.1, .1}, {.9, .1}, {.1, .9}, {.9, .9}};
  *out = g->across[0] = g->across[1] = HUGE_VAL;
  for (size_t k = 0; k < sizeof spots / sizeof *spots; k++) {
    double at_x = spots[k][0] * r->out_width, at_y = spots[k][1] * r->out_height;
    double x[3] = {at_x, at_x + 0.5, at_x}, y[3] = {at_y, at_y, at_y + 0.5};
    if (sc_warp_map_exact(&g->map, 3, x, y, err)) return err->status;
    const double dx[2] = {2 * (x[1] - x[0]), 2 * (x[2] - x[0])};
    const double dy[2] = {2 * (y[1] - y[0]), 2 * (y[2] - y[0])};
    *out = fmin(*out, sqrt(fabs(dx[0] * dy[1] - dx[1] * dy[0])));
    g->across[0] = fmin(g->across[0], hypot(dx[0] * r->out_width, dx[1] * r->out_height));
    g->across[1] = fmin(g->across[1], hypot(dy[0] * r->out_width, dy[1] * r->out_height));
  }
  if (!isfinite(*out)) *out = 0;
  return SC_OK;
}

/* The extent in the file of the output's edge, along x and y; infinite where it is not known. */
static sc_status find_extent(const struct group *g, const struct sc_read *r, double least[2],
                             double most[2], struct sc_error *err) {
  double x[4 * EDGE_STEPS], y[4 * EDGE_STEPS];
  for (int k = 0; k < EDGE_STEPS; k++) {
    double along = k / (double)(EDGE_STEPS - 1), *px = x + 4 * k, *py = y + 4 * k;
    px[0] = px[1] = along * r->out_width, py[0] = 0, py[1] = r->out_height;
    px[2] = 0, px[3] = r->out_width, py[2] = py[3] = along * r->out_height;
  }
  sc_status st = sc_warp_map_exact(&g->map, 4 * EDGE_STEPS, x, y, err);
  least[0] = least[1] = HUGE_VAL;
  most[0] = most[1] = -HUGE_VAL;
  for (int k = 0; k < 4 * EDGE_STEPS && !st; k++) {
    least[0] = fmin(least[0], x[k]), most[0] = fmax(most[0], x[k]);
    least[1] = fmin(least[1], y[k]), most[1] = fmax(most[1], y[k]);
  }
  return st;
}

/*
 * GDAL's measure of how wide a kernel is: output pixels to those of the box that the output has in
 * the file, as far as it lies inside, along each axis. A box that goes round the globe, across a
 * seam or a pole, says nothing of the size of pixels: there the middle does.
 */
static sc_status find_scale(const struct group *g, const struct sc_read *r, double out[2],
                            struct sc_error *err) {
  double least[2], most[2];
  const int sizes[2] = {g->file.width, g->file.height}, outs[2] = {r->out_width, r->out_height};
  sc_status st = find_extent(g, r, least, most, err);
  for (int axis = 0; axis < 2 && !st; axis++) {
    double low = least[axis] * g->shrink[axis], high = most[axis] * g->shrink[axis];
    double across = g->across[axis] * g->shrink[axis];
    if (high - low > 3 * across) low = 0, high = across;
    double length = fmin(sizes[axis] - floor(fmax(low, 0)), high - low);
    out[axis] = length > 0 && isfinite(length) ? outs[axis] / length : 1;
  }
  return st;
}

static sc_status group_init(struct group *g, struct sc_read *r, struct sc_error *err) {
  double ratio = 1, scale[2] = {1, 1};
  memset(g, 0, sizeof *g);
  g->file = (struct sc_warp_file){r->file_width, r->file_height};
  g->shrink[0] = g->shrink[1] = 1;
  sc_status st = sc_warp_map_init(r->warp, r->file_width, r->file_height, &g->map, err);
  if (!st) st = find_ratio(g, r, &ratio, err);
  g->is_coarse = ratio > 1.5;
  if (!st && g->is_coarse) st = sc_gdal_find_overview(r->source, r->band, ratio, &g->overview, err);
  if (!st && g->overview.number) {
    g->file = (struct sc_warp_file){g->overview.width, g->overview.height};
    g->shrink[0] = (double)g->overview.width / r->file_width;
    g->shrink[1] = (double)g->overview.height / r->file_height;
  }
  if (!st && r->resampling != SC_NEAREST) st = find_scale(g, r, scale, err);
  g->kernel = sc_warp_kernel_make(r->resampling, scale);
  g->takes_cells = sc_warp_takes_cells(r->resampling);
  g->turn_px = HUGE_VAL;
  if (g->map.is_geographic)
    g->turn_px = 360 * hypot(g->map.to_file[0] * g->shrink[0], g->map.to_file[3] * g->shrink[1]);
  return st ? st : group_add(g, r, err);
}

/* --- tiles --- */

/* A box in the file; nothing yet: least is above most. */
struct box {
  double least[2], most[2];
};

static void box_add(struct box *b, double x, double y) {
  b->least[0] = x < b->least[0] ? x : b->least[0], b->most[0] = x > b->most[0] ? x : b->most[0];
  b->least[1] = y < b->least[1] ? y : b->least[1], b->most[1] = y > b->most[1] ? y : b->most[1];
}

/* Places of the pixels' corners: the middles of a grid that begins half a pixel before, and has one
 * more of them each way. */
static sc_status fill_corners(struct tile *t, struct sc_error *err) {
  struct sc_warp warp = *t->group->map.warp;
  struct sc_warp_map map = t->group->map;
  struct sc_warp_rect rect = t->rect;
  warp.to[2] -= (warp.to[0] + warp.to[1]) / 2;
  warp.to[5] -= (warp.to[3] + warp.to[4]) / 2;
  map.warp = &warp;
  rect.width++, rect.height++;
  return sc_warp_map_fill(&map, &rect, t->x, t->y, err);
}

/* The part of the file under the cell whose first corner is at `at`; a cell that is torn by the
 * globe's seam has none. */
static void add_cell(const struct tile *t, size_t at, struct box *out) {
  const struct group *g = t->group;
  const size_t pitch = (size_t)t->rect.width + 1,
               corners[] = {at, at + 1, at + pitch, at + pitch + 1};
  struct box b = {{HUGE_VAL, HUGE_VAL}, {-HUGE_VAL, -HUGE_VAL}};
  for (int i = 0; i < 4; i++) {
    if (!isfinite(t->x[corners[i]]) || !isfinite(t->y[corners[i]])) return;
    box_add(&b, t->x[corners[i]], t->y[corners[i]]);
  }
  if (b.most[0] - b.least[0] > g->turn_px / 2) return;
  if (!(b.most[0] >= 0 && b.most[1] >= 0 && b.least[0] <= g->file.width &&
        b.least[1] <= g->file.height))
    return;
  box_add(out, fmax(b.least[0], 0), fmax(b.least[1], 0));
  box_add(out, fmin(b.most[0], g->file.width), fmin(b.most[1], g->file.height));
}

static struct box find_window(const struct tile *t, size_t n_places) {
  const struct group *g = t->group;
  struct box b = {{HUGE_VAL, HUGE_VAL}, {-HUGE_VAL, -HUGE_VAL}};
  for (int j = 0; g->takes_cells && j < t->rect.height; j++) {
    for (int i = 0; i < t->rect.width; i++)
      add_cell(t, (size_t)j * ((size_t)t->rect.width + 1) + (size_t)i, &b);
  }
  for (size_t i = 0; !g->takes_cells && i < n_places; i++) {
    double x = t->x[i], y = t->y[i];
    if (!(x >= -1 && y >= -1 && x <= g->file.width + 1.0 && y <= g->file.height + 1.0)) continue;
    box_add(&b, x, y);
  }
  return b;
}

static sc_status tile_map(struct tile *t, struct sc_error *err) {
  const struct group *g = t->group;
  const size_t more = g->takes_cells ? 1 : 0;
  const size_t n = ((size_t)t->rect.width + more) * ((size_t)t->rect.height + more);
  t->x = sc_alloc(2 * n * sizeof *t->x);
  if (!t->x) return sc_fail_nomem(err);
  t->y = t->x + n;
  sc_status st = more ? fill_corners(t, err) : sc_warp_map_fill(&g->map, &t->rect, t->x, t->y, err);
  for (size_t i = 0; i < n && !st; i++) {
    t->x[i] *= g->shrink[0];
    t->y[i] *= g->shrink[1];
  }
  if (st) return st;
  const struct box b = find_window(t, n);
  const double *least = b.least, *most = b.most;
  if (!(most[0] >= least[0])) return SC_OK;
  const int *reach = g->kernel.radius;
  t->left = (int)fmax(0, floor(least[0]) - reach[0] - 1);
  t->top = (int)fmax(0, floor(least[1]) - reach[1] - 1);
  t->right = (int)fmin(g->file.width, floor(most[0]) + reach[0] + 2);
  t->bottom = (int)fmin(g->file.height, floor(most[1]) + reach[1] + 2);
  int64_t window = (int64_t)(t->right - t->left) * (t->bottom - t->top);
  int is_one = t->rect.width == 1 && t->rect.height == 1;
  t->is_large = window > WINDOW_MAX_PX && !is_one;
  if (window <= 16 * (int64_t)WINDOW_MAX_PX || !is_one) return SC_OK;
  return sc_fail(
      err, SC_TOO_BIG,
      "a pixel of the grid asked for takes %lld of the file's, which has no overview for "
      "it; ask for a finer resolution, or make overviews (gdaladdo)",
      (long long)window);
}

static int has_window(const struct tile *t) {
  return !t->is_large && !t->err.status && t->right > t->left && t->bottom > t->top;
}

static int map_task(void *context, size_t i) {
  struct batch *b = context;
  struct tile *t = &b->tiles[i];
  tile_map(t, &t->err);
  return sc_interrupt_check(&t->err) != SC_OK;
}

static void tile_free(struct tile *t) {
  for (size_t k = 0; t->sources && k < t->group->n_reads; k++) {
    struct source *s = &t->sources[k];
    sc_free(s->pixels);
    if (!s->shares_mask) sc_free(s->valid);
  }
  sc_free(t->sources);
  sc_free(t->x);
  t->sources = NULL;
  t->x = NULL;
}

/* --- what is read of the file --- */

static size_t window_pixels(const struct tile *t) {
  return (size_t)(t->right - t->left) * (size_t)(t->bottom - t->top);
}

/* A plain read of the tile's window, for `whose`. */
static struct sc_read window_read(const struct tile *t, const struct sc_read *whose) {
  struct sc_read r;
  memset(&r, 0, offsetof(struct sc_read, err));
  r.err.status = SC_OK;
  r.source = whose->source;
  r.band = whose->band;
  r.validity = whose->validity;
  r.file_width = whose->file_width;
  r.file_height = whose->file_height;
  r.overview = t->group->overview.number;
  r.x = t->left;
  r.y = t->top;
  r.width = r.out_width = t->right - t->left;
  r.height = r.out_height = t->bottom - t->top;
  return r;
}

static int same_mask(const struct sc_read *a, const struct sc_read *b) {
  return strcmp(a->source->href, b->source->href) == 0 && a->validity->mask == b->validity->mask &&
         a->validity->alpha == b->validity->alpha;
}

/* Bands of one file whose masks are all that counts share one. */
static int may_share(const struct source *s, const struct source *before) {
  return before->valid && before->mask_read != SIZE_MAX && same_mask(s->read, before->read) &&
         !s->read->validity->nodata.is_set && !before->read->validity->nodata.is_set;
}

static sc_status add_source(struct batch *b, struct tile *t, size_t k, struct sc_error *err) {
  struct source *s = &t->sources[k];
  const size_t n = window_pixels(t);
  s->read = t->group->reads[k];
  s->dtype = s->read->validity->dtype;
  s->pixel_read = s->mask_read = SIZE_MAX;
  const size_t size = sc_dtype_bytes(s->dtype);
  s->pixels = sc_alloc(n * size);
  if (!s->pixels) return sc_fail_nomem(err);
  struct sc_read *r = &b->reads[s->pixel_read = b->n_reads++];
  *r = window_read(t, s->read);
  r->dtype = s->dtype;
  r->out = s->pixels;
  r->row_bytes = size * (size_t)r->out_width;
  if (k > 0 && sc_valid_by_mask(s->read->validity) && may_share(s, s - 1)) {
    s->valid = s[-1].valid;
    s->mask_read = s[-1].mask_read;
    s->shares_mask = 1;
    return SC_OK;
  }
  int has_mask = sc_valid_by_mask(s->read->validity);
  if (!has_mask && !s->read->validity->nodata.is_set) return SC_OK;
  s->valid = sc_alloc(n);
  if (!s->valid) return sc_fail_nomem(err);
  if (!has_mask) {
    memset(s->valid, 1, n);
    return SC_OK;
  }
  r = &b->reads[s->mask_read = b->n_reads++];
  *r = window_read(t, s->read);
  r->band = SC_BAND_VALIDITY;
  r->dtype = SC_DTYPE_U8;
  r->out = s->valid;
  r->row_bytes = (size_t)r->out_width;
  return SC_OK;
}

static sc_status read_sources(struct batch *b, struct sc_error *err) {
  size_t n = 0;
  for (size_t i = 0; i < b->n; i++) n += 2 * b->tiles[i].group->n_reads;
  b->reads = sc_alloc(n * sizeof *b->reads);
  if (!b->reads) return sc_fail_nomem(err);
  for (size_t i = 0; i < b->n; i++) {
    struct tile *t = &b->tiles[i];
    if (!has_window(t)) continue;
    t->sources = sc_alloc_zero(t->group->n_reads, sizeof *t->sources);
    if (!t->sources) return sc_fail_nomem(err);
    for (size_t k = 0; k < t->group->n_reads; k++) {
      if (add_source(b, t, k, err)) return err->status;
    }
  }
  if (b->n_reads == 0) return SC_OK;
  sc_status st = sc_read_windows(b->reads, b->n_reads, b->interrupted, b->interrupt_context, err);
  return st == SC_NOMEM || st == SC_INTERRUPT ? st : SC_OK; /* others belong to each read */
}

/* Why a source could not be read, as its read's own error. */
static int has_failed(const struct batch *b, const struct source *s) {
  if (s->read->err.status) return 1;
  const size_t parts[] = {s->pixel_read, s->mask_read};
  for (int i = 0; i < 2; i++) {
    if (parts[i] == SIZE_MAX || !b->reads[parts[i]].err.status) continue;
    s->read->err = b->reads[parts[i]].err;
    return 1;
  }
  return 0;
}

/* --- from pixels to planes --- */

static int is_narrow(enum sc_dtype t) { return t <= SC_DTYPE_I16; }

/* Values as the kernels take them, in memory of their own. */
static sc_status make_planes(const struct tile *t, struct source *s, struct sc_error *err) {
  const size_t n = window_pixels(t), size = sc_dtype_bytes(s->dtype);
  const int is_complex = sc_dtype_is_complex(s->dtype), n_planes = is_complex ? 2 : 1;
  const enum sc_dtype part = s->dtype == SC_DTYPE_C64    ? SC_DTYPE_F32
                             : s->dtype == SC_DTYPE_C128 ? SC_DTYPE_F64
                                                         : s->dtype;
  const enum sc_dtype to = is_narrow(s->dtype) ? SC_DTYPE_F32 : SC_DTYPE_F64;
  const size_t to_size = sc_dtype_bytes(to);
  unsigned char *values = sc_alloc((size_t)n_planes * n * to_size);
  if (!values) return sc_fail_nomem(err);
  for (int i = 0; i < n_planes; i++) {
    sc_gdal_convert((const unsigned char *)s->pixels + (size_t)i * sc_dtype_bytes(part), part, size,
                    values + (size_t)i * n * to_size, to, to_size, n);
    s->plane[i].values = values + (size_t)i * n * to_size;
    s->plane[i].is_wide = to == SC_DTYPE_F64;
    s->plane[i].may_be_nan = part == SC_DTYPE_F32 || part == SC_DTYPE_F64;
  }
  sc_free(s->pixels);
  s->pixels = values;
  return SC_OK;
}

static sc_status prepare(struct tile *t, struct source *s, struct sc_error *err) {
  const size_t n = window_pixels(t);
  const enum sc_resampling kernel = t->group->kernel.resampling;
  if (s->valid && s->read->validity->nodata.is_set && !s->shares_mask)
    sc_valid_pixels(s->read->validity, s->pixels, s->dtype, sc_dtype_bytes(s->dtype), n, s->valid);
  for (int i = 0; i < 2; i++) {
    s->plane[i] = (struct sc_warp_plane){.left = t->left,
                                         .top = t->top,
                                         .width = t->right - t->left,
                                         .height = t->bottom - t->top,
                                         .values = s->pixels};
    s->plane[i].valid = s->valid && memchr(s->valid, 0, n) ? s->valid : NULL;
  }
  return kernel == SC_NEAREST || sc_warp_is_gdal(kernel) ? SC_OK : make_planes(t, s, err);
}

static int prepare_task(void *context, size_t i) {
  struct batch *b = context;
  struct tile *t = &b->tiles[i];
  for (size_t k = 0; has_window(t) && k < t->group->n_reads; k++) {
    if (has_failed(b, &t->sources[k])) continue;
    if (prepare(t, &t->sources[k], &t->err)) return 1;
  }
  return sc_interrupt_check(&t->err) != SC_OK;
}

/* --- resampling --- */

/* Memory for one row. */
struct rows {
  struct sc_warp_taps taps;
  unsigned char *values, *part; /* 16 bytes a pixel: a row of the kernel's type; the file's */
  uint8_t *valid, *valid_part;
};

static sc_status rows_init(const struct tile *t, struct rows *w, struct sc_error *err) {
  size_t n = (size_t)t->rect.width;
  sc_status st = sc_warp_taps_init(&t->group->kernel, t->rect.width, &w->taps, err);
  if (st) return st;
  w->values = sc_alloc(16 * n);
  w->part = sc_alloc(16 * n);
  w->valid = sc_alloc(2 * n);
  w->valid_part = w->valid + n;
  return w->values && w->part && w->valid ? SC_OK : sc_fail_nomem(err);
}

static void rows_free(struct rows *w) {
  sc_warp_taps_free(&w->taps);
  sc_free(w->values);
  sc_free(w->part);
  sc_free(w->valid);
}

static void put_fill(const struct sc_read *r, unsigned char *to, const uint8_t *valid, int n) {
  const size_t size = sc_dtype_bytes(r->dtype);
  unsigned char fill[16];
  sc_gdal_convert(&r->fill, SC_DTYPE_F64, 0, fill, r->dtype, 0, 1);
  for (int i = 0; i < n; i++) {
    if (!valid || !valid[i]) memcpy(to + (size_t)i * size, fill, size);
  }
}

/* A row by bilinear or cubic, into `to` of the read's type. */
static void row_by_kernel(const struct source *s, struct rows *w, int n, unsigned char *to) {
  const struct sc_read *r = s->read;
  const enum sc_dtype real = s->plane[0].is_wide ? SC_DTYPE_F64 : SC_DTYPE_F32;
  const size_t real_size = sc_dtype_bytes(real), size = sc_dtype_bytes(r->dtype);
  sc_warp_row(&w->taps, &s->plane[0], r->fill, w->values, w->valid);
  if (!sc_dtype_is_complex(s->dtype)) {
    sc_gdal_convert(w->values, real, real_size, to, r->dtype, size, (size_t)n);
    return;
  }
  double *both = (double *)(void *)w->part, *values = (double *)(void *)w->values;
  for (int i = 0; i < n; i++) both[2 * i] = values[i];
  sc_warp_row(&w->taps, &s->plane[1], 0, w->values, w->valid_part);
  for (int i = 0; i < n; i++) {
    both[2 * i + 1] = values[i];
    w->valid[i] = (uint8_t)(w->valid[i] & w->valid_part[i]);
  }
  sc_gdal_convert(both, SC_DTYPE_C128, 16, to, r->dtype, size, (size_t)n);
}

static void row_by_nearest(const struct source *s, struct rows *w, int n, unsigned char *to) {
  const struct sc_read *r = s->read;
  const size_t own = sc_dtype_bytes(s->dtype), size = sc_dtype_bytes(r->dtype);
  memset(w->values, 0, own * (size_t)n);
  sc_warp_row_nearest(&w->taps, &s->plane[0], own, w->values, w->valid);
  sc_gdal_convert(w->values, s->dtype, own, to, r->dtype, size, (size_t)n);
  put_fill(r, to, w->valid, n);
  const struct sc_validity nan = {.dtype = s->dtype};
  if (s->dtype >= SC_DTYPE_F32)
    sc_valid_pixels(&nan, w->values, s->dtype, own, (size_t)n, w->valid);
}

static unsigned char *row_of(const struct sc_read *r, const struct tile *t, int j) {
  return (unsigned char *)r->out + (size_t)(t->rect.y + j) * r->row_bytes +
         (size_t)t->rect.x * sc_dtype_bytes(r->dtype);
}

static void put_valid(const struct sc_read *r, const struct tile *t, int j, const uint8_t *valid) {
  size_t n = (size_t)t->rect.width;
  if (!r->valid) return;
  uint8_t *to = r->valid + (size_t)(t->rect.y + j) * (size_t)r->out_width + t->rect.x;
  if (valid) {
    memcpy(to, valid, n);
  } else {
    memset(to, 0, n);
  }
}

static void lay_row(const struct tile *t, int j, struct rows *w) {
  const size_t at = (size_t)j * (size_t)t->rect.width;
  int wants[2] = {0, 0};
  sc_warp_taps_lay(&w->taps, t->x + at, t->y + at, t->group->file, &t->sources[0].plane[0]);
  for (size_t k = 0; k < t->group->n_reads; k++) wants[!is_narrow(t->sources[k].dtype)] = 1;
  for (int wide = 0; wide < 2; wide++) {
    if (wants[wide]) sc_warp_taps_weigh(&w->taps, wide);
  }
}

static sc_status resample_rows(const struct tile *t, int first, int end, struct rows *w,
                               struct sc_error *err) {
  const int n = t->rect.width;
  for (int j = first; j < end; j++) {
    if (sc_interrupt_check(err)) return err->status;
    lay_row(t, j, w);
    for (size_t k = 0; k < t->group->n_reads; k++) {
      const struct source *s = &t->sources[k];
      if (s->read->err.status) continue;
      unsigned char *to = row_of(s->read, t, j);
      if (t->group->kernel.resampling == SC_NEAREST) {
        row_by_nearest(s, w, n, to);
      } else {
        row_by_kernel(s, w, n, to);
      }
      put_valid(s->read, t, j, w->valid);
    }
  }
  return SC_OK;
}

/* Nothing of the file lies there. */
static void fill_rows(const struct tile *t, int first, int end) {
  for (size_t k = 0; k < t->group->n_reads; k++) {
    const struct sc_read *r = t->group->reads[k];
    for (int j = first; j < end; j++) {
      put_fill(r, row_of(r, t, j), NULL, t->rect.width);
      put_valid(r, t, j, NULL);
    }
  }
}

/* All rows of a band by GDAL. */
static sc_status gdal_rows(const struct tile *t, const struct source *s) {
  const struct group *g = t->group;
  struct sc_read *r = s->read;
  struct sc_warp_gdal job = {.resampling = r->resampling,
                             .scale = g->kernel.scale,
                             .source = r->source,
                             .dtype = s->dtype,
                             .pixels = s->pixels,
                             .valid = s->plane[0].valid,
                             .left = t->left,
                             .top = t->top,
                             .width = t->right - t->left,
                             .height = t->bottom - t->top,
                             .x = t->x,
                             .y = t->y,
                             .out_width = t->rect.width,
                             .out_height = t->rect.height,
                             .torn_px = g->turn_px / 2};
  if (sc_warp_by_gdal(&job, &r->err))
    return r->err.status == SC_INTERRUPT || r->err.status == SC_NOMEM ? r->err.status : SC_OK;
  const size_t size = sc_dtype_bytes(job.out_dtype), n = (size_t)t->rect.width;
  for (int j = 0; j < t->rect.height; j++) {
    const uint8_t *valid = job.out_valid + (size_t)j * n;
    unsigned char *to = row_of(r, t, j);
    sc_gdal_convert((unsigned char *)job.out + (size_t)j * n * size, job.out_dtype, size, to,
                    r->dtype, sc_dtype_bytes(r->dtype), n);
    put_fill(r, to, valid, t->rect.width);
    put_valid(r, t, j, valid);
  }
  sc_free(job.out);
  return SC_OK;
}

static sc_status gdal_tile(const struct tile *t) {
  sc_status st = SC_OK;
  for (size_t k = 0; k < t->group->n_reads && !st; k++) {
    if (!t->sources[k].read->err.status) st = gdal_rows(t, &t->sources[k]);
  }
  return st;
}

/* GDAL gets a whole tile, since it copies all that it is given to look at. */
static int strip_rows(const struct tile *t) {
  return sc_warp_is_gdal(t->group->kernel.resampling) ? TILE_PX : STRIP_ROWS;
}

static int strip_task(void *context, size_t i) {
  struct batch *b = context;
  size_t at = 0;
  while (b->first_strip[at + 1] <= i) at++;
  struct tile *t = &b->tiles[at];
  int first = (int)(i - b->first_strip[at]) * strip_rows(t), end = first + strip_rows(t);
  if (end > t->rect.height) end = t->rect.height;
  if (t->err.status || t->is_large) return 0;
  if (!has_window(t)) {
    fill_rows(t, first, end);
    return 0;
  }
  struct rows w = {0};
  struct sc_error err = {0};
  if (sc_warp_is_gdal(t->group->kernel.resampling)) return gdal_tile(t) != SC_OK;
  sc_status st = rows_init(t, &w, &err);
  if (!st) st = resample_rows(t, first, end, &w, &err);
  rows_free(&w);
  return st != SC_OK;
}

/* --- batches --- */

static sc_status run(struct batch *b, size_t n, int (*task)(void *, size_t), struct sc_error *err) {
  int result = sc_pool_run(n, INT_MAX, task, b, b->interrupted, b->interrupt_context);
  if (result == 0) return SC_OK;
  return result == 2 || sc_interrupted(NULL) ? sc_fail(err, SC_INTERRUPT, "interrupted")
                                             : sc_fail_nomem(err);
}

static sc_status count_strips(struct batch *b, struct sc_error *err) {
  b->first_strip = sc_alloc((b->n + 1) * sizeof *b->first_strip);
  if (!b->first_strip) return sc_fail_nomem(err);
  b->first_strip[0] = 0;
  for (size_t i = 0; i < b->n; i++) {
    const int rows = b->tiles[i].rect.height, strip = strip_rows(&b->tiles[i]);
    b->first_strip[i + 1] = b->first_strip[i] + (size_t)((rows + strip - 1) / strip);
  }
  return SC_OK;
}

/* What a tile found wrong holds for all reads of its group. */
static void tell_reads(const struct tile *t) {
  for (size_t k = 0; t->err.status && k < t->group->n_reads; k++) {
    struct sc_read *r = t->group->reads[k];
    if (!r->err.status) sc_source_fail(r->source, t->err.status, &r->err, t->err.text, "");
  }
}

static sc_status run_batch(struct batch *b, struct sc_error *err);

/* A tile whose window is too large, in two. */
static sc_status run_halves(const struct batch *b, const struct tile *whole, struct sc_error *err) {
  struct tile halves[2] = {{.group = whole->group, .rect = whole->rect},
                           {.group = whole->group, .rect = whole->rect}};
  sc_status st = SC_OK;
  if (whole->rect.width > whole->rect.height) {
    halves[1].rect.width -= halves[0].rect.width = whole->rect.width / 2;
    halves[1].rect.x += halves[0].rect.width;
  } else {
    halves[1].rect.height -= halves[0].rect.height = whole->rect.height / 2;
    halves[1].rect.y += halves[0].rect.height;
  }
  for (int i = 0; i < 2 && !st; i++) {
    struct batch one = {.tiles = &halves[i],
                        .n = 1,
                        .interrupted = b->interrupted,
                        .interrupt_context = b->interrupt_context};
    st = run_batch(&one, err);
  }
  return st;
}

static sc_status run_batch(struct batch *b, struct sc_error *err) {
  b->n_reads = 0;
  b->reads = NULL;
  b->first_strip = NULL;
  sc_status st = run(b, b->n, map_task, err);
  if (!st) st = read_sources(b, err);
  if (!st) st = run(b, b->n, prepare_task, err);
  if (!st) st = count_strips(b, err);
  if (!st) st = run(b, b->first_strip[b->n], strip_task, err);
  for (size_t i = 0; i < b->n; i++) {
    tile_free(&b->tiles[i]);
    tell_reads(&b->tiles[i]);
  }
  sc_free(b->reads);
  sc_free(b->first_strip);
  for (size_t i = 0; i < b->n && !st; i++) {
    if (b->tiles[i].is_large) st = run_halves(b, &b->tiles[i], err);
  }
  return st;
}

/* Bytes that a tile holds, by about what its window is. */
static size_t tile_bytes(const struct group *g, const struct sc_warp_rect *r) {
  double wider = fmax(1, 1 / fmin(g->kernel.scale[0], g->kernel.scale[1]));
  double window = 1.5 * wider * wider * r->width * r->height;
  double bytes = 16.0 * r->width * r->height;
  for (size_t k = 0; k < g->n_reads; k++) {
    bytes += window * (double)(sc_dtype_bytes(g->reads[k]->validity->dtype) + 9);
  }
  return bytes < 1e12 ? (size_t)bytes : (size_t)1 << 40;
}

/* All tiles of the groups, as many at once as fit. */
static sc_status run_groups(struct group *groups, size_t n, struct batch *b, struct sc_error *err) {
  struct tile *tiles = NULL;
  size_t capacity = 0, bytes = 0;
  sc_status st = SC_OK;
  b->n = 0;
  for (size_t i = 0; i < n && !st; i++) {
    struct group *g = &groups[i];
    const struct sc_read *r = g->n_reads ? g->reads[0] : NULL;
    for (int y = 0; r && y < r->out_height && !st; y += TILE_PX) {
      for (int x = 0; x < r->out_width && !st; x += TILE_PX) {
        struct tile t = {.group = g, .rect = {x, y, TILE_PX, TILE_PX}};
        if (x + TILE_PX > r->out_width) t.rect.width = r->out_width - x;
        if (y + TILE_PX > r->out_height) t.rect.height = r->out_height - y;
        size_t more = tile_bytes(g, &t.rect);
        if (b->n && bytes + more > BATCH_BYTES) {
          st = run_batch(b, err);
          b->n = bytes = 0;
        }
        if (b->n == capacity) {
          capacity = capacity ? 2 * capacity : 16;
          struct tile *grown = sc_realloc(tiles, capacity * sizeof *tiles);
          if (!grown) st = sc_fail_nomem(err);
          if (grown) tiles = grown;
          b->tiles = tiles;
        }
        if (st) break;
        tiles[b->n++] = t;
        bytes += more;
      }
    }
  }
  if (!st && b->n) st = run_batch(b, err);
  sc_free(tiles);
  return st;
}

/* The group of a read, among those of its chip, which are the last ones. */
static struct group *find_group(struct group *groups, size_t n, const struct sc_read *r) {
  for (size_t i = n; i > 0 && i + 8 > n; i--) {
    if (is_same_group(&groups[i - 1], r)) return &groups[i - 1];
  }
  return NULL;
}

static sc_status make_groups(struct sc_read *reads, size_t n, struct group *groups,
                             size_t *n_groups, struct sc_error *err) {
  for (size_t i = 0; i < n; i++) {
    struct sc_read *r = &reads[i];
    struct group *g = find_group(groups, *n_groups, r);
    r->err.status = SC_OK;
    sc_status st = sc_interrupt_check(err);
    if (!st && g) st = group_add(g, r, err);
    if (!st && !g) {
      st = group_init(&groups[*n_groups], r, &r->err);
      if (!st) (*n_groups)++;
      if (st && st != SC_NOMEM) st = SC_OK; /* it is the read's own error */
    }
    if (st) return st == SC_NOMEM ? sc_fail_nomem(err) : st;
  }
  return SC_OK;
}

static sc_status first_error(const struct sc_read *reads, size_t n, struct sc_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (!reads[i].err.status) continue;
    *err = reads[i].err;
    return err->status;
  }
  return SC_OK;
}

sc_status sc_warp_windows(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err) {
  struct group *groups = sc_alloc_zero(n + 1, sizeof *groups);
  struct batch b = {.interrupted = interrupted, .interrupt_context = interrupt_context};
  size_t n_groups = 0;
  sc_status st = groups ? make_groups(reads, n, groups, &n_groups, err) : sc_fail_nomem(err);
  if (!st) st = run_groups(groups, n_groups, &b, err);
  for (size_t i = 0; groups && i < n_groups; i++) sc_free(groups[i].reads);
  sc_free(groups);
  return st ? st : first_error(reads, n, err);
}
