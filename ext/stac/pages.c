/*
 * The pages of a STAC API search; see pages.h.
 * STAC API, item search, "paging": a link with rel "next" that is a GET, or a POST whose body
 * replaces the request's or, with "merge", is laid over it. Where a POST link has no "merge",
 * its body is complete.
 */
#include "stac/pages.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/poll.h"
#include "base/thread.h"
#include "http/http_api.h"
#include "stac/json_reader.h"
#include "stac/search_query.h"
#include "stac/seen.h"
#include "store/access.h"

#define MAX_HEADERS 32
/* Pages in a row without an item that is new, before they are taken to go on for ever. */
#define IDLE_PAGES_MAX 8

/* One request and its answer. */
struct page_request {
  char *url, *body; /* owned; body NULL for GET */
  struct sc_http_request http;
  const char *headers[MAX_HEADERS + 3]; /* two of our own, and NULL */
  char *owned_headers[MAX_HEADERS];
};

struct sc_pages {
  char *first_body;          /* of the search, for "merge"; owned */
  cJSON *headers;            /* the caller's, copied; may be NULL */
  char *url;                 /* of the search; owned; NULL before its first request */
  struct page_request *next; /* to be taken next; NULL at the end */
  int n_pages;               /* taken */
  struct sc_seen requests, items;
  pthread_t thread;
  int is_running; /* thread fetches `next` */
  atomic_int cancel;
  struct sc_error after; /* what its next link says once the items of a page are taken */
  int n_idle;            /* pages in a row without a new item */
};

static void request_free(struct page_request *r) {
  if (!r) return;
  for (size_t i = 0; i < sizeof r->owned_headers / sizeof *r->owned_headers; i++)
    sc_free(r->owned_headers[i]);
  sc_buffer_free(&r->http.response);
  sc_free(r->url);
  sc_free(r->body);
  sc_free(r);
}

static sc_status add_header(struct page_request *r, const cJSON *h, int *n, struct sc_error *err) {
  size_t at = 0;
  while (at < MAX_HEADERS && r->owned_headers[at]) at++;
  if (at == MAX_HEADERS)
    return sc_fail(err, SC_TOO_BIG, "more than %d headers for a request", MAX_HEADERS);
  sc_status st = sc_format(&r->owned_headers[at], err, "%s: %s", h->string, h->valuestring);
  if (!st) r->headers[(*n)++] = r->owned_headers[at];
  return st;
}

static int is_header(const cJSON *h) {
  return cJSON_IsString(h) && h->string[0] && !strpbrk(h->valuestring, "\r\n") &&
         !strpbrk(h->string, "\r\n: \t");
}

static sc_status add_own_headers(struct page_request *r, const cJSON *headers, int *n,
                                 struct sc_error *err) {
  const cJSON *h;
  cJSON_ArrayForEach(h, headers) {
    if (!is_header(h)) {
      return sc_fail(err, SC_BAD_ARG, "header '%.40s': expected a text without line breaks",
                     h->string);
    }
    if (add_header(r, h, n, err)) return err->status;
  }
  return SC_OK;
}

/*
 * A server may ask for a header of its own with its next page ("Search-After"). It may not say who
 * asks, whom, through what, or how the body is framed; nor set what opens metadata services.
 * Source: RFC 9110, section 7.6.1 (headers of the connection).
 */
static int is_for_servers(const char *name) {
  static const char *const kept_back[] = {
      "Host",   "Authorization", "Cookie",         "Connection",        "Keep-Alive",
      "TE",     "Upgrade",       "Trailer",        "Transfer-Encoding", "Expect",
      "Range",  "Via",           "Content-Length", "Content-Type",      "Forwarded",
      "Origin", "Referer",       "Metadata",       "Metadata-Flavor",   "Accept-Encoding"};
  static const char *const families[] = {"Proxy-", "X-Forwarded", "X-Amz-",
                                         "X-Aws-", "X-Goog-",     "X-Ms-",
                                         "Sec-",   "X-Real-IP",   "X-HTTP-Method"};
  for (size_t i = 0; i < sizeof kept_back / sizeof *kept_back; i++) {
    if (strcasecmp(name, kept_back[i]) == 0) return 0;
  }
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    if (strncasecmp(name, families[i], strlen(families[i])) == 0) return 0;
  }
  return 1;
}

