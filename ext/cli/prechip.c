/*
 * stacchip prechip: cubes of random chips as .npz, with the Python package's keys: pixels
 * (n, bands, size, size), lon_norm, lat_norm, week_norm and hour_norm (n, 2), all float32.
 *
 * A chip is drawn once: the order is that of a hash of its id, cube k takes the k-th 128.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/store.h"
#include "pixels/npy.h"
#include "stac/href.h"

#define CUBE_CHIPS 128
#define JOB_MAX 100000000 /* jobs, and cubes of one: their product times 128 is an int64_t */
#define VERSION_FOLDER "mode_v1_chipper_v2"

enum {
  OPT_ROW,
  OPT_DATA,
  OPT_INDEX,
  OPT_CHIPS,
  OPT_PLATFORM,
  OPT_CUBES,
  OPT_POOL,
  OPT_NODATA,
  OPT_KEEP,
  OPT_DRY_RUN,
  N_OPTIONS
};

/* The chips of the job, in their drawn order, with a handle in the bucket form each. ?1 index,
 * ?2 bucket, ?3 platform or '', ?4 nodata limit. */
static const char sql_draw[] =
    "CREATE TABLE drawn AS SELECT chipid, platform, item, geometry, "
    "json_object('bucket', ?2, 'platform', platform, 'item', item, 'chip_index_x', chip_index_x, "
    "'chip_index_y', chip_index_y) AS handle FROM stacchip_parquet(?1) "
    "WHERE (?3 = '' OR platform = ?3) AND nodata_percentage <= CAST(?4 AS REAL) "
    "ORDER BY stacchip_hash(42, chipid), chipid";
/* The true time of an item is in the item. */
static const char sql_times[] =
    "CREATE TABLE item_time AS SELECT d.platform, d.item, i.datetime FROM "
    "(SELECT DISTINCT platform, item FROM drawn WHERE rowid > CAST(?2 AS INT) AND rowid <= CAST(?3 "
    "AS INT)) d, "
    "stacchip_items(?1 || '/' || d.platform || '/' || replace(d.item, '/', '_') || "
    "'/stac_item.json') i";
static const char sql_norms[] =
    "SELECT json_group_array(json_array(json(stacchip_encode_time(t.datetime)), "
    "json(stacchip_encode_latlon(d.geometry)))) "
    "FROM (SELECT * FROM drawn WHERE rowid > CAST(?1 AS INT) AND rowid <= CAST(?2 AS INT) ORDER BY "
    "rowid) d "
    "JOIN item_time t ON t.item = d.item AND t.platform = d.platform";
static const char sql_pixels[] =
    "SELECT stacchip_stack(handle, '{\"dtype\":\"float32\",\"format\":\"raw\"}', rowid) FROM drawn "
    "WHERE rowid > CAST(?1 AS INT) AND rowid <= CAST(?2 AS INT)";

/* Four (n, 2) arrays from the JSON of sql_norms. */
static sc_status add_norms(struct sc_npz *npz, const char *json, size_t n, struct sc_error *err) {
  static const struct {
    const char *name;
    int list, first;
  } arrays[] = {{"lon_norm", 1, 2}, {"lat_norm", 1, 0}, {"week_norm", 0, 0}, {"hour_norm", 0, 2}};
  cJSON *rows = cJSON_Parse(json);
  float *values = sc_alloc_zero(2 * n + 1, sizeof *values);
  const size_t shape[2] = {n, 2};
  sc_status st = values ? SC_OK : sc_fail_nomem(err);
  if (!st && (size_t)cJSON_GetArraySize(rows) != n)
    st = sc_fail(err, SC_BAD_DATA, "chips without an item or a time");
  for (size_t k = 0; k < 4 && !st; k++) {
    const cJSON *row;
    size_t i = 0;
    cJSON_ArrayForEach(row, rows) {
      const cJSON *list = cJSON_GetArrayItem(row, arrays[k].list);
      for (int c = 0; c < 2; c++) {
        const cJSON *v = cJSON_GetArrayItem(list, arrays[k].first + c);
        values[2 * i + (size_t)c] = v ? (float)v->valuedouble : 0;
      }
      i++;
    }
    st = sc_npz_add(npz, arrays[k].name, "<f4", shape, 2, values, 2 * n * sizeof *values, err);
  }
  cJSON_Delete(rows);
  sc_free(values);
  return st;
}

struct cube {
  sqlite3 *db;
  const char *data_root, *chip_root, *platform;
  int64_t id, first, n; /* rows first + 1 .. first + n of `drawn` */
};

static sc_status make_cube(const struct cube *c, struct sc_error *err) {
  char from[24], to[24], key[300];
  struct sc_buffer pixels = {0}, norms = {0};
  struct sc_npz npz = {{0}, {0}, 0};
  int found;
  snprintf(from, sizeof from, "%lld", (long long)c->first);
  snprintf(to, sizeof to, "%lld", (long long)(c->first + c->n));
  snprintf(key, sizeof key, VERSION_FOLDER "/%s/cube_%lld.npz", c->platform, (long long)c->id);
  sc_status st = sc_cli_run(c->db, err, "DROP TABLE IF EXISTS item_time");
  if (!st) st = sc_cli_run(c->db, err, sql_times, c->data_root, from, to);
  if (!st) st = sc_cli_text(c->db, &norms, &found, err, sql_norms, from, to);
  if (!st) st = sc_cli_text(c->db, &pixels, &found, err, sql_pixels, from, to);
  size_t chip = (size_t)256 * 256 * sizeof(float), n = (size_t)c->n;
  if (!st && (n == 0 || pixels.size % (n * chip) != 0))
    st = sc_fail(err, SC_BAD_DATA, "chips of several sizes");
  if (!st) {
    const size_t shape[4] = {n, pixels.size / (n * chip), 256, 256};
    st = sc_npz_add(&npz, "pixels", "<f4", shape, 4, pixels.data, pixels.size, err);
  }
  if (!st) st = add_norms(&npz, (char *)norms.data, n, err);
  if (!st) st = sc_npz_finish(&npz, err);
  if (!st) st = sc_store_put(c->chip_root, key, npz.archive.data, npz.archive.size, err);
  sc_npz_free(&npz);
  sc_buffer_free(&pixels);
  sc_buffer_free(&norms);
  return st ? sc_fail_within(err, "cube %lld", (long long)c->id) : SC_OK;
}

