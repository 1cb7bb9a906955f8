/*
 * stacchip_band_stats(row [, options]) and stacchip_band_stats_merge(json).
 *
 * Mean and variance by the pairwise update of Chan, Golub and LeVeque ("Algorithms for
 * computing the sample variance", 1983), chip by chip, so that a million chips lose no
 * digits. std is that of the population (NumPy's default). Percentiles come from a sample of
 * up to SAMPLE_MAX values per band, spread evenly (exact while all fit); the JSON carries a
 * sketch of 201 quantiles so that results can be merged.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "pixels/chip.h"
#include "pixels/clouds.h"
#include "pixels/group.h"
#include "pixels/percentile.h"
#include "stac/classify.h"
#include "stac/validity.h"

#define SAMPLE_MAX (1 << 20) /* values kept per band */
#define FULL_BANDS 128       /* of more bands fewer are kept, so that all take 1 GB at most */
#define SQUARE_MAX 1e150     /* the squares of a million such values do not overflow */
#define SKETCH 201           /* quantiles 0, 0.5 ... 100 % in the JSON */

struct band_stats {
  double n, mean, m2, min, max;
  double *sample; /* owned */
  size_t n_sample, room;
  uint64_t stride, seen; /* every stride-th valid value is in the sample */
};

struct stats {
  char **names; /* owned */
  struct band_stats *bands;
  int n_bands;
};

static void stats_free(struct stats *s) {
  for (int i = 0; i < s->n_bands; i++) {
    if (s->names) sc_free(s->names[i]);
    if (s->bands) sc_free(s->bands[i].sample);
  }
  sc_free(s->names);
  sc_free(s->bands);
  memset(s, 0, sizeof *s);
}

static sc_status stats_new(struct stats *s, int n_bands, struct sc_error *err) {
  s->n_bands = n_bands;
  s->names = sc_alloc_zero((size_t)n_bands, sizeof *s->names);
  s->bands = sc_alloc_zero((size_t)n_bands, sizeof *s->bands);
  if (!s->names || !s->bands) return sc_fail_nomem(err);
  for (int i = 0; i < n_bands; i++) {
    s->bands[i].min = HUGE_VAL;
    s->bands[i].max = -HUGE_VAL;
    s->bands[i].stride = 1;
    s->bands[i].room = n_bands <= FULL_BANDS ? SAMPLE_MAX : SAMPLE_MAX / n_bands * FULL_BANDS;
    s->bands[i].sample = sc_alloc(s->bands[i].room * sizeof(double));
    if (!s->bands[i].sample) return sc_fail_nomem(err);
  }
  return SC_OK;
}

/* When the sample is full, every other value goes and the stride doubles. */
static void keep_sample(struct band_stats *b, double v) {
  if (b->seen++ % b->stride) return;
  if (b->n_sample == b->room) {
    for (size_t i = 0; i < b->room / 2; i++) b->sample[i] = b->sample[2 * i];
    b->n_sample = b->room / 2;
    b->stride *= 2;
    if ((b->seen - 1) % b->stride) return;
  }
  b->sample[b->n_sample++] = v;
}

/* Join the moments of two sets. */
static void join(struct band_stats *to, double n, double mean, double m2) {
  double total = to->n + n, delta = mean - to->mean;
  if (n == 0) return;
  to->m2 += m2 + delta * delta * to->n * n / total;
  to->mean += delta * n / total;
  to->n = total;
}

#define VALUES_BETWEEN_LOOKS 16384

static sc_status add_values(struct band_stats *b, const double *v, const uint8_t *valid,
                            const uint8_t *excluded, size_t n, struct sc_error *err) {
  double sum = 0, count = 0, m2 = 0;
  for (size_t i = 0; i < n; i++) {
    if (i % VALUES_BETWEEN_LOOKS == 0 && sc_interrupt_check(err)) return err->status;
    if (!valid[i] || (excluded && excluded[i])) continue;
    count++;
    sum += v[i];
    if (v[i] < b->min) b->min = v[i];
    if (v[i] > b->max) b->max = v[i];
    keep_sample(b, v[i]);
  }
  double mean = count > 0 ? sum / count : 0;
  for (size_t i = 0; i < n; i++) {
    if (i % VALUES_BETWEEN_LOOKS == 0 && sc_interrupt_check(err)) return err->status;
    if (!valid[i] || (excluded && excluded[i])) continue;
    m2 += (v[i] - mean) * (v[i] - mean);
  }
  join(b, count, mean, m2);
  return SC_OK;
}

