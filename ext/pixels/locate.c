/* A handle -> the scene and window that it names; see locate.h and index/handle.h. */
#include "pixels/locate.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/sniff.h"
#include "index/handle.h"
#include "pixels/exported.h"
#include "pixels/frozen.h"
#include "pixels/merged.h"

/* What the item of a handle is kept under, and the frozen data set that it is of. */
struct origin {
  const char *key;
  size_t key_bytes;
  struct sc_frozen_set *frozen; /* owned, until a scene has it; or NULL */
};

/* Chips of a frozen data set need neither the rule, which may not be known here, nor a file that
 * says what the grid is. */
static sc_status open_scene(struct sc_connection *c, const struct sc_handle *h, struct origin *from,
                            const char *item, struct sc_cached_scene **out, struct sc_error *err) {
  struct sc_index_options options;
  struct sc_scene scene;
  sc_status st = sc_handle_options(h, c->rules, &options, err);
  if (st) return st;
  if (from->frozen) snprintf(options.platform, sizeof options.platform, "%s", SC_PLATFORM_NONE);
  st = sc_scene_open(c->rules, item, strlen(item), &options, 0, &scene, err);
  sc_index_options_free(&options);
  if (st) return st;
  st = sc_scenes_keep(c, from->key, from->key_bytes, &scene, out, err);
  if (st) {
    sc_scene_free(&scene);
    return st;
  }
  (*out)->stamp = sc_stamp_of((*out)->scene.item.location);
  (*out)->frozen = from->frozen;
  from->frozen = NULL;
  return SC_OK;
}

/* A window of chip_size pixels whose middle is nearest to a place. */
static sc_status place_center(const struct sc_scene *s, const double lonlat[2], int64_t size,
                              struct sc_window *out, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  double x = lonlat[0], y = lonlat[1];
  const double *t = s->grid.transform, det = t[0] * t[4] - t[1] * t[3];
  sc_status st = raster->from_lonlat(s->grid.crs, 1, &x, &y, err);
  if (st) return st;
  double col = ((x - t[2]) * t[4] - (y - t[5]) * t[1]) / det;
  double row = ((y - t[5]) * t[0] - (x - t[2]) * t[3]) / det;
  if (!(col >= 0 && row >= 0 && col <= (double)s->grid.width_px &&
        row <= (double)s->grid.height_px)) {
    return sc_fail(err, SC_RANGE, "item %s: center [%g, %g] is outside the grid", s->item.id,
                   lonlat[0], lonlat[1]);
  }
  out->x = (int64_t)llround(col - (double)size / 2);
  out->y = (int64_t)llround(row - (double)size / 2);
  out->width_px = out->height_px = size;
  return SC_OK;
}

static sc_status place(const struct sc_handle *h, struct sc_chip *chip, struct sc_error *err) {
  const struct sc_scene *s = chip->scene;
  chip->tiling = h->tiling;
  chip->x = h->has_center ? -1 : h->x;
  chip->y = h->has_center ? -1 : h->y;
  if (h->has_center) return place_center(s, h->center, h->tiling.chip_size_px, &chip->window, err);
  sc_status st = sc_grid_window(&s->grid, &chip->tiling, h->x, h->y, &chip->window, err);
  return st ? sc_fail_within(err, "item %s", s->item.id) : SC_OK;
}

/* The handle read in full. chip->cached: the one kept under its key, or NULL. */
static sc_status locate_in_full(struct sc_connection *c, const char *text, struct origin *from,
                                struct sc_chip *chip, struct sc_error *err) {
  struct sc_handle h;
  char *item = NULL;
  sc_status st = sc_handle_read(text, &h, err);
  if (st) return st;
  if (h.is_row) {
    st = sc_merged_locate(c, &h.row, chip, err);
    sc_handle_free(&h);
    return st;
  }
  if (from->frozen) st = sc_frozen_give_grid(from->frozen, (cJSON *)(size_t)h.item, err);
  if (!st) st = sc_handle_item(&h, &item, err);
  if (!st && !chip->cached) st = open_scene(c, &h, from, item, &chip->cached, err);
  if (!st) {
    chip->scene = &chip->cached->scene;
    st = place(&h, chip, err);
  }
  if (!st) {
    chip->cached->tiling = chip->tiling;
    chip->cached->is_tiled = 1;
  }
  sc_free(item);
  sc_handle_free(&h);
  return st;
}

