/*
 * The processors: one element of a sample layer -> scenes found, assets copied, items and
 * their indexes written. One engine over the extension's SQL; systems.c has the settings.
 *
 * Of each scene are written, in this order, so that the index says that it is complete:
 *   {platform}/{item}/<assets>, {platform}/{item}/stac_item.json,
 *   index/{platform}/{item}/index_{item}.parquet
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/geo.h"
#include "cli/store.h"
#include "cli/systems.h"
#include "stac/href.h"
#include "stac/item.h"

enum { OPT_ROW, OPT_MGRS, OPT_SAMPLE, OPT_BUCKET, OPT_API, OPT_DRY_RUN, N_OPTIONS };

struct job {
  const struct sc_system *system;
  sqlite3 *db;
  const char *api;
  char *root; /* of the bucket */
  int64_t row;
  struct sc_geo_row sample;
  int dry_run;
  int n_found, n_done, n_skipped;
  int n_tried, n_to_try; /* scenes to look for */
  double started;
};

/* One scene less to look for. */
static void step(struct job *job) {
  sc_cli_bar("scenes", ++job->n_tried, job->n_to_try, sc_cli_seconds() - job->started);
}

/* --- finding scenes --- */

/* A period to search in, and what of it to take. */
struct search {
  const char *collection, *platform;
  char from[24], to[24]; /* RFC 3339; "" for any time */
  int vertical, horizontal;
};

static sc_status add_number_filter(cJSON *query, const char *key, const char *op, double value) {
  cJSON *test = cJSON_AddObjectToObject(query, key);
  cJSON_AddNumberToObject(test, op, value);
  return SC_OK;
}

/* The search body; what a catalogue ignores of it is checked again when scenes come. */
static char *search_body(const struct job *job, const struct search *s) {
  const struct sc_system *y = job->system;
  cJSON *body = cJSON_CreateObject(), *query = cJSON_CreateObject();
  char text[80];
  cJSON *collections = cJSON_AddArrayToObject(body, "collections");
  cJSON_AddItemToArray(collections, cJSON_CreateString(s->collection));
  if (s->from[0]) {
    snprintf(text, sizeof text, "%s/%s", s->from, s->to);
    cJSON_AddStringToObject(body, "datetime", text);
  }
  if (y->sampling == SC_SAMPLE_POINT) {
    const double point[2] = {job->sample.lon, job->sample.lat};
    cJSON *at = cJSON_AddObjectToObject(body, "intersects");
    cJSON_AddStringToObject(at, "type", "Point");
    cJSON_AddItemToObject(at, "coordinates", cJSON_CreateDoubleArray(point, 2));
  } else if (job->sample.geojson) {
    cJSON_AddItemToObject(body, "intersects", cJSON_Parse(job->sample.geojson));
  }
  if (y->sampling == SC_SAMPLE_TILE) {
    snprintf(text, sizeof text, "MGRS-%.60s", job->sample.name);
    cJSON_AddStringToObject(cJSON_AddObjectToObject(query, "grid:code"), "eq", text);
    add_number_filter(query, "s2:nodata_pixel_percentage", "lte", y->max_nodata_percent);
  }
  if (y->sampling == SC_SAMPLE_SIN) {
    add_number_filter(query, "modis:vertical-tile", "eq", s->vertical);
    add_number_filter(query, "modis:horizontal-tile", "eq", s->horizontal);
  }
  if (strcmp(y->name, "landsat") == 0) {
    cJSON *in = cJSON_AddArrayToObject(cJSON_AddObjectToObject(query, "platform"), "in");
    cJSON_AddItemToArray(in, cJSON_CreateString("LANDSAT_8"));
    cJSON_AddItemToArray(in, cJSON_CreateString("LANDSAT_9"));
  }
  if (query->child) {
    cJSON_AddItemToObject(body, "query", query);
  } else {
    cJSON_Delete(query);
  }
  if (y->max_cloud_percent < 100) {
    cJSON *sort = cJSON_CreateObject();
    cJSON_AddStringToObject(sort, "field", "properties.eo:cloud_cover");
    cJSON_AddStringToObject(sort, "direction", "asc");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(body, "sortby"), sort);
  }
  cJSON_AddNumberToObject(body, "limit", 100);
  char *out = cJSON_PrintUnformatted(body);
  cJSON_Delete(body);
  return out;
}

/* ?1 catalogue, ?2 body, ?3 from, ?4 to, ?5 cloud limit, ?6 nodata limit, ?7 grid code, ?8
 * vertical, ?9 horizontal, ?10 row number. */
