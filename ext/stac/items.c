/*
 * Items in bulk; see items.h.
 *
 * HOW IT WORKS  A stack of documents to read, the next one on top: a folder and a catalogue put
 * theirs there. A document is a sequence of JSON values; one of them is an item, or holds many.
 */
#include "stac/items.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "stac/json_reader.h"
#include "stac/pages.h"
#include "stac/parquet_items.h"
#include "stac/seen.h"
#include "store/access.h"
#include "store/folder.h"
#include "store/listing.h"
#include "store/read.h"

#define DEPTH_MAX 32
#define DOCUMENTS_MAX 10000000

/* How a document came to be read, which says what may be wrong with it. */
enum how {
  HOW_NAMED,    /* the source itself: what it cannot give is an error */
  HOW_LINKED,   /* by a link of a catalogue */
  HOW_MATCHED,  /* by a pattern: other JSON is passed over */
  HOW_IN_FOLDER /* the same; and catalogues are not followed, as their items lie there, too */
};

/* A document to read. */
struct pending {
  char *href; /* absolute; owned */
  int depth;
  enum how how;
  char *reason; /* it is known already that it cannot be read, or was passed over; owned */
  int is_passed;
};

/* The document at hand. */
struct document {
  struct pending from; /* location NULL: an answer of a search */
  char *folder;        /* base of its hrefs; owned; NULL: items say it themselves */
  enum sc_origin origin;
  struct sc_buffer bytes;
  struct sc_json_reader text;    /* of bytes: values to come */
  struct sc_parquet_items *rows; /* of a Parquet file, instead; owned */
  cJSON *collection;             /* the value that holds the items at hand; owned */
  cJSON *at;                     /* the next one in it */
  int has_told;                  /* that something of it was passed over */
};

struct sc_items {
  struct sc_items_options options;
  struct pending *pending;
  size_t n_pending, capacity;
  struct sc_seen seen;    /* documents and folders that were read */
  struct sc_pages *pages; /* of a search */
  int64_t max_items, n_items;
  struct document document;
};

static void pending_free(struct pending *p) {
  sc_free(p->href);
  sc_free(p->reason);
  memset(p, 0, sizeof *p);
}

static void close_document(struct document *d) {
  cJSON_Delete(d->collection);
  sc_parquet_items_free(d->rows);
  sc_buffer_free(&d->bytes);
  pending_free(&d->from);
  sc_free(d->folder);
  memset(d, 0, sizeof *d);
}

void sc_items_free(struct sc_items *s) {
  if (!s) return;
  close_document(&s->document);
  sc_pages_free(s->pages);
  sc_seen_free(&s->seen);
  for (size_t i = 0; i < s->n_pending; i++) pending_free(&s->pending[i]);
  sc_free(s->pending);
  sc_free(s);
}

void sc_listed_free(struct sc_listed *listed) {
  sc_item_free(&listed->item);
  sc_free(listed->reason);
  sc_free(listed->source);
  memset(listed, 0, sizeof *listed);
}

