/*
 * stacchip_tile(z, x, y, query [, options]): a tile of a web map (web Mercator, y downwards) of the
 * items whose chips a query names, as PNG. NULL where none of them has a valid pixel there.
 *
 * HOW IT WORKS  The query's rows are taken in their order. Each item is looked at once: where its
 * grid meets the tile, it is opened, brought to the tile's grid and drawn into the pixels that are
 * still open. The query ends as soon as none is. Each item has one stretch, of all of it, so that
 * neighbouring tiles agree. Chips of a frozen data set are taken one by one.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "index/footprint.h"
#include "index/lattice.h"
#include "pixels/call.h"
#include "pixels/locate.h"
#include "pixels/result.h"
#include "pixels/samples.h"
#include "pixels/view.h"

#define WHAT "stacchip_tile"
#define CRS "EPSG:3857"
#define HALF_GLOBE_M 20037508.342789244 /* pi * 6378137 m: where x and y of EPSG:3857 end */
#define ZOOM_MAX 30
#define SIZE_MIN_PX 16
#define SIZE_MAX_PX 1024
#define SIZE_DEFAULT_PX 256
#define LIMIT_DEFAULT 64
#define LIMIT_MAX 1024
#define SAMPLE_PX 128    /* a side, to find the stretch by */
#define SMALL_PX 1048576 /* of a grid read whole for it, without overviews */
#define MARGIN 0.02 /* of a tile or grid: edges that are straight in one CRS bend in the other */

struct tile_options {
  struct sc_chip_options chip;
  int64_t size_px, limit;
};

struct tile {
  struct sc_connection *c;
  const struct tile_options *options;
  struct sc_chip like;           /* the tile's grid; nothing else is set */
  struct sc_box box;             /* degrees */
  struct sc_cached_scene **seen; /* items that were drawn, held */
  size_t n_seen;
  int64_t n_drawn;              /* items, and chips of frozen data sets */
  struct sc_cached_scene *away; /* the last item that does not meet the tile, held, or NULL */
  struct sc_chip_target read;   /* of one item: 3 bands float64, and valid */
  uint8_t *pixels;              /* [row][column][4] */
  size_t n_open;                /* pixels that no item has drawn yet */
};

/* --- the tile --- */

static double latitude(double y_m) { return atan(sinh(y_m / HALF_GLOBE_M * M_PI)) * 180 / M_PI; }

static sc_status tile_init(struct tile *t, const int64_t zxy[3], struct sc_error *err) {
  int size = (int)t->options->size_px;
  size_t n = (size_t)size * (size_t)size;
  double side = 2 * HALF_GLOBE_M / (double)((int64_t)1 << zxy[0]), pixel = side / size;
  double left = (double)zxy[1] * side - HALF_GLOBE_M, top = HALF_GLOBE_M - (double)zxy[2] * side;
  const double transform[6] = {pixel, 0, left, 0, -pixel, top};
  t->like.has_target = 1;
  t->like.crs = (char *)(size_t)CRS; /* no one frees it: `like` is never closed */
  t->like.width = t->like.height = size;
  memcpy(t->like.transform, transform, sizeof transform);
  t->box = (struct sc_box){left / HALF_GLOBE_M * 180, latitude(top - side),
                           (left + side) / HALF_GLOBE_M * 180, latitude(top)};
  t->n_open = n;
  t->seen = sc_alloc_zero((size_t)t->options->limit, sizeof(struct sc_cached_scene *));
  t->pixels = sc_alloc_zero(n, 4);
  size_t n_read = n > SAMPLE_PX * SAMPLE_PX ? n : SAMPLE_PX * SAMPLE_PX;
  t->read.dtype = SC_DTYPE_F64;
  t->read.pixels = sc_alloc(3 * n_read * sizeof(double));
  t->read.valid = sc_alloc(3 * n_read);
  return t->seen && t->pixels && t->read.pixels && t->read.valid ? SC_OK : sc_fail_nomem(err);
}

static void tile_free(struct tile *t) {
  for (size_t i = 0; t->seen && i < t->n_seen; i++) sc_scenes_release(t->seen[i]);
  sc_scenes_release(t->away);
  sc_free(t->seen);
  sc_free(t->pixels);
  sc_free(t->read.pixels);
  sc_free(t->read.valid);
}

/* The tile's box as a geometry, for search_area and SpatiaLite's functions. */
static sc_status box_blob(const struct sc_box *b, struct sc_buffer *out, struct sc_error *err) {
  const struct sc_footprint f = {1,
                                 {{5,
                                   {{b->min_x, b->min_y},
                                    {b->max_x, b->min_y},
                                    {b->max_x, b->max_y},
                                    {b->min_x, b->max_y},
                                    {b->min_x, b->min_y}}}}};
  return sc_footprint_to_blob(&f, 0, out, err);
}

