/* stacchip stats: mean and standard deviation per band, over cubes or over an index. */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "cli/cli.h"
#include "cli/npz.h"
#include "store/store.h"

#define BANDS_MAX 256
#define READERS_MAX 64

enum { OPT_PLATFORM, OPT_CHIPS, OPT_INDEX, OPT_DATA, OPT_LIMIT, OPT_POOL, N_OPTIONS };

/*
 * What cubes do not say of themselves, as those of the Python package: the value that is no data
 * and the bands. They are that package's (stacchip/processors/stats.py and prechip.py); MODIS'
 * fill value is that of MOD09A1 (MOD09 user's guide v6.1, table 4).
 */
static const struct platform {
  const char *name;
  double nodata;
  const char *bands;
} platforms[] = {
    {"sentinel-2-l2a", 0, "blue green red rededge1 rededge2 rededge3 nir nir08 swir16 swir22"},
    {"landsat-c2l1", 0, "red green blue nir08 swir16 swir22"},
    {"landsat-c2l2-sr", 0, "red green blue nir08 swir16 swir22"},
    {"naip", 0, "red green blue nir"},
    {"linz", 0, "red green blue"},
    {"sentinel-1-rtc", -32768, "vv vh"},
    {"modis", -28672,
     "sur_refl_b01 sur_refl_b02 sur_refl_b03 sur_refl_b04 sur_refl_b05 sur_refl_b06 sur_refl_b07"},
    {"modis-clay-v1", -28672,
     "sur_refl_b01 sur_refl_b02 sur_refl_b03 sur_refl_b04 sur_refl_b05 sur_refl_b06 sur_refl_b07"},
};

static const struct platform *find_platform(const char *name) {
  for (size_t i = 0; i < sizeof platforms / sizeof *platforms; i++) {
    if (strcmp(platforms[i].name, name) == 0) return &platforms[i];
  }
  return NULL;
}

struct moments {
  double n, mean, m2;
};

/* A cube and what came out of it. */
struct cube {
  char *key; /* owned */
  size_t n_bands;
  struct moments *bands; /* owned */
  char (*names)[80];     /* owned; NULL: the cube does not say */
};

struct totals {
  const char *root;
  const struct platform *platform; /* NULL: one that is not known */
  int64_t limit;
  struct cube *cubes;
  size_t n_cubes, capacity;
  double began; /* reading them, seconds */
  pthread_mutex_t lock;
  size_t n_taken, n_done; /* guarded by lock, as the error of the first that failed */
  sc_status status;
  struct sc_error err;
};

/* Join moments (Chan, Golub and LeVeque, 1983). */
static void join(struct moments *to, const struct moments *from) {
  if (from->n == 0) return;
  double total = to->n + from->n, delta = from->mean - to->mean;
  to->m2 += from->m2 + delta * delta * to->n * from->n / total;
  to->mean += delta * from->n / total;
  to->n = total;
}

/* One band of one chip. valid: a byte a pixel, or NULL: all but `nodata` and NaN are. */
static void add_plane(struct moments *to, const float *v, const unsigned char *valid, double nodata,
                      size_t n) {
  struct moments m = {0};
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    if (isnan(v[i]) || (valid ? !valid[i] : v[i] == nodata)) continue;
    sum += v[i];
    m.n++;
  }
  if (m.n > 0) m.mean = sum / m.n;
  for (size_t i = 0; i < n; i++) {
    if (isnan(v[i]) || (valid ? !valid[i] : v[i] == nodata)) continue;
    m.m2 += (v[i] - m.mean) * (v[i] - m.mean);
  }
  join(to, &m);
}

/* pixels (n, bands, rows, columns), and valid of the same shape or with no data. */
static sc_status add_pixels(const struct totals *t, struct cube *cube,
                            const struct sc_npz_array *pixels, const struct sc_npz_array *valid,
                            struct sc_error *err) {
  if (pixels->n_dims != 4 || strcmp(pixels->descr, "<f4") != 0 || pixels->shape[1] > BANDS_MAX) {
    return sc_fail(err, SC_BAD_DATA, "pixels is no float32 array of four dimensions");
  }
  if (valid->data && (valid->width != 1 || valid->n_dims != 4 ||
                      memcmp(valid->shape, pixels->shape, sizeof valid->shape) != 0)) {
    return sc_fail(err, SC_BAD_DATA, "valid is no array of the pixels' shape");
  }
  size_t plane = pixels->shape[2] * pixels->shape[3], bands = pixels->shape[1];
  float *values = sc_alloc(plane * sizeof *values);
  cube->n_bands = bands;
  cube->bands = sc_alloc_zero(bands + 1, sizeof *cube->bands);
  sc_status st = values && cube->bands ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < pixels->shape[0] * bands && !st; i++) {
    memcpy(values, pixels->data + i * plane * sizeof *values, plane * sizeof *values);
    add_plane(&cube->bands[i % bands], values, valid->data ? valid->data + i * plane : NULL,
              t->platform ? t->platform->nodata : NAN, plane);
  }
  sc_free(values);
  return st;
}

