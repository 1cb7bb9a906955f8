/* Handles of chips; see handle.h. */
#include "index/handle.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sha256.h"
#include "base/sqlite.h"
#include "store/secrets.h"

#define WHAT "chip handle"
#define POSITION_MAX 1000000000000000

/* ---- writing ---- */

/* What a chip needs to know of an asset; the rest of an item would make handles long. */
static int is_needed(const char *key) {
  static const char *const keys[] = {"href", "type", "roles", "bands", "eo:bands", "raster:bands"};
  if (strncmp(key, "proj:", 5) == 0) return 1;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (strcmp(key, keys[i]) == 0) return 1;
  }
  return 0;
}

/* Take members away that a reader of pixels does not look at. */
static void thin_bands(cJSON *list) {
  static const char *const extra[] = {
      "center_wavelength", "full_width_half_max", "description",       "gsd",
      "statistics",        "histogram",           "spatial_resolution"};
  cJSON *band;
  if (!cJSON_IsArray(list)) return;
  cJSON_ArrayForEach(band, list) {
    for (size_t i = 0; cJSON_IsObject(band) && i < sizeof extra / sizeof *extra; i++) {
      cJSON_DeleteItemFromObjectCaseSensitive(band, extra[i]);
    }
  }
}

static void thin_object(cJSON *object, int is_asset) {
  cJSON *member = object->child, *next;
  for (; member; member = next) {
    next = member->next;
    int keep = is_needed(member->string) && (is_asset || strcmp(member->string, "eo:bands") == 0 ||
                                             strncmp(member->string, "proj:", 5) == 0);
    int is_extent = strcmp(member->string, "proj:geometry") == 0 ||
                    strcmp(member->string, "proj:bbox") == 0 ||
                    strcmp(member->string, "proj:centroid") == 0;
    int is_datetime = !is_asset && (strcmp(member->string, "datetime") == 0 ||
                                    strcmp(member->string, "s2:processing_baseline") == 0);
    if ((!keep || is_extent) && !is_datetime) {
      cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
    } else if (strstr(member->string, "bands")) {
      thin_bands(member);
    }
  }
}

/* Does a list name an asset? */
struct listed {
  const struct sc_index *index; /* or */
  const struct sc_scene *scene;
};

static int is_listed(const struct listed *l, const char *key) {
  for (size_t i = 0; l->index && i < l->index->n_assets; i++) {
    if (strcmp(l->index->assets[i].key, key) == 0) return 1;
  }
  for (size_t i = 0; l->scene && i < l->scene->n_assets; i++) {
    if (strcmp(l->scene->assets[i].asset->key, key) == 0) return 1;
  }
  return l->scene && l->scene->has_mask && strcmp(l->scene->mask.asset->key, key) == 0;
}

/* Thin an item in place: the assets listed only, and of these what a chip needs. */
static void thin_item(cJSON *item, const struct listed *listed) {
  static const char *const keep[] = {SC_ITEM_ORIGIN, "type",       "stac_version", "id",
                                     "collection",   "properties", "assets"};
  cJSON *member, *next;
  for (member = item->child; member; member = next) {
    int kept = 0;
    next = member->next;
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
      kept |= strcmp(member->string, keep[i]) == 0;
    if (!kept) cJSON_Delete(cJSON_DetachItemViaPointer(item, member));
  }
  cJSON *properties = cJSON_GetObjectItemCaseSensitive(item, "properties");
  if (cJSON_IsObject(properties)) thin_object(properties, 0);
  cJSON *assets = cJSON_GetObjectItemCaseSensitive(item, "assets");
  for (member = assets->child; member; member = next) {
    next = member->next;
    if (is_listed(listed, member->string)) {
      thin_object(member, 1);
    } else {
      cJSON_Delete(cJSON_DetachItemViaPointer(assets, member));
    }
  }
}

