/* What a card says, read from a frozen data set; see card.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "cli/archive.h"
#include "cli/card.h"
#include "cli/checksum.h"
#include "cli/cli.h"
#include "freeze/frozen_file.h"
#include "stac/item.h"
#include "store/access.h"
#include "store/href.h"
#include "store/names.h"
#include "store/read.h"

#define COLLECTION_MAX_BYTES ((size_t)16 << 20)

void sc_card_free(struct sc_card *card) {
  char *const texts[] = {card->folder,      card->data,    card->prefix, card->title,
                         card->description, card->hash,    card->format, card->codec,
                         card->dtype,       card->options, card->split};
  cJSON *const lists[] = {card->shape,       card->bands,    card->columns,       card->splits,
                          card->platforms,   card->licenses, card->license_links, card->providers,
                          card->collections, card->files};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) sc_free(texts[i]);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) cJSON_Delete(lists[i]);
  sqlite3_close(card->db);
  *card = (struct sc_card){0};
}

sc_status sc_card_name(const struct sc_card *card, const char *file, char **out,
                       struct sc_error *err) {
  return sc_format(out, err, "%s%s", card->prefix, file);
}

char *sc_card_column(const char *name) { return sqlite3_mprintf("c.\"%w\"", name); }

/* --- where it is --- */

static sc_status find_place(const char *path, struct sc_card *card, struct sc_error *err) {
  char *located = NULL;
  struct stat info;
  sc_status st = sc_href_locate(path, &located, err);
  if (!st && stat(located, &info) != 0) st = sc_fail(err, SC_NOT_FOUND, "%s: no such file", path);
  int is_folder = !st && S_ISDIR(info.st_mode);
  if (!st && is_folder) {
    st = sc_strdup(located, &card->folder, err);
    if (!st) st = sc_strdup(SC_FROZEN_FILE_NAME, &card->data, err);
    if (!st) st = sc_strdup("", &card->prefix, err);
  } else if (!st) {
    const char *name = strrchr(located, '/') + 1, *dot = strrchr(name, '.');
    int stem = (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name));
    st = sc_strndup(located, (size_t)(name - located - 1), &card->folder, err);
    if (!st) st = sc_strdup(name, &card->data, err);
    if (!st) st = sc_format(&card->prefix, err, "%.*s.", stem, name);
  }
  sc_free(located);
  return st;
}

/* Its title where the user gives none: the name of the file or folder. */
static sc_status make_title(struct sc_card *card, struct sc_error *err) {
  const char *name = card->prefix[0] ? card->prefix : strrchr(card->folder, '/') + 1;
  size_t n = strlen(name) - (card->prefix[0] ? 1 : 0);
  if (card->words->title) return sc_strdup(card->words->title, &card->title, err);
  return sc_strndup(n ? name : "dataset", n ? n : 7, &card->title, err);
}

/* --- lists --- */

static sc_status take_text(void *context, sqlite3_stmt *row, struct sc_error *err) {
  const char *text = (const char *)sqlite3_column_text(row, 0);
  cJSON *value = text ? cJSON_CreateString(text) : cJSON_CreateNull();
  return value && cJSON_AddItemToArray(context, value) ? SC_OK : sc_fail_nomem(err);
}

/* The first column of a statement as a list of texts. */
static sc_status list_texts(const struct sc_card *card, const char *sql, cJSON **out,
                            struct sc_error *err) {
  *out = cJSON_CreateArray();
  return *out ? sc_cli_rows(card->db, take_text, *out, err, sql) : sc_fail_nomem(err);
}

static int has_text(const cJSON *list, const char *text) {
  const cJSON *entry;
  cJSON_ArrayForEach(entry, list) {
    if (cJSON_IsString(entry) && strcmp(entry->valuestring, text) == 0) return 1;
  }
  return 0;
}

int sc_card_has_column(const struct sc_card *card, const char *name) {
  return has_text(card->columns, name);
}

