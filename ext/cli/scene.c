/* Scenes in the bucket; see scene.h. */
#include "cli/scene.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "cli/geo.h"
#include "index/handle.h"
#include "stac/item.h"
#include "store/href.h"
#include "store/secrets.h"
#include "store/store.h"

#define PROJECTION "https://stac-extensions.github.io/projection/v1.1.0/schema.json"
#define COG_TYPE "image/tiff; application=geotiff; profile=cloud-optimized"
#define LINZ_METRES 0.3

/* --- what is copied --- */

static int is_kept(const struct sc_system *y, const char *key) {
  size_t n = strlen(key);
  for (const char *p = y->assets; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
    if (strncmp(p, key, n) == 0 && (p[n] == ' ' || !p[n])) return 1;
  }
  return 0;
}

/* Where to copy an asset from: its S3 alternate where the system prefers that (Landsat's https
 * links want a login), else its href. Both pass the access rules; freed with sc_free(). */
static sc_status find_source(const struct sc_system *y, const cJSON *item, const cJSON *asset,
                             char **out, struct sc_error *err) {
  const cJSON *alternate = cJSON_GetObjectItemCaseSensitive(asset, "alternate");
  const char *s3 = sc_json_text(cJSON_GetObjectItemCaseSensitive(alternate, "s3"), "href");
  const char *href = y->prefer_s3 && s3 ? s3 : sc_json_text(asset, "href");
  enum sc_origin origin =
      cJSON_HasObjectItem(item, SC_ITEM_ORIGIN) ? SC_ORIGIN_NETWORK : SC_ORIGIN_LOCAL;
  char *resolved = NULL;
  *out = NULL;
  if (!href) return sc_fail(err, SC_BAD_DATA, "no href");
  sc_status st = sc_href_resolve_reference(NULL, href, &resolved, err);
  if (!st) st = sc_href_allow(resolved, origin, out, err);
  sc_free(resolved);
  return st;
}

/* --- is it whole? --- */

/* Failures that do not tell whether the object is whole. */
static int is_passing(sc_status st) {
  return st == SC_AGAIN || st == SC_NOMEM || st == SC_INTERRUPT;
}

/* Can the index be read to its end? */
static sc_status check_index(const struct sc_scene_place *p, const char *key, char reason[400],
                             struct sc_error *err) {
  char *path = NULL;
  struct sc_buffer n = {0};
  int found;
  sc_status st = sc_store_path(p->root, key, &path, err);
  if (!st) {
    st = sc_cli_text(p->db, &n, &found, err, SC_ARCHIVE_READ_ALL, path);
    if (st && !is_passing(st)) {
      snprintf(reason, 400, "%.390s", err->text);
      st = SC_OK;
    }
  }
  sc_buffer_free(&n);
  sc_free(path);
  return st;
}

/* Is the asset beside the item, as large as the item says? */
static sc_status check_asset(const struct sc_scene_place *p, const char *folder, const cJSON *asset,
                             char reason[400], struct sc_error *err) {
  const cJSON *stated = cJSON_GetObjectItemCaseSensitive(asset, "file:size");
  const char *href = sc_json_text(asset, "href");
  char name[512], *key = NULL;
  int exists = 0;
  uint64_t size = 0;
  sc_archive_file_name(href ? href : "", name, sizeof name);
  sc_status st = sc_format(&key, err, "%s/%s", folder, name);
  if (!st) st = sc_store_look(p->root, key, &exists, &size, err);
  if (!st && !exists) {
    snprintf(reason, 400, "%.360s: no such file", key);
  } else if (!st && size != SC_SIZE_UNKNOWN && cJSON_IsNumber(stated) &&
             (double)size != stated->valuedouble) {
    snprintf(reason, 400, "%.300s: %llu bytes; the item says %.0f", key, (unsigned long long)size,
             stated->valuedouble);
  } else if (!st && size == 0) {
    snprintf(reason, 400, "%.360s: 0 bytes", key);
  }
  sc_free(key);
  return st;
}

