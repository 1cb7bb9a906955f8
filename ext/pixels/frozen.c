/* Chips of a frozen data set; see frozen.h. */
#include "pixels/frozen.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "pixels/exported.h"
#include "raster/valid.h"

#define MAX_SIDE_PX 1000000
#define MAX_BANDS 65535

/* A chip's array: the packed bytes, and the raster that they are once they are unpacked. */
struct sc_frozen {
  const struct sc_frozen_set *set;
  struct sc_packed_shape shape;
  struct sc_buffer packed;
  int is_on_own_grid;
  char *crs; /* with is_on_own_grid; owned */
  double transform[6];
  struct sc_window window; /* of the item's grid */
  char name[32];           /* unlike that of any file, and of any other chip */
  struct sc_memory_raster memory;
  struct sc_opened_asset asset;
};

/* --- data sets --- */

void sc_frozen_set_free(struct sc_frozen_set *s) {
  if (!s) return;
  for (int i = 0; i < s->n_layers; i++) sc_free(s->layers[i].name);
  sc_free(s->layers);
  sc_free(s->bands);
  cJSON_Delete(s->array);
  sc_free(s->schema);
  sc_free(s->file);
  sc_free(s);
}

static unsigned version_of(const struct sc_connection *c, const char *schema) {
  unsigned version = 0;
  sqlite3_file_control(c->db, schema, SQLITE_FCNTL_DATA_VERSION, &version);
  return version;
}

int sc_frozen_is_unchanged(const struct sc_connection *c, const struct sc_frozen_set *set) {
  const char *file = sqlite3_db_filename(c->db, set->schema);
  if (!file || !*file || strcmp(file, set->file) != 0) return 0;
  struct sc_stamp stamp = sc_stamp_of(file);
  return sc_stamp_equals(&stamp, &set->stamp) && version_of(c, set->schema) == set->version;
}

static enum sc_dtype find_dtype(const char *name) {
  for (int t = SC_DTYPE_U8; name && t <= SC_DTYPE_C128; t++) {
    if (strcmp(sc_dtype_name((enum sc_dtype)t), name) == 0) return (enum sc_dtype)t;
  }
  return SC_DTYPE_NONE;
}

static int take_whole(const cJSON *v, int most, int *out) {
  if (!cJSON_IsNumber(v) || !(v->valuedouble >= 1 && v->valuedouble <= most)) return 0;
  *out = (int)v->valuedouble;
  return 1;
}

static int take_shape(const cJSON *shape, int *bands, int *height, int *width) {
  return cJSON_IsArray(shape) && take_whole(cJSON_GetArrayItem(shape, 0), MAX_BANDS, bands) &&
         take_whole(cJSON_GetArrayItem(shape, 1), MAX_SIDE_PX, height) &&
         take_whole(cJSON_GetArrayItem(shape, 2), MAX_SIDE_PX, width);
}

/* JSON has no number for some: "nan", "inf" and "-inf" are texts, as in STAC. */
static int take_number(const cJSON *v, double *out) {
  const char *text = cJSON_IsString(v) ? v->valuestring : "";
  if (cJSON_IsNumber(v)) *out = v->valuedouble;
  if (strcmp(text, "nan") == 0) *out = (double)NAN;
  if (strcmp(text, "inf") == 0) *out = (double)INFINITY;
  if (strcmp(text, "-inf") == 0) *out = -(double)INFINITY;
  return cJSON_IsNumber(v) || (text[0] && strchr("ni-", text[0]));
}

static int take_band(const cJSON *v, struct sc_frozen_band *out) {
  out->name = sc_json_text(v, "name");
  out->key = sc_json_text(v, "asset");
  out->scale = 1;
  out->n_of_asset = 1;
  take_number(cJSON_GetObjectItemCaseSensitive(v, "scale"), &out->scale);
  take_number(cJSON_GetObjectItemCaseSensitive(v, "offset"), &out->offset);
  take_whole(cJSON_GetObjectItemCaseSensitive(v, "of_asset"), MAX_BANDS, &out->n_of_asset);
  out->has_nodata = take_number(cJSON_GetObjectItemCaseSensitive(v, "nodata"), &out->nodata);
  out->is_alpha = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(v, "alpha"));
  return out->name && out->key;
}

