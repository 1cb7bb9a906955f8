/* A handle -> the scene and window that it names; see locate.h and handle.h. */
#include "pixels/locate.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/merged.h"

#define WHAT "chip handle"
#define POSITION_MAX 1000000000000000

/* The members of a handle object. */
struct handle {
  struct sc_options json;
  const cJSON *item, *center, *shape;
  const char *bucket, *platform, *base;
  int64_t x, y, chip_size, stride;
  int edge;
};

#define AT(member) offsetof(struct handle, member)
static const struct sc_option handle_table[] = {
    {"item", SC_OPTION_JSON, AT(item), 0, 0, 0},
    {"bucket", SC_OPTION_TEXT, AT(bucket), 0, 0, 0},
    {"platform", SC_OPTION_TEXT, AT(platform), 0, 0, 0},
    {"chip_index_x", SC_OPTION_INT, AT(x), -POSITION_MAX, POSITION_MAX, 0},
    {"chip_index_y", SC_OPTION_INT, AT(y), -POSITION_MAX, POSITION_MAX, 0},
    {"chip_size", SC_OPTION_INT, AT(chip_size), 1, SC_CHIP_SIZE_MAX_PX, 0},
    {"stride", SC_OPTION_INT, AT(stride), 1, SC_CHIP_SIZE_MAX_PX, 0},
    {"edge", SC_OPTION_CHOICE, AT(edge), 0, 0, SC_EDGE_CHOICES},
    {"center", SC_OPTION_JSON, AT(center), 0, 0, 0},
    {"shape", SC_OPTION_JSON, AT(shape), 0, 0, 0},
    {"base", SC_OPTION_TEXT, AT(base), 0, 0, 0},
};
#define NOT_GIVEN INT64_MIN

/* The JSON of a handle's options for the scene. */
static sc_status scene_options(struct sc_connection *c, const struct handle *h,
                               struct sc_index_options *out, struct sc_error *err) {
  sc_status st = sc_index_options_parse(NULL, out, err);
  if (st) return st;
  if (h->platform && (!h->bucket || sc_platform_is_known(c->rules, h->platform)))
    snprintf(out->platform, sizeof out->platform, "%s", h->platform);
  const cJSON *rows = cJSON_GetArrayItem(h->shape, 0), *columns = cJSON_GetArrayItem(h->shape, 1);
  if (cJSON_IsNumber(rows) && cJSON_IsNumber(columns)) {
    out->shape[0] = (int64_t)rows->valuedouble;
    out->shape[1] = (int64_t)columns->valuedouble;
  }
  return sc_strdup(h->base, &out->base, err);
}

static sc_status open_scene(struct sc_connection *c, const struct handle *h, const char *key,
                            size_t key_bytes, const char *item, struct sc_cached_scene **out,
                            struct sc_error *err) {
  struct sc_index_options options;
  struct sc_scene scene;
  sc_status st = scene_options(c, h, &options, err);
  if (st) return st;
  st = sc_scene_open(c->rules, item, strlen(item), &options, 0, &scene, err);
  sc_index_options_free(&options);
  if (st) return st;
  st = sc_scenes_keep(c, key, key_bytes, &scene, out, err);
  if (st) {
    sc_scene_free(&scene);
    return st;
  }
  (*out)->stamp = sc_stamp_of((*out)->scene.item.location);
  return SC_OK;
}

/* Text of the item that the handle names: a path, a URL, an object, or a place in a bucket. */
static sc_status item_argument(const struct handle *h, char **out, struct sc_error *err) {
  *out = NULL;
  if (h->bucket) {
    size_t n = strlen(h->bucket);
    if (!h->platform || !cJSON_IsString(h->item)) {
      return sc_fail(err, SC_BAD_ARG,
                     WHAT ": with 'bucket' it needs 'platform' and the id as 'item'");
    }
    return sc_format(out, err, "%s%s%s/%s/stac_item.json", h->bucket,
                     n && h->bucket[n - 1] == '/' ? "" : "/", h->platform, h->item->valuestring);
  }
  if (cJSON_IsString(h->item)) return sc_strdup(h->item->valuestring, out, err);
  if (!cJSON_IsObject(h->item)) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": 'item' takes a path, a URL or an item object");
  }
  char *text = cJSON_PrintUnformatted(h->item);
  if (!text) return sc_fail_nomem(err);
  sc_status st = sc_strdup(text, out, err);
  cJSON_free(text);
  return st;
}

/* A window of chip_size pixels whose middle is nearest to a place. */
static sc_status place_center(const struct sc_scene *s, const cJSON *center, int64_t size,
                              struct sc_window *out, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const cJSON *a = cJSON_GetArrayItem(center, 0), *b = cJSON_GetArrayItem(center, 1);
  if (!raster) return err->status;
  if (!cJSON_IsArray(center) || !cJSON_IsNumber(a) || !cJSON_IsNumber(b)) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": 'center' takes [longitude, latitude] in degrees");
  }
  double x = a->valuedouble, y = b->valuedouble;
  const double *t = s->grid.transform, det = t[0] * t[4] - t[1] * t[3];
  sc_status st = raster->from_lonlat(s->grid.crs, 1, &x, &y, err);
  if (st) return st;
  double col = ((x - t[2]) * t[4] - (y - t[5]) * t[1]) / det;
  double row = ((y - t[5]) * t[0] - (x - t[2]) * t[3]) / det;
  if (!(col >= 0 && row >= 0 && col <= (double)s->grid.width_px &&
        row <= (double)s->grid.height_px)) {
    return sc_fail(err, SC_RANGE, "item %s: center [%g, %g] is outside the grid", s->item.id,
                   a->valuedouble, b->valuedouble);
  }
  out->x = (int64_t)llround(col - (double)size / 2);
  out->y = (int64_t)llround(row - (double)size / 2);
  out->width_px = out->height_px = size;
  return SC_OK;
}

