/* The items of a data set: state of their files, version, rows; see freeze.h. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "freeze/freeze.h"
#include "pixels/exported.h"
#include "pixels/frozen.h"
#include "pixels/harmonize.h"
#include "pixels/layers.h"
#include "store/secrets.h"
#include "store/stamp.h"

struct sc_freeze_file {
  char *href;
  struct sc_content content;
};

void sc_freeze_items_free(struct sc_freeze_items *all) {
  for (size_t i = 0; i < all->n; i++) sc_free(all->items[i]);
  for (size_t i = 0; i < all->n_files; i++) sc_free(all->files[i].href);
  sc_free(all->items);
  sc_free(all->files);
  memset(all, 0, sizeof *all);
}

/* --- files --- */

/* The place of an href among the files, or where it belongs. */
static size_t find_file(const struct sc_freeze_items *all, const char *href) {
  size_t begin = 0, end = all->n_files;
  while (begin < end) {
    size_t middle = begin + (end - begin) / 2;
    if (strcmp(all->files[middle].href, href) < 0) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

static sc_status add_file(struct sc_freeze_items *all, size_t at, const char *href,
                          const struct sc_content *content, struct sc_error *err) {
  if (all->n_files == all->files_capacity) {
    size_t capacity = all->files_capacity ? 2 * all->files_capacity : 64;
    struct sc_freeze_file *files = sc_realloc(all->files, capacity * sizeof *files);
    if (!files) return sc_fail_nomem(err);
    all->files = files;
    all->files_capacity = capacity;
  }
  char *copy = NULL;
  sc_status st = sc_strdup(href, &copy, err);
  if (st) return st;
  memmove(&all->files[at + 1], &all->files[at], (all->n_files - at) * sizeof *all->files);
  all->files[at] = (struct sc_freeze_file){copy, *content};
  all->n_files++;
  return SC_OK;
}

static const cJSON *asset_of(const struct sc_item *item, const char *key) {
  for (size_t i = 0; i < item->n_assets; i++) {
    if (strcmp(item->assets[i].key, key) == 0) return item->assets[i].json;
  }
  return NULL;
}

/* The state of a band's file, looked at once. *out is borrowed until the next call. */
static sc_status find_content(struct sc_freeze_items *all, const struct sc_chip *chip,
                              const struct sc_chip_band *band, const struct sc_content **out,
                              struct sc_error *err) {
  const char *href = band->asset->href;
  size_t at = find_file(all, href);
  struct sc_content content;
  if (at == all->n_files || strcmp(all->files[at].href, href) != 0) {
    sc_status st = sc_content_find(asset_of(&chip->scene->item, band->key), href, &content, err);
    if (st) {
      return sc_fail_within(err, "item %s: asset %s", chip->scene->item.id, band->key);
    }
    st = add_file(all, at, href, &content, err);
    if (st) return st;
  }
  *out = &all->files[at].content;
  return SC_OK;
}

sc_status sc_freeze_items_check(const struct sc_freeze_items *all, struct sc_error *err) {
  for (size_t i = 0; i < all->n_files; i++) {
    const struct sc_freeze_file *file = &all->files[i];
    const struct sc_stamp now = sc_stamp_of(file->href);
    if (now.modified_ns == file->content.modified_ns &&
        (!now.modified_ns || now.size == file->content.size))
      continue;
    return sc_fail(err, SC_BAD_DATA,
                   SC_FREEZE ": %s has changed since the data set was begun: begin again",
                   file->href);
  }
  return SC_OK;
}

/* A list of files, for the version and for rows. */
struct listed {
  struct sc_version_asset *assets;
  const struct sc_chip_band **bands;
  size_t n;
};

static void listed_free(struct listed *l) {
  sc_free(l->assets);
  sc_free(l->bands);
}

/* Each file of the bands, once. */
static sc_status list_files(const struct sc_chip *chip, struct listed *out, struct sc_error *err) {
  size_t n = (size_t)chip->n_bands;
  out->assets = sc_alloc_zero(n + 1, sizeof *out->assets);
  out->bands = sc_alloc_zero(n + 1, sizeof(struct sc_chip_band *));
  if (!out->assets || !out->bands) return sc_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    size_t k = 0;
    while (k < out->n && out->bands[k]->asset != chip->bands[i].asset) k++;
    if (k == out->n) out->bands[out->n++] = &chip->bands[i];
  }
  return SC_OK;
}

/* --- what makes the values of pixels --- */

static cJSON *layer_options(const struct sc_chip_options *options) {
  const cJSON *layers = cJSON_GetObjectItemCaseSensitive(options->json.json, "layers");
  cJSON *copy = cJSON_Duplicate(layers, 1), *layer;
  cJSON_ArrayForEach(layer, copy) cJSON_DeleteItemFromObjectCaseSensitive(layer, "source");
  return copy;
}

/* The object pixel_options: bands and kernels as they were chosen, of this item; no path is in it.
 * of: of a frozen chip its item's version, where it is frozen again in another way; or NULL. */
static sc_status make_pixel_options(const struct sc_chip *chip,
                                    const struct sc_freeze_options *options, const char *of,
                                    char **out, struct sc_error *err) {
  const struct sc_chip_options *o = &options->chip;
  cJSON *json = cJSON_CreateObject();
  cJSON *bands = cJSON_AddArrayToObject(json, "bands");
  cJSON *kernels = cJSON_AddArrayToObject(json, "resampling");
  for (int i = 0; i < chip->n_bands; i++) {
    cJSON_AddItemToArray(bands, cJSON_CreateString(chip->bands[i].name));
    cJSON_AddItemToArray(kernels,
                         cJSON_CreateString(sc_resampling_name(chip->bands[i].resampling)));
  }
  cJSON_AddStringToObject(json, "dtype", sc_dtype_name((enum sc_dtype)o->dtype));
  cJSON_AddBoolToObject(json, "scale", o->scale);
  cJSON_AddBoolToObject(json, "harmonize", o->harmonize);
  if (o->has_fill) cJSON_AddNumberToObject(json, "fill", o->fill);
  if (o->n_layers) cJSON_AddItemToObject(json, "layers", layer_options(o));
  if (of) cJSON_AddStringToObject(json, "of", of);
  char *text = cJSON_PrintUnformatted(json);
  sc_status st = text ? sc_strdup(text, out, err) : sc_fail_nomem(err);
  cJSON_free(text);
  cJSON_Delete(json);
  return st;
}

/* --- versions --- */

static size_t find_item(const struct sc_freeze_items *all, const char *name) {
  size_t begin = 0, end = all->n;
  while (begin < end) {
    size_t middle = begin + (end - begin) / 2;
    if (strcmp(all->items[middle]->name, name) < 0) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

/* What a frozen data set says of the item of its chips. */
struct source {
  char *version, *pixel_options, *stac, *platform; /* owned */
};

static void source_free(struct source *s) {
  sc_free(s->version);
  sc_free(s->pixel_options);
  sc_free(s->stac);
  sc_free(s->platform);
}

static sc_status read_source(struct sc_connection *c, const struct sc_frozen_set *set,
                             struct source *out, struct sc_error *err) {
  static const char sql[] =
      "SELECT version, pixel_options, stac, platform FROM \"{db}\".items WHERE id = ?1";
  char **const texts[] = {&out->version, &out->pixel_options, &out->stac, &out->platform};
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  sc_status st = sc_db_prepare(c->db, sql, set->schema, NULL, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, set->item, -1, SQLITE_STATIC);
    st = sc_db_next(stmt, &is_row, err);
  }
  for (int i = 0; i < 4 && !st; i++) {
    const char *text = is_row ? (const char *)sqlite3_column_text(stmt, i) : NULL;
    st = text ? sc_strdup(text, texts[i], err)
              : sc_fail(err, SC_BAD_DATA, "frozen data set %s: its items are not described",
                        set->schema);
  }
  sqlite3_finalize(stmt);
  return st;
}

/* Are the frozen values taken as they are? */
static int is_as_frozen(const struct sc_frozen_set *set, const struct sc_chip_options *o) {
  return !o->assets && !o->scale && !o->has_fill && !o->n_layers && !o->buffer_px &&
         !o->target.is_set && !o->target.jitter_px && o->dtype == (int)set->dtype;
}

static sc_status find_frozen_version(struct sc_connection *c,
                                     const struct sc_freeze_options *options,
                                     const struct sc_chip *chip, char out[SC_VERSION_TEXT_BYTES],
                                     struct sc_error *err) {
  const struct sc_item *item = &chip->scene->item;
  struct source from = {0};
  char *text = NULL;
  sc_status st = read_source(c, chip->cached->frozen, &from, err);
  if (!st && is_as_frozen(chip->cached->frozen, &options->chip)) {
    sqlite3_snprintf(SC_VERSION_TEXT_BYTES, out, "%s", from.version);
  } else if (!st) {
    st = make_pixel_options(chip, options, from.version, &text, err);
    if (!st) st = sc_version_of_item(item->collection, item->id, text, NULL, 0, out, err);
  }
  sc_free(text);
  source_free(&from);
  return st;
}

static sc_status find_version(struct sc_freeze_items *all, const struct sc_freeze_options *options,
                              const struct sc_chip *chip, char out[SC_VERSION_TEXT_BYTES],
                              struct sc_error *err) {
  const struct sc_item *item = &chip->scene->item;
  struct listed files = {0};
  const struct sc_content *content;
  char *text = NULL;
  sc_status st = list_files(chip, &files, err);
  for (size_t i = 0; i < files.n && !st; i++) /* first all, since finding one moves others */
    st = find_content(all, chip, files.bands[i], &content, err);
  for (size_t i = 0; i < files.n && !st; i++) {
    st = find_content(all, chip, files.bands[i], &content, err);
    files.assets[i] = (struct sc_version_asset){"", files.bands[i]->key, st ? "" : content->stamp};
  }
  if (!st) st = make_pixel_options(chip, options, NULL, &text, err);
  if (!st)
    st = sc_version_of_item(item->collection, item->id, text, files.assets, files.n, out, err);
  sc_free(text);
  listed_free(&files);
  return st;
}

static sc_status add_item(struct sc_freeze_items *all, size_t at, const char *name,
                          struct sc_freeze_item **out, struct sc_error *err) {
  if (all->n == all->capacity) {
    size_t capacity = all->capacity ? 2 * all->capacity : 64;
    struct sc_freeze_item **items = sc_realloc(all->items, capacity * sizeof *items);
    if (!items) return sc_fail_nomem(err);
    all->items = items;
    all->capacity = capacity;
  }
  struct sc_freeze_item *item = sc_alloc_zero(1, sizeof *item);
  if (!item) return sc_fail_nomem(err);
  memcpy(item->name, name, sizeof item->name);
  memmove(&all->items[at + 1], &all->items[at], (all->n - at) * sizeof *all->items);
  all->items[at] = item;
  all->n++;
  *out = item;
  return SC_OK;
}

sc_status sc_freeze_item_of(struct sc_connection *c, struct sc_freeze_items *all,
                            const struct sc_freeze_options *options, struct sc_chip *chip,
                            struct sc_freeze_item **out, struct sc_error *err) {
  const struct sc_exported *exported;
  char version[SC_VERSION_TEXT_BYTES];
  int64_t x, y;
  sc_status st = sc_exported_of(chip, &exported, &x, &y, err);
  if (st) return st;
  size_t at = find_item(all, exported->name);
  if (at < all->n && strcmp(all->items[at]->name, exported->name) == 0) {
    *out = all->items[at];
    return SC_OK;
  }
  st = chip->frozen ? find_frozen_version(c, options, chip, version, err)
                    : find_version(all, options, chip, version, err);
  if (!st) st = add_item(all, at, exported->name, out, err);
  if (!st) memcpy((*out)->version, version, sizeof version);
  return st;
}

/* --- rows --- */

static void add_real(cJSON *object, const char *key, double v) {
  if (isfinite(v)) {
    cJSON_AddNumberToObject(object, key, v);
  } else {
    cJSON_AddStringToObject(object, key, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
  }
}

/* The grid, as an item states it. */
static void add_grid(const struct sc_grid *grid, cJSON *array) {
  cJSON *json = cJSON_AddObjectToObject(array, "grid");
  const double shape[] = {(double)grid->height_px, (double)grid->width_px};
  size_t letters =
      strspn(grid->crs, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
  if (grid->crs[0] == '{') {
    cJSON_AddItemToObject(json, "proj:projjson", cJSON_Parse(grid->crs));
  } else {
    cJSON_AddStringToObject(json, grid->crs[letters] == ':' ? "proj:code" : "proj:wkt2", grid->crs);
  }
  cJSON_AddItemToObject(json, "proj:transform", cJSON_CreateDoubleArray(grid->transform, 6));
  cJSON_AddItemToObject(json, "proj:shape", cJSON_CreateDoubleArray(shape, 2));
}

static void add_band(const struct sc_chip_band *band, const struct sc_chip_options *options,
                     cJSON *bands) {
  cJSON *json = cJSON_CreateObject();
  struct sc_delivered d;
  sc_chip_delivered(band, options, &d);
  if (options->dtype == SC_DTYPE_F32) d.nodata = (double)(float)d.nodata;
  cJSON_AddStringToObject(json, "name", band->name);
  cJSON_AddStringToObject(json, "asset", band->key);
  cJSON_AddNumberToObject(json, "of_asset", band->n_bands_of_asset);
  if (d.has_nodata) add_real(json, "nodata", d.nodata);
  if (!d.has_nodata) cJSON_AddNullToObject(json, "nodata");
  add_real(json, "scale", d.scale);
  add_real(json, "offset", d.offset);
  if (band->validity.is_alpha) cJSON_AddTrueToObject(json, "alpha");
  cJSON_AddItemToArray(bands, json);
}

static sc_status make_array(struct sc_connection *c, struct sc_chip *chip,
                            const struct sc_freeze_options *options, char **out,
                            struct sc_error *err) {
  /* What pixels mean must be said now: whoever scales them later has no file to look at. */
  sc_status st = chip->frozen ? SC_OK : sc_harmonize_find(c, chip, options->chip.harmonize, err);
  if (st) return st;
  const struct sc_frozen_set *frozen = chip->frozen ? chip->cached->frozen : NULL;
  int harmonized = options->chip.harmonize || (frozen && frozen->is_harmonized);
  cJSON *json = cJSON_CreateObject();
  add_grid(&chip->scene->grid, json);
  cJSON_AddBoolToObject(json, "harmonized", harmonized);
  cJSON *bands = cJSON_AddArrayToObject(json, "bands");
  for (int i = 0; i < chip->n_bands; i++) add_band(&chip->bands[i], &options->chip, bands);
  char *text = cJSON_PrintUnformatted(json);
  st = text ? sc_strdup(text, out, err) : sc_fail_nomem(err);
  cJSON_free(text);
  cJSON_Delete(json);
  return st;
}

/* The whole item; as much of it as there is. */
static sc_status make_stac(const struct sc_chip *chip, char **out, struct sc_error *err) {
  char *text = cJSON_PrintUnformatted(chip->scene->item.json);
  sc_status st = text ? sc_href_without_secrets(text, out, err) : sc_fail_nomem(err);
  cJSON_free(text);
  return st;
}

static sc_status write_file(struct sc_freeze_items *all, const struct sc_chip *chip,
                            const struct sc_chip_band *band, struct sc_dataset_file *row,
                            struct sc_dataset *to, struct sc_error *err) {
  char *href = NULL;
  sc_status st = find_content(all, chip, band, &row->content, err);
  if (!st) st = sc_href_without_secrets(band->asset->href, &href, err);
  row->href = href;
  if (!st && to) st = sc_dataset_add_file(to, row, err);
  sc_free(href);
  return st;
}

static sc_status write_files(struct sc_freeze_items *all, const struct sc_chip *chip,
                             const char *name, struct sc_dataset *to, struct sc_error *err) {
  struct listed files = {0};
  sc_status st = list_files(chip, &files, err);
  for (size_t i = 0; i < files.n && !st; i++) {
    struct sc_dataset_file row = {.item = name, .layer = "", .asset = files.bands[i]->key};
    st = write_file(all, chip, files.bands[i], &row, to, err);
  }
  listed_free(&files);
  return st;
}

/* Those of the data set that the chips come from. */
static sc_status copy_files(struct sc_connection *c, const struct sc_frozen_set *set,
                            const char *name, struct sc_dataset *to, struct sc_error *err) {
  static const char sql[] =
      "SELECT layer, asset, href, stamp, size, modified FROM \"{db}\".assets WHERE item = ?1";
  sqlite3_stmt *stmt = NULL;
  int is_row = 1;
  sc_status st = sc_db_prepare(c->db, sql, set->schema, NULL, &stmt, err);
  if (!st) sqlite3_bind_text(stmt, 1, set->item, -1, SQLITE_STATIC);
  while (!st && is_row) {
    struct sc_content content = {.stamp = ""};
    st = sc_db_next(stmt, &is_row, err);
    if (st || !is_row) break;
    const char *stamp = (const char *)sqlite3_column_text(stmt, 3);
    sqlite3_snprintf(sizeof content.stamp, content.stamp, "%s", stamp ? stamp : "");
    content.size = sqlite3_column_type(stmt, 4) == SQLITE_NULL ? -1 : sqlite3_column_int64(stmt, 4);
    content.modified_ns = sqlite3_column_int64(stmt, 5);
    const struct sc_dataset_file row = {.item = name,
                                        .layer = (const char *)sqlite3_column_text(stmt, 0),
                                        .asset = (const char *)sqlite3_column_text(stmt, 1),
                                        .href = (const char *)sqlite3_column_text(stmt, 2),
                                        .content = &content};
    st = sc_dataset_add_file(to, &row, err);
  }
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_freeze_item_write(struct sc_connection *c, struct sc_freeze_items *all,
                               const struct sc_freeze_options *options, struct sc_chip *chip,
                               struct sc_freeze_item *item, struct sc_dataset *to,
                               struct sc_error *err) {
  const struct sc_frozen_set *set = chip->cached->frozen;
  const struct sc_exported *exported = &chip->cached->exported;
  const struct sc_item *stac = &chip->scene->item;
  char *array = NULL, *pixel_options = NULL, *whole = NULL;
  struct source from = {0};
  struct sc_buffer text = {0};
  if (item->is_written) return SC_OK;
  sc_status st = sc_dataset_has_item(to, item->name, &item->is_written, err);
  if (st || item->is_written) return st;
  if (set) st = read_source(c, set, &from, err);
  if (!st) st = make_array(c, chip, options, &array, err);
  if (!st && set && is_as_frozen(set, &options->chip)) {
    st = sc_strdup(from.pixel_options, &pixel_options, err);
  } else if (!st) {
    st = make_pixel_options(chip, options, set ? from.version : NULL, &pixel_options, err);
  }
  if (!st) st = set ? sc_strdup(from.stac, &whole, err) : make_stac(chip, &whole, err);
  if (!st) st = sc_buffer_append(&text, exported->text.data, exported->text.size, err);
  if (!st) st = sc_buffer_terminate(&text, err);
  const struct sc_dataset_item row = {item,
                                      (const char *)text.data,
                                      stac->collection,
                                      stac->id,
                                      set ? from.platform : sc_scene_platform(chip->scene),
                                      stac->datetime[0] ? stac->datetime : NULL,
                                      pixel_options,
                                      array,
                                      whole};
  if (!st) st = sc_dataset_add_item(to, &row, err);
  if (!st) {
    st =
        set ? copy_files(c, set, item->name, to, err) : write_files(all, chip, item->name, to, err);
  }
  item->is_written = st == SC_OK;
  sc_buffer_free(&text);
  sc_free(array);
  sc_free(pixel_options);
  sc_free(whole);
  source_free(&from);
  return st;
}

/* --- layers --- */

/* "ITEM/KEY" for each file of a layer's chips, and its row. */
struct layer_files {
  struct sc_version_asset *assets;
  char **names;
  size_t n, capacity;
};

static sc_status add_layer_file(struct sc_freeze_items *all, const struct sc_chip *chip,
                                const struct sc_chip_band *band, struct sc_dataset_file *row,
                                struct sc_dataset *to, struct layer_files *f,
                                struct sc_error *err) {
  struct sc_version_asset *asset = &f->assets[f->n];
  sc_status st = sc_format(&f->names[2 * f->n], err, "%s/%s", chip->scene->item.id, band->key);
  row->asset = f->names[2 * f->n];
  if (!st) st = write_file(all, chip, band, row, to, err);
  if (!st) st = sc_strdup(row->content->stamp, &f->names[2 * f->n + 1], err);
  *asset = (struct sc_version_asset){row->layer, f->names[2 * f->n], f->names[2 * f->n + 1]};
  f->n++;
  return st;
}

/* The digest that the data set of a frozen chip has of its layers' files stands for them. */
static sc_status add_frozen_layer(struct sc_connection *c, const struct sc_chip *layer,
                                  const char *name, struct layer_files *f, struct sc_error *err) {
  static const char sql[] =
      "SELECT coalesce(layers, '') FROM \"{db}\".chips WHERE item = ?1 AND chip_index_x = ?2 AND "
      "chip_index_y = ?3 ORDER BY position LIMIT 1";
  const struct sc_frozen_set *set = layer->cached->frozen;
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  sc_status st = sc_db_prepare(c->db, sql, set->schema, NULL, &stmt, err);
  if (!st) {
    sqlite3_bind_text(stmt, 1, set->item, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, layer->x);
    sqlite3_bind_int64(stmt, 3, layer->y);
    st = sc_db_next(stmt, &is_row, err);
  }
  const char *digest = !st && is_row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
  if (!st) st = digest ? sc_strdup(digest, &f->names[2 * f->n], err) : sc_fail_nomem(err);
  if (!st) f->assets[f->n] = (struct sc_version_asset){name, "frozen", f->names[2 * f->n]};
  if (!st) f->n++;
  sqlite3_finalize(stmt);
  return st;
}

static size_t count_bands(const struct sc_chip *chip) {
  size_t n = 0;
  for (int k = 0; k < chip->n_layers; k++) {
    for (size_t j = 0; j < chip->layers[k].n; j++) n += (size_t)chip->layers[k].chips[j].n_bands;
  }
  return n;
}

sc_status sc_freeze_layers_of(struct sc_connection *c, struct sc_freeze_items *all,
                              const struct sc_freeze_options *options, const struct sc_chip *chip,
                              const struct sc_freeze_row *to, char out[SC_VERSION_TEXT_BYTES],
                              struct sc_error *err) {
  size_t n = count_bands(chip);
  struct layer_files f = {.capacity = n};
  out[0] = '\0';
  if (!options->chip.n_layers) return SC_OK;
  f.assets = sc_alloc_zero(n + 1, sizeof *f.assets);
  f.names = sc_alloc_zero(2 * n + 1, sizeof *f.names);
  sc_status st = f.assets && f.names ? SC_OK : sc_fail_nomem(err);
  for (int k = 0; k < chip->n_layers && !st; k++) {
    struct sc_dataset_file row = {.item = to->item, .layer = options->chip.layers[k].name};
    for (size_t j = 0; j < chip->layers[k].n && !st; j++) {
      const struct sc_chip *one = &chip->layers[k].chips[j];
      struct listed files = {0};
      st =
          one->frozen ? add_frozen_layer(c, one, row.layer, &f, err) : list_files(one, &files, err);
      for (size_t i = 0; i < files.n && !st; i++)
        st = add_layer_file(all, one, files.bands[i], &row, to->dataset, &f, err);
      listed_free(&files);
    }
  }
  if (!st) st = sc_version_of_item(NULL, "layers", "{}", f.assets, f.n, out, err);
  for (size_t i = 0; f.names && i < 2 * n; i++) sc_free(f.names[i]);
  sc_free(f.names);
  sc_free(f.assets);
  return st;
}