static sc_status take_array(struct sc_frozen_set *s, const char *text, struct sc_error *err) {
  s->array = text ? cJSON_Parse(text) : NULL;
  const cJSON *bands = cJSON_GetObjectItemCaseSensitive(s->array, "bands"), *band;
  int n = 0, ok = cJSON_IsArray(bands) && cJSON_GetArraySize(bands) == s->n_bands;
  s->is_harmonized = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(s->array, "harmonized"));
  s->bands = sc_alloc_zero((size_t)s->n_bands, sizeof *s->bands);
  if (!s->bands) return sc_fail_nomem(err);
  if (ok) {
    cJSON_ArrayForEach(band, bands) ok = ok && take_band(band, &s->bands[n++]);
  }
  return ok ? SC_OK
            : sc_fail(err, SC_BAD_DATA, "column array of items does not say what its %d bands are",
                      s->n_bands);
}

static sc_status take_layers(struct sc_frozen_set *s, const cJSON *layers, struct sc_error *err) {
  const cJSON *v;
  int n = cJSON_GetArraySize(layers), height, width, ok = 1;
  s->layers = sc_alloc_zero((size_t)n + 1, sizeof *s->layers);
  if (!s->layers) return sc_fail_nomem(err);
  sc_status st = SC_OK;
  cJSON_ArrayForEach(v, layers) {
    struct sc_frozen_layer *layer = &s->layers[s->n_layers];
    const char *name = sc_json_text(v, "name");
    layer->dtype = find_dtype(sc_json_text(v, "dtype"));
    ok = ok && !st && name && layer->dtype != SC_DTYPE_NONE &&
         take_shape(cJSON_GetObjectItemCaseSensitive(v, "shape"), &layer->n_bands, &height,
                    &width) &&
         height == s->height && width == s->width;
    if (ok) st = sc_strdup(name, &layer->name, err);
    if (ok && !st) s->n_layers++;
  }
  if (!st && !ok) st = sc_fail(err, SC_BAD_DATA, "its layers are not described");
  return st;
}

/* What dataset says of all chips. */
static sc_status take_description(struct sc_frozen_set *s, const cJSON *d, struct sc_error *err) {
  cJSON *shape = cJSON_Parse(sc_json_text(d, "shape") ? sc_json_text(d, "shape") : "");
  cJSON *layers = cJSON_Parse(sc_json_text(d, "layers") ? sc_json_text(d, "layers") : "[]");
  s->dtype = find_dtype(sc_json_text(d, "dtype"));
  int ok = s->dtype != SC_DTYPE_NONE && sc_packing_find(sc_json_text(d, "codec"), &s->packing) &&
           take_shape(shape, &s->n_bands, &s->height, &s->width) &&
           (double)s->n_bands * s->height * s->width * (double)sc_dtype_bytes(s->dtype) <=
               (double)SC_PQ_PAGE_MAX_BYTES;
  sc_status st = ok ? take_layers(s, layers, err)
                    : sc_fail(err, SC_BAD_DATA, "its codec, dtype and shape are none");
  cJSON_Delete(shape);
  cJSON_Delete(layers);
  return st;
}

static const char describe_sql[] =
    "SELECT (SELECT json_group_object(key, value) FROM \"{db}\".dataset WHERE key IN ('codec', "
    "'dtype', 'shape', 'layers')), array FROM \"{db}\".items WHERE id = ?1 AND EXISTS (SELECT 1 "
    "FROM \"{db}\".dataset WHERE key = 'format' AND value = 'stacchip')";