static sc_status append_thin(cJSON *item, const struct listed *listed, struct sc_buffer *out,
                             struct sc_error *err) {
  if (!item) return sc_fail_nomem(err);
  thin_item(item, listed);
  char *text = cJSON_PrintUnformatted(item), *clean = NULL;
  sc_status st = !text           ? sc_fail_nomem(err)
                 : listed->index ? sc_href_for_handle(text, &clean, err)
                                 : sc_href_without_secrets(text, &clean, err); /* to go elsewhere */
  if (!st) st = sc_buffer_append_text(out, clean, err);
  cJSON_free(text);
  sc_free(clean);
  cJSON_Delete(item);
  return st;
}

static sc_status append_item(const struct sc_index *index, struct sc_buffer *out,
                             struct sc_error *err) {
  struct listed listed = {.index = index};
  if (index->location) {
    char *location = NULL;
    sc_status st = sc_href_for_handle(index->location, &location, err);
    if (!st) st = sc_buffer_append_json(out, location, err);
    sc_free(location);
    return st;
  }
  return append_thin(cJSON_Parse(index->item_json), &listed, out, err);
}

/* The tiling, where it is not the default. */
static sc_status append_tiling(const struct sc_tiling *t, struct sc_buffer *out,
                               struct sc_error *err) {
  sc_status st = SC_OK;
  if (t->chip_size_px != SC_CHIP_SIZE_DEFAULT_PX) {
    st = sc_buffer_printf(out, err, ",\"chip_size\":%d", t->chip_size_px);
  }
  if (!st && t->stride_px != t->chip_size_px) {
    st = sc_buffer_printf(out, err, ",\"stride\":%d", t->stride_px);
  }
  if (!st && t->edge != SC_EDGE_DROP) {
    st = sc_buffer_printf(out, err, ",\"edge\":\"%s\"", sc_edge_name(t->edge));
  }
  return st;
}

static sc_status append_platform(const char *platform, struct sc_buffer *out,
                                 struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, ",\"platform\":", err);
  return st ? st : sc_buffer_append_json(out, platform, err);
}

sc_status sc_handle_prefix(const struct sc_index *index, const struct sc_index_options *options,
                           struct sc_buffer *out, struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "{\"item\":", err);
  if (!st) st = append_item(index, out, err);
  if (!st) st = append_tiling(&options->tiling, out, err);
  if (!st && (options->platform[0] || !index->location))
    st = append_platform(index->platform, out, err);
  if (!st) st = sc_index_options_format_mask(options, out, err);
  if (!st && options->shape[0]) {
    st = sc_buffer_printf(out, err, ",\"shape\":[%lld,%lld]", (long long)options->shape[0],
                          (long long)options->shape[1]);
  }
  return st;
}

sc_status sc_handle_export(const struct sc_scene *scene, const struct sc_tiling *tiling,
                           struct sc_buffer *out, struct sc_error *err) {
  struct listed listed = {.scene = scene};
  sc_status st = sc_buffer_append_text(out, "{\"item\":", err);
  if (!st) st = append_thin(cJSON_Duplicate(scene->item.json, 1), &listed, out, err);
  if (!st) st = append_tiling(tiling, out, err);
  if (!st) st = append_platform(sc_scene_platform(scene), out, err);
  return st ? st : sc_buffer_append_text(out, "}", err);
}

sc_status sc_handle_of_item(const char *item, size_t n, int64_t x, int64_t y, struct sc_buffer *out,
                            struct sc_error *err) {
  static const char begin[] = "{\"item\":{";
  if (n < sizeof begin || memcmp(item, begin, sizeof begin - 1) != 0 || item[n - 1] != '}')
    return sc_fail(err, SC_BAD_DATA, "not the text of an exported item");
  sc_status st = sc_buffer_append(out, item, n - 1, err);
  return st ? st
            : sc_buffer_printf(out, err, ",\"chip_index_x\":%lld,\"chip_index_y\":%lld}",
                               (long long)x, (long long)y);
}

