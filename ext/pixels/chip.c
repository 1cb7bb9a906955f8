/* One chip: its bands, and reading them; see chip.h. */
#include "pixels/chip.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "index/lattice.h"
#include "pixels/frozen.h"
#include "pixels/harmonize.h"
#include "pixels/layers.h"
#include "pixels/locate.h"
#include "pixels/target.h"
#include "stac/validity.h"

void sc_chip_close(struct sc_chip *chip) {
  sc_scenes_release(chip->cached);
  sc_free(chip->bands);
  sc_free(chip->crs);
  sc_frozen_close(chip->frozen);
  sc_layers_close(chip);
  memset(chip, 0, sizeof *chip);
}

/* --- bands --- */

/* Entry i of the band lists of an asset that may say scale and offset. */
static const cJSON *band_entry(const struct sc_asset *asset, const char *list, int band) {
  const cJSON *array = cJSON_GetObjectItemCaseSensitive(asset->json, list);
  return cJSON_IsArray(array) ? cJSON_GetArrayItem(array, band - 1) : NULL;
}

static int read_number(const cJSON *object, const char *key, const char *prefixed, double *out) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
  if (!cJSON_IsNumber(value)) value = cJSON_GetObjectItemCaseSensitive(object, prefixed);
  if (!cJSON_IsNumber(value)) return 0;
  *out = value->valuedouble;
  return 1;
}

/* Scale and offset: STAC 1.1 bands, raster extension v1, asset level, else the file's. */
static void read_scale(const struct sc_asset *asset, const struct sc_band_info *info,
                       struct sc_chip_band *band) {
  const cJSON *places[] = {band_entry(asset, "bands", band->band),
                           band_entry(asset, "raster:bands", band->band), asset->json};
  band->scale = info->scale;
  band->offset = info->offset;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    double scale = 1, offset = 0;
    int has = read_number(places[i], "scale", "raster:scale", &scale);
    has |= read_number(places[i], "offset", "raster:offset", &offset);
    if (!has) continue;
    band->scale = scale;
    band->offset = offset;
    return;
  }
}

static void name_band(const struct sc_asset *asset, const struct sc_band_info *info, int several,
                      struct sc_chip_band *band) {
  static const char *const lists[] = {"bands", "eo:bands"};
  const char *name = NULL;
  for (int i = 0; i < 2 && !name; i++) {
    const cJSON *entry = band_entry(asset, lists[i], band->band);
    name = sc_json_text(entry, "name");
  }
  if (!name && info->name[0]) name = info->name;
  if (!several) {
    snprintf(band->name, sizeof band->name, "%s", asset->key);
  } else if (name) {
    snprintf(band->name, sizeof band->name, "%.40s:%.38s", asset->key, name);
  } else {
    snprintf(band->name, sizeof band->name, "%.60s:%d", asset->key, band->band);
  }
}

static sc_status add_bands(struct sc_connection *c, struct sc_chip *chip,
                           const struct sc_asset_band *from, const struct sc_chip_options *options,
                           struct sc_error *err) {
  struct sc_opened_asset *opened;
  sc_status st = sc_scenes_asset(c, chip->cached, from->asset, &opened, err);
  if (st) return st;
  int first = from->band ? from->band : 1, last = from->band ? from->band : opened->info.n_bands;
  if (last > opened->info.n_bands) {
    return sc_fail(err, SC_NOT_FOUND, "item %s: asset %s has no band %d; its file has %d",
                   chip->scene->item.id, from->asset->key, last, opened->info.n_bands);
  }
  struct sc_chip_band *bands =
      sc_realloc(chip->bands, (size_t)(chip->n_bands + last - first + 1) * sizeof *bands);
  if (!bands) return sc_fail_nomem(err);
  chip->bands = bands;
  for (int i = first; i <= last; i++) {
    const struct sc_band_info *info = &opened->info.bands[i - 1];
    struct sc_chip_band *b = &bands[chip->n_bands++];
    memset(b, 0, sizeof *b);
    b->asset = opened;
    b->key = from->asset->key;
    b->band = i;
    b->n_bands_of_asset = last - first + 1;
    b->dtype = info->dtype;
    b->validity =
        sc_validity_find(&chip->scene->item, from->asset, &chip->scene->rule, &opened->info, i);
    b->resampling = options->resampling;
    read_scale(from->asset, info, b);
    name_band(from->asset, info, last > first || from->band, b);
    if (b->dtype == SC_DTYPE_NONE) {
      return sc_fail(err, SC_UNSUPPORTED, "item %s: asset %s: its pixel type is not supported",
                     chip->scene->item.id, from->asset->key);
    }
  }
  return SC_OK;
}

static int has_raster_assets(const struct sc_item *item) {
  for (size_t i = 0; i < item->n_assets; i++) {
    if (sc_asset_pixels(&item->assets[i])) return 1;
  }
  return 0;
}

static sc_status fail_no_rasters(const struct sc_item *item, struct sc_error *err) {
  return sc_fail(err, SC_NOT_FOUND, "item %s has no raster assets", item->id);
}