/* The headers of a next link, where they are not the caller's. */
static sc_status add_link_headers(struct page_request *r, const cJSON *own, const cJSON *headers,
                                  int *n, struct sc_error *err) {
  const cJSON *h;
  if (!cJSON_IsObject(headers)) return SC_OK;
  cJSON_ArrayForEach(h, headers) {
    if (!is_header(h) || !is_for_servers(h->string) || cJSON_GetObjectItem(own, h->string))
      continue;
    if (add_header(r, h, n, err)) return err->status;
  }
  return SC_OK;
}

/* The caller's headers may be a key: they go to the server that it named, not where a link leads.
 * url and body pass to the request, also on error. */
static sc_status request_new(const struct sc_pages *p, char *url, char *body,
                             const cJSON *link_headers, struct page_request **out,
                             struct sc_error *err) {
  struct page_request *r = sc_alloc_zero(1, sizeof *r);
  int n = 0, is_own = !p->url || sc_access_same_origin(p->url, url);
  if (!r) {
    sc_free(url);
    sc_free(body);
    return sc_fail_nomem(err);
  }
  r->url = url;
  r->body = body;
  r->headers[n++] = "Accept: application/geo+json, application/json";
  if (body) r->headers[n++] = "Content-Type: application/json";
  sc_status st = is_own ? add_own_headers(r, p->headers, &n, err) : SC_OK;
  if (!st && is_own) st = add_link_headers(r, p->headers, link_headers, &n, err);
  r->http.method = body ? "POST" : "GET";
  r->http.url = url;
  r->http.headers = r->headers;
  r->http.body = body;
  r->http.body_size = body ? strlen(body) : 0;
  r->http.limit_bytes = SC_ITEM_MAX_BYTES;
  if (st) {
    request_free(r);
    return st;
  }
  *out = r;
  return SC_OK;
}

/* --- fetching --- */

static int is_cancelled(void *pages) { return atomic_load(&((struct sc_pages *)pages)->cancel); }

static void *fetch(void *pages) {
  struct sc_pages *p = pages;
  struct sc_error *err = &p->next->http.err;
  struct sc_error first = {0};
  sc_status st = sc_http(&p->next->http, 1, is_cancelled, p, &first);
  if (st) {
    *err = first;
  } else {
    sc_settle(err, st);
  }
  return NULL;
}

/* Begin to fetch the next page; without a thread it is fetched when it is taken. */
static void start(struct sc_pages *p) {
  if (p->next && !p->is_running) p->is_running = sc_thread_start(&p->thread, fetch, p);
}

static void wait(struct sc_pages *p, int (*interrupted)(void *), void *interrupt_context) {
  while (p->is_running) {
    if (interrupted && interrupted(interrupt_context)) atomic_store(&p->cancel, 1);
    struct timespec until = sc_next_poll(CLOCK_REALTIME);
    if (pthread_timedjoin_np(p->thread, NULL, &until) == 0) p->is_running = 0;
  }
}

/* --- links --- */

/* The body of a POST link, with "merge" laid over the search's own. */
static sc_status link_body(const struct sc_pages *p, const cJSON *link, char **out,
                           struct sc_error *err) {
  const cJSON *body = cJSON_GetObjectItemCaseSensitive(link, "body"), *member;
  int merge = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(link, "merge"));
  *out = NULL;
  if (!cJSON_IsObject(body)) return sc_strdup(p->first_body, out, err);
  cJSON *whole = merge ? cJSON_Parse(p->first_body) : cJSON_CreateObject();
  if (!whole) return sc_fail_nomem(err);
  cJSON_ArrayForEach(member, body) {
    cJSON_DeleteItemFromObjectCaseSensitive(whole, member->string);
    cJSON_AddItemToObject(whole, member->string, cJSON_Duplicate(member, 1));
  }
  char *text = cJSON_PrintUnformatted(whole);
  cJSON_Delete(whole);
  sc_status st = text ? sc_strdup(text, out, err) : sc_fail_nomem(err);
  cJSON_free(text);
  return st;
}

/* Where a next link leads may be any server, but what the caller sends may not go there. */
static sc_status check_link(const struct sc_pages *p, const char *url, int is_post,
                            struct sc_error *err) {
  char shown[600];
  if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
    return sc_fail(err, SC_DENIED, "its next link is not of http or https: %s",
                   sc_access_shown(url, shown, sizeof shown));
  }
  if (is_post && !sc_access_same_origin(p->url, url)) {
    return sc_fail(err, SC_DENIED,
                   "its next link would send the search to another server by POST: %s",
                   sc_access_shown(url, shown, sizeof shown));
  }
  return SC_OK;
}