static sc_status place(const struct handle *h, struct sc_chip *chip, struct sc_error *err) {
  const struct sc_scene *s = chip->scene;
  chip->tiling.chip_size_px = (int32_t)h->chip_size;
  chip->tiling.stride_px = (int32_t)(h->stride ? h->stride : h->chip_size);
  chip->tiling.edge = (enum sc_edge)h->edge;
  chip->x = h->x;
  chip->y = h->y;
  if (h->center && (h->x != NOT_GIVEN || h->y != NOT_GIVEN)) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": it has both a position and a center; give one");
  }
  if (h->center) {
    chip->x = chip->y = -1;
    return place_center(s, h->center, h->chip_size, &chip->window, err);
  }
  if (h->x == NOT_GIVEN || h->y == NOT_GIVEN) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": it needs chip_index_x and chip_index_y, or center");
  }
  sc_status st = sc_grid_window(&s->grid, &chip->tiling, h->x, h->y, &chip->window, err);
  return st ? sc_fail_within(err, "item %s", s->item.id) : SC_OK;
}

static void handle_init(struct handle *h) {
  memset(h, 0, sizeof *h);
  h->x = h->y = NOT_GIVEN;
  h->chip_size = SC_CHIP_SIZE_DEFAULT_PX;
}

/*
 * Handles that we wrote end in ,"chip_index_x":X,"chip_index_y":Y} and are equal before it for
 * all chips of an item: the length of that part, or 0.
 */
static size_t common_part(const char *text, size_t n, int64_t *x, int64_t *y) {
  static const char mark[] = ",\"chip_index_x\":";
  const char *found = NULL;
  int used = 0;
  long long px, py;
  for (size_t i = n > 80 ? n - 80 : 0; i + sizeof mark < n; i++) {
    if (memcmp(text + i, mark, sizeof mark - 1) == 0) found = text + i;
  }
  if (!found) return 0;
  if (sscanf(found, ",\"chip_index_x\":%lld,\"chip_index_y\":%lld}%n", &px, &py, &used) != 2 ||
      used == 0 || (size_t)(found - text) + (size_t)used != n) {
    return 0;
  }
  /* What the full reading refuses must not pass here. */
  if (memchr(found, '+', (size_t)used) || llabs(px) > POSITION_MAX || llabs(py) > POSITION_MAX)
    return 0;
  *x = px;
  *y = py;
  return (size_t)(found - text);
}

/* The handle read in full. chip->cached: the one kept under its key, or NULL. */
static sc_status locate_in_full(struct sc_connection *c, const char *text, size_t key_bytes,
                                struct sc_chip *chip, struct sc_error *err) {
  struct handle h;
  char *item = NULL;
  handle_init(&h);
  const struct sc_option_set set = {handle_table, sizeof handle_table / sizeof *handle_table, &h,
                                    NULL};
  sc_status st = sc_options_parse(text, WHAT, &set, &h.json, err);
  if (st) return st;
  if (!h.item) st = sc_fail(err, SC_BAD_ARG, WHAT ": it names no 'item'");
  if (!st) st = item_argument(&h, &item, err);
  if (!st && !chip->cached) st = open_scene(c, &h, text, key_bytes, item, &chip->cached, err);
  if (!st) {
    chip->scene = &chip->cached->scene;
    st = place(&h, chip, err);
  }
  if (!st) {
    chip->cached->tiling = chip->tiling;
    chip->cached->is_tiled = 1;
  }
  sc_free(item);
  sc_options_free(&h.json);
  return st;
}

/*
 * The tiling of a kept scene is that of its handle: it is in the key. A scene whose handles were
 * refused so far (outside the grid, say) has none yet.
 */
static sc_status locate_object(struct sc_connection *c, const char *text, size_t n,
                               struct sc_chip *chip, struct sc_error *err) {
  size_t common = common_part(text, n, &chip->x, &chip->y), key = common ? common : n;
  chip->cached = sc_scenes_find(c, text, key);
  if (!common || !chip->cached || !chip->cached->is_tiled)
    return locate_in_full(c, text, key, chip, err);
  const struct sc_scene *s = chip->scene = &chip->cached->scene;
  chip->tiling = chip->cached->tiling;
  sc_status st = sc_grid_window(&s->grid, &chip->tiling, chip->x, chip->y, &chip->window, err);
  return st ? sc_fail_within(err, "item %s", s->item.id) : SC_OK;
}

sc_status sc_chip_locate(struct sc_connection *c, sqlite3_value *value,
                         const struct sc_chip_options *options, struct sc_chip *out,
                         struct sc_error *err) {
  memset(out, 0, sizeof *out);
  sc_status st;
  if (sqlite3_value_type(value) == SQLITE_INTEGER) {
    st = sc_merged_locate_rowid(c, options->table, sqlite3_value_int64(value), out, err);
  } else {
    const char *text = (const char *)sqlite3_value_text(value);
    size_t n = (size_t)sqlite3_value_bytes(value);
    size_t blanks = text ? strspn(text, " \t\r\n") : 0;
    if (!text || (text[blanks] != '{' && text[blanks] != '[')) {
      return sc_fail(err, SC_BAD_ARG,
                     WHAT ": neither the column \"row\" of an index nor a JSON object: %.60s",
                     text ? text : "");
    }
    st = text[blanks] == '[' ? sc_merged_locate(c, text, out, err)
                             : locate_object(c, text, n, out, err);
  }
  if (st) {
    sc_scenes_forget_failed(c, out->cached, st);
    sc_chip_close(out);
  }
  return st;
}
