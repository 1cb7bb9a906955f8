/*
 * stacchip_classes(array [, options]): which share of an array of classes each class has.
 *
 *   SELECT stacchip_classes(stacchip_chip(row, '{"assets": "scl"}'), '{"ignore": 0}') FROM chips
 *   {"4":0.84,"5":0.16}
 */
#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/db.h"
#include "base/options.h"
#include "connection.h"
#include "pixels/npy.h"

#define CLASSES_MOST 65536 /* that one array may have */
#define NAMED_MOST 4096    /* values that the options may name */

static const char FUNCTION[] = "stacchip_classes";

struct named {
  int64_t value;
  const char *name; /* borrowed from the options; NULL: ignored */
};

struct classes {
  struct sc_options json;
  const cJSON *ignore, *map;
  struct named *named;
  size_t n_named;
};

struct count {
  int64_t value;
  size_t n;
};

/* The classes of an array, by value. */
struct counts {
  struct count *all;
  size_t n, capacity;
};

/* ---- options ---- */

static void free_classes(void *value) {
  struct classes *c = value;
  sc_options_free(&c->json);
  sc_free(c->named);
  sc_free(c);
}

static sc_status read_ignored(struct classes *c, const cJSON *value, struct sc_error *err) {
  double d = value->valuedouble;
  if (!cJSON_IsNumber(value) || d != floor(d) || fabs(d) > 0x1p53) {
    return sc_option_fail(err, FUNCTION, "ignore", value, "a whole number, or an array of such");
  }
  c->named[c->n_named++] = (struct named){(int64_t)d, NULL};
  return SC_OK;
}

static sc_status read_mapped(struct classes *c, const cJSON *entry, struct sc_error *err) {
  char *end;
  long long value = strtoll(entry->string, &end, 10);
  if (end == entry->string || *end || !cJSON_IsString(entry)) {
    return sc_option_fail(err, FUNCTION, "map", c->map,
                          "an object from values to names, as {\"4\": \"forest\"}");
  }
  c->named[c->n_named++] = (struct named){value, entry->valuestring};
  return SC_OK;
}

static const struct sc_option option_table[] = {
    {"ignore", SC_OPTION_JSON, offsetof(struct classes, ignore), 0, 0,
     "a number, or an array of numbers", NULL, "values that count as not there"},
    {"map", SC_OPTION_JSON, offsetof(struct classes, map), 0, 0, "an object of names by value",
     NULL, "names for the values; others are left out"}};

static sc_status parse_classes(const char *text, struct classes *c, struct sc_error *err) {
  struct sc_option_set set = {option_table, sizeof option_table / sizeof *option_table, c, NULL};
  const cJSON *entry;
  sc_status st = sc_options_parse(text, FUNCTION, &set, &c->json, err);
  if (st) return st;
  int n =
      cJSON_GetArraySize(c->map) + (cJSON_IsArray(c->ignore) ? cJSON_GetArraySize(c->ignore) : 1);
  if (c->map && !cJSON_IsObject(c->map)) {
    return sc_option_fail(err, FUNCTION, "map", c->map,
                          "an object from values to names, as {\"4\": \"forest\"}");
  }
  if (n > NAMED_MOST) {
    return sc_fail(err, SC_TOO_BIG, "%s: options name %d values; the limit is %d", FUNCTION, n,
                   NAMED_MOST);
  }
  c->named = sc_alloc((size_t)n * sizeof *c->named);
  if (!c->named) return sc_fail_nomem(err);
  if (cJSON_IsArray(c->ignore)) {
    cJSON_ArrayForEach(entry, c->ignore) if (!st) st = read_ignored(c, entry, err);
  } else if (c->ignore) {
    st = read_ignored(c, c->ignore, err);
  }
  cJSON_ArrayForEach(entry, c->map) if (!st) st = read_mapped(c, entry, err);
  return st;
}

/* ---- counting ---- */

static int64_t value_at(const struct sc_npy_view *a, size_t i) {
  const unsigned char *p = a->data + i * sc_dtype_bytes(a->dtype);
  switch (a->dtype) {
    case SC_DTYPE_U8: return *p;
    case SC_DTYPE_I8: return (int8_t)*p;
    case SC_DTYPE_U16: return sc_le16(p);
    case SC_DTYPE_I16: return (int16_t)sc_le16(p);
    case SC_DTYPE_U32: return sc_le32(p);
    case SC_DTYPE_I32: return (int32_t)sc_le32(p);
    default: return (int64_t)sc_le64(p);
  }
}

static sc_status add_count(struct counts *c, int64_t value, size_t n, struct sc_error *err) {
  if (c->n == CLASSES_MOST) {
    return sc_fail(err, SC_TOO_BIG, "%s: the array has more than %d different values", FUNCTION,
                   CLASSES_MOST);
  }
  if (c->n == c->capacity) {
    size_t capacity = c->capacity * 2 + 32;
    struct count *all = sc_realloc(c->all, capacity * sizeof *all);
    if (!all) return sc_fail_nomem(err);
    c->all = all;
    c->capacity = capacity;
  }
  c->all[c->n++] = (struct count){value, n};
  return SC_OK;
}

/* Of 8 and 16 bits: a counter for each value. */
static sc_status count_narrow(const struct sc_npy_view *a, struct counts *out,
                              struct sc_error *err) {
  const int64_t least = a->dtype == SC_DTYPE_I8 ? -128 : a->dtype == SC_DTYPE_I16 ? -32768 : 0;
  size_t n = sc_dtype_bytes(a->dtype) == 1 ? 256 : 65536;
  size_t *counters = sc_alloc_zero(n, sizeof *counters);
  if (!counters) return sc_fail_nomem(err);
  for (size_t i = 0; i < a->n_values; i++) counters[value_at(a, i) - least]++;
  sc_status st = SC_OK;
  for (size_t i = 0; i < n && !st; i++) {
    if (counters[i]) st = add_count(out, (int64_t)i + least, counters[i], err);
  }
  sc_free(counters);
  return st;
}

