/* What the folders of a file say of its rows; see hive.h. */
#include "geoparquet/hive.h"

#include <string.h>

#include "base/alloc.h"
#include "store/listing.h"
#include "store/percent.h"

/* A folder's name with %XX undone; NULL for Hive's null. */
static sc_status decode_name(const char *name, size_t n, char **out, struct sc_error *err) {
  sc_free(*out);
  *out = NULL;
  if (n == strlen(SC_HIVE_NULL) && memcmp(name, SC_HIVE_NULL, n) == 0) return SC_OK;
  sc_status st = sc_strndup(name, n, out, err);
  if (st) return st;
  sc_percent_decode(*out);
  return SC_OK;
}

/* One folder: platform=..., item=... or date=... */
static sc_status read_hive(const char *part, size_t n, struct sc_folder_values *out,
                           struct sc_error *err) {
  const struct {
    const char *name;
    char **value;
  } keys[] = {{"platform=", &out->platform}, {"item=", &out->item}, {"date=", &out->date}};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    size_t length = strlen(keys[i].name);
    if (n <= length || memcmp(part, keys[i].name, length) != 0) continue;
    return decode_name(part + length, n - length, keys[i].value, err);
  }
  return SC_OK;
}

/* Is the last folder of a path one of Hive's, column=value? */
static int ends_in_hive_folder(const char *path, const char *slash) {
  const char *begin = slash;
  while (begin && begin > path && begin[-1] != '/') begin--;
  return begin && memchr(begin, '=', (size_t)(slash - begin)) != NULL;
}

/* index_{item}.parquet in the folder {item} in the folder {platform}. In Hive's folders the file's
 * name repeats the folder's value, whatever column that is of. */
static sc_status read_names(const char *path, char **platform, char **item, struct sc_error *err) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t n = strlen(name);
  if (n <= 14 || memcmp(name, "index_", 6) != 0 || strcmp(name + n - 8, ".parquet") != 0 ||
      ends_in_hive_folder(path, slash)) {
    return SC_OK;
  }
  name += 6;
  n -= 14;
  sc_status st = *item ? SC_OK : decode_name(name, n, item, err);
  if (st || *platform || !slash || (size_t)(slash - path) <= n) return st;
  const char *folder = slash - n; /* the folder's own name, if it is the item's */
  if (memcmp(folder, name, n) != 0 || folder - path < 2 || folder[-1] != '/') return st;
  const char *end = folder - 1, *begin = end;
  while (begin > path && begin[-1] != '/') begin--;
  if (begin == end || memchr(begin, '=', (size_t)(end - begin)) != NULL) return st;
  if (end - begin == 5 && memcmp(begin, "index", 5) == 0) return st;
  return decode_name(begin, (size_t)(end - begin), platform, err);
}

sc_status sc_folder_values_read(const char *path, struct sc_folder_values *out,
                                struct sc_error *err) {
  sc_status st = SC_OK;
  memset(out, 0, sizeof *out);
  const char *part = path;
  for (const char *p = path; *p && !st; p++) {
    if (*p != '/') continue;
    st = read_hive(part, (size_t)(p - part), out, err);
    part = p + 1;
  }
  return st ? st : read_names(path, &out->platform, &out->item, err);
}

void sc_folder_values_free(struct sc_folder_values *v) {
  sc_free(v->platform);
  sc_free(v->item);
  sc_free(v->date);
  memset(v, 0, sizeof *v);
}
