/* Items in bulk; see items.h. */
#include "stac/items.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/access.h"
#include "base/alloc.h"
#include "stac/pages.h"

#define DEPTH_MAX 32
#define DOCUMENTS_MAX 10000000

/* A document to read: a stack, the next one on top. */
struct pending {
  char *href; /* absolute; owned */
  int depth;
  int may_skip; /* found in a folder: passed over where it is no STAC */
};

struct sc_items {
  struct pending *pending;
  size_t n_pending, capacity;
  char **seen; /* catalogues that were followed: links may lead back */
  size_t n_seen;
  struct sc_pages *pages; /* of a search */
  int64_t max_items, n_items;
  /* the document at hand: */
  cJSON *document;        /* a collection of items; owned */
  cJSON *at;              /* next item in it */
  struct sc_buffer lines; /* newline-delimited JSON */
  size_t line_at;
  char *location; /* of the document; owned */
  char *folder;   /* base of its hrefs; owned; NULL: items say it themselves */
  enum sc_origin origin;
};

static void close_document(struct sc_items *s) {
  cJSON_Delete(s->document);
  s->document = s->at = NULL;
  sc_buffer_free(&s->lines);
  s->line_at = 0;
  sc_free(s->location);
  sc_free(s->folder);
  s->location = s->folder = NULL;
}

void sc_items_free(struct sc_items *s) {
  if (!s) return;
  close_document(s);
  sc_pages_free(s->pages);
  for (size_t i = 0; i < s->n_pending; i++) sc_free(s->pending[i].href);
  for (size_t i = 0; i < s->n_seen; i++) sc_free(s->seen[i]);
  sc_free(s->pending);
  sc_free(s->seen);
  sc_free(s);
}

/* href passes to the stack, also on error. */
static sc_status push(struct sc_items *s, char *href, int depth, int may_skip,
                      struct sc_error *err) {
  if (s->n_pending == s->capacity) {
    size_t capacity = s->capacity ? 2 * s->capacity : 64;
    struct pending *p =
        capacity > DOCUMENTS_MAX ? NULL : sc_realloc(s->pending, capacity * sizeof *p);
    if (!p) {
      sc_free(href);
      return sc_fail_nomem(err);
    }
    s->pending = p;
    s->capacity = capacity;
  }
  s->pending[s->n_pending++] = (struct pending){href, depth, may_skip};
  return SC_OK;
}

/* The last entries were pushed in order; the first of them is to be read first. */
static void reverse_from(struct sc_items *s, size_t begin) {
  for (size_t i = begin, j = s->n_pending; i + 1 < j; i++) {
    struct pending p = s->pending[i];
    s->pending[i] = s->pending[--j];
    s->pending[j] = p;
  }
}

/* --- folders and globs --- */

static int has_json_suffix(const char *name) {
  static const char *const suffixes[] = {".json", ".geojson", ".ndjson", ".jsonl"};
  size_t n = strlen(name);
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    size_t m = strlen(suffixes[i]);
    if (n > m && strcasecmp(name + n - m, suffixes[i]) == 0) return 1;
  }
  return 0;
}

static sc_status push_folder(struct sc_items *s, const char *folder, int depth,
                             struct sc_error *err) {
  struct dirent **names = NULL;
  int n = scandir(folder, &names, NULL, alphasort);
  size_t begin = s->n_pending;
  sc_status st = SC_OK;
  if (n < 0) return sc_fail(err, SC_NOT_FOUND, "%s: %s", folder, strerror(errno));
  for (int i = 0; i < n; i++) {
    struct stat info;
    char *path = NULL;
    if (!st && names[i]->d_name[0] != '.') {
      st = sc_format(&path, err, "%s/%s", folder, names[i]->d_name);
      int there = !st && stat(path, &info) == 0;
      int wanted = there && ((S_ISDIR(info.st_mode) && depth < DEPTH_MAX) ||
                             (S_ISREG(info.st_mode) && has_json_suffix(path)));
      if (wanted) {
        st = push(s, path, depth + 1, 1, err);
      } else {
        sc_free(path);
      }
    }
    free(names[i]);
  }
  free(names);
  reverse_from(s, begin);
  return st;
}