/* --- gathering --- */

static sc_status take_names(struct stats *s, const struct sc_chip *chip, struct sc_error *err) {
  sc_status st = stats_new(s, chip->n_bands, err);
  for (int i = 0; i < chip->n_bands && !st; i++)
    st = sc_strdup(chip->bands[i].name, &s->names[i], err);
  return st;
}

static sc_status add_chip(struct sc_connection *c, const struct sc_chip *chip,
                          const struct sc_chip_options *options, struct stats *s,
                          struct sc_error *err) {
  size_t n = (size_t)chip->width * (size_t)chip->height;
  if (s->n_bands == 0) {
    sc_status st = take_names(s, chip, err);
    if (st) return st;
  }
  if (s->n_bands != chip->n_bands) {
    return sc_fail(err, SC_BAD_DATA, "item %s has %d bands, the chips before it %d",
                   chip->scene->item.id, chip->n_bands, s->n_bands);
  }
  if (sc_chip_check_size(chip, sizeof(double) + 2, err)) return err->status;
  double *values = sc_alloc(sc_chip_bytes(chip, SC_DTYPE_F64));
  uint8_t *valid = sc_alloc(sc_chip_bytes(chip, SC_DTYPE_U8));
  uint8_t *excluded = options->exclude_cloud ? sc_alloc(n) : NULL;
  sc_status st =
      values && valid && (excluded || !options->exclude_cloud) ? SC_OK : sc_fail_nomem(err);
  struct sc_chip_target to = {
      .dtype = SC_DTYPE_F64, .pixels = (unsigned char *)values, .valid = valid};
  if (!st) st = sc_chips_read(c, chip, 1, options, &to, err);
  if (!st && excluded) st = sc_clouds_find(c, chip, -1, excluded, err);
  for (int k = 0; k < chip->n_bands && !st; k++) {
    st = add_values(&s->bands[k], values + (size_t)k * n, valid + (size_t)k * n, excluded, n, err);
  }
  sc_free(values);
  sc_free(valid);
  sc_free(excluded);
  return st;
}

/* --- JSON --- */

static cJSON *number_or_null(double v) {
  return isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull();
}

static void add_percentiles(cJSON *to, const struct band_stats *b, const cJSON *wanted) {
  const cJSON *p;
  cJSON *list = cJSON_CreateArray();
  cJSON_ArrayForEach(p, wanted) {
    double v = b->n_sample ? sc_percentile(b->sample, b->n_sample, p->valuedouble) : NAN;
    cJSON_AddItemToArray(list, number_or_null(v));
  }
  cJSON_AddItemToArray(to, list);
}

/* JSON has no infinity: as SQLite writes it, a number that overflows where it is read. */
static cJSON *number_or_overflow(double v) {
  if (isfinite(v)) return cJSON_CreateNumber(v);
  return isnan(v) ? cJSON_CreateNull() : cJSON_CreateRaw(v > 0 ? "9e999" : "-9e999");
}

static void add_sketch(cJSON *to, const struct band_stats *b) {
  cJSON *list = cJSON_CreateArray();
  for (int i = 0; i < SKETCH && b->n_sample; i++) {
    double v = sc_percentile(b->sample, b->n_sample, 100.0 * i / (SKETCH - 1));
    cJSON_AddItemToArray(list, number_or_overflow(v));
  }
  cJSON_AddItemToArray(to, list);
}

/* The samples are sorted. */
static char *stats_json(const struct stats *s, const cJSON *wanted) {
  static const double usual[] = {2, 25, 50, 75, 98};
  cJSON *json = cJSON_CreateObject(), *own = wanted ? NULL : cJSON_CreateDoubleArray(usual, 5);
  cJSON *names = cJSON_AddArrayToObject(json, "assets"),
        *count = cJSON_AddArrayToObject(json, "count");
  cJSON *mean = cJSON_AddArrayToObject(json, "mean"), *std = cJSON_AddArrayToObject(json, "std");
  cJSON *min = cJSON_AddArrayToObject(json, "min"), *max = cJSON_AddArrayToObject(json, "max");
  cJSON_AddItemToObject(json, "percents", cJSON_Duplicate(wanted ? wanted : own, 1));
  cJSON *percentiles = cJSON_AddArrayToObject(json, "percentiles");
  cJSON *sketch = cJSON_AddArrayToObject(json, "quantiles");
  for (int i = 0; i < s->n_bands; i++) {
    struct band_stats *b = &s->bands[i];
    cJSON_AddItemToArray(names, cJSON_CreateString(s->names[i]));
    cJSON_AddItemToArray(count, cJSON_CreateNumber(b->n));
    cJSON_AddItemToArray(mean, number_or_null(b->n > 0 ? b->mean : NAN));
    cJSON_AddItemToArray(std, number_or_null(b->n > 0 ? sqrt(b->m2 / b->n) : NAN));
    cJSON_AddItemToArray(min, number_or_null(b->min));
    cJSON_AddItemToArray(max, number_or_null(b->max));
    add_percentiles(percentiles, b, wanted ? wanted : own);
    add_sketch(sketch, b);
  }
  char *text = cJSON_PrintUnformatted(json);
  cJSON_Delete(json);
  cJSON_Delete(own);
  return text;
}