#define FOUND                                                                                      \
  "FROM stacchip_search(?1, ?2, '{\"max_items\":500}') WHERE (?3 = '' OR datetime BETWEEN ?3 AND " \
  "?4 "                                                                                            \
  " OR json_extract(item_json, '$.properties.end_datetime') BETWEEN ?3 AND ?4)"                    \
  " AND coalesce(eo_cloud_cover, 0) <= CAST(?5 AS REAL)"                                           \
  " AND coalesce(json_extract(item_json, '$.properties.\"s2:nodata_pixel_percentage\"'), 0) <= "   \
  "CAST(?6 AS REAL)"                                                                               \
  " AND (?7 = '' OR coalesce(json_extract(item_json, '$.properties.\"grid:code\"'), ?7) = ?7)"     \
  " AND (?8 = '' OR coalesce(json_extract(item_json, '$.properties.\"modis:vertical-tile\"'), "    \
  "?8) = CAST(?8 AS INT))"                                                                         \
  " AND (?9 = '' OR coalesce(json_extract(item_json, '$.properties.\"modis:horizontal-tile\"'), "  \
  "?9) = CAST(?9 AS INT))"

static sc_status find_scene(struct job *job, const struct search *s, const char *sql,
                            struct sc_buffer *out, int *found, struct sc_error *err) {
  const struct sc_system *y = job->system;
  char cloud[32], nodata[32], code[80] = "", vertical[16] = "", horizontal[16] = "", row[24];
  char *body = search_body(job, s);
  sqlite3_snprintf(sizeof cloud, cloud, "%!.15g", y->max_cloud_percent);
  sqlite3_snprintf(sizeof nodata, nodata, "%!.15g", y->max_nodata_percent);
  if (y->sampling == SC_SAMPLE_TILE) snprintf(code, sizeof code, "MGRS-%.60s", job->sample.name);
  if (y->sampling == SC_SAMPLE_SIN) {
    snprintf(vertical, sizeof vertical, "%d", s->vertical);
    snprintf(horizontal, sizeof horizontal, "%d", s->horizontal);
  }
  snprintf(row, sizeof row, "%lld", (long long)job->row);
  sc_status st = sc_cli_text(job->db, out, found, err, sql, job->api, body, s->from, s->to, cloud,
                             nodata, code, vertical, horizontal, row);
  cJSON_free(body);
  return st;
}

/* --- writing a scene --- */

/* An item's id as a folder name: STAC allows '/' in ids. */
static void safe_name(const char *id, char *out, size_t n) {
  snprintf(out, n, "%s", id);
  for (char *p = out; *p; p++) {
    if (*p == '/') *p = '_';
  }
  if (strcmp(out, ".") == 0 || strcmp(out, "..") == 0) out[0] = '_';
}

static int is_kept(const struct sc_system *y, const char *key) {
  size_t n = strlen(key);
  for (const char *p = y->assets; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
    if (strncmp(p, key, n) == 0 && (p[n] == ' ' || !p[n])) return 1;
  }
  return 0;
}

/* Where an asset's bytes are: for some catalogues the store's own copy. */
static const char *asset_href(const struct sc_system *y, const cJSON *asset) {
  const cJSON *alternate = cJSON_GetObjectItemCaseSensitive(asset, "alternate");
  const char *s3 = sc_json_text(cJSON_GetObjectItemCaseSensitive(alternate, "s3"), "href");
  return y->prefer_s3 && s3 ? s3 : sc_json_text(asset, "href");
}

static void file_name(const char *href, char *out, size_t n) {
  size_t length = sc_href_is_url(href) ? strcspn(href, "?#") : strlen(href), begin = length;
  while (begin > 0 && href[begin - 1] != '/') begin--;
  snprintf(out, n, "%.*s", (int)(length - begin), href + begin);
}

static void set_number_array(cJSON *to, const char *key, const double *numbers, int n) {
  cJSON_DeleteItemFromObjectCaseSensitive(to, key);
  cJSON_AddItemToObject(to, key, cJSON_CreateDoubleArray(numbers, n));
}

