/* Weighted statistics; see zonal_stats.h. */
#include "pixels/zonal_stats.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/sqlite.h"

#define VALUES_MAX ((size_t)1 << 20) /* kept for quantiles: 16 MB, and as much while sorted */
#define BETWEEN_LOOKS 16384

void sc_zonal_free(struct sc_zonal *z) {
  sc_free(z->values);
  sc_free(z->classes);
  memset(z, 0, sizeof *z);
}

static int wants_values(const struct sc_chip_options *o) {
  return o->percentiles || o->stats >> SC_ZONAL_MEDIAN & 1;
}

/* --- gathering --- */

/* Where VALUES_MAX are kept, every other goes and the stride doubles. */
static sc_status keep_value(struct sc_zonal *z, double value, double weight, struct sc_error *err) {
  if (!z->stride) z->stride = 1;
  if (z->seen++ % z->stride) return SC_OK;
  if (z->n_values == VALUES_MAX) {
    for (size_t i = 0; i < VALUES_MAX / 2; i++) z->values[i] = z->values[2 * i];
    z->n_values = VALUES_MAX / 2;
    z->stride *= 2;
    if ((z->seen - 1) % z->stride) return SC_OK;
  }
  if (z->n_values == z->capacity) {
    size_t capacity = z->capacity ? z->capacity * 2 : 256;
    struct sc_zonal_value *more = sc_realloc(z->values, capacity * sizeof *more);
    if (!more) return sc_fail_nomem(err);
    z->values = more;
    z->capacity = capacity;
  }
  z->values[z->n_values++] = (struct sc_zonal_value){value, weight};
  return SC_OK;
}

