/* One item of a mirror; see mirror_item.h. */
#include "cli/mirror_item.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/archive.h"
#include "cli/cli.h"
#include "index/handle.h"
#include "index/scene.h"
#include "merge/lookup.h"
#include "merge/relocate.h"
#include "store/percent.h"
#include "store/secrets.h"
#include "store/store.h"

/* Where an asset's file was copied from: https://github.com/stac-extensions/alternate-assets */
#define ALTERNATE "https://stac-extensions.github.io/alternate-assets/v1.2.0/schema.json"
#define ORIGIN "origin"

void sc_mirror_item_free(struct sc_mirror_item *item) {
  for (size_t i = 0; item->assets && i < item->item.n_assets; i++) {
    sc_free(item->assets[i].source);
    sc_free(item->assets[i].key);
    sc_free(item->assets[i].path);
  }
  sc_free(item->assets);
  sc_free(item->mask.source);
  sc_free(item->mask.key);
  sc_free(item->mask.path);
  sc_free(item->folder);
  sc_free(item->index);
  sc_free(item->platform);
  sc_item_free(&item->item);
  *item = (struct sc_mirror_item){0};
}

/* --- the item, as the index has it --- */

/* Rows that came from index files have their item in the bucket, or where it was moved to. */
static sc_status read_elsewhere(const struct sc_merge_row *row, struct sc_item *out,
                                struct sc_error *err) {
  char *path = NULL;
  sc_status st = SC_OK;
  if (!row->location && (!row->bucket || !*row->bucket)) {
    return sc_fail(err, SC_NOT_FOUND,
                   "merged from index files, which do not say where the item is; give the table "
                   "the argument bucket=");
  }
  st = row->location ? sc_strdup(row->location, &path, err)
                     : sc_archive_item(row->bucket, row->platform, row->item, &path, err);
  if (!st) st = sc_item_read(path, strlen(path), NULL, out, err);
  sc_free(path);
  return st;
}

static sc_status read_item(const struct sc_merge_row *row, struct sc_mirror_item *out,
                           struct sc_error *err) {
  out->row = row->item_row;
  out->has_text = row->item_json != NULL;
  sc_status st = sc_strdup(row->platform ? row->platform : "none", &out->platform, err);
  if (!st && !row->item_json) return read_elsewhere(row, &out->item, err);
  if (!st) st = sc_item_read(row->item_json, strlen(row->item_json), NULL, &out->item, err);
  /* Databases of before schema version 3 say it by the location alone. */
  if (!st && row->location && sc_href_is_url(row->location))
    st = sc_item_set_network(&out->item, err);
  return st;
}

/* --- which assets --- */

static sc_status choose(struct sc_mirror_item *item, const struct sc_asset *asset,
                        struct sc_error *err) {
  struct sc_mirror_asset *a = &item->assets[asset - item->item.assets];
  if (a->key) return SC_OK;
  item->n_chosen++;
  return sc_strdup("", &a->key, err);
}

static sc_status choose_named(struct sc_mirror_item *item, const char *names,
                              struct sc_error *err) {
  sc_status st = SC_OK;
  for (const char *p = names; *p && !st; p += *p == ',') {
    size_t n = strcspn(p, ",");
    struct sc_asset_band found;
    char name[256], there[512];
    size_t blanks = strspn(p, " ");
    snprintf(name, sizeof name, "%.*s", (int)(n - blanks), p + blanks);
    p += n;
    if (sc_item_find(&item->item, name, &found)) {
      st = choose(item, found.asset, err);
    } else {
      sc_item_list_assets(&item->item, there, sizeof there);
      st = sc_fail(err, SC_NOT_FOUND, "no asset '%s'; assets with pixels: %s", name, there);
    }
  }
  return st;
}