static sc_status fail_no_asset(const struct sc_item *item, const char *name, struct sc_error *err) {
  char list[512];
  if (!has_raster_assets(item)) return fail_no_rasters(item, err);
  sc_item_list_assets(item, list, sizeof list);
  return sc_fail(err, SC_NOT_FOUND, "item %s has no asset '%s'; assets with pixels: %s", item->id,
                 name, list);
}

/* The kernels that the option names by asset or band. */
static sc_status choose_kernels(struct sc_chip *chip, const struct sc_chip_options *options,
                                struct sc_error *err) {
  const struct sc_item *item = &chip->scene->item;
  const cJSON *entry;
  cJSON_ArrayForEach(entry, options->resampling_by_asset) {
    struct sc_asset_band found = {0};
    if (strcmp(entry->string, "*") == 0) continue;
    if (!sc_item_find(item, entry->string, &found)) return fail_no_asset(item, entry->string, err);
    for (int i = 0; i < chip->n_bands; i++) {
      struct sc_chip_band *b = &chip->bands[i];
      if (strcmp(b->key, found.asset->key) == 0 && (!found.band || found.band == b->band))
        b->resampling = sc_chip_options_kernel(entry);
    }
  }
  return SC_OK;
}

/* Class and quality masks have no values between their values. */
static void keep_mask_nearest(struct sc_chip *chip) {
  const struct sc_scene *s = chip->scene;
  for (int i = 0; i < chip->n_bands; i++) {
    if (s->has_mask && strcmp(chip->bands[i].key, s->mask.asset->key) == 0 && s->rule.name) {
      const cJSON *cloud = cJSON_GetObjectItemCaseSensitive(s->rule.json, "cloud");
      int by_value = cJSON_IsString(cloud) && strcmp(cloud->valuestring, "0") != 0;
      if (by_value) chip->bands[i].resampling = SC_NEAREST;
    }
  }
}

/* "asset:band", as the bands of a chip are named: found->band stays 0 for other texts. */
static sc_status find_qualified(struct sc_connection *c, struct sc_chip *chip, const char *name,
                                struct sc_asset_band *found, struct sc_error *err) {
  const struct sc_item *item = &chip->scene->item;
  const char *colon = strrchr(name, ':');
  struct sc_opened_asset *opened;
  char *key = NULL;
  if (!colon) return SC_OK;
  sc_status st = sc_strndup(name, (size_t)(colon - name), &key, err);
  int is_asset = !st && sc_item_find(item, key, found) && found->band == 0;
  if (is_asset) st = sc_scenes_asset(c, chip->cached, found->asset, &opened, err);
  for (int i = 1; is_asset && !st && i <= opened->info.n_bands; i++) {
    struct sc_chip_band b = {.band = i};
    name_band(found->asset, &opened->info.bands[i - 1], 1, &b);
    if (strcmp(b.name, name) == 0) found->band = i;
  }
  sc_free(key);
  return st;
}

static sc_status add_named(struct sc_connection *c, struct sc_chip *chip, const cJSON *name,
                           const struct sc_chip_options *options, struct sc_error *err) {
  const struct sc_item *item = &chip->scene->item;
  struct sc_asset_band found = {0};
  if (!sc_item_find(item, name->valuestring, &found)) {
    sc_status st = find_qualified(c, chip, name->valuestring, &found, err);
    if (st) return st;
    if (!found.band) return fail_no_asset(item, name->valuestring, err);
  }
  return add_bands(c, chip, &found, options, err);
}

static sc_status fail_rule_assets(const struct sc_scene *s, const cJSON *names,
                                  struct sc_error *err) {
  char list[512], *text = cJSON_PrintUnformatted(names);
  sc_item_list_assets(&s->item, list, sizeof list);
  sc_fail_text(err, SC_NOT_FOUND,
               "item %s lacks some of the assets %s of platform %s; assets with pixels: %s",
               s->item.id, text ? text : "", sc_scene_platform(s), list);
  cJSON_free(text);
  return err->status;
}

/* The rule's list must be complete: a band that is not there is no band of zeros. */
static sc_status add_rule_bands(struct sc_connection *c, struct sc_chip *chip,
                                const struct sc_chip_options *options, struct sc_error *err) {
  const struct sc_scene *s = chip->scene;
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(s->rule.json, "assets");
  size_t wanted = cJSON_IsArray(names) ? (size_t)cJSON_GetArraySize(names) : s->n_assets;
  sc_status st = SC_OK;
  if (s->n_assets == 0) return fail_no_rasters(&s->item, err);
  if (s->n_assets < wanted) return fail_rule_assets(s, names, err);
  for (size_t i = 0; i < s->n_assets && !st; i++) {
    st = add_bands(c, chip, &s->assets[i], options, err);
  }
  return st;
}

/* Pictures want red, green and blue, where the item has them. */
static sc_status add_picture_bands(struct sc_connection *c, struct sc_chip *chip,
                                   const struct sc_chip_options *options, struct sc_error *err) {
  static const char *const colors[] = {"red", "green", "blue"};
  const struct sc_item *item = &chip->scene->item;
  struct sc_asset_band found[3];
  int n = 0;
  while (n < 3 && sc_item_find(item, colors[n], &found[n])) n++;
  sc_status st = SC_OK;
  for (int i = 0; i < n && n == 3 && !st; i++) st = add_bands(c, chip, &found[i], options, err);
  if (n == 3 && !st && chip->n_bands == 3) return SC_OK;
  chip->n_bands = 0;
  if (!st) st = add_rule_bands(c, chip, options, err);
  if (!st && chip->n_bands > 3) chip->n_bands = 3;
  if (!st && chip->n_bands == 2) chip->n_bands = 1;
  return st;
}

