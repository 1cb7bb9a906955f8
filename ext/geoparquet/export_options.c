/* The options of stacchip_export(); see export.h. */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/options.h"
#include "base/sqlite.h"
#include "geoparquet/export.h"
#include "geoparquet/import.h"

#define WHAT "stacchip_export"
#define DEFAULT_ROW_GROUP_ROWS 122880
#define MAX_ROW_GROUP_ROWS 16777216
#define MAX_PARTITIONS 4
/* Measured on chips: levels 1 to 6 differ by less than 1 % in size, and 1 is the fastest. */
#define ZSTD_LEVEL 1

/* What the table fills before it is checked further. */
struct raw {
  const cJSON *columns, *partition_by, *sort;
  int style, codec, geo, format;
  const char *where;
  int64_t row_group_rows;
};

#define AT(member) offsetof(struct raw, member)
static const struct sc_option table[] = {
    {"columns", SC_OPTION_NAMES, AT(columns), 0, 0, NULL, "the nine of the index",
     "which, in this order"},
    {"partition_by", SC_OPTION_NAMES, AT(partition_by), 0, 0, NULL, NULL,
     "columns that a tree of files is cut by"},
    {"partition_style", SC_OPTION_CHOICE, AT(style), 0, 0, "directory|hive", "\"directory\"",
     "names of the folders: value/, or name=value/"},
    {"where", SC_OPTION_TEXT, AT(where), 0, 0, NULL, NULL,
     "an SQL expression: only rows for which it is true"},
    {"sort", SC_OPTION_NAMES, AT(sort), 0, 0, NULL, "\"hilbert\"",
     "hilbert, none, or columns such as date, item DESC"},
    {"compression", SC_OPTION_CHOICE, AT(codec), 0, 0, "zstd|snappy|gzip|none", "\"zstd\"",
     "the codec"},
    {"row_group_size", SC_OPTION_INT, AT(row_group_rows), 1, MAX_ROW_GROUP_ROWS, NULL, "122880",
     "rows in a row group, at most"},
    {"geoparquet", SC_OPTION_CHOICE, AT(geo), 0, 0, "1.1|2.0", "\"1.1\"",
     "2.0 uses the native GEOMETRY type"},
    {"format", SC_OPTION_CHOICE, AT(format), 0, 0, "index|stac-geoparquet", "\"index\"",
     "stac-geoparquet: the items in place of their chips"},
};

const struct sc_option_table sc_export_option_table = SC_OPTION_TABLE(table);

static sc_status fail_column(struct sc_error *err, const char *key, const char *name) {
  struct sc_buffer list = {0};
  sc_status st = sc_export_list_columns(&list, err);
  if (!st) st = sc_buffer_terminate(&list, err);
  if (!st) {
    st = sc_fail(err, SC_BAD_ARG, WHAT ": option '%s': '%s' is not one of %s", key, name,
                 (const char *)list.data);
  }
  sc_buffer_free(&list);
  return st;
}

/* Number of a column among those that are exported, added if it is not there; -1 when full. */
static int want_column(struct sc_export_options *o, const struct sc_export_column *c) {
  for (int i = 0; i < o->n_columns; i++) {
    if (o->columns[i] == c) return i;
  }
  o->columns[o->n_columns] = c;
  return o->n_columns++;
}

static void default_columns(struct sc_export_options *o) {
  for (size_t i = 0; i < SC_INDEX_N; i++) {
    want_column(o, sc_export_find_column(sc_index_column_names[i]));
  }
}

static sc_status take_columns(const cJSON *names, struct sc_export_options *o,
                              struct sc_error *err) {
  for (int i = 0; i < sc_names_count(names); i++) {
    const struct sc_export_column *c = sc_export_find_column(sc_names_at(names, i));
    if (!c) return fail_column(err, "columns", sc_names_at(names, i));
    want_column(o, c);
  }
  if (!names) default_columns(o);
  return SC_OK;
}

/* After the columns, to which it adds. */
static sc_status take_partition(const cJSON *names, struct sc_export_options *o,
                                struct sc_error *err) {
  int n = sc_names_count(names);
  for (int i = 0; i < n; i++) {
    const struct sc_export_column *c = sc_export_find_column(sc_names_at(names, i));
    if (!c) return fail_column(err, "partition_by", sc_names_at(names, i));
    if (n > MAX_PARTITIONS || (c->kind != SC_EXPORT_TEXT && c->kind != SC_EXPORT_DATE)) {
      return sc_option_fail(err, WHAT, "partition_by", names,
                            "up to %d columns of text, e.g. [\"platform\",\"item\"]",
                            MAX_PARTITIONS);
    }
    o->partition[o->n_partition++] = want_column(o, c);
  }
  return SC_OK;
}