/* All that have an href, or those with pixels. */
static sc_status choose_all(struct sc_mirror_item *item, int with_pixels, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < item->item.n_assets && !st; i++) {
    const struct sc_asset *asset = &item->item.assets[i];
    int is_wanted = with_pixels ? sc_asset_pixels(asset) == SC_PIXELS_RASTER
                                : sc_json_text(asset->json, "href") != NULL;
    if (is_wanted) st = choose(item, asset, err);
  }
  return st;
}

/* The mask that the index was counted by, where it is none of the item's assets. Because its path
 * was given by the application, it may be local, and then stays. */
static sc_status find_mask(const struct sc_mirror *m, struct sc_mirror_item *item,
                           struct sc_error *err) {
  struct sc_buffer href = {0};
  char id[24], name[512];
  int found = 0;
  char *sql = sqlite3_mprintf(
      "SELECT href FROM \"%w_asset\" WHERE item_id = CAST(?1 AS INT) AND "
      "key = '" SC_SCENE_OWN_MASK "'",
      m->table);
  if (!sql) return sc_fail_nomem(err);
  snprintf(id, sizeof id, "%lld", (long long)item->row);
  sc_status st = sc_cli_text(m->db, &href, &found, err, sql, id);
  if (!st && found && sc_href_is_remote((char *)href.data)) {
    sc_archive_file_name((char *)href.data, name, sizeof name);
    st = sc_href_allow((char *)href.data, SC_ORIGIN_LOCAL, &item->mask.source, err);
    if (!st) st = sc_format(&item->mask.key, err, "%s/mask_%.400s", item->folder, name);
    if (!st) st = sc_store_path(m->root, item->mask.key, &item->mask.path, err);
    if (!st) st = sc_href_allow_writing(item->mask.path, err);
    item->mask.transfer = (struct sc_transfer){.href = item->mask.source,
                                               .root = m->root,
                                               .key = item->mask.key,
                                               .stated_bytes = SC_SIZE_UNKNOWN,
                                               .owner = item};
    item->n_transfers++;
    item->is_done = 0;
  }
  sc_buffer_free(&href);
  sqlite3_free(sql);
  return st ? sc_fail_within(err, "mask") : SC_OK;
}

static sc_status choose_key(void *context, sqlite3_stmt *row, struct sc_error *err) {
  struct sc_mirror_item *item = context;
  const char *key = (const char *)sqlite3_column_text(row, 0);
  for (size_t i = 0; i < item->item.n_assets && key; i++) {
    if (strcmp(item->item.assets[i].key, key) == 0) return choose(item, &item->item.assets[i], err);
  }
  return SC_OK; /* a mask of one's own: see find_mask() */
}

/* Those that the index reads: its rule's, and the mask. */
static sc_status choose_indexed(const struct sc_mirror *m, struct sc_mirror_item *item,
                                struct sc_error *err) {
  char id[24];
  char *sql = sqlite3_mprintf(
      "SELECT key FROM \"%w_asset\" WHERE item_id = CAST(?1 AS INT) ORDER BY id", m->table);
  if (!sql) return sc_fail_nomem(err);
  snprintf(id, sizeof id, "%lld", (long long)item->row);
  sc_status st = sc_cli_rows(m->db, choose_key, item, err, sql, id);
  sqlite3_free(sql);
  return st;
}

static sc_status choose_assets(const struct sc_mirror *m, struct sc_mirror_item *item,
                               struct sc_error *err) {
  sc_status st = SC_OK;
  item->assets = sc_alloc_zero(item->item.n_assets + 1, sizeof *item->assets);
  if (!item->assets) return sc_fail_nomem(err);
  for (size_t i = 0; i < item->item.n_assets; i++) item->assets[i].asset = &item->item.assets[i];
  if (!m->names) st = choose_indexed(m, item, err);
  if (m->names && strcmp(m->names, "*") != 0) {
    st = choose_named(item, m->names, err);
  } else if (!st && item->n_chosen == 0) {
    st = choose_all(item, !m->names, err);
  }
  return !st && item->n_chosen == 0 ? sc_fail(err, SC_NOT_FOUND, "no assets to copy") : st;
}

/* --- under what names --- */