static const char name_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void sc_handle_item_name(const char *item, size_t n, char out[SC_HANDLE_ITEM_NAME + 1]) {
  uint8_t hash[SC_SHA256_BYTES];
  sc_sha256(item, n, hash);
  for (int i = 0; i < SC_HANDLE_ITEM_NAME; i++) {
    const uint8_t *three = hash + i / 4 * 3;
    uint32_t bits = (uint32_t)three[0] << 16 | (uint32_t)three[1] << 8 | three[2];
    out[i] = name_letters[bits >> (18 - 6 * (i % 4)) & 63];
  }
  out[SC_HANDLE_ITEM_NAME] = '\0';
}

sc_status sc_handle_short_format(const char *name, int64_t x, int64_t y, struct sc_buffer *out,
                                 struct sc_error *err) {
  return sc_buffer_printf(out, err, "[\"%s\",%lld,%lld]", name, (long long)x, (long long)y);
}

sc_status sc_handle_format(const struct sc_buffer *prefix, int x, int y, struct sc_buffer *out,
                           struct sc_error *err) {
  sc_status st = sc_buffer_append(out, prefix->data, prefix->size, err);
  return st ? st : sc_buffer_printf(out, err, ",\"chip_index_x\":%d,\"chip_index_y\":%d}", x, y);
}

sc_status sc_handle_row_start(const char *table, struct sc_buffer *out, struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "[", err);
  if (!st) st = sc_buffer_append_json(out, table, err);
  return st ? st : sc_buffer_append_text(out, ",", err);
}

int sc_handle_row_rowid(const struct sc_buffer *start, const char *text, int64_t *rowid) {
  char *end;
  if (strncmp(text, (const char *)start->data, start->size) != 0) return 0;
  *rowid = strtoll(text + start->size, &end, 10); /* one beyond 64 bits names a chip with another */
  return *end == ',';
}

sc_status sc_handle_row_format(const struct sc_handle_row *row, struct sc_buffer *out,
                               struct sc_error *err) {
  sc_status st = sc_handle_row_start(row->table, out, err);
  if (!st) st = sc_buffer_printf(out, err, "%lld,", (long long)row->rowid);
  if (!st) st = sc_buffer_append_json(out, row->item, err);
  if (!st) st = sc_buffer_printf(out, err, ",%lld,%lld", (long long)row->x, (long long)row->y);
  if (!st && sqlite3_stricmp(row->schema, "main") != 0) {
    st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_buffer_append_json(out, row->schema, err);
  }
  return st ? st : sc_buffer_append_text(out, "]", err);
}

/* ---- reading ---- */

/* The members of an object. */
struct members {
  const cJSON *item, *center, *shape;
  const char *bucket, *platform, *base, *mask, *cloud, *nodata;
  int64_t dilate;
  int64_t x, y, chip_size, stride;
  int edge;
};