/* One "name", "name ASC" or "name DESC". */
static sc_status add_sort(struct sc_export_options *o, const cJSON *sort, const char *text,
                          size_t n, struct sc_error *err) {
  while (n && *text == ' ') text++, n--;
  while (n && text[n - 1] == ' ') n--;
  if (n > 5 && sqlite3_strnicmp(text + n - 5, " desc", 5) == 0) {
    o->sort_descends[o->n_sort] = 1;
    n -= 5;
  } else if (n > 4 && sqlite3_strnicmp(text + n - 4, " asc", 4) == 0) {
    n -= 4;
  }
  while (n && text[n - 1] == ' ') n--;
  if (n == 0 || o->n_sort == SC_EXPORT_MAX_SORT) {
    return sc_option_fail(err, WHAT, "sort", sort, "'hilbert', 'none' or up to %d column names",
                          SC_EXPORT_MAX_SORT);
  }
  return sc_strndup(text, n, &o->sort_names[o->n_sort++], err);
}

/* "hilbert", "none", one text of names between commas, or an array of names. */
static sc_status take_sort(const cJSON *names, struct sc_export_options *o, struct sc_error *err) {
  sc_status st = SC_OK;
  if (!names) return SC_OK;
  o->sort = SC_SORT_COLUMNS;
  if (cJSON_IsString(names)) {
    const char *p = names->valuestring;
    if (strcmp(p, "hilbert") == 0) o->sort = SC_SORT_HILBERT;
    if (strcmp(p, "none") == 0) o->sort = SC_SORT_NONE;
    while (o->sort == SC_SORT_COLUMNS && !st) {
      size_t n = strcspn(p, ",");
      st = add_sort(o, names, p, n, err);
      if (!p[n]) break;
      p += n + 1;
    }
    return st;
  }
  for (int i = 0; i < sc_names_count(names) && !st; i++) {
    const char *name = sc_names_at(names, i);
    st = add_sort(o, names, name, strlen(name), err);
  }
  return st;
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

/* A file of items has columns of its own, and no order but that of the table. */
static sc_status check_items(const struct raw *raw, struct sc_error *err) {
  const char *key = raw->columns        ? "columns"
                    : raw->partition_by ? "partition_by"
                    : raw->style >= 0   ? "partition_style"
                    : raw->sort         ? "sort"
                    : raw->geo >= 0     ? "geoparquet"
                                        : NULL;
  if (!key) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, WHAT ": option '%s' is of no use with format 'stac-geoparquet'",
                 key);
}

static sc_status take(const struct raw *raw, struct sc_export_options *o, struct sc_error *err) {
  static const enum sc_pq_codec codecs[] = {SC_PQ_ZSTD, SC_PQ_SNAPPY, SC_PQ_GZIP,
                                            SC_PQ_UNCOMPRESSED}; /* as in the table */
  o->codec = codecs[raw->codec];
  o->level = o->codec == SC_PQ_ZSTD ? ZSTD_LEVEL : 0;
  o->geo = raw->geo == 1 ? SC_GEO_2_0 : SC_GEO_1_1;
  o->is_items = raw->format;
  o->row_group_rows = raw->row_group_rows;
  o->is_hive = raw->style == 1;
  sc_status st = o->is_items ? check_items(raw, err) : SC_OK;
  if (!st) st = take_columns(raw->columns, o, err);
  if (!st) st = take_partition(raw->partition_by, o, err);
  if (!st) st = take_sort(raw->sort, o, err);
  if (!st) st = sc_strdup(raw->where, &o->where, err);
  if (!st && raw->style >= 0 && !o->n_partition) {
    st =
        sc_fail(err, SC_BAD_ARG, WHAT ": option 'partition_style' goes together with partition_by");
  }
  find_chipid(o);
  return st;
}

sc_status sc_export_options_parse(const char *json, struct sc_export_options *out,
                                  struct sc_error *err) {
  struct raw raw = {.style = -1, .geo = -1, .row_group_rows = DEFAULT_ROW_GROUP_ROWS};
  const struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, NULL};
  struct sc_options options = {0};
  memset(out, 0, sizeof *out);
  sc_status st = sc_options_parse(json, WHAT, &set, &options, err);
  if (!st) st = take(&raw, out, err);
  sc_options_free(&options);
  return st;
}

void sc_export_options_free(struct sc_export_options *o) {
  sc_free(o->where);
  for (int i = 0; i < o->n_sort; i++) sc_free(o->sort_names[i]);
  memset(o, 0, sizeof *o);
}
