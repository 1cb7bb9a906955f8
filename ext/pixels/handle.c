/* Handles of chips; see handle.h. */
#include "pixels/handle.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/chip.h"
#include "store/secrets.h"

/* What a chip needs to know of an asset; the rest of an item would make handles long. */
static int is_needed(const char *key) {
  static const char *const keys[] = {"href", "type", "roles", "bands", "eo:bands", "raster:bands"};
  if (strncmp(key, "proj:", 5) == 0) return 1;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (strcmp(key, keys[i]) == 0) return 1;
  }
  return 0;
}

/* Take members away that a reader of pixels does not look at. */
static void thin_bands(cJSON *list) {
  static const char *const extra[] = {
      "center_wavelength", "full_width_half_max", "description",       "gsd",
      "statistics",        "histogram",           "spatial_resolution"};
  cJSON *band;
  if (!cJSON_IsArray(list)) return;
  cJSON_ArrayForEach(band, list) {
    for (size_t i = 0; cJSON_IsObject(band) && i < sizeof extra / sizeof *extra; i++) {
      cJSON_DeleteItemFromObjectCaseSensitive(band, extra[i]);
    }
  }
}

static void thin_object(cJSON *object, int is_asset) {
  cJSON *member = object->child, *next;
  for (; member; member = next) {
    next = member->next;
    int keep = is_needed(member->string) && (is_asset || strcmp(member->string, "eo:bands") == 0 ||
                                             strncmp(member->string, "proj:", 5) == 0);
    int is_extent = strcmp(member->string, "proj:geometry") == 0 ||
                    strcmp(member->string, "proj:bbox") == 0 ||
                    strcmp(member->string, "proj:centroid") == 0;
    int is_datetime = !is_asset && (strcmp(member->string, "datetime") == 0 ||
                                    strcmp(member->string, "s2:processing_baseline") == 0);
    if ((!keep || is_extent) && !is_datetime) {
      cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
    } else if (strstr(member->string, "bands")) {
      thin_bands(member);
    }
  }
}

/* Does a list name an asset? */
struct listed {
  const struct sc_index *index; /* or */
  const struct sc_scene *scene;
};

static int is_listed(const struct listed *l, const char *key) {
  for (size_t i = 0; l->index && i < l->index->n_assets; i++) {
    if (strcmp(l->index->assets[i].key, key) == 0) return 1;
  }
  for (size_t i = 0; l->scene && i < l->scene->n_assets; i++) {
    if (strcmp(l->scene->assets[i].asset->key, key) == 0) return 1;
  }
  return l->scene && l->scene->has_mask && strcmp(l->scene->mask.asset->key, key) == 0;
}

/* Thin an item in place: the assets listed only, and of these what a chip needs. */
static void thin_item(cJSON *item, const struct listed *listed) {
  static const char *const keep[] = {SC_ITEM_ORIGIN, "type",       "stac_version", "id",
                                     "collection",   "properties", "assets"};
  cJSON *member, *next;
  for (member = item->child; member; member = next) {
    int kept = 0;
    next = member->next;
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
      kept |= strcmp(member->string, keep[i]) == 0;
    if (!kept) cJSON_Delete(cJSON_DetachItemViaPointer(item, member));
  }
  cJSON *properties = cJSON_GetObjectItemCaseSensitive(item, "properties");
  if (cJSON_IsObject(properties)) thin_object(properties, 0);
  cJSON *assets = cJSON_GetObjectItemCaseSensitive(item, "assets");
  for (member = assets->child; member; member = next) {
    next = member->next;
    if (is_listed(listed, member->string)) {
      thin_object(member, 1);
    } else {
      cJSON_Delete(cJSON_DetachItemViaPointer(assets, member));
    }
  }
}

