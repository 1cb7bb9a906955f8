/*
 * The processors: one element of a sample layer -> scenes found, and each written (scene.c). One
 * engine over the extension's SQL; systems.c has the settings.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/datetime.h"
#include "cli/cli.h"
#include "cli/draw.h"
#include "cli/geo.h"
#include "cli/scene.h"
#include "cli/systems.h"
#include "stac/item.h"
#include "store/store.h"

enum {
  OPT_ROW,
  OPT_MGRS,
  OPT_SAMPLE,
  OPT_BUCKET,
  OPT_API,
  OPT_DRAW,
  OPT_RELATIVE,
  OPT_DRY_RUN,
  N_OPTIONS
};

struct job {
  struct sc_scene_place place;
  const char *api;
  int64_t row;
  struct sc_layer_row sample;
  int is_python; /* the Python package's scenes, by its generator: */
  struct sc_draw draw;
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

/* The Python package has NAIP's scenes by year, the first ten. */
static int is_sorted_by_year(const struct job *job) {
  return job->is_python && job->place.system->periods == SC_PERIODS_LATEST;
}

/* The search body; what a catalogue ignores of it is checked again when scenes come. */
static char *search_body(const struct job *job, const struct search *s) {
  const struct sc_system *y = job->place.system;
  cJSON *body = cJSON_CreateObject();
  cJSON *query = y->query ? cJSON_Parse(y->query) : cJSON_CreateObject();
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
  if (query && query->child) {
    cJSON_AddItemToObject(body, "query", query);
  } else {
    cJSON_Delete(query);
  }
  if (y->max_cloud_percent < 100 || is_sorted_by_year(job)) {
    cJSON *sort = cJSON_CreateObject();
    cJSON_AddStringToObject(
        sort, "field",
        is_sorted_by_year(job) ? "properties.naip:year" : "properties.eo:cloud_cover");
    cJSON_AddStringToObject(sort, "direction", "asc");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(body, "sortby"), sort);
  }
  cJSON_AddNumberToObject(body, "limit", 100);
  char *out = cJSON_PrintUnformatted(body);
  cJSON_Delete(body);
  return out;
}

/* What the catalogue has, in its order; what of the body it ignored is asked again. ?1 catalogue,
 * ?2 body, ?3 options, ?4 from, ?5 to, ?6 nodata limit, ?7 grid code, ?8 vertical, ?9 horizontal.
 */
static const char sql_find[] =
    "CREATE TABLE found AS SELECT s.rowid AS position, id, datetime, "
    "coalesce(eo_cloud_cover, 0) AS cloud, item_json FROM stacchip_search(?1, ?2, ?3) s "
    "WHERE s.error IS NULL AND (?4 = '' OR datetime BETWEEN ?4 AND ?5 "
    " OR json_extract(item_json, '$.properties.end_datetime') BETWEEN ?4 AND ?5)"
    " AND coalesce(json_extract(item_json, '$.properties.\"s2:nodata_pixel_percentage\"'), 0) <= "
    "CAST(?6 AS REAL)"
    " AND (?7 = '' OR coalesce(json_extract(item_json, '$.properties.\"grid:code\"'), ?7) = ?7)"
    " AND (?8 = '' OR coalesce(json_extract(item_json, '$.properties.\"modis:vertical-tile\"'), "
    "?8) = CAST(?8 AS INT))"
    " AND (?9 = '' OR coalesce(json_extract(item_json, '$.properties.\"modis:horizontal-tile\"'), "
    "?9) = CAST(?9 AS INT))";

