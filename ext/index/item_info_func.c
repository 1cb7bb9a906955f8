/*
 * stacchip_item_info(item_json [, options]): what was understood of an item, from which
 * field, and each warning, as a JSON object. options: those of stacchip_index().
 *
 *   {"id": ..., "collection": ..., "datetime": ..., "platform": ..., "mask": ...,
 *    "grid": {"crs", "shape", "transform", "asset", "from": "item"|"asset"|"file"},
 *    "assets": [{"key", "href", "crs", "shape", "transform", "from", "file": {...}}],
 *    "warnings": [...]}
 *
 * It answers for every item that can be read, since it is asked why the others refuse one: where
 * no rule matches, platform is null; where there is no grid, grid is null; a warning says why.
 * Files of the assets that the rule names (of all with pixels, without a rule) are opened, to say
 * where item and raster disagree.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "connection.h"
#include "index/lattice.h"
#include "index/mapping.h"
#include "index/place.h"
#include "index/scene.h"
#include "raster/raster_api.h"
#include "stac/formats.h"

static const char *const from_names[] = {"item", "asset", "file"};

/* A warning is made as errors are: valid UTF-8, cut in the middle where it is far too long. One
 * that is there already (a file that gave no grid, and is an asset too) is not repeated. */
static void warn(cJSON *warnings, const char *format, ...) {
  struct sc_error text;
  const cJSON *there;
  va_list args;
  va_start(args, format);
  sc_vfail(&text, SC_BAD_DATA, format, args);
  va_end(args);
  cJSON_ArrayForEach(there, warnings) {
    if (strcmp(there->valuestring, text.text) == 0) return;
  }
  cJSON_AddItemToArray(warnings, cJSON_CreateString(text.text));
}

static void add_shape(cJSON *to, const char *key, int64_t rows, int64_t columns) {
  const double shape[2] = {(double)rows, (double)columns};
  cJSON_AddItemToObject(to, key, cJSON_CreateDoubleArray(shape, 2));
}

static int same_transform(const double a[6], const double b[6]) {
  double pixel = fabs(a[0]) + fabs(a[1]);
  for (int i = 0; i < 6; i++) {
    if (fabs(a[i] - b[i]) > 1e-6 * pixel + 1e-9 * fabs(a[i])) return 0;
  }
  return 1;
}

static void compare_shape(const char *key, const struct sc_projection *p,
                          const struct sc_raster_info *info, cJSON *warnings) {
  if (!p->has_shape || (p->rows == info->height && p->columns == info->width)) return;
  warn(warnings, "asset %s: the item says shape [%" PRId64 ", %" PRId64 "], the file is [%d, %d]",
       key, p->rows, p->columns, info->height, info->width);
}

static void compare_transform(const char *key, const struct sc_projection *p,
                              const struct sc_raster_info *info, cJSON *warnings) {
  char stated[SC_TRANSFORM_TEXT], own[SC_TRANSFORM_TEXT];
  if (!p->has_transform || !info->has_transform || same_transform(p->transform, info->transform))
    return;
  warn(warnings, "asset %s: the item says transform %s, the file has %s", key,
       sc_place_transform_shown(p->transform, stated, sizeof stated),
       sc_place_transform_shown(info->transform, own, sizeof own));
}

/* Two codes of one place, as of a datum and another that differ by nothing here: worth a word. */
static void compare_crs(const char *key, const struct sc_projection *p,
                        const struct sc_raster_info *info, cJSON *warnings) {
  char stated[200], own[200];
  struct sc_error ignored;
  const struct sc_raster_api *raster = sc_raster(&ignored);
  if (!raster || !p->crs || !info->crs || strpbrk(p->crs, "[{") || strpbrk(info->crs, "[{") ||
      raster->same_crs(p->crs, info->crs)) {
    return;
  }
  warn(warnings, "asset %s: the item says CRS %s, the file is %s", key,
       sc_place_crs_shown(p->crs, stated, sizeof stated),
       sc_place_crs_shown(info->crs, own, sizeof own));
}

/* What keeps the asset's pixels from being read; 0 where nothing does. */
static int warn_unreadable(const struct sc_scene *s, const struct sc_asset *asset,
                           const struct sc_raster_info *info, const struct sc_source *source,
                           cJSON *warnings) {
  struct sc_mapping mapping = {0};
  struct sc_error err;
  if (!s->grid.crs || !(sc_mapping_find(s, asset, info, source, &mapping, &err) ||
                        sc_mapping_check_placed(&mapping, source, &err))) {
    return 0;
  }
  warn(warnings, "%s", err.text);
  return 1;
}

