/* Names of folders and files against what is in them; see import.h. */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/alloc.h"
#include "geoparquet/import.h"
#include "parquet/value.h"

/* Do all values of a text column, nulls aside, equal the name? By statistics alone. */
static int column_is(const struct sc_pq_meta *meta, int leaf, const char *name) {
  struct sc_pq_filter below = {leaf, SC_PQ_LT, SC_PQ_SQL_TEXT, 0, 0, name, strlen(name)};
  struct sc_pq_filter above = below;
  above.op = SC_PQ_GT;
  for (size_t g = 0; g < meta->n_row_groups; g++) {
    const struct sc_pq_row_group *group = &meta->row_groups[g];
    const struct sc_pq_stats *stats = &group->chunks[leaf].stats;
    if (!sc_pq_filter_excludes(&below, &meta->leaves[leaf], stats, group->n_rows) ||
        !sc_pq_filter_excludes(&above, &meta->leaves[leaf], stats, group->n_rows)) {
      return 0;
    }
  }
  return 1;
}

static int column_agrees(const struct sc_pq_meta *meta, enum sc_index_column column,
                         const char *name) {
  int leaf = sc_import_leaf(meta, column);
  return !name || leaf < 0 || column_is(meta, leaf, name);
}

/* 1 agrees, 0 contradicts or cannot tell, -1 cannot be opened. */
static int file_agrees(const char *path) {
  struct sc_folder_values names = {0};
  struct sc_pq_file file = {0};
  struct sc_error ignored = {0};
  int answer = -1;
  sc_status st = sc_folder_values_read(path, &names, &ignored);
  if (!st && !sc_import_open_file(path, &file, &ignored)) {
    answer = column_agrees(&file.meta, SC_INDEX_PLATFORM, names.platform) &&
             column_agrees(&file.meta, SC_INDEX_ITEM, names.item);
  }
  sc_pq_file_close(&file);
  sc_folder_values_free(&names);
  return answer;
}

enum sc_names_trust sc_import_names_trust(struct sc_import *m) {
  const size_t n = m->files.n, tries[] = {0, n / 2, n ? n - 1 : 0};
  int n_agree = 0;
  if (m->names_trust != SC_NAMES_UNCHECKED) return m->names_trust;
  m->names_trust = SC_NAMES_UNPROVEN;
  for (size_t i = 0; i < 3 && n > 1; i++) {
    int answer = file_agrees(m->files.paths[tries[i]]);
    if (answer == 0) return m->names_trust;
    n_agree += answer > 0;
  }
  if (n_agree > 0) m->names_trust = SC_NAMES_TRUE;
  return m->names_trust;
}

static int is_column(const cJSON *list, int at, const char *name) {
  const char *one = at < 0 ? NULL : cJSON_GetStringValue(cJSON_GetArrayItem(list, at));
  return one && strcmp(one, name) == 0;
}

/* Does the path name that column? Hive's do by themselves, others end in {platform}/{item}. */
static int path_names(const cJSON *columns, int is_hive, const char *name) {
  int n = cJSON_GetArraySize(columns);
  for (int i = 0; i < n && is_hive; i++) {
    if (is_column(columns, i, name)) return 1;
  }
  if (is_hive || !is_column(columns, n - 1, "item")) return 0;
  return strcmp(name, "item") == 0 || is_column(columns, n - 2, name);
}

static void settle(const cJSON *columns, int is_hive, const char *name, char **value) {
  if (path_names(columns, is_hive, name)) return;
  sc_free(*value);
  *value = NULL;
}

void sc_import_names_settle(struct sc_import *m) {
  struct sc_view own = sc_pq_meta_find_key(&m->file.meta, "stacchip");
  cJSON *json = own.data ? cJSON_ParseWithLength((const char *)own.data, own.size) : NULL;
  const cJSON *columns = cJSON_GetObjectItemCaseSensitive(json, "partition_by");
  const cJSON *style = cJSON_GetObjectItemCaseSensitive(json, "partition_style");
  int is_hive = cJSON_IsString(style) && strcmp(style->valuestring, "hive") == 0;
  if (cJSON_IsArray(columns)) {
    settle(columns, is_hive, "platform", &m->folders.platform);
    settle(columns, is_hive, "item", &m->folders.item);
    settle(columns, is_hive, "date", &m->folders.date);
  }
  cJSON_Delete(json);
}