/* What p owns passes to the stack, also on error. */
static sc_status push(struct sc_items *s, struct pending p, struct sc_error *err) {
  if (s->n_pending == s->capacity) {
    size_t capacity = s->capacity ? 2 * s->capacity : 64;
    struct pending *larger =
        capacity > DOCUMENTS_MAX ? NULL : sc_realloc(s->pending, capacity * sizeof *larger);
    if (!larger) {
      pending_free(&p);
      return sc_fail_nomem(err);
    }
    s->pending = larger;
    s->capacity = capacity;
  }
  s->pending[s->n_pending++] = p;
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

/* What ends the listing, whatever it befell. */
static int is_fatal(sc_status st) { return st == SC_NOMEM || st == SC_INTERRUPT; }

/* List why something cannot be read. source is its text where it has no place of its own. */
static sc_status tell(const char *source, const char *reason, struct sc_listed *out, int *found,
                      struct sc_error *err) {
  sc_listed_free(out);
  sc_status st = sc_strdup(source, &out->source, err);
  if (!st) st = sc_strdup(reason, &out->reason, err);
  *found = !st;
  if (st) sc_listed_free(out);
  return st;
}

/* The same of what *err says; what ends the listing is passed on. */
static sc_status tell_failure(const char *source, struct sc_listed *out, int *found,
                              struct sc_error *err) {
  if (is_fatal(err->status)) return err->status;
  struct sc_error why = *err;
  return tell(source, why.text, out, found, err);
}

/* --- folders and patterns --- */

/* Where what is found in a folder goes. */
struct finding {
  struct sc_items *items;
  int depth;
  enum how how;
};

static sc_status on_found(void *context, char *path, enum sc_found what, const char *reason,
                          struct sc_error *err) {
  struct finding *f = context;
  struct pending p = {.href = path, .depth = f->depth, .how = f->how};
  sc_status st = SC_OK;
  if (reason) st = sc_format(&p.reason, err, "%s: %s", path, reason);
  p.is_passed = what == SC_FOUND_PASSED;
  if (!st) return push(f->items, p, err);
  pending_free(&p);
  return st;
}

static sc_status push_folder(struct sc_items *s, const char *folder, int depth,
                             struct sc_error *err) {
  struct finding f = {s, depth + 1, HOW_IN_FOLDER};
  size_t begin = s->n_pending;
  if (depth >= DEPTH_MAX)
    return sc_fail(err, SC_TOO_BIG, "%s: folders more than %d deep", folder, DEPTH_MAX);
  sc_status st = sc_folder_list(folder, on_found, &f, err);
  reverse_from(s, begin);
  return st;
}

static sc_status push_glob(struct sc_items *s, const char *pattern, struct sc_error *err) {
  struct finding f = {s, 0, HOW_MATCHED};
  size_t begin = s->n_pending;
  sc_status st = sc_folder_glob(pattern, on_found, &f, err);
  reverse_from(s, begin);
  return st;
}

/* --- catalogues --- */

static sc_status push_link(struct sc_items *s, const cJSON *link, struct sc_error *err) {
  const struct document *d = &s->document;
  struct pending p = {.depth = d->from.depth + 1, .how = HOW_LINKED};
  struct sc_error why = {0};
  const char *href = sc_json_text(link, "href"), *method = sc_json_text(link, "method");
  char *absolute = NULL;
  sc_status st = SC_OK;
  if (!href) {
    st = sc_fail(&why, SC_BAD_DATA, "a link without an href");
  } else if (method && strcasecmp(method, "GET") != 0) {
    st = sc_fail(&why, SC_UNSUPPORTED, "a link that asks for %.20s; use stacchip_search()", method);
  }
  if (!st) st = sc_href_resolve_reference(d->folder, href, &absolute, &why);
  if (!st) st = sc_href_allow(absolute, d->origin, &p.href, &why);
  if (st) {
    char shown[600];
    const char *named = absolute ? absolute : href ? href : d->from.href;
    st = is_fatal(st) ? sc_fail_nomem(err) : sc_strdup(named, &p.href, err);
    sc_fail_within(&why, "%s", sc_access_shown(d->from.href, shown, sizeof shown));
    if (!st) st = sc_strdup(why.text, &p.reason, err);
  }
  sc_free(absolute);
  if (!st) return push(s, p, err);
  pending_free(&p);
  return st;
}

/* The links of a document with one of the relations, NULL at the end of their list. */
static sc_status push_links(struct sc_items *s, const cJSON *json, const char *const *relations,
                            struct sc_error *err) {
  const cJSON *links = cJSON_GetObjectItemCaseSensitive(json, "links"), *link;
  size_t begin = s->n_pending;
  sc_status st = SC_OK;
  if (!cJSON_IsArray(links)) return SC_OK;
  cJSON_ArrayForEach(link, links) {
    const char *rel = sc_json_text(link, "rel");
    int is_wanted = 0;
    for (size_t i = 0; rel && relations[i]; i++) is_wanted |= strcmp(rel, relations[i]) == 0;
    if (is_wanted && !st) st = push_link(s, link, err);
  }
  reverse_from(s, begin);
  return st;
}

static sc_status follow_catalog(struct sc_items *s, const cJSON *json, struct sc_error *err) {
  static const char *const relations[] = {"child", "item", "items", NULL};
  char shown[600];
  if (s->document.from.depth >= DEPTH_MAX) {
    return sc_fail(err, SC_TOO_BIG, "%s: catalogues more than %d deep",
                   sc_access_shown(s->document.from.href, shown, sizeof shown), DEPTH_MAX);
  }
  return push_links(s, json, relations, err);
}

/* --- values --- */

static int is_stac(const cJSON *json) {
  const char *type = sc_json_text(json, "type");
  return (!type || strcmp(type, "Feature") == 0) &&
         (cJSON_GetObjectItemCaseSensitive(json, "assets") ||
          (type && cJSON_GetObjectItemCaseSensitive(json, "stac_version")));
}

static int is_catalog(const cJSON *json) {
  const char *type = sc_json_text(json, "type");
  if (type) return strcmp(type, "Catalog") == 0 || strcmp(type, "Collection") == 0;
  return !cJSON_GetObjectItemCaseSensitive(json, "assets") &&
         cJSON_GetObjectItemCaseSensitive(json, "links") &&
         cJSON_GetObjectItemCaseSensitive(json, "stac_version");
}

/* JSON in a folder that is not an item: listed once for each document, where the option asks for
 * it. */
static sc_status pass_over(struct sc_items *s, const char *what, struct sc_listed *out, int *found,
                           struct sc_error *err) {
  struct document *d = &s->document;
  char *reason = NULL;
  if (!s->options.passed_over || d->has_told) return SC_OK;
  d->has_told = 1;
  sc_status st = sc_format(&reason, err, "%s: passed over: %s", d->from.href, what);
  if (!st) st = tell(d->from.href, reason, out, found, err);
  sc_free(reason);
  return st;
}

/* An item from the network may name no local files. */
static void drop_local_hrefs(struct sc_item *item) {
  for (size_t i = 0; i < item->n_assets; i++) {
    const char *href = sc_json_text(item->assets[i].json, "href");
    if (href && !sc_href_is_url(href)) {
      cJSON_DeleteItemFromObjectCaseSensitive((cJSON *)(size_t)item->assets[i].json, "href");
    }
  }
}

/* json passes to out, also on error. */
static sc_status take_item(const struct document *d, cJSON *json, struct sc_item *out,
                           struct sc_error *err) {
  char shown[600];
  sc_status st = sc_item_take(json, d->folder, d->origin, out, err);
  if (!st && d->origin == SC_ORIGIN_NETWORK) drop_local_hrefs(out);
  if (st && d->from.href)
    sc_fail_within(err, "%s", sc_access_shown(d->from.href, shown, sizeof shown));
  return st;
}

/* An item, or why the value is none; of a document that holds others beside it. It passes. */
static sc_status list_one_of_many(const struct document *d, cJSON *json, struct sc_listed *out,
                                  int *found, struct sc_error *err) {
  struct sc_error none = {0};
  char *text = NULL;
  sc_status st = take_item(d, json, &out->item, err);
  *found = !st;
  if (!st) return SC_OK;
  if (sc_item_text(&out->item, &text, &none)) return sc_fail_nomem(err);
  st = tell_failure(text, out, found, err);
  sc_free(text);
  return st;
}

/* A value that is to be an item; it passes. */
static sc_status list_item(struct sc_items *s, cJSON *json, struct sc_listed *out, int *found,
                           struct sc_error *err) {
  const struct document *d = &s->document;
  int is_whole = !d->collection && d->text.n_values <= 1;
  if (d->from.how >= HOW_MATCHED && !d->collection && !is_stac(json)) {
    cJSON_Delete(json);
    return pass_over(s, "no STAC item", out, found, err);
  }
  if (!is_whole) return list_one_of_many(d, json, out, found, err);
  sc_status st = take_item(d, json, &out->item, err);
  *found = !st;
  return !st || d->from.how == HOW_NAMED ? st : tell_failure(d->from.href, out, found, err);
}

static cJSON *list_of(cJSON *json) {
  return cJSON_IsArray(json) ? json : cJSON_GetObjectItemCaseSensitive(json, "features");
}

/* Some of its features may lack what says that they are items: searches leave out fields. */
static int has_stac(cJSON *json) {
  const cJSON *feature;
  cJSON_ArrayForEach(feature, list_of(json)) {
    if (is_stac(feature)) return 1;
  }
  return 0;
}

/* The value passes. */
static sc_status take_collection(struct sc_items *s, cJSON *json, struct sc_listed *out, int *found,
                                 struct sc_error *err) {
  static const char *const relations[] = {"next", NULL};
  struct document *d = &s->document;
  if (d->from.how >= HOW_MATCHED && !has_stac(json)) {
    cJSON_Delete(json);
    return pass_over(s, "no STAC item", out, found, err);
  }
  d->collection = json;
  d->at = list_of(json)->child;
  /* The items of an API's collection come in pages, too. */
  int has_pages = d->from.href && d->origin == SC_ORIGIN_NETWORK && !cJSON_IsArray(json);
  return has_pages ? push_links(s, json, relations, err) : SC_OK;
}

/* The value passes. */
static sc_status take_value(struct sc_items *s, cJSON *json, struct sc_listed *out, int *found,
                            struct sc_error *err) {
  sc_status st = SC_OK;
  if (cJSON_IsArray(list_of(json))) return take_collection(s, json, out, found, err);
  if (!is_catalog(json)) return list_item(s, json, out, found, err);
  if (s->document.from.how == HOW_IN_FOLDER) {
    st = pass_over(s, "a catalogue, whose items lie in the folder, or are named by it itself", out,
                   found, err);
  } else if (follow_catalog(s, json, err)) {
    st = tell_failure(s->document.from.href, out, found, err);
  }
  cJSON_Delete(json);
  return st;
}

/* --- documents --- */

static sc_status read_document(struct document *d, struct sc_error *err) {
  char shown[600];
  int is_parquet = sc_parquet_items_is_name(d->from.href);
  d->origin = sc_href_is_url(d->from.href) ? SC_ORIGIN_NETWORK : SC_ORIGIN_LOCAL;
  sc_status st = sc_href_folder(d->from.href, &d->folder, err);
  if (!st && is_parquet) return sc_parquet_items_open(d->from.href, &d->rows, err);
  if (!st) st = sc_read_whole(d->from.href, SC_ITEM_MAX_BYTES, &d->bytes, err);
  if (st) return st;
  return sc_json_reader_open(&d->text, d->bytes.data, d->bytes.size,
                             sc_access_shown(d->from.href, shown, sizeof shown), err);
}

/* Was it read before, maybe by another name? */
static sc_status is_new(struct sc_items *s, const char *href, int *out, struct sc_error *err) {
  char real[PATH_MAX];
  int is_local = !sc_href_is_url(href) && realpath(href, real);
  return sc_seen_add(&s->seen, is_local ? real : href, NULL, out, err);
}

/* What came by a link or a name was allowed when it was pushed; what lies in a folder is looked at
 * again here, since it may be a link by now. */
static sc_status open_document(struct sc_items *s, struct sc_error *err) {
  struct document *d = &s->document;
  struct stat info;
  int is_first = 0;
  sc_status st = is_new(s, d->from.href, &is_first, err);
  if (st || !is_first) return st;
  if (!sc_href_is_url(d->from.href)) st = sc_href_check(d->from.href, err);
  if (st) return st;
  if (!sc_href_is_url(d->from.href) && stat(d->from.href, &info) == 0 && S_ISDIR(info.st_mode)) {
    return push_folder(s, d->from.href, d->from.depth, err);
  }
  return read_document(d, err);
}

/* The next document of the stack. */
static sc_status next_document(struct sc_items *s, struct sc_listed *out, int *found,
                               struct sc_error *err) {
  struct document *d = &s->document;
  close_document(d);
  d->from = s->pending[--s->n_pending];
  if (d->from.reason) {
    if (d->from.is_passed && !s->options.passed_over) return SC_OK;
    return tell(d->from.href, d->from.reason, out, found, err);
  }
  sc_status st = open_document(s, err);
  if (!st || d->from.how == HOW_NAMED) return st;
  if (st == SC_UNSUPPORTED && d->from.how >= HOW_MATCHED &&
      sc_parquet_items_is_name(d->from.href)) {
    return pass_over(s, "no STAC GeoParquet", out, found, err);
  }
  return tell_failure(d->from.href, out, found, err);
}

/* The next JSON value of the document at hand. */
static sc_status next_value(struct sc_items *s, struct sc_listed *out, int *found,
                            struct sc_error *err) {
  struct document *d = &s->document;
  char shown[600];
  cJSON *json = NULL;
  cJSON_Delete(d->collection);
  d->collection = NULL;
  sc_status st =
      sc_json_reader_next(&d->text, sc_access_shown(d->from.href, shown, sizeof shown), &json, err);
  if (json) return take_value(s, json, out, found, err);
  if (!st || (d->from.how == HOW_NAMED && d->text.n_values <= 1)) return st;
  return tell_failure(d->from.href, out, found, err);
}

/* The next row of the Parquet file at hand. What is wrong with one ends the file. */
static sc_status next_row(struct sc_items *s, struct sc_listed *out, int *found,
                          struct sc_error *err) {
  struct document *d = &s->document;
  cJSON *json = NULL;
  sc_status st = sc_parquet_items_next(d->rows, &json, err);
  if (json) return list_one_of_many(d, json, out, found, err);
  sc_parquet_items_free(d->rows);
  d->rows = NULL;
  if (!st || d->from.how == HOW_NAMED) return st;
  return tell_failure(d->from.href, out, found, err);
}

/* --- taking --- */

static sc_status next_page(struct sc_items *s, struct sc_listed *out, int *found,
                           int (*interrupted)(void *), void *interrupt_context, int *more,
                           struct sc_error *err) {
  cJSON *page = NULL;
  close_document(&s->document);
  sc_status st = sc_pages_next(s->pages, &page, interrupted, interrupt_context, err);
  *more = page != NULL;
  if (!page) return st;
  s->document.origin = SC_ORIGIN_NETWORK;
  return take_collection(s, page, out, found, err);
}

static sc_status next_of_collection(struct sc_items *s, struct sc_listed *out, int *found,
                                    struct sc_error *err) {
  struct document *d = &s->document;
  cJSON *json = d->at;
  d->at = json->next;
  return list_item(s, cJSON_DetachItemViaPointer(list_of(d->collection), json), out, found, err);
}

/* One step: something may have been found. *more is 0 at the end. */
static sc_status step(struct sc_items *s, struct sc_listed *out, int *found,
                      int (*interrupted)(void *), void *interrupt_context, int *more,
                      struct sc_error *err) {
  const struct document *d = &s->document;
  *more = 1;
  if (d->at) return next_of_collection(s, out, found, err);
  if (interrupted && interrupted(interrupt_context))
    return sc_fail(err, SC_INTERRUPT, "interrupted");
  if (d->rows) return next_row(s, out, found, err);
  if (d->text.at < d->text.size) return next_value(s, out, found, err);
  if (s->n_pending) return next_document(s, out, found, err);
  if (s->pages) return next_page(s, out, found, interrupted, interrupt_context, more, err);
  *more = 0;
  return SC_OK;
}

sc_status sc_items_next(struct sc_items *s, struct sc_listed *out, int *found,
                        int (*interrupted)(void *), void *interrupt_context, struct sc_error *err) {
  sc_status st = SC_OK;
  int more = 1;
  memset(out, 0, sizeof *out);
  *found = 0;
  if (s->max_items && s->n_items >= s->max_items) return SC_OK;
  while (!st && more && !*found)
    st = step(s, out, found, interrupted, interrupt_context, &more, err);
  if (st) sc_listed_free(out);
  if (*found && !out->reason) s->n_items++;
  return st;
}

/* --- sources --- */

/* Files of a tree in a store, or that a pattern with ** fits: Parquet ones alone. */
static int is_parquet_tree(const char *source) {
  size_t n = strlen(source);
  if (!sc_href_is_url(source)) return strstr(source, "**") != NULL;
  return sc_href_store_bytes(source) && (source[n - 1] == '/' || strpbrk(source, "*["));
}

static sc_status push_parquet_tree(struct sc_items *s, const char *source, struct sc_error *err) {
  struct sc_files files = {0};
  char *fixed = NULL, *allowed = NULL;
  size_t n = sc_href_is_url(source) ? strlen(source) : sc_glob_fixed_bytes(source);
  sc_status st = sc_strndup(source, n, &fixed, err);
  if (!st) st = sc_href_allow(fixed, SC_ORIGIN_LOCAL, &allowed, err);
  if (!st) st = sc_files_list(source, &files, err);
  for (size_t i = files.n; i-- > 0 && !st;) { /* the stack's top is read first */
    struct pending p = {.how = HOW_MATCHED};
    st = sc_href_allow(files.paths[i], SC_ORIGIN_LOCAL, &p.href, err);
    if (!st) st = push(s, p, err);
  }
  sc_free(fixed);
  sc_free(allowed);
  sc_files_free(&files);
  return st;
}

sc_status sc_items_open(const char *source, const struct sc_items_options *options,
                        struct sc_items **out, struct sc_error *err) {
  struct sc_items *s = sc_alloc_zero(1, sizeof *s);
  struct pending named = {.how = HOW_NAMED};
  char *absolute = NULL;
  struct stat info;
  if (!s) return sc_fail_nomem(err);
  s->options = *options;
  sc_status st = sc_href_locate(source, &absolute, err);
  if (!st && is_parquet_tree(absolute)) {
    st = push_parquet_tree(s, absolute, err);
  } else if (!st && !sc_href_is_url(absolute) && strpbrk(absolute, "*?[") &&
             stat(absolute, &info) != 0) {
    st = push_glob(s, absolute, err);
  } else if (!st) {
    st = sc_href_allow(absolute, SC_ORIGIN_LOCAL, &named.href, err);
    if (!st) st = push(s, named, err);
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