static sc_status check_item(const struct sc_scene_place *p, const char *folder, const char *id,
                            char reason[400], struct sc_error *err) {
  char *key = NULL;
  struct sc_buffer text = {0};
  sc_status st = sc_format(&key, err, "%s/" SC_ARCHIVE_ITEM, folder);
  if (st) return st;
  st = sc_store_get(p->root, key, &text, err);
  if (st && !is_passing(st)) {
    snprintf(reason, 400, "%.390s", err->text);
    st = SC_OK;
  } else if (!st) {
    cJSON *item = cJSON_ParseWithLength((char *)text.data, text.size);
    const cJSON *assets = cJSON_GetObjectItemCaseSensitive(item, "assets"), *asset;
    const char *own = sc_json_text(item, "id");
    if (!own || strcmp(own, id) != 0 || !cJSON_IsObject(assets)) {
      snprintf(reason, 400, "%.300s: not the item %.60s", key, id);
    }
    cJSON_ArrayForEach(asset, assets) {
      if (!st && !reason[0]) st = check_asset(p, folder, asset, reason, err);
    }
    cJSON_Delete(item);
  }
  sc_buffer_free(&text);
  sc_free(key);
  return st;
}

sc_status sc_scene_is_whole(const struct sc_scene_place *p, const char *platform, const char *id,
                            int *is_whole, char reason[400], struct sc_error *err) {
  char *folder = NULL, *index = NULL;
  int exists = 0;
  uint64_t size;
  reason[0] = '\0';
  *is_whole = 0;
  sc_status st = sc_archive_keys(platform, id, &folder, &index, err);
  if (!st) st = sc_store_look(p->root, index, &exists, &size, err);
  if (!st && exists && size == 0) {
    snprintf(reason, 400, "%.360s: 0 bytes", index);
  } else if (!st && exists) {
    st = check_index(p, index, reason, err);
    if (!st && !reason[0]) st = check_item(p, folder, id, reason, err);
    *is_whole = !st && !reason[0];
  }
  sc_free(folder);
  sc_free(index);
  return st;
}

/* --- what an item says --- */

static void forget(cJSON *of, const char *const *keys) {
  for (; *keys; keys++) cJSON_DeleteItemFromObjectCaseSensitive(of, *keys);
}

static void set_numbers(cJSON *to, const char *key, const double *numbers, int n) {
  cJSON_DeleteItemFromObjectCaseSensitive(to, key);
  cJSON_AddItemToObject(to, key, cJSON_CreateDoubleArray(numbers, n));
}

static void set_number(cJSON *to, const char *key, double number) {
  cJSON_DeleteItemFromObjectCaseSensitive(to, key);
  cJSON_AddNumberToObject(to, key, number);
}

/* State the grid of a resampled raster, in an asset or in the properties, and nothing that
 * contradicts it. */
static void set_grid(cJSON *to, const struct sc_made_grid *grid) {
  static const char *const stale[] = {"proj:wkt2", "proj:projjson", "proj:code",     "proj:epsg",
                                      "proj:bbox", "proj:geometry", "proj:centroid", NULL};
  const double shape[2] = {grid->height, grid->width};
  char code[24];
  forget(to, stale);
  if (grid->epsg) {
    snprintf(code, sizeof code, "EPSG:%d", grid->epsg);
    cJSON_AddNumberToObject(to, "proj:epsg", grid->epsg);
    cJSON_AddStringToObject(to, "proj:code", code);
  } else if (grid->wkt) {
    cJSON_AddNullToObject(to, "proj:epsg");
    cJSON_AddStringToObject(to, "proj:wkt2", grid->wkt);
  }
  set_numbers(to, "proj:shape", shape, 2);
  set_numbers(to, "proj:transform", grid->transform, 6);
}

/* Remove what was true of the original file and is not of the resampled one. */
static void forget_source(cJSON *asset) {
  static const char *const of_asset[] = {"file:checksum",
                                         "checksum:multihash",
                                         "file:header_size",
                                         "raster:spatial_resolution",
                                         "raster:histogram",
                                         "statistics",
                                         "gsd",
                                         NULL},
                           *const of_band[] = {"statistics",
                                               "histogram",
                                               "spatial_resolution",
                                               "raster:spatial_resolution",
                                               "raster:histogram",
                                               "gsd",
                                               NULL};
  static const char *const lists[] = {"raster:bands", "bands", "eo:bands"};
  forget(asset, of_asset);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    cJSON *list = cJSON_GetObjectItemCaseSensitive(asset, lists[i]), *band;
    cJSON_ArrayForEach(band, list) forget(band, of_band);
  }
  cJSON_DeleteItemFromObjectCaseSensitive(asset, "type");
  cJSON_AddStringToObject(asset, "type", COG_TYPE);
}

