/*
 * stacchip_zonal(source, geometry [, options]): statistics of the pixels that polygons cover.
 *
 * HOW IT WORKS  Each band is looked at on its own pixels, never resampled: the polygons are brought
 * to the scene's grid once, and from there to the pixels of each asset. Tiles of these, whole
 * blocks of the file, are taken one after another, so that no geometry is too large; where a tile
 * has no covered pixel, none is read.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/cover.h"
#include "pixels/spot.h"
#include "pixels/zonal_stats.h"

#define TILE_PX                                                                                    \
  (1 << 22)                /* values of a tile, all bands together: 72 MB while they are worked on \
                            */
#define TILE_SIDE_PX 16384 /* of files in strips, whose blocks are as wide as they are */

/* One run of bands on the same pixels, and what is found of them. */
struct work {
  struct sc_connection *c;
  const struct sc_chip_options *options;
  const struct sc_spot *spot;
  int begin, end; /* bands */
  enum sc_cover_rule rule;
  struct sc_window all; /* the pixels of the raster that the geometry's box touches */
  int64_t tile_width, tile_height;
  double *share;                /* of a tile */
  struct sc_spot_pixels pixels; /* of it */
  struct sc_zonal *bands;       /* end - begin */
  double weight;                /* of what the geometry covers of the raster */
};

static sc_status check_polygons(const struct sc_spot *spot, struct sc_error *err) {
  int has_points = spot->kinds >> SC_SHAPE_POINT & 1;
  if (!has_points && !(spot->kinds >> SC_SHAPE_LINE & 1)) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "expected a POLYGON or MULTIPOLYGON, found %s (stacchip_sample() gives values at "
                 "points)",
                 has_points ? "a point" : "a line");
}

/* --- tiles --- */

