/* Index one item; see index.h. */
#include "index/index.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/options.h"
#include "index/fractions.h"
#include "index/lattice.h"
#include "index/place.h"
#include "index/scene.h"
#include "store/access.h"
#include "store/secrets.h"

/* --- options --- */

/* The members as the options table fills them. */
struct raw_options {
  int64_t chip_size, stride;
  int edge;
  double max_nodata;
  const char *platform, *base, *mask, *cloud, *nodata;
  int64_t dilate;
  const cJSON *shape;
};

static const struct sc_option option_table[] = {
    {"chip_size", SC_OPTION_INT, offsetof(struct raw_options, chip_size), 1, SC_CHIP_SIZE_MAX_PX,
     NULL, "256", "rows and columns of a chip, in pixels of the grid"},
    {"stride", SC_OPTION_INT, offsetof(struct raw_options, stride), 1, SC_CHIP_SIZE_MAX_PX, NULL,
     "chip_size", "distance between the first pixels of neighbouring chips"},
    {"edge", SC_OPTION_CHOICE, offsetof(struct raw_options, edge), 0, 0, SC_EDGE_CHOICES,
     "\"drop\"",
     "what becomes of chips that would leave the grid; of a padded one the overhang counts as "
     "nodata"},
    {"max_nodata", SC_OPTION_REAL, offsetof(struct raw_options, max_nodata), 0, 1, NULL, "0.5",
     "chips with a larger fraction of nodata are left out; 1 keeps all"},
    {"platform", SC_OPTION_TEXT, offsetof(struct raw_options, platform), 0, 0, NULL, "by match",
     "the rule to go by; none: no mask, both fractions NULL"},
    {"shape", SC_OPTION_JSON, offsetof(struct raw_options, shape), 0, 0, "[rows, columns]",
     "from the item", "size of the grid, where the item has none"},
    {"base", SC_OPTION_TEXT, offsetof(struct raw_options, base), 0, 0, NULL, NULL,
     "folder or URL for the relative hrefs of an item that is given as text"},
    {"mask", SC_OPTION_TEXT, offsetof(struct raw_options, mask), 0, 0, NULL, "the rule's",
     "the raster that clouds and nodata are counted in: an asset, or a path or URL in which {id} "
     "is the item's id"},
    {"cloud", SC_OPTION_TEXT, offsetof(struct raw_options, cloud), 0, 0, NULL,
     "the rule's; with mask \"v\"",
     "an expression over v and nd, true for a cloudy pixel of the mask"},
    {"nodata", SC_OPTION_TEXT, offsetof(struct raw_options, nodata), 0, 0, NULL,
     "the rule's; with mask \"nd\"",
     "an expression over v and nd, true for a pixel of the mask without data"},
    {"dilate", SC_OPTION_INT, offsetof(struct raw_options, dilate), 0, SC_DILATE_MAX_PX, NULL,
     "the rule's, else 0", "pixels of the mask that clouds grow by"},
};

const struct sc_option_table sc_index_option_table = SC_OPTION_TABLE(option_table);

sc_status sc_shape_read(const cJSON *shape, const char *what, int64_t out[2],
                        struct sc_error *err) {
  const cJSON *rows = cJSON_GetArrayItem(shape, 0), *columns = cJSON_GetArrayItem(shape, 1);
  if (!shape) return SC_OK;
  if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) != 2 || !cJSON_IsNumber(rows) ||
      !cJSON_IsNumber(columns) ||
      !(rows->valuedouble >= 1 && rows->valuedouble <= SC_GRID_MAX_PX) ||
      !(columns->valuedouble >= 1 && columns->valuedouble <= SC_GRID_MAX_PX)) {
    return sc_option_fail(err, what, "shape", shape, "[rows, columns], each from 1 to %d",
                          SC_GRID_MAX_PX);
  }
  out[0] = (int64_t)rows->valuedouble;
  out[1] = (int64_t)columns->valuedouble;
  return SC_OK;
}