static sc_status make_cubes(struct cube *c, int64_t row, int64_t cubes, int keep, int dry_run,
                            struct sc_error *err) {
  struct sc_buffer text = {0};
  int found, made = 0;
  double started = sc_cli_seconds();
  sc_status st = sc_cli_text(c->db, &text, &found, err, "SELECT CAST(count(*) AS TEXT) FROM drawn");
  int64_t total = st ? 0 : strtoll((char *)text.data, NULL, 10);
  sc_buffer_free(&text);
  for (c->id = row * cubes; c->id < (row + 1) * cubes && !st; c->id++) {
    c->first = c->id * CUBE_CHIPS;
    c->n = total - c->first < CUBE_CHIPS ? total - c->first : CUBE_CHIPS;
    if (c->n <= 0 || (c->n < CUBE_CHIPS && !keep)) break;
    if (dry_run) {
      sc_cli_say("would write cube %lld of %lld chips", (long long)c->id, (long long)c->n);
    } else {
      st = make_cube(c, err);
    }
    sc_cli_bar("cubes", ++made, cubes, sc_cli_seconds() - started);
  }
  if (!st) sc_cli_say("%d cubes of %lld chips", made, (long long)total);
  return st;
}

int sc_cmd_prechip(int argc, char **argv) {
  static const struct sc_cli_option options[N_OPTIONS] = {
      [OPT_ROW] = {"--row",
                   {"AWS_BATCH_JOB_ARRAY_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"},
                   "N",
                   "which job, from 0",
                   1,
                   NULL},
      [OPT_DATA] = {"--data-bucket",
                    {"STACCHIP_DATA_BUCKET", "STACCHIP_BUCKET"},
                    "BUCKET",
                    "where the items are",
                    1,
                    NULL},
      [OPT_INDEX] =
          {"--index", {"STACCHIP_INDEXPATH"}, "PATH", "merged index, or index tree", 1, NULL},
      [OPT_CHIPS] =
          {"--chip-bucket", {"STACCHIP_CHIP_BUCKET"}, "BUCKET", "where the cubes go", 1, NULL},
      [OPT_PLATFORM] =
          {"--platform", {"STACCHIP_PLATFORM"}, "NAME", "platform of the chips", 1, NULL},
      [OPT_CUBES] = {"--cubes", {"STACCHIP_CUBES_PER_JOB"}, "N", "cubes of a job", 0, "10"},
      [OPT_POOL] = {"--threads", {"STACCHIP_POOL_SIZE"}, "N", "readers at once", 0, NULL},
      [OPT_NODATA] = {"--max-nodata", {"STACCHIP_MAX_NODATA"}, "FRACTION", "of a chip", 0, "0.05"},
      [OPT_KEEP] =
          {"--keep-incomplete", {NULL}, NULL, "write the last cube with fewer chips too", 0, NULL},
      [OPT_DRY_RUN] = {"--dry-run", {NULL}, NULL, "say what would be done", 0, NULL},
  };
  const char *v[N_OPTIONS], *rest[1];
  struct sc_error err = {0};
  struct cube c = {0};
  char *data = NULL, *chips = NULL;
  int n_rest;
  int code = sc_cli_options("prechip", "Write cubes of 128 random chips as .npz, each chip once.",
                            "", options, N_OPTIONS, argc, argv, v, rest, 0, &n_rest);
  if (code >= 0) return code;
  int64_t row = 0, cubes = 0;
  sc_status st = sc_cli_number(&options[OPT_ROW], v[OPT_ROW], 0, &row, &err);
  if (!st) st = sc_cli_number(&options[OPT_CUBES], v[OPT_CUBES], 1, &cubes, &err);
  if (!st && (row > JOB_MAX || cubes > JOB_MAX))
    st = sc_fail(&err, SC_BAD_ARG, "--row and --cubes are at most %d", JOB_MAX);
  if (!st) st = sc_cli_fraction(&options[OPT_NODATA], v[OPT_NODATA], &err);
  if (!st) st = sc_store_root(v[OPT_DATA], &data, &err);
  if (!st) st = sc_store_root(v[OPT_CHIPS], &chips, &err);
  if (!st) st = sc_cli_open(":memory:", &c.db, &err);
  if (!st && v[OPT_POOL])
    st = sc_cli_run(c.db, &err, "SELECT stacchip_config('threads', ?1)", v[OPT_POOL]);
  if (!st)
    st = sc_cli_run(c.db, &err, sql_draw, v[OPT_INDEX], data, v[OPT_PLATFORM], v[OPT_NODATA]);
  c.data_root = data;
  c.chip_root = chips;
  c.platform = v[OPT_PLATFORM];
  if (!st) {
    st = make_cubes(&c, row, cubes, v[OPT_KEEP] != NULL, v[OPT_DRY_RUN] != NULL, &err);
  }
  if (st) sc_cli_message("%s", err.text);
  sqlite3_close(c.db);
  sc_free(data);
  sc_free(chips);
  return st ? sc_exit_code(&err) : SC_EXIT_DONE;
}