#define AT(member) offsetof(struct members, member)
static const struct sc_option member_table[] = {
    {"item", SC_OPTION_JSON, AT(item), 0, 0, "a text, or an item", NULL,
     "path, URL or object of an item, or its id in an archive or a table of exported items"},
    {"bucket", SC_OPTION_TEXT, AT(bucket), 0, 0, NULL, NULL,
     "where the archive {bucket}/{platform}/{item}/stac_item.json is"},
    {"platform", SC_OPTION_TEXT, AT(platform), 0, 0, NULL, "by match", "the rule to go by"},
    {"chip_index_x", SC_OPTION_INT, AT(x), -POSITION_MAX, POSITION_MAX, NULL, NULL,
     "column of the chip, from the left"},
    {"chip_index_y", SC_OPTION_INT, AT(y), -POSITION_MAX, POSITION_MAX, NULL, NULL,
     "row of the chip, from above"},
    {"chip_size", SC_OPTION_INT, AT(chip_size), 1, SC_CHIP_SIZE_MAX_PX, NULL, "256",
     "rows and columns of a chip, in pixels of the grid"},
    {"stride", SC_OPTION_INT, AT(stride), 1, SC_CHIP_SIZE_MAX_PX, NULL, "chip_size",
     "distance between the first pixels of neighbouring chips"},
    {"edge", SC_OPTION_CHOICE, AT(edge), 0, 0, SC_EDGE_CHOICES, "\"drop\"",
     "what becomes of chips that would leave the grid; of a padded one the overhang counts as "
     "nodata"},
    {"center", SC_OPTION_JSON, AT(center), 0, 0, "[longitude, latitude]", NULL,
     "in place of the position: a chip around a place, in degrees"},
    {"shape", SC_OPTION_JSON, AT(shape), 0, 0, "[rows, columns]", "from the item",
     "size of the grid, where the item has none"},
    {"base", SC_OPTION_TEXT, AT(base), 0, 0, NULL, NULL,
     "folder or URL for the relative hrefs of an item that is given as text"},
    {"mask", SC_OPTION_TEXT, AT(mask), 0, 0, NULL, "the rule's",
     "the raster that clouds and nodata are counted in: an asset, or a path or URL in which {id} "
     "is the item's id"},
    {"cloud", SC_OPTION_TEXT, AT(cloud), 0, 0, NULL, "the rule's; with mask \"v\"",
     "an expression over v and nd, true for a cloudy pixel of the mask"},
    {"nodata", SC_OPTION_TEXT, AT(nodata), 0, 0, NULL, "the rule's; with mask \"nd\"",
     "an expression over v and nd, true for a pixel of the mask without data"},
    {"dilate", SC_OPTION_INT, AT(dilate), 0, SC_DILATE_MAX_PX, NULL, "the rule's, else 0",
     "pixels of the mask that clouds grow by"},
};
const struct sc_option_table sc_handle_option_table = SC_OPTION_TABLE(member_table);
#define NOT_GIVEN INT64_MIN

static sc_status take_place(const struct members *m, struct sc_handle *out, struct sc_error *err) {
  out->has_center = m->center != NULL;
  out->has_position = m->x != NOT_GIVEN && m->y != NOT_GIVEN;
  out->x = m->x;
  out->y = m->y;
  if (m->center && (m->x != NOT_GIVEN || m->y != NOT_GIVEN)) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": it has both a position and a center; give one");
  }
  if (!m->center && !out->has_position) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": it needs chip_index_x and chip_index_y, or center");
  }
  if (!m->center) return SC_OK;
  const cJSON *lon = cJSON_GetArrayItem(m->center, 0), *lat = cJSON_GetArrayItem(m->center, 1);
  if (!cJSON_IsArray(m->center) || !cJSON_IsNumber(lon) || !cJSON_IsNumber(lat)) {
    return sc_option_fail(err, WHAT, "center", m->center, "[longitude, latitude] in degrees");
  }
  out->center[0] = lon->valuedouble;
  out->center[1] = lat->valuedouble;
  return SC_OK;
}

static sc_status read_object(struct sc_handle *out, struct sc_error *err) {
  struct members m = {
      .x = NOT_GIVEN, .y = NOT_GIVEN, .chip_size = SC_CHIP_SIZE_DEFAULT_PX, .dilate = -1};
  const struct sc_option_set set = {member_table, sizeof member_table / sizeof *member_table, &m,
                                    NULL};
  sc_status st = sc_options_read(out->json.json, WHAT, &set, err);
  if (!st && !m.item) st = sc_fail(err, SC_BAD_ARG, WHAT ": it names no 'item'");
  if (!st && m.bucket && (!m.platform || !cJSON_IsString(m.item))) {
    st = sc_fail(err, SC_BAD_ARG, WHAT ": with 'bucket' it needs 'platform' and the id as 'item'");
  }
  if (!st && !cJSON_IsString(m.item) && !cJSON_IsObject(m.item)) {
    st = sc_option_fail(err, WHAT, "item", NULL, "a path, a URL or an item object");
  }
  if (!st) st = sc_shape_read(m.shape, WHAT, out->shape, err);
  out->item = m.item;
  out->bucket = m.bucket;
  out->platform = m.platform;
  out->mask = m.mask, out->cloud = m.cloud, out->nodata = m.nodata;
  out->dilate = m.dilate;
  out->base = m.base;
  out->tiling.chip_size_px = (int32_t)m.chip_size;
  out->tiling.stride_px = (int32_t)(m.stride ? m.stride : m.chip_size);
  out->tiling.edge = (enum sc_edge)m.edge;
  return st ? st : take_place(&m, out, err);
}

