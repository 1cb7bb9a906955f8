/* chip.png: the picture of a chip, as stacchip_chip() makes it; kept for a while. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "browse/picture.h"

#define CHIP_SECONDS 30.0
#define NAMES_MAX 3 /* of assets */

/* ---- options ---- */

static sc_status fail_argument(const char *name, const char *expected, const char *found,
                               struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG, "%s: expected %s, found '%.80s'", name, expected, found);
}

/* "red,green,blue" as an array. */
static sc_status add_assets(cJSON *options, const char *text, struct sc_error *err) {
  cJSON *array = cJSON_CreateArray();
  int n = 0;
  cJSON_DeleteItemFromObjectCaseSensitive(options, "assets");
  cJSON_AddItemToObject(options, "assets", array);
  for (const char *p = text; array && p; n++) {
    char name[200];
    const char *comma = strchr(p, ',');
    size_t length = comma ? (size_t)(comma - p) : strlen(p);
    if (length >= sizeof name || !length || n == NAMES_MAX)
      return fail_argument("assets", "one name, or three with commas", text, err);
    snprintf(name, sizeof name, "%.*s", (int)length, p);
    cJSON_AddItemToArray(array, cJSON_CreateString(name));
    p = comma ? comma + 1 : NULL;
  }
  return array ? SC_OK : sc_fail_nomem(err);
}

/* "2,98" as an array. */
static sc_status add_pair(cJSON *options, const char *name, const char *text,
                          struct sc_error *err) {
  double v[2];
  char *end = NULL;
  v[0] = strtod(text, &end);
  int is_pair = end != text && *end == ',';
  const char *second = is_pair ? end + 1 : text;
  v[1] = strtod(second, &end);
  if (!is_pair || end == second || *end) return fail_argument(name, "two numbers", text, err);
  cJSON_DeleteItemFromObjectCaseSensitive(options, name);
  return cJSON_AddItemToObject(options, name, cJSON_CreateDoubleArray(v, 2)) ? SC_OK
                                                                             : sc_fail_nomem(err);
}

static sc_status add_size(cJSON *options, const char *text, struct sc_error *err) {
  char *end = NULL;
  errno = 0;
  long n = strtol(text, &end, 10);
  if (end == text || *end || errno || n < 1 || n > 4096)
    return fail_argument("size", "a whole number from 1 to 4096", text, err);
  /* A dataset on a grid of its own says by its size how many pixels that has. */
  if (cJSON_GetObjectItemCaseSensitive(options, "size")) return SC_OK;
  return cJSON_AddNumberToObject(options, "size", (double)n) ? SC_OK : sc_fail_nomem(err);
}

static sc_status add_arguments(cJSON *options, const struct sc_server_request *r,
                               struct sc_error *err) {
  const char *assets = sc_server_argument(r, "assets"), *size = sc_server_argument(r, "size");
  const char *stretch = sc_server_argument(r, "stretch");
  const char *rescale = sc_server_argument(r, "rescale");
  const char *overlay = sc_server_argument(r, "overlay");
  sc_status st = SC_OK;
  if (assets && *assets) st = add_assets(options, assets, err);
  if (!st && size && *size) st = add_size(options, size, err);
  if (!st && stretch && *stretch) st = add_pair(options, "stretch", stretch, err);
  if (!st && rescale && *rescale) st = add_pair(options, "rescale", rescale, err);
  if (!st && overlay && *overlay && !cJSON_AddStringToObject(options, "overlay", overlay))
    st = sc_fail_nomem(err);
  return st;
}

/* Of a dataset's own assets, what makes a picture: red, green and blue, else the first three, else
 * the first. */
static void choose_assets(cJSON *options) {
  static const char *const colors[] = {"red", "green", "blue"};
  cJSON *names = cJSON_GetObjectItemCaseSensitive(options, "assets"), *name;
  int n = cJSON_GetArraySize(names), n_colors = 0;
  if (!cJSON_IsArray(names) || n == 1 || n == 3) return;
  for (int i = 0; i < 3; i++) {
    cJSON_ArrayForEach(name, names) {
      n_colors += cJSON_IsString(name) && strcmp(name->valuestring, colors[i]) == 0;
    }
  }
  if (n_colors == 3) {
    cJSON *found = cJSON_CreateStringArray(colors, 3);
    if (found) cJSON_ReplaceItemInObjectCaseSensitive(options, "assets", found);
    return;
  }
  for (int keep = n > 3 ? 3 : 1; n > keep; n--) cJSON_DeleteItemFromArray(names, n - 1);
}