/* --- an item --- */

static struct sc_box grown(const struct sc_box *b) {
  double dx = (b->max_x - b->min_x) * MARGIN, dy = (b->max_y - b->min_y) * MARGIN;
  return (struct sc_box){b->min_x - dx, b->min_y - dy, b->max_x + dx, b->max_y + dy};
}

/* May a grid have a pixel in the tile? */
static sc_status meets(const struct tile *t, const struct sc_grid *grid, int *out,
                       struct sc_error *err) {
  const struct sc_window whole = {0, 0, grid->width_px, grid->height_px};
  const struct sc_box tile = grown(&t->box);
  struct sc_footprint f;
  int has_place;
  *out = 0;
  sc_status st = sc_window_footprint(grid, &whole, &has_place, &f, err);
  for (int i = 0; !st && has_place && i < f.n_parts; i++) {
    const struct sc_box part = sc_footprint_part_box(&f, i), wide = grown(&part);
    if (sc_boxes_meet(&wide, &tile)) *out = 1;
  }
  return st;
}

static int has_overviews(const struct sc_chip *chip) {
  for (int k = 0; k < chip->n_bands; k++)
    if (!chip->bands[k].asset->info.has_overviews) return 0;
  return 1;
}

/* The chip on a grid of few pixels over all of `g`, its item's; over its middle where that would
 * have all of a large file read. It borrows from both, and the chip's warps are laid anew
 * afterwards. */
static struct sc_chip sample_of(const struct sc_chip *chip, const struct sc_grid *g) {
  struct sc_chip sample = *chip;
  int is_whole = has_overviews(chip) || g->width_px * g->height_px <= SMALL_PX;
  double width = (double)g->width_px, height = (double)g->height_px, n = SAMPLE_PX;
  sample.crs = g->crs;
  sample.width = is_whole && width < n ? (int)width : SAMPLE_PX;
  sample.height = is_whole && height < n ? (int)height : SAMPLE_PX;
  double sx = is_whole ? width / sample.width : 1, sy = is_whole ? height / sample.height : 1;
  double left = is_whole ? 0 : floor((width - n) / 2), top = is_whole ? 0 : floor((height - n) / 2);
  for (int i = 0; i < 6; i += 3) {
    sample.transform[i] = g->transform[i] * sx;
    sample.transform[i + 1] = g->transform[i + 1] * sy;
  }
  sc_grid_xy(g, left, top, &sample.transform[2], &sample.transform[5]);
  sc_chip_lay_warps(&sample);
  return sample;
}

static sc_status find_ranges(struct tile *t, struct sc_chip *chip, const struct sc_grid *grid,
                             double ranges[3][2], struct sc_error *err) {
  const struct sc_chip_options *o = &t->options->chip;
  struct sc_chip shown = *chip;
  sc_status st = SC_OK;
  if (!o->has_rescale) {
    shown = sample_of(chip, grid);
    st = sc_chips_read(t->c, &shown, 1, o, &t->read, err);
    sc_chip_lay_warps(chip);
  }
  for (int k = 0; k < chip->n_bands && !st; k++)
    st = sc_view_range(&shown, 1, k, o, &t->read, ranges[k], err);
  return st;
}

/* Draw the pixels that are open and valid in all bands. */
static void draw(struct tile *t, int n_bands, double ranges[3][2]) {
  const double *values = (const double *)(const void *)t->read.pixels;
  size_t n = (size_t)t->like.width * (size_t)t->like.height;
  for (size_t i = 0; i < n; i++) {
    uint8_t *to = t->pixels + 4 * i;
    int is_valid = !to[3];
    for (int k = 0; k < n_bands; k++) is_valid = is_valid && t->read.valid[(size_t)k * n + i];
    if (!is_valid) continue;
    for (int k = 0; k < 3; k++) {
      int band = n_bands == 1 ? 0 : k;
      to[k] = sc_view_byte(values[(size_t)band * n + i], ranges[band]);
    }
    to[3] = 255;
    t->n_open--;
  }
}