static int take_int(const cJSON *value, int64_t *out) {
  if (!cJSON_IsNumber(value) || !(fabs(value->valuedouble) < 9e18)) return 0;
  *out = (int64_t)value->valuedouble;
  return 1;
}

static sc_status read_row(const cJSON *json, struct sc_handle_row *out, struct sc_error *err) {
  const cJSON *table = cJSON_GetArrayItem(json, 0), *item = cJSON_GetArrayItem(json, 2);
  const cJSON *schema = cJSON_GetArrayItem(json, 5);
  if (!cJSON_IsString(table) || !cJSON_IsString(item) ||
      !take_int(cJSON_GetArrayItem(json, 1), &out->rowid) ||
      !take_int(cJSON_GetArrayItem(json, 3), &out->x) ||
      !take_int(cJSON_GetArrayItem(json, 4), &out->y) || (schema && !cJSON_IsString(schema))) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": not of the form [\"table\", rowid, \"item\", x, y]");
  }
  out->table = table->valuestring;
  out->item = item->valuestring;
  out->schema = schema ? schema->valuestring : "main";
  return SC_OK;
}

/* {item}-{x}-{y} */
static int is_chipid(const char *text) {
  size_t end = text ? strlen(text) : 0;
  for (int part = 0; part < 2; part++) {
    size_t begin = end;
    while (begin > 0 && text[begin - 1] >= '0' && text[begin - 1] <= '9') begin--;
    if (begin == end || begin < 2 || text[begin - 1] != '-') return 0;
    end = begin - 1;
  }
  return 1;
}

/* What to write instead of a text that is no handle, or "". */
static const char *advice_for(const char *text) {
  if (is_chipid(text))
    return "; it looks like a chipid, which is for people: write (row) ... WHERE chipid = '...'";
  if (text && strpbrk(text, "/."))
    return "; the handles of an item's chips are the column row of stacchip_index(item)";
  return "";
}

sc_status sc_handle_read(const char *text, struct sc_handle *out, struct sc_error *err) {
  memset(out, 0, sizeof *out);
  size_t blanks = text ? strspn(text, " \t\r\n") : 0;
  if (!text || (text[blanks] != '{' && text[blanks] != '[')) {
    return sc_fail(err, SC_BAD_ARG,
                   WHAT ": neither the column \"row\" of an index nor a JSON object: %.60s%s",
                   text ? text : "", advice_for(text));
  }
  out->is_row = text[blanks] == '[';
  out->json.json = cJSON_ParseWithOpts(text, NULL, 1);
  sc_status st = out->is_row      ? read_row(out->json.json, &out->row, err)
                 : out->json.json ? read_object(out, err)
                                  : sc_fail(err, SC_BAD_ARG, WHAT ": not JSON: %.60s", text);
  if (st) sc_handle_free(out);
  return st;
}