static sc_status read_set(struct sc_connection *c, sqlite3_stmt *stmt, struct sc_frozen_set *s,
                          struct sc_error *err) {
  const char *file = sqlite3_db_filename(c->db, s->schema);
  cJSON *description = cJSON_Parse((const char *)sqlite3_column_text(stmt, 0));
  s->stamp = sc_stamp_of(file);
  s->version = version_of(c, s->schema);
  sc_status st = sc_strdup(file ? file : "", &s->file, err);
  if (!st) st = take_description(s, description, err);
  if (!st) st = take_array(s, (const char *)sqlite3_column_text(stmt, 1), err);
  cJSON_Delete(description);
  return st ? sc_fail_within(err, "frozen data set %s", s->schema) : SC_OK;
}

sc_status sc_frozen_find(struct sc_connection *c, const char *schema, const char *item,
                         struct sc_frozen_set **out, struct sc_error *err) {
  struct sc_error none = {0};
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  *out = NULL;
  sc_status st = sc_db_prepare(c->db, describe_sql, schema, NULL, &stmt, &none);
  if (st == SC_DB) return SC_OK; /* no such tables: a list of items alone */
  if (st) return sc_fail(err, st, "%s", none.text);
  struct sc_frozen_set *s = sc_alloc_zero(1, sizeof *s);
  st = s ? sc_strdup(schema, &s->schema, err) : sc_fail_nomem(err);
  if (!st) {
    snprintf(s->item, sizeof s->item, "%s", item);
    sqlite3_bind_text(stmt, 1, item, -1, SQLITE_STATIC);
    st = sc_db_next(stmt, &is_row, err);
  }
  if (!st && is_row) st = read_set(c, stmt, s, err);
  sqlite3_finalize(stmt);
  if (st || !is_row) {
    sc_frozen_set_free(s);
    return st;
  }
  *out = s;
  return SC_OK;
}

/* --- the grid of an item --- */

static void forget_projection(cJSON *object) {
  cJSON *member = object ? object->child : NULL, *next;
  for (; member; member = next) {
    next = member->next;
    if (strncmp(member->string, "proj:", 5) == 0)
      cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
  }
}

sc_status sc_frozen_give_grid(const struct sc_frozen_set *set, cJSON *item, struct sc_error *err) {
  const cJSON *grid = cJSON_GetObjectItemCaseSensitive(set->array, "grid"), *member;
  cJSON *assets = cJSON_GetObjectItemCaseSensitive(item, "assets"), *asset;
  cJSON *properties = cJSON_GetObjectItemCaseSensitive(item, "properties");
  if (!cJSON_IsObject(properties)) {
    cJSON_DeleteItemFromObjectCaseSensitive(item, "properties");
    properties = cJSON_AddObjectToObject(item, "properties");
  }
  cJSON_ArrayForEach(asset, assets) forget_projection(asset);
  forget_projection(item);
  forget_projection(properties);
  int ok = properties && cJSON_IsObject(grid);
  cJSON_ArrayForEach(member, grid) {
    cJSON *copy = cJSON_Duplicate(member, 1);
    ok = ok && copy && cJSON_AddItemToObject(properties, member->string, copy);
  }
  return ok ? SC_OK : sc_fail(err, SC_BAD_DATA, "column array of items has no grid");
}

/* --- rows --- */