/* --- writing --- */

/* Download an asset, resample it, put it; describe the result in the asset and the item. */
static sc_status make_asset(const struct sc_scene_place *p, const char *href, const char *key,
                            cJSON *asset, cJSON *item, struct sc_error *err) {
  char folder[] = "/tmp/stacchip-XXXXXX", from[64], to[64];
  struct sc_made_grid grid = {0};
  const struct sc_raster_api *raster = NULL;
  if (!mkdtemp(folder))
    return sc_fail(err, SC_IO, "cannot make a temporary folder in /tmp: %s", strerror(errno));
  snprintf(from, sizeof from, "%s/from.tif", folder);
  snprintf(to, sizeof to, "%s/to.tif", folder);
  sc_status st = sc_store_copy(href, folder, "from.tif", err);
  if (!st) st = sc_geo_raster(&raster, err);
  if (!st) {
    int is_mercator = p->system->making == SC_MAKE_MERCATOR;
    const struct sc_remake job = {from, to, is_mercator ? 0 : LINZ_METRES};
    st = raster->remake(&job, &grid, err);
  }
  if (!st) st = sc_store_copy(to, p->root, key, err);
  if (!st) {
    forget_source(asset);
    set_grid(asset, &grid);
    set_grid(cJSON_GetObjectItemCaseSensitive(item, "properties"), &grid);
    sc_archive_declare(item, "/projection/", PROJECTION);
  }
  sc_free(grid.wkt);
  unlink(from);
  unlink(to);
  rmdir(folder);
  return st;
}

/* Copy an asset, unless a copy of the same size is there. */
static sc_status copy_asset(const struct sc_scene_place *p, const char *href, const char *key,
                            struct sc_error *err) {
  int exists = 0, has_source = 0;
  uint64_t size = 0, source = SC_SIZE_UNKNOWN;
  sc_status st = sc_store_look(p->root, key, &exists, &size, err);
  if (st) return st;
  if (exists) {
    struct sc_error other = {0}; /* a URL signed for GET refuses HEAD: then copy again */
    st = sc_store_look_at(href, &has_source, &source, &other);
    if (is_passing(st)) {
      *err = other;
      return st;
    }
    has_source = has_source && !st;
  }
  if (exists && has_source && size == source && size != SC_SIZE_UNKNOWN) return SC_OK;
  return sc_store_copy(href, p->root, key, err);
}

/* Set the href of a copied asset: absolute, for programs that do not resolve hrefs against the
 * item's place, or "./name" with --relative, for a folder that will be moved. */
static sc_status set_href(const struct sc_scene_place *p, const char *key, const char *name,
                          cJSON *asset, struct sc_error *err) {
  char *href = NULL, *absolute = NULL;
  sc_status st = p->is_relative && !sc_href_is_url(p->root)
                     ? sc_format(&href, err, "./%s", name)
                     : sc_store_path(p->root, key, &href, err);
  if (!st && href[0] != '.' && !sc_href_is_url(href) && (absolute = realpath(href, NULL)) != NULL) {
    sc_free(href);
    href = NULL;
    st = sc_strdup(absolute, &href, err);
  }
  if (!st) {
    cJSON_DeleteItemFromObjectCaseSensitive(asset, "href");
    cJSON_DeleteItemFromObjectCaseSensitive(asset, "alternate");
    cJSON_AddStringToObject(asset, "href", href);
  }
  free(absolute);
  sc_free(href);
  return st;
}

static sc_status write_asset(const struct sc_scene_place *p, cJSON *asset, cJSON *item,
                             const char *folder, struct sc_error *err) {
  char name[512] = "", *href = NULL, *key = NULL;
  int exists;
  uint64_t size = SC_SIZE_UNKNOWN;
  sc_status st = find_source(p->system, item, asset, &href, err);
  if (!st) sc_archive_file_name(href, name, sizeof name);
  if (!st && (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)) {
    st = sc_fail(err, SC_BAD_DATA, "%s: the href does not end in a file name", href);
  }
  if (!st) st = sc_format(&key, err, "%s/%s", folder, name);
  if (!st) {
    st = p->system->making == SC_MAKE_COPY ? copy_asset(p, href, key, err)
                                           : make_asset(p, href, key, asset, item, err);
  }
  if (!st) st = sc_store_look(p->root, key, &exists, &size, err);
  if (!st) {
    cJSON_DeleteItemFromObjectCaseSensitive(asset, "file:size");
    if (size != SC_SIZE_UNKNOWN) set_number(asset, "file:size", (double)size);
    st = set_href(p, key, name, asset, err);
  }
  sc_free(href);
  sc_free(key);
  return st ? sc_fail_within(err, "asset %s", asset->string) : SC_OK;
}

