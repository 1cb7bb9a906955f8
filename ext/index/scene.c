/* An item with its rule, assets and grid; see scene.h. */
#include "index/scene.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "index/mapping.h"
#include "index/place.h"
#include "raster/raster_api.h"
#include "stac/formats.h"

int sc_platform_is_known(struct sc_rules *rules, const char *name) {
  return strcmp(name, SC_PLATFORM_NONE) == 0 || sc_rules_has(rules, name);
}

const char *sc_scene_platform(const struct sc_scene *scene) {
  if (scene->rule.name) return scene->rule.name;
  return scene->has_mask ? SC_PLATFORM_RASTER : SC_PLATFORM_NONE;
}

void sc_scene_reset(struct sc_scene *scene) {
  if (scene->own_mask) scene->item.n_assets--;
  struct sc_item item = scene->item;
  cJSON_Delete(scene->own_mask);
  sc_rule_free(&scene->rule);
  sc_grid_free(&scene->grid);
  sc_free(scene->assets);
  memset(scene, 0, sizeof *scene);
  scene->item = item;
}

void sc_scene_free(struct sc_scene *scene) {
  sc_scene_reset(scene);
  sc_item_free(&scene->item);
}

/* Find the first of several alternatives: a text, or an array of texts. */
static int find_alternative(const struct sc_item *item, const cJSON *names,
                            struct sc_asset_band *out) {
  const cJSON *name;
  if (cJSON_IsString(names)) return sc_item_find(item, names->valuestring, out);
  cJSON_ArrayForEach(name, names) {
    if (cJSON_IsString(name) && sc_item_find(item, name->valuestring, out)) return 1;
    if (cJSON_IsArray(name) && find_alternative(item, name, out)) return 1;
  }
  return 0;
}

/* "scl|SCL" of an array of names, for a message. */
static void list_alternatives(const cJSON *names, char *out, size_t n) {
  char *text = cJSON_PrintUnformatted(names);
  snprintf(out, n, "%s", text ? text : "");
  cJSON_free(text);
}

/* --- own masks --- */

static int is_path(const char *name) {
  return strchr(name, '/') || sc_href_is_url(name) || sc_format_has_suffix(name);
}

sc_status sc_mask_locate(const char *mask, char **out, struct sc_error *err) {
  *out = NULL;
  if (!mask || !is_path(mask)) return sc_strdup(mask, out, err);
  return sc_href_locate(mask, out, err);
}

/* The path with the item's id for each "{id}". An id is a name here, not a way to other folders. */
static sc_status fill_in_id(const char *path, const char *id, struct sc_buffer *out,
                            struct sc_error *err) {
  const char *at;
  sc_status st = SC_OK;
  if (strstr(path, "{id}") && (strchr(id, '/') || strcmp(id, "..") == 0)) {
    return sc_fail(err, SC_DENIED, "item %s: mask %s: an id with '/' in it names no file", id,
                   path);
  }
  while (!st && (at = strstr(path, "{id}"))) {
    st = sc_buffer_append(out, path, (size_t)(at - path), err);
    if (!st) st = sc_buffer_append_text(out, id, err);
    path = at + 4;
  }
  if (!st) st = sc_buffer_append_text(out, path, err);
  return st ? st : sc_buffer_terminate(out, err);
}

static sc_status set_member(cJSON *rule, const char *key, cJSON *value, struct sc_error *err) {
  cJSON_DeleteItemFromObjectCaseSensitive(rule, key);
  return value && cJSON_AddItemToObject(rule, key, value) ? SC_OK : sc_fail_nomem(err);
}

/* The raster becomes the last of the item's assets, and of no part of its text. */
static sc_status add_own_mask(struct sc_scene *s, const char *path, struct sc_error *err) {
  struct sc_item *item = &s->item;
  struct sc_buffer filled = {0};
  char *located = NULL;
  sc_status st = sc_href_locate(path, &located, err);
  if (!st) st = set_member(s->rule.json, "mask", cJSON_CreateString(located), err); /* stored so */
  if (!st) st = fill_in_id(located, item->id, &filled, err);
  struct sc_asset *larger =
      st ? NULL : sc_realloc(item->assets, (item->n_assets + 1) * sizeof *larger);
  if (larger) item->assets = larger;
  s->own_mask = larger ? cJSON_CreateObject() : NULL;
  if (!st &&
      !(s->own_mask && cJSON_AddStringToObject(s->own_mask, "href", (const char *)filled.data) &&
        cJSON_AddStringToObject(s->own_mask, "type", "image/tiff"))) {
    cJSON_Delete(s->own_mask);
    s->own_mask = NULL;
    st = sc_fail_nomem(err);
  }
  if (!st) {
    item->assets[item->n_assets] = (struct sc_asset){SC_SCENE_OWN_MASK, s->own_mask, 1};
    s->mask = (struct sc_asset_band){.asset = &item->assets[item->n_assets++], .band = 1};
    s->has_mask = 1;
  }
  sc_buffer_free(&filled);
  sc_free(located);
  return st;
}