/* Draw an item, or a frozen chip, whose pixels lie on `grid`. */
static sc_status draw_item(struct tile *t, const struct sc_chip_name *name,
                           const struct sc_grid *grid, struct sc_error *err) {
  const struct sc_chip_options *o = &t->options->chip;
  struct sc_chip chip;
  double ranges[3][2];
  sc_status st = sc_chip_open_on(t->c, name, o, &t->like, &chip, err);
  if (st) return st;
  if (chip.n_bands != 1 && chip.n_bands != 3) {
    st = sc_fail(err, SC_BAD_ARG, "item %s: %d bands; a tile has 1 or 3: name them in 'assets'",
                 chip.scene->item.id, chip.n_bands);
  }
  if (!st) st = find_ranges(t, &chip, grid, ranges, err);
  if (!st) st = sc_chips_read(t->c, &chip, 1, o, &t->read, err);
  if (!st) draw(t, chip.n_bands, ranges);
  sc_chip_close(&chip);
  return st;
}

/* --- rows --- */

/* By its key: a scene that failed is forgotten, and its next chip opens another one. */
static int is_same(const struct sc_cached_scene *a, const struct sc_cached_scene *b) {
  return a->key_bytes == b->key_bytes && memcmp(a->key, b->key, a->key_bytes) == 0;
}

static int was_seen(const struct tile *t, const struct sc_cached_scene *scene) {
  for (size_t i = 0; i < t->n_seen; i++)
    if (is_same(t->seen[i], scene)) return 1;
  return t->away && is_same(t->away, scene);
}

/* Look at the item of a located chip, if it was not looked at. */
static sc_status take_item(struct tile *t, const struct sc_chip_name *name, struct sc_chip *chip,
                           struct sc_error *err) {
  int is_near;
  if (was_seen(t, chip->cached)) return SC_OK;
  sc_status st = meets(t, &chip->scene->grid, &is_near, err);
  if (st) return st;
  if (!is_near) {
    sc_scenes_release(t->away);
    t->away = chip->cached; /* with the chip's hold on it */
    chip->cached = NULL;
    return SC_OK;
  }
  t->seen[t->n_seen++] = chip->cached;
  chip->cached = NULL;
  t->n_drawn++;
  return draw_item(t, name, &chip->scene->grid, err);
}

/* Of a frozen data set there are chips alone: each is an item of its own. */
static sc_status take_frozen(struct tile *t, const struct sc_chip_name *name,
                             struct sc_error *err) {
  struct sc_chip place;
  int is_near;
  sc_status st = sc_chip_open_place(t->c, name, &t->options->chip, &place, err);
  if (st) return st;
  struct sc_grid grid = {.crs = (char *)(size_t)sc_chip_crs(&place),
                         .width_px = place.width,
                         .height_px = place.height};
  sc_chip_transform(&place, grid.transform);
  st = meets(t, &grid, &is_near, err);
  if (!st && is_near) {
    t->n_drawn++;
    st = draw_item(t, name, &grid, err);
  }
  sc_chip_close(&place);
  return st;
}

static sc_status take_named(struct tile *t, const struct sc_chip_name *name, struct sc_error *err) {
  struct sc_chip chip;
  sc_status st = sc_chip_locate(t->c, name, &t->options->chip, &chip, err);
  if (st) return st;
  st = chip.cached->frozen ? take_frozen(t, name, err) : take_item(t, name, &chip, err);
  sc_chip_close(&chip);
  return st;
}

static sc_status take_row(struct tile *t, sqlite3_value *row, struct sc_error *err) {
  if (sqlite3_value_type(row) == SQLITE_NULL) return SC_OK;
  const struct sc_chip_name name = sc_chip_name_of(row);
  if (!name.is_rowid && !name.text) return sc_fail_nomem(err);
  sc_status st = take_named(t, &name, err);
  int may_skip = t->options->chip.on_error == SC_ON_ERROR_SKIP && sc_on_error_applies(st);
  return may_skip ? SC_OK : st;
}

static sc_status take_rows(struct tile *t, const char *query, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  struct sc_buffer box = {0};
  int is_row = 1;
  sc_status st = box_blob(&t->box, &box, err);
  sc_connection_begin_query(t->c);
  if (!st) st = sc_samples_prepare(t->c->db, WHAT, query, &stmt, err);
  int at = st ? 0 : sqlite3_bind_parameter_index(stmt, ":tile");
  if (at) sqlite3_bind_blob64(stmt, at, box.data, box.size, SQLITE_STATIC);
  while (!st && t->n_open && t->n_drawn < t->options->limit) {
    st = sc_db_next(stmt, &is_row, err);
    if (st) sc_fail_within(err, WHAT ": the query");
    if (st || !is_row) break;
    st = take_row(t, sqlite3_column_value(stmt, 0), err);
    if (!st) st = sc_interrupt_check(err);
  }
  sqlite3_finalize(stmt);
  sc_connection_end_query(t->c);
  sc_buffer_free(&box);
  return st;
}