static void result_json(sqlite3_context *context, const struct stats *s, const cJSON *wanted) {
  char *text = stats_json(s, wanted);
  if (text) {
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
  } else {
    sqlite3_result_error_nomem(context);
  }
  cJSON_free(text);
}

static sc_status gather(struct sc_connection *c, const struct sc_group *rows,
                        const struct sc_chip_options *options, struct stats *s,
                        struct sc_error *err) {
  for (size_t i = 0; i < rows->n_rows; i++) {
    struct sc_chip chip;
    sc_status st = sc_chip_open(c, rows->rows[i].handle, options, &chip, err);
    if (!st) {
      st = add_chip(c, &chip, options, s, err);
      sc_chip_close(&chip);
    }
    int may_skip = options->on_error == SC_ON_ERROR_SKIP && sc_on_error_applies(st);
    if (st && !may_skip) return sc_fail_within(err, "position %zu", i);
  }
  sc_status st = SC_OK;
  for (int i = 0; i < s->n_bands && !st; i++)
    st = sc_sort_values(s->bands[i].sample, s->bands[i].n_sample, err);
  return st;
}

static void stats_final(sqlite3_context *context) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_group *rows = sc_group_take(context);
  struct sc_chip_options options;
  struct sc_error err = {0};
  struct stats s = {0};
  if (!rows || !rows->has_rows) return;
  err = rows->err;
  sc_status st = err.status ? err.status : sc_connection_check_direct(c, &err);
  if (!st) st = sc_chip_options_parse(rows->options, SC_OPTIONS_STATS, &options, &err);
  if (!st) {
    st = gather(c, rows, &options, &s, &err);
    if (!st && s.n_bands) result_json(context, &s, options.percentiles);
    if (options.on_error == SC_ON_ERROR_NULL && sc_on_error_applies(st)) st = SC_OK;
    sc_chip_options_free(&options);
  }
  if (st) sc_result_error(context, &err);
  stats_free(&s);
  sc_group_clear(rows);
}

/* --- merging --- */

/* What has been merged so far; in the aggregate's context. */
struct merge {
  struct stats *stats;
  double **weights; /* of the sample values of each band */
  cJSON *percents;
  struct sc_error err;
};

static const cJSON *array_value(const cJSON *json, const char *key, int i) {
  return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, key), i);
}

static double array_number(const cJSON *json, const char *key, int i, double missing) {
  const cJSON *v = array_value(json, key, i);
  return cJSON_IsNumber(v) ? v->valuedouble : missing;
}

static sc_status merge_start(struct merge *m, const cJSON *json, struct sc_error *err) {
  const cJSON *names = cJSON_GetObjectItemCaseSensitive(json, "assets"), *name;
  int n = cJSON_GetArraySize(names), i = 0;
  if (!cJSON_IsArray(names) || n < 1 || n > 4096) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_band_stats_merge: not the result of stacchip_band_stats");
  }
  m->stats = sc_alloc_zero(1, sizeof *m->stats);
  if (!m->stats) return sc_fail_nomem(err);
  sc_status st = stats_new(m->stats, n, err);
  m->weights = sc_alloc_zero((size_t)n, sizeof *m->weights);
  if (!st && !m->weights) st = sc_fail_nomem(err);
  cJSON_ArrayForEach(name, names) {
    if (!st)
      st = sc_strdup(cJSON_IsString(name) ? name->valuestring : "", &m->stats->names[i], err);
    i++;
  }
  m->percents = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(json, "percents"), 1);
  return st;
}

