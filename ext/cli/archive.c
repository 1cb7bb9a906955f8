/* The archive's names and indexes; see archive.h. */
#include "cli/archive.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "index/handle.h"
#include "store/scheme.h"
#include "store/store.h"

void sc_archive_file_name(const char *href, char *out, size_t n) {
  size_t length = sc_href_is_url(href) ? strcspn(href, "?#") : strlen(href), begin = length;
  while (begin > 0 && href[begin - 1] != '/') begin--;
  snprintf(out, n, "%.*s", (int)(length - begin), href + begin);
}

sc_status sc_archive_keys(const char *platform, const char *id, char **folder, char **index,
                          struct sc_error *err) {
  *folder = *index = NULL;
  if (!*platform || strchr(platform, '/') || strcmp(platform, ".") == 0 ||
      strcmp(platform, "..") == 0)
    return sc_fail(err, SC_BAD_DATA, "the platform '%s' names no folder", platform);
  sc_status st = sc_archive_folder(platform, id, folder, err);
  if (st) return st;
  const char *name = *folder + strlen(platform) + 1;
  return sc_format(index, err, "index/%s/%s/index_%s.parquet", platform, name, name);
}

void sc_archive_declare(cJSON *item, const char *word, const char *uri) {
  cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "stac_extensions");
  const cJSON *entry;
  if (!cJSON_IsArray(list)) {
    cJSON_DeleteItemFromObjectCaseSensitive(item, "stac_extensions");
    list = cJSON_AddArrayToObject(item, "stac_extensions");
  }
  cJSON_ArrayForEach(entry, list) {
    if (cJSON_IsString(entry) && strstr(entry->valuestring, word)) return;
  }
  cJSON_AddItemToArray(list, cJSON_CreateString(uri));
}

/* Exported are `rows`: as many must be in the file. */
static sc_status check_written(sqlite3 *db, const char *path, const char *rows,
                               struct sc_error *err) {
  struct sc_buffer n = {0};
  int found;
  sc_status st = sc_cli_text(db, &n, &found, err, SC_ARCHIVE_READ_ALL, path);
  if (!st && (!found || strcmp((char *)n.data, rows) != 0))
    st = sc_fail(err, SC_IO, "%s: fewer rows than were written", path);
  sc_buffer_free(&n);
  return st ? sc_fail_within(err, "reading back the index") : SC_OK;
}

sc_status sc_archive_export(sqlite3 *db, const char *table, const char *options, const char *root,
                            const char *key, struct sc_error *err) {
  struct sc_buffer rows = {0};
  char *path = NULL;
  int found;
  sc_status st = sc_store_path(root, key, &path, err);
  if (!st)
    st = sc_cli_text(db, &rows, &found, err, "SELECT stacchip_export(?1, ?2, ?3)", table, path,
                     options);
  if (!st) st = check_written(db, path, (char *)rows.data, err);
  sc_buffer_free(&rows);
  sc_free(path);
  return st;
}