static sc_status choose_bands(struct sc_connection *c, struct sc_chip *chip,
                              const struct sc_chip_options *options, struct sc_error *err) {
  const cJSON *name;
  sc_status st = SC_OK;
  if (cJSON_IsString(options->assets)) return add_named(c, chip, options->assets, options, err);
  if (options->assets) {
    cJSON_ArrayForEach(name, options->assets) {
      if (!st) st = add_named(c, chip, name, options, err);
    }
    return st;
  }
  int is_picture = sc_format_is_picture(options->format);
  return is_picture ? add_picture_bands(c, chip, options, err)
                    : add_rule_bands(c, chip, options, err);
}

static int is_float(enum sc_dtype t) { return t == SC_DTYPE_F32 || t == SC_DTYPE_F64; }
static int is_signed(enum sc_dtype t) {
  return t == SC_DTYPE_I8 || t == SC_DTYPE_I16 || t == SC_DTYPE_I32 || t == SC_DTYPE_I64;
}

/* Does a float not hold every value (or part) of it? */
static int is_wide(enum sc_dtype t) {
  return t == SC_DTYPE_C128 || (t != SC_DTYPE_C64 && t != SC_DTYPE_F32 && sc_dtype_bytes(t) >= 4);
}

/* The smallest type that holds both, as numpy.promote_types() has it. */
enum sc_dtype sc_dtype_promote(enum sc_dtype a, enum sc_dtype b) {
  static const enum sc_dtype unsigned_of[] = {0, SC_DTYPE_U8, SC_DTYPE_U16, 0, SC_DTYPE_U32, 0,
                                              0, 0,           SC_DTYPE_U64};
  static const enum sc_dtype signed_of[] = {0, SC_DTYPE_I8, SC_DTYPE_I16, 0, SC_DTYPE_I32, 0,
                                            0, 0,           SC_DTYPE_I64};
  size_t na = sc_dtype_bytes(a), nb = sc_dtype_bytes(b);
  if (a == SC_DTYPE_NONE || a == b) return b;
  if (b == SC_DTYPE_NONE) return a;
  if (sc_dtype_is_complex(a) || sc_dtype_is_complex(b)) {
    return is_wide(a) || is_wide(b) ? SC_DTYPE_C128 : SC_DTYPE_C64;
  }
  if (is_float(a) || is_float(b)) {
    size_t integer = is_float(a) ? (is_float(b) ? 0 : nb) : na;
    int wide = a == SC_DTYPE_F64 || b == SC_DTYPE_F64 || integer >= 4;
    return wide ? SC_DTYPE_F64 : SC_DTYPE_F32;
  }
  if (is_signed(a) == is_signed(b)) {
    size_t n = na > nb ? na : nb;
    return is_signed(a) ? signed_of[n] : unsigned_of[n];
  }
  size_t n_unsigned = is_signed(a) ? nb : na, n_signed = is_signed(a) ? na : nb;
  size_t n = n_signed > n_unsigned ? n_signed : 2 * n_unsigned;
  return n > 8 ? SC_DTYPE_F64 : signed_of[n];
}

static void choose_dtype(struct sc_chip *chip, const struct sc_chip_options *options) {
  enum sc_dtype native = SC_DTYPE_NONE;
  for (int i = 0; i < chip->n_bands; i++) native = sc_dtype_promote(native, chip->bands[i].dtype);
  chip->dtype = options->dtype   ? (enum sc_dtype)options->dtype
                : options->scale ? SC_DTYPE_F32
                                 : native;
}

/* What is worked on are numbers in an order. */
static sc_status check_real(const struct sc_chip *chip, struct sc_error *err) {
  for (int i = 0; i < chip->n_bands; i++) {
    if (!sc_dtype_is_complex(chip->bands[i].dtype)) continue;
    return sc_fail(
        err, SC_UNSUPPORTED,
        "item %s: asset %s: complex pixels support only format npy, npz, raw and geotiff, "
        "and not scale, harmonize, valid or a real dtype",
        chip->scene->item.id, chip->bands[i].key);
  }
  return SC_OK;
}

static void apply_buffer(struct sc_chip *chip, int64_t buffer) {
  if (chip->has_target) {
    double *t = chip->transform, n = (double)buffer;
    t[2] -= n * (t[0] + t[1]);
    t[5] -= n * (t[3] + t[4]);
    chip->width += 2 * (int)buffer;
    chip->height += 2 * (int)buffer;
    return;
  }
  chip->window.x -= buffer;
  chip->window.y -= buffer;
  chip->window.width_px += 2 * buffer;
  chip->window.height_px += 2 * buffer;
}

sc_status sc_chip_check_placed(const struct sc_chip *chip, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < chip->n_bands && !st; i++) {
    const struct sc_opened_asset *asset = chip->bands[i].asset;
    st = sc_mapping_check_placed(&asset->mapping, &asset->source, err);
  }
  return st;
}