/* --- the function --- */

static sc_status read_place(sqlite3_value **values, int64_t zxy[3], struct sc_error *err) {
  static const char *const names[] = {"z", "x", "y"};
  for (int i = 0; i < 3; i++) {
    long long most = i == 0 ? ZOOM_MAX : ((long long)1 << zxy[0]) - 1;
    zxy[i] = sqlite3_value_int64(values[i]);
    if (sqlite3_value_type(values[i]) == SQLITE_INTEGER && zxy[i] >= 0 && zxy[i] <= most) continue;
    return sc_fail(err, SC_BAD_ARG,
                   WHAT ": %s: expected a whole number from 0 to %lld, found %.40s", names[i], most,
                   (const char *)sqlite3_value_text(values[i]));
  }
  return SC_OK;
}

static sc_status make_tile(struct sc_connection *c, sqlite3_value **values,
                           const struct tile_options *options, struct sc_buffer *out,
                           struct sc_error *err) {
  struct tile t = {.c = c, .options = options};
  const char *query = (const char *)sqlite3_value_text(values[3]);
  const struct sc_raster_api *raster = sc_raster(err);
  int64_t zxy[3];
  if (!raster) return err->status;
  sc_status st = query ? read_place(values, zxy, err) : sc_fail_nomem(err);
  if (!st) st = tile_init(&t, zxy, err);
  if (!st) st = take_rows(&t, query, err);
  size_t n = (size_t)t.like.width * (size_t)t.like.height;
  if (!st && t.n_open < n)
    st = raster->picture(SC_PICTURE_PNG, t.pixels, t.like.width, t.like.height, 4, out, err);
  tile_free(&t);
  return st;
}

static const struct sc_option own_table[] = {
    {"size", SC_OPTION_INT, offsetof(struct tile_options, size_px), SIZE_MIN_PX, SIZE_MAX_PX, NULL,
     "256", "pixels on a side"},
    {"limit", SC_OPTION_INT, offsetof(struct tile_options, limit), 1, LIMIT_MAX, NULL, "64",
     "items that are opened for a tile"},
};

static sc_status read_options(const char *text, struct tile_options *out, struct sc_error *err) {
  const struct sc_option_set set = {own_table, sizeof own_table / sizeof *own_table, out, NULL};
  out->size_px = SIZE_DEFAULT_PX;
  out->limit = LIMIT_DEFAULT;
  return sc_chip_options_parse_with(text, SC_OPTIONS_TILE, &set, &out->chip, err);
}

static void tile_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct tile_options options = {0};
  struct sc_buffer out = {0};
  struct sc_error err = {0};
  for (int i = 0; i < 4; i++)
    if (sqlite3_value_type(values[i]) == SQLITE_NULL) return;
  sc_status st = sc_connection_check_direct(c, &err);
  if (!st)
    st = read_options(n > 4 ? (const char *)sqlite3_value_text(values[4]) : NULL, &options, &err);
  if (!st) {
    c->run = sc_call_run(context, c);
    st = make_tile(c, values, &options, &out, &err);
    c->run = 0;
  }
  if (st) {
    sc_call_fail(context, &options.chip, &err);
  } else if (out.size) {
    sc_result_give(context, &out);
  }
  sc_buffer_free(&out);
  sc_chip_options_free(&options.chip);
}

static const struct sc_help tile_help = {
    .name = "stacchip_tile",
    .kind = SC_HELP_SCALAR,
    .about =
        "a tile of a web map of the items that a query names, as PNG; NULL where none has a valid "
        "pixel",
    .arguments =
        (const struct sc_help_name[]){
            {"z", "INTEGER", NULL, "zoom"},
            {"x", "INTEGER", NULL, "column, from the west"},
            {"y", "INTEGER", NULL, "row, from the north"},
            {"query", "TEXT", NULL,
             "SQL whose first column is a handle; :tile in it is the box of the tile"},
            SC_HELP_OPTIONS,
            {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(own_table)},
                {"option", "", &sc_chip_option_tables[SC_OPTIONS_TILE]}},
    .example =
        "SELECT stacchip_tile(12, 1332, 2440, 'SELECT row FROM stacchip_index(''item.json'')')",
};

int sc_tile_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {WHAT, 4, SQLITE_DIRECTONLY, tile_func, 0, 0},
      {WHAT, 5, SQLITE_DIRECTONLY, tile_func, 0, 0},
  };
  sc_connection_help(c, &tile_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