/* Compare what the item states of an asset with its file. */
static void compare(const struct sc_scene *s, const struct sc_asset *asset,
                    const struct sc_projection *p, const struct sc_raster_info *info,
                    const struct sc_source *source, cJSON *warnings) {
  compare_shape(asset->key, p, info, warnings);
  if (warn_unreadable(s, asset, info, source, warnings)) return;
  compare_transform(asset->key, p, info, warnings);
  compare_crs(asset->key, p, info, warnings);
}

static void add_file(cJSON *to, const struct sc_raster_info *info) {
  cJSON *file = cJSON_AddObjectToObject(to, "file");
  add_shape(file, "shape", info->height, info->width);
  cJSON_AddNumberToObject(file, "bands", info->n_bands);
  if (info->crs) cJSON_AddStringToObject(file, "crs", info->crs);
  if (info->has_transform) {
    cJSON_AddItemToObject(file, "transform", cJSON_CreateDoubleArray(info->transform, 6));
  }
  if (info->placed_by & SC_PLACED_BY_GCPS) cJSON_AddTrueToObject(file, "gcps");
  if (info->placed_by & SC_PLACED_BY_RPC) cJSON_AddTrueToObject(file, "rpc");
  if (info->placed_by & SC_PLACED_BY_GEOLOCATION) cJSON_AddTrueToObject(file, "geolocation");
  if (info->bands[0].has_nodata) cJSON_AddNumberToObject(file, "nodata", info->bands[0].nodata);
  const double block[2] = {info->block_height, info->block_width};
  cJSON_AddItemToObject(file, "block", cJSON_CreateDoubleArray(block, 2));
}

static void add_opened(const struct sc_scene *s, const struct sc_asset *asset,
                       const struct sc_projection *p, cJSON *to, cJSON *warnings) {
  struct sc_error err = {0};
  struct sc_raster_info info = {0};
  const struct sc_raster_api *raster = sc_raster(&err);
  char *href = NULL;
  if (!raster || sc_asset_check_opened(&s->item, asset, &err) ||
      sc_item_href(&s->item, asset, &href, &err)) {
    warn(warnings, "%s", err.text);
    return;
  }
  struct sc_source source = {.href = href, .item = s->item.id, .asset = asset->key};
  if (raster->info(&source, &info, &err)) {
    warn(warnings, "%s", err.text);
  } else {
    add_file(to, &info);
    compare(s, asset, p, &info, &source, warnings);
  }
  raster->info_free(&info);
  sc_free(href);
}

static void add_asset(const struct sc_scene *s, const struct sc_asset *asset, cJSON *list,
                      cJSON *warnings) {
  struct sc_error err = {0};
  struct sc_projection p;
  cJSON *to = cJSON_CreateObject();
  cJSON_AddItemToArray(list, to);
  cJSON_AddStringToObject(to, "key", asset->key);
  const char *href = sc_json_text(asset->json, "href");
  if (href) cJSON_AddStringToObject(to, "href", href);
  if (sc_projection_read(&s->item, asset, &p, &err)) {
    warn(warnings, "%s", err.text);
    return;
  }
  if (p.crs) cJSON_AddStringToObject(to, "crs", p.crs);
  if (p.has_shape) add_shape(to, "shape", p.rows, p.columns);
  if (p.has_transform) {
    cJSON_AddItemToObject(to, "transform", cJSON_CreateDoubleArray(p.transform, 6));
    cJSON_AddStringToObject(to, "from", from_names[p.from]);
  }
  add_opened(s, asset, &p, to, warnings);
  sc_free(p.crs);
}

/* Chips without a place: of all that there are, as the index leaves them out. */
static sc_status count_left_out(const struct sc_lattice *l, int64_t *n_out, struct sc_error *err) {
  struct sc_footprint footprint;
  int has_place;
  for (int64_t y = 0; y < l->n_rows; y++) {
    for (int64_t x = 0; x < l->n_cols; x++) {
      sc_status st = sc_lattice_footprint(l, x, y, &has_place, &footprint, err);
      if (!st && x % 4096 == 0 && sc_interrupted(NULL))
        st = sc_fail(err, SC_INTERRUPT, "interrupted");
      if (st) return st;
      *n_out += !has_place;
    }
  }
  return SC_OK;
}