/* A raster that was made anew has another grid: say so at the asset. */
static void set_grid(cJSON *asset, const struct sc_geo_grid *grid) {
  const double shape[2] = {grid->height, grid->width};
  static const char *const stale[] = {"proj:wkt2", "proj:projjson", "proj:code",    "proj:epsg",
                                      "proj:bbox", "proj:geometry", "proj:centroid"};
  for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
    cJSON_DeleteItemFromObjectCaseSensitive(asset, stale[i]);
  if (grid->epsg) cJSON_AddNumberToObject(asset, "proj:epsg", grid->epsg);
  set_number_array(asset, "proj:shape", shape, 2);
  set_number_array(asset, "proj:transform", grid->transform, 6);
}

/* Download, make anew, put. */
static sc_status make_asset(struct job *job, const char *href, const char *key, cJSON *asset,
                            struct sc_error *err) {
  char folder[] = "/tmp/stacchip-XXXXXX", from[64], to[64];
  struct sc_geo_grid grid = {0};
  if (!mkdtemp(folder)) return sc_fail(err, SC_IO, "no temporary folder");
  snprintf(from, sizeof from, "%s/from.tif", folder);
  snprintf(to, sizeof to, "%s/to.tif", folder);
  sc_status st = sc_store_copy(href, folder, "from.tif", err);
  if (!st) {
    st = job->system->making == SC_MAKE_MERCATOR ? sc_geo_to_mercator(from, to, &grid, err)
                                                 : sc_geo_resample(from, to, 0.3, &grid, err);
  }
  if (!st) st = sc_store_copy(to, job->root, key, err);
  if (!st) set_grid(asset, &grid);
  unlink(from);
  unlink(to);
  rmdir(folder);
  return st;
}

static sc_status write_asset(struct job *job, cJSON *asset, const char *folder,
                             struct sc_error *err) {
  const char *href = asset_href(job->system, asset);
  char name[512], *key = NULL, *new_href = NULL;
  int exists = 0;
  if (!href) return sc_fail(err, SC_BAD_DATA, "asset %s: it has no href", asset->string);
  file_name(href, name, sizeof name);
  sc_status st = sc_format(&key, err, "%s/%s", folder, name);
  if (!st && job->system->making == SC_MAKE_COPY) {
    st = sc_store_exists(job->root, key, &exists, err);
    if (!st && !exists) st = sc_store_copy(href, job->root, key, err);
  } else if (!st) {
    st = make_asset(job, href, key, asset, err);
  }
  /* In a folder of files the item stands beside its assets; in a store it names them whole. */
  if (!st && sc_href_is_url(job->root)) {
    st = sc_store_path(job->root, key, &new_href, err);
  } else if (!st) {
    st = sc_format(&new_href, err, "./%s", name);
  }
  if (!st) {
    cJSON_DeleteItemFromObjectCaseSensitive(asset, "href");
    cJSON_DeleteItemFromObjectCaseSensitive(asset, "alternate");
    cJSON_AddStringToObject(asset, "href", new_href);
  }
  sc_free(key);
  sc_free(new_href);
  return st ? sc_fail_within(err, "asset %s", asset->string) : SC_OK;
}

static sc_status write_assets(struct job *job, cJSON *item, const char *folder,
                              struct sc_error *err) {
  cJSON *assets = cJSON_GetObjectItemCaseSensitive(item, "assets"), *asset = assets->child, *next;
  sc_status st = SC_OK;
  int n = 0;
  for (; asset && !st; asset = next) {
    next = asset->next;
    if (!is_kept(job->system, asset->string)) {
      cJSON_Delete(cJSON_DetachItemViaPointer(assets, asset));
      continue;
    }
    st = write_asset(job, asset, folder, err);
    n++;
  }
  return !st && n == 0 ? sc_fail(err, SC_NOT_FOUND, "none of the assets %s", job->system->assets)
                       : st;
}

/* The item's links lead to the catalogue it came from; its copies have a life of their own, and
 * every href is now that of a copy, wherever the item came from. */
static sc_status write_item(struct job *job, cJSON *item, const char *folder, char **text,
                            struct sc_error *err) {
  char *key = NULL;
  cJSON_DeleteItemFromObjectCaseSensitive(item, "links");
  cJSON_AddArrayToObject(item, "links");
  cJSON_DeleteItemFromObjectCaseSensitive(item, SC_ITEM_ORIGIN);
  char *json = cJSON_PrintUnformatted(item);
  sc_status st = json ? sc_format(&key, err, "%s/stac_item.json", folder) : sc_fail_nomem(err);
  if (!st) st = sc_store_put(job->root, key, json, strlen(json), err);
  if (!st) st = sc_strdup(json, text, err);
  cJSON_free(json);
  sc_free(key);
  return st;
}