/* One search, into the table `found`. */
static sc_status find_scenes(struct job *job, const struct search *s, struct sc_error *err) {
  const struct sc_system *y = job->place.system;
  char nodata[32], code[80] = "", vertical[16] = "", horizontal[16] = "", options[40];
  char *body = search_body(job, s);
  sqlite3_snprintf(sizeof nodata, nodata, "%!.15g", y->max_nodata_percent);
  snprintf(options, sizeof options, "{\"max_items\":%d}", is_sorted_by_year(job) ? 10 : 500);
  if (y->sampling == SC_SAMPLE_TILE) snprintf(code, sizeof code, "MGRS-%.60s", job->sample.name);
  if (y->sampling == SC_SAMPLE_SIN) {
    snprintf(vertical, sizeof vertical, "%d", s->vertical);
    snprintf(horizontal, sizeof horizontal, "%d", s->horizontal);
  }
  sc_status st = sc_cli_run(job->place.db, err, "DROP TABLE IF EXISTS found");
  if (!st)
    st = sc_cli_run(job->place.db, err, sql_find, job->api, body, options, s->from, s->to, nodata,
                    code, vertical, horizontal);
  if (!st) sc_cli_reached();
  cJSON_free(body);
  return st;
}

/* Texts of the rows of a statement, in its order. */
struct texts {
  char **v;
  uint32_t n, capacity;
};

static sc_status take_text(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct texts *t = context;
  if (t->n == t->capacity) {
    uint32_t capacity = t->capacity ? 2 * t->capacity : 16;
    char **v = sc_realloc(t->v, capacity * sizeof *v);
    if (!v) return sc_fail_nomem(err);
    t->v = v;
    t->capacity = capacity;
  }
  sc_status st = sc_strdup((const char *)sqlite3_column_text(row, 0), &t->v[t->n], err);
  if (!st) t->n++;
  return st;
}

static void texts_free(struct texts *t) {
  for (uint32_t i = 0; i < t->n; i++) sc_free(t->v[i]);
  sc_free(t->v);
  *t = (struct texts){0};
}

static sc_status write_scene(struct job *job, const char *platform, const char *text,
                             struct sc_error *err) {
  char reason[400];
  int is_whole = 0;
  cJSON *item = cJSON_Parse(text);
  const char *id = sc_json_text(item, "id");
  if (!id) {
    cJSON_Delete(item);
    return sc_fail(err, SC_BAD_DATA, "a scene without id");
  }
  job->n_found++;
  sc_status st = SC_OK;
  if (job->dry_run) {
    sc_cli_say("would process %s", id);
    cJSON_Delete(item);
    return SC_OK;
  }
  st = sc_scene_is_whole(&job->place, platform, id, &is_whole, reason, err);
  if (!st && is_whole) {
    sc_cli_say("done before: %s", id);
    job->n_skipped++;
  } else if (!st) {
    if (reason[0]) sc_cli_say("not whole, done again: %s: %s", id, reason);
    sc_cli_say("processing %s", id);
    st = sc_scene_write(&job->place, platform, item, err);
    if (!st) job->n_done++;
  }
  cJSON_Delete(item);
  return st;
}

/* --- periods --- */

/* `n` of the numbers first..last, drawn by the row number. */
static sc_status draw(struct job *job, const char *what, int first, int last, uint32_t n,
                      uint32_t *out, struct sc_error *err) {
  char row[24], a[12], b[12], count[12];
  struct texts list = {0};
  if (job->is_python) {
    sc_status st = sc_draw_sample(&job->draw, (uint32_t)(last - first + 1), n, out, err);
    for (uint32_t i = 0; i < n && !st; i++) out[i] += (uint32_t)first;
    return st;
  }
  snprintf(row, sizeof row, "%lld", (long long)job->row);
  snprintf(a, sizeof a, "%d", first);
  snprintf(b, sizeof b, "%d", last);
  snprintf(count, sizeof count, "%u", n);
  sc_status st =
      sc_cli_rows(job->place.db, take_text, &list, err,
                  "WITH RECURSIVE t(v) AS (SELECT CAST(?1 AS INT) UNION ALL SELECT v + 1 "
                  "FROM t WHERE v < CAST(?2 AS INT)) SELECT v FROM t ORDER BY "
                  "stacchip_hash(?3, ?4, v), v LIMIT ?5",
                  a, b, row, what, count);
  if (!st && list.n < n) st = sc_fail(err, SC_DB, "only %u of %u numbers were drawn", list.n, n);
  for (uint32_t i = 0; i < n && !st; i++) out[i] = (uint32_t)strtoul(list.v[i], NULL, 10);
  texts_free(&list);
  return st;
}