static sc_status write_assets(const struct sc_scene_place *p, cJSON *item, const char *folder,
                              struct sc_error *err) {
  cJSON *assets = cJSON_GetObjectItemCaseSensitive(item, "assets"), *asset = assets->child, *next;
  sc_status st = SC_OK;
  int n = 0;
  for (; asset && !st; asset = next) {
    next = asset->next;
    if (!is_kept(p->system, asset->string)) {
      cJSON_Delete(cJSON_DetachItemViaPointer(assets, asset));
      continue;
    }
    st = write_asset(p, asset, item, folder, err);
    n++;
  }
  sc_archive_declare(item, "/file/", SC_ARCHIVE_FILE_INFO);
  return !st && n == 0 ? sc_fail(err, SC_NOT_FOUND, "no assets to copy; expected any of: %s",
                                 p->system->assets)
                       : st;
}

/* Write the item: without links, which lead to the catalogue it came from, and without the mark
 * of an item from the network, as each href now names our copy. */
static sc_status write_item(const struct sc_scene_place *p, cJSON *item, const char *folder,
                            char **text, struct sc_error *err) {
  char *key = NULL;
  cJSON_DeleteItemFromObjectCaseSensitive(item, "links");
  cJSON_AddArrayToObject(item, "links");
  cJSON_DeleteItemFromObjectCaseSensitive(item, SC_ITEM_ORIGIN);
  char *json = cJSON_PrintUnformatted(item), *clean = NULL;
  sc_status st = json ? sc_href_without_secrets(json, &clean, err) : sc_fail_nomem(err);
  if (!st) st = sc_format(&key, err, "%s/" SC_ARCHIVE_ITEM, folder);
  if (!st) st = sc_store_put(p->root, key, clean, strlen(clean), err);
  cJSON_free(json);
  sc_free(key);
  if (st) sc_free(clean);
  if (!st) *text = clean;
  return st;
}

/* Index the copy and put its GeoParquet file; last, so that it says the scene is complete. */
static sc_status write_index(const struct sc_scene_place *p, const char *platform,
                             const char *folder, const char *item_text, const char *key,
                             struct sc_error *err) {
  char options[200], *item = NULL;
  sqlite3_snprintf(sizeof options, options, "{\"platform\":\"%s\",\"max_nodata\":%!.15g}", platform,
                   p->system->max_nodata);
  sc_status st = sc_href_is_url(p->root)
                     ? sc_strdup(item_text, &item, err)
                     : sc_format(&item, err, "%s/%s/" SC_ARCHIVE_ITEM, p->root, folder);
  if (!st) st = sc_cli_run(p->db, err, "DROP TABLE IF EXISTS item_index");
  if (!st) {
    st = sc_cli_run(p->db, err, "CREATE TABLE item_index AS SELECT * FROM stacchip_index(?1, ?2)",
                    item, options);
  }
  if (!st) st = sc_archive_export(p->db, "item_index", "{}", p->root, key, err);
  sc_free(item);
  return st;
}

sc_status sc_scene_write(const struct sc_scene_place *p, const char *platform, cJSON *item,
                         struct sc_error *err) {
  const char *id = sc_json_text(item, "id");
  char *folder = NULL, *index = NULL, *text = NULL;
  cJSON *properties = cJSON_GetObjectItemCaseSensitive(item, "properties");
  if (!cJSON_IsObject(properties) ||
      !cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(item, "assets")))
    return sc_fail(err, SC_BAD_DATA, "item %s: no properties or no assets", id);
  sc_status st = sc_archive_keys(platform, id, &folder, &index, err);
  if (!st) st = write_assets(p, item, folder, err);
  if (!st) st = write_item(p, item, folder, &text, err);
  if (!st) st = write_index(p, platform, folder, text, index, err);
  sc_free(folder);
  sc_free(index);
  sc_free(text);
  return st ? sc_fail_within(err, "item %s", id) : SC_OK;
}
