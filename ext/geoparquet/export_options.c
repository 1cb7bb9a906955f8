/* The options of stacchip_export(); see export.h. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sqlite.h"
#include "geoparquet/export.h"
#include "geoparquet/import.h"

#define DEFAULT_ROW_GROUP_ROWS 122880
#define MAX_ROW_GROUP_ROWS 16777216
/* Measured on chips: levels 1 to 6 differ by less than 1 % in size, and 1 is the fastest. */
#define ZSTD_LEVEL 1

static sc_status fail_option(struct sc_error *err, const char *key, const char *expected) {
  return sc_fail(err, SC_BAD_ARG, "stacchip_export: option '%s' should be %s", key, expected);
}

static sc_status copy_text(const cJSON *v, const char *key, char **out, struct sc_error *err) {
  if (!cJSON_IsString(v)) return fail_option(err, key, "text");
  sc_free(*out);
  *out = NULL;
  return sc_strdup(v->valuestring, out, err);
}

static sc_status fail_column(struct sc_error *err, const char *key, const char *name) {
  struct sc_buffer list = {0};
  if (!sc_export_list_columns(&list, err) && !sc_buffer_terminate(&list, err)) {
    sc_fail_text(err, SC_BAD_ARG, "stacchip_export: option '%s' names '%s'; columns are %s", key,
                 name, (const char *)list.data);
  }
  sc_buffer_free(&list);
  return err->status;
}

/* Number of a column among those that are exported, added if it is not there; -1 when full. */
static int want_column(struct sc_export_options *o, const struct sc_export_column *c) {
  for (int i = 0; i < o->n_columns; i++) {
    if (o->columns[i] == c) return i;
  }
  o->columns[o->n_columns] = c;
  return o->n_columns++;
}

static sc_status parse_columns(const cJSON *v, struct sc_export_options *o, struct sc_error *err) {
  const cJSON *name;
  if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) == 0) {
    return fail_option(err, "columns", "an array of column names");
  }
  cJSON_ArrayForEach(name, v) {
    if (!cJSON_IsString(name)) return fail_option(err, "columns", "an array of column names");
    const struct sc_export_column *c = sc_export_find_column(name->valuestring);
    if (!c) return fail_column(err, "columns", name->valuestring);
    want_column(o, c);
  }
  return SC_OK;
}

static sc_status parse_partition(const cJSON *v, struct sc_export_options *o,
                                 struct sc_error *err) {
  const cJSON *name;
  const char *expected = "an array of text columns, e.g. [\"platform\",\"item\"]";
  if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) == 0 || cJSON_GetArraySize(v) > 4) {
    return fail_option(err, "partition_by", expected);
  }
  cJSON_ArrayForEach(name, v) {
    const struct sc_export_column *c =
        cJSON_IsString(name) ? sc_export_find_column(name->valuestring) : NULL;
    if (!cJSON_IsString(name)) return fail_option(err, "partition_by", expected);
    if (!c) return fail_column(err, "partition_by", name->valuestring);
    if (c->kind != SC_EXPORT_TEXT && c->kind != SC_EXPORT_DATE) {
      return fail_option(err, "partition_by", expected);
    }
    o->partition[o->n_partition++] = want_column(o, c);
  }
  return SC_OK;
}

static sc_status parse_style(const cJSON *v, struct sc_export_options *o, struct sc_error *err) {
  const char *text = cJSON_IsString(v) ? v->valuestring : "";
  o->is_hive = strcmp(text, "hive") == 0;
  if (o->is_hive || strcmp(text, "directory") == 0) return SC_OK;
  return fail_option(err, "partition_style", "\"directory\" or \"hive\"");
}

/* One "name", "name ASC" or "name DESC". */
static sc_status add_sort(struct sc_export_options *o, const char *text, size_t n,
                          struct sc_error *err) {
  while (n && *text == ' ') text++, n--;
  while (n && text[n - 1] == ' ') n--;
  if (o->n_sort == SC_EXPORT_MAX_SORT) {
    return fail_option(err, "sort", "at most 16 columns");
  }
  if (n > 5 && sqlite3_strnicmp(text + n - 5, " desc", 5) == 0) {
    o->sort_descends[o->n_sort] = 1;
    n -= 5;
  } else if (n > 4 && sqlite3_strnicmp(text + n - 4, " asc", 4) == 0) {
    n -= 4;
  }
  while (n && text[n - 1] == ' ') n--;
  if (n == 0) return fail_option(err, "sort", "\"hilbert\", \"none\" or column names");
  return sc_strndup(text, n, &o->sort_names[o->n_sort++], err);
}

static sc_status parse_sort(const cJSON *v, struct sc_export_options *o, struct sc_error *err) {
  const cJSON *name;
  sc_status st = SC_OK;
  o->sort = SC_SORT_COLUMNS;
  if (cJSON_IsString(v) && strcmp(v->valuestring, "hilbert") == 0) {
    o->sort = SC_SORT_HILBERT;
  } else if (cJSON_IsString(v) && strcmp(v->valuestring, "none") == 0) {
    o->sort = SC_SORT_NONE;
  } else if (cJSON_IsString(v)) {
    const char *p = v->valuestring;
    for (size_t n = strcspn(p, ","); !st; n = strcspn(p, ",")) {
      st = add_sort(o, p, n, err);
      if (!p[n]) break;
      p += n + 1;
    }
  } else if (cJSON_IsArray(v) && cJSON_GetArraySize(v) > 0) {
    cJSON_ArrayForEach(name, v) {
      const char *text = cJSON_IsString(name) ? name->valuestring : "";
      if (!st) st = add_sort(o, text, strlen(text), err);
    }
  } else {
    st = fail_option(err, "sort", "\"hilbert\", \"none\" or an array of column names");
  }
  return st;
}