/* An asset and the name of its file. */
struct named {
  char name[512];
  const char *href;
  struct sc_mirror_asset *asset;
};

static int by_name(const void *a, const void *b) {
  const struct named *x = a, *y = b;
  int order = strcmp(x->name, y->name);
  if (!order) order = strcmp(x->href, y->href);
  return order ? order : x->asset < y->asset ? -1 : x->asset > y->asset;
}

/* Files of one name in different folders: each gets the key of its asset before it. */
static void tell_apart(struct named *list, size_t n) {
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i + 1; end < n && strcmp(list[end].name, list[i].name) == 0;) end++;
    int is_shared =
        strcmp(list[i].href, list[end - 1].href) != 0 || strcmp(list[i].name, SC_ARCHIVE_ITEM) == 0;
    const char *key = NULL;
    for (size_t k = i; k < end && is_shared; k++) {
      char name[sizeof list->name];
      if (k == i || strcmp(list[k].href, list[k - 1].href) != 0) key = list[k].asset->asset->key;
      snprintf(name, sizeof name, "%.200s_%.300s", key, list[k].name);
      for (char *p = name; *p; p++) {
        if (*p == '/') *p = '_';
      }
      memcpy(list[k].name, name, sizeof name);
    }
  }
}

/* No file is written over another; two assets of one href share theirs. */
static sc_status check_names(const struct named *list, size_t n, struct sc_error *err) {
  for (size_t i = 0; i + 1 < n; i++) {
    if (strcmp(list[i].name, list[i + 1].name) != 0 || strcmp(list[i].href, list[i + 1].href) == 0)
      continue;
    return sc_fail(err, SC_BAD_DATA, "assets %s and %s would both be the file %s",
                   list[i].asset->asset->key, list[i + 1].asset->asset->key, list[i].name);
  }
  return SC_OK;
}

static sc_status set_key(const struct sc_mirror *m, struct sc_mirror_item *item,
                         const struct named *named, struct sc_error *err) {
  struct sc_mirror_asset *a = named->asset;
  if (!*named->name || strcmp(named->name, ".") == 0 || strcmp(named->name, "..") == 0) {
    return sc_fail(err, SC_BAD_DATA, "asset %s: %s: the href does not end in a file name",
                   a->asset->key, named->href);
  }
  sc_free(a->key);
  a->key = NULL;
  sc_status st = sc_format(&a->key, err, "%s/%s", item->folder, named->name);
  if (!st) st = sc_store_path(m->root, a->key, &a->path, err);
  return st ? st : sc_href_allow_writing(a->path, err);
}

static sc_status name_files(const struct sc_mirror *m, struct sc_mirror_item *item,
                            struct sc_error *err) {
  struct named *list = sc_alloc_zero(item->item.n_assets + 1, sizeof *list);
  size_t n = 0;
  if (!list) return sc_fail_nomem(err);
  for (size_t i = 0; i < item->item.n_assets; i++) {
    const char *href = sc_json_text(item->item.assets[i].json, "href");
    if (!href) continue;
    sc_archive_file_name(href, list[n].name, sizeof list[n].name);
    list[n].href = href;
    list[n++].asset = &item->assets[i];
  }
  qsort(list, n, sizeof *list, by_name);
  tell_apart(list, n);
  qsort(list, n, sizeof *list, by_name);
  sc_status st = check_names(list, n, err);
  struct sc_mirror_asset *first = NULL; /* that is chosen, of a href */
  for (size_t i = 0; i < n && !st; i++) {
    if (i && strcmp(list[i].name, list[i - 1].name) != 0) first = NULL;
    if (!list[i].asset->key) continue;
    st = set_key(m, item, &list[i], err);
    list[i].asset->same = first;
    if (!first) first = list[i].asset;
  }
  sc_free(list);
  return st;
}

/* --- where from --- */

static const char *origin_of(const cJSON *asset) {
  const cJSON *alternate = cJSON_GetObjectItemCaseSensitive(asset, "alternate");
  return sc_json_text(cJSON_GetObjectItemCaseSensitive(alternate, ORIGIN), "href");
}