static sc_status request_of_link(struct sc_pages *p, const char *page_url, const cJSON *link,
                                 struct page_request **out, struct sc_error *err) {
  const char *href = sc_json_text(link, "href"), *method = sc_json_text(link, "method");
  char *folder = NULL, *absolute = NULL, *url = NULL, *body = NULL;
  int is_post = method && strcasecmp(method, "POST") == 0;
  sc_status st = href ? sc_href_folder(page_url, &folder, err)
                      : sc_fail(err, SC_BAD_DATA, "its next link has no href");
  if (!st && method && !is_post && strcasecmp(method, "GET") != 0)
    st = sc_fail(err, SC_BAD_DATA, "its next link asks for %.20s, neither GET nor POST", method);
  if (!st) st = sc_href_resolve(folder, href, &absolute, err);
  if (!st) st = sc_href_allow(absolute, SC_ORIGIN_NETWORK, &url, err);
  if (!st) st = check_link(p, url, is_post, err);
  if (!st && is_post) st = link_body(p, link, &body, err);
  sc_free(folder);
  sc_free(absolute);
  if (st) {
    sc_free(url);
    return st;
  }
  return request_new(p, url, body, cJSON_GetObjectItemCaseSensitive(link, "headers"), out, err);
}

static const cJSON *next_link(const cJSON *page) {
  const cJSON *links = cJSON_GetObjectItemCaseSensitive(page, "links"), *link;
  if (!cJSON_IsArray(links)) return NULL;
  cJSON_ArrayForEach(link, links) {
    const char *rel = sc_json_text(link, "rel");
    if (rel && strcmp(rel, "next") == 0) return link;
  }
  return NULL;
}

/* Count the page as idle unless one of its items is new. */
static sc_status look_for_new(struct sc_pages *p, const cJSON *features, struct sc_error *err) {
  const cJSON *item;
  int has_new = 0;
  sc_status st = SC_OK;
  cJSON_ArrayForEach(item, features) {
    const char *id = sc_json_text(item, "id"), *collection = sc_json_text(item, "collection");
    int is_new = 0;
    if (!st && id) st = sc_seen_add(&p->items, id, collection, &is_new, err);
    has_new |= is_new;
  }
  p->n_idle = has_new ? 0 : p->n_idle + 1;
  return st;
}

/* A request that was made before, or pages that bring nothing: it would go on for ever. */
static sc_status check_progress(struct sc_pages *p, const struct page_request *next,
                                struct sc_error *err) {
  int is_new;
  if (sc_seen_add(&p->requests, next->url, next->body ? next->body : "", &is_new, err))
    return err->status;
  if (!is_new) return sc_fail(err, SC_BAD_DATA, "its next link leads back to an earlier page");
  if (p->n_idle < IDLE_PAGES_MAX) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "its next link leads on, after %d pages without a new item",
                 p->n_idle);
}

/* Find what comes after a page, and begin to fetch it. */
static sc_status advance(struct sc_pages *p, const struct page_request *done, const cJSON *page,
                         struct sc_error *err) {
  const cJSON *link = next_link(page);
  struct page_request *next = NULL;
  p->next = NULL;
  if (!link) return SC_OK;
  sc_status st = look_for_new(p, cJSON_GetObjectItemCaseSensitive(page, "features"), err);
  if (!st) st = request_of_link(p, done->url, link, &next, err);
  if (!st) st = check_progress(p, next, err);
  if (st) {
    request_free(next);
    return st;
  }
  p->next = next;
  start(p);
  return SC_OK;
}

/* --- the pages --- */

/* The search's endpoint of an API's root, or of itself; a query (a key, say) stays. */
static sc_status search_url(const char *url, char **out, struct sc_error *err) {
  size_t end = strcspn(url, "?#"), n = end;
  char *resolved = NULL, *whole = NULL;
  while (n && url[n - 1] == '/') n--;
  int is_search = n >= 7 && strncmp(url + n - 7, "/search", 7) == 0;
  if (!sc_href_is_url(url)) return sc_fail(err, SC_BAD_ARG, "%s: not the URL of a STAC API", url);
  sc_status st = sc_format(&whole, err, "%.*s%s%.*s", (int)n, url, is_search ? "" : "/search",
                           (int)strcspn(url + end, "#"), url + end);
  if (!st) st = sc_href_resolve(NULL, whole, &resolved, err);
  if (!st) st = sc_href_allow(resolved, SC_ORIGIN_LOCAL, out, err);
  sc_free(whole);
  sc_free(resolved);
  return st;
}

