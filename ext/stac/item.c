/* A STAC item as read; see item.h. */
#include "stac/item.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sniff.h"
#include "raster/raster_api.h"
#include "stac/formats.h"
#include "stac/json_reader.h"
#include "stac/seen.h"
#include "store/access.h"
#include "store/open.h"
#include "store/read.h"

const char *sc_json_text(const cJSON *object, const char *key) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
  return cJSON_IsString(value) ? value->valuestring : NULL;
}

void sc_item_free(struct sc_item *item) {
  cJSON_Delete(item->json);
  sc_free(item->location);
  sc_free(item->assets);
  memset(item, 0, sizeof *item);
}

/* What a JSON value is, for a message: "a FeatureCollection", "an array". */
static const char *describe(const cJSON *json, char *out, size_t n) {
  const char *type = sc_json_text(json, "type");
  if (cJSON_IsArray(json)) {
    snprintf(out, n, "a JSON array of %d values", cJSON_GetArraySize(json));
  } else if (!cJSON_IsObject(json)) {
    snprintf(out, n, "a JSON %s", cJSON_IsString(json) ? "text" : "value");
  } else if (type) {
    snprintf(out, n, "type '%.60s'", type);
  } else {
    snprintf(out, n, "a JSON object without type and assets");
  }
  return out;
}

static sc_status check_is_item(const cJSON *json, struct sc_error *err) {
  char what[100];
  const char *type = sc_json_text(json, "type");
  const cJSON *assets = cJSON_GetObjectItemCaseSensitive(json, "assets");
  int is_feature = type ? strcmp(type, "Feature") == 0 : assets != NULL;
  if (!cJSON_IsObject(json) || !is_feature) {
    const char *hint = type && strcmp(type, "FeatureCollection") == 0
                           ? "; stacchip_items() lists the items of a FeatureCollection"
                           : "";
    return sc_fail(err, SC_BAD_DATA, "%s, not a STAC item%s", describe(json, what, sizeof what),
                   hint);
  }
  const char *id = sc_json_text(json, "id");
  if (!id || !*id) return sc_fail(err, SC_BAD_DATA, "the STAC item has no id, or an empty one");
  return SC_OK;
}

static void read_datetime(struct sc_item *item) {
  static const char *const keys[] = {"datetime", "start_datetime"};
  for (int i = 0; i < 2; i++) {
    const char *text = sc_json_text(item->properties, keys[i]);
    if (text && sc_datetime_normalise(text, item->datetime)) return;
  }
}

static sc_status list_assets(struct sc_item *item, struct sc_error *err) {
  const cJSON *assets = cJSON_GetObjectItemCaseSensitive(item->json, "assets"), *a;
  int n = cJSON_GetArraySize(assets);
  if (n > SC_ITEM_MAX_ASSETS) {
    return sc_fail(err, SC_TOO_BIG, "item %.200s: %d assets; the limit is %d", item->id, n,
                   SC_ITEM_MAX_ASSETS);
  }
  item->assets = sc_alloc_zero((size_t)n, sizeof *item->assets);
  if (!item->assets) return sc_fail_nomem(err);
  cJSON_ArrayForEach(a, assets) {
    if (!cJSON_IsObject(a) || !a->string) continue;
    item->assets[item->n_assets].key = a->string;
    item->assets[item->n_assets].json = a;
    item->n_assets++;
  }
  return SC_OK;
}

/*
 * Make hrefs absolute where the base allows; others are reported when they are needed. keep_paths:
 * "/data/x.tif" is a local file whatever the base.
 */
static sc_status absolutise(struct sc_item *item, const char *base, int keep_paths,
                            struct sc_error *err) {
  for (size_t i = 0; i < item->n_assets; i++) {
    cJSON *href = cJSON_GetObjectItemCaseSensitive(item->assets[i].json, "href");
    struct sc_error ignored = {0};
    char *absolute = NULL;
    if (!cJSON_IsString(href) || (keep_paths && *href->valuestring == '/')) continue;
    if (sc_href_resolve_reference(base, href->valuestring, &absolute, &ignored)) {
      if (ignored.status == SC_NOMEM) return sc_fail_nomem(err);
      continue;
    }
    char *kept = cJSON_SetValuestring(href, absolute);
    sc_free(absolute);
    if (!kept) return sc_fail_nomem(err);
  }
  return SC_OK;
}