/* Index the copy and put its GeoParquet file; last, so that it says the scene is complete. */
static sc_status write_index(struct job *job, const char *platform, const char *folder,
                             const char *item_text, const char *key, struct sc_error *err) {
  char options[200], *item = NULL, *path = NULL;
  sqlite3_snprintf(sizeof options, options, "{\"platform\":\"%s\",\"max_nodata\":%!.15g}", platform,
                   job->system->max_nodata);
  sc_status st = sc_href_is_url(job->root)
                     ? sc_strdup(item_text, &item, err)
                     : sc_format(&item, err, "%s/%s/stac_item.json", job->root, folder);
  if (!st) st = sc_cli_run(job->db, err, "DROP TABLE IF EXISTS item_index");
  if (!st) {
    st = sc_cli_run(job->db, err, "CREATE TABLE item_index AS SELECT * FROM stacchip_index(?1, ?2)",
                    item, options);
  }
  if (!st) st = sc_store_path(job->root, key, &path, err);
  if (!st) st = sc_cli_run(job->db, err, "SELECT stacchip_export('item_index', ?1)", path);
  sc_free(path);
  sc_free(item);
  return st;
}

static sc_status write_scene(struct job *job, const char *platform, const char *text,
                             struct sc_error *err) {
  char name[300], *folder = NULL, *key = NULL, *item_text = NULL;
  int exists = 0;
  cJSON *item = cJSON_Parse(text);
  const char *id = sc_json_text(item, "id");
  if (!id) {
    cJSON_Delete(item);
    return sc_fail(err, SC_BAD_DATA, "a scene without id");
  }
  safe_name(id, name, sizeof name);
  job->n_found++;
  sc_status st = sc_format(&folder, err, "%s/%s", platform, name);
  if (!st) st = sc_format(&key, err, "index/%s/%s/index_%s.parquet", platform, name, name);
  if (!st && !job->dry_run) st = sc_store_exists(job->root, key, &exists, err);
  if (!st && job->dry_run) {
    sc_cli_say("would process %s", id);
  } else if (!st && exists) {
    sc_cli_say("done before: %s", id);
    job->n_skipped++;
  } else if (!st) {
    sc_cli_say("processing %s", id);
    st = write_assets(job, item, folder, err);
    if (!st) st = write_item(job, item, folder, &item_text, err);
    if (!st) st = write_index(job, platform, folder, item_text, key, err);
    if (st) sc_fail_within(err, "item %s", id);
    if (!st) job->n_done++;
  }
  cJSON_Delete(item);
  sc_free(folder);
  sc_free(key);
  sc_free(item_text);
  return st;
}

/* --- periods --- */

/* `n` of the numbers first..last, drawn by the row number. */
static sc_status draw(struct job *job, const char *what, int first, int last, int n, int *out,
                      struct sc_error *err) {
  char row[24], a[12], b[12], count[12];
  struct sc_buffer list = {0};
  int found;
  snprintf(row, sizeof row, "%lld", (long long)job->row);
  snprintf(a, sizeof a, "%d", first);
  snprintf(b, sizeof b, "%d", last);
  snprintf(count, sizeof count, "%d", n);
  sc_status st = sc_cli_text(job->db, &list, &found, err,
                             "SELECT group_concat(v, ' ') FROM (WITH RECURSIVE t(v) AS (SELECT "
                             "CAST(?1 AS INT) UNION ALL SELECT v + 1 "
                             "FROM t WHERE v < CAST(?2 AS INT)) SELECT v FROM t ORDER BY "
                             "stacchip_hash(?3, ?4, v) LIMIT ?5)",
                             a, b, row, what, count);
  const char *p = (char *)list.data;
  for (int i = 0; i < n && !st && p; i++) {
    char *end = NULL;
    out[i] = (int)strtol(p, &end, 10);
    p = end;
  }
  sc_buffer_free(&list);
  return st;
}

static void set_months(struct search *s, int year, int first, int last) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int end = days[last - 1] + (last == 2 && year % 4 == 0);
  snprintf(s->from, sizeof s->from, "%04d-%02d-01T00:00:00Z", year & 0x3fff, first);
  snprintf(s->to, sizeof s->to, "%04d-%02d-%02dT23:59:59Z", year & 0x3fff, last, end);
}

static const char sql_clearest[] =
    "SELECT item_json " FOUND " ORDER BY coalesce(eo_cloud_cover, 0), id LIMIT 1";