static void choose_tiles(struct work *w) {
  const struct sc_opened_asset *asset = w->spot->chip.bands[w->begin].asset;
  const struct sc_raster_info *info = &asset->info;
  struct sc_box box = sc_cover_box(&w->spot->shape, &asset->mapping);
  double more = w->rule == SC_COVER_TOUCHED; /* GDAL has edges touch pixels on both sides of them */
  double left = fmax(floor(box.min_x) - more, 0), right = fmin(ceil(box.max_x) + more, info->width);
  double top = fmax(floor(box.min_y) - more, 0),
         bottom = fmin(ceil(box.max_y) + more, info->height);
  if (!(left < right && top < bottom)) return;
  w->all = (struct sc_window){(int64_t)left, (int64_t)top, (int64_t)(right - left),
                              (int64_t)(bottom - top)};
  int64_t block_width = info->block_width > 0 ? info->block_width : 256;
  int64_t block_height = info->block_height > 0 ? info->block_height : 256;
  w->tile_width = block_width < TILE_SIDE_PX ? block_width : TILE_SIDE_PX;
  w->tile_height = TILE_PX / w->tile_width / (w->end - w->begin);
  if (w->tile_height < 1) w->tile_height = 1;
  if (block_height < w->tile_height) w->tile_height -= w->tile_height % block_height;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The window of the tile that begins at a pixel, and ends where a whole tile of the file does. */
static struct sc_window tile_at(const struct work *w, int64_t x, int64_t y) {
  int64_t right = least((x / w->tile_width + 1) * w->tile_width, w->all.x + w->all.width_px);
  int64_t bottom = least((y / w->tile_height + 1) * w->tile_height, w->all.y + w->all.height_px);
  return (struct sc_window){x, y, right - x, bottom - y};
}

/* Keep of a tile's rows those with covered pixels; the shares begin with the first of them. */
static const double *covered_rows(const double *share, struct sc_window *tile) {
  int64_t width = tile->width_px, first = tile->height_px, last = -1;
  for (int64_t r = 0; r < tile->height_px; r++) {
    int64_t i = 0;
    while (i < width && !(share[r * width + i] > 0)) i++;
    if (i == width) continue;
    if (last < 0) first = r;
    last = r;
  }
  tile->y += first;
  tile->height_px = last < 0 ? 0 : last - first + 1;
  return share + first * width;
}

static sc_status add_tile(struct work *w, struct sc_window tile, struct sc_error *err) {
  const struct sc_mapping *mapping = &w->spot->chip.bands[w->begin].asset->mapping;
  sc_status st = sc_cover_find(&w->spot->shape, mapping, w->rule, &tile, w->share, err);
  if (st) return st;
  const double *share = covered_rows(w->share, &tile);
  size_t n = (size_t)(tile.width_px * tile.height_px);
  if (n == 0) return SC_OK;
  for (size_t i = 0; i < n; i++) w->weight += share[i];
  struct sc_chip window = sc_spot_window(&w->spot->chip, w->begin, w->end, &tile);
  st = sc_spot_read(w->c, &window, w->options, &w->pixels, err);
  for (int k = 0; k < window.n_bands && !st; k++) {
    st = sc_zonal_add(&w->bands[k], w->options, w->pixels.values + (size_t)k * n, share,
                      w->pixels.valid + (size_t)k * n, n, err);
  }
  return st;
}

static sc_status add_tiles(struct work *w, struct sc_error *err) {
  int64_t right = w->all.x + w->all.width_px, bottom = w->all.y + w->all.height_px;
  if (w->all.width_px == 0) return SC_OK;
  size_t most =
      (size_t)(least(w->tile_width, w->all.width_px) * least(w->tile_height, w->all.height_px));
  w->share = sc_alloc(most * sizeof *w->share);
  if (!w->share) return sc_fail_nomem(err);
  sc_status st = SC_OK;
  for (int64_t y = w->all.y; y < bottom && !st;) {
    struct sc_window tile = {0, 0, 0, 0};
    for (int64_t x = w->all.x; x < right && !st; x += tile.width_px) {
      tile = tile_at(w, x, y);
      st = add_tile(w, tile, err);
    }
    y += tile.height_px;
  }
  return st;
}

/* --- a geometry --- */

/* The weight of the whole geometry: what was covered, and what lies outside the raster, by area. */
static sc_status add_outside(struct work *w, struct sc_error *err) {
  const struct sc_opened_asset *asset = w->spot->chip.bands[w->begin].asset;
  int width = asset->info.width, height = asset->info.height;
  struct sc_box box = sc_cover_box(&w->spot->shape, &asset->mapping);
  double outside;
  if (box.min_x >= 0 && box.min_y >= 0 && box.max_x <= width && box.max_y <= height) return SC_OK;
  sc_status st =
      sc_cover_area_outside(&w->spot->shape, &asset->mapping, width, height, &outside, err);
  if (!st) w->weight += outside;
  return st;
}

static sc_status add_bands(struct work *w, cJSON *to, struct sc_error *err) {
  choose_tiles(w);
  w->bands = sc_alloc_zero((size_t)(w->end - w->begin), sizeof *w->bands);
  sc_status st = w->bands ? add_tiles(w, err) : sc_fail_nomem(err);
  if (!st) st = add_outside(w, err);
  for (int k = w->begin; k < w->end && w->bands; k++) {
    struct sc_zonal *band = &w->bands[k - w->begin];
    cJSON *json = NULL;
    if (!st) st = sc_zonal_json(band, w->options, w->weight, &json, err);
    if (json) cJSON_AddItemToObject(to, w->spot->chip.bands[k].name, json);
    sc_zonal_free(band);
  }
  sc_free(w->bands);
  sc_free(w->share);
  sc_spot_pixels_free(&w->pixels);
  return st;
}

static sc_status make_json(struct sc_connection *c, const struct sc_spot *spot,
                           const struct sc_chip_options *options, char **out,
                           struct sc_error *err) {
  cJSON *json = cJSON_CreateObject();
  sc_status st = json ? SC_OK : sc_fail_nomem(err);
  for (int begin = 0, end = 0; begin < spot->chip.n_bands && !st; begin = end) {
    end = sc_spot_bands_end(&spot->chip, begin);
    struct work w = {.c = c, .options = options, .spot = spot, .begin = begin, .end = end};
    w.rule = options->weights       ? SC_COVER_SHARE
             : options->all_touched ? SC_COVER_TOUCHED
                                    : SC_COVER_CENTRE;
    st = add_bands(&w, json, err);
  }
  if (!st && !(*out = cJSON_PrintUnformatted(json))) st = sc_fail_nomem(err);
  cJSON_Delete(json);
  return st;
}

static sc_status zonal(struct sc_connection *c, const struct sc_spot *spot,
                       const struct sc_chip_options *options, char **out, struct sc_error *err) {
  sc_status st = check_polygons(spot, err);
  return st ? st : make_json(c, spot, options, out, err);
}

static void zonal_func(sqlite3_context *context, int n, sqlite3_value **values) {
  sc_spot_call(context, n, values, zonal, SC_OPTIONS_ZONAL);
}

static const struct sc_help zonal_help = {
    .name = "stacchip_zonal",
    .kind = SC_HELP_SCALAR,
    .about = "JSON with statistics of the pixels that a polygon covers",
    .arguments =
        (const struct sc_help_name[]){
            {"source", "TEXT or INTEGER", NULL,
             "a handle, or an item, or a raster, by path or URL"},
            {"geometry", "BLOB", NULL, "a polygon or multipolygon, in longitude and latitude"},
            SC_HELP_OPTIONS,
            {0}},
    .options = {{"option", "", &sc_chip_option_tables[SC_OPTIONS_ZONAL]}},
    .example =
        "SELECT stacchip_zonal('item.json', BuildMbr(-62.90, -32.62, -62.89, -32.61, 4326), "
        "'{\"assets\": \"red\"}')",
};

int sc_zonal_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_zonal", 2, SQLITE_DIRECTONLY, zonal_func, 0, 0},
      {"stacchip_zonal", 3, SQLITE_DIRECTONLY, zonal_func, 0, 0},
  };
  sc_connection_help(c, &zonal_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