static sc_status take_names(struct cube *cube, const struct sc_npz_array *names,
                            struct sc_error *err) {
  if (!names->data || names->n_values != cube->n_bands) return SC_OK;
  cube->names = sc_alloc_zero(cube->n_bands + 1, sizeof *cube->names);
  if (!cube->names) return sc_fail_nomem(err);
  for (size_t i = 0; i < cube->n_bands; i++) sc_npz_text(names, i, cube->names[i], 80);
  return SC_OK;
}

static sc_status read_cube(const struct totals *t, struct cube *cube, struct sc_error *err) {
  struct sc_buffer bytes = {0};
  struct sc_npz_array pixels = {0}, valid = {0}, names = {0};
  int found = 0, also;
  sc_status st = sc_store_get(t->root, cube->key, &bytes, err);
  if (!st) st = sc_npz_find(&bytes, "pixels", &pixels, &found, err);
  if (!st && !found) st = sc_fail(err, SC_BAD_DATA, "no array 'pixels' in the archive");
  if (!st) st = sc_npz_find(&bytes, "valid", &valid, &also, err);
  if (!st) st = sc_npz_find(&bytes, "bands", &names, &also, err);
  if (!st) st = add_pixels(t, cube, &pixels, &valid, err);
  if (!st) st = take_names(cube, &names, err);
  sc_npz_array_free(&pixels);
  sc_npz_array_free(&valid);
  sc_npz_array_free(&names);
  sc_buffer_free(&bytes);
  return st ? sc_fail_within(err, "%s", cube->key) : SC_OK;
}

static void *read_cubes(void *context) {
  struct totals *t = context;
  for (;;) {
    struct sc_error err = {0};
    pthread_mutex_lock(&t->lock);
    struct cube *cube = t->n_taken < t->n_cubes && !t->status ? &t->cubes[t->n_taken++] : NULL;
    pthread_mutex_unlock(&t->lock);
    if (!cube) return NULL;
    sc_status st = read_cube(t, cube, &err);
    pthread_mutex_lock(&t->lock);
    if (st && !t->status) {
      t->status = st;
      t->err = err;
    }
    if (!t->status)
      sc_cli_bar("cubes", (int64_t)++t->n_done, (int64_t)t->n_cubes, sc_cli_seconds() - t->began);
    pthread_mutex_unlock(&t->lock);
  }
}

/* Several cubes side by side; each has its own moments, so that the sum does not depend on who was
 * quicker. */
static sc_status read_all(struct totals *t, int64_t n_readers, struct sc_error *err) {
  pthread_t threads[READERS_MAX];
  size_t n = 0;
  pthread_mutex_init(&t->lock, NULL);
  while (n + 1 < (size_t)n_readers && sc_thread_start(&threads[n], read_cubes, t)) n++;
  read_cubes(t);
  while (n > 0) pthread_join(threads[--n], NULL);
  pthread_mutex_destroy(&t->lock);
  if (t->status) *err = t->err;
  return t->status;
}

static sc_status note_cube(void *context, const char *key, struct sc_error *err) {
  struct totals *t = context;
  size_t n = strlen(key);
  if (n < 4 || strcmp(key + n - 4, ".npz") != 0 || (int64_t)t->n_cubes >= t->limit) return SC_OK;
  if (t->n_cubes == t->capacity) {
    size_t capacity = t->capacity ? 2 * t->capacity : 64;
    struct cube *cubes = sc_realloc(t->cubes, capacity * sizeof *cubes);
    if (!cubes) return sc_fail_nomem(err);
    t->cubes = cubes;
    t->capacity = capacity;
  }
  t->cubes[t->n_cubes] = (struct cube){0};
  sc_status st = sc_strdup(key, &t->cubes[t->n_cubes].key, err);
  if (!st) t->n_cubes++;
  return st;
}

/* --- what is printed --- */

/* "image:red" is "red" where all bands are of one asset and have names. */
static const char *short_name(const cJSON *names, const char *name) {
  const char *colon = strchr(name, ':');
  const cJSON *other;
  size_t n = colon ? (size_t)(colon - name) + 1 : 0;
  cJSON_ArrayForEach(other, names) {
    const char *text = cJSON_GetStringValue(other);
    if (!n || !text || strncmp(text, name, n) != 0 || !isalpha((unsigned char)text[n])) return name;
  }
  return colon + 1;
}