sc_status sc_index_options_read(const cJSON *object, const char *what,
                                const struct sc_option_set *own, struct sc_index_options *out,
                                struct sc_error *err) {
  struct raw_options raw = {.chip_size = SC_CHIP_SIZE_DEFAULT_PX, .max_nodata = 0.5, .dilate = -1};
  const struct sc_option_set set = {option_table, sizeof option_table / sizeof *option_table, &raw,
                                    own};
  memset(out, 0, sizeof *out);
  out->dilate = -1;
  sc_status st = object ? sc_options_read(object, what, &set, err) : SC_OK;
  if (st) return st;
  out->dilate = raw.dilate;
  out->tiling.chip_size_px = (int32_t)raw.chip_size;
  out->tiling.stride_px = (int32_t)(raw.stride ? raw.stride : raw.chip_size);
  out->tiling.edge = (enum sc_edge)raw.edge;
  out->max_nodata = raw.max_nodata;
  if (raw.platform && strlen(raw.platform) >= sizeof out->platform) {
    st = sc_fail(err, SC_BAD_ARG, "%s: option 'platform': the name is too long", what);
  } else if (raw.platform) {
    memcpy(out->platform, raw.platform, strlen(raw.platform) + 1);
  }
  if (!st) st = sc_shape_read(raw.shape, what, out->shape, err);
  if (!st) st = sc_strdup(raw.base, &out->base, err);
  if (!st) st = sc_mask_locate(raw.mask, &out->mask, err);
  if (!st) st = sc_strdup(raw.cloud, &out->cloud, err);
  if (!st) st = sc_strdup(raw.nodata, &out->nodata, err);
  if (st) sc_index_options_free(out);
  return st;
}

sc_status sc_index_options_parse(const char *json, struct sc_index_options *out,
                                 struct sc_error *err) {
  cJSON *object = NULL;
  memset(out, 0, sizeof *out);
  if (json && *json && !(object = cJSON_ParseWithOpts(json, NULL, 1))) {
    return sc_fail(err, SC_BAD_ARG, "stacchip_index: not a JSON object: %.60s", json);
  }
  sc_status st = sc_index_options_read(object, "stacchip_index", NULL, out, err);
  cJSON_Delete(object);
  return st;
}

void sc_index_options_free(struct sc_index_options *o) {
  sc_free(o->base);
  sc_free(o->mask);
  sc_free(o->cloud);
  sc_free(o->nodata);
  o->base = o->mask = o->cloud = o->nodata = NULL;
}

sc_status sc_index_options_with_mask(const struct sc_index_options *base, const char *json,
                                     const char *what, struct sc_index_options *out,
                                     struct sc_error *err) {
  struct raw_options raw = {.dilate = base->dilate};
  struct sc_option own[4];
  struct sc_options parsed = {0};
  size_t n = 0;
  for (size_t i = 0; i < sizeof option_table / sizeof *option_table; i++) {
    static const char *const keys[] = {"mask", "cloud", "nodata", "dilate"};
    for (size_t k = 0; k < 4; k++) {
      if (strcmp(option_table[i].key, keys[k]) == 0) own[n++] = option_table[i];
    }
  }
  const struct sc_option_set set = {own, n, &raw, NULL};
  *out = *base;
  out->base = out->mask = out->cloud = out->nodata = NULL;
  sc_status st = sc_options_parse(json, what, &set, &parsed, err);
  out->dilate = raw.dilate;
  if (!st) st = sc_strdup(base->base, &out->base, err);
  if (!st) st = sc_mask_locate(raw.mask ? raw.mask : base->mask, &out->mask, err);
  if (!st) {
    st = sc_strdup(raw.cloud || raw.mask ? raw.cloud : base->cloud, &out->cloud, err);
  }
  if (!st) {
    st = sc_strdup(raw.nodata || raw.mask ? raw.nodata : base->nodata, &out->nodata, err);
  }
  sc_options_free(&parsed);
  return st;
}

sc_status sc_index_options_format_mask(const struct sc_index_options *o, struct sc_buffer *out,
                                       struct sc_error *err) {
  const char *const keys[] = {"mask", "cloud", "nodata"};
  const char *const values[] = {o->mask, o->cloud, o->nodata};
  sc_status st = SC_OK;
  for (int i = 0; i < 3 && !st; i++) {
    char *clean = NULL;
    if (!values[i]) continue;
    st = sc_href_without_secrets(values[i], &clean, err); /* it is stored */
    if (!st) st = sc_buffer_printf(out, err, ",\"%s\":", keys[i]);
    if (!st) st = sc_buffer_append_json(out, clean, err);
    sc_free(clean);
  }
  if (!st && o->dilate >= 0) st = sc_buffer_printf(out, err, ",\"dilate\":%" PRId64, o->dilate);
  return st;
}