sc_status sc_frozen_row(struct sc_connection *c, const char *table, int64_t rowid,
                        struct sc_buffer *handle, struct sc_error *err) {
  static const char sql[] = "SELECT handle FROM \"{db}\".chips WHERE position = ?1";
  struct sc_error none = {0};
  const char *dot = strchr(table, '.'), *name = dot ? dot + 1 : table;
  char *schema = NULL;
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  sc_status st = sc_strndup(dot ? table : "main", dot ? (size_t)(dot - table) : 4, &schema, err);
  if (!st && sqlite3_stricmp(name, "chips") == 0)
    st = sc_db_prepare(c->db, sql, schema, NULL, &stmt, &none);
  sc_free(schema);
  if (st == SC_NOMEM) return sc_fail_nomem(err);
  if (!stmt) return sc_fail(err, SC_NOT_FOUND, "%s is no table of a frozen data set", table);
  sqlite3_bind_int64(stmt, 1, rowid);
  st = sc_db_next(stmt, &is_row, err);
  const char *text = !st && is_row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
  if (!st) {
    st = text ? sc_buffer_append_text(handle, text, err)
              : sc_fail(err, SC_RANGE, "%s has no row %lld", table, (long long)rowid);
  }
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_frozen_items(const char *table, char **out, struct sc_error *err) {
  const char *dot = strchr(table, '.');
  return sc_format(out, err, "%.*s." SC_EXPORTED_TABLE, dot ? (int)(dot - table) : 4,
                   dot ? table : "main");
}

static const char find_sql[] =
    "SELECT position, x, y, width, height, crs, transform FROM \"{db}\".chips WHERE item = ?1 AND "
    "chip_index_x = ?2 AND chip_index_y = ?3 ORDER BY position LIMIT 1";
enum { AT_POSITION, AT_X, AT_Y, AT_WIDTH, AT_HEIGHT, AT_CRS, AT_TRANSFORM };

/* The row of a chip. */
static sc_status find_row(struct sc_connection *c, const struct sc_chip *chip, sqlite3_stmt **out,
                          struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  int is_row = 0;
  sc_status st = sc_db_prepare(c->db, find_sql, s->schema, NULL, out, err);
  if (!st) {
    sqlite3_bind_text(*out, 1, s->item, -1, SQLITE_STATIC);
    sqlite3_bind_int64(*out, 2, chip->x);
    sqlite3_bind_int64(*out, 3, chip->y);
    st = sc_db_next(*out, &is_row, err);
  }
  if (!st && !is_row) {
    st = sc_fail(err, SC_NOT_FOUND,
                 "item %s: chip (%lld, %lld) is not in the frozen data set, whose chips alone are "
                 "read",
                 chip->scene->item.id, (long long)chip->x, (long long)chip->y);
  }
  if (st) {
    sqlite3_finalize(*out);
    *out = NULL;
  }
  return st;
}

static int take_transform(const char *text, double out[6]) {
  cJSON *json = cJSON_Parse(text);
  int ok = cJSON_IsArray(json) && cJSON_GetArraySize(json) == 6;
  for (int i = 0; ok && i < 6; i++) ok = take_number(cJSON_GetArrayItem(json, i), &out[i]);
  cJSON_Delete(json);
  return ok && fabs(out[0] * out[4] - out[1] * out[3]) > 0;
}

/* The chip's window, and its own grid, where the row has one. */
static sc_status take_place(sqlite3_stmt *row, struct sc_chip *chip, struct sc_frozen *f,
                            struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  const char *crs = (const char *)sqlite3_column_text(row, AT_CRS);
  const char *transform = (const char *)sqlite3_column_text(row, AT_TRANSFORM);
  f->window =
      (struct sc_window){sqlite3_column_int64(row, AT_X), sqlite3_column_int64(row, AT_Y),
                         sqlite3_column_int64(row, AT_WIDTH), sqlite3_column_int64(row, AT_HEIGHT)};
  f->is_on_own_grid = crs != NULL;
  const struct sc_window *w = &f->window;
  int ok = llabs(w->x) < SC_GRID_MAX_PX && llabs(w->y) < SC_GRID_MAX_PX && w->width_px > 0 &&
           w->height_px > 0 && w->width_px <= MAX_SIDE_PX && w->height_px <= MAX_SIDE_PX;
  ok = ok && (crs ? transform && take_transform(transform, f->transform)
                  : w->width_px == s->width && w->height_px == s->height);
  if (!ok) {
    return sc_fail(err, SC_BAD_DATA, "item %s: frozen chip (%lld, %lld) has no place",
                   chip->scene->item.id, (long long)chip->x, (long long)chip->y);
  }
  chip->window = f->window;
  return crs ? sc_strdup(crs, &f->crs, err) : SC_OK;
}

/* The grid that it was frozen on is its target, where none is asked for. */
static sc_status keep_grid(const struct sc_frozen *f, const struct sc_chip_options *options,
                           struct sc_chip *chip, struct sc_error *err) {
  if (!f->is_on_own_grid || options->target.is_set) return SC_OK;
  chip->has_target = 1;
  chip->width = chip->cached->frozen->width;
  chip->height = chip->cached->frozen->height;
  memcpy(chip->transform, f->transform, sizeof chip->transform);
  return sc_strdup(f->crs, &chip->crs, err);
}

sc_status sc_frozen_place(struct sc_connection *c, const struct sc_chip_options *options,
                          struct sc_chip *chip, struct sc_error *err) {
  struct sc_frozen f = {0};
  sqlite3_stmt *row = NULL;
  sc_status st = find_row(c, chip, &row, err);
  if (!st) st = take_place(row, chip, &f, err);
  sqlite3_finalize(row);
  if (!st) st = keep_grid(&f, options, chip, err);
  sc_free(f.crs);
  return st;
}

/* --- opening --- */

void sc_frozen_close(struct sc_frozen *f) {
  if (!f) return;
  sc_buffer_free(&f->packed);
  sc_free(f->crs);
  sc_free(f);
}

/* A BLOB of pixels, read into memory that is used again: SQLite's own copy of a value would be a
 * fresh megabyte, whose page faults cost a fifth of all. */
static sc_status take_packed(struct sc_connection *c, struct sc_chip *chip, const char *column,
                             int64_t position, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  struct sc_buffer *out = &chip->frozen->packed;
  sqlite3_blob *blob = NULL;
  if (!raster) return err->status;
  int code =
      sqlite3_blob_open(c->db, chip->cached->frozen->schema, "pixels", column, position, 0, &blob);
  if (code == SQLITE_OK) {
    out->size = (size_t)sqlite3_blob_bytes(blob);
    out->capacity = out->size + 1;
    out->give = raster->memory_give;
    out->data = raster->memory_take(out->capacity);
    code = out->data ? sqlite3_blob_read(blob, out->data, (int)out->size, 0) : SQLITE_NOMEM;
  }
  sc_status st = code == SQLITE_OK      ? SC_OK
                 : code == SQLITE_NOMEM ? sc_fail_nomem(err)
                                        : sc_db_fail(c->db, err, "reading frozen pixels");
  sqlite3_blob_close(blob);
  return st;
}

/* The raster that the array will be. */
static void lay_asset(struct sc_frozen *f) {
  const struct sc_packed_shape *s = &f->shape;
  snprintf(f->name, sizeof f->name, "frozen %p", (void *)f);
  f->memory =
      (struct sc_memory_raster){NULL, s->dtype, (int)s->width, (int)s->height, (int)s->n_planes};
  f->asset.is_open = 1;
  f->asset.info.width = f->asset.info.block_width = (int)s->width;
  f->asset.info.height = f->asset.info.block_height = (int)s->height;
  f->asset.info.n_bands = (int)s->n_planes;
  f->asset.mapping.scale[0] = f->asset.mapping.scale[1] = 1;
  if (!f->is_on_own_grid) {
    f->asset.mapping.offset[0] = -(double)f->window.x;
    f->asset.mapping.offset[1] = -(double)f->window.y;
  }
  f->asset.source = (struct sc_source){.href = f->name, .memory = &f->memory};
}

/* Read a column of the row of the chip into chip->frozen; its array is n_bands of dtype. */
static sc_status open_array(struct sc_connection *c, struct sc_chip *chip, const char *column,
                            enum sc_dtype dtype, int n_bands, struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  struct sc_frozen *f = chip->frozen = sc_alloc_zero(1, sizeof *f);
  sqlite3_stmt *row = NULL;
  if (!f) return sc_fail_nomem(err);
  f->set = s;
  f->shape = (struct sc_packed_shape){dtype, (size_t)n_bands, (size_t)s->height, (size_t)s->width};
  sc_status st = sc_packed_bytes(&f->shape) <= SC_PQ_PAGE_MAX_BYTES
                     ? find_row(c, chip, &row, err)
                     : sc_fail(err, SC_TOO_BIG, "a frozen chip of more than 1 GB");
  if (!st) st = take_place(row, chip, f, err);
  int64_t position = st ? 0 : sqlite3_column_int64(row, AT_POSITION);
  sqlite3_finalize(row);
  if (!st) st = take_packed(c, chip, column, position, err);
  if (!st) lay_asset(f);
  return st;
}

static void add_band(struct sc_chip *chip, int i, const struct sc_chip_options *options) {
  struct sc_frozen *f = chip->frozen;
  const struct sc_frozen_band *from = &f->set->bands[i];
  struct sc_chip_band *b = &chip->bands[chip->n_bands++];
  b->asset = &f->asset;
  b->key = from->key;
  b->band = i + 1;
  b->n_bands_of_asset = from->n_of_asset;
  snprintf(b->name, sizeof b->name, "%s", from->name);
  b->dtype = f->shape.dtype;
  b->resampling = options->resampling;
  b->validity.dtype = b->dtype;
  b->validity.is_alpha = from->is_alpha;
  if (from->has_nodata) b->validity.nodata = sc_nodata_make(b->dtype, from->nodata);
  b->scale = from->scale;
  b->offset = from->offset;
}

/* "red", "asset:band", or the common name or band name by which the item has such an asset. */
static int is_called(const struct sc_chip *chip, const struct sc_frozen_band *b, const char *name) {
  struct sc_asset_band found = {0};
  if (strcmp(b->name, name) == 0 || strcmp(b->key, name) == 0) return 1;
  if (!sc_item_find(&chip->scene->item, name, &found)) return 0;
  return strcmp(found.asset->key, b->key) == 0 && (found.band == 0 || b->n_of_asset == 1);
}

static sc_status fail_not_frozen(const struct sc_chip *chip, const char *name,
                                 struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  struct sc_buffer list = {0};
  struct sc_error ignored = {0};
  for (int i = 0; i < s->n_bands && i < 40; i++)
    sc_buffer_printf(&list, &ignored, "%s%s", i ? ", " : "", s->bands[i].name);
  sc_fail_text(err, SC_NOT_FOUND, "item %s has no asset '%s' in the frozen data set; frozen: %s",
               chip->scene->item.id, name, list.data ? (const char *)list.data : "");
  sc_buffer_free(&list);
  return err->status;
}

static sc_status add_named(struct sc_chip *chip, const char *name,
                           const struct sc_chip_options *options, struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  int before = chip->n_bands;
  for (int i = 0; i < s->n_bands; i++) {
    if (is_called(chip, &s->bands[i], name)) add_band(chip, i, options);
  }
  return chip->n_bands > before ? SC_OK : fail_not_frozen(chip, name, err);
}

/* Pictures want red, green and blue, else the first three or the first one. */
static void choose_picture(struct sc_chip *chip, const struct sc_chip_options *options) {
  static const char *const colors[] = {"red", "green", "blue"};
  struct sc_error ignored = {0};
  int n = 0, n_bands = chip->cached->frozen->n_bands;
  while (n < 3 && !add_named(chip, colors[n], options, &ignored)) n++;
  if (n == 3 && chip->n_bands == 3) return;
  chip->n_bands = 0;
  for (int i = 0; i < (n_bands < 3 ? 1 : 3); i++) add_band(chip, i, options);
}

static sc_status choose_bands(struct sc_chip *chip, const struct sc_chip_options *options,
                              struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  size_t n = (size_t)(options->assets ? sc_names_count(options->assets) : 1);
  sc_status st = SC_OK;
  chip->bands = sc_alloc_zero((n + 3) * (size_t)s->n_bands, sizeof *chip->bands);
  if (!chip->bands) return sc_fail_nomem(err);
  if (!options->assets && sc_format_is_picture(options->format)) {
    choose_picture(chip, options);
    return SC_OK;
  }
  for (int i = 0; !options->assets && i < s->n_bands; i++) add_band(chip, i, options);
  for (size_t i = 0; options->assets && i < n && !st; i++)
    st = add_named(chip, sc_names_at(options->assets, (int)i), options, err);
  return st;
}

sc_status sc_frozen_open(struct sc_connection *c, const struct sc_chip_options *options,
                         struct sc_chip *chip, struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  if (options->harmonize && !s->is_harmonized) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "item %s: option 'harmonize': the data set was frozen without it",
                   chip->scene->item.id);
  }
  sc_status st = open_array(c, chip, "pixels", s->dtype, s->n_bands, err);
  if (!st) st = choose_bands(chip, options, err);
  return st ? st : keep_grid(chip->frozen, options, chip, err);
}