sc_status sc_chip_open(struct sc_connection *c, sqlite3_value *value,
                       const struct sc_chip_options *options, struct sc_chip *out,
                       struct sc_error *err) {
  const struct sc_chip_name name = sc_chip_name_of(value);
  return sc_chip_open_named(c, &name, options, out, err);
}

const char *sc_chip_crs(const struct sc_chip *chip) {
  return chip->has_target ? chip->crs : chip->scene->grid.crs;
}

void sc_chip_transform(const struct sc_chip *chip, double out[6]) {
  const struct sc_grid *g = &chip->scene->grid;
  double sx = (double)chip->window.width_px / chip->width;
  double sy = (double)chip->window.height_px / chip->height;
  if (chip->has_target) {
    memcpy(out, chip->transform, sizeof chip->transform);
    return;
  }
  out[0] = g->transform[0] * sx, out[1] = g->transform[1] * sy;
  out[3] = g->transform[3] * sx, out[4] = g->transform[4] * sy;
  sc_grid_xy(g, (double)chip->window.x, (double)chip->window.y, &out[2], &out[5]);
}

sc_status sc_chip_footprint(const struct sc_chip *chip, int *has_place, struct sc_footprint *out,
                            struct sc_error *err) {
  struct sc_grid grid = {
      .crs = (char *)(size_t)sc_chip_crs(chip), .width_px = chip->width, .height_px = chip->height};
  const struct sc_window whole = {0, 0, chip->width, chip->height};
  *has_place = 0;
  sc_chip_transform(chip, grid.transform);
  return sc_window_footprint(&grid, &whole, has_place, out, err);
}

/* Gauss goes by whole pixels of the file and has no place between them. */
static sc_status check_kernels(const struct sc_chip *chip, struct sc_error *err) {
  for (int i = 0; i < chip->n_bands && chip->has_target; i++) {
    if (chip->bands[i].resampling < SC_GAUSS) continue;
    return sc_fail(
        err, SC_BAD_ARG,
        "option 'resampling': 'gauss' is for the item's own grid; expected for asset %s nearest, "
        "bilinear, cubic, cubicspline, lanczos, average or mode",
        chip->bands[i].key);
  }
  return SC_OK;
}

void sc_chip_lay_warps(struct sc_chip *chip) {
  const struct sc_grid *g = &chip->scene->grid;
  for (int i = 0; i < chip->n_bands; i++) {
    const struct sc_mapping *m = &chip->bands[i].asset->mapping;
    struct sc_warp *w = &chip->bands[i].warp;
    double column = -m->offset[0] / m->scale[0], row = -m->offset[1] / m->scale[1];
    w->from_crs = g->crs;
    w->to_crs = chip->crs;
    w->from[0] = g->transform[0] / m->scale[0], w->from[1] = g->transform[1] / m->scale[1];
    w->from[3] = g->transform[3] / m->scale[0], w->from[4] = g->transform[4] / m->scale[1];
    sc_grid_xy(g, column, row, &w->from[2], &w->from[5]);
    memcpy(w->to, chip->transform, sizeof w->to);
    if (chip->frozen) sc_frozen_lay_warp(chip->frozen, w);
  }
}

/* The grid of the output: by the options, or that of another chip. */
static sc_status find_target(struct sc_connection *c, const struct sc_chip_options *options,
                             const struct sc_chip *like, struct sc_chip *out,
                             struct sc_error *err) {
  if (!like) return sc_target_place(c, options, out, err);
  out->has_target = 1;
  out->width = like->width;
  out->height = like->height;
  sc_chip_transform(like, out->transform);
  return sc_strdup(sc_chip_crs(like), &out->crs, err);
}

/* What a chip that is located is to give. */
static sc_status choose_all(struct sc_connection *c, const struct sc_chip_options *options,
                            const struct sc_chip *like, struct sc_chip *out, struct sc_error *err) {
  int is_frozen = out->cached->frozen != NULL;
  sc_status st =
      is_frozen ? sc_frozen_open(c, options, out, err) : choose_bands(c, out, options, err);
  if (!st && out->n_bands == 0) st = fail_no_rasters(&out->scene->item, err);
  if (!st) st = find_target(c, options, like, out, err);
  /* Round a centre, or on another grid: it asks where. */
  if (!st && (out->x < 0 || out->has_target)) st = sc_chip_check_placed(out, err);
  if (!st) st = choose_kernels(out, options, err);
  if (!st) st = check_kernels(out, err);
  if (!st && options->dtype && !sc_dtype_is_complex((enum sc_dtype)options->dtype))
    st = check_real(out, err);
  if (!st && (options->harmonize || options->scale) && !is_frozen)
    st = sc_harmonize_find(c, out, options->harmonize, err);
  return st;
}

static void lay_output(const struct sc_chip_options *options, struct sc_chip *out) {
  sc_target_jitter(&options->target, out);
  apply_buffer(out, options->buffer_px);
  out->has_fill = options->has_fill;
  out->fill = options->fill;
  if (out->has_target) {
    sc_chip_lay_warps(out);
    return;
  }
  int is_picture = sc_format_is_picture(options->format);
  out->width = (int)(is_picture && options->size_px ? options->size_px : out->window.width_px);
  out->height = (int)(is_picture && options->size_px ? options->size_px : out->window.height_px);
}