sc_status sc_index_options_format(const struct sc_index_options *o, struct sc_buffer *out,
                                  struct sc_error *err) {
  char number[40];
  sqlite3_snprintf(sizeof number, number, "%!.15g", o->max_nodata);
  sc_status st = sc_buffer_printf(
      out, err, "{\"chip_size\":%d,\"stride\":%d,\"edge\":\"%s\",\"max_nodata\":%s",
      o->tiling.chip_size_px, o->tiling.stride_px, sc_edge_name(o->tiling.edge), number);
  if (!st && o->platform[0]) {
    st = sc_buffer_append_text(out, ",\"platform\":", err);
    if (!st) st = sc_buffer_append_json(out, o->platform, err);
  }
  if (!st && o->shape[0]) {
    st = sc_buffer_printf(out, err, ",\"shape\":[%" PRId64 ",%" PRId64 "]", o->shape[0],
                          o->shape[1]);
  }
  if (!st && o->base) {
    char *base = NULL;
    st = sc_href_without_secrets(o->base, &base, err); /* it is stored */
    if (!st) st = sc_buffer_append_text(out, ",\"base\":", err);
    if (!st) st = sc_buffer_append_json(out, base, err);
    sc_free(base);
  }
  if (!st) st = sc_index_options_format_mask(o, out, err);
  return st ? st : sc_buffer_append_text(out, "}", err);
}

/* --- the index --- */

void sc_index_free(struct sc_index *index) {
  sc_free(index->platform);
  sc_free(index->item);
  sc_free(index->collection);
  sc_free(index->date);
  sc_free(index->datetime);
  sc_free(index->item_json);
  sc_free(index->rule_json);
  sc_free(index->options_json);
  sc_free(index->location);
  sc_free(index->failed_href);
  sc_grid_free(&index->grid);
  for (size_t i = 0; i < index->n_assets; i++) {
    sc_free(index->assets[i].key);
    sc_free(index->assets[i].href);
  }
  sc_free(index->assets);
  sc_free(index->chips);
  sc_lattice_free(index->lattice);
  memset(index, 0, sizeof *index);
}

sc_status sc_index_footprint(const struct sc_index *index, const struct sc_index_chip *chip,
                             struct sc_footprint *out, struct sc_error *err) {
  int has_place;
  return sc_lattice_footprint(index->lattice, chip->x, chip->y, &has_place, out, err);
}

/* Nothing of the item can be placed: its grid is not where it says, and no rows would hide it. */
static sc_status fail_no_place(const struct sc_lattice *l, struct sc_error *err) {
  char transform[SC_TRANSFORM_TEXT], crs[200];
  return sc_fail(err, SC_BAD_DATA,
                 "none of its %" PRId64 " x %" PRId64
                 " chips has a place on the globe; look at proj:transform %s and CRS %s",
                 l->n_cols, l->n_rows,
                 sc_place_transform_shown(l->grid.transform, transform, sizeof transform),
                 sc_place_crs_shown(l->grid.crs, crs, sizeof crs));
}

#define CHIPS_BETWEEN_LOOKS 4096

/* Keep the chips that have a place and not too much nodata. */
static sc_status list_chips(struct sc_index *index, double max_nodata, const double *cloud,
                            const double *nodata, struct sc_error *err) {
  const struct sc_lattice *l = index->lattice;
  struct sc_footprint footprint;
  int has_place;
  index->chips = sc_alloc((size_t)(l->n_cols * l->n_rows) * sizeof *index->chips);
  if (!index->chips) return sc_fail_nomem(err);
  for (int64_t y = 0; y < l->n_rows; y++) {
    for (int64_t x = 0; x < l->n_cols; x++) {
      int64_t k = y * l->n_cols + x;
      if (k % CHIPS_BETWEEN_LOOKS == 0 && sc_interrupted(NULL))
        return sc_fail(err, SC_INTERRUPT, "interrupted");
      sc_status st = sc_lattice_footprint(l, x, y, &has_place, &footprint, err);
      if (st) return st;
      if (!has_place) {
        index->n_left_out++;
        continue;
      }
      /* As the column shows it: where pixels are cut, a half may be a half and a last bit. */
      if ((float)nodata[k] > (float)max_nodata) continue;
      struct sc_index_chip *chip = &index->chips[index->n_chips++];
      chip->x = (int32_t)x;
      chip->y = (int32_t)y;
      chip->cloud = (float)cloud[k];
      chip->nodata = (float)nodata[k];
    }
  }
  int is_lost = index->n_left_out > 0 && index->n_left_out == l->n_cols * l->n_rows;
  return is_lost ? fail_no_place(l, err) : SC_OK;
}

static sc_status copy_asset(struct sc_index *index, const struct sc_asset *asset,
                            struct sc_error *err) {
  struct sc_index_asset *to = &index->assets[index->n_assets++];
  sc_status st = sc_strdup(asset->key, &to->key, err);
  return st ? st : sc_strdup(sc_json_text(asset->json, "href"), &to->href, err);
}