/* A short handle, whose item is in a table; chip has its position. */
static sc_status locate_short(struct sc_connection *c, const char *item, const char *items,
                              struct origin *from, struct sc_chip *chip, struct sc_error *err) {
  struct sc_buffer text = {0}, whole = {0};
  char *schema = NULL;
  sc_status st = sc_exported_find(c, items, item, &text, &schema, err);
  if (!st && schema) st = sc_frozen_find(c, schema, item, &from->frozen, err);
  if (!st) st = sc_handle_of_item((char *)text.data, text.size, chip->x, chip->y, &whole, err);
  if (!st) st = sc_buffer_terminate(&whole, err);
  if (!st) st = locate_in_full(c, (char *)whole.data, from, chip, err);
  sc_frozen_set_free(from->frozen);
  sc_free(schema);
  sc_buffer_free(&text);
  sc_buffer_free(&whole);
  return st;
}

/* One the scene is there for. Its tiling is that of its handle, which is in the key. */
static sc_status place_kept(struct sc_chip *chip, struct sc_error *err) {
  const struct sc_scene *s = chip->scene = &chip->cached->scene;
  chip->tiling = chip->cached->tiling;
  sc_status st = sc_grid_window(&s->grid, &chip->tiling, chip->x, chip->y, &chip->window, err);
  return st ? sc_fail_within(err, "item %s", s->item.id) : SC_OK;
}

/* What is kept under the key of a short handle is of the table that the option names. */
static sc_status short_key(const char *text, const char *items, struct sc_buffer *out,
                           struct sc_error *err) {
  sc_status st = sc_buffer_append(out, text, 2 + SC_HANDLE_ITEM_NAME, err);
  if (!st && items) st = sc_buffer_append(out, "", 1, err);
  return st || !items ? st : sc_buffer_append_text(out, items, err);
}

/* A scene whose handles were refused so far (outside the grid, say) has no tiling yet. */
static sc_status locate_text(struct sc_connection *c, const struct sc_chip_name *name,
                             const char *items, struct sc_chip *chip, struct sc_error *err) {
  const char *text = name->text;
  char item[SC_HANDLE_ITEM_NAME + 1];
  struct sc_buffer own_key = {0};
  struct origin from = {text, name->text_bytes, NULL};
  int is_short = sc_handle_short_read(text, name->text_bytes, item, &chip->x, &chip->y);
  size_t common = is_short ? 0 : sc_handle_common_part(text, name->text_bytes, &chip->x, &chip->y);
  sc_status st = is_short ? short_key(text, items, &own_key, err) : SC_OK;
  if (common) from.key_bytes = common;
  if (is_short) from = (struct origin){(const char *)own_key.data, own_key.size, NULL};
  if (!st) chip->cached = sc_scenes_find(c, from.key, from.key_bytes);
  int is_kept = chip->cached && chip->cached->is_tiled && (common || is_short);
  if (!st && is_kept) {
    st = place_kept(chip, err);
  } else if (!st) {
    st = is_short ? locate_short(c, item, items, &from, chip, err)
                  : locate_in_full(c, text, &from, chip, err);
  }
  sc_buffer_free(&own_key);
  return st;
}

struct sc_chip_name sc_chip_name_of(sqlite3_value *value) {
  if (sqlite3_value_type(value) == SQLITE_INTEGER)
    return (struct sc_chip_name){.is_rowid = 1, .rowid = sqlite3_value_int64(value)};
  const char *text = (const char *)sqlite3_value_text(value);
  return (struct sc_chip_name){.text = text,
                               .text_bytes = text ? (size_t)sqlite3_value_bytes(value) : 0};
}

/* Of a merged index, or else of the chips of a frozen data set. */
static sc_status locate_rowid(struct sc_connection *c, const struct sc_chip_options *options,
                              int64_t rowid, struct sc_chip *out, struct sc_error *err) {
  struct sc_buffer handle = {0};
  struct sc_error other = {0};
  sc_status st = sc_merged_locate_rowid(c, options->table, rowid, out, err);
  if (st != SC_NOT_FOUND) return st;
  sc_status found = sc_frozen_row(c, options->table, rowid, &handle, &other);
  if (found == SC_NOT_FOUND) return st;
  if (found) *err = other;
  st = found ? found : sc_buffer_terminate(&handle, err);
  const struct sc_chip_name name = {.text = (const char *)handle.data, .text_bytes = handle.size};
  char *items = NULL; /* another data set may have the item, too */
  if (!st) st = sc_frozen_items(options->table, &items, err);
  if (!st)
    st = sc_settle(err, locate_text(c, &name, options->items ? options->items : items, out, err));
  sc_free(items);
  sc_buffer_free(&handle);
  return st;
}