/* The second part of opening a chip. Closes it where it fails. */
static sc_status open_located(struct sc_connection *c, const struct sc_chip_options *options,
                              const struct sc_chip *like, struct sc_chip *out,
                              struct sc_error *err) {
  sc_status st = choose_all(c, options, like, out, err);
  if (!st) {
    keep_mask_nearest(out);
    choose_dtype(out, options);
    lay_output(options, out);
    st = sc_layers_open(c, options, out, err);
  }
  if (!st) return SC_OK;
  sc_scenes_forget_failed(c, out->cached, st);
  sc_chip_close(out);
  return st;
}

sc_status sc_chip_open_on(struct sc_connection *c, const struct sc_chip_name *name,
                          const struct sc_chip_options *options, const struct sc_chip *like,
                          struct sc_chip *out, struct sc_error *err) {
  sc_status st = sc_chip_locate(c, name, options, out, err);
  return st ? st : open_located(c, options, like, out, err);
}

sc_status sc_chip_open_named(struct sc_connection *c, const struct sc_chip_name *name,
                             const struct sc_chip_options *options, struct sc_chip *out,
                             struct sc_error *err) {
  return sc_chip_open_on(c, name, options, NULL, out, err);
}

sc_status sc_chip_open_source(struct sc_connection *c, sqlite3_value *source,
                              const struct sc_chip_options *options, struct sc_chip *out,
                              struct sc_error *err) {
  sc_status st = sc_chip_locate_source(c, source, options, out, err);
  return st ? st : open_located(c, options, NULL, out, err);
}

sc_status sc_chip_open_place(struct sc_connection *c, const struct sc_chip_name *name,
                             const struct sc_chip_options *options, struct sc_chip *out,
                             struct sc_error *err) {
  sc_status st = sc_chip_locate(c, name, options, out, err);
  if (st) return st;
  if (out->cached->frozen) st = sc_frozen_place(c, options, out, err);
  if (!st) st = sc_target_place(c, options, out, err);
  if (st) {
    sc_scenes_forget_failed(c, out->cached, st);
    sc_chip_close(out);
    return st;
  }
  apply_buffer(out, options->buffer_px);
  if (out->has_target) return SC_OK;
  out->width = (int)out->window.width_px;
  out->height = (int)out->window.height_px;
  return SC_OK;
}

sc_status sc_chip_absent(const struct sc_chip *like, struct sc_chip *out, struct sc_error *err) {
  size_t bytes = (size_t)like->n_bands * sizeof *like->bands;
  *out = *like;
  out->cached = NULL;
  out->crs = NULL; /* its owner is the other, of layers too */
  out->layers = NULL;
  out->n_layers = 0;
  out->frozen = NULL;
  out->is_absent = 1;
  out->bands = sc_alloc(bytes);
  if (!out->bands) return sc_fail_nomem(err);
  memcpy(out->bands, like->bands, bytes);
  return SC_OK;
}

void sc_chip_delivered(const struct sc_chip_band *b, const struct sc_chip_options *options,
                       struct sc_delivered *out) {
  const struct sc_nodata *nodata = &b->validity.nodata;
  out->has_nodata = nodata->is_set;
  out->nodata = options->scale ? nodata->value * b->scale + b->offset : nodata->value;
  out->scale = options->scale ? 1 : b->scale;
  out->offset = options->scale || b->shift != 0 ? 0 : b->offset;
}

/* --- pixels --- */

size_t sc_chip_bytes(const struct sc_chip *chip, enum sc_dtype dtype) {
  return (size_t)chip->n_bands * (size_t)chip->width * (size_t)chip->height * sc_dtype_bytes(dtype);
}

sc_status sc_chip_check_size(const struct sc_chip *chip, size_t value_bytes, struct sc_error *err) {
  double bytes = (double)sc_chip_bytes(chip, SC_DTYPE_U8) * (double)value_bytes;
  if (bytes <= (double)SC_CALL_MAX_BYTES) return SC_OK;
  return sc_fail(
      err, SC_TOO_BIG,
      "item %s: a chip of %d bands of %d x %d pixels takes %.0f bytes to make; the limit is "
      "%zu: name fewer bands in 'assets', or take a smaller chip",
      chip->scene->item.id, chip->n_bands, chip->width, chip->height, bytes, SC_CALL_MAX_BYTES);
}

/* What band i has outside its asset. */
static double fill_of(const struct sc_chip *chip, int i) {
  const struct sc_nodata *nodata = &chip->bands[i].validity.nodata;
  return chip->has_fill ? chip->fill : nodata->is_set ? nodata->value : 0;
}

/* A place of the chip's window in pixels of an asset. */
static double asset_px(const struct sc_chip *chip, const struct sc_mapping *m, int axis,
                       int64_t at) {
  const struct sc_mapping *to = &chip->to;
  double grid_px = (double)at;
  if (to->scale[axis] > 0) grid_px = (grid_px - to->offset[axis]) / to->scale[axis];
  return sc_mapping_at(m, axis, grid_px);
}