/* Each asset once: a mask may hold pixels, and an asset several bands. */
static sc_status copy_assets(struct sc_index *index, const struct sc_scene *s,
                             struct sc_error *err) {
  unsigned char *seen = sc_alloc_zero(s->item.n_assets, 1);
  size_t n_masks = s->has_mask ? 1 : 0;
  index->assets = sc_alloc_zero(s->n_assets + 1, sizeof *index->assets);
  sc_status st = index->assets && seen ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < s->n_assets + n_masks && !st; i++) {
    const struct sc_asset *asset = i < n_masks ? s->mask.asset : s->assets[i - n_masks].asset;
    size_t position = (size_t)(asset - s->item.assets);
    if (!seen[position]) st = copy_asset(index, asset, err);
    seen[position] = 1;
  }
  sc_free(seen);
  return st;
}

/* A rule may name a raster by a URL with a signature in it, and is stored. */
static sc_status describe_rule(const struct sc_rule *rule, char **out, struct sc_error *err) {
  char *text = NULL;
  sc_status st = sc_rule_text(rule, &text, err);
  if (!st)
    st = strstr(text, "://") ? sc_href_without_secrets(text, out, err) : sc_strdup(text, out, err);
  sc_free(text);
  return st;
}

/* Copy what the item says of itself; the grid moves over. */
static sc_status describe(struct sc_index *index, struct sc_scene *s,
                          const struct sc_index_options *options, struct sc_error *err) {
  struct sc_buffer json = {0};
  const char *time = s->item.datetime[0] ? s->item.datetime : NULL;
  sc_grid_hash(&s->grid, index->grid_hash);
  index->is_raster = s->item.is_raster;
  index->grid = s->grid;
  memset(&s->grid, 0, sizeof s->grid);
  sc_status st = sc_strdup(sc_scene_platform(s), &index->platform, err);
  if (!st) st = sc_strdup(s->item.collection, &index->collection, err);
  if (!st) st = sc_strdup(time, &index->datetime, err);
  if (!st) st = sc_strndup(time, 10, &index->date, err);
  if (!st) st = sc_item_text(&s->item, &index->item_json, err);
  if (!st && s->rule.name) st = describe_rule(&s->rule, &index->rule_json, err);
  if (!st) st = sc_strdup(s->item.location, &index->location, err);
  if (!st) st = sc_index_options_format(options, &json, err);
  if (!st) st = sc_strndup((const char *)json.data, json.size, &index->options_json, err);
  sc_buffer_free(&json);
  return st ? st : copy_assets(index, s, err);
}

static sc_status index_scene(const struct sc_index_call *call, struct sc_scene *s,
                             const struct sc_index_options *options, struct sc_index *out,
                             struct sc_error *err) {
  out->tiling = options->tiling;
  sc_status st = sc_scene_check_place(s, err);
  if (st) return st;
  st = sc_lattice_new(&s->grid, &options->tiling, &out->lattice, err);
  if (st) return sc_fail_within(err, "item %s", s->item.id);
  size_t n = (size_t)(out->lattice->n_cols * out->lattice->n_rows);
  double *fractions = sc_alloc_zero(2 * n, sizeof *fractions);
  st = fractions ? SC_OK : sc_fail_nomem(err);
  if (!st && n) st = sc_fractions(call, s, &options->tiling, fractions, fractions + n, err);
  if (!st) {
    st = list_chips(out, options->max_nodata, fractions, fractions + n, err);
    if (st) sc_fail_within(err, "item %s: asset %s", s->item.id, s->item.assets[s->grid_asset].key);
  }
  sc_free(fractions);
  return st ? st : describe(out, s, options, err);
}

/* Keep what a message may need of an item that failed: its id, and the asset that err names. */
static void keep_failed(const struct sc_item *item, const struct sc_error *err,
                        struct sc_index *index) {
  struct sc_error ignored = {0};
  size_t longest = 0;
  char *id = index->item, shown[600];
  index->item = NULL;
  sc_index_free(index);
  index->item = id;
  for (size_t i = 0; i < item->n_assets; i++) {
    const char *href = sc_json_text(item->assets[i].json, "href");
    size_t n = href ? strlen(sc_access_shown(href, shown, sizeof shown)) : 0;
    if (n <= longest || !strstr(err->text, shown)) continue;
    longest = n;
    sc_free(index->failed_href);
    sc_strdup(href, &index->failed_href, &ignored);
  }
}

sc_status sc_index_item(const struct sc_index_call *call, const char *item, size_t n,
                        const struct sc_index_options *options, struct sc_index *out,
                        struct sc_error *err) {
  struct sc_scene scene = {0};
  memset(out, 0, sizeof *out);
  sc_status st = sc_item_read(item, n, options->base, &scene.item, err);
  if (!st) st = sc_strdup(scene.item.id, &out->item, err);
  if (!st) st = sc_scene_complete(call->rules, options, 1, &scene, err);
  if (!st) st = index_scene(call, &scene, options, out, err);
  if (st) keep_failed(&scene.item, err, out);
  sc_scene_free(&scene);
  return st;
}
