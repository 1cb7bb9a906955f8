/*
 * stacchip_item_info(item_json [, options]): what was understood of an item, from which
 * field, and each warning, as a JSON object. options: those of stacchip_index().
 *
 *   {"id": ..., "collection": ..., "datetime": ..., "platform": ..., "mask": ...,
 *    "grid": {"crs", "shape", "transform", "asset", "from": "item"|"asset"|"file"},
 *    "assets": [{"key", "href", "crs", "shape", "transform", "from", "file": {...}}],
 *    "warnings": [...]}
 *
 * Files of the assets that the rule names are opened, to say where item and raster disagree.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "connection.h"
#include "index/lattice.h"
#include "index/scene.h"
#include "raster/raster_api.h"

static const char *const from_names[] = {"item", "asset", "file"};

static void warn(cJSON *warnings, const char *format, ...) {
  char text[700];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  cJSON_AddItemToArray(warnings, cJSON_CreateString(text));
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

/* Compare what the item states of an asset with its file. */
static void compare(const char *key, const struct sc_projection *p,
                    const struct sc_raster_info *info, cJSON *warnings) {
  if (p->has_shape && (p->rows != info->height || p->columns != info->width)) {
    warn(warnings, "asset %s: the item says shape [%" PRId64 ", %" PRId64 "], the file is [%d, %d]",
         key, p->rows, p->columns, info->height, info->width);
  }
  if (p->has_transform && info->has_transform && !same_transform(p->transform, info->transform)) {
    warn(warnings,
         "asset %s: the item says transform [%.15g, %.15g, %.15g, ...], the file has [%.15g, "
         "%.15g, %.15g, ...]",
         key, p->transform[0], p->transform[1], p->transform[2], info->transform[0],
         info->transform[1], info->transform[2]);
  }
  if (p->crs && info->crs && strlen(p->crs) < 40 && strlen(info->crs) < 40 &&
      strcmp(p->crs, info->crs) != 0) {
    warn(warnings, "asset %s: the item says CRS %s, the file is %s", key, p->crs, info->crs);
  }
}

static void add_file(cJSON *to, const struct sc_raster_info *info) {
  cJSON *file = cJSON_AddObjectToObject(to, "file");
  add_shape(file, "shape", info->height, info->width);
  cJSON_AddNumberToObject(file, "bands", info->n_bands);
  if (info->crs) cJSON_AddStringToObject(file, "crs", info->crs);
  if (info->has_transform) {
    cJSON_AddItemToObject(file, "transform", cJSON_CreateDoubleArray(info->transform, 6));
  }
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
  if (!raster || sc_item_href(&s->item, asset, &href, &err)) {
    warn(warnings, "%s", err.text);
    return;
  }
  struct sc_source source = {.href = href, .asset = asset->key};
  if (raster->info(&source, &info, &err)) {
    warn(warnings, "%s", err.text);
  } else {
    add_file(to, &info);
    compare(asset->key, p, &info, warnings);
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

static void add_grid(const struct sc_scene *s, const struct sc_tiling *tiling, cJSON *info,
                     cJSON *warnings) {
  cJSON *grid = cJSON_AddObjectToObject(info, "grid");
  struct sc_lattice *lattice = NULL;
  struct sc_footprint footprint;
  struct sc_error err = {0};
  int64_t n_out = 0;
  cJSON_AddStringToObject(grid, "crs", s->grid.crs);
  add_shape(grid, "shape", s->grid.height_px, s->grid.width_px);
  cJSON_AddItemToObject(grid, "transform", cJSON_CreateDoubleArray(s->grid.transform, 6));
  cJSON_AddStringToObject(grid, "asset", s->item.assets[s->grid_asset].key);
  cJSON_AddStringToObject(grid, "from", from_names[s->grid_from]);
  if (sc_lattice_new(&s->grid, tiling, &lattice, &err)) {
    warn(warnings, "%s", err.text);
    return;
  }
  const double chips[2] = {(double)lattice->n_rows, (double)lattice->n_cols};
  cJSON_AddItemToObject(grid, "chips", cJSON_CreateDoubleArray(chips, 2));
  for (int64_t y = 0; y < lattice->n_rows; y++) {
    for (int64_t x = 0; x < lattice->n_cols; x++)
      n_out += !sc_lattice_footprint(lattice, x, y, &footprint);
  }
  if (n_out) {
    warn(warnings,
         "%" PRId64 " chips have no place: a corner cannot be projected, or lies beyond a pole",
         n_out);
  }
  sc_lattice_free(lattice);
}

static void add_identity(const struct sc_scene *s, cJSON *info, cJSON *warnings) {
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
  cJSON_AddStringToObject(info, "platform", sc_scene_platform(s));
  if (s->has_mask) {
    cJSON_AddStringToObject(info, "mask", s->mask.asset->key);
  } else {
    cJSON_AddNullToObject(info, "mask");
  }
}

static char *describe(const struct sc_scene *s, const struct sc_tiling *tiling) {
  cJSON *info = cJSON_CreateObject(), *warnings = cJSON_CreateArray();
  add_identity(s, info, warnings);
  add_grid(s, tiling, info, warnings);
  cJSON *list = cJSON_AddArrayToObject(info, "assets");
  if (s->has_mask && s->rule.name) add_asset(s, s->mask.asset, list, warnings);
  for (size_t i = 0; i < s->n_assets; i++) add_asset(s, s->assets[i].asset, list, warnings);
  cJSON_AddItemToObject(info, "warnings", warnings);
  char *text = cJSON_PrintUnformatted(info);
  cJSON_Delete(info);
  return text;
}

static void item_info_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_index_options options;
  struct sc_scene scene;
  struct sc_error err = {0};
  if (sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  const char *item = sqlite3_value_type(values[0]) == SQLITE_BLOB
                         ? sqlite3_value_blob(values[0])
                         : (const char *)sqlite3_value_text(values[0]);
  const char *text = n > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL;
  sc_status st = sc_connection_check(c, &err);
  if (!st) st = sc_index_options_parse(text, &options, &err);
  if (!st) {
    st = sc_scene_open(c->rules, item ? item : "", (size_t)sqlite3_value_bytes(values[0]), &options,
                       0, &scene, &err);
    if (!st) {
      char *json = describe(&scene, &options.tiling);
      sqlite3_result_text(context, json, -1, SQLITE_TRANSIENT);
      cJSON_free(json);
      sc_scene_free(&scene);
    }
    sc_index_options_free(&options);
  }
  if (st) sc_result_error(context, &err);
}

int sc_item_info_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_item_info", 1, SQLITE_DIRECTONLY, item_info_func, 0, 0},
      {"stacchip_item_info", 2, SQLITE_DIRECTONLY, item_info_func, 0, 0},
  };
  return sc_register_functions(c, functions, 2);
}