/* The first name that is a path, if there is one. */
static const char *find_path(const cJSON *names) {
  const cJSON *name;
  if (cJSON_IsString(names)) return is_path(names->valuestring) ? names->valuestring : NULL;
  cJSON_ArrayForEach(name, names) {
    if (cJSON_IsString(name) && is_path(name->valuestring)) return name->valuestring;
  }
  return NULL;
}

/* What the options say of the mask into the copy of the rule, which a merged index stores. */
static sc_status apply_mask_options(struct sc_scene *s, const struct sc_index_options *o,
                                    struct sc_error *err) {
  sc_status st = SC_OK;
  if (!o->mask && !o->cloud && !o->nodata && o->dilate < 0) return SC_OK;
  if (!s->rule.name && !o->mask) {
    return sc_fail(err, SC_BAD_ARG,
                   "item %s: option '%s' is of no use without a mask: platform %s has none",
                   s->item.id,
                   o->cloud    ? "cloud"
                   : o->nodata ? "nodata"
                               : "dilate",
                   sc_scene_platform(s));
  }
  if (!s->rule.name) {
    s->has_mask = 0; /* of a bare raster, that stood for validity */
    st = sc_strdup(SC_PLATFORM_NONE, &s->rule.name, err);
    if (!st) s->rule.json = cJSON_CreateObject();
    if (!st && !s->rule.json) st = sc_fail_nomem(err);
  }
  cJSON *rule = s->rule.json;
  /* Another mask has other values: not those of the rule. */
  const char *cloud = o->cloud ? o->cloud : o->mask ? "v" : NULL;
  const char *nodata = o->nodata ? o->nodata : o->mask ? "nd" : NULL;
  if (!st && o->mask) st = set_member(rule, "mask", cJSON_CreateString(o->mask), err);
  if (!st && cloud) st = set_member(rule, "cloud", cJSON_CreateString(cloud), err);
  if (!st && nodata) st = set_member(rule, "nodata", cJSON_CreateString(nodata), err);
  if (!st && o->dilate >= 0) {
    st = set_member(rule, "dilate", cJSON_CreateNumber((double)o->dilate), err);
  }
  return st;
}

/* A rule that was stored is input: its number may be anything. */
static int dilation_of(const struct sc_rule *rule) {
  const cJSON *n = cJSON_GetObjectItemCaseSensitive(rule->json, "dilate");
  if (!cJSON_IsNumber(n) || !(n->valuedouble > 0)) return 0;
  return n->valuedouble < SC_DILATE_MAX_PX ? (int)n->valuedouble : SC_DILATE_MAX_PX;
}

static sc_status find_mask(struct sc_scene *s, int need_mask, struct sc_error *err) {
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(s->rule.json, "mask");
  char wanted[300], there[512];
  s->dilate_px = dilation_of(&s->rule);
  if (!names || cJSON_IsNull(names) || (cJSON_IsArray(names) && !names->child)) return SC_OK;
  s->has_mask = find_alternative(&s->item, names, &s->mask);
  const char *path = s->has_mask ? NULL : find_path(names);
  if (path) return add_own_mask(s, path, err);
  if (s->has_mask || !need_mask) return SC_OK;
  list_alternatives(names, wanted, sizeof wanted);
  sc_item_list_assets(&s->item, there, sizeof there);
  return sc_fail(err, SC_NOT_FOUND,
                 "item %s: platform %s: no mask asset %s; assets with pixels: %s", s->item.id,
                 s->rule.name, wanted, there);
}

/* The rule's assets that the item has; it may lack some, which matters when they are read. */
static sc_status find_rule_assets(struct sc_scene *s, struct sc_error *err) {
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(s->rule.json, "assets"), *name;
  size_t n = cJSON_IsArray(names) ? (size_t)cJSON_GetArraySize(names) : 1;
  s->assets = sc_alloc_zero(n + 1, sizeof *s->assets);
  if (!s->assets) return sc_fail_nomem(err);
  if (cJSON_IsString(names) && sc_item_find(&s->item, names->valuestring, &s->assets[0])) {
    s->n_assets = 1;
  }
  if (!cJSON_IsArray(names)) return SC_OK;
  cJSON_ArrayForEach(name, names) {
    if (find_alternative(&s->item, name, &s->assets[s->n_assets])) s->n_assets++;
  }
  return SC_OK;
}

static sc_status take_all_assets(struct sc_scene *s, struct sc_error *err) {
  s->assets = sc_alloc_zero(s->item.n_assets + 1, sizeof *s->assets);
  if (!s->assets) return sc_fail_nomem(err);
  for (size_t i = 0; i < s->item.n_assets; i++) {
    if (s->item.assets[i].is_own || sc_asset_pixels(&s->item.assets[i]) == SC_PIXELS_NONE) continue;
    s->assets[s->n_assets].asset = &s->item.assets[i];
    s->n_assets++;
  }
  return SC_OK;
}