static int by_value(const void *pa, const void *pb) {
  int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
  return (a > b) - (a < b);
}

static sc_status count_wide(const struct sc_npy_view *a, struct counts *out, struct sc_error *err) {
  int64_t *values = sc_alloc((a->n_values + 1) * sizeof *values);
  if (!values) return sc_fail_nomem(err);
  sc_status st = SC_OK;
  for (size_t i = 0; i < a->n_values && !st; i++) {
    values[i] = value_at(a, i);
    if (a->dtype == SC_DTYPE_U64 && values[i] < 0) {
      st = sc_fail(err, SC_RANGE, "%s: the array has values beyond those of int64", FUNCTION);
    }
  }
  if (!st) qsort(values, a->n_values, sizeof *values, by_value);
  for (size_t i = 0, end; i < a->n_values && !st; i = end) {
    for (end = i + 1; end < a->n_values && values[end] == values[i];) end++;
    st = add_count(out, values[i], end - i, err);
  }
  sc_free(values);
  return st;
}

/* ---- the result ---- */

static const struct named *find_named(const struct classes *c, int64_t value) {
  for (size_t i = 0; i < c->n_named; i++) {
    if (c->named[i].value == value) return &c->named[i];
  }
  return NULL;
}

/* Classes of one name are one class; they come in the order of their least values. */
static sc_status put_fractions(const struct classes *c, const struct counts *counts, cJSON *to,
                               struct sc_error *err) {
  size_t total = 0;
  for (size_t i = 0; i < counts->n; i++) {
    const struct named *named = find_named(c, counts->all[i].value);
    if (!named || named->name) total += counts->all[i].n;
  }
  for (size_t i = 0; i < counts->n; i++) {
    const struct named *named = find_named(c, counts->all[i].value);
    double share = (double)counts->all[i].n / (double)total;
    char number[24];
    if (named && !named->name) continue;
    snprintf(number, sizeof number, "%lld", (long long)counts->all[i].value);
    cJSON *same = named ? cJSON_GetObjectItemCaseSensitive(to, named->name) : NULL;
    if (same) {
      cJSON_SetNumberValue(same, same->valuedouble + share);
    } else if (!cJSON_AddNumberToObject(to, named ? named->name : number, share)) {
      return sc_fail_nomem(err);
    }
  }
  return SC_OK;
}

static sc_status make_text(const struct classes *c, sqlite3_value *array, char **text,
                           struct sc_error *err) {
  struct sc_npy_view view;
  struct counts counts = {0};
  if (sqlite3_value_type(array) != SQLITE_BLOB) {
    return sc_fail(err, SC_BAD_ARG, "%s: expected an array (.npy), found %s", FUNCTION,
                   sqlite3_value_type(array) == SQLITE_TEXT ? "text" : "a number");
  }
  sc_status st =
      sc_npy_read(sqlite3_value_blob(array), (size_t)sqlite3_value_bytes(array), &view, err);
  if (st) return sc_fail_within(err, "%s", FUNCTION);
  if (view.dtype >= SC_DTYPE_F32) {
    return sc_fail(err, SC_BAD_ARG, "%s: expected an array of integers, found %s", FUNCTION,
                   sc_npy_descr(view.dtype));
  }
  st = sc_dtype_bytes(view.dtype) <= 2 ? count_narrow(&view, &counts, err)
                                       : count_wide(&view, &counts, err);
  cJSON *json = cJSON_CreateObject();
  if (!st) st = json ? put_fractions(c, &counts, json, err) : sc_fail_nomem(err);
  *text = st ? NULL : cJSON_PrintUnformatted(json);
  if (!st && !*text) st = sc_fail_nomem(err);
  cJSON_Delete(json);
  sc_free(counts.all);
  return st;
}

static void classes_func(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_error err = {0};
  struct classes *c = sqlite3_get_auxdata(context, 1), *own = NULL;
  char *text = NULL;
  sc_status st = SC_OK;
  if (!c && !(c = own = sc_alloc_zero(1, sizeof *c))) st = sc_fail_nomem(&err);
  if (!st && own)
    st = parse_classes(n > 1 ? (const char *)sqlite3_value_text(values[1]) : NULL, c, &err);
  if (!st && sqlite3_value_type(values[0]) != SQLITE_NULL)
    st = make_text(c, values[0], &text, &err);
  if (st) sc_result_error(context, &err);
  if (text) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
  cJSON_free(text);
  if (own && st) free_classes(own);
  /* Last: SQLite may free what it is given at once. */
  if (own && !st) sqlite3_set_auxdata(context, 1, own, free_classes);
}

static const struct sc_help classes_help = {
    .name = "stacchip_classes",
    .kind = SC_HELP_SCALAR,
    .about = "the share of each class of an array, as JSON",
    .arguments =
        (const struct sc_help_name[]){
            {"array", "BLOB", NULL, "a .npy of whole numbers"}, SC_HELP_OPTIONS, {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(option_table)}},
    .example =
        "SELECT stacchip_classes(stacchip_chip(row, '{\"assets\": \"scl\"}'), '{\"ignore\": 0}') "
        "FROM stacchip_index('item.json') LIMIT 1",
};

int sc_classes_register(struct sc_connection *c) {
  const int pure = SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  const struct sc_function functions[] = {
      {"stacchip_classes", 1, pure, classes_func, 0, 0},
      {"stacchip_classes", 2, pure, classes_func, 0, 0},
  };
  sc_connection_help(c, &classes_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