sc_status sc_picture_options(const struct sc_browse_table *t, const struct sc_server_request *r,
                             const char *format, struct sc_buffer *out, struct sc_error *err) {
  /* What a picture has no use for, of a dataset's own options. */
  static const char *const useless[] = {"format", "valid",  "layers",     "on_error",
                                        "seed",   "jitter", "compression"};
  cJSON *options = t->options ? cJSON_Parse(t->options) : NULL;
  if (!cJSON_IsObject(options)) {
    cJSON_Delete(options);
    options = cJSON_CreateObject();
  }
  for (size_t i = 0; i < sizeof useless / sizeof *useless; i++)
    cJSON_DeleteItemFromObjectCaseSensitive(options, useless[i]);
  choose_assets(options);
  sc_status st = !format || cJSON_AddStringToObject(options, "format", format)
                     ? add_arguments(options, r, err)
                     : sc_fail_nomem(err);
  char *text = st ? NULL : cJSON_PrintUnformatted(options);
  if (!st) st = text ? sc_buffer_append_text(out, text, err) : sc_fail_nomem(err);
  if (!st) st = sc_buffer_terminate(out, err);
  cJSON_free(text);
  cJSON_Delete(options);
  return st;
}

/* ---- the picture ---- */

sc_status sc_picture_id(const struct sc_server_request *r, int64_t *id, struct sc_error *err) {
  const char *text = sc_server_argument(r, "id");
  char *end = NULL;
  errno = 0;
  *id = text ? strtoll(text, &end, 10) : 0;
  if (text && end != text && !*end && !errno) return SC_OK;
  return fail_argument("id", "a chip's number", text ? text : "", err);
}

static sc_status read_picture(const struct sc_browse_table *t, int64_t id, const char *options,
                              struct sc_buffer *out, struct sc_error *err) {
  struct sc_session *s = NULL;
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_session_take(t->sessions, SC_SESSION_OWN, &s, err);
  if (st) return st;
  sc_session_limit(s, CHIP_SECONDS, NULL);
  st = sc_table_prepare(t, s, "SELECT stacchip_chip({handle}, ?2) FROM {from} WHERE {id} = ?1",
                        &stmt, err);
  if (!st) {
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, options, -1, SQLITE_STATIC);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
      st = sc_buffer_append(out, sqlite3_column_blob(stmt, 0),
                            (size_t)sqlite3_column_bytes(stmt, 0), err);
    } else {
      st = code == SQLITE_DONE ? sc_fail(err, SC_NOT_FOUND, "there is no such chip")
                               : sc_session_fail(s, err);
    }
  }
  sqlite3_finalize(stmt);
  sc_session_give(s);
  return st;
}

void sc_picture_tag(const struct sc_server_request *r, struct sc_server_answer *a) {
  uint64_t h = sc_hash_mix(sc_hash_bytes(SC_HASH_START, a->body.data, a->body.size));
  snprintf(a->etag, sizeof a->etag, "\"%016llx\"", (unsigned long long)h);
  if (!r->if_none_match || !strstr(r->if_none_match, a->etag)) return;
  a->status = 304;
  a->body.size = 0;
}

sc_status sc_browse_picture(struct sc_browse *b, const struct sc_server_request *r,
                            struct sc_server_answer *a, struct sc_error *err) {
  struct sc_browse_table *t = NULL;
  struct sc_buffer options = {0}, key = {0};
  int64_t id = 0;
  sc_status st = sc_browse_table(b, sc_server_argument(r, "table"), &t, err);
  if (!st) st = sc_picture_id(r, &id, err);
  if (!st) st = sc_picture_options(t, r, "png", &options, err);
  if (!st)
    st = sc_buffer_printf(&key, err, "%lld %s %s", (long long)id, t->name, (char *)options.data);
  if (!st && !sc_pictures_find(&b->pictures, (char *)key.data, &a->body)) {
    st = read_picture(t, id, (char *)options.data, &a->body, err);
    if (!st) sc_pictures_keep(&b->pictures, (char *)key.data, &a->body);
  }
  if (!st) {
    a->type = "image/png";
    sc_picture_tag(r, a);
  }
  sc_buffer_free(&options);
  sc_buffer_free(&key);
  return st;
}