/* The quantiles of one result stand for its count of values, each for an equal share. */
static sc_status merge_sketch(struct merge *m, int i, const cJSON *json, double count,
                              struct sc_error *err) {
  struct band_stats *b = &m->stats->bands[i];
  const cJSON *q = array_value(json, "quantiles", i), *v;
  int n = cJSON_IsArray(q) ? cJSON_GetArraySize(q) : 0;
  if (n == 0) return SC_OK;
  if (b->n_sample + (size_t)n > b->room) {
    return sc_fail(err, SC_TOO_BIG, "stacchip_band_stats_merge: too many results; the limit is %zu",
                   b->room / SKETCH);
  }
  if (!m->weights[i]) m->weights[i] = sc_alloc(b->room * sizeof(double));
  if (!m->weights[i]) return sc_fail_nomem(err);
  int k = 0;
  cJSON_ArrayForEach(v, q) {
    if (!cJSON_IsNumber(v)) { /* between minus and plus infinity: no value stands for it */
      k++;
      continue;
    }
    /* The first and last quantile stand for half a share. */
    double share = (k == 0 || k == n - 1) && n > 1 ? 0.5 : 1;
    b->sample[b->n_sample] = v->valuedouble;
    m->weights[i][b->n_sample++] = count * share / (n > 1 ? n - 1 : 1);
    k++;
  }
  return SC_OK;
}

/* Bands are merged by position: those of other names are other bands. */
static sc_status check_names(const struct merge *m, const cJSON *names, struct sc_error *err) {
  if (cJSON_GetArraySize(names) != m->stats->n_bands) {
    return sc_fail(err, SC_BAD_ARG, "stacchip_band_stats_merge: results of different bands");
  }
  for (int i = 0; i < m->stats->n_bands; i++) {
    const cJSON *name = cJSON_GetArrayItem(names, i);
    if (cJSON_IsString(name) && strcmp(name->valuestring, m->stats->names[i]) == 0) continue;
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_band_stats_merge: results of different bands: '%s' and '%s' are both "
                   "band %d",
                   m->stats->names[i], cJSON_IsString(name) ? name->valuestring : "", i + 1);
  }
  return SC_OK;
}

/* The least or largest value where it is not finite: the sketch has it. */
static double edge_of(const cJSON *json, int band, int quantile) {
  const cJSON *v = cJSON_GetArrayItem(array_value(json, "quantiles", band), quantile);
  return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

/* Are there pixels that a mean, or the squares of a deviation, overflow by? Those are null then. */
static int has_extremes(const cJSON *json, int band) {
  double least = edge_of(json, band, 0), most = edge_of(json, band, SKETCH - 1);
  return !(fabs(least) < SQUARE_MAX && fabs(most) < SQUARE_MAX);
}

/* A result that was cut short must not pass for one of empty bands. */
static sc_status check_arrays(const struct merge *m, const cJSON *json, struct sc_error *err) {
  static const char *const keys[] = {"count", "mean", "std", "min", "max", "quantiles"};
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, keys[k]);
    int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (n == m->stats->n_bands) continue;
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_band_stats_merge: '%s' has %d values for %d bands; not the result of "
                   "stacchip_band_stats",
                   keys[k], n, m->stats->n_bands);
  }
  for (int i = 0; i < m->stats->n_bands; i++) {
    double n = array_number(json, "count", i, -1);
    for (size_t k = 0; k < 5; k++) {
      const cJSON *v = array_value(json, keys[k], i);
      int may_be_null = k > 0 && cJSON_IsNull(v) && has_extremes(json, i);
      if (n == 0 || (n > 0 && (cJSON_IsNumber(v) || may_be_null))) continue;
      return sc_fail(err, SC_BAD_ARG, "stacchip_band_stats_merge: band %d has no '%s'", i + 1,
                     keys[k]);
    }
  }
  return SC_OK;
}

static sc_status merge_one(struct merge *m, const cJSON *json, struct sc_error *err) {
  sc_status st = SC_OK;
  if (!m->stats) st = merge_start(m, json, err);
  if (st) return st;
  st = check_names(m, cJSON_GetObjectItemCaseSensitive(json, "assets"), err);
  if (!st) st = check_arrays(m, json, err);
  for (int i = 0; i < m->stats->n_bands && !st; i++) {
    struct band_stats *b = &m->stats->bands[i];
    double n = array_number(json, "count", i, 0), std = array_number(json, "std", i, NAN);
    if (!(n > 0)) continue;
    join(b, n, array_number(json, "mean", i, NAN), std * std * n);
    b->min = fmin(b->min, array_number(json, "min", i, edge_of(json, i, 0)));
    b->max = fmax(b->max, array_number(json, "max", i, edge_of(json, i, SKETCH - 1)));
    st = merge_sketch(m, i, json, n, err);
  }
  return st;
}