static sc_status process_period(struct job *job, const struct search *s, struct sc_error *err) {
  struct sc_buffer item = {0};
  int found;
  sc_status st = find_scene(job, s, sql_clearest, &item, &found, err);
  if (!st && !found)
    sc_cli_say("no scene of %s from %.10s to %.10s", s->collection, s->from, s->to);
  if (!st && found) st = write_scene(job, s->platform, (char *)item.data, err);
  sc_buffer_free(&item);
  step(job);
  return st;
}

static sc_status process_quarters(struct job *job, struct search *s, struct sc_error *err) {
  int years[6] = {0}, quarter = 0;
  int one = job->system->periods == SC_PERIODS_QUARTER;
  sc_status st = draw(job, "year", 2018, 2023, job->system->n_years, years, err);
  if (!st && one) st = draw(job, "quarter", 1, 4, 1, &quarter, err);
  for (int i = 0; i < job->system->n_years && !st; i++) {
    for (int q = 1; q <= 4 && !st; q++) {
      if (one && q != quarter) continue;
      set_months(s, years[i], 3 * q - 2, 3 * q);
      st = process_period(job, s, err);
    }
  }
  return st;
}

static sc_status process_months(struct job *job, struct search *s, struct sc_error *err) {
  static const int years[] = {2018, 2020, 2022, 2023};
  sc_status st = SC_OK;
  if (!sc_sin_tile((int)job->row, &s->vertical, &s->horizontal)) {
    return sc_fail(err, SC_RANGE, "no sinusoidal tile %lld; there are %d", (long long)job->row,
                   SC_SIN_TILES);
  }
  for (int i = 0; i < 4 && !st; i++) {
    int months[4];
    char what[16];
    snprintf(what, sizeof what, "month%d", years[i]);
    st = draw(job, what, 1, 12, 4, months, err);
    for (int k = 0; k < 4 && !st; k++) {
      set_months(s, years[i], months[k], months[k]);
      st = process_period(job, s, err);
    }
  }
  return st;
}

static sc_status process_latest(struct job *job, struct search *s, struct sc_error *err) {
  static const char *const sql[] = {"SELECT item_json " FOUND " ORDER BY datetime DESC, id LIMIT 1",
                                    "SELECT item_json " FOUND " AND id <> (SELECT id " FOUND
                                    " ORDER BY datetime DESC, id LIMIT 1) "
                                    "ORDER BY stacchip_hash(?10, id) LIMIT 1"};
  sc_status st = SC_OK;
  for (int i = 0; i < 2 && !st; i++) {
    struct sc_buffer item = {0};
    int found;
    st = find_scene(job, s, sql[i], &item, &found, err);
    if (!st && found) st = write_scene(job, s->platform, (char *)item.data, err);
    sc_buffer_free(&item);
    step(job);
    if (!found) break;
  }
  return st;
}

/* Half of a region's scenes, at least 10 and at most 2000, the same ones at each run. */
static sc_status process_region(struct job *job, struct sc_error *err) {
  static const char sql[] =
      "SELECT json_group_array(item_json) FROM (SELECT item_json FROM region_item ORDER BY "
      "stacchip_hash(42, id) "
      "LIMIT max(min((SELECT count(*) FROM region_item) / 2, 2000), 10))";
  char source[2048];
  struct sc_buffer list = {0};
  int n, found;
  const char *region = sc_linz_region((int)job->row, &n);
  if (!region)
    return sc_fail(err, SC_RANGE, "no region %lld; there are %d", (long long)job->row, n);
  snprintf(source, sizeof source, "%s/%s/rgb/2193/collection.json", job->api, region);
  sc_status st = sc_cli_run(
      job->db, err, "CREATE TABLE region_item AS SELECT id, item_json FROM stacchip_items(?1)",
      source);
  if (!st) st = sc_cli_text(job->db, &list, &found, err, sql);
  cJSON *scenes = !st && found ? cJSON_Parse((char *)list.data) : NULL;
  const cJSON *scene;
  job->n_to_try = cJSON_GetArraySize(scenes);
  cJSON_ArrayForEach(scene, scenes) {
    if (!st && cJSON_IsString(scene))
      st = write_scene(job, job->system->platforms[0], scene->valuestring, err);
    step(job);
  }
  cJSON_Delete(scenes);
  sc_buffer_free(&list);
  return st;
}