static void add_text(cJSON *list, const char *text) {
  if (text && *text && !has_text(list, text)) cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

/* Providers of one name are one, with the roles of all. */
static void add_provider(cJSON *list, const cJSON *provider) {
  const char *name = sc_json_text(provider, "name");
  cJSON *there;
  if (!name) return;
  cJSON_ArrayForEach(there, list) {
    const char *other = sc_json_text(there, "name");
    if (!other || strcmp(other, name) != 0) continue;
    cJSON *roles = cJSON_GetObjectItemCaseSensitive(there, "roles");
    const cJSON *more = cJSON_GetObjectItemCaseSensitive(provider, "roles"), *role;
    cJSON_ArrayForEach(role, more) {
      if (cJSON_IsArray(roles) && cJSON_IsString(role)) add_text(roles, role->valuestring);
    }
    return;
  }
  cJSON_AddItemToArray(list, cJSON_Duplicate(provider, 1));
}

static sc_status take_provider(void *context, sqlite3_stmt *row, struct sc_error *err) {
  cJSON *provider = cJSON_Parse((const char *)sqlite3_column_text(row, 0));
  (void)err;
  add_provider(context, provider);
  cJSON_Delete(provider);
  return SC_OK;
}

/* --- what a collection says for its items --- */

static void take_collection(struct sc_card *card, const cJSON *collection) {
  const cJSON *entry;
  add_text(card->licenses, sc_json_text(collection, "license"));
  cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(collection, "providers"))
      add_provider(card->providers, entry);
  cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(collection, "links")) {
    const char *rel = sc_json_text(entry, "rel"), *href = sc_json_text(entry, "href");
    if (rel && strcmp(rel, "license") == 0 && href && sc_href_is_remote(href))
      add_text(card->license_links, href);
  }
}

/* What of the card cannot be had is said, and left out. */
static sc_status ask_collection(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct sc_card *card = context;
  const char *href = (const char *)sqlite3_column_text(row, 0);
  struct sc_buffer text = {0};
  struct sc_error failure = {0};
  char *allowed = NULL, shown[600];
  sc_status st = sc_href_allow(href, SC_ORIGIN_NETWORK, &allowed, &failure);
  if (!st) st = sc_read_whole(allowed, COLLECTION_MAX_BYTES, &text, &failure);
  if (!st) {
    cJSON *json = cJSON_ParseWithLength((char *)text.data, text.size);
    take_collection(card, json);
    cJSON_Delete(json);
  } else if (st != SC_NOMEM) {
    sc_cli_say("licence and providers of the collection %s are not known: %s",
               sc_access_shown(href, shown, sizeof shown), failure.text);
  }
  sc_buffer_free(&text);
  sc_free(allowed);
  return st == SC_NOMEM ? sc_fail_nomem(err) : SC_OK;
}

static sc_status find_sources(struct sc_card *card, struct sc_error *err) {
  sc_status st = list_texts(card,
                            "SELECT DISTINCT json_extract(stac, '$.properties.license') AS l FROM "
                            "items WHERE typeof(l) = 'text' ORDER BY l",
                            &card->licenses, err);
  if (!st)
    st = list_texts(card,
                    "SELECT DISTINCT json_extract(l.value, '$.href') AS h FROM items, "
                    "json_each(stac, '$.links') AS l WHERE json_extract(l.value, '$.rel') = "
                    "'license' AND h LIKE 'http%' ORDER BY h",
                    &card->license_links, err);
  card->providers = cJSON_CreateArray();
  if (!st)
    st = sc_cli_rows(card->db, take_provider, card->providers, err,
                     "SELECT DISTINCT p.value FROM items, json_each(stac, '$.properties.providers')"
                     " AS p WHERE p.type = 'object' ORDER BY p.value");
  if (!st && !card->licenses->child && !card->words->license)
    st = sc_cli_rows(card->db, ask_collection, card, err,
                     "SELECT DISTINCT json_extract(l.value, '$.href') AS h FROM items, "
                     "json_each(stac, '$.links') AS l WHERE json_extract(l.value, '$.rel') = "
                     "'collection' AND h LIKE 'http%' ORDER BY h LIMIT 20");
  if (!st && card->words->license) {
    cJSON_Delete(card->licenses);
    card->licenses = cJSON_CreateArray();
    add_text(card->licenses, card->words->license);
  }
  return st;
}