static void set_months(struct search *s, int year, int first, int last) {
  int end = sc_days_in_month(year, last);
  snprintf(s->from, sizeof s->from, "%04d-%02d-01T00:00:00Z", year & 0x3fff, first);
  snprintf(s->to, sizeof s->to, "%04d-%02d-%02dT23:59:59Z", year & 0x3fff, last, end);
}

/* ?1 cloud limit. */
static const char sql_clearest[] =
    "SELECT item_json FROM found WHERE cloud <= CAST(?1 AS REAL) ORDER BY cloud, id LIMIT 1";
/* The Python package's: the catalogue's first, where it is clear enough. ?2: sorted by cloud? */
static const char sql_first[] =
    "SELECT item_json FROM (SELECT cloud, item_json FROM found "
    "ORDER BY CASE WHEN ?2 = '1' THEN cloud END, position LIMIT 1) WHERE cloud <= CAST(?1 AS REAL)";

static sc_status process_period(struct job *job, const struct search *s, struct sc_error *err) {
  const struct sc_system *y = job->place.system;
  struct sc_buffer item = {0};
  char cloud[32];
  int found = 0;
  sqlite3_snprintf(sizeof cloud, cloud, "%!.15g",
                   job->is_python ? y->python_cloud_percent : y->max_cloud_percent);
  sc_status st = find_scenes(job, s, err);
  if (!st)
    st = sc_cli_text(job->place.db, &item, &found, err, job->is_python ? sql_first : sql_clearest,
                     cloud, y->max_cloud_percent < 100 ? "1" : "0");
  if (!st && !found)
    sc_cli_say("no scene of %s from %.10s to %.10s", s->collection, s->from, s->to);
  if (!st && found) st = write_scene(job, s->platform, (char *)item.data, err);
  sc_buffer_free(&item);
  step(job);
  return st;
}

