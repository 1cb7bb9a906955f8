/*
 * libFuzzer: any bytes as the documents of a catalogue, or the answers of a search. Nothing goes
 * over the network, and no file is opened.
 *
 * INPUT  A letter: 'l' a local source, 'n' a remote one, 'p' and 'g' a search by POST and by GET,
 *        then documents, with 0xFF between: of a search its body first. They are given out in
 *        turn, whatever is asked for; behind the last there is nothing.
 */
#include <pthread.h>
#include <stdlib.h>

#define sc_http fuzz_http
#define sc_read_whole fuzz_read_whole
#define sc_pages_open fuzz_pages_open
#define sc_pages_next fuzz_pages_next
#define sc_pages_free fuzz_pages_free
#define pthread_create(thread, attributes, function, data) 1 /* pages come when they are taken */
#include "stac/pages.c"
#undef pthread_create

#define sc_items_open fuzz_items_open
#define sc_items_search fuzz_items_search
#define sc_items_next fuzz_items_next
#define sc_items_free fuzz_items_free
#define sc_listed_free fuzz_listed_free
#define sc_folder_list fuzz_folder_list
#define sc_folder_glob fuzz_folder_glob
#include "stac/items.c"

#include "base/settings.h"
#include "base/sniff.h"

#define STEPS_MAX 2000
#define SEARCH "https://api.example.com/v1/search"

#define MUST(condition) \
  if (!(condition)) abort()

/* Documents to give out. */
static const uint8_t *rest;
static size_t n_rest;
static int is_over, n_asked;

static struct sc_view next_part(void) {
  const uint8_t *end = n_rest ? memchr(rest, 0xFF, n_rest) : NULL;
  struct sc_view v = {rest, end ? (size_t)(end - rest) : n_rest};
  is_over |= !end;
  rest += v.size + (end != NULL);
  n_rest -= v.size + (end != NULL);
  return v;
}

static sc_status give(struct sc_buffer *out, struct sc_error *err) {
  n_asked++;
  if (is_over) return sc_fail(err, SC_NOT_FOUND, "nothing there");
  struct sc_view v = next_part();
  sc_status st = sc_buffer_append(out, v.data, v.size, err);
  return st ? st : sc_buffer_terminate(out, err);
}

sc_status fuzz_read_whole(const char *href, size_t limit, struct sc_buffer *out,
                          struct sc_error *err) {
  MUST(href && *href && limit == SC_ITEM_MAX_BYTES);
  return give(out, err);
}

sc_status fuzz_folder_list(const char *folder, sc_found_function *found, void *context,
                           struct sc_error *err) {
  (void)found, (void)context;
  return sc_fail(err, SC_NOT_FOUND, "%s: no folders here", folder);
}

sc_status fuzz_folder_glob(const char *pattern, sc_found_function *found, void *context,
                           struct sc_error *err) {
  return fuzz_folder_list(pattern, found, context, err);
}

/* What a server may bring the search to send, and to whom. */
static void check_request(const struct sc_http_request *r) {
  int is_own = sc_access_same_origin(SEARCH, r->url), has_key = 0;
  MUST(strncasecmp(r->url, "http", 4) == 0);
  for (int i = 0; r->headers[i]; i++) {
    MUST(!strpbrk(r->headers[i], "\r\n"));
    MUST(strncasecmp(r->headers[i], "host:", 5) != 0);
    if (strncmp(r->headers[i], "Key: ", 5) == 0) has_key += strcmp(r->headers[i], "Key: mine") == 0;
    if (!is_own) MUST(strncmp(r->headers[i], "Accept:", 7) == 0);
  }
  MUST(has_key == is_own);
  MUST(is_own || (!r->body && strcmp(r->method, "GET") == 0));
}

sc_status fuzz_http(struct sc_http_request *requests, size_t n, int (*interrupted)(void *),
                    void *interrupt_context, struct sc_error *err) {
  (void)interrupted, (void)interrupt_context;
  MUST(n == 1);
  check_request(requests);
  return give(&requests->response, err);
}

static void check_text(const char *text) {
  MUST(text && sc_sniff_utf8(text, strlen(text)) == strlen(text));
}

static void check_listed(const struct sc_listed *l) {
  struct sc_error err = {0};
  char *text = NULL;
  if (l->reason) {
    check_text(l->reason);
    check_text(l->source);
    return;
  }
  MUST(l->item.id && l->item.id[0]);
  if (sc_item_text(&l->item, &text, &err) == SC_OK) check_text(text);
  sc_free(text);
}

static void drain(struct sc_items *items) {
  struct sc_error err = {0};
  struct sc_listed listed;
  int found = 1;
  for (int i = 0; i < STEPS_MAX && found; i++) {
    sc_status st = fuzz_items_next(items, &listed, &found, NULL, NULL, &err);
    MUST(!st || !found);
    if (st) check_text(err.text);
    if (found) check_listed(&listed);
    fuzz_listed_free(&listed);
  }
  fuzz_items_free(items);
}

static sc_status open_search(int use_get, struct sc_items **out, struct sc_error *err) {
  struct sc_view v = next_part();
  char *query = NULL;
  cJSON *headers = cJSON_Parse("{\"Key\":\"mine\"}");
  struct sc_search_options options = {.use_get = use_get, .headers = headers};
  sc_status st = sc_strndup(v.size ? (const char *)v.data : "", v.size, &query, err);
  if (!st) st = fuzz_items_search("https://api.example.com/v1", query, &options, out, err);
  sc_free(query);
  cJSON_Delete(headers);
  return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sc_items_options options = {.passed_over = size & 1};
  struct sc_items *items = NULL;
  struct sc_error err = {0};
  if (!size) return 0;
  rest = data + 1;
  n_rest = size - 1;
  is_over = n_asked = 0;
  sc_status st = data[0] == 'p' || data[0] == 'g'
                     ? open_search(data[0] == 'g', &items, &err)
                     : fuzz_items_open(data[0] == 'n' ? "https://cat.example.com/a/catalog.json"
                                                      : "/fuzz/c.json",
                                       &options, &items, &err);
  if (st) check_text(err.text);
  if (!st) drain(items);
  return 0;
}