void sc_chip_plan(const struct sc_chip *chip, void *pixels, enum sc_dtype dtype,
                  struct sc_read *reads) {
  size_t size = sc_dtype_bytes(dtype), row = size * (size_t)chip->width;
  for (int i = 0; i < chip->n_bands; i++) {
    const struct sc_chip_band *b = &chip->bands[i];
    const struct sc_mapping *m = &b->asset->mapping;
    const struct sc_window *w = &chip->window;
    double x = asset_px(chip, m, 0, w->x), y = asset_px(chip, m, 1, w->y);
    struct sc_read *r = &reads[i];
    memset(r, 0, offsetof(struct sc_read, err));
    r->source = &b->asset->source;
    r->band = b->band;
    r->validity = &b->validity;
    r->file_width = b->asset->info.width;
    r->file_height = b->asset->info.height;
    r->x = x;
    r->y = y;
    r->width = asset_px(chip, m, 0, w->x + w->width_px) - x;
    r->height = asset_px(chip, m, 1, w->y + w->height_px) - y;
    r->out_width = chip->width;
    r->out_height = chip->height;
    r->dtype = dtype;
    r->resampling = b->resampling;
    r->out = (unsigned char *)pixels + (size_t)i * row * (size_t)chip->height;
    r->row_bytes = row;
    r->fill = fill_of(chip, i);
    r->warp = chip->has_target ? &b->warp : NULL;
    r->err.status = SC_OK;
  }
}

/* Read chips of one shape as their files have them, in one call, so that a block is decoded once
 * for all that want it. Only those on a grid of their own tell to->valid. */
static sc_status read_plain(const struct sc_chip *chips, size_t n, const struct sc_chip_target *to,
                            struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  size_t n_bands = (size_t)chips[0].n_bands, bytes = sc_chip_bytes(&chips[0], to->dtype);
  size_t n_reads = 0, plane = (size_t)chips[0].width * (size_t)chips[0].height;
  if (!raster) return err->status;
  struct sc_read *reads = raster->memory_take(n * n_bands * sizeof *reads);
  if (!reads) return sc_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    if (chips[i].is_absent) continue;
    sc_chip_plan(&chips[i], to->pixels + i * bytes, to->dtype, reads + n_reads);
    for (size_t k = 0; k < n_bands && to->valid && chips[i].has_target; k++)
      reads[n_reads + k].valid = to->valid + (i * n_bands + k) * plane;
    n_reads += n_bands;
  }
  sc_status st = n_reads ? raster->read(reads, n_reads, sc_interrupted, NULL, err) : SC_OK;
  if (to->errors && st != SC_INTERRUPT && st != SC_NOMEM) {
    const struct sc_read *r = reads;
    for (size_t i = 0; i < n; i++) {
      struct sc_error *first = &to->errors[i];
      for (size_t k = 0; k < n_bands && !chips[i].is_absent; k++, r++)
        if (first->status == SC_OK && r->err.status) *first = r->err;
    }
    st = SC_OK;
  }
  raster->memory_give(reads);
  return st;
}

/* --- valid pixels --- */

/* Nothing outside the asset is valid: the same middles of pixels as are read. */
static void clear_outside(const struct sc_read *r, uint8_t *valid) {
  for (int j = 0; j < r->out_height; j++) {
    double y = floor(sc_read_middle(r->y, r->height, r->out_height, j));
    uint8_t *row = valid + (size_t)j * (size_t)r->out_width;
    int is_inside = y >= 0 && y < r->file_height;
    if (!is_inside) memset(row, 0, (size_t)r->out_width);
    for (int i = 0; i < r->out_width && is_inside; i++) {
      double x = floor(sc_read_middle(r->x, r->width, r->out_width, i));
      if (x < 0 || x >= r->file_width) row[i] = 0;
    }
  }
}

static int leaves(const struct sc_read *r) {
  return r->x < 0 || r->y < 0 || r->x + r->width > r->file_width ||
         r->y + r->height > r->file_height;
}

/* Of the bands of one file that have the same mask and alpha, the first is read. */
static int same_mask(const struct sc_chip_band *a, const struct sc_chip_band *b) {
  return a->asset == b->asset && a->validity.mask == b->validity.mask &&
         a->validity.alpha == b->validity.alpha;
}

/* What the masks and alpha bands of the files say; 1 where a file has none. */
static sc_status read_masks(const struct sc_chip *chip, uint8_t *valid, struct sc_read *reads,
                            struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  size_t n = (size_t)chip->width * (size_t)chip->height, n_reads = 0;
  if (!raster) return err->status;
  sc_chip_plan(chip, valid, SC_DTYPE_U8, reads);
  memset(valid, 1, (size_t)chip->n_bands * n);
  for (int i = 0; i < chip->n_bands; i++) {
    const struct sc_chip_band *b = &chip->bands[i];
    if (!sc_valid_by_mask(&b->validity) || (i > 0 && same_mask(b, b - 1))) continue;
    reads[i].band = SC_BAND_VALIDITY;
    reads[i].fill = 0;
    reads[n_reads++] = reads[i];
  }
  sc_status st = n_reads ? raster->read(reads, n_reads, sc_interrupted, NULL, err) : SC_OK;
  for (int i = 1; i < chip->n_bands && !st; i++) {
    const struct sc_chip_band *b = &chip->bands[i];
    if (sc_valid_by_mask(&b->validity) && same_mask(b, b - 1))
      memcpy(valid + (size_t)i * n, valid + (size_t)(i - 1) * n, n);
  }
  return st;
}