/* Has an earlier run put the copy where this one would? Then its source is what that one noted. */
static int is_at(const struct sc_mirror_asset *a) {
  const char *href = sc_json_text(a->asset->json, "href");
  return href && strcmp(href, a->path) == 0;
}

static sc_status find_source(const struct sc_mirror_item *item, struct sc_mirror_asset *a,
                             struct sc_error *err) {
  char *resolved = NULL;
  if (!is_at(a)) return sc_item_href(&item->item, a->asset, &a->source, err);
  const char *origin = origin_of(a->asset->json);
  if (!origin) return SC_OK;
  sc_status st = sc_href_resolve(NULL, origin, &resolved, err);
  if (!st) st = sc_href_allow(resolved, item->item.origin, &a->source, err);
  sc_free(resolved);
  return st ? sc_fail_within(err, "asset %s", a->asset->key) : SC_OK;
}

static uint64_t stated_bytes(const cJSON *asset) {
  const cJSON *n = cJSON_GetObjectItemCaseSensitive(asset, "file:size");
  return cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble < 9e15
             ? (uint64_t)n->valuedouble
             : SC_SIZE_UNKNOWN;
}

/* Of STAC's file extension, or of the older one for checksums. */
static const char *stated_checksum(const cJSON *asset) {
  const char *text = sc_json_text(asset, "file:checksum");
  return text ? text : sc_json_text(asset, "checksum:multihash");
}

static sc_status prepare_transfer(const struct sc_mirror *m, struct sc_mirror_item *item,
                                  struct sc_mirror_asset *a, struct sc_error *err) {
  const cJSON *json = a->asset->json;
  sc_status st = find_source(item, a, err);
  a->transfer = (struct sc_transfer){.href = a->source,
                                     .root = m->root,
                                     .key = a->key,
                                     .checksum = stated_checksum(json),
                                     .stated_bytes = stated_bytes(json),
                                     .is_trusted = is_at(a) && !m->verify,
                                     .owner = item};
  item->is_done &= is_at(a);
  return st;
}

/* The folder may be another item's: ids differ in '/' and '_', or collections share a platform. */
static sc_status check_folder(const struct sc_mirror *m, struct sc_mirror_item *item,
                              struct sc_error *err) {
  char *key = NULL;
  int exists = 0, has_index = 0;
  uint64_t size;
  struct sc_buffer text = {0};
  sc_status st = sc_format(&key, err, "%s/" SC_ARCHIVE_ITEM, item->folder);
  if (!st) st = sc_store_look(m->root, key, &exists, &size, err);
  if (!st) st = sc_store_look(m->root, item->index, &has_index, &size, err);
  item->is_done = exists && has_index && size > 0;
  if (!st && exists) st = sc_store_get(m->root, key, &text, err);
  cJSON *there = !st && exists ? cJSON_ParseWithLength((char *)text.data, text.size) : NULL;
  const char *id = sc_json_text(there, "id"), *collection = sc_json_text(there, "collection");
  const char *own = item->item.collection ? item->item.collection : "";
  if (id && (strcmp(id, item->item.id) != 0 || strcmp(collection ? collection : "", own) != 0)) {
    st = sc_fail(err, SC_CONSTRAINT, "%s/%s is item %s of collection %s: the folder is taken",
                 m->root, key, id, collection ? collection : "(none)");
  }
  if (!there) item->is_done = 0;
  cJSON_Delete(there);
  sc_buffer_free(&text);
  sc_free(key);
  return st;
}