static sc_status append_thin(cJSON *item, const struct listed *listed, struct sc_buffer *out,
                             struct sc_error *err) {
  if (!item) return sc_fail_nomem(err);
  thin_item(item, listed);
  char *text = cJSON_PrintUnformatted(item), *clean = NULL;
  sc_status st = !text           ? sc_fail_nomem(err)
                 : listed->index ? sc_href_for_handle(text, &clean, err)
                                 : sc_href_without_secrets(text, &clean, err); /* to go elsewhere */
  if (!st) st = sc_buffer_append_text(out, clean, err);
  cJSON_free(text);
  sc_free(clean);
  cJSON_Delete(item);
  return st;
}

static sc_status append_item(const struct sc_index *index, struct sc_buffer *out,
                             struct sc_error *err) {
  struct listed listed = {.index = index};
  if (index->location) {
    char *location = NULL;
    sc_status st = sc_href_for_handle(index->location, &location, err);
    if (!st) st = sc_buffer_append_json(out, location, err);
    sc_free(location);
    return st;
  }
  return append_thin(cJSON_Parse(index->item_json), &listed, out, err);
}

/* The tiling, where it is not the default. */
static sc_status append_tiling(const struct sc_tiling *t, struct sc_buffer *out,
                               struct sc_error *err) {
  sc_status st = SC_OK;
  if (t->chip_size_px != SC_CHIP_SIZE_DEFAULT_PX) {
    st = sc_buffer_printf(out, err, ",\"chip_size\":%d", t->chip_size_px);
  }
  if (!st && t->stride_px != t->chip_size_px) {
    st = sc_buffer_printf(out, err, ",\"stride\":%d", t->stride_px);
  }
  if (!st && t->edge != SC_EDGE_DROP) {
    st = sc_buffer_printf(out, err, ",\"edge\":\"%s\"", sc_edge_name(t->edge));
  }
  return st;
}

static sc_status append_platform(const char *platform, struct sc_buffer *out,
                                 struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, ",\"platform\":", err);
  return st ? st : sc_buffer_append_json(out, platform, err);
}

sc_status sc_handle_prefix(const struct sc_index *index, const struct sc_index_options *options,
                           struct sc_buffer *out, struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "{\"item\":", err);
  if (!st) st = append_item(index, out, err);
  if (!st) st = append_tiling(&options->tiling, out, err);
  if (!st && (options->platform[0] || !index->location))
    st = append_platform(index->platform, out, err);
  if (!st && options->shape[0]) {
    st = sc_buffer_printf(out, err, ",\"shape\":[%lld,%lld]", (long long)options->shape[0],
                          (long long)options->shape[1]);
  }
  return st;
}

sc_status sc_handle_export(const struct sc_chip *chip, struct sc_buffer *out,
                           struct sc_error *err) {
  const struct sc_scene *s = chip->scene;
  struct listed listed = {.scene = s};
  struct sc_tiling tiling = chip->tiling;
  int64_t x = chip->x, y = chip->y;
  if (x < 0) { /* round a centre: the same window, counted pixel by pixel */
    tiling.stride_px = 1;
    tiling.edge = SC_EDGE_PAD;
    x = chip->window.x;
    y = chip->window.y;
    if (x < 0 || y < 0) {
      return sc_fail(err, SC_RANGE,
                     "item %s: a chip that leaves the grid at the upper left has no "
                     "position to export",
                     s->item.id);
    }
  }
  sc_status st = sc_buffer_append_text(out, "{\"item\":", err);
  if (!st) st = append_thin(cJSON_Duplicate(s->item.json, 1), &listed, out, err);
  if (!st) st = append_tiling(&tiling, out, err);
  if (!st) st = append_platform(sc_scene_platform(s), out, err);
  return st ? st
            : sc_buffer_printf(out, err, ",\"chip_index_x\":%lld,\"chip_index_y\":%lld}",
                               (long long)x, (long long)y);
}

sc_status sc_handle_format(const struct sc_buffer *prefix, int x, int y, struct sc_buffer *out,
                           struct sc_error *err) {
  sc_status st = sc_buffer_append(out, prefix->data, prefix->size, err);
  return st ? st : sc_buffer_printf(out, err, ",\"chip_index_x\":%d,\"chip_index_y\":%d}", x, y);
}
