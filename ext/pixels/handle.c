/* Handles of chips; see handle.h. */
#include "pixels/handle.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"

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
  static const char *const extra[] = {"center_wavelength", "full_width_half_max", "description",
                                      "gsd", "statistics", "histogram", "spatial_resolution"};
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

static int is_listed(const struct sc_index *index, const char *key) {
  for (size_t i = 0; i < index->n_assets; i++) {
    if (strcmp(index->assets[i].key, key) == 0) return 1;
  }
  return 0;
}

/* The item with the assets of the index only, and of these what a chip needs. */
static cJSON *thin_item(const struct sc_index *index) {
  static const char *const keep[] = {"type", "stac_version", "id", "collection", "properties", "assets"};
  cJSON *item = cJSON_Parse(index->item_json), *member, *next;
  if (!item) return NULL;
  for (member = item->child; member; member = next) {
    int kept = 0;
    next = member->next;
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) kept |= strcmp(member->string, keep[i]) == 0;
    if (!kept) cJSON_Delete(cJSON_DetachItemViaPointer(item, member));
  }
  cJSON *properties = cJSON_GetObjectItemCaseSensitive(item, "properties");
  if (cJSON_IsObject(properties)) thin_object(properties, 0);
  cJSON *assets = cJSON_GetObjectItemCaseSensitive(item, "assets");
  for (member = assets->child; member; member = next) {
    next = member->next;
    if (is_listed(index, member->string)) {
      thin_object(member, 1);
    } else {
      cJSON_Delete(cJSON_DetachItemViaPointer(assets, member));
    }
  }
  return item;
}

static sc_status append_item(const struct sc_index *index, struct sc_buffer *out,
                             struct sc_error *err) {
  if (index->location) return sc_buffer_append_json(out, index->location, err);
  cJSON *item = thin_item(index);
  char *text = item ? cJSON_PrintUnformatted(item) : NULL;
  sc_status st = text ? sc_buffer_append_text(out, text, err) : sc_fail_nomem(err);
  cJSON_free(text);
  cJSON_Delete(item);
  return st;
}

sc_status sc_handle_prefix(const struct sc_index *index, const struct sc_index_options *options,
                           struct sc_buffer *out, struct sc_error *err) {
  static const char *const edges[] = {"drop", "pad", "shift"};
  const struct sc_tiling *t = &options->tiling;
  sc_status st = sc_buffer_append_text(out, "{\"item\":", err);
  if (!st) st = append_item(index, out, err);
  if (!st && t->chip_size_px != SC_CHIP_SIZE_DEFAULT_PX) {
    st = sc_buffer_printf(out, err, ",\"chip_size\":%d", t->chip_size_px);
  }
  if (!st && t->stride_px != t->chip_size_px) {
    st = sc_buffer_printf(out, err, ",\"stride\":%d", t->stride_px);
  }
  if (!st && t->edge != SC_EDGE_DROP) {
    st = sc_buffer_printf(out, err, ",\"edge\":\"%s\"", edges[t->edge]);
  }
  if (!st && (options->platform[0] || !index->location)) {
    st = sc_buffer_append_text(out, ",\"platform\":", err);
    if (!st) st = sc_buffer_append_json(out, index->platform, err);
  }
  if (!st && options->shape[0]) {
    st = sc_buffer_printf(out, err, ",\"shape\":[%lld,%lld]", (long long)options->shape[0],
                          (long long)options->shape[1]);
  }
  return st;
}

sc_status sc_handle_format(const struct sc_buffer *prefix, int x, int y, struct sc_buffer *out,
                           struct sc_error *err) {
  sc_status st = sc_buffer_append(out, prefix->data, prefix->size, err);
  return st ? st : sc_buffer_printf(out, err, ",\"chip_index_x\":%d,\"chip_index_y\":%d}", x, y);
}
