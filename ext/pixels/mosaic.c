/* Arrays of chips put together to one raster; see mosaic.h. */
#include "pixels/mosaic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "pixels/locate.h"
#include "raster/raster_api.h"
#include "store/open.h"

#define TILE SC_COG_TILE_PX
#define TILE_VALUES ((size_t)TILE * TILE)
#define MAX_BANDS 4096
#define MAX_TILES 4000000 /* a raster of 500 000 x 500 000 pixels */
#define NO_CLASS 255

struct tile {
  int x, y;             /* of tiles */
  int64_t n_left;       /* chips that have not touched it yet */
  unsigned char *state; /* planes of the bands and of the weights; NULL: none, or in the file */
  int64_t slot;         /* of the file, or -1 */
  uint64_t used;
  int is_done;
};

struct sc_mosaic {
  struct sc_mosaic_options options;
  char grid_hash[17];
  struct sc_tiling tiling;
  int64_t grid_width, grid_height;
  int up, down; /* pixels of the raster = pixels of the grid * up / down */
  struct sc_mosaic_map map;
  int n_bands;             /* of the arrays */
  enum sc_dtype in, state; /* types: of the arrays, of means */
  size_t plane_bytes, tile_bytes;
  struct tile *tiles; /* all of the raster, row by row */
  int n_across, n_down;
  size_t held_bytes; /* of tiles in memory */
  int fd;            /* of tiles that are not */
  int64_t n_slots;
  uint64_t clock;
  uint64_t *seen; /* a bit for each chip of the tiling */
  int64_t n_chips_x, n_chips_y;
  unsigned char *scratch; /* a row of weights and one of values; at the end a tile of the raster */
  uint8_t *said;          /* of a tile */
  char *folder, *path;
  const struct sc_raster_api *raster;
  struct sc_cog *cog;
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* Where a chip's array lies: all that the chips of one raster have in common, and its window. */
struct place {
  const struct sc_grid *grid; /* borrowed for the call */
  struct sc_tiling tiling;
  struct sc_window window; /* of the grid */
};

/* --- tiles --- */

static sc_status page_out(struct sc_mosaic *m, struct tile *t, struct sc_error *err) {
  if (m->fd < 0) {
    sc_status st = sc_open_scratch(&m->fd, err);
    if (st) return st;
  }
  if (t->slot < 0) t->slot = m->n_slots++;
  sc_status st =
      sc_write_at(m->fd, (uint64_t)t->slot * m->tile_bytes, t->state, m->tile_bytes, err);
  if (st) return st;
  sc_free(t->state);
  t->state = NULL;
  m->held_bytes -= m->tile_bytes;
  return SC_OK;
}

/* Room for one tile more: those go that were not touched for longest. */
static sc_status make_room(struct sc_mosaic *m, struct sc_error *err) {
  while (m->held_bytes && m->held_bytes + m->tile_bytes > SC_MOSAIC_TILES_BYTES) {
    struct tile *oldest = NULL;
    for (int i = 0; i < m->n_across * m->n_down; i++) {
      struct tile *t = &m->tiles[i];
      if (t->state && (!oldest || t->used < oldest->used)) oldest = t;
    }
    if (!oldest) break;
    sc_status st = page_out(m, oldest, err);
    if (st) return st;
  }
  return SC_OK;
}

static sc_status bring_in(struct sc_mosaic *m, struct tile *t, struct sc_error *err) {
  t->used = ++m->clock;
  if (t->state) return SC_OK;
  sc_status st = make_room(m, err);
  if (st) return st;
  t->state = sc_alloc_zero(1, m->tile_bytes);
  if (!t->state) return sc_fail_nomem(err);
  m->held_bytes += m->tile_bytes;
  if (t->slot < 0) return SC_OK;
  int64_t n = sc_read_at(m->fd, (uint64_t)t->slot * m->tile_bytes, t->state, m->tile_bytes);
  return n == (int64_t)m->tile_bytes ? SC_OK
                                     : sc_fail(err, SC_IO, "a temporary file has lost its end");
}

/* First and last pixel of the raster that a window begins at and ends before, along one axis. */
static int64_t to_raster(const struct sc_mosaic *m, int64_t grid_px) {
  return grid_px * m->up / m->down;
}

/* How many chips of the tiling touch the pixels [begin, end) of the raster along one axis. */
static int64_t chips_that_touch(const struct sc_mosaic *m, int64_t length, int64_t n_chips,
                                int64_t begin, int64_t end) {
  int64_t n = 0;
  for (int64_t i = 0; i < n_chips; i++) {
    int64_t origin = sc_tiling_origin(&m->tiling, length, i);
    n += to_raster(m, origin) < end && to_raster(m, origin + m->tiling.chip_size_px) > begin;
  }
  return n;
}

static sc_status make_tiles(struct sc_mosaic *m, struct sc_error *err) {
  m->n_across = (m->map.width + TILE - 1) / TILE;
  m->n_down = (m->map.height + TILE - 1) / TILE;
  m->tiles = sc_alloc_zero((size_t)m->n_across * (size_t)m->n_down, sizeof *m->tiles);
  int64_t *across = sc_alloc_zero((size_t)m->n_across, sizeof *across);
  if (!m->tiles || !across) {
    sc_free(across);
    return sc_fail_nomem(err);
  }
  for (int x = 0; x < m->n_across; x++) {
    across[x] = chips_that_touch(m, m->grid_width, m->n_chips_x, (int64_t)x * TILE,
                                 (int64_t)(x + 1) * TILE);
  }
  for (int y = 0; y < m->n_down; y++) {
    int64_t down = chips_that_touch(m, m->grid_height, m->n_chips_y, (int64_t)y * TILE,
                                    (int64_t)(y + 1) * TILE);
    for (int x = 0; x < m->n_across; x++) {
      struct tile *t = &m->tiles[y * m->n_across + x];
      t->x = x;
      t->y = y;
      t->slot = -1;
      t->n_left = across[x] * down;
    }
  }
  sc_free(across);
  return SC_OK;
}

/* --- finishing a tile --- */

#define PLANE(type, t, m, band) ((type *)(void *)((t)->state + (size_t)(band) * (m)->plane_bytes))

#define ARGMAX(T)                                                                       \
  for (size_t i = 0; i < TILE_VALUES; i++) {                                            \
    int best = 0;                                                                       \
    for (int b = 1; b < m->n_bands; b++) {                                              \
      if (PLANE(T, t, m, b)[i] > PLANE(T, t, m, best)[i]) best = b;                     \
    }                                                                                   \
    classes[i] = PLANE(T, t, m, m->n_bands)[i] > 0 ? (uint8_t)best : (uint8_t)NO_CLASS; \
  }

static void choose_classes(const struct sc_mosaic *m, const struct tile *t, uint8_t *classes) {
  if (m->state == SC_DTYPE_F32) {
    ARGMAX(float)
  } else {
    ARGMAX(double)
  }
}

/* What pixels hold that no chip said anything of. */
static double empty_value(const struct sc_mosaic *m) {
  if (m->options.has_nodata) return m->options.nodata;
  return m->map.dtype == SC_DTYPE_F32 || m->map.dtype == SC_DTYPE_F64 ? NAN : 0;
}

#define FILL(T)                                                                  \
  for (int b = 0; b < m->n_bands; b++) {                                         \
    for (size_t i = 0; i < TILE_VALUES; i++) {                                   \
      if (!(PLANE(T, t, m, m->n_bands)[i] > 0)) PLANE(T, t, m, b)[i] = (T)empty; \
    }                                                                            \
  }

/* The means in the raster's type, band after band. */
static void convert_means(const struct sc_mosaic *m, const struct tile *t, unsigned char *out) {
  double empty = empty_value(m);
  size_t state_bytes = sc_dtype_bytes(m->state), out_bytes = sc_dtype_bytes(m->map.dtype);
  if (m->state == SC_DTYPE_F32) {
    FILL(float)
  } else {
    FILL(double)
  }
  m->raster->convert(t->state, m->state, state_bytes, out, m->map.dtype, out_bytes,
                     TILE_VALUES * (size_t)m->n_bands);
}

/* Rows of a tile at the right or lower edge come together. */
static void pack(unsigned char *pixels, size_t value_bytes, int n_bands, int width, int height) {
  size_t row = (size_t)width * value_bytes;
  unsigned char *to = pixels;
  for (int b = 0; b < n_bands; b++) {
    for (int y = 0; y < height; y++, to += row) {
      memmove(to, pixels + ((size_t)b * TILE + (size_t)y) * TILE * value_bytes, row);
    }
  }
}

#define WEIGHED(T) \
  for (size_t i = 0; i < TILE_VALUES; i++) said[i] = PLANE(T, t, m, m->n_bands)[i] > 0;

static void find_said(const struct sc_mosaic *m, const struct tile *t, uint8_t *said) {
  if (m->state == SC_DTYPE_F32) {
    WEIGHED(float)
  } else {
    WEIGHED(double)
  }
}

/* The finished pixels of a tile go where they belong. */
static sc_status give_tile(struct sc_mosaic *m, const struct tile *t, struct sc_mosaic_tile *done,
                           struct sc_error *err) {
  if (!m->options.take)
    return m->raster->cog_put(m->cog, done->x, done->y, done->width, done->height, done->pixels,
                              err);
  find_said(m, t, m->said);
  if (done->width < TILE || done->height < TILE) pack(m->said, 1, 1, done->width, done->height);
  done->said = m->said;
  return m->options.take(m->options.context, done, err);
}

static sc_status write_tile(struct sc_mosaic *m, struct tile *t, struct sc_error *err) {
  int x = t->x * TILE, y = t->y * TILE;
  int w = m->map.width - x < TILE ? m->map.width - x : TILE,
      h = m->map.height - y < TILE ? m->map.height - y : TILE;
  size_t value_bytes = sc_dtype_bytes(m->map.dtype);
  if (m->options.is_argmax) {
    choose_classes(m, t, m->scratch);
  } else {
    convert_means(m, t, m->scratch);
  }
  if (w < TILE || h < TILE) pack(m->scratch, value_bytes, m->map.n_bands, w, h);
  struct sc_mosaic_tile done = {x, y, w, h, m->scratch, NULL};
  sc_status st = give_tile(m, t, &done, err);
  sc_free(t->state);
  t->state = NULL;
  t->is_done = 1;
  m->held_bytes -= m->tile_bytes;
  return st;
}

/* --- adding a chip --- */

/* Of a pixel of a chip, how much it counts beside others. */
static float weight_of(enum sc_blend blend, int col, int row, int width, int height) {
  int right = width - 1 - col, below = height - 1 - row;
  int dx = (col < right ? col : right) + 1, dy = (row < below ? row : below) + 1;
  if (blend == SC_BLEND_FEATHER) return (float)dx * (float)dy;
  if (blend != SC_BLEND_TRIM) return 1;
  /* Of chips that overlap, the one whose edges are farthest across and down. No two chips weigh the
   * same, so that the order of rows does not matter: the right and lower edge are a little nearer,
   * and a row counts a little more than a column. */
  float x = (float)dx - (right < col ? 0.5F : 0), y = (float)dy - (below < row ? 0.5F : 0);
  return x + y * (1 + 1 / 1024.0F);
}

/* A run of pixels of one row of a chip and of a tile. */
struct run {
  int n;
  const float *weights; /* of the chip's pixels; 0: the pixel says nothing */
  size_t at;            /* first pixel, in the tile's planes */
};

/*
 * m + (v - m) * w / W, and not sum(w v) / sum(w): where all chips say the same, the mean is that
 * value to the last bit.
 */
#define ADD_VALUES(T)                                                 \
  do {                                                                \
    T *mean = PLANE(T, t, m, band) + run->at;                         \
    const T *sum = PLANE(T, t, m, m->n_bands) + run->at, *v = values; \
    for (int i = 0; i < run->n; i++) {                                \
      T w = (T)run->weights[i];                                       \
      if (w == 0 || mean[i] == v[i]) continue;                        \
      if (sum[i] == 0 || is_trim) {                                   \
        if (sum[i] < w) mean[i] = v[i];                               \
      } else if (!is_first) {                                         \
        mean[i] += (v[i] - mean[i]) * (w / (sum[i] + w));             \
      }                                                               \
    }                                                                 \
  } while (0)

#define ADD_WEIGHTS(T)                                          \
  do {                                                          \
    T *sum = PLANE(T, t, m, m->n_bands) + run->at;              \
    for (int i = 0; i < run->n; i++) {                          \
      T w = (T)run->weights[i];                                 \
      sum[i] = !is_trim ? sum[i] + w : w > sum[i] ? w : sum[i]; \
    }                                                           \
  } while (0)

static void add_values(const struct sc_mosaic *m, struct tile *t, int band, const void *values,
                       const struct run *run) {
  int is_trim = m->options.blend == SC_BLEND_TRIM, is_first = m->options.blend == SC_BLEND_FIRST;
  if (m->state == SC_DTYPE_F32)
    ADD_VALUES(float);
  else
    ADD_VALUES(double);
}

static void add_weights(const struct sc_mosaic *m, struct tile *t, const struct run *run) {
  int is_trim = m->options.blend == SC_BLEND_TRIM;
  if (m->state == SC_DTYPE_F32)
    ADD_WEIGHTS(float);
  else
    ADD_WEIGHTS(double);
}

/* One chip's array, and where it lies in the raster. */
struct piece {
  const struct sc_npy_view *array;
  int64_t x, y; /* of its first pixel; before the raster's only by less than its size */
  int width, height;
};

static const unsigned char *row_of(const struct sc_mosaic *m, const struct piece *p, int band,
                                   int64_t row, int64_t col) {
  size_t at = ((size_t)band * (size_t)p->height + (size_t)row) * (size_t)p->width + (size_t)col;
  return p->array->data + at * sc_dtype_bytes(m->in);
}

#define SILENCE(T)                                                                        \
  for (int i = 0; i < n; i++) {                                                           \
    T v = ((const T *)values)[i];                                                         \
    if (isnan(v) || (m->options.has_nodata && v == (T)m->options.nodata)) weights[i] = 0; \
  }

/* A pixel with NaN or nodata in one band says nothing of any. */
static void silence(const struct sc_mosaic *m, const void *values, float *weights, int n) {
  if (m->state == SC_DTYPE_F32) {
    SILENCE(float)
  } else {
    SILENCE(double)
  }
}

/* One row of the chip, columns [from, to) of the raster, which lie in the tile. */
static void add_row(const struct sc_mosaic *m, struct tile *t, const struct piece *p, int64_t y,
                    int64_t from, int64_t to) {
  int n = (int)(to - from), col = (int)(from - p->x), row = (int)(y - p->y);
  size_t in_bytes = sc_dtype_bytes(m->in), state_bytes = sc_dtype_bytes(m->state);
  float *weights = (float *)(void *)m->scratch;
  void *values = m->scratch + TILE * sizeof *weights;
  const struct run run = {n, weights, (size_t)(y % TILE) * TILE + (size_t)(from % TILE)};
  for (int i = 0; i < n; i++) {
    weights[i] = weight_of((enum sc_blend)m->options.blend, col + i, row, p->width, p->height);
  }
  for (int pass = 0; pass < 2; pass++) { /* first what is silent in any band */
    for (int b = 0; b < m->n_bands; b++) {
      m->raster->convert(row_of(m, p, b, row, col), m->in, in_bytes, values, m->state, state_bytes,
                         (size_t)n);
      if (pass == 0)
        silence(m, values, weights, n);
      else
        add_values(m, t, b, values, &run);
    }
  }
  add_weights(m, t, &run);
}

static sc_status add_to_tile(struct sc_mosaic *m, struct tile *t, const struct piece *p,
                             struct sc_error *err) {
  int64_t left = (int64_t)t->x * TILE, top = (int64_t)t->y * TILE;
  int64_t from = most(left, p->x), to = least(least(left + TILE, m->map.width), p->x + p->width);
  int64_t first = most(top, p->y), end = least(least(top + TILE, m->map.height), p->y + p->height);
  sc_status st = bring_in(m, t, err);
  for (int64_t y = first; y < end && !st; y++) add_row(m, t, p, y, from, to);
  if (!st && --t->n_left == 0) st = write_tile(m, t, err);
  return st;
}

/* --- the chip and the first one --- */

/* Does the array have the window's pixels, times up / down? */
static int find_scale(const struct sc_window *w, const struct sc_npy_view *a, int *up, int *down) {
  int64_t height = (int64_t)a->shape[a->n_dims - 2], width = (int64_t)a->shape[a->n_dims - 1];
  if (width <= 0 || height <= 0 || width > INT32_MAX || height > INT32_MAX) return 0;
  *up = *down = 1;
  if (width >= w->width_px && width % w->width_px == 0)
    *up = (int)(width / w->width_px);
  else if (w->width_px % width == 0)
    *down = (int)(w->width_px / width);
  else
    return 0;
  return width * *down == w->width_px * *up && height * *down == w->height_px * *up;
}

static sc_status check_array(const struct sc_npy_view *a, const struct sc_window *w, int *up,
                             int *down, struct sc_error *err) {
  if (a->n_dims < 2 || a->n_dims > 3) {
    return sc_fail(err, SC_BAD_DATA,
                   "an array of %d dimensions; expected (rows, columns) or (bands, rows, columns)",
                   a->n_dims);
  }
  if (sc_dtype_is_complex(a->dtype)) return sc_fail(err, SC_BAD_DATA, "an array of complex values");
  if (find_scale(w, a, up, down) && w->x % *down == 0 && w->y % *down == 0) return SC_OK;
  return sc_fail(
      err, SC_BAD_DATA,
      "an array of %zu rows and %zu columns for a chip of %lld x %lld pixels at column "
      "%lld, row %lld; expected as many, or all of them times or through one whole number",
      a->shape[a->n_dims - 2], a->shape[a->n_dims - 1], (long long)w->width_px,
      (long long)w->height_px, (long long)w->x, (long long)w->y);
}

static sc_status open_cog(struct sc_mosaic *m, struct sc_error *err) {
  struct sc_geotiff image = {.dtype = m->map.dtype,
                             .n_bands = m->map.n_bands,
                             .width = m->map.width,
                             .height = m->map.height,
                             .crs = m->map.crs};
  memcpy(image.transform, m->map.transform, sizeof image.transform);
  double empty = m->options.is_argmax ? NO_CLASS : empty_value(m);
  image.nodata.is_set = m->options.is_argmax || m->options.has_nodata || isnan(empty);
  image.nodata.value = empty;
  image.nodata.bits = isnan(empty)                   ? 0
                      : m->map.dtype == SC_DTYPE_U64 ? (uint64_t)empty
                      : m->map.dtype == SC_DTYPE_I64 ? (uint64_t)(int64_t)empty
                                                     : 0;
  sc_status st = sc_make_scratch(&m->folder, err);
  if (!st) st = sc_format(&m->path, err, "%s/map.tif", m->folder);
  return st ? st : m->raster->cog_create(&image, m->folder, &m->cog, err);
}

/* Pixels of which no chip says anything get it, so the map's type must hold it. */
static sc_status check_nodata(const struct sc_mosaic *m, struct sc_error *err) {
  enum sc_dtype t = m->map.dtype;
  double v = m->options.nodata;
  if (!m->options.has_nodata || m->options.take || m->options.is_argmax || t == SC_DTYPE_F64)
    return SC_OK;
  int fits = t == SC_DTYPE_F32 ? !isinf((float)v) : sc_dtype_holds_whole(t, v);
  return fits ? SC_OK
              : sc_fail(err, SC_BAD_ARG,
                        "option 'nodata': %.15g is no value of the arrays' type, %s, and so none "
                        "that the map can have where no chip says anything",
                        v, sc_dtype_name(t));
}

/* Sums of floats are exact enough for what a float or 16 bits hold, and half as large. */
static enum sc_dtype state_type(enum sc_dtype in) {
  return in <= SC_DTYPE_I16 || in == SC_DTYPE_F32 ? SC_DTYPE_F32 : SC_DTYPE_F64;
}

static sc_status set_up(struct sc_mosaic *m, const struct place *place, const struct sc_npy_view *a,
                        struct sc_error *err) {
  sc_status st = check_array(a, &place->window, &m->up, &m->down, err);
  if (st) return st;
  int64_t width = (place->grid->width_px * m->up + m->down - 1) / m->down;
  int64_t height = (place->grid->height_px * m->up + m->down - 1) / m->down;
  m->n_bands = a->n_dims == 2 ? 1 : (int)least((int64_t)a->shape[0], MAX_BANDS + 1);
  m->n_chips_x = sc_tiling_count(&m->tiling, m->grid_width);
  m->n_chips_y = sc_tiling_count(&m->tiling, m->grid_height);
  if (width > INT32_MAX || height > INT32_MAX || m->n_bands > MAX_BANDS || m->n_bands == 0 ||
      (width / TILE + 1) * (height / TILE + 1) > MAX_TILES ||
      m->n_chips_x > SC_GRID_MAX_CHIPS / most(m->n_chips_y, 1))
    return sc_fail(err, SC_TOO_BIG, "a map of %d bands and %lld x %lld pixels", m->n_bands,
                   (long long)width, (long long)height);
  if (m->options.is_argmax && (m->n_bands < 2 || m->n_bands > NO_CLASS))
    return sc_fail(err, SC_BAD_DATA, "argmax of %d bands; expected 2 to %d", m->n_bands, NO_CLASS);
  m->map.width = (int)width;
  m->map.height = (int)height;
  m->in = a->dtype;
  m->state = state_type(a->dtype);
  m->map.dtype = m->options.is_argmax ? SC_DTYPE_U8 : a->dtype;
  m->map.n_bands = m->options.is_argmax ? 1 : m->n_bands;
  st = check_nodata(m, err);
  if (st) return st;
  for (int i = 0; i < 6; i++) {
    double step = i % 3 == 2 ? 1 : (double)m->down / m->up;
    m->map.transform[i] = place->grid->transform[i] * step;
  }
  m->plane_bytes = TILE_VALUES * sc_dtype_bytes(m->state);
  m->tile_bytes = m->plane_bytes * (size_t)(m->n_bands + 1);
  m->seen = sc_alloc_zero((size_t)(m->n_chips_x * m->n_chips_y) / 64 + 1, sizeof(uint64_t));
  m->scratch = sc_alloc(m->tile_bytes);
  m->said = sc_alloc(TILE_VALUES);
  if (!m->seen || !m->scratch || !m->said) return sc_fail_nomem(err);
  st = sc_strdup(place->grid->crs, &m->map.crs, err);
  if (!st) st = make_tiles(m, err);
  return st || m->options.take ? st : open_cog(m, err);
}

/* Begin with the first chip's place and array. */
static sc_status begin(const struct sc_mosaic_options *options, const struct place *place,
                       const struct sc_npy_view *array, struct sc_mosaic **out,
                       struct sc_error *err) {
  struct sc_mosaic *m = sc_alloc_zero(1, sizeof *m);
  *out = NULL;
  if (!m) return sc_fail_nomem(err);
  m->options = *options;
  m->tiling = place->tiling;
  m->fd = -1;
  m->grid_width = place->grid->width_px;
  m->grid_height = place->grid->height_px;
  sc_grid_hash(place->grid, m->grid_hash);
  m->raster = sc_raster(err);
  sc_status st = m->raster ? set_up(m, place, array, err) : err->status;
  if (st) {
    sc_mosaic_free(m);
    return st;
  }
  *out = m;
  return SC_OK;
}

/* What makes a chip one of this raster's. */
static sc_status check_chip(const struct sc_mosaic *m, const struct place *place,
                            const struct sc_npy_view *a, struct sc_error *err) {
  char hash[17];
  int up, down;
  sc_grid_hash(place->grid, hash);
  if (strcmp(hash, m->grid_hash) != 0)
    return sc_fail(err, SC_BAD_DATA, "a chip of another grid than the first row's; GROUP BY grid");
  if (memcmp(&place->tiling, &m->tiling, sizeof m->tiling) != 0)
    return sc_fail(err, SC_BAD_DATA, "a chip of another size, stride or edge than the first row's");
  sc_status st = check_array(a, &place->window, &up, &down, err);
  if (st) return st;
  int n_bands = a->n_dims == 2 ? 1 : (int)least((int64_t)a->shape[0], MAX_BANDS + 1);
  if (up == m->up && down == m->down && a->dtype == m->in && n_bands == m->n_bands) return SC_OK;
  return sc_fail(err, SC_BAD_DATA,
                 "an array of another type, resolution or number of bands (%d) "
                 "than the first row's (%d)",
                 n_bands, m->n_bands);
}

/* Mark the chip whose window begins at these pixels; 1 where it was marked before. */
static int mark(struct sc_mosaic *m, const struct sc_window *w) {
  int64_t x = 0, y = 0;
  while (x < m->n_chips_x - 1 && sc_tiling_origin(&m->tiling, m->grid_width, x) < w->x) x++;
  while (y < m->n_chips_y - 1 && sc_tiling_origin(&m->tiling, m->grid_height, y) < w->y) y++;
  uint64_t i = (uint64_t)(y * m->n_chips_x + x), bit = (uint64_t)1 << (i % 64);
  int was = (m->seen[i / 64] & bit) != 0;
  m->seen[i / 64] |= bit;
  return was;
}

static sc_status put(struct sc_mosaic *m, const struct place *place, const struct sc_npy_view *a,
                     struct sc_error *err) {
  sc_status st = check_chip(m, place, a, err);
  if (st) return st;
  if (mark(m, &place->window))
    return sc_fail(err, SC_BAD_DATA, "this chip came before; GROUP BY item, date or model");
  const struct piece p = {a, to_raster(m, place->window.x), to_raster(m, place->window.y),
                          (int)a->shape[a->n_dims - 1], (int)a->shape[a->n_dims - 2]};
  int64_t right = least(p.x + p.width, m->map.width), below = least(p.y + p.height, m->map.height);
  for (int64_t ty = most(p.y, 0) / TILE; ty * TILE < below && !st; ty++) {
    for (int64_t tx = most(p.x, 0) / TILE; tx * TILE < right && !st; tx++) {
      st = sc_interrupt_check(err);
      if (!st) st = add_to_tile(m, &m->tiles[ty * m->n_across + tx], &p, err);
    }
  }
  return st;
}

const struct sc_mosaic_map *sc_mosaic_map(const struct sc_mosaic *m) { return &m->map; }

static sc_status put_located(const struct sc_mosaic_options *options, const struct sc_chip *chip,
                             sqlite3_value *array, struct sc_mosaic **m, struct sc_error *err) {
  const struct place place = {&chip->scene->grid, chip->tiling, chip->window};
  struct sc_npy_view view;
  sc_status st = SC_OK;
  if (chip->x < 0)
    return sc_fail(err, SC_BAD_ARG, "a chip round a center; a map is made of chips of a grid");
  if (sqlite3_value_type(array) != SQLITE_BLOB)
    return sc_fail(err, SC_BAD_ARG, "the array is no BLOB; expected what numpy.save() writes");
  st = sc_npy_read(sqlite3_value_blob(array), (size_t)sqlite3_value_bytes(array), &view, err);
  if (!st && !*m) st = begin(options, &place, &view, m, err);
  return st ? st : put(*m, &place, &view, err);
}

sc_status sc_mosaic_put_row(struct sc_connection *c, const struct sc_mosaic_options *options,
                            const struct sc_chip_options *of, sqlite3_value *row,
                            sqlite3_value *array, struct sc_mosaic **m, struct sc_error *err) {
  const struct sc_chip_name name = sc_chip_name_of(row);
  struct sc_chip chip = {0};
  sc_status st = sc_chip_locate(c, &name, of, &chip, err);
  if (st) return st;
  st = put_located(options, &chip, array, m, err);
  if (st)
    sc_fail_within(err, "item %s: chip (%lld, %lld)", chip.scene->item.id, (long long)chip.x,
                   (long long)chip.y);
  sc_chip_close(&chip);
  return st;
}

sc_status sc_mosaic_finish(struct sc_mosaic *m, const char **path, struct sc_error *err) {
  sc_status st = SC_OK;
  *path = m->path;
  for (int i = 0; i < m->n_across * m->n_down && !st; i++) {
    struct tile *t = &m->tiles[i];
    int is_touched = t->state != NULL || t->slot >= 0;
    st = sc_interrupt_check(err);
    if (st || t->is_done || !is_touched) continue;
    st = bring_in(m, t, err);
    if (!st) st = write_tile(m, t, err);
  }
  return st || m->options.take ? st
                               : m->raster->cog_finish(m->cog, m->path, m->options.is_argmax, err);
}

void sc_mosaic_free(struct sc_mosaic *m) {
  if (!m) return;
  if (m->raster && m->cog) m->raster->cog_close(m->cog);
  for (int i = 0; m->tiles && i < m->n_across * m->n_down; i++) sc_free(m->tiles[i].state);
  if (m->fd >= 0) close(m->fd);
  sc_remove_scratch(m->folder);
  sc_free(m->tiles);
  sc_free(m->seen);
  sc_free(m->scratch);
  sc_free(m->said);
  sc_free(m->map.crs);
  sc_free(m->path);
  sc_free(m);
}