/* --- extent --- */

struct span {
  double west, east; /* east >= west, may be above 180 */
};

struct spans {
  struct span *v;
  size_t n, capacity;
  struct sc_card *card;
};

static int by_west(const void *a, const void *b) {
  const struct span *x = a, *y = b;
  return x->west < y->west ? -1 : x->west > y->west;
}

static sc_status take_box(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct spans *s = context;
  double west = sqlite3_column_double(row, 0), south = sqlite3_column_double(row, 1);
  double east = sqlite3_column_double(row, 2), north = sqlite3_column_double(row, 3);
  if (s->n == s->capacity) {
    size_t capacity = s->capacity ? 2 * s->capacity : 1024;
    struct span *v = sc_realloc(s->v, capacity * sizeof *v);
    if (!v) return sc_fail_nomem(err);
    s->v = v;
    s->capacity = capacity;
  }
  s->v[s->n++] = (struct span){west, east < west ? east + 360 : east};
  if (s->n == 1 || south < s->card->box[1]) s->card->box[1] = south;
  if (s->n == 1 || north > s->card->box[3]) s->card->box[3] = north;
  return SC_OK;
}

/* The shortest arc that has all spans: it begins behind the widest gap. */
static void join_spans(struct spans *s) {
  double *box = s->card->box;
  if (s->n == 0) return;
  qsort(s->v, s->n, sizeof *s->v, by_west);
  double east = s->v[0].east, widest = -1;
  for (size_t i = 1; i <= s->n; i++) {
    double next = i < s->n ? s->v[i].west : s->v[0].west + 360;
    if (next - east > widest) {
      widest = next - east;
      box[0] = next >= 180 ? next - 360 : next;
      box[2] = east > 180 ? east - 360 : east;
    }
    if (i < s->n && s->v[i].east > east) east = s->v[i].east;
  }
  if (widest <= 0) {
    box[0] = -180;
    box[2] = 180;
  }
}

static sc_status find_extent(struct sc_card *card, struct sc_error *err) {
  struct spans spans = {.card = card};
  sc_status st =
      sc_cli_rows(card->db, take_box, &spans, err,
                  "SELECT DISTINCT west, south, east, north FROM chips WHERE west IS NOT NULL");
  if (!st) join_spans(&spans);
  sc_free(spans.v);
  return st;
}

static sc_status take_times(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct sc_card *card = context;
  const char *begin = (const char *)sqlite3_column_text(row, 0);
  const char *end = (const char *)sqlite3_column_text(row, 1);
  (void)err;
  snprintf(card->begin, sizeof card->begin, "%s", begin ? begin : "");
  snprintf(card->end, sizeof card->end, "%s", end ? end : "");
  card->n_items = sqlite3_column_int64(row, 2);
  return SC_OK;
}

/* --- all of it --- */

static sc_status get_text(const struct sc_card *card, const char *key, char **out,
                          struct sc_error *err) {
  struct sc_buffer text = {0};
  int found = 0;
  sc_status st = sc_cli_text(card->db, &text, &found, err,
                             "SELECT CAST(value AS TEXT) FROM dataset WHERE key = ?1", key);
  if (!st && found) st = sc_strdup((char *)text.data, out, err);
  sc_buffer_free(&text);
  return st;
}

static sc_status get_json(const struct sc_card *card, const char *sql, cJSON **out,
                          struct sc_error *err) {
  struct sc_buffer text = {0};
  int found = 0;
  sc_status st = sc_cli_text(card->db, &text, &found, err, sql);
  if (!st && found) *out = cJSON_Parse((char *)text.data);
  sc_buffer_free(&text);
  if (!st && !cJSON_IsArray(*out))
    st = sc_fail(err, SC_BAD_DATA, "%s: no list where '%s' finds one", card->data, sql);
  return st;
}