sc_status sc_chip_locate(struct sc_connection *c, const struct sc_chip_name *name,
                         const struct sc_chip_options *options, struct sc_chip *out,
                         struct sc_error *err) {
  memset(out, 0, sizeof *out);
  sc_status st = name->is_rowid
                     ? locate_rowid(c, options, name->rowid, out, err)
                     : locate_text(c, name, name->items ? name->items : options->items, out, err);
  if (st) {
    sc_scenes_forget_failed(c, out->cached, st);
    sc_chip_close(out);
  }
  return st;
}

/* --- sources --- */

/* Is a text that was not met before a handle? Items are JSON, too; what a handle has and they do
 * not is the member "item", or no members at all. */
static int is_handle(const char *text, size_t n) {
  if (!sc_sniff_is_json(text, n)) return 0;
  cJSON *json = cJSON_ParseWithLength(text, n);
  int is = cJSON_IsArray(json) || cJSON_GetObjectItemCaseSensitive(json, "item") != NULL;
  cJSON_Delete(json);
  return is;
}

static sc_status open_item(struct sc_connection *c, const char *text, size_t n,
                           const struct sc_chip_options *options, const struct sc_buffer *key,
                           struct sc_cached_scene **out, struct sc_error *err) {
  struct sc_index_options of;
  struct sc_scene scene;
  sc_status st = sc_index_options_read(NULL, "", NULL, &of, err);
  if (st) return st;
  if (options->platform) snprintf(of.platform, sizeof of.platform, "%s", options->platform);
  st = sc_strdup(options->base, &of.base, err);
  if (!st) st = sc_scene_open(c->rules, text, n, &of, 0, &scene, err);
  sc_index_options_free(&of);
  if (st) return st;
  st = sc_scenes_keep(c, key->data, key->size, &scene, out, err);
  if (st) {
    sc_scene_free(&scene);
  } else {
    (*out)->stamp = sc_stamp_of((*out)->scene.item.location);
  }
  return st;
}

/* Zero bytes are in no handle, so that no key of one is that of an item. */
static sc_status item_key(const char *text, size_t n, const struct sc_chip_options *options,
                          struct sc_buffer *key, struct sc_error *err) {
  const char *platform = options->platform ? options->platform : "";
  const char *base = options->base ? options->base : "";
  sc_status st = sc_buffer_append(key, "", 1, err);
  if (!st) st = sc_buffer_append(key, platform, strlen(platform) + 1, err);
  if (!st) st = sc_buffer_append(key, base, strlen(base) + 1, err);
  return st ? st : sc_buffer_append(key, text, n, err);
}

static sc_status locate_handle(struct sc_connection *c, sqlite3_value *value,
                               const struct sc_chip_options *options, struct sc_chip *out,
                               struct sc_error *err) {
  const struct sc_chip_name name = sc_chip_name_of(value);
  if (options->platform || options->base) {
    return sc_fail(err, SC_BAD_ARG,
                   "options 'platform' and 'base' are for an item: a handle says them itself");
  }
  return sc_chip_locate(c, &name, options, out, err);
}

sc_status sc_chip_locate_source(struct sc_connection *c, sqlite3_value *value,
                                const struct sc_chip_options *options, struct sc_chip *out,
                                struct sc_error *err) {
  int type = sqlite3_value_type(value);
  struct sc_buffer key = {0};
  int64_t x, y;
  size_t n;
  memset(out, 0, sizeof *out);
  const char *text = sc_db_bytes(value, &n);
  if (!text && type != SQLITE_BLOB) return sc_fail_nomem(err);
  if (!text) text = "";
  if (type == SQLITE_INTEGER || (type == SQLITE_TEXT && sc_handle_common_part(text, n, &x, &y)))
    return locate_handle(c, value, options, out, err);
  sc_status st = item_key(text, n, options, &key, err);
  if (!st) out->cached = sc_scenes_find(c, key.data, key.size);
  if (!st && !out->cached && type == SQLITE_TEXT && is_handle(text, n)) {
    st = locate_handle(c, value, options, out, err);
  } else if (!st) {
    if (!out->cached) st = open_item(c, text, n, options, &key, &out->cached, err);
    if (!st) out->scene = &out->cached->scene;
  }
  sc_buffer_free(&key);
  return st;
}