sc_status sc_frozen_open_layer(struct sc_connection *c, const struct sc_chip *chip,
                               const char *name, struct sc_chip *out, struct sc_error *err) {
  const struct sc_frozen_set *s = chip->cached->frozen;
  int k = 0;
  while (k < s->n_layers && strcmp(s->layers[k].name, name) != 0) k++;
  if (k == s->n_layers)
    return sc_fail(err, SC_NOT_FOUND, "the frozen data set has no layer of that name");
  const struct sc_frozen_layer *layer = &s->layers[k];
  memset(out, 0, sizeof *out);
  out->cached = chip->cached;
  out->cached->n_users++;
  out->scene = chip->scene;
  out->tiling = chip->tiling;
  out->x = chip->x, out->y = chip->y;
  out->dtype = layer->dtype;
  sc_status st = open_array(c, out, name, layer->dtype, layer->n_bands, err);
  out->bands = st ? NULL : sc_alloc_zero((size_t)layer->n_bands, sizeof *out->bands);
  if (!st && !out->bands) st = sc_fail_nomem(err);
  for (int i = 0; i < layer->n_bands && !st; i++) {
    out->bands[out->n_bands++] = (struct sc_chip_band){.asset = &out->frozen->asset,
                                                       .key = layer->name,
                                                       .band = i + 1,
                                                       .n_bands_of_asset = layer->n_bands,
                                                       .dtype = layer->dtype,
                                                       .validity = {.dtype = layer->dtype},
                                                       .scale = 1};
  }
  out->window = chip->window;
  out->width = chip->width, out->height = chip->height;
  out->has_target = chip->has_target;
  memcpy(out->transform, chip->transform, sizeof out->transform);
  if (!st && chip->crs) st = sc_strdup(chip->crs, &out->crs, err);
  if (!st && out->has_target) sc_chip_lay_warps(out);
  if (st) sc_chip_close(out);
  return st;
}

