/*
 * stacchip prechip: cubes of random chips as .npz, with the Python package's keys: pixels
 * (n, bands, size, size), lon_norm, lat_norm, week_norm and hour_norm (n, 2), all float32; and,
 * which the package does not write: valid (bool, shaped as pixels), chipid and datetime (n,), bands
 * (bands,).
 *
 * Chips are put in the order of a hash of their ids, and cube k takes the k-th 128: each chip is in
 * one cube, and jobs that run side by side need not talk to each other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/npz.h"
#include "pixels/npy.h"
#include "store/store.h"

#define CUBE_CHIPS 128
#define BANDS_MAX 256
#define JOB_MAX 100000000 /* of --row and --cubes: their product times 128 fits an int64_t */
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
 * ?2 bucket, ?3 platform, ?4 nodata limit. */
static const char sql_draw[] =
    "CREATE TABLE drawn AS SELECT chipid, geometry, "
    "json_object('bucket', ?2, 'platform', platform, 'item', item, 'chip_index_x', chip_index_x, "
    "'chip_index_y', chip_index_y) AS handle FROM stacchip_parquet(?1) "
    "WHERE platform = ?3 AND nodata_percentage <= CAST(?4 AS REAL) "
    "ORDER BY stacchip_hash(42, chipid), chipid, item, chip_index_x, chip_index_y";
/* One pass gives pixels, validity, ids and times, so that entry i of each array is of the same
 * chip. */
static const char sql_stack[] =
    "SELECT stacchip_stack(handle, '{\"dtype\":\"float32\",\"format\":\"npz\"}', rowid) FROM drawn "
    "WHERE rowid > CAST(?1 AS INT) AND rowid <= CAST(?2 AS INT)";
static const char sql_bands[] =
    "SELECT b.value FROM drawn, json_each(stacchip_chip_info(handle), '$.assets') b "
    "WHERE drawn.rowid = CAST(?1 AS INT) + 1 ORDER BY b.key";
/* Encoded places of the chips, by their position in the cube. */
static const char sql_places[] =
    "SELECT rowid - CAST(?1 AS INT) - 1, stacchip_encode_latlon(geometry), chipid FROM drawn "
    "WHERE rowid > CAST(?1 AS INT) AND rowid <= CAST(?2 AS INT) ORDER BY rowid";

/* Two pairs (sin, cos) of each chip, by its position in the cube, as stacchip_encode_...() give
 * them. */
struct norms {
  size_t n, n_set;
  float *first, *second; /* n pairs each */
};

static sc_status norms_new(struct norms *m, size_t n, struct sc_error *err) {
  m->n = n;
  m->first = sc_alloc_zero(2 * n + 1, sizeof *m->first);
  m->second = sc_alloc_zero(2 * n + 1, sizeof *m->second);
  return m->first && m->second ? SC_OK : sc_fail_nomem(err);
}

static void norms_free(struct norms *m) {
  sc_free(m->first);
  sc_free(m->second);
}

/* A row: position in the cube, "[a,b,c,d]", chip id for messages. */
static sc_status take_norms(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct norms *m = context;
  int64_t i = sqlite3_column_int64(row, 0);
  const char *text = (const char *)sqlite3_column_text(row, 1);
  float v[4];
  if (!text || i < 0 || (size_t)i >= m->n ||
      sscanf(text, "[%f,%f,%f,%f]", &v[0], &v[1], &v[2], &v[3]) != 4) {
    return sc_fail(err, SC_BAD_DATA, "chip %s: no datetime or no geometry",
                   (const char *)sqlite3_column_text(row, 2));
  }
  memcpy(m->first + 2 * i, v, 2 * sizeof *v);
  memcpy(m->second + 2 * i, v + 2, 2 * sizeof *v);
  m->n_set++;
  return SC_OK;
}

static sc_status add_norms(struct sc_npz *npz, const struct norms *m, const char *first,
                           const char *second, struct sc_error *err) {
  const struct sc_npy_array array = {"<f4", 2, {m->n, 2}};
  const size_t bytes = 2 * m->n * sizeof *m->first;
  if (m->n_set != m->n)
    return sc_fail(err, SC_BAD_DATA, "%s: values for %zu of %zu chips", first, m->n_set, m->n);
  sc_status st = sc_npz_add(npz, first, &array, m->first, bytes, err);
  return st ? st : sc_npz_add(npz, second, &array, m->second, bytes, err);
}

struct band_names {
  char *names[BANDS_MAX];
  size_t n;
};

struct cube {
  sqlite3 *db;
  const char *chip_root, *platform, *index, *max_nodata;
  int64_t id, first, n; /* rows first + 1 .. first + n of `drawn` */
  char from[24], to[24];
};

/* Encode week and hour of the times in the stack, which come from the items; the index has dates
 * only. */
static sc_status encode_times(struct cube *c, const struct sc_buffer *stack, struct norms *m,
                              struct sc_error *err) {
  struct sc_npz_array times, ids;
  int found = 0, also = 0;
  sc_status st = sc_npz_find(stack, "datetime", &times, &found, err);
  if (!st) st = sc_npz_find(stack, "chipid", &ids, &also, err);
  if (!st && (!found || !also || times.n_values != m->n || ids.n_values != m->n))
    st =
        sc_fail(err, SC_BAD_DATA, "the stack lacks datetime or chipid, or has not %zu chips", m->n);
  for (size_t i = 0; i < m->n && !st; i++) {
    char time[64], id[300], place[24];
    sc_npz_text(&times, i, time, sizeof time);
    sc_npz_text(&ids, i, id, sizeof id);
    snprintf(place, sizeof place, "%zu", i);
    st = sc_cli_rows(c->db, take_norms, m, err,
                     "SELECT CAST(?1 AS INT), stacchip_encode_time(nullif(?2, '')), ?3", place,
                     time, id);
  }
  return st;
}