/* Print it with "bands", an object of each band's count, mean and std by its name. */
static sc_status print_stats(cJSON *json, struct sc_error *err) {
  static const char *const keys[] = {"count", "mean", "std"};
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(json, "assets"), *name;
  cJSON *bands = cJSON_AddObjectToObject(json, "bands");
  int i = 0;
  cJSON_ArrayForEach(name, names) {
    cJSON *band = cJSON_AddObjectToObject(bands, short_name(names, name->valuestring));
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, keys[k]);
      cJSON_AddItemToObject(band, keys[k], cJSON_Duplicate(cJSON_GetArrayItem(list, i), 0));
    }
    i++;
  }
  char *text = cJSON_PrintUnformatted(json);
  if (!text) return sc_fail_nomem(err);
  printf("%s\n", text);
  cJSON_free(text);
  return SC_OK;
}

/* Name of a band: what a cube says, else the platform's, else its number. */
static void name_band(const struct totals *t, size_t i, size_t n_bands, char out[80]) {
  const char *p = t->platform ? t->platform->bands : "";
  size_t n_names = *p != '\0';
  for (const char *q = p; *q; q++) n_names += *q == ' ';
  for (size_t k = 0; k < t->n_cubes; k++) {
    if (!t->cubes[k].names) continue;
    memcpy(out, t->cubes[k].names[i], 80);
    return;
  }
  if (n_names != n_bands) {
    snprintf(out, 80, "%zu", i + 1);
    return;
  }
  for (size_t k = 0; k < i; k++) p = strchr(p, ' ') + 1;
  snprintf(out, 80, "%.*s", (int)strcspn(p, " "), p);
}

static sc_status print_totals(const struct totals *t, struct sc_error *err) {
  size_t n_bands = t->cubes[0].n_bands;
  cJSON *json = cJSON_CreateObject();
  cJSON *names = cJSON_AddArrayToObject(json, "assets");
  cJSON *count = cJSON_AddArrayToObject(json, "count");
  cJSON *mean = cJSON_AddArrayToObject(json, "mean"), *std = cJSON_AddArrayToObject(json, "std");
  sc_status st = SC_OK;
  cJSON_AddNumberToObject(json, "cubes", (double)t->n_cubes);
  for (size_t k = 1; k < t->n_cubes && !st; k++) {
    if (t->cubes[k].n_bands == n_bands) continue;
    st = sc_fail(err, SC_BAD_DATA, "%s has %zu bands, %s has %zu", t->cubes[k].key,
                 t->cubes[k].n_bands, t->cubes[0].key, n_bands);
  }
  for (size_t i = 0; i < n_bands && !st; i++) {
    struct moments m = {0};
    char name[80];
    for (size_t k = 0; k < t->n_cubes; k++) join(&m, &t->cubes[k].bands[i]);
    name_band(t, i, n_bands, name);
    cJSON_AddItemToArray(names, cJSON_CreateString(name));
    cJSON_AddItemToArray(count, cJSON_CreateNumber(m.n));
    cJSON_AddItemToArray(mean, m.n > 0 ? cJSON_CreateNumber(m.mean) : cJSON_CreateNull());
    cJSON_AddItemToArray(std, m.n > 0 ? cJSON_CreateNumber(sqrt(m.m2 / m.n)) : cJSON_CreateNull());
  }
  if (!st) st = print_stats(json, err);
  cJSON_Delete(json);
  return st;
}

static void totals_free(struct totals *t) {
  for (size_t i = 0; i < t->n_cubes; i++) {
    sc_free(t->cubes[i].key);
    sc_free(t->cubes[i].bands);
    sc_free(t->cubes[i].names);
  }
  sc_free(t->cubes);
}

static sc_status stats_of_cubes(const char *bucket, const char *platform, int64_t limit,
                                int64_t n_readers, struct sc_error *err) {
  struct totals t = {.limit = limit, .platform = find_platform(platform)};
  char prefix[300], *root = NULL;
  snprintf(prefix, sizeof prefix, "mode_v1_chipper_v2/%s/", platform);
  sc_status st = sc_store_root(bucket, &root, err);
  t.root = root;
  if (!st) st = sc_store_list(root, prefix, note_cube, &t, err);
  if (!st && t.n_cubes == 0) st = sc_fail(err, SC_NOT_FOUND, "%s/%s: no cubes", bucket, prefix);
  t.began = sc_cli_seconds();
  if (!st) st = read_all(&t, n_readers, err);
  sc_cli_bar_end();
  if (!st) st = print_totals(&t, err);
  totals_free(&t);
  sc_free(root);
  return st;
}

