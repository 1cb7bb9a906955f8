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

#include "base/access.h"
#include "base/alloc.h"
#include "base/poll.h"
#include "raster/raster_api.h"

#define EMPTY_PAGES_MAX 100 /* in a row: a server that pages for ever */

/* One request and its answer. */
struct page_request {
  char *url, *body; /* owned; body NULL for GET */
  struct sc_http_request http;
  char *header_text;
  const char *headers[20];
  char *owned_headers[16];
};

struct sc_pages {
  char *first_body;          /* of the search, for "merge"; owned */
  cJSON *headers;            /* the caller's, copied; may be NULL */
  char host[256];            /* of the search; "" before its first request */
  struct page_request *next; /* to be taken next; NULL at the end */
  pthread_t thread;
  int is_running; /* thread fetches `next` */
  atomic_int cancel;
  int n_empty;
};

static void request_free(struct page_request *r) {
  if (!r) return;
  for (size_t i = 0; i < sizeof r->owned_headers / sizeof *r->owned_headers; i++)
    sc_free(r->owned_headers[i]);
  sc_buffer_free(&r->http.answer);
  sc_free(r->url);
  sc_free(r->body);
  sc_free(r);
}

static sc_status add_headers(struct page_request *r, const cJSON *headers, int *n, int *n_owned,
                             struct sc_error *err) {
  const cJSON *h;
  cJSON_ArrayForEach(h, headers) {
    if (!cJSON_IsString(h) || *n_owned >= 16) continue;
    if (strpbrk(h->valuestring, "\r\n") || strpbrk(h->string, "\r\n:")) {
      return sc_fail(err, SC_BAD_ARG, "header %.40s: a line break or colon in it", h->string);
    }
    sc_status st = sc_format(&r->owned_headers[*n_owned], err, "%s: %s", h->string, h->valuestring);
    if (st) return st;
    r->headers[(*n)++] = r->owned_headers[(*n_owned)++];
  }
  return SC_OK;
}

/* The caller's headers may be a key: they go to the host that it named, not where a link leads. */
static int is_own_host(const struct sc_pages *p, const char *url) {
  char host[256];
  sc_access_url_host(url, host, sizeof host);
  return !p->host[0] || strcasecmp(host, p->host) == 0;
}

/* url and body pass to the request, also on error. */
static sc_status request_new(const struct sc_pages *p, char *url, char *body,
                             const cJSON *link_headers, struct page_request **out,
                             struct sc_error *err) {
  struct page_request *r = sc_alloc_zero(1, sizeof *r);
  int n = 0, n_owned = 0;
  if (!r) {
    sc_free(url);
    sc_free(body);
    return sc_fail_nomem(err);
  }
  r->url = url;
  r->body = body;
  r->headers[n++] = "Accept: application/geo+json, application/json";
  if (body) r->headers[n++] = "Content-Type: application/json";
  sc_status st = is_own_host(p, url) ? add_headers(r, p->headers, &n, &n_owned, err) : SC_OK;
  if (!st) st = add_headers(r, link_headers, &n, &n_owned, err);
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
  const struct sc_raster_api *raster = sc_raster(&first);
  sc_status st = raster ? raster->http(&p->next->http, 1, is_cancelled, p, &first) : first.status;
  if (st) {
    *err = first;
  } else {
    sc_settle(err, st);
  }
  return NULL;
}