static sc_status find_splits(struct sc_card *card, struct sc_error *err) {
  char *column = card->split ? sc_card_column(card->split) : NULL;
  char *sql = column ? sqlite3_mprintf("SELECT DISTINCT %s FROM chips AS c ORDER BY 1 LIMIT %d",
                                       column, SC_CARD_SPLITS_MAX + 1)
                     : NULL;
  if (card->split && !sql) return sc_fail_nomem(err);
  sc_status st = sql ? list_texts(card, sql, &card->splits, err) : SC_OK;
  if (!sql || (!st && cJSON_GetArraySize(card->splits) > SC_CARD_SPLITS_MAX)) {
    cJSON_Delete(card->splits);
    card->splits = cJSON_CreateArray();
  }
  sqlite3_free(sql);
  sqlite3_free(column);
  return st;
}

static sc_status describe(struct sc_card *card, struct sc_error *err) {
  char *platforms = NULL;
  struct sc_buffer text = {0};
  const cJSON *entry;
  if (card->words->description) return sc_strdup(card->words->description, &card->description, err);
  cJSON_ArrayForEach(entry, card->platforms) {
    sc_buffer_printf(&text, err, "%s%s", text.size ? ", " : "",
                     cJSON_IsString(entry) ? entry->valuestring : "");
  }
  sc_status st = sc_format(
      &card->description, err,
      "%lld chips of %d x %d pixels with %d band%s, cut from %lld item%s of %.*s%s%.10s%s%.10s.",
      (long long)card->n_chips, cJSON_GetArrayItem(card->shape, 1)->valueint,
      cJSON_GetArrayItem(card->shape, 2)->valueint, cJSON_GetArrayItem(card->shape, 0)->valueint,
      cJSON_GetArrayItem(card->shape, 0)->valueint == 1 ? "" : "s", (long long)card->n_items,
      card->n_items == 1 ? "" : "s", (int)text.size, (const char *)text.data,
      card->begin[0] ? ", " : "", card->begin, card->begin[0] ? " to " : "", card->end);
  sc_buffer_free(&text);
  sc_free(platforms);
  return st;
}

static sc_status read_dataset(struct sc_card *card, struct sc_error *err) {
  struct {
    const char *key;
    char **to;
  } const texts[] = {{"hash", &card->hash},       {"format", &card->format},
                     {"codec", &card->codec},     {"dtype", &card->dtype},
                     {"options", &card->options}, {"splits", &card->split}};
  char *chips = NULL;
  sc_status st = get_text(card, "chips", &chips, err);
  for (size_t i = 0; i < sizeof texts / sizeof *texts && !st; i++)
    st = get_text(card, texts[i].key, texts[i].to, err);
  if (!st && (!card->hash || !card->format || !card->dtype || !chips))
    st = sc_fail(err, SC_BAD_DATA, "%s/%s: no frozen data set, or one that is not complete",
                 card->folder, card->data);
  card->n_chips = chips ? strtoll(chips, NULL, 10) : 0;
  sc_free(chips);
  if (!st) st = get_json(card, "SELECT value FROM dataset WHERE key = 'shape'", &card->shape, err);
  if (!st)
    st = get_json(card, "SELECT value FROM dataset WHERE key = 'columns'", &card->columns, err);
  if (!st)
    st = get_json(card, "SELECT json_extract(array, '$.bands') FROM items LIMIT 1", &card->bands,
                  err);
  if (!st && cJSON_GetArraySize(card->shape) != 3)
    st = sc_fail(err, SC_BAD_DATA, "%s: its shape is not [bands, rows, columns]", card->data);
  return st;
}

static void find_published(struct sc_card *card) {
  char path[4096];
  struct stat info;
  struct tm day;
  snprintf(path, sizeof path, "%s/%s", card->folder, card->data);
  if (stat(path, &info) == 0 && gmtime_r(&info.st_mtime, &day))
    strftime(card->published, sizeof card->published, "%Y-%m-%d", &day);
}