/* Over the chips of an index, by stacchip_band_stats(). */
static sc_status stats_of_index(const char *index, const char *bucket, const char *platform,
                                const char *limit, const char *pool, struct sc_error *err) {
  static const char sql[] =
      "SELECT stacchip_band_stats(handle) FROM (SELECT json_object('bucket', ?2, 'platform', "
      "platform, 'item', item, "
      "'chip_index_x', chip_index_x, 'chip_index_y', chip_index_y) AS handle FROM "
      "stacchip_parquet(?1) "
      "WHERE platform = ?3 ORDER BY stacchip_hash(42, chipid), chipid, item, chip_index_x, "
      "chip_index_y LIMIT CAST(?4 AS INT) * 128)";
  struct sc_buffer json = {0};
  sqlite3 *db = NULL;
  char *root = NULL;
  int found = 0;
  sc_status st = sc_store_root(bucket, &root, err);
  if (!st) st = sc_cli_open(":memory:", &db, err);
  if (!st && pool) st = sc_cli_run(db, err, "SELECT stacchip_config('threads', ?1)", pool);
  if (!st) st = sc_cli_text(db, &json, &found, err, sql, index, root, platform, limit);
  if (!st && !found)
    st = sc_fail(err, SC_NOT_FOUND, "%s: no chips of platform %s", index, platform);
  cJSON *stats = st ? NULL : cJSON_Parse((char *)json.data);
  if (!st) st = stats ? print_stats(stats, err) : sc_fail_nomem(err);
  cJSON_Delete(stats);
  sc_buffer_free(&json);
  sqlite3_close(db);
  sc_free(root);
  return st;
}

static const struct sc_cli_option options[N_OPTIONS] = {
    [OPT_PLATFORM] =
        {"--platform", {"STACCHIP_PLATFORM"}, "NAME", "platform of the chips", 1, NULL},
    [OPT_CHIPS] =
        {"--chip-bucket", {"STACCHIP_CHIP_BUCKET"}, "BUCKET", "cubes of stacchip prechip", 0, NULL},
    [OPT_INDEX] = {"--index", {"STACCHIP_INDEXPATH"}, "PATH", "an index instead of cubes", 0, NULL},
    [OPT_DATA] = {"--data-bucket",
                  {"STACCHIP_DATA_BUCKET", "STACCHIP_BUCKET"},
                  "BUCKET",
                  "where its items are",
                  0,
                  NULL},
    [OPT_LIMIT] =
        {"--max-cubes", {"STACCHIP_MAX_CUBES"}, "N", "cubes (of 128 chips) at most", 0, "1000"},
    [OPT_POOL] = {"--threads",
                  {"STACCHIP_POOL_SIZE"},
                  "N",
                  "readers at once (of cubes: 1, each holds one in memory)",
                  0,
                  NULL},
};

static int run(const struct sc_cli_command *c, int argc, char **argv) {
  struct sc_cli_args args;
  const char *const *v = args.values;
  struct sc_error err = {0};
  int code = sc_cli_options(c, argc, argv, &args);
  if (code >= 0) return code;
  if (!v[OPT_CHIPS] && !(v[OPT_INDEX] && v[OPT_DATA])) {
    sc_cli_message(
        "stats: STACCHIP_CHIP_BUCKET is not set (or STACCHIP_INDEXPATH and STACCHIP_DATA_BUCKET)");
    return SC_EXIT_USAGE;
  }
  int64_t limit = 0, pool = 1;
  sc_status st = sc_cli_number(&options[OPT_LIMIT], v[OPT_LIMIT], 1, &limit, &err);
  if (!st && v[OPT_POOL]) st = sc_cli_number(&options[OPT_POOL], v[OPT_POOL], 1, &pool, &err);
  if (!st && pool > READERS_MAX)
    st = sc_fail(&err, SC_BAD_ARG, "--threads is at most %d", READERS_MAX);
  if (!st && v[OPT_INDEX] && v[OPT_DATA]) {
    st =
        stats_of_index(v[OPT_INDEX], v[OPT_DATA], v[OPT_PLATFORM], v[OPT_LIMIT], v[OPT_POOL], &err);
  } else if (!st) {
    st = stats_of_cubes(v[OPT_CHIPS], v[OPT_PLATFORM], limit, pool, &err);
  }
  if (st) sc_cli_message("%s", err.text);
  return st ? sc_exit_code(&err) : SC_EXIT_DONE;
}

const struct sc_cli_command sc_cli_stats = {
    .name = "stats",
    .run = run,
    .summary = "mean and standard deviation per band",
    .description = "Mean and standard deviation per band, as JSON.",
    .rest = "",
    .max_rest = 0,
    .options = options,
    .n_options = N_OPTIONS};