/* The folder of the item's link with rel "self", if that is an absolute URL or path. */
static sc_status self_folder(const struct sc_item *item, char **out, struct sc_error *err) {
  const cJSON *links = cJSON_GetObjectItemCaseSensitive(item->json, "links"), *link;
  *out = NULL;
  if (!cJSON_IsArray(links)) return SC_OK;
  cJSON_ArrayForEach(link, links) {
    const char *rel = sc_json_text(link, "rel"), *href = sc_json_text(link, "href");
    if (rel && href && strcmp(rel, "self") == 0 && (sc_href_is_url(href) || *href == '/')) {
      return sc_href_folder(href, out, err);
    }
  }
  return SC_OK;
}

sc_status sc_item_set_network(struct sc_item *item, struct sc_error *err) {
  item->origin = SC_ORIGIN_NETWORK;
  while (cJSON_HasObjectItem(item->json, SC_ITEM_ORIGIN)) {
    cJSON_DeleteItemFromObject(item->json, SC_ITEM_ORIGIN);
  }
  if (!cJSON_AddStringToObject(item->json, SC_ITEM_ORIGIN, "network")) return sc_fail_nomem(err);
  cJSON *mark = cJSON_DetachItemFromObject(item->json, SC_ITEM_ORIGIN);
  cJSON_InsertItemInArray(item->json, 0, mark); /* of a list of members, too */
  return SC_OK;
}

/* Does a member, in whatever place or case, say that the item came over the network? */
static int says_network(const cJSON *json) {
  const cJSON *member;
  cJSON_ArrayForEach(member, json) {
    if (member->string && strcasecmp(member->string, SC_ITEM_ORIGIN) == 0) return 1;
  }
  return 0;
}

/*
 * JSON leaves open what a key that is there twice means (RFC 8259, section 4): one reader takes the
 * first, another the last, and cJSON keeps both. *key is NULL where each is there once.
 */
static sc_status find_twice(const cJSON *object, const char **key, struct sc_error *err) {
  struct sc_seen seen = {0};
  const cJSON *member;
  sc_status st = SC_OK;
  *key = NULL;
  cJSON_ArrayForEach(member, object) {
    int is_new = 1;
    if (!st && member->string) st = sc_seen_add(&seen, member->string, NULL, &is_new, err);
    if (!st && !is_new) *key = member->string;
  }
  sc_seen_free(&seen);
  return st;
}

static sc_status check_keys(const struct sc_item *item, struct sc_error *err) {
  const char *key;
  sc_status st = find_twice(item->json, &key, err);
  if (!st && key)
    st = sc_fail(err, SC_BAD_DATA, "the STAC item has the member '%.100s' twice", key);
  if (!st) st = find_twice(cJSON_GetObjectItemCaseSensitive(item->json, "assets"), &key, err);
  if (!st && key)
    st = sc_fail(err, SC_BAD_DATA, "item %.200s: two assets have the key '%.100s'", item->id, key);
  return st;
}

sc_status sc_item_take(cJSON *json, const char *base, enum sc_origin origin, struct sc_item *out,
                       struct sc_error *err) {
  char *self = NULL;
  out->json = json;
  out->origin = origin;
  sc_status st = check_is_item(json, err);
  if (!st && (origin == SC_ORIGIN_NETWORK || says_network(json)))
    st = sc_item_set_network(out, err);
  if (!st) {
    const cJSON *properties = cJSON_GetObjectItemCaseSensitive(json, "properties");
    out->id = sc_json_text(json, "id");
    out->collection = sc_json_text(json, "collection");
    out->properties = cJSON_IsObject(properties) ? properties : NULL;
    read_datetime(out);
    st = check_keys(out, err);
    if (!st) st = list_assets(out, err);
  }
  if (!st && !base) st = self_folder(out, &self, err);
  /* Texts that are stored and handed on have local files by their paths beside the link that they
   * came with. */
  int keep_paths = self && out->origin == SC_ORIGIN_LOCAL;
  if (!st) st = absolutise(out, base ? base : self, keep_paths, err);
  sc_free(self);
  return st;
}