static int is_resampled(const struct sc_read *r) {
  return r->resampling != SC_NEAREST && (r->width != r->out_width || r->height != r->out_height ||
                                         r->x != floor(r->x) || r->y != floor(r->y));
}

/* Clear valid[] of the pixels that were read into r->out, as `dtype`. */
static sc_status clear_rows(const struct sc_chip_band *b, const struct sc_read *r,
                            enum sc_dtype dtype, uint8_t *valid, struct sc_error *err) {
  size_t n = (size_t)r->out_width, size = sc_dtype_bytes(dtype);
  const unsigned char *row = r->out;
  for (int j = 0; j < r->out_height; j++, row += n * size, valid += n) {
    if (sc_interrupt_check(err)) return err->status;
    sc_valid_pixels(&b->validity, row, dtype, size, n, valid);
  }
  return SC_OK;
}

/* Clear what one band shows to be invalid by its values: those at hand, or read in a type that
 * shows them. Resampled ones are looked at before they are rounded, which may make the nodata value
 * of others. */
static sc_status clear_by_value(const struct sc_chip_band *b, const struct sc_read *planned,
                                enum sc_dtype dtype, uint8_t *valid, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  int is_real = !sc_dtype_is_complex(b->dtype);
  enum sc_dtype wanted = is_resampled(planned) && is_real ? SC_DTYPE_F64 : b->dtype;
  int at_hand = planned->out &&
                (dtype == wanted || (wanted == b->dtype && sc_valid_shows(&b->validity, dtype)));
  if (at_hand) return clear_rows(b, planned, dtype, valid, err);
  if (!raster) return err->status;
  struct sc_read read = *planned;
  read.dtype = wanted;
  read.row_bytes = sc_dtype_bytes(wanted) * (size_t)planned->out_width;
  read.out = sc_alloc(read.row_bytes * (size_t)planned->out_height);
  if (!read.out) return sc_fail_nomem(err);
  sc_status st = raster->read(&read, 1, sc_interrupted, NULL, err);
  if (!st) st = clear_rows(b, &read, wanted, valid, err);
  sc_free(read.out);
  return st;
}

sc_status sc_chip_valid(const struct sc_chip *chip, const void *pixels, enum sc_dtype dtype,
                        uint8_t *valid, struct sc_error *err) {
  size_t n = (size_t)chip->width * (size_t)chip->height;
  struct sc_read *reads = sc_alloc_zero((size_t)chip->n_bands, sizeof *reads);
  sc_status st = reads ? read_masks(chip, valid, reads, err) : sc_fail_nomem(err);
  if (!st) sc_chip_plan(chip, (void *)(size_t)pixels, dtype, reads);
  for (int i = 0; i < chip->n_bands && !st; i++) {
    const struct sc_chip_band *b = &chip->bands[i];
    if (!pixels) reads[i].out = NULL;
    if (sc_valid_by_value(&b->validity))
      st = clear_by_value(b, &reads[i], dtype, valid + (size_t)i * n, err);
    if (!st && leaves(&reads[i])) clear_outside(&reads[i], valid + (size_t)i * n);
    if (!st) st = sc_interrupt_check(err);
  }
  sc_free(reads);
  return st;
}

/* --- reading --- */

/* Harmonize and scale n float64 values in place. */
static void work(const struct sc_chip_band *b, const struct sc_chip_options *options, double *v,
                 const uint8_t *ok, size_t n) {
  int scaled_shift = options->scale && b->offset != 0; /* the offset says it already */
  for (size_t i = 0; i < n && b->shift != 0 && !scaled_shift; i++) {
    if (ok[i]) v[i] = v[i] > b->shift ? v[i] - b->shift : 0;
  }
  for (size_t i = 0; i < n && options->scale; i++) v[i] = v[i] * b->scale + b->offset;
}

/* One chip by way of float64: to->valid says which pixels have values to work on. */
static sc_status read_worked(const struct sc_chip *chip, const struct sc_chip_options *options,
                             const struct sc_chip_target *to, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  size_t size = sc_dtype_bytes(to->dtype), n = sc_chip_bytes(chip, SC_DTYPE_U8);
  if (!raster) return err->status;
  if (check_real(chip, err)) return err->status;
  if (sc_chip_check_size(chip, sizeof(double) + 1 + size, err)) return err->status;
  double *values = sc_alloc(n * sizeof *values);
  if (!values) return sc_fail_nomem(err);
  struct sc_chip_target plain = {
      .dtype = SC_DTYPE_F64, .pixels = (unsigned char *)values, .valid = to->valid};
  sc_status st = read_plain(chip, 1, &plain, err);
  if (!st && !chip->has_target) st = sc_chip_valid(chip, values, SC_DTYPE_F64, to->valid, err);
  size_t row = (size_t)chip->width, rows_of_band = (size_t)chip->height;
  for (size_t at = 0, j = 0; at < n && !st; at += row, j++) {
    work(&chip->bands[j / rows_of_band], options, values + at, to->valid + at, row);
    raster->convert(values + at, SC_DTYPE_F64, sizeof *values, to->pixels + at * size, to->dtype,
                    size, row);
    st = sc_interrupt_check(err);
  }
  sc_free(values);
  return st;
}