static sc_status with_query(char **url, const cJSON *query, struct sc_error *err) {
  struct sc_buffer text = {0};
  char *whole = NULL;
  sc_status st = sc_search_query(query, &text, err);
  if (!st && text.size)
    st = sc_format(&whole, err, "%s%s%s", *url, strchr(*url, '?') ? "&" : "?", (char *)text.data);
  sc_buffer_free(&text);
  if (st || !whole) return st;
  sc_free(*url);
  *url = whole;
  return SC_OK;
}

static sc_status first_request(struct sc_pages *p, const char *url, const cJSON *query, int use_get,
                               struct sc_error *err) {
  char *whole = NULL, *body = NULL;
  int is_new;
  sc_status st = search_url(url, &whole, err);
  if (!st) st = use_get ? with_query(&whole, query, err) : sc_strdup(p->first_body, &body, err);
  if (st) {
    sc_free(whole);
    sc_free(body);
    return st;
  }
  st = request_new(p, whole, body, NULL, &p->next, err);
  if (!st) st = sc_strdup(p->next->url, &p->url, err);
  if (!st) st = sc_seen_add(&p->requests, p->url, body ? body : "", &is_new, err);
  return st;
}

sc_status sc_pages_open(const char *url, const char *query, const struct sc_search_options *options,
                        struct sc_pages **out, struct sc_error *err) {
  struct sc_pages *p = sc_alloc_zero(1, sizeof *p);
  cJSON *body = query && *query ? cJSON_ParseWithOpts(query, NULL, 1) : cJSON_CreateObject();
  char *text = cJSON_IsObject(body) ? cJSON_PrintUnformatted(body) : NULL;
  sc_status st = SC_OK;
  if (!p) {
    st = sc_fail_nomem(err);
  } else if (!text) {
    st = sc_fail(err, SC_BAD_ARG, "stacchip_search: the query is not a JSON object: %.60s", query);
  } else {
    st = sc_strdup(text, &p->first_body, err);
    p->headers = cJSON_Duplicate(options->headers, 1);
    if (!st) st = first_request(p, url, body, options->use_get, err);
  }
  cJSON_free(text);
  cJSON_Delete(body);
  if (st) {
    sc_pages_free(p);
    return st;
  }
  *out = p;
  return SC_OK;
}

void sc_pages_free(struct sc_pages *p) {
  if (!p) return;
  atomic_store(&p->cancel, 1);
  if (p->is_running) pthread_join(p->thread, NULL);
  request_free(p->next);
  cJSON_Delete(p->headers);
  sc_seen_free(&p->requests);
  sc_seen_free(&p->items);
  sc_free(p->first_body);
  sc_free(p->url);
  sc_free(p);
}

static sc_status parse_page(const struct page_request *done, cJSON **out, struct sc_error *err) {
  const struct sc_buffer *answer = &done->http.response;
  sc_status st = sc_json_reader_one(answer->data, answer->size, "its answer", out, err);
  if (st) return st;
  if (cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(*out, "features"))) return SC_OK;
  return sc_fail(err, SC_BAD_DATA, "the response is not a FeatureCollection: it has no features");
}

sc_status sc_pages_next(struct sc_pages *p, cJSON **out, int (*interrupted)(void *),
                        void *interrupt_context, struct sc_error *err) {
  char shown[600];
  struct page_request *done = p->next;
  *out = NULL;
  if (!done && p->after.status) *err = p->after;
  if (!done) return p->after.status;
  if (interrupted && interrupted(interrupt_context))
    return sc_fail(err, SC_INTERRUPT, "interrupted");
  start(p); /* the first page, and where no thread was to be had before */
  if (!p->is_running) fetch(p);
  wait(p, interrupted, interrupt_context);
  p->n_pages++;
  sc_status st = done->http.err.status;
  if (st) *err = done->http.err; /* it names the URL */
  p->next = NULL;
  sc_access_shown(done->url, shown, sizeof shown);
  if (st) {
    if (p->n_pages > 1) sc_fail_within(err, "page %d of the search", p->n_pages);
  } else {
    st = parse_page(done, out, err);
    if (!st && advance(p, done, *out, &p->after)) {
      sc_fail_within(&p->after, "%s: page %d of the search", shown, p->n_pages);
    }
    if (st) sc_fail_within(err, "%s: page %d of the search", shown, p->n_pages);
  }
  request_free(done);
  if (st) {
    cJSON_Delete(*out);
    *out = NULL;
  }
  return st;
}