static sc_status process_quarters(struct job *job, struct search *s, struct sc_error *err) {
  const struct sc_system *y = job->place.system;
  uint32_t years[6] = {0}, quarter = 0;
  int one = y->periods == SC_PERIODS_QUARTER;
  sc_draw_seed(&job->draw, (uint64_t)job->row);
  sc_status st = draw(job, "year", 2018, job->is_python ? y->last_python_year : 2023,
                      (uint32_t)y->n_years, years, err);
  if (!st && one) st = draw(job, "quarter", 1, 4, 1, &quarter, err);
  for (int i = 0; i < y->n_years && !st; i++) {
    for (uint32_t q = 1; q <= 4 && !st; q++) {
      if (one && q != quarter) continue;
      set_months(s, (int)years[i], (int)(3 * q - 2), (int)(3 * q));
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
    uint32_t months[4] = {0};
    char what[16];
    snprintf(what, sizeof what, "month%d", years[i]);
    sc_draw_seed(&job->draw, (uint64_t)(s->vertical * s->horizontal * years[i]));
    st = draw(job, what, 1, 12, 4, months, err);
    for (int k = 0; k < 4 && !st; k++) {
      set_months(s, years[i], (int)months[k], (int)months[k]);
      st = process_period(job, s, err);
    }
  }
  return st;
}

/* The latest scene, and one of the others. */
static const char sql_latest[] =
    "SELECT item_json FROM found ORDER BY id NOT IN (SELECT id FROM found ORDER BY datetime DESC, "
    "id "
    "LIMIT 1), stacchip_hash(?1, id), id LIMIT 2";
/* All of them by year, of which the last is the latest. */
static const char sql_by_year[] =
    "SELECT item_json FROM found ORDER BY "
    "CAST(json_extract(item_json, '$.properties.\"naip:year\"') AS INT), position";

static sc_status process_latest(struct job *job, struct search *s, struct sc_error *err) {
  struct texts list = {0};
  char row[24];
  snprintf(row, sizeof row, "%lld", (long long)job->row);
  sc_status st = find_scenes(job, s, err);
  if (!st)
    st = sc_cli_rows(job->place.db, take_text, &list, err,
                     job->is_python ? sql_by_year : sql_latest, row);
  uint32_t which[2] = {0, 1};
  if (job->is_python && list.n > 1) {
    sc_draw_seed(&job->draw, (uint64_t)job->row);
    which[0] = list.n - 1;
    which[1] = sc_draw_below(&job->draw, list.n - 1);
  }
  for (uint32_t i = 0; i < 2 && !st; i++) {
    if (i < list.n) st = write_scene(job, s->platform, list.v[which[i]], err);
    step(job);
  }
  texts_free(&list);
  return st;
}

/* Half of a region's scenes, at least 10 and at most 2000, the same ones at each run; the Python
 * package's by the names of their files. */
static sc_status choose_scenes(struct job *job, const struct texts *all, uint32_t **chosen,
                               uint32_t *n, struct sc_error *err) {
  uint32_t half = all->n / 2 < 2000 ? all->n / 2 : 2000;
  *n = half > 10 ? half : 10;
  if (*n > all->n) *n = all->n;
  *chosen = sc_alloc((*n + 1) * sizeof **chosen);
  if (!*chosen) return sc_fail_nomem(err);
  sc_draw_seed(&job->draw, 42);
  if (job->is_python) return sc_draw_sample(&job->draw, all->n, *n, *chosen, err);
  for (uint32_t i = 0; i < *n; i++) (*chosen)[i] = i; /* they are in the order of a hash */
  return SC_OK;
}

static sc_status say_broken(void *context, sqlite3_stmt *row, struct sc_error *err) {
  (void)context, (void)err;
  sc_cli_say("left out: %s", (const char *)sqlite3_column_text(row, 0));
  return SC_OK;
}

static sc_status process_region(struct job *job, struct sc_error *err) {
  static const char sql_hashed[] =
      "SELECT item_json FROM region_item WHERE error IS NULL ORDER BY stacchip_hash(42, id), id";
  static const char sql_named[] =
      "SELECT item_json FROM region_item WHERE error IS NULL ORDER BY "
      "json_extract(item_json, '$.assets.visual.href'), position";
  char source[2048];
  struct texts all = {0};
  uint32_t *chosen = NULL, n_chosen = 0;
  int n;
  const char *region = sc_linz_region((int)job->row, &n);
  if (!region)
    return sc_fail(err, SC_RANGE, "no region %lld; there are %d", (long long)job->row, n);
  snprintf(source, sizeof source, "%s/%s/rgb/2193/collection.json", job->api, region);
  sc_status st = sc_cli_run(job->place.db, err,
                            "CREATE TABLE region_item AS SELECT rowid AS position, id, item_json, "
                            "error FROM stacchip_items(?1)",
                            source);
  if (!st) {
    sc_cli_reached();
    st = sc_cli_rows(job->place.db, say_broken, NULL, err,
                     "SELECT error FROM region_item WHERE error IS NOT NULL ORDER BY position");
  }
  if (!st) {
    st = sc_cli_rows(job->place.db, take_text, &all, err, job->is_python ? sql_named : sql_hashed);
  }
  if (!st) st = choose_scenes(job, &all, &chosen, &n_chosen, err);
  job->n_to_try = (int)n_chosen;
  for (uint32_t i = 0; i < n_chosen && !st; i++) {
    st = write_scene(job, job->place.system->platforms[0], all.v[chosen[i]], err);
    step(job);
  }
  sc_free(chosen);
  texts_free(&all);
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
  const struct sc_system *y = job->place.system;
  job->n_to_try = scenes_to_try(y) * (y->collections[1] ? 2 : 1);
  if (y->sampling == SC_SAMPLE_REGION) return process_region(job, err);
  for (int i = 0; i < 2 && y->collections[i] && !st; i++) {
    struct search s = {.collection = y->collections[i], .platform = y->platforms[i]};
    switch (y->periods) {
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
  if (!st && job->place.system->sampling == SC_SAMPLE_TILE && !job->sample.name) {
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
    sc_cli_say("no scenes found");
    return SC_EXIT_DONE;
  }
  sc_cli_say("%d scenes: %d processed, %d done before", job->n_found, job->n_done, job->n_skipped);
  return SC_EXIT_DONE;
}

/* Of all systems; sc_cli_processor() leaves to each what it has. */
static const struct sc_cli_option options[N_OPTIONS] = {
    [OPT_ROW] = {"--row",
                 {"AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"},
                 "N",
                 "row of the layer, tile or region, from 0",
                 1,
                 NULL},
    [OPT_MGRS] =
        {"--mgrs-source", {"STACCHIP_MGRS_SOURCE"}, "LAYER", "layer of MGRS tiles", 1, NULL},
    [OPT_SAMPLE] =
        {"--sample-source", {"STACCHIP_SAMPLE_SOURCE"}, "LAYER", "layer of sample places", 1, NULL},
    [OPT_BUCKET] =
        {"--bucket", {"STACCHIP_BUCKET"}, "BUCKET", "s3://bucket, or a directory", 1, NULL},
    [OPT_API] = {"--stac-api", {"STACCHIP_STAC_API"}, "URL", "catalogue", 0, NULL},
    [OPT_DRAW] = {"--draw",
                  {"STACCHIP_DRAW"},
                  "WAY",
                  "hash, or python: the scenes that the Python package takes",
                  0,
                  "hash"},
    [OPT_RELATIVE] = {"--relative",
                      {NULL},
                      NULL,
                      "in a folder: hrefs beside the item, for a folder that will be moved",
                      0,
                      NULL},
    [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "say what would be done", 0, NULL},
};

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  const struct sc_system *y = sc_system_find(c->name);
  struct sc_cli_args args;
  const char *const *v = args.values;
  struct sc_error err = {0};
  struct job job = {.place = {.system = y}};
  char *root = NULL;
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  job.api = v[OPT_API];
  job.dry_run = v[OPT_DRY_RUN] != NULL;
  job.is_python = strcmp(v[OPT_DRAW], "python") == 0;
  job.place.is_relative = v[OPT_RELATIVE] != NULL;
  sc_status st = sc_cli_number(&c->options[OPT_ROW], v[OPT_ROW], 0, &job.row, &err);
  if (!st && !job.is_python && strcmp(v[OPT_DRAW], "hash") != 0)
    st = sc_fail(&err, SC_BAD_ARG, "--draw: '%s' is not one of hash, python", v[OPT_DRAW]);
  if (!st) st = sc_store_root(v[OPT_BUCKET], &root, &err);
  job.place.root = root;
  if (!st) st = sc_cli_open(":memory:", &job.place.db, &err);
  if (!st) st = read_sample(&job, v[OPT_MGRS] ? v[OPT_MGRS] : v[OPT_SAMPLE], &err);
  if (!st) st = process(&job, &err);
  code = report(&job, st, &err);
  sqlite3_close(job.place.db);
  sc_geo_row_free(&job.sample);
  sc_free(root);
  return code;
}

void sc_cli_processor(const struct sc_system *y, struct sc_cli_option *own,
                      struct sc_cli_command *out) {
  memcpy(own, options, sizeof options);
  if (y->sampling != SC_SAMPLE_TILE && y->sampling != SC_SAMPLE_AREA) own[OPT_MGRS].flag = NULL;
  if (y->sampling != SC_SAMPLE_POINT) own[OPT_SAMPLE].flag = NULL;
  own[OPT_API].fallback = y->api;
  *out = (struct sc_cli_command){
      .name = y->name,
      .run = run,
      .summary = y->summary,
      .description = "Find scenes, copy their assets, write items and indexes.",
      .rest = "",
      .options = own,
      .n_options = N_OPTIONS};
}