void sc_frozen_lay_warp(const struct sc_frozen *f, struct sc_warp *w) {
  if (!f->is_on_own_grid) return;
  w->from_crs = f->crs;
  memcpy(w->from, f->transform, sizeof w->from);
}

/* --- reading --- */

/* Is the chip's output the grid that it was frozen on, shifted by whole pixels? */
static int is_on_frozen_grid(const struct sc_chip *chip, const struct sc_frozen *f, int64_t *x,
                             int64_t *y) {
  const double *a = f->transform, *b = chip->transform;
  if (!f->is_on_own_grid || !chip->has_target || strcmp(chip->crs, f->crs) != 0) return 0;
  double det = a[0] * a[4] - a[1] * a[3], dx = b[2] - a[2], dy = b[5] - a[5];
  double column = (dx * a[4] - dy * a[1]) / det, row = (dy * a[0] - dx * a[3]) / det;
  *x = llround(column);
  *y = llround(row);
  return a[0] == b[0] && a[1] == b[1] && a[3] == b[3] && a[4] == b[4] &&
         fabs(column - (double)*x) < 1e-6 && fabs(row - (double)*y) < 1e-6;
}

static int is_in_place(const struct sc_chip *chip, const struct sc_frozen *f) {
  const struct sc_window *w = &chip->window;
  int64_t x, y;
  if (chip->has_target) return is_on_frozen_grid(chip, f, &x, &y) && x == 0 && y == 0;
  return !f->is_on_own_grid && w->x == f->window.x && w->y == f->window.y &&
         w->width_px == chip->width && w->height_px == chip->height;
}