static sc_status take_band(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct band_names *b = context;
  if (b->n == BANDS_MAX)
    return sc_fail(err, SC_TOO_BIG, "more than %d bands; the limit is %d", BANDS_MAX, BANDS_MAX);
  return sc_strdup((const char *)sqlite3_column_text(row, 0), &b->names[b->n++], err);
}

static sc_status add_bands(struct cube *c, struct sc_npz *npz, struct sc_error *err) {
  struct band_names b = {0};
  sc_status st = sc_cli_rows(c->db, take_band, &b, err, sql_bands, c->from);
  if (!st) st = sc_npz_add_texts(npz, "bands", (const char *const *)b.names, b.n, err);
  for (size_t i = 0; i < b.n; i++) sc_free(b.names[i]);
  return st;
}

static sc_status build_cube(struct cube *c, struct sc_npz *npz, struct norms *times,
                            struct norms *places, struct sc_error *err) {
  struct sc_buffer stack = {0};
  int found = 0;
  sc_status st = sc_cli_text(c->db, &stack, &found, err, sql_stack, c->from, c->to);
  if (!st) st = encode_times(c, &stack, times, err);
  if (!st) st = sc_cli_rows(c->db, take_norms, places, err, sql_places, c->from, c->to);
  if (!st) st = sc_npz_open(npz, &stack, err);
  if (!st) st = add_norms(npz, places, "lat_norm", "lon_norm", err);
  if (!st) st = add_norms(npz, times, "week_norm", "hour_norm", err);
  if (!st) st = add_bands(c, npz, err);
  if (!st) st = sc_npz_finish(npz, err);
  sc_buffer_free(&stack);
  return st;
}

static sc_status make_cube(struct cube *c, struct sc_error *err) {
  char key[300];
  struct sc_npz npz = {{0}, {0}, 0};
  struct norms times = {0}, places = {0};
  snprintf(c->from, sizeof c->from, "%lld", (long long)c->first);
  snprintf(c->to, sizeof c->to, "%lld", (long long)(c->first + c->n));
  snprintf(key, sizeof key, VERSION_FOLDER "/%s/cube_%lld.npz", c->platform, (long long)c->id);
  sc_status st = norms_new(&times, (size_t)c->n, err);
  if (!st) st = norms_new(&places, (size_t)c->n, err);
  if (!st) st = build_cube(c, &npz, &times, &places, err);
  if (!st) st = sc_store_put(c->chip_root, key, npz.archive.data, npz.archive.size, err);
  norms_free(&times);
  norms_free(&places);
  sc_npz_free(&npz);
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
  if (!st && total == 0)
    st = sc_fail(err, SC_NOT_FOUND, "%s: no chips of platform %s with a nodata fraction up to %s",
                 c->index, c->platform, c->max_nodata);
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

static int run(const struct sc_cli_command *command, int argc, char **argv) {
  struct sc_cli_args args;
  const char *const *v = args.values;
  struct sc_error err = {0};
  struct cube c = {0};
  char *data = NULL, *chips = NULL;
  int code = sc_cli_options(command, argc, argv, &args);
  if (code >= 0) return code;
  int64_t row = 0, cubes = 0, pool;
  sc_status st = sc_cli_number(&options[OPT_ROW], v[OPT_ROW], 0, &row, &err);
  if (!st) st = sc_cli_number(&options[OPT_CUBES], v[OPT_CUBES], 1, &cubes, &err);
  if (!st && (row > JOB_MAX || cubes > JOB_MAX))
    st = sc_fail(&err, SC_BAD_ARG, "--row and --cubes: expected whole numbers up to %d", JOB_MAX);
  if (!st) st = sc_cli_fraction(&options[OPT_NODATA], v[OPT_NODATA], &err);
  if (!st && v[OPT_POOL]) st = sc_cli_number(&options[OPT_POOL], v[OPT_POOL], 1, &pool, &err);
  if (!st) st = sc_store_root(v[OPT_DATA], &data, &err);
  if (!st) st = sc_store_root(v[OPT_CHIPS], &chips, &err);
  if (!st) st = sc_cli_open(":memory:", &c.db, &err);
  if (!st && v[OPT_POOL])
    st = sc_cli_run(c.db, &err, "SELECT stacchip_config('threads', ?1)", v[OPT_POOL]);
  if (!st)
    st = sc_cli_run(c.db, &err, sql_draw, v[OPT_INDEX], data, v[OPT_PLATFORM], v[OPT_NODATA]);
  c.chip_root = chips;
  c.platform = v[OPT_PLATFORM];
  c.index = v[OPT_INDEX];
  c.max_nodata = v[OPT_NODATA];
  if (!st) {
    st = make_cubes(&c, row, cubes, v[OPT_KEEP] != NULL, v[OPT_DRY_RUN] != NULL, &err);
  }
  if (st) sc_cli_message("%s", err.text);
  sqlite3_close(c.db);
  sc_free(data);
  sc_free(chips);
  return st ? sc_exit_code(&err) : SC_EXIT_DONE;
}

const struct sc_cli_command sc_cli_prechip = {
    .name = "prechip",
    .run = run,
    .summary = "write cubes of random chips as .npz",
    .description = "Write cubes of 128 random chips as .npz, each chip once.",
    .rest = "",
    .max_rest = 0,
    .options = options,
    .n_options = N_OPTIONS};