/* The grid of highest resolution among the scene's assets, or of its mask where it has none. */
static sc_status find_grid(struct sc_scene *s, const struct sc_index_options *options,
                           struct sc_error *err) {
  size_t n = 0, *positions = sc_alloc((s->n_assets + 1) * sizeof *positions);
  struct sc_grid_source source = {0};
  unsigned char *seen = sc_alloc_zero(s->item.n_assets, 1);
  sc_status st = positions && seen ? SC_OK : sc_fail_nomem(err);
  /* A raster of the caller's does not change where the item's pixels lie. */
  int with_mask = s->has_mask && (!s->own_mask || s->n_assets == 0);
  for (size_t i = 0; i < s->n_assets + (with_mask ? 1 : 0) && !st; i++) {
    const struct sc_asset *asset = i < s->n_assets ? s->assets[i].asset : s->mask.asset;
    size_t position = (size_t)(asset - s->item.assets);
    if (seen[position]) continue;
    seen[position] = 1;
    positions[n++] = position;
  }
  if (!st) st = sc_projection_grid(&s->item, positions, n, options->shape, &s->grid, &source, err);
  s->grid_asset = source.asset;
  s->grid_from = source.from;
  sc_free(positions);
  sc_free(seen);
  return st;
}

static sc_status find_rule(struct sc_scene *s, struct sc_rules *rules, const char *platform,
                           struct sc_error *err) {
  if (strcmp(platform, SC_PLATFORM_NONE) == 0) return SC_OK;
  if (*platform && strcmp(platform, SC_PLATFORM_RASTER) != 0) {
    return sc_rules_get(rules, platform, &s->rule, err);
  }
  if (s->item.is_raster) {
    s->has_mask = 1;
    s->mask.asset = &s->item.assets[0];
    return SC_OK;
  }
  return sc_rules_match(rules, &s->item, &s->rule, err);
}

static sc_status complete(struct sc_scene *s, const struct sc_index_options *options, int need_mask,
                          struct sc_error *err) {
  sc_status st = SC_OK;
  if (s->rule.name) {
    st = find_mask(s, need_mask, err);
    int has_list = cJSON_HasObjectItem(s->rule.json, "assets");
    int is_none = strcmp(s->rule.name, SC_PLATFORM_NONE) == 0;
    if (!st) st = is_none && !has_list ? take_all_assets(s, err) : find_rule_assets(s, err);
  } else {
    st = take_all_assets(s, err);
  }
  return st ? st : find_grid(s, options, err);
}

sc_status sc_scene_complete(struct sc_rules *rules, const struct sc_index_options *options,
                            int need_mask, struct sc_scene *out, struct sc_error *err) {
  sc_status st = find_rule(out, rules, options->platform, err);
  if (!st) st = apply_mask_options(out, options, err);
  return st ? st : complete(out, options, need_mask, err);
}

sc_status sc_scene_open(struct sc_rules *rules, const char *argument, size_t n,
                        const struct sc_index_options *options, int need_mask, struct sc_scene *out,
                        struct sc_error *err) {
  memset(out, 0, sizeof *out);
  sc_status st = sc_item_read(argument, n, options->base, &out->item, err);
  if (!st) st = sc_scene_complete(rules, options, need_mask, out, err);
  if (st) sc_scene_free(out);
  return st;
}

sc_status sc_scene_open_stored(const char *item_json, size_t n, const char *rule_json,
                               const struct sc_index_options *options, struct sc_scene *out,
                               struct sc_error *err) {
  memset(out, 0, sizeof *out);
  sc_status st = sc_item_read(item_json, n, NULL, &out->item, err);
  if (!st && rule_json) st = sc_rule_from_text(rule_json, &out->rule, err);
  if (!st) st = complete(out, options, 0, err);
  if (st) sc_scene_free(out);
  return st;
}

static sc_status check_local_file(const struct sc_scene *s, struct sc_error *err) {
  const struct sc_asset *asset = &s->item.assets[s->grid_asset];
  const struct sc_raster_api *raster = sc_raster(err);
  struct sc_raster_info info = {0};
  struct sc_mapping mapping;
  struct sc_error ignored;
  char *href = NULL;
  sc_status st = SC_OK;
  if (!raster) return err->status;
  if (sc_asset_pixels(asset) == SC_PIXELS_RASTER &&
      sc_item_href(&s->item, asset, &href, &ignored) == SC_OK && !sc_href_is_url(href)) {
    struct sc_source source = {.href = href, .item = s->item.id, .asset = asset->key};
    if (raster->info(&source, &info, &ignored) == SC_OK) {
      st = sc_mapping_find(s, asset, &info, &source, &mapping, err);
      if (!st) st = sc_mapping_check_placed(&mapping, &source, err);
    }
    raster->info_free(&info);
  }
  sc_free(href);
  return st;
}

sc_status sc_scene_check_place(const struct sc_scene *s, struct sc_error *err) {
  char *doubt = NULL;
  int stated = s->grid_from != SC_GRID_FROM_FILE;
  sc_status st = sc_place_check(&s->item, &s->grid, stated, &doubt, err);
  sc_free(doubt);
  if (st)
    return sc_fail_within(err, "item %s: asset %s", s->item.id, s->item.assets[s->grid_asset].key);
  return stated ? check_local_file(s, err) : SC_OK;
}