static struct sc_zonal_value *class_place(struct sc_zonal_value *places, size_t n, double value) {
  uint64_t bits;
  value += 0; /* one zero */
  memcpy(&bits, &value, sizeof bits);
  size_t at = (size_t)((bits * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (n - 1);
  while (places[at].weight > 0 && places[at].value != value) at = (at + 1) & (n - 1);
  return &places[at];
}

static sc_status grow_classes(struct sc_zonal *z, struct sc_error *err) {
  size_t n = z->places ? z->places * 2 : 64;
  struct sc_zonal_value *places = sc_alloc_zero(n, sizeof *places);
  if (!places) return sc_fail_nomem(err);
  for (size_t i = 0; i < z->places; i++) {
    if (z->classes[i].weight > 0) *class_place(places, n, z->classes[i].value) = z->classes[i];
  }
  sc_free(z->classes);
  z->classes = places;
  z->places = n;
  return SC_OK;
}

static sc_status add_class(struct sc_zonal *z, double value, double weight, struct sc_error *err) {
  if (z->n_classes * 2 >= z->places && grow_classes(z, err)) return err->status;
  struct sc_zonal_value *place = class_place(z->classes, z->places, value);
  if (place->weight > 0) {
    place->weight += weight;
    return SC_OK;
  }
  if (z->n_classes == SC_ZONAL_MAX_CLASSES) {
    return sc_fail(err, SC_TOO_BIG,
                   "option 'classes': more than %d values: it is for rasters of classes",
                   SC_ZONAL_MAX_CLASSES);
  }
  *place = (struct sc_zonal_value){value, weight};
  z->n_classes++;
  return SC_OK;
}

static void add_moments(struct sc_zonal *z, double value, double weight) {
  if (z->count == 0 || value < z->min) z->min = value;
  if (z->count == 0 || value > z->max) z->max = value;
  z->count += weight;
  z->sum += weight * value;
  double before = value - z->mean;
  z->mean += weight / z->count * before;
  z->m2 += weight * before * (value - z->mean);
}

sc_status sc_zonal_add(struct sc_zonal *z, const struct sc_chip_options *options,
                       const double *values, const double *weight, const uint8_t *valid, size_t n,
                       struct sc_error *err) {
  int keeps = wants_values(options);
  for (size_t i = 0; i < n; i++) {
    if (i % BETWEEN_LOOKS == 0 && sc_interrupt_check(err)) return err->status;
    if (!(weight[i] > 0) || !valid[i]) continue;
    add_moments(z, values[i], weight[i]);
    if (keeps && keep_value(z, values[i], weight[i], err)) return err->status;
    if (options->classes && add_class(z, values[i], weight[i], err)) return err->status;
  }
  return SC_OK;
}

/* --- order --- */

/* By value; of equal ones the lighter first, so that no quantile depends on the order of pixels. */
static int is_before(const struct sc_zonal_value *a, const struct sc_zonal_value *b) {
  return a->value < b->value || (a->value == b->value && a->weight <= b->weight);
}

static void merge(const struct sc_zonal_value *from, struct sc_zonal_value *to, size_t middle,
                  size_t end) {
  size_t a = 0, b = middle;
  for (size_t i = 0; i < end; i++) {
    int takes_a = b >= end || (a < middle && is_before(&from[a], &from[b]));
    to[i] = from[takes_a ? a++ : b++];
  }
}

/* By merging, not by qsort(), which nothing interrupts. */
static sc_status sort(struct sc_zonal_value *values, size_t n, struct sc_error *err) {
  struct sc_zonal_value *from = values, *to = n > 1 ? sc_alloc(n * sizeof *to) : NULL, *own = to;
  if (n < 2) return SC_OK;
  if (!to) return sc_fail_nomem(err);
  for (size_t run = 1; run < n; run *= 2) {
    for (size_t at = 0; at < n; at += 2 * run) {
      size_t end = n - at < 2 * run ? n - at : 2 * run;
      merge(from + at, to + at, end < run ? end : run, end);
    }
    struct sc_zonal_value *swap = from;
    from = to;
    to = swap;
    if (sc_interrupt_check(err)) {
      sc_free(own);
      return err->status;
    }
  }
  if (from != values) memcpy(values, from, n * sizeof *values);
  sc_free(own);
  return SC_OK;
}

/* Make the weights of sorted values s_k; the result is that of the whole, (n - 1) times all. */
static double make_places(struct sc_zonal_value *v, size_t n) {
  double before = 0;
  for (size_t k = 0; k < n; k++) {
    double weight = v[k].weight;
    v[k].weight = (double)k * weight + (double)(n - 1) * before;
    before += weight;
  }
  return (double)(n - 1) * before;
}

static double quantile(const struct sc_zonal_value *v, size_t n, double whole, double q) {
  double sought = q * whole;
  size_t low = 0, high = n; /* the first that lies beyond */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (v[middle].weight > sought) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == n) return v[n - 1].value;
  if (low == 0 || v[low - 1].value == v[low].value) return v[low].value;
  const struct sc_zonal_value *a = &v[low - 1], *b = &v[low];
  return a->value + (sought - a->weight) * (b->value - a->value) / (b->weight - a->weight);
}

/* --- JSON --- */

static cJSON *number_or_null(double v) {
  return isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull();
}

static double statistic(const struct sc_zonal *z, enum sc_zonal_stat stat, double total,
                        double whole) {
  switch (stat) {
    case SC_ZONAL_COUNT: return z->count;
    case SC_ZONAL_VALID: return total > 0 ? fmin(z->count / total, 1) : 0;
    default: break;
  }
  if (!(z->count > 0)) return NAN;
  switch (stat) {
    case SC_ZONAL_SUM: return z->sum;
    case SC_ZONAL_MEAN: return z->sum / z->count;
    case SC_ZONAL_STD: return sqrt(z->m2 / z->count);
    case SC_ZONAL_MIN: return z->min;
    case SC_ZONAL_MAX: return z->max;
    default: return quantile(z->values, z->n_values, whole, 0.5);
  }
}

static void add_share(cJSON *to, double value, double share) {
  char key[40];
  sqlite3_snprintf(sizeof key, key, "%.15g", value); /* whatever the locale */
  cJSON_AddNumberToObject(to, key, share);
}

static sc_status add_classes(struct sc_zonal *z, const cJSON *wanted, cJSON *to,
                             struct sc_error *err) {
  cJSON *shares = cJSON_AddObjectToObject(to, "classes");
  const cJSON *entry;
  cJSON_ArrayForEach(entry, wanted) {
    double weight = z->places ? class_place(z->classes, z->places, entry->valuedouble)->weight : 0;
    add_share(shares, entry->valuedouble, z->count > 0 ? weight / z->count : 0);
  }
  if (wanted) return SC_OK;
  size_t n = 0;
  for (size_t i = 0; i < z->places; i++) {
    if (z->classes[i].weight > 0) z->classes[n++] = z->classes[i];
  }
  sc_status st = sort(z->classes, n, err);
  for (size_t i = 0; i < n && !st; i++)
    add_share(shares, z->classes[i].value, z->classes[i].weight / z->count);
  z->places = 0; /* a list now */
  return st;
}

sc_status sc_zonal_json(struct sc_zonal *z, const struct sc_chip_options *options, double total,
                        cJSON **out, struct sc_error *err) {
  const cJSON *p;
  sc_status st = sort(z->values, z->n_values, err);
  if (st) return st;
  double whole = z->n_values ? make_places(z->values, z->n_values) : 0;
  cJSON *json = *out = cJSON_CreateObject();
  for (int k = 0; k < SC_ZONAL_N_STATS; k++) {
    if (options->stats >> k & 1)
      cJSON_AddItemToObject(json, sc_zonal_stat_name(k),
                            number_or_null(statistic(z, k, total, whole)));
  }
  cJSON *list = options->percentiles ? cJSON_AddArrayToObject(json, "percentiles") : NULL;
  cJSON_ArrayForEach(p, options->percentiles) {
    double v = z->n_values ? quantile(z->values, z->n_values, whole, p->valuedouble / 100) : NAN;
    cJSON_AddItemToArray(list, number_or_null(v));
  }
  if (options->classes) st = add_classes(z, options->class_list, json, err);
  if (!st && !json) st = sc_fail_nomem(err);
  if (st) cJSON_Delete(json);
  if (st) *out = NULL;
  return st;
}