/* The same of an item that is to be indexed or read. */
static sc_status take_with_assets(cJSON *json, const char *base, enum sc_origin origin,
                                  struct sc_item *out, struct sc_error *err) {
  sc_status st = sc_item_take(json, base, origin, out, err);
  if (st || out->n_assets > 0) return st;
  return sc_fail(err, SC_BAD_DATA, "item %.200s: it has no assets", out->id);
}

/* The base option or a path, as an absolute folder with its '/'. */
static sc_status folder_of_base(const char *base, char **out, struct sc_error *err) {
  char here[PATH_MAX];
  const char *slash = base[0] && base[strlen(base) - 1] == '/' ? "" : "/";
  if (sc_href_is_url(base) || *base == '/') return sc_format(out, err, "%s%s", base, slash);
  if (!getcwd(here, sizeof here)) return sc_fail(err, SC_IO, "no working directory");
  return sc_format(out, err, "%s/%s%s", here, base, slash);
}

static sc_status read_text_item(const char *text, size_t n, const char *base, struct sc_item *out,
                                struct sc_error *err) {
  char *folder = NULL;
  cJSON *json = NULL;
  sc_status st = sc_json_reader_one(text, n, "item", &json, err);
  if (!st && base) st = folder_of_base(base, &folder, err);
  if (st) {
    cJSON_Delete(json);
  } else {
    st = take_with_assets(json, folder, SC_ORIGIN_LOCAL, out, err);
  }
  sc_free(folder);
  return st;
}

static int ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && strcasecmp(text + n - m, end) == 0;
}

/* Does the resolved path or URL name JSON (1) or a raster (0)? */
static int names_json(const char *location) {
  char head[512];
  if (sc_href_is_url(location)) return !sc_format_has_suffix(location);
  size_t n = sc_read_head(location, head, sizeof head);
  if (!n) return !sc_format_has_suffix(location);
  if (sc_sniff_is_json(head, n)) return 1;
  return !sc_format_has_suffix(location) && ends_with(location, "json");
}

/* The name of a raster without its suffix. The name of a file may hold '?' and '#'. */
static sc_status raster_id(const char *location, char **out, struct sc_error *err) {
  size_t end = sc_href_is_url(location) ? strcspn(location, "?#") : strlen(location);
  const char *slash = memrchr(location, '/', end), *name = slash ? slash + 1 : location;
  size_t n = end - (size_t)(name - location);
  const char *dot = memrchr(name, '.', n);
  return sc_strndup(name, dot && dot > name ? (size_t)(dot - name) : n, out, err);
}

/* An item for a bare raster: its name is the id, its TIFFTAG_DATETIME the time. */
static cJSON *raster_item(const char *location, const char *id, const char *datetime) {
  cJSON *item = cJSON_CreateObject();
  cJSON_AddStringToObject(item, "type", "Feature");
  cJSON_AddStringToObject(item, "stac_version", "1.0.0");
  cJSON_AddStringToObject(item, "id", id);
  cJSON *properties = cJSON_AddObjectToObject(item, "properties");
  if (datetime[0]) {
    cJSON_AddStringToObject(properties, "datetime", datetime);
  } else {
    cJSON_AddNullToObject(properties, "datetime");
  }
  cJSON *assets = cJSON_AddObjectToObject(item, "assets");
  cJSON *asset = cJSON_AddObjectToObject(assets, "data");
  cJSON_AddStringToObject(asset, "href", location);
  cJSON_AddStringToObject(asset, "type", "image/tiff; application=geotiff");
  return item;
}

static sc_status read_raster_item(const char *location, struct sc_item *out, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  struct sc_raster_info info = {0};
  struct sc_source source = {.href = location};
  char *id = NULL;
  if (!raster) return err->status;
  sc_status st = raster->info(&source, &info, err);
  if (!st) st = raster_id(location, &id, err);
  if (!st) {
    cJSON *json = raster_item(location, id, info.datetime);
    if (!json) st = sc_fail_nomem(err);
    if (!st) st = sc_item_take(json, NULL, SC_ORIGIN_LOCAL, out, err);
    out->is_raster = 1;
  }
  sc_free(id);
  raster->info_free(&info);
  return st;
}