/* Begin to fetch the next page; without a thread it is fetched when it is taken. */
static void start(struct sc_pages *p) {
  if (p->next && !p->is_running) p->is_running = pthread_create(&p->thread, NULL, fetch, p) == 0;
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

static sc_status request_of_link(struct sc_pages *p, const char *page_url, const cJSON *link,
                                 struct page_request **out, struct sc_error *err) {
  const char *href = sc_json_text(link, "href"), *method = sc_json_text(link, "method");
  char *folder = NULL, *absolute = NULL, *url = NULL, *body = NULL;
  int is_post = method && strcasecmp(method, "POST") == 0;
  sc_status st = href ? sc_href_folder(page_url, &folder, err)
                      : sc_fail(err, SC_BAD_DATA, "%s: its next link has no href", page_url);
  if (!st) st = sc_href_resolve(folder, href, &absolute, err);
  if (!st) st = sc_href_allow(absolute, SC_ORIGIN_NETWORK, &url, err);
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

static int is_same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* Find what comes after a page, and begin to fetch it. */
static sc_status advance(struct sc_pages *p, struct page_request *done, const cJSON *page,
                         struct sc_error *err) {
  const cJSON *link = next_link(page),
              *features = cJSON_GetObjectItemCaseSensitive(page, "features");
  struct page_request *next = NULL;
  p->next = NULL;
  if (!link) return SC_OK;
  p->n_empty = cJSON_GetArraySize(features) ? 0 : p->n_empty + 1;
  sc_status st = request_of_link(p, done->url, link, &next, err);
  if (st) return st;
  if ((is_same(next->url, done->url) && is_same(next->body, done->body)) ||
      p->n_empty > EMPTY_PAGES_MAX) {
    char shown[600];
    sc_access_shown(done->url, shown, sizeof shown);
    request_free(next);
    return sc_fail(err, SC_BAD_DATA,
                   "%s: its next link leads back to itself, or on through empty pages", shown);
  }
  p->next = next;
  start(p);
  return SC_OK;
}

/* --- the pages --- */

static sc_status search_url(const char *url, char **out, struct sc_error *err) {
  size_t n = strlen(url);
  char *resolved = NULL, *whole = NULL;
  while (n && url[n - 1] == '/') n--;
  int is_search = n >= 7 && strncmp(url + n - 7, "/search", 7) == 0;
  if (!sc_href_is_url(url)) return sc_fail(err, SC_BAD_ARG, "%s: not the URL of a STAC API", url);
  sc_status st =
      sc_format(&whole, err, "%.*s%s", (int)n, url, is_search || strchr(url, '?') ? "" : "/search");
  if (!st) st = sc_href_resolve(NULL, whole, &resolved, err);
  if (!st) st = sc_href_allow(resolved, SC_ORIGIN_LOCAL, out, err);
  sc_free(whole);
  sc_free(resolved);
  return st;
}

static sc_status append_escaped(struct sc_buffer *b, const char *text, struct sc_error *err) {
  sc_status st = SC_OK;
  for (; *text && !st; text++) {
    unsigned char c = (unsigned char)*text;
    int plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                strchr("-._~,:/", c);
    st = plain ? sc_buffer_append(b, text, 1, err) : sc_buffer_printf(b, err, "%%%02X", c);
  }
  return st;
}

/* A search body as a query string: arrays of plain values by commas, objects as JSON. */
static sc_status query_string(const cJSON *query, struct sc_buffer *out, struct sc_error *err) {
  const cJSON *member, *value;
  sc_status st = SC_OK;
  cJSON_ArrayForEach(member, query) {
    int first = 1, is_list = cJSON_IsArray(member);
    char *text = is_list || cJSON_IsString(member) ? NULL : cJSON_PrintUnformatted(member);
    if (!st) st = sc_buffer_append_text(out, out->size ? "&" : "?", err);
    if (!st) st = append_escaped(out, member->string, err);
    if (!st) st = sc_buffer_append_text(out, "=", err);
    if (!st && text) st = append_escaped(out, text, err);
    if (!st && cJSON_IsString(member)) st = append_escaped(out, member->valuestring, err);
    for (value = is_list ? member->child : NULL; value && !st; value = value->next) {
      char *one = cJSON_IsString(value) ? NULL : cJSON_PrintUnformatted(value);
      if (!first) st = sc_buffer_append_text(out, ",", err);
      if (!st) st = append_escaped(out, one ? one : value->valuestring, err);
      first = 0;
      cJSON_free(one);
    }
    cJSON_free(text);
  }
  return st ? st : sc_buffer_terminate(out, err);
}

static sc_status first_request(struct sc_pages *p, const char *url, const cJSON *query, int use_get,
                               struct sc_error *err) {
  char *whole = NULL, *body = NULL, *with_query = NULL;
  struct sc_buffer text = {0};
  sc_status st = search_url(url, &whole, err);
  if (!st && use_get) {
    st = query_string(query, &text, err);
    if (!st) st = sc_format(&with_query, err, "%s%s", whole, text.data ? (char *)text.data : "");
    sc_free(whole);
    whole = with_query;
  } else if (!st) {
    st = sc_strdup(p->first_body, &body, err);
  }
  sc_buffer_free(&text);
  if (st) {
    sc_free(whole);
    sc_free(body);
    return st;
  }
  st = request_new(p, whole, body, NULL, &p->next, err);
  if (!st) sc_access_url_host(p->next->url, p->host, sizeof p->host);
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
    st = sc_fail(err, SC_BAD_ARG, "stacchip_search: the query is no JSON object: %.60s", query);
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
  sc_free(p->first_body);
  sc_free(p);
}

sc_status sc_pages_next(struct sc_pages *p, cJSON **out, int (*interrupted)(void *),
                        void *interrupt_context, struct sc_error *err) {
  char shown[600];
  struct page_request *done = p->next;
  *out = NULL;
  if (!done) return SC_OK;
  if (interrupted && interrupted(interrupt_context))
    return sc_fail(err, SC_INTERRUPT, "interrupted");
  start(p); /* the first page, and where no thread was to be had before */
  if (!p->is_running) fetch(p);
  wait(p, interrupted, interrupt_context);
  sc_status st = done->http.err.status;
  if (st) *err = done->http.err;
  if (!st) {
    *out = cJSON_ParseWithLength((char *)done->http.answer.data, done->http.answer.size);
    if (!cJSON_IsObject(*out)) {
      st = sc_fail(err, SC_BAD_DATA, "%s: the answer is no JSON object: %.*s",
                   sc_access_shown(done->url, shown, sizeof shown),
                   (int)(done->http.answer.size < 40 ? done->http.answer.size : 40),
                   done->http.answer.data ? (char *)done->http.answer.data : "");
    }
  }
  p->next = NULL;
  if (!st) st = advance(p, done, *out, err);
  request_free(done);
  if (st) {
    cJSON_Delete(*out);
    *out = NULL;
  }
  return st;
}