static sc_status add_chips(const struct sc_scene *s, const struct sc_tiling *tiling, cJSON *grid,
                           cJSON *warnings, struct sc_error *err) {
  struct sc_lattice *lattice = NULL;
  int64_t n_out = 0;
  sc_status st = sc_lattice_new(&s->grid, tiling, &lattice, err);
  if (!st) st = count_left_out(lattice, &n_out, err);
  if (!st) {
    const double chips[2] = {(double)lattice->n_rows, (double)lattice->n_cols};
    cJSON_AddItemToObject(grid, "chips", cJSON_CreateDoubleArray(chips, 2));
    cJSON_AddNumberToObject(grid, "left_out", (double)n_out);
  }
  if (!st && n_out) {
    warn(warnings,
         "%" PRId64 " of %" PRId64
         " chips have no place: a corner cannot be projected, or lies beyond a pole",
         n_out, lattice->n_rows * lattice->n_cols);
  }
  sc_lattice_free(lattice);
  return st;
}

static sc_status add_grid(const struct sc_scene *s, const struct sc_tiling *tiling, cJSON *info,
                          cJSON *warnings, struct sc_error *err) {
  char *warning = NULL;
  if (!s->grid.crs) {
    cJSON_AddNullToObject(info, "grid");
    return SC_OK;
  }
  cJSON *grid = cJSON_AddObjectToObject(info, "grid");
  cJSON_AddStringToObject(grid, "crs", s->grid.crs);
  add_shape(grid, "shape", s->grid.height_px, s->grid.width_px);
  cJSON_AddItemToObject(grid, "transform", cJSON_CreateDoubleArray(s->grid.transform, 6));
  cJSON_AddStringToObject(grid, "asset", s->item.assets[s->grid_asset].key);
  cJSON_AddStringToObject(grid, "from", from_names[s->grid_from]);
  sc_status st =
      sc_place_check(&s->item, &s->grid, s->grid_from != SC_GRID_FROM_FILE, &warning, err);
  if (!st && warning) warn(warnings, "%s", warning);
  sc_free(warning);
  if (st && st != SC_NOMEM) {
    warn(warnings, "%s", err->text);
    return SC_OK;
  }
  if (!st) st = add_chips(s, tiling, grid, warnings, err);
  if (!st || st == SC_NOMEM || st == SC_INTERRUPT) return st;
  warn(warnings, "%s", err->text);
  return SC_OK;
}

static void add_identity(const struct sc_scene *s, const char *platform, cJSON *info,
                         cJSON *warnings) {
  const char *stated = sc_json_text(s->item.properties, "datetime");
  cJSON_AddStringToObject(info, "id", s->item.id);
  if (s->item.collection) cJSON_AddStringToObject(info, "collection", s->item.collection);
  if (s->item.datetime[0]) {
    cJSON_AddStringToObject(info, "datetime", s->item.datetime);
    cJSON_AddStringToObject(info, "datetime_from", stated ? "datetime" : "start_datetime");
  } else {
    cJSON_AddNullToObject(info, "datetime");
    warn(warnings, "no datetime%s%s", stated ? ": not understood: " : "", stated ? stated : "");
  }
  if (*platform) {
    cJSON_AddStringToObject(info, "platform", platform);
  } else {
    cJSON_AddNullToObject(info, "platform");
  }
  if (s->has_mask) {
    cJSON_AddStringToObject(info, "mask", s->mask.asset->key);
  } else {
    cJSON_AddNullToObject(info, "mask");
  }
}

/* The scene's assets, each once: a mask may hold pixels too, and an asset several bands. */
static sc_status add_assets(const struct sc_scene *s, cJSON *list, cJSON *warnings,
                            struct sc_error *err) {
  unsigned char *seen = sc_alloc_zero(s->item.n_assets, 1);
  if (!seen) return sc_fail_nomem(err);
  sc_status st = SC_OK;
  int mask_first = s->has_mask && s->rule.name;
  for (size_t i = 0; i < s->n_assets + (size_t)mask_first && !st; i++) {
    const struct sc_asset *asset =
        mask_first && i == 0 ? s->mask.asset : s->assets[i - (size_t)mask_first].asset;
    if (seen[asset - s->item.assets]) continue;
    seen[asset - s->item.assets] = 1;
    add_asset(s, asset, list, warnings);
    if (sc_interrupted(NULL)) st = sc_fail(err, SC_INTERRUPT, "interrupted");
  }
  sc_free(seen);
  return st;
}