static sc_status read_file_item(const char *location, struct sc_item *out, struct sc_error *err) {
  struct sc_buffer text = {0};
  cJSON *json = NULL;
  char *folder = NULL, shown[1024];
  enum sc_origin origin = sc_href_is_url(location) ? SC_ORIGIN_NETWORK : SC_ORIGIN_LOCAL;
  sc_access_shown(location, shown, sizeof shown);
  sc_status st = sc_read_whole(location, SC_ITEM_MAX_BYTES, &text, err);
  if (!st) st = sc_json_reader_one(text.data, text.size, shown, &json, err);
  if (!st) st = sc_href_folder(location, &folder, err);
  if (st) {
    cJSON_Delete(json);
  } else {
    st = take_with_assets(json, folder, origin, out, err);
    if (st) sc_fail_within(err, "%s", shown);
  }
  sc_buffer_free(&text);
  sc_free(folder);
  return st;
}

/* An absolute path or URL for what the application names; relative paths are from here. */
static sc_status locate(const char *argument, size_t n, char **out, struct sc_error *err) {
  char *named = NULL, *resolved = NULL;
  const char *what = sc_sniff(argument, n);
  if (what) return sc_fail(err, SC_BAD_DATA, "the item is %s, not JSON", what);
  if (sc_sniff_utf8(argument, n) < n && !memchr(argument, 0, n))
    return sc_fail(err, SC_BAD_ARG, "the path or text of an item is not UTF-8");
  if (n == 0 || n > 4096 || memchr(argument, 0, n)) {
    return sc_fail(err, SC_BAD_ARG,
                   "neither the text of a STAC item (it would begin with '{') nor a path or URL");
  }
  sc_status st = sc_strndup(argument, n, &named, err);
  if (!st) st = sc_href_locate(named, &resolved, err);
  if (!st) st = sc_href_allow(resolved, SC_ORIGIN_LOCAL, out, err);
  sc_free(named);
  sc_free(resolved);
  return st;
}

sc_status sc_item_read(const char *argument, size_t n, const char *base, struct sc_item *out,
                       struct sc_error *err) {
  memset(out, 0, sizeof *out);
  if (sc_sniff_is_json(argument, n)) {
    sc_status st = n > SC_ITEM_MAX_BYTES
                       ? sc_fail(err, SC_TOO_BIG, "an item of %zu bytes; the limit is %d", n,
                                 SC_ITEM_MAX_BYTES)
                       : read_text_item(argument, n, base, out, err);
    if (st) sc_item_free(out);
    return st;
  }
  char *location = NULL;
  sc_status st = locate(argument, n, &location, err);
  if (!st) {
    st = names_json(location) ? read_file_item(location, out, err)
                              : read_raster_item(location, out, err);
  }
  if (st) {
    sc_item_free(out);
    sc_free(location);
    return st;
  }
  out->location = location;
  return SC_OK;
}

sc_status sc_item_href(const struct sc_item *item, const struct sc_asset *asset, char **out,
                       struct sc_error *err) {
  const char *href = sc_json_text(asset->json, "href");
  char *resolved = NULL;
  *out = NULL;
  if (!href) {
    return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: it has no href", item->id, asset->key);
  }
  sc_status st = sc_href_resolve(NULL, href, &resolved, err);
  enum sc_origin origin = asset->is_own ? SC_ORIGIN_LOCAL : item->origin;
  if (!st) st = sc_href_allow(resolved, origin, out, err);
  sc_free(resolved);
  if (st) sc_fail_within(err, "item %s: asset %s", item->id, asset->key);
  return st;
}

int sc_asset_has_role(const struct sc_asset *asset, const char *role) {
  const cJSON *roles = cJSON_GetObjectItemCaseSensitive(asset->json, "roles"), *r;
  if (!cJSON_IsArray(roles)) return 0;
  cJSON_ArrayForEach(r, roles) {
    if (cJSON_IsString(r) && strcasecmp(r->valuestring, role) == 0) return 1;
  }
  return 0;
}