static sc_status push_glob(struct sc_items *s, const char *pattern, struct sc_error *err) {
  glob_t found = {0};
  size_t begin = s->n_pending;
  sc_status st = SC_OK;
  int code = glob(pattern, GLOB_MARK, NULL, &found);
  if (code != 0) {
    globfree(&found);
    return sc_fail(err, code == GLOB_NOSPACE ? SC_NOMEM : SC_NOT_FOUND, "%s: no such files",
                   pattern);
  }
  for (size_t i = 0; i < found.gl_pathc && !st; i++) {
    char *path = NULL, *allowed = NULL;
    st = sc_strdup(found.gl_pathv[i], &path, err);
    if (!st) st = sc_href_allow(path, SC_ORIGIN_LOCAL, &allowed, err);
    sc_free(path);
    if (!st) st = push(s, allowed, 0, 0, err);
  }
  globfree(&found);
  reverse_from(s, begin);
  return st;
}

/* --- documents --- */

static int was_seen(struct sc_items *s, const char *href) {
  for (size_t i = 0; i < s->n_seen; i++) {
    if (strcmp(s->seen[i], href) == 0) return 1;
  }
  return 0;
}

static sc_status remember(struct sc_items *s, const char *href, struct sc_error *err) {
  char **seen = sc_realloc(s->seen, (s->n_seen + 1) * sizeof *seen);
  if (!seen) return sc_fail_nomem(err);
  s->seen = seen;
  sc_status st = sc_strdup(href, &s->seen[s->n_seen], err);
  if (!st) s->n_seen++;
  return st;
}

/* The links of a catalog or collection that lead to items. */
static sc_status push_links(struct sc_items *s, const cJSON *document, const char *location,
                            int depth, struct sc_error *err) {
  const cJSON *links = cJSON_GetObjectItemCaseSensitive(document, "links"), *link;
  size_t begin = s->n_pending;
  char *folder = NULL;
  if (was_seen(s, location)) return SC_OK;
  if (depth >= DEPTH_MAX)
    return sc_fail(err, SC_TOO_BIG, "%s: catalogues more than %d deep", location, DEPTH_MAX);
  sc_status st = remember(s, location, err);
  if (!st) st = sc_href_folder(location, &folder, err);
  enum sc_origin origin = sc_href_is_url(location) ? SC_ORIGIN_NETWORK : SC_ORIGIN_LOCAL;
  cJSON_ArrayForEach(link, links) {
    const char *rel = sc_json_text(link, "rel"), *href = sc_json_text(link, "href");
    char *absolute = NULL, *allowed = NULL;
    if (st || !rel || !href ||
        (strcmp(rel, "child") && strcmp(rel, "item") && strcmp(rel, "items")))
      continue;
    st = sc_href_resolve(folder, href, &absolute, err);
    if (!st) st = sc_href_allow(absolute, origin, &allowed, err);
    sc_free(absolute);
    if (!st) st = push(s, allowed, depth + 1, 0, err);
    if (st) sc_fail_within(err, "%s", location);
  }
  sc_free(folder);
  reverse_from(s, begin);
  return st;
}

static int is_stac(const cJSON *json) {
  return cJSON_GetObjectItemCaseSensitive(json, "assets") ||
         cJSON_GetObjectItemCaseSensitive(json, "stac_version");
}