/* Worked on, or as they are with their validity. */
static sc_status read_one(const struct sc_chip *chip, const struct sc_chip_options *options,
                          const struct sc_chip_target *to, struct sc_error *err) {
  if (!options->scale && !options->harmonize) {
    sc_status st =
        options->format == SC_FORMAT_GEOTIFF || !to->valid ? SC_OK : check_real(chip, err);
    if (!st) st = read_plain(chip, 1, to, err);
    if (st || chip->has_target || !to->valid) return st;
    return sc_chip_valid(chip, to->pixels, to->dtype, to->valid, err);
  }
  struct sc_chip_target with_valid = *to;
  uint8_t *own = to->valid ? NULL : sc_alloc(sc_chip_bytes(chip, SC_DTYPE_U8));
  if (!to->valid && !own) return sc_fail_nomem(err);
  if (own) with_valid.valid = own;
  sc_status st = read_worked(chip, options, &with_valid, err);
  sc_free(own);
  return st;
}

double sc_chip_fill(const struct sc_chip *chip, int band, const struct sc_chip_options *options) {
  double v = fill_of(chip, band);
  return options->scale ? v * chip->bands[band].scale + chip->bands[band].offset : v;
}

static sc_status give_made(const struct sc_chip *chip, const struct sc_chip_target *to,
                           struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  size_t n = sc_chip_bytes(chip, SC_DTYPE_U8);
  if (!raster) return err->status;
  raster->convert(chip->made->values, SC_DTYPE_F64, sizeof(double), to->pixels, to->dtype,
                  sc_dtype_bytes(to->dtype), n);
  if (to->valid) memcpy(to->valid, chip->made->valid, n);
  return SC_OK;
}

/* The pixels of chip i, which is not there. */
static sc_status fill_absent(const struct sc_chip *chips, size_t i,
                             const struct sc_chip_options *options, const struct sc_chip_target *to,
                             struct sc_error *err) {
  const struct sc_chip *chip = &chips[i];
  const struct sc_raster_api *raster = sc_raster(err);
  size_t n = (size_t)chip->width * (size_t)chip->height, size = sc_dtype_bytes(to->dtype);
  unsigned char *pixels = to->pixels + i * (size_t)chip->n_bands * n * size;
  if (!raster) return err->status;
  for (int k = 0; k < chip->n_bands; k++, pixels += n * size) {
    double v = sc_chip_fill(chip, k, options);
    raster->convert(&v, SC_DTYPE_F64, 0, pixels, to->dtype, size, n);
    if (to->valid) memset(to->valid + (i * (size_t)chip->n_bands + (size_t)k) * n, 0, n);
  }
  return SC_OK;
}

static int has_frozen(const struct sc_chip *chips, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (chips[i].frozen && !chips[i].is_absent) return 1;
  }
  return 0;
}

sc_status sc_chips_read(struct sc_connection *c, const struct sc_chip *chips, size_t n,
                        const struct sc_chip_options *options, const struct sc_chip_target *to,
                        struct sc_error *err) {
  if (n == 1 && chips[0].made) return give_made(&chips[0], to, err);
  struct sc_error *errors = to->errors;
  for (size_t i = 0; i < n; i++)
    if (chips[i].is_absent && fill_absent(chips, i, options, to, err)) return err->status;
  if (n == 0) return SC_OK;
  int is_worked = options->scale || options->harmonize, is_frozen = has_frozen(chips, n);
  if (!is_worked && !is_frozen && (!to->valid || chips[0].has_target)) {
    sc_status st = read_plain(chips, n, to, err);
    for (size_t i = 0; i < n && c; i++)
      sc_scenes_forget_failed(c, chips[i].cached, errors ? errors[i].status : st);
    return st;
  }
  size_t bytes = sc_chip_bytes(&chips[0], to->dtype), n_values = bytes / sc_dtype_bytes(to->dtype);
  for (size_t i = 0; i < n; i++) {
    struct sc_error own = {0};
    struct sc_chip_target one = {.dtype = to->dtype,
                                 .pixels = to->pixels + i * bytes,
                                 .valid = to->valid ? to->valid + i * n_values : NULL};
    if (chips[i].is_absent) continue;
    sc_status st = sc_interrupt_check(&own); /* reads of small chips are too short to ask */
    if (!st && chips[i].frozen) {
      st = sc_frozen_read(&chips[i], options, &one, &own);
    } else if (!st) {
      st = read_one(&chips[i], options, &one, &own);
    }
    if (c) sc_scenes_forget_failed(c, chips[i].cached, st);
    if (st && (!errors || st == SC_INTERRUPT || st == SC_NOMEM)) {
      *err = own;
      return st;
    }
    if (st) errors[i] = own;
  }
  return SC_OK;
}