static sc_status parse_codec(const cJSON *v, struct sc_export_options *o, struct sc_error *err) {
  static const struct {
    const char *name;
    enum sc_pq_codec codec;
  } codecs[] = {{"zstd", SC_PQ_ZSTD},
                {"snappy", SC_PQ_SNAPPY},
                {"gzip", SC_PQ_GZIP},
                {"none", SC_PQ_UNCOMPRESSED}};
  for (size_t i = 0; i < sizeof codecs / sizeof *codecs && cJSON_IsString(v); i++) {
    if (strcmp(v->valuestring, codecs[i].name) == 0) {
      o->codec = codecs[i].codec;
      o->level = o->codec == SC_PQ_ZSTD ? ZSTD_LEVEL : 0;
      return SC_OK;
    }
  }
  return fail_option(err, "compression", "\"zstd\", \"snappy\", \"gzip\" or \"none\"");
}

static sc_status parse_group_size(const cJSON *v, struct sc_export_options *o,
                                  struct sc_error *err) {
  double d = cJSON_IsNumber(v) ? v->valuedouble : 0;
  if (!(d >= 1 && d <= MAX_ROW_GROUP_ROWS) || d != (double)(int64_t)d) {
    return fail_option(err, "row_group_size", "a whole number of rows from 1 to 16777216");
  }
  o->row_group_rows = (int64_t)d;
  return SC_OK;
}

static sc_status parse_geo(const cJSON *v, struct sc_export_options *o, struct sc_error *err) {
  const char *text = cJSON_IsString(v) ? v->valuestring : "";
  o->geo = strcmp(text, "2.0") == 0 ? SC_GEO_2_0 : SC_GEO_1_1;
  if (o->geo == SC_GEO_2_0 || strcmp(text, "1.1") == 0) return SC_OK;
  return fail_option(err, "geoparquet", "\"1.1\" or \"2.0\"");
}

static sc_status parse_where(const cJSON *v, struct sc_export_options *o, struct sc_error *err) {
  return copy_text(v, "where", &o->where, err);
}

/* Columns come first: partition_by adds to them. */
static const struct {
  const char *key;
  sc_status (*parse)(const cJSON *, struct sc_export_options *, struct sc_error *);
} keys[] = {{"columns", parse_columns},
            {"partition_by", parse_partition},
            {"partition_style", parse_style},
            {"where", parse_where},
            {"sort", parse_sort},
            {"compression", parse_codec},
            {"row_group_size", parse_group_size},
            {"geoparquet", parse_geo}};
#define N_KEYS (sizeof keys / sizeof *keys)

static sc_status check_keys(const cJSON *object, struct sc_error *err) {
  const cJSON *v;
  cJSON_ArrayForEach(v, object) {
    size_t i = 0;
    while (i < N_KEYS && strcmp(keys[i].key, v->string) != 0) i++;
    if (i < N_KEYS) continue;
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_export: option '%s' is unknown; options are columns, partition_by, "
                   "partition_style, where, sort, compression, row_group_size, geoparquet",
                   v->string);
  }
  return SC_OK;
}

static void default_columns(struct sc_export_options *o) {
  for (size_t i = 0; i < SC_INDEX_N; i++) {
    want_column(o, sc_export_find_column(sc_index_column_names[i]));
  }
}

static int number_of(const struct sc_export_options *o, const char *name) {
  int i = o->n_columns;
  while (--i >= 0 && strcmp(o->columns[i]->name, name) != 0) continue;
  return i;
}

/* The columns are known. */
static void find_chipid(struct sc_export_options *o) {
  o->chipid = number_of(o, "chipid");
  o->item = number_of(o, "item");
  o->x = number_of(o, "chip_index_x");
  o->y = number_of(o, "chip_index_y");
}

static sc_status parse_object(const cJSON *object, struct sc_export_options *o,
                              struct sc_error *err) {
  sc_status st = check_keys(object, err);
  for (size_t i = 0; i < N_KEYS && !st; i++) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, keys[i].key);
    if (v && !cJSON_IsNull(v)) st = keys[i].parse(v, o, err);
    if (i == 0 && o->n_columns == 0) default_columns(o);
  }
  if (!st && !o->n_partition && cJSON_IsString(cJSON_GetObjectItem(object, "partition_style"))) {
    st = fail_option(err, "partition_style", "given together with partition_by");
  }
  return st;
}

sc_status sc_export_options_parse(const char *json, struct sc_export_options *out,
                                  struct sc_error *err) {
  memset(out, 0, sizeof *out);
  out->codec = SC_PQ_ZSTD;
  out->level = ZSTD_LEVEL;
  out->row_group_rows = DEFAULT_ROW_GROUP_ROWS;
  if (!json) {
    default_columns(out);
    find_chipid(out);
    return SC_OK;
  }
  cJSON *object = cJSON_ParseWithOpts(json, NULL, 1);
  sc_status st;
  if (cJSON_IsObject(object)) {
    st = parse_object(object, out, err);
  } else {
    st = sc_fail(err, SC_BAD_ARG, "stacchip_export: the options are no JSON object: %.60s", json);
  }
  cJSON_Delete(object);
  find_chipid(out);
  return st;
}

void sc_export_options_free(struct sc_export_options *o) {
  sc_free(o->where);
  for (int i = 0; i < o->n_sort; i++) sc_free(o->sort_names[i]);
  memset(o, 0, sizeof *o);
}