sc_status sc_mirror_item_open(const struct sc_mirror *m, int64_t chip, struct sc_mirror_item *out,
                              struct sc_error *err) {
  struct sc_merge_row row = {0};
  char id[300] = "";
  sc_status st = sc_merge_lookup(m->db, "main", m->table, chip, &row, err);
  if (!st) {
    snprintf(id, sizeof id, "%s", row.item);
    st = read_item(&row, out, err);
  }
  if (!st) st = choose_assets(m, out, err);
  if (!st) st = sc_archive_keys(out->platform, out->item.id, &out->folder, &out->index, err);
  if (!st) st = name_files(m, out, err);
  if (!st) st = check_folder(m, out, err);
  for (size_t i = 0; i < out->item.n_assets && !st; i++) {
    if (!out->assets[i].key) continue;
    st = prepare_transfer(m, out, &out->assets[i], err);
    out->n_transfers += !out->assets[i].same;
  }
  if (!st) st = find_mask(m, out, err);
  if (st && strncmp(err->text, "item ", 5) != 0) sc_fail_within(err, "item %s", id);
  return st;
}

/* --- what the item says then --- */

static cJSON *find_asset(cJSON *item, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(item, "assets"), key);
}

/* Set a member, where it stands already or at the end. */
static void set_member(cJSON *to, const char *key, cJSON *value) {
  if (cJSON_HasObjectItem(to, key)) {
    cJSON_ReplaceItemInObjectCaseSensitive(to, key, value);
  } else {
    cJSON_AddItemToObject(to, key, value);
  }
}

static void set_text(cJSON *to, const char *key, const char *text) {
  set_member(to, key, cJSON_CreateString(text));
}

/* Take the note of where a copy came from out of its asset. */
static void forget_origin(cJSON *asset) {
  cJSON *alternate = cJSON_GetObjectItemCaseSensitive(asset, "alternate");
  cJSON_DeleteItemFromObjectCaseSensitive(alternate, ORIGIN);
  if (alternate && !alternate->child) cJSON_DeleteItemFromObjectCaseSensitive(asset, "alternate");
}

/* The copy's href, size and checksum, and where it came from. A local file's name is for the index
 * alone, not for who gets the folder. */
static sc_status describe_copy(cJSON *item, const struct sc_mirror_asset *a, const char *href,
                               int is_handed_on, struct sc_error *err) {
  cJSON *asset = find_asset(item, a->asset->key);
  cJSON *alternate = cJSON_GetObjectItemCaseSensitive(asset, "alternate");
  const struct sc_transfer *copied = &(a->same ? a->same : a)->transfer;
  const char *noted = origin_of(asset); /* of a copy that is copied again */
  char *origin = NULL;
  sc_status st = sc_href_without_secrets(noted ? noted : a->source, &origin, err);
  if (st) return st;
  set_text(asset, "href", href);
  set_member(asset, "file:size", cJSON_CreateNumber((double)copied->bytes));
  if (copied->digest[0]) set_text(asset, "file:checksum", copied->digest);
  if (origin && (!is_handed_on || sc_href_is_url(origin))) {
    cJSON *noting = cJSON_CreateObject();
    cJSON_AddStringToObject(noting, "href", origin);
    if (!cJSON_IsObject(alternate)) set_member(asset, "alternate", cJSON_CreateObject());
    set_member(cJSON_GetObjectItemCaseSensitive(asset, "alternate"), ORIGIN, noting);
    sc_archive_declare(item, "/alternate-assets/", ALTERNATE);
  } else {
    forget_origin(asset);
  }
  sc_archive_declare(item, "/file/", SC_ARCHIVE_FILE_INFO);
  sc_free(origin);
  return SC_OK;
}

/* Does the copy of an asset that this run did not choose lie in the folder? */
static int is_in_folder(const struct sc_mirror *m, const struct sc_mirror_item *item,
                        const cJSON *asset) {
  const char *href = sc_json_text(asset, "href");
  size_t root = strlen(m->root), folder = strlen(item->folder);
  return href && strncmp(href, m->root, root) == 0 && href[root] == '/' &&
         strncmp(href + root + 1, item->folder, folder) == 0 && href[root + 1 + folder] == '/' &&
         !strchr(href + root + folder + 2, '/');
}

/*
 * A copy of the item's JSON, which may name local files from now on. What an item of the network
 * named beside its URLs must not pass for one of our names.
 */