/* Is what is wanted the array as it lies there? */
static int is_whole(const struct sc_chip *chip, const struct sc_chip_options *options,
                    const struct sc_chip_target *to) {
  const struct sc_packed_shape *s = &chip->frozen->shape;
  int ok = to->dtype == s->dtype && !to->valid && !options->scale &&
           is_in_place(chip, chip->frozen) && (size_t)chip->n_bands == s->n_planes &&
           (size_t)chip->width == s->width && (size_t)chip->height == s->height;
  for (int i = 0; ok && i < chip->n_bands; i++) ok = chip->bands[i].band == i + 1;
  return ok;
}

/* The same chip of a raster that is in memory: bands and asset are copies. */
static sc_status read_raster(const struct sc_chip *chip, const struct sc_chip_options *options,
                             const struct sc_chip_target *to, const unsigned char *pixels,
                             struct sc_error *err) {
  struct sc_frozen f = *chip->frozen;
  struct sc_chip raster = *chip;
  struct sc_chip_options plain = *options;
  struct sc_chip_target one = *to;
  plain.harmonize = 0; /* it was, when it was frozen */
  one.errors = NULL;
  f.memory.pixels = pixels;
  f.asset.source.memory = &f.memory;
  raster.frozen = NULL;
  raster.bands = sc_alloc((size_t)chip->n_bands * sizeof *raster.bands);
  if (!raster.bands) return sc_fail_nomem(err);
  memcpy(raster.bands, chip->bands, (size_t)chip->n_bands * sizeof *raster.bands);
  for (int i = 0; i < chip->n_bands; i++) raster.bands[i].asset = &f.asset;
  if (is_on_frozen_grid(chip, &f, &raster.window.x, &raster.window.y)) {
    raster.has_target = 0;
    raster.window.width_px = chip->width;
    raster.window.height_px = chip->height;
  }
  sc_status st = sc_chips_read(NULL, &raster, 1, &plain, &one, err);
  sc_free(raster.bands);
  return st;
}

sc_status sc_frozen_read(const struct sc_chip *chip, const struct sc_chip_options *options,
                         const struct sc_chip_target *to, struct sc_error *err) {
  const struct sc_frozen *f = chip->frozen;
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  unsigned char *pixels = to->pixels;
  int is_direct = is_whole(chip, options, to);
  if (!is_direct) pixels = raster->memory_take(sc_packed_bytes(&f->shape));
  if (!pixels) return sc_fail_nomem(err);
  sc_status st = sc_unpack(f->set->packing, &f->shape, f->packed.data, f->packed.size, pixels, err);
  if (st) sc_fail_within(err, "item %s: frozen chip", chip->scene->item.id);
  if (!st && !is_direct) st = read_raster(chip, options, to, pixels, err);
  if (!is_direct) raster->memory_give(pixels);
  return st;
}