/* The band list of an asset: STAC 1.1 `bands`, else `eo:bands`, else `raster:bands`. */
static const cJSON *band_list(const struct sc_asset *asset) {
  static const char *const keys[] = {"bands", "eo:bands", "raster:bands"};
  for (int i = 0; i < 3; i++) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(asset->json, keys[i]);
    if (cJSON_IsArray(list) && (cJSON_IsObject(list->child) || cJSON_IsNumber(list->child))) {
      return list;
    }
  }
  return NULL;
}

/* STAC 0.7 lists bands in the properties and gives their positions in the assets. */
static const cJSON *band_entry(const struct sc_item *item, const cJSON *entry) {
  if (!cJSON_IsNumber(entry)) return entry;
  if (entry->valueint < 0 || entry->valueint >= SC_ITEM_MAX_BANDS) return NULL;
  return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(item->properties, "eo:bands"),
                            entry->valueint);
}

static int band_has_name(const cJSON *band, const char *name, int common) {
  const char *text = sc_json_text(band, common ? "common_name" : "name");
  if (!text && common) text = sc_json_text(band, "eo:common_name");
  return text && strcasecmp(text, name) == 0;
}

static int find_band(const struct sc_item *item, const struct sc_asset *asset, const char *name,
                     int common, struct sc_asset_band *out) {
  const cJSON *list = band_list(asset), *entry;
  int i = 0;
  if (!list) return 0;
  cJSON_ArrayForEach(entry, list) {
    if (++i > SC_ITEM_MAX_BANDS) break;
    const cJSON *band = band_entry(item, entry);
    if (!band_has_name(band, name, common)) continue;
    out->asset = asset;
    out->band = cJSON_GetArraySize(list) == 1 ? 0 : i;
    out->json = band;
    return 1;
  }
  return 0;
}

/* Bands of pictures for people (visual, overviews) come after the measured ones. */
static int is_secondary(const struct sc_asset *asset) {
  return sc_asset_pixels(asset) != SC_PIXELS_RASTER || sc_asset_has_role(asset, "visual") ||
         strncasecmp(asset->key, "visual", 6) == 0 || strcasecmp(asset->key, "overview") == 0;
}

static int take_key(const struct sc_item *item, const char *name, int any_case,
                    struct sc_asset_band *out) {
  for (size_t i = 0; i < item->n_assets; i++) {
    const char *key = item->assets[i].key;
    if ((any_case ? strcasecmp(key, name) : strcmp(key, name)) != 0) continue;
    const cJSON *list = band_list(&item->assets[i]);
    out->asset = &item->assets[i];
    out->band = 0;
    out->json = list && cJSON_GetArraySize(list) == 1 ? band_entry(item, list->child) : NULL;
    return 1;
  }
  return 0;
}

int sc_item_find(const struct sc_item *item, const char *name, struct sc_asset_band *out) {
  if (take_key(item, name, 0, out) || take_key(item, name, 1, out)) return 1;
  for (int secondary = 0; secondary < 2; secondary++) {
    for (int common = 1; common >= 0; common--) {
      for (size_t i = 0; i < item->n_assets; i++) {
        const struct sc_asset *asset = &item->assets[i];
        if (is_secondary(asset) == secondary && find_band(item, asset, name, common, out)) return 1;
      }
    }
  }
  for (size_t i = 0; i < item->n_assets; i++) {
    const struct sc_asset *asset = &item->assets[i];
    if (sc_asset_pixels(asset) && sc_asset_has_role(asset, name)) {
      return take_key(item, asset->key, 0, out);
    }
  }
  return 0;
}

void sc_item_list_assets(const struct sc_item *item, char *out, size_t n) {
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; i < item->n_assets && used + 1 < n; i++) {
    if (!sc_asset_pixels(&item->assets[i])) continue;
    int wrote = snprintf(out + used, n - used, "%s%s", used ? ", " : "", item->assets[i].key);
    if (wrote < 0) return;
    used += (size_t)wrote;
  }
  if (!used) snprintf(out, n, "none");
}

sc_status sc_item_text(const struct sc_item *item, char **out, struct sc_error *err) {
  char *text = cJSON_PrintUnformatted(item->json);
  *out = NULL;
  if (!text) return sc_fail_nomem(err);
  sc_status st = sc_strdup(text, out, err);
  cJSON_free(text);
  return st;
}