static sc_status take_document(struct sc_items *s, cJSON *json, const struct pending *from,
                               struct sc_error *err) {
  const char *type = sc_json_text(json, "type");
  cJSON *features = cJSON_GetObjectItemCaseSensitive(json, "features");
  int is_catalog = type ? strcmp(type, "Catalog") == 0 || strcmp(type, "Collection") == 0
                        : !cJSON_GetObjectItemCaseSensitive(json, "assets") &&
                              cJSON_GetObjectItemCaseSensitive(json, "links") &&
                              cJSON_GetObjectItemCaseSensitive(json, "stac_version");
  s->document = json;
  if (cJSON_IsArray(json)) {
    s->at = json->child;
  } else if (cJSON_IsArray(features)) {
    s->at = features->child;
  } else if (is_catalog) {
    sc_status st = from->may_skip ? SC_OK : push_links(s, json, from->href, from->depth, err);
    close_document(s);
    return st;
  } else if (from->may_skip && (!type || strcmp(type, "Feature") != 0 || !is_stac(json))) {
    close_document(s); /* other JSON that lies in the folder */
  } else {
    s->document = cJSON_CreateArray();
    cJSON_AddItemToArray(s->document, json);
    s->at = json;
  }
  return SC_OK;
}

/* Does the text hold one JSON value per line? True where the first line is one and more follow. */
static int is_lines(const char *text, size_t n) {
  const char *end = NULL;
  cJSON *first = cJSON_ParseWithLengthOpts(text, n, &end, 0);
  if (!first) return 0;
  cJSON_Delete(first);
  while (end < text + n && (*end == ' ' || *end == '\t' || *end == '\r')) end++;
  if (end >= text + n || *end != '\n') return 0;
  while (end < text + n && strchr(" \t\r\n", *end)) end++;
  return end < text + n && *end == '{';
}

static sc_status read_document(struct sc_items *s, struct pending *from, struct sc_error *err) {
  struct sc_buffer text = {0};
  cJSON *json = NULL;
  sc_status st = sc_href_read_text(from->href, &text, err);
  if (!st) st = sc_href_folder(from->href, &s->folder, err);
  s->origin = sc_href_is_url(from->href) ? SC_ORIGIN_NETWORK : SC_ORIGIN_LOCAL;
  if (!st) st = sc_strdup(from->href, &s->location, err);
  if (!st) {
    size_t bom = text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    const char *p = (const char *)text.data + bom;
    json = is_lines(p, text.size - bom) ? NULL : cJSON_ParseWithLength(p, text.size - bom);
    if (json) {
      st = take_document(s, json, from, err);
    } else if (is_lines(p, text.size - bom)) {
      sc_buffer_move(&text, &s->lines);
      s->line_at = bom;
    } else {
      char shown[600];
      st = sc_fail(err, SC_BAD_DATA, "%s: not JSON: '%.30s'",
                   sc_access_shown(from->href, shown, sizeof shown), p);
    }
  }
  sc_buffer_free(&text);
  return st;
}

static sc_status open_pending(struct sc_items *s, struct sc_error *err) {
  struct pending from = s->pending[--s->n_pending];
  struct stat info;
  sc_status st;
  close_document(s);
  if (!sc_href_is_url(from.href) && stat(from.href, &info) == 0 && S_ISDIR(info.st_mode)) {
    st = push_folder(s, from.href, from.depth, err);
  } else {
    st = read_document(s, &from, err);
  }
  sc_free(from.href);
  return st;
}

/* --- taking --- */

/* Hrefs that are no URL may not come over the network. */
static void drop_local_hrefs(struct sc_item *item) {
  for (size_t i = 0; i < item->n_assets; i++) {
    const char *href = sc_json_text(item->assets[i].json, "href");
    if (href && !sc_href_is_url(href)) {
      cJSON_DeleteItemFromObjectCaseSensitive((cJSON *)(size_t)item->assets[i].json, "href");
    }
  }
}

static sc_status take_item(struct sc_items *s, cJSON *json, struct sc_item *out,
                           struct sc_error *err) {
  memset(out, 0, sizeof *out);
  sc_status st = sc_item_take(json, s->folder, s->origin, out, err);
  if (!st && s->origin == SC_ORIGIN_NETWORK) drop_local_hrefs(out);
  if (st) {
    char shown[600];
    sc_item_free(out);
    if (s->location) sc_fail_within(err, "%s", sc_access_shown(s->location, shown, sizeof shown));
  }
  return st;
}