static sc_status describe(const struct sc_scene *s, const char *platform,
                          const struct sc_tiling *tiling, cJSON *warnings, char **out,
                          struct sc_error *err) {
  cJSON *info = cJSON_CreateObject();
  add_identity(s, platform, info, warnings);
  sc_status st = add_grid(s, tiling, info, warnings, err);
  if (!st) st = add_assets(s, cJSON_AddArrayToObject(info, "assets"), warnings, err);
  cJSON_AddItemToObject(info, "warnings", warnings);
  *out = st ? NULL : cJSON_PrintUnformatted(info);
  cJSON_Delete(info);
  if (*out) sc_text_make_valid(*out); /* an item's text may be in any encoding */
  return st || *out ? st : sc_fail_nomem(err);
}

/* Is it an answer to the question why, and not a failure to find out? */
static int is_reason(sc_status st) { return st && st != SC_NOMEM && st != SC_INTERRUPT; }

#define PLATFORM_BYTES 128

/*
 * Complete the scene as far as it goes: with its mask, without one, and without a rule. Each
 * failure becomes a warning. platform: the rule that matches or was named, "" where none does.
 */
static sc_status complete(struct sc_rules *rules, struct sc_index_options *options,
                          struct sc_scene *s, char platform[PLATFORM_BYTES], cJSON *warnings,
                          struct sc_error *err) {
  platform[0] = '\0';
  for (int attempt = 0; attempt < 3; attempt++) {
    sc_scene_reset(s);
    if (attempt == 2) memcpy(options->platform, SC_PLATFORM_NONE, sizeof SC_PLATFORM_NONE);
    sc_status st = sc_scene_complete(rules, options, attempt == 0, s, err);
    int is_named = attempt < 2 && (!st || s->rule.name || options->platform[0]);
    if (is_named) snprintf(platform, PLATFORM_BYTES, "%s", sc_scene_platform(s));
    if (!is_reason(st)) return st;
    warn(warnings, "%s", err->text);
  }
  return SC_OK;
}

static sc_status item_info(struct sc_connection *c, const char *item, size_t n,
                           struct sc_index_options *options, char **out, struct sc_error *err) {
  struct sc_scene scene = {0};
  char platform[PLATFORM_BYTES];
  sc_status st = sc_item_read(item, n, options->base, &scene.item, err);
  if (!st && options->platform[0] && !sc_platform_is_known(c->rules, options->platform))
    st = sc_scene_complete(c->rules, options, 0, &scene, err); /* says which there are */
  if (!st) {
    cJSON *warnings = cJSON_CreateArray();
    st = complete(c->rules, options, &scene, platform, warnings, err);
    if (st) {
      cJSON_Delete(warnings);
    } else {
      st = describe(&scene, platform, &options->tiling, warnings, out, err);
    }
  }
  sc_scene_free(&scene);
  return st;
}

static void item_info_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_index_options options = {0};
  struct sc_error err = {0};
  char *json = NULL;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  const char *item = sqlite3_value_type(values[0]) == SQLITE_BLOB
                         ? sqlite3_value_blob(values[0])
                         : (const char *)sqlite3_value_text(values[0]);
  size_t bytes = (size_t)sqlite3_value_bytes(values[0]);
  const char *text = n > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL;
  sc_status st = sc_connection_check_direct(c, &err);
  if (!st) st = sc_index_options_parse(text, &options, &err);
  if (!st) st = item_info(c, item ? item : "", bytes, &options, &json, &err);
  if (!st) sqlite3_result_text(context, json, -1, SQLITE_TRANSIENT);
  cJSON_free(json);
  sc_index_options_free(&options);
  if (st) sc_result_error(context, &err);
}

static const struct sc_help item_info_help = {
    .name = "stacchip_item_info",
    .kind = SC_HELP_SCALAR,
    .about = "JSON that says what was understood of an item, from which field, and each warning",
    .arguments =
        (const struct sc_help_name[]){
            SC_HELP_ITEM, {"options", "JSON", "{}", "those of stacchip_index"}, {0}},
    .example = "SELECT stacchip_item_info('item.json') ->> '$.grid.crs'",
};

int sc_item_info_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_item_info", 1, SQLITE_DIRECTONLY, item_info_func, 0, 0},
      {"stacchip_item_info", 2, SQLITE_DIRECTONLY, item_info_func, 0, 0},
  };
  sc_connection_help(c, &item_info_help);
  return sc_register_functions(c, functions, 2);
}