int sc_handle_short_read(const char *text, size_t n, char name[SC_HANDLE_ITEM_NAME + 1], int64_t *x,
                         int64_t *y) {
  const char *end = text + 2 + SC_HANDLE_ITEM_NAME;
  long long px, py;
  int used = 0;
  if (!text || n < 2 + SC_HANDLE_ITEM_NAME || text[0] != '[' || text[1] != '"' || *end != '"' ||
      strspn(text + 2, name_letters) != SC_HANDLE_ITEM_NAME)
    return 0;
  if (sscanf(end, "\",%lld,%lld]%n", &px, &py, &used) != 2 || end + used != text + n) return 0;
  if (memchr(end, '+', (size_t)used) || llabs(px) > POSITION_MAX || llabs(py) > POSITION_MAX)
    return 0;
  memcpy(name, text + 2, SC_HANDLE_ITEM_NAME);
  name[SC_HANDLE_ITEM_NAME] = '\0';
  *x = px;
  *y = py;
  return 1;
}

void sc_handle_free(struct sc_handle *h) { sc_options_free(&h->json); }

size_t sc_handle_common_part(const char *text, size_t n, int64_t *x, int64_t *y) {
  static const char mark[] = ",\"chip_index_x\":";
  const char *found = NULL;
  int used = 0;
  long long px, py;
  for (size_t i = n > 80 ? n - 80 : 0; i + sizeof mark < n; i++) {
    if (memcmp(text + i, mark, sizeof mark - 1) == 0) found = text + i;
  }
  if (!found) return 0;
  if (sscanf(found, ",\"chip_index_x\":%lld,\"chip_index_y\":%lld}%n", &px, &py, &used) != 2 ||
      used == 0 || (size_t)(found - text) + (size_t)used != n) {
    return 0;
  }
  /* What the full reading refuses must not pass here. */
  if (memchr(found, '+', (size_t)used) || llabs(px) > POSITION_MAX || llabs(py) > POSITION_MAX)
    return 0;
  *x = px;
  *y = py;
  return (size_t)(found - text);
}

sc_status sc_handle_item(const struct sc_handle *h, char **out, struct sc_error *err) {
  *out = NULL;
  if (h->bucket) return sc_archive_item(h->bucket, h->platform, h->item->valuestring, out, err);
  if (cJSON_IsString(h->item)) return sc_strdup(h->item->valuestring, out, err);
  char *text = cJSON_PrintUnformatted(h->item);
  if (!text) return sc_fail_nomem(err);
  sc_status st = sc_strdup(text, out, err);
  cJSON_free(text);
  return st;
}

sc_status sc_handle_options(const struct sc_handle *h, struct sc_rules *rules,
                            struct sc_index_options *out, struct sc_error *err) {
  sc_status st = sc_index_options_parse(NULL, out, err);
  if (st) return st;
  if (h->platform && (!h->bucket || sc_platform_is_known(rules, h->platform)))
    snprintf(out->platform, sizeof out->platform, "%s", h->platform);
  out->tiling = h->tiling;
  memcpy(out->shape, h->shape, sizeof out->shape);
  out->dilate = h->dilate;
  st = sc_strdup(h->base, &out->base, err);
  if (!st) st = sc_mask_locate(h->mask, &out->mask, err);
  if (!st) st = sc_strdup(h->cloud, &out->cloud, err);
  return st ? st : sc_strdup(h->nodata, &out->nodata, err);
}

/* ---- the archive ---- */

sc_status sc_archive_folder(const char *platform, const char *id, char **out,
                            struct sc_error *err) {
  sc_status st = sc_format(out, err, "%s/%s", platform, id);
  if (st) return st;
  char *name = *out + strlen(platform) + 1;
  for (char *p = name; *p; p++) {
    if (*p == '/') *p = '_'; /* STAC allows it in ids */
  }
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) name[0] = '_';
  return SC_OK;
}

sc_status sc_archive_item(const char *bucket, const char *platform, const char *id, char **out,
                          struct sc_error *err) {
  char *folder;
  size_t n = strlen(bucket);
  *out = NULL;
  sc_status st = sc_archive_folder(platform, id, &folder, err);
  if (st) return st;
  st = sc_format(out, err, "%s%s%s/" SC_ARCHIVE_ITEM, bucket, n && bucket[n - 1] == '/' ? "" : "/",
                 folder);
  sc_free(folder);
  return st;
}