static sc_status take_line(struct sc_items *s, struct sc_item *out, int *found,
                           struct sc_error *err) {
  const char *text = (const char *)s->lines.data;
  *found = 0;
  while (s->line_at < s->lines.size) {
    size_t begin = s->line_at;
    const char *end = memchr(text + begin, '\n', s->lines.size - begin);
    size_t n = end ? (size_t)(end - text) - begin : s->lines.size - begin;
    s->line_at = begin + n + 1;
    if (strspn(text + begin, " \t\r") >= n) continue;
    cJSON *json = cJSON_ParseWithLength(text + begin, n);
    if (!json) {
      return sc_fail(err, SC_BAD_DATA, "%s: byte %zu: not JSON: '%.30s'", s->location, begin,
                     text + begin);
    }
    *found = 1;
    return take_item(s, json, out, err);
  }
  return SC_OK;
}

static sc_status next_page(struct sc_items *s, int (*interrupted)(void *), void *interrupt_context,
                           int *more, struct sc_error *err) {
  cJSON *page = NULL;
  close_document(s);
  sc_status st = sc_pages_next(s->pages, &page, interrupted, interrupt_context, err);
  *more = page != NULL;
  if (!page) return st;
  const cJSON *features = cJSON_GetObjectItemCaseSensitive(page, "features");
  if (!cJSON_IsArray(features)) {
    cJSON_Delete(page);
    return sc_fail(err, SC_BAD_DATA, "the answer of the search has no features");
  }
  s->document = page;
  s->at = features->child;
  s->origin = SC_ORIGIN_NETWORK;
  return SC_OK;
}

sc_status sc_items_next(struct sc_items *s, struct sc_item *out, int *found,
                        int (*interrupted)(void *), void *interrupt_context, struct sc_error *err) {
  sc_status st = SC_OK;
  *found = 0;
  if (s->max_items && s->n_items >= s->max_items) return SC_OK;
  while (!st) {
    if (s->at) {
      cJSON *json = s->at;
      s->at = json->next;
      *found = 1;
      s->n_items++;
      return take_item(s,
                       cJSON_DetachItemViaPointer(
                           cJSON_IsArray(s->document)
                               ? s->document
                               : cJSON_GetObjectItemCaseSensitive(s->document, "features"),
                           json),
                       out, err);
    }
    if (s->lines.size) {
      st = take_line(s, out, found, err);
      if (st || *found) break;
      sc_buffer_free(&s->lines);
    }
    int more = s->n_pending > 0;
    if (interrupted && interrupted(interrupt_context))
      return sc_fail(err, SC_INTERRUPT, "interrupted");
    if (s->pages) {
      st = next_page(s, interrupted, interrupt_context, &more, err);
    } else if (more) {
      st = open_pending(s, err);
    }
    if (!more) break;
  }
  if (*found) s->n_items++;
  return st;
}

/* --- opening --- */

sc_status sc_items_open(const char *source, struct sc_items **out, struct sc_error *err) {
  struct sc_items *s = sc_alloc_zero(1, sizeof *s);
  char *absolute = NULL, *allowed = NULL;
  struct stat info;
  if (!s) return sc_fail_nomem(err);
  sc_status st = sc_href_locate(source, &absolute, err);
  if (!st && !sc_href_is_url(absolute) && strpbrk(absolute, "*?[") && stat(absolute, &info) != 0) {
    st = push_glob(s, absolute, err);
  } else if (!st) {
    st = sc_href_allow(absolute, SC_ORIGIN_LOCAL, &allowed, err);
    if (!st) st = push(s, allowed, 0, 0, err);
  }
  sc_free(absolute);
  if (st) {
    sc_items_free(s);
    return st;
  }
  *out = s;
  return SC_OK;
}

sc_status sc_items_search(const char *url, const char *query,
                          const struct sc_search_options *options, struct sc_items **out,
                          struct sc_error *err) {
  struct sc_items *s = sc_alloc_zero(1, sizeof *s);
  if (!s) return sc_fail_nomem(err);
  s->max_items = options->max_items;
  sc_status st = sc_pages_open(url, query, options, &s->pages, err);
  if (st) {
    sc_items_free(s);
    return st;
  }
  *out = s;
  return SC_OK;
}