static sc_status copy_json(const struct sc_item *item, cJSON **out, struct sc_error *err) {
  cJSON *json = *out = cJSON_Duplicate(item->json, 1), *assets, *asset, *next;
  if (!json) return sc_fail_nomem(err);
  assets = cJSON_GetObjectItemCaseSensitive(json, "assets");
  for (asset = assets->child; asset && item->origin == SC_ORIGIN_NETWORK; asset = next) {
    const char *href = sc_json_text(asset, "href");
    next = asset->next;
    cJSON_DeleteItemFromObjectCaseSensitive(asset, "alternate");
    if (href && !sc_href_is_remote(href)) cJSON_Delete(cJSON_DetachItemViaPointer(assets, asset));
  }
  cJSON_DeleteItemFromObject(json, SC_ITEM_ORIGIN);
  return SC_OK;
}

static sc_status print_json(const cJSON *json, char **out, struct sc_error *err) {
  char *text = cJSON_PrintUnformatted(json);
  sc_status st = text ? sc_href_without_secrets(text, out, err) : sc_fail_nomem(err);
  cJSON_free(text);
  return st;
}

/* The text for the index. */
static sc_status index_text(const struct sc_mirror_item *item, char **out, struct sc_error *err) {
  cJSON *json;
  sc_status st = copy_json(&item->item, &json, err);
  for (size_t i = 0; i < item->item.n_assets && !st; i++) {
    const struct sc_mirror_asset *a = &item->assets[i];
    if (a->key) st = describe_copy(json, a, a->path, 0, err);
  }
  if (!st) st = print_json(json, out, err);
  cJSON_Delete(json);
  return st;
}

/* Links that lead somewhere from any place; where the item was is its canonical place. */
static void keep_links(cJSON *item) {
  cJSON *links = cJSON_GetObjectItemCaseSensitive(item, "links"), *link, *next;
  if (!cJSON_IsArray(links)) {
    cJSON_DeleteItemFromObjectCaseSensitive(item, "links");
    cJSON_AddArrayToObject(item, "links"); /* STAC wants the member */
    return;
  }
  for (link = links->child; link; link = next) {
    const char *href = sc_json_text(link, "href"), *rel = sc_json_text(link, "rel");
    next = link->next;
    if (!href || !sc_href_is_remote(href)) {
      cJSON_Delete(cJSON_DetachItemViaPointer(links, link));
    } else if (rel && strcmp(rel, "self") == 0) {
      set_text(link, "rel", "canonical");
    }
  }
}

/* "./name", escaped as an href is. */
static sc_status relative_href(const char *path, struct sc_buffer *out, struct sc_error *err) {
  const char *name = strrchr(path, '/') + 1;
  out->size = 0;
  sc_status st = sc_buffer_append_text(out, "./", err);
  if (!st) st = sc_percent_encode(out, name, strlen(name), SC_UNRESERVED "!$&'()*+,;=:@", err);
  return st ? st : sc_buffer_terminate(out, err);
}

/* The copy that an earlier run has made of an asset that this one did not choose. */
static sc_status keep_earlier(cJSON *asset, struct sc_error *err) {
  struct sc_buffer href = {0};
  const char *origin = origin_of(asset);
  sc_status st = relative_href(sc_json_text(asset, "href"), &href, err);
  if (!st) set_text(asset, "href", (const char *)href.data);
  if (origin && !sc_href_is_url(origin)) forget_origin(asset);
  sc_buffer_free(&href);
  return st;
}