static void stats_merge_step(sqlite3_context *context, int n, sqlite3_value **values) {
  struct merge *m = sqlite3_aggregate_context(context, sizeof *m);
  (void)n;
  if (!m) {
    sqlite3_result_error_nomem(context);
    return;
  }
  if (m->err.status || sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  cJSON *json = cJSON_Parse((const char *)sqlite3_value_text(values[0]));
  if (json) {
    sc_settle(&m->err, merge_one(m, json, &m->err));
  } else {
    sc_fail_text(&m->err, SC_BAD_ARG, "stacchip_band_stats_merge: not JSON");
  }
  cJSON_Delete(json);
}

struct weighted {
  double value, weight;
};

static int by_weighted_value(const void *a, const void *b) {
  double x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;
  return x < y ? -1 : x > y;
}

/* Make the weighted sample an even one of SKETCH values. */
static sc_status even_out(struct band_stats *b, const double *weights, struct sc_error *err) {
  size_t n = b->n_sample;
  if (sc_interrupt_check(err)) return err->status;
  struct weighted *all = sc_alloc((n + 1) * sizeof *all);
  if (!all) return sc_fail_nomem(err);
  double total = 0, sum = 0;
  for (size_t i = 0; i < n; i++) {
    all[i] = (struct weighted){b->sample[i], weights[i]};
    total += weights[i];
  }
  qsort(all, n, sizeof *all, by_weighted_value);
  size_t at = 0;
  for (int k = 0; k < SKETCH; k++) {
    double target = total * k / (SKETCH - 1);
    while (at + 1 < n && sum + all[at].weight < target) sum += all[at++].weight;
    b->sample[k] = all[at].value;
  }
  b->n_sample = SKETCH;
  sc_free(all);
  return SC_OK;
}

static void stats_merge_final(sqlite3_context *context) {
  struct merge *m = sqlite3_aggregate_context(context, 0);
  if (!m) return;
  for (int i = 0; m->stats && i < m->stats->n_bands; i++) {
    struct band_stats *b = &m->stats->bands[i];
    if (!m->err.status && m->weights && m->weights[i] && b->n_sample)
      even_out(b, m->weights[i], &m->err);
    if (m->weights) sc_free(m->weights[i]);
  }
  if (m->err.status) {
    sc_result_error(context, &m->err);
  } else if (m->stats) {
    result_json(context, m->stats, m->percents);
  }
  if (m->stats) stats_free(m->stats);
  sc_free(m->stats);
  sc_free(m->weights);
  cJSON_Delete(m->percents);
}

static const struct sc_help stats_help = {
    .name = "stacchip_band_stats",
    .kind = SC_HELP_AGGREGATE,
    .about = "JSON with count, mean, std, min, max, percentiles and quantiles of each band",
    .arguments = (const struct sc_help_name[]){SC_HELP_ROW, SC_HELP_OPTIONS, {0}},
    .options = {{"option", "", &sc_chip_option_tables[SC_OPTIONS_STATS]}},
    .example =
        "SELECT stacchip_band_stats(row, '{\"assets\": \"red\"}') FROM stacchip_index('item.json')",
};

static const struct sc_help stats_merge_help = {
    .name = "stacchip_band_stats_merge",
    .kind = SC_HELP_AGGREGATE,
    .about = "such results of parts as one",
    .arguments =
        (const struct sc_help_name[]){{"json", "JSON", NULL, "a result of stacchip_band_stats()"},
                                      {0}},
    .example =
        "SELECT stacchip_band_stats_merge(s) FROM (SELECT stacchip_band_stats(row, '{\"assets\": "
        "\"red\"}') AS s FROM stacchip_index('item.json') GROUP BY chip_index_y)",
};

int sc_stats_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_band_stats", 1, SQLITE_DIRECTONLY, 0, sc_group_step, stats_final},
      {"stacchip_band_stats", 2, SQLITE_DIRECTONLY, 0, sc_group_step, stats_final},
      {"stacchip_band_stats_merge", 1, SQLITE_DETERMINISTIC, 0, stats_merge_step,
       stats_merge_final},
  };
  sc_connection_help(c, &stats_help);
  sc_connection_help(c, &stats_merge_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