sc_status sc_card_read(const char *path, const struct sc_card_words *words, struct sc_card *card,
                       struct sc_error *err) {
  char *file = NULL;
  *card = (struct sc_card){.words = words};
  sc_status st = find_place(path, card, err);
  if (!st) st = make_title(card, err);
  if (!st) st = sc_format(&file, err, "%s/%s", card->folder, card->data);
  if (!st) st = sc_cli_open(file, &card->db, err);
  if (!st) st = read_dataset(card, err);
  if (!st)
    st = sc_cli_rows(card->db, take_times, card, err,
                     "SELECT min(datetime), max(datetime), count(DISTINCT json_array(collection, "
                     "item_id)) FROM items");
  if (!st) st = find_extent(card, err);
  if (!st) st = find_splits(card, err);
  if (!st)
    st = list_texts(card,
                    "SELECT DISTINCT platform FROM items WHERE platform IS NOT NULL ORDER BY 1",
                    &card->platforms, err);
  if (!st)
    st = list_texts(card,
                    "SELECT DISTINCT collection FROM items WHERE collection IS NOT NULL ORDER BY 1",
                    &card->collections, err);
  if (!st) st = find_sources(card, err);
  if (!st) st = describe(card, err);
  if (!st) find_published(card);
  sc_free(file);
  return st;
}

/* --- files --- */

static const char *type_of(const char *name) {
  static const char *const types[][2] = {{".db", "application/vnd.sqlite3"},
                                         {".tar", "application/x-tar"},
                                         {".json", "application/json"},
                                         {".csv", "text/csv"},
                                         {".npy", "application/x-npy"}};
  const char *dot = strrchr(name, '.');
  for (size_t i = 0; i < sizeof types / sizeof *types && dot; i++) {
    if (strcmp(dot, types[i][0]) == 0) return types[i][1];
  }
  return "application/octet-stream";
}

static sc_status add_file(struct sc_card *card, const char *name, struct sc_error *err) {
  char *path = NULL, digest[SC_CHECKSUM_TEXT];
  struct stat info;
  sc_status st = sc_format(&path, err, "%s/%s", card->folder, name);
  if (!st && stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
    st = sc_checksum_make(path, digest, err);
    cJSON *file = cJSON_CreateObject();
    cJSON_AddItemToArray(card->files, file);
    cJSON_AddStringToObject(file, "name", name);
    cJSON_AddNumberToObject(file, "bytes", (double)info.st_size);
    cJSON_AddStringToObject(file, "sha256",
                            st ? "" : digest + 4); /* behind 1220 of the multihash */
    /* Any name may have been given to the SQLite file. */
    cJSON_AddStringToObject(file, "type",
                            strcmp(name, card->data) == 0 ? type_of(".db") : type_of(name));
  }
  sc_free(path);
  return st;
}

sc_status sc_card_list_files(struct sc_card *card, struct sc_error *err) {
  static const char *const card_files[] = {"README.md", "croissant.json", "collection.json",
                                           "preview.jpg"};
  struct sc_files names = {0};
  char *csv = NULL;
  double started = sc_cli_seconds();
  card->files = cJSON_CreateArray();
  if (card->prefix[0]) {
    sc_status st = add_file(card, card->data, err);
    if (!st) st = sc_card_name(card, "chips.csv", &csv, err);
    if (!st) st = add_file(card, csv, err);
    sc_free(csv);
    return st;
  }
  sc_status st = sc_folder_names(card->folder, &names, err);
  for (size_t i = 0; i < names.n && !st; i++) {
    int is_card = names.paths[i][0] == '.';
    for (size_t k = 0; k < sizeof card_files / sizeof *card_files; k++)
      is_card |= strcmp(names.paths[i], card_files[k]) == 0;
    if (!is_card) st = add_file(card, names.paths[i], err);
    sc_cli_bar("digests", (int64_t)i + 1, (int64_t)names.n, sc_cli_seconds() - started);
  }
  sc_cli_bar_end();
  sc_files_free(&names);
  return st;
}