/* The text for the folder, which has the copies alone, so that it can be moved and handed on. */
static sc_status folder_text(const struct sc_mirror *m, const struct sc_mirror_item *item,
                             char **out, struct sc_error *err) {
  struct sc_buffer href = {0};
  cJSON *json;
  sc_status st = copy_json(&item->item, &json, err);
  cJSON *assets = cJSON_GetObjectItemCaseSensitive(json, "assets");
  for (size_t i = 0; i < item->item.n_assets && !st; i++) {
    const struct sc_mirror_asset *a = &item->assets[i];
    cJSON *asset = find_asset(json, a->asset->key);
    if (a->key) {
      st = relative_href(a->path, &href, err);
      if (!st) st = describe_copy(json, a, (const char *)href.data, 1, err);
    } else if (is_in_folder(m, item, asset)) {
      st = keep_earlier(asset, err);
    } else if (asset) {
      cJSON_Delete(cJSON_DetachItemViaPointer(assets, asset));
    }
  }
  if (!st) keep_links(json);
  if (!st) st = print_json(json, out, err);
  sc_buffer_free(&href);
  cJSON_Delete(json);
  return st;
}

/* --- writing --- */

static sc_status write_item(const struct sc_mirror *m, const struct sc_mirror_item *item,
                            struct sc_error *err) {
  char *key = NULL, *text = NULL;
  sc_status st = folder_text(m, item, &text, err);
  if (!st) st = sc_format(&key, err, "%s/" SC_ARCHIVE_ITEM, item->folder);
  if (!st) st = sc_store_put(m->root, key, text, strlen(text), err);
  sc_free(text);
  sc_free(key);
  return st;
}

/* The item's chips, as the merged index has them. */
static sc_status write_index(const struct sc_mirror *m, const struct sc_mirror_item *item,
                             struct sc_error *err) {
  struct sc_buffer options = {0};
  char *where = sqlite3_mprintf("item = %Q AND platform = %Q AND collection IS %Q", item->item.id,
                                item->platform, item->item.collection);
  sc_status st = where ? sc_buffer_append_text(&options, "{\"where\":", err) : sc_fail_nomem(err);
  if (!st) st = sc_buffer_append_json(&options, where, err);
  if (!st) st = sc_buffer_append_text(&options, "}", err);
  if (!st) st = sc_buffer_terminate(&options, err);
  if (!st) st = sc_archive_export(m->db, m->table, (char *)options.data, m->root, item->index, err);
  sc_buffer_free(&options);
  sqlite3_free(where);
  return st;
}

static sc_status relocate(const struct sc_mirror *m, const struct sc_mirror_item *item,
                          const char *text, const char *location, struct sc_error *err) {
  struct sc_merge_asset_place *places = sc_alloc_zero(item->n_chosen + 2, sizeof *places);
  struct sc_merge_item_place place = {
      .location = location, .item_json = text, .assets = places, .mask = item->mask.path};
  struct sc_error ignored = {0};
  if (!places) return sc_fail_nomem(err);
  for (size_t i = 0; i < item->item.n_assets; i++) {
    const struct sc_mirror_asset *a = &item->assets[i];
    if (a->key) places[place.n_assets++] = (struct sc_merge_asset_place){a->asset->key, a->path};
  }
  if (item->mask.path)
    places[place.n_assets++] = (struct sc_merge_asset_place){SC_SCENE_OWN_MASK, item->mask.path};
  sc_status st = sc_cli_run(m->db, err, "BEGIN IMMEDIATE");
  if (!st) {
    st = sc_merge_relocate(m->db, m->table, item->row, &place, err);
    if (!st) st = sc_cli_run(m->db, err, "COMMIT");
    if (st) sc_cli_run(m->db, &ignored, "ROLLBACK");
  }
  sc_free(places);
  return st;
}

sc_status sc_mirror_item_finish(const struct sc_mirror *m, struct sc_mirror_item *item,
                                struct sc_error *err) {
  char *text = NULL, *location = NULL;
  sc_status st = write_item(m, item, err);
  if (!st) st = write_index(m, item, err);
  if (!st && item->has_text) st = index_text(item, &text, err);
  if (!st) st = sc_format(&location, err, "%s/%s/" SC_ARCHIVE_ITEM, m->root, item->folder);
  if (!st) st = relocate(m, item, text, location, err);
  sc_free(text);
  sc_free(location);
  return st ? sc_fail_within(err, "item %s", item->item.id) : SC_OK;
}