/* Scenes of one collection that are looked for; a region has its own number. */
static int scenes_to_try(const struct sc_system *y) {
  switch (y->periods) {
    case SC_PERIODS_QUARTERS: return 4 * y->n_years;
    case SC_PERIODS_QUARTER: return 1;
    case SC_PERIODS_MONTHS: return 16;
    case SC_PERIODS_LATEST: return 2;
  }
  return 0;
}

static sc_status process(struct job *job, struct sc_error *err) {
  sc_status st = SC_OK;
  job->started = sc_cli_seconds();
  job->n_to_try = scenes_to_try(job->system) * (job->system->collections[1] ? 2 : 1);
  if (job->system->sampling == SC_SAMPLE_REGION) return process_region(job, err);
  for (int i = 0; i < 2 && job->system->collections[i] && !st; i++) {
    struct search s = {.collection = job->system->collections[i],
                       .platform = job->system->platforms[i]};
    switch (job->system->periods) {
      case SC_PERIODS_MONTHS: st = process_months(job, &s, err); break;
      case SC_PERIODS_LATEST: st = process_latest(job, &s, err); break;
      default: st = process_quarters(job, &s, err); break;
    }
  }
  return st;
}

/* --- the command --- */

static sc_status read_sample(struct job *job, const char *source, struct sc_error *err) {
  if (!source) return SC_OK;
  sc_status st = sc_geo_read_row(source, job->row, &job->sample, err);
  if (!st && job->system->sampling == SC_SAMPLE_TILE && !job->sample.name) {
    st = sc_fail(err, SC_BAD_DATA, "%s: the layer has no column 'name' with the MGRS tile", source);
  }
  return st;
}

static int report(const struct job *job, sc_status st, const struct sc_error *err) {
  if (st) {
    sc_cli_message("%s", err->text);
    return sc_exit_code(err);
  }
  if (job->n_found == 0) {
    sc_cli_message("no scenes found");
    return SC_EXIT_FAILED;
  }
  sc_cli_say("%d scenes: %d processed, %d done before", job->n_found, job->n_done, job->n_skipped);
  return SC_EXIT_DONE;
}

int sc_cmd_processor(const char *name, int argc, char **argv) {
  const struct sc_system *y = sc_system_find(name);
  int by_mgrs = y->sampling == SC_SAMPLE_TILE || y->sampling == SC_SAMPLE_AREA;
  int by_point = y->sampling == SC_SAMPLE_POINT;
  const struct sc_cli_option options[N_OPTIONS] = {
      [OPT_ROW] = {"--row",
                   {"AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"},
                   "N",
                   "row of the layer, tile or region, from 0",
                   1,
                   NULL},
      [OPT_MGRS] = {by_mgrs ? "--mgrs-source" : NULL,
                    {"STACCHIP_MGRS_SOURCE"},
                    "LAYER",
                    "layer of MGRS tiles (any that OGR opens)",
                    1,
                    NULL},
      [OPT_SAMPLE] = {by_point ? "--sample-source" : NULL,
                      {"STACCHIP_SAMPLE_SOURCE"},
                      "LAYER",
                      "layer of sample places",
                      1,
                      NULL},
      [OPT_BUCKET] =
          {"--bucket", {"STACCHIP_BUCKET"}, "BUCKET", "s3://bucket, or a directory", 1, NULL},
      [OPT_API] = {"--stac-api", {"STACCHIP_STAC_API"}, "URL", "catalogue", 0, y->api},
      [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "say what would be done", 0, NULL},
  };
  const char *v[N_OPTIONS], *rest[1];
  struct sc_error err = {0};
  struct job job = {.system = y};
  int n_rest;
  int code = sc_cli_options(name, "Find scenes, copy their assets, write items and indexes.", "",
                            options, N_OPTIONS, argc, argv, v, rest, 0, &n_rest);
  if (code >= 0) return code;
  job.api = v[OPT_API];
  job.dry_run = v[OPT_DRY_RUN] != NULL;
  sc_status st = sc_cli_number(&options[OPT_ROW], v[OPT_ROW], 0, &job.row, &err);
  if (!st) st = sc_store_root(v[OPT_BUCKET], &job.root, &err);
  if (!st) st = sc_cli_open(":memory:", &job.db, &err);
  if (!st) st = read_sample(&job, v[OPT_MGRS] ? v[OPT_MGRS] : v[OPT_SAMPLE], &err);
  if (!st) st = process(&job, &err);
  code = report(&job, st, &err);
  sqlite3_close(job.db);
  sc_geo_row_free(&job.sample);
  sc_free(job.root);
  return code;
}
