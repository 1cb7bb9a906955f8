/*
 * HTTP requests by one curl multi handle on its own thread; see client.h.
 *
 * HOW IT WORKS  sc_http_perform() puts transfers into an inbox, wakes the thread and waits.
 * The thread adds them to the multi handle, and puts each into its batch's count when it has
 * ended for good: retries and redirects go round inside. A batch lives on its caller's stack;
 * a caller that is interrupted marks the batch and waits until the thread has let go of it.
 */
#include "http/client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/poll.h"
#include "base/thread.h"
#include "http/certificates.h"
#include "http/limits.h"
#include "http/sign.h"
#include "stacchip.h"
#include "store/access.h"

struct batch {
  pthread_cond_t done;
  int n_left;    /* guarded by lock */
  int cancelled; /* set by the caller, seen by the thread; guarded by lock */
};

/* One request on its way. */
struct transfer {
  struct sc_http_request *request;
  struct batch *batch;
  struct sc_signed wire; /* what is asked */
  char *redirect;        /* URL of the last redirect; owned; NULL: the request's own */
  int n_redirects, n_tries;
  int64_t not_before_ms; /* of a retry */
  CURL *easy;
  struct curl_slist *headers;
  struct sc_buffer body;
  size_t limit;
  int too_big, refused_address;
  int asks_whole; /* a range was refused that the file may hold: all of it is asked for */
  int slot;       /* of its host */
  /* from the response's headers: */
  char etag[128], modified[64], content_range[96], encoding[32], type[128];
  int retry_after_s;
  struct transfer *link;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct transfer *inbox; /* newest first; guarded by lock */
static CURLM *multi;           /* made once, used by the thread */
static int is_running;
static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

const char *sc_http_version(void) { return curl_version(); }

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- responses --- */

#define ERROR_MAX_BYTES ((size_t)64 << 10) /* kept of a response that is no success */

static size_t on_body(char *bytes, size_t size, size_t n, void *transfer) {
  struct transfer *t = transfer;
  struct sc_error ignored = {0};
  long status = 0;
  (void)size;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 300) { /* the server's words for an error; the request's limit is not for them */
    size_t room = ERROR_MAX_BYTES - t->body.size;
    sc_buffer_append(&t->body, bytes, n < room ? n : room, &ignored);
    return n;
  }
  if (t->body.size + n > t->limit) {
    t->too_big = 1;
    return 0;
  }
  /* A range's size is known: room for all of it at once, not by growing. */
  if (t->body.size == 0 && t->request->size && t->request->size <= t->limit &&
      sc_buffer_reserve(&t->body, (size_t)t->request->size, &ignored)) {
    return 0;
  }
  return sc_buffer_append(&t->body, bytes, n, &ignored) ? 0 : n;
}

static void take_header(const char *line, size_t n, const char *name, char *out, size_t size) {
  size_t m = strlen(name);
  if (n <= m || strncasecmp(line, name, m) != 0) return;
  while (m < n && (line[m] == ' ' || line[m] == '\t')) m++;
  while (n > m && strchr("\r\n ", line[n - 1])) n--;
  snprintf(out, size, "%.*s", (int)(n - m), line + m);
}

static size_t on_header(char *line, size_t size, size_t n, void *transfer) {
  struct transfer *t = transfer;
  char seconds[32] = "";
  (void)size;
  if (n >= 5 && strncasecmp(line, "HTTP/", 5) == 0) { /* a new response: 100, then the real one */
    t->etag[0] = t->modified[0] = t->content_range[0] = t->encoding[0] = t->type[0] = '\0';
    t->retry_after_s = 0;
  }
  take_header(line, n, "etag:", t->etag, sizeof t->etag);
  take_header(line, n, "last-modified:", t->modified, sizeof t->modified);
  take_header(line, n, "content-range:", t->content_range, sizeof t->content_range);
  take_header(line, n, "content-encoding:", t->encoding, sizeof t->encoding);
  take_header(line, n, "content-type:", t->type, sizeof t->type);
  take_header(line, n, "retry-after:", seconds, sizeof seconds);
  if (seconds[0]) t->retry_after_s = (int)strtol(seconds, NULL, 10);
  return n;
}

static curl_socket_t open_socket(void *transfer, curlsocktype purpose, struct curl_sockaddr *a) {
  struct transfer *t = transfer;
  char hosts[4096];
  (void)purpose;
  sc_http_hosts(hosts, sizeof hosts);
  if (!sc_access_address(hosts, &a->addr)) {
    t->refused_address = 1;
    return CURL_SOCKET_BAD;
  }
  return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* --- asking --- */

static const char *shown_url(const struct transfer *t, char *out, size_t n) {
  return sc_access_shown(t->request->url, out, n);
}

/* The host that libcurl will ask for, without brackets; "" where it finds none. */
static void host_of(const char *url, char *out, size_t n) {
  CURLU *parts = curl_url();
  char *host = NULL;
  out[0] = '\0';
  if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    int bracket = host[0] == '[';
    if (strlen(host) < n)
      snprintf(out, n, "%.*s", (int)strcspn(host + bracket, "]"), host + bracket);
  }
  curl_free(host);
  curl_url_cleanup(parts);
}

/* Apply the rules to the host's name or literal address: behind a proxy, which resolves names
 * itself, that is the only check. Asked of the host as we parse the URL and as libcurl does: a URL
 * on which the two disagree must pass for both. */
static sc_status check_host(const struct transfer *t, struct sc_error *err) {
  char hosts[4096], host[256], asked[256], shown[512];
  const char *url = t->redirect ? t->redirect : t->wire.url;
  sc_http_hosts(hosts, sizeof hosts);
  sc_access_url_host(url, host, sizeof host);
  host_of(url, asked, sizeof asked);
  if (host[0] && asked[0] && sc_access_host(hosts, host) && sc_access_host(hosts, asked)) {
    return SC_OK;
  }
  if (!host[0] || !asked[0]) {
    return sc_fail(err, SC_DENIED,
                   "%s: a host that is missing or not in plain ASCII is not allowed",
                   shown_url(t, shown, sizeof shown));
  }
  return sc_fail(err, SC_DENIED, "%s: host '%s' is not allowed (setting hosts, STACCHIP_HOSTS)",
                 shown_url(t, shown, sizeof shown), host);
}

/* The proxy that libcurl takes from the environment for such a URL, or NULL; no_proxy aside. */
static const char *environment_proxy(int https) {
  static const char *const names[2][4] = {{"http_proxy", "all_proxy", "ALL_PROXY", NULL},
                                          {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}};
  for (int i = 0; i < 4 && names[https][i]; i++) {
    const char *value = getenv(names[https][i]);
    if (value && *value) return value;
  }
  return NULL;
}

/*
 * With socks4:// and socks5:// libcurl resolves the name here and hands the proxy the address,
 * which open_socket() never sees. So the proxy is given the name, as every other kind of proxy is.
 */
static void set_socks_proxy(struct transfer *t, int https) {
  static const char *const here[] = {"socks5://", "socks4://", "socks://"};
  static const char *const there[] = {"socks5h://", "socks4a://", "socks4a://"};
  const char *proxy = environment_proxy(https);
  for (int i = 0; proxy && i < 3; i++) {
    size_t n = strlen(here[i]);
    if (strncasecmp(proxy, here[i], n) != 0) continue;
    char named[2048]; /* a longer one is cut off, and finds no proxy */
    snprintf(named, sizeof named, "%s%s", there[i], proxy + n);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, named);
    return;
  }
}

static void add_line(struct transfer *t, const char *line) {
  struct curl_slist *longer = curl_slist_append(t->headers, line);
  if (longer) t->headers = longer;
}

/* After a redirect, is it still the server that was asked? */
static int is_same_origin(const struct transfer *t) {
  return !t->redirect || sc_access_same_origin(t->wire.url, t->redirect);
}

/* Only these are sent on after a redirect to another origin: others may be credentials. */
static int is_harmless(const char *header) {
  return strncasecmp(header, "Accept:", 7) == 0 || strncasecmp(header, "Content-Type:", 13) == 0;
}

static void set_headers(struct transfer *t) {
  const struct sc_http_request *r = t->request;
  char range[80];
  curl_slist_free_all(t->headers);
  t->headers = NULL;
  int same = is_same_origin(t);
  for (int i = 0; r->headers && r->headers[i]; i++) {
    if (same || is_harmless(r->headers[i])) add_line(t, r->headers[i]);
  }
  /* A signature is for the host that it was made for. */
  for (int i = 0; t->wire.headers[i] && !t->redirect; i++) add_line(t, t->wire.headers[i]);
  add_line(t, "Expect:");
  if (r->size) {
    snprintf(range, sizeof range, "Range: bytes=%llu-%llu", (unsigned long long)r->offset,
             (unsigned long long)(r->offset + r->size - 1));
    if (!t->asks_whole) add_line(t, range);
    add_line(t, "Accept-Encoding: identity");
  }
  curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_method(struct transfer *t) {
  const struct sc_http_request *r = t->request;
  if (strcmp(r->method, "HEAD") == 0) {
    curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
  } else if (strcmp(r->method, "GET") != 0) {
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, r->method);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r->body ? r->body : "");
  } else {
    curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
  }
}

/* The setting, and one second more for each 100 KB that go either way. */
static long timeout_of(const struct sc_http_request *r) {
  uint64_t bytes = (r->size ? r->size : 0) + r->body_size;
  return (long)sc_http_timeout_ms() + (long)(bytes / 100);
}

static sc_status prepare(struct transfer *t, struct sc_error *err) {
  const struct sc_http_request *r = t->request;
  sc_status st = SC_OK;
  if (!t->redirect) {
    sc_signed_free(&t->wire);
    st = sc_sign_request(r, &t->wire, err);
  }
  if (!st) st = check_host(t, err);
  if (st) return st;
  if (!t->easy) t->easy = curl_easy_init();
  if (!t->easy) return sc_fail_nomem(err);
  curl_easy_reset(t->easy);
  if (t->request->response.data) sc_buffer_move(&t->request->response, &t->body);
  t->body.size = 0;
  t->too_big = t->refused_address = 0;
  t->limit = r->limit_bytes && !t->asks_whole ? r->limit_bytes : SC_HTTP_DEFAULT_LIMIT;
  const char *url = t->redirect ? t->redirect : t->wire.url;
  int https = strncasecmp(url, "https", 5) == 0;
  curl_easy_setopt(t->easy, CURLOPT_URL, url);
  curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L); /* each hop is checked by us */
  curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, https ? 1L : 0L);
  curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, timeout_of(r));
  curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)sc_http_timeout_ms());
  curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "stacchip/" STACCHIP_VERSION);
  curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
  set_socks_proxy(t, https);
  curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
  curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, 256L << 10);
  if (!r->size) curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "");
  if (sc_certificates_file()) curl_easy_setopt(t->easy, CURLOPT_CAINFO, sc_certificates_file());
  set_method(t);
  set_headers(t);
  return SC_OK;
}

/* --- reading a response --- */

static int is_worth_retry(CURLcode code, long status) {
  switch (code) {
    case CURLE_OK: break;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR: return 1;
    default: return 0;
  }
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504;
}

static void blank(char *text, const char *word, size_t n) {
  char value[2048];
  if (n >= sizeof value) n = sizeof value - 1;
  snprintf(value, sizeof value, "%.*s", (int)n, word);
  for (char *at = text; n && (at = strstr(at, value)) != NULL;) memset(at, '*', n);
}

/* Blank the values of a URL's query in a text: servers quote the request in their errors. */
static void hide_query(const char *url, char *text) {
  const char *p = url ? strchr(url, '?') : NULL;
  while (p && *p && *p != '#') {
    size_t n = strcspn(++p, "&#"), name = strcspn(p, "=&#");
    if (name < n) name++;
    if (name < n && n - name >= 4) blank(text, p + name, n - name);
    p += n;
  }
}

/* Blank the values of the request's headers in a text, whole and word by word. */
static void hide_headers(const struct transfer *t, char *text) {
  for (const struct curl_slist *line = t->headers; line; line = line->next) {
    const char *value = strchr(line->data, ':');
    if (!value || is_harmless(line->data) || strncasecmp(line->data, "Range:", 6) == 0) continue;
    value += 1 + strspn(value + 1, " ");
    if (strlen(value) >= 4) blank(text, value, strlen(value));
    for (size_t n; *value; value += n + strspn(value + n, " ,;=")) {
      n = strcspn(value, " ,;=");
      if (n >= 8) blank(text, value, n);
    }
  }
}

/* Append the text of an XML element of the response; 0 where there is none. */
static int add_element(const char *body, const char *name, char *out, size_t n) {
  char tag[32];
  snprintf(tag, sizeof tag, "<%s>", name);
  const char *p = strstr(body, tag);
  size_t used = strlen(out);
  if (p)
    snprintf(out + used, n - used, "%s%.*s", used ? ": " : "", (int)strcspn(p + strlen(tag), "<"),
             p + strlen(tag));
  return p != NULL;
}

/* The first words of a server's response, without markup and line breaks. Of a store's XML only
 * code and message: S3 also returns the text that was signed. */
static void server_words(struct transfer *t, char *out, size_t n) {
  struct sc_error ignored = {0};
  size_t used = 0;
  int in_tag = 0;
  out[0] = '\0';
  if (sc_buffer_terminate(&t->body, &ignored)) return;
  char *body = (char *)t->body.data;
  hide_query(t->wire.url, body);
  hide_query(t->redirect, body);
  hide_headers(t, body);
  if (!strstr(body, "<Error>") || !add_element(body, "Code", out, n)) {
    for (const char *p = body; *p && used + 1 < n; p++) {
      if (*p == '<' && strstr(t->type, "json") == NULL) in_tag = 1;
      if (!in_tag) out[used++] = *p;
      if (*p == '>') in_tag = 0;
    }
    out[used] = '\0';
  } else {
    add_element(body, "Message", out, n);
  }
  for (char *p = out; *p; p++) {
    if ((unsigned char)*p < 0x20) *p = ' ';
  }
  for (used = strlen(out); used && out[used - 1] == ' ';) out[--used] = '\0';
}

/* "bytes * / n" of a response 416: how long the file is. */
static int says_length(const struct transfer *t, unsigned long long *total) {
  return sscanf(t->content_range, "bytes */%llu", total) == 1;
}

static sc_status fail_beyond(struct transfer *t, unsigned long long total, struct sc_error *err) {
  char shown[512];
  return sc_fail(err, SC_RANGE, "%s: byte %llu is beyond the end of the file (%llu bytes)",
                 shown_url(t, shown, sizeof shown), (unsigned long long)t->request->offset, total);
}

/* Status 416: some servers refuse a range that begins within the file and ends behind it. */
static int may_hold_range(const struct transfer *t) {
  const struct sc_http_request *r = t->request;
  unsigned long long total;
  if (!r->size || t->asks_whole || strcmp(r->method, "GET") != 0) return 0;
  return says_length(t, &total) ? r->offset < total : r->offset == 0;
}

static sc_status fail_status(struct transfer *t, long status, struct sc_error *err) {
  char words[300], shown[512];
  unsigned long long total;
  if (status == 416 && says_length(t, &total)) return fail_beyond(t, total, err);
  server_words(t, words, sizeof words);
  sc_status kind = status == 404 || status == 410                    ? SC_NOT_FOUND
                   : status == 401 || status == 403                  ? SC_DENIED
                   : status == 416                                   ? SC_RANGE
                   : status == 408 || status == 429 || status >= 500 ? SC_AGAIN
                                                                     : SC_IO;
  const char *why = status < 500 && strstr(t->request->url, SC_ACCESS_NOT_STORED)
                        ? "; the query of its href held a secret, which is not stored"
                        : "";
  return sc_fail(err, kind, "%s: HTTP status %ld%s%s%s", shown_url(t, shown, sizeof shown), status,
                 words[0] ? ": " : "", words, why);
}

static sc_status fail_curl(const struct transfer *t, CURLcode code, struct sc_error *err) {
  char shown[512];
  shown_url(t, shown, sizeof shown);
  if (t->refused_address) {
    return sc_fail(err, SC_DENIED,
                   "%s: the host has a link-local or metadata address, which is not allowed",
                   shown);
  }
  if (t->too_big) {
    return sc_fail(err, SC_TOO_BIG, "%s: a response of more than %zu bytes%s", shown, t->limit,
                   t->request->size ? "; the server does not seem to support range requests" : "");
  }
  int again = is_worth_retry(code, 0), is_bare = sc_certificates_are_missing();
  return sc_fail(
      err, again ? SC_AGAIN : SC_IO, "%s: %s%s", shown, curl_easy_strerror(code),
      code == CURLE_PEER_FAILED_VERIFICATION && is_bare
          ? " (this system has no certificates of authorities: install ca-certificates, or "
            "name a file of them by SSL_CERT_FILE)"
          : "");
}

/* A 206 must be the range that was asked for, up to the end of the file. */
static sc_status check_range(struct transfer *t, struct sc_error *err) {
  struct sc_http_request *r = t->request;
  unsigned long long first = 0, last = 0, total = 0;
  char shown[512];
  int n = sscanf(t->content_range, "bytes %llu-%llu/%llu", &first, &last, &total);
  uint64_t end = r->offset + r->size - 1;
  if (n >= 3 && end >= total) end = total ? total - 1 : 0;
  if (n < 2 || first != r->offset || last != end || t->body.size != last - first + 1) {
    return sc_fail(err, SC_BAD_DATA,
                   "%s: expected bytes %llu-%llu, found Content-Range '%s' and %zu bytes",
                   shown_url(t, shown, sizeof shown), (unsigned long long)r->offset,
                   (unsigned long long)(r->offset + r->size - 1), t->content_range, t->body.size);
  }
  r->total_bytes = n >= 3 ? total : 0;
  return SC_OK;
}

/* The server ignored the range and sent all of the file: cut the range out. */
static sc_status cut_range(struct transfer *t, struct sc_error *err) {
  struct sc_http_request *r = t->request;
  r->total_bytes = t->body.size;
  if (r->offset >= t->body.size) return fail_beyond(t, t->body.size, err);
  size_t n = t->body.size - (size_t)r->offset;
  if (n > r->size) n = (size_t)r->size;
  memmove(t->body.data, t->body.data + r->offset, n);
  t->body.size = n;
  return SC_OK;
}

static sc_status accept_response(struct transfer *t, long status, struct sc_error *err) {
  struct sc_http_request *r = t->request;
  char shown[512], *url = NULL;
  sc_status st = SC_OK;
  if (r->size && t->encoding[0] && strcasecmp(t->encoding, "identity") != 0) {
    return sc_fail(err, SC_BAD_DATA, "%s: expected a range without Content-Encoding, found '%s'",
                   shown_url(t, shown, sizeof shown), t->encoding);
  }
  if (r->size) st = status == 206 ? check_range(t, err) : cut_range(t, err);
  if (st) return st;
  if (!r->size) r->total_bytes = t->body.size;
  if (strcmp(r->method, "HEAD") == 0) {
    curl_off_t length = 0;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->total_bytes = length > 0 ? (uint64_t)length : 0;
    r->is_empty = length == 0;
  }
  memcpy(r->etag, t->etag, sizeof r->etag);
  if (!t->etag[0] && t->modified[0]) snprintf(r->etag, sizeof r->etag, "modified %s", t->modified);
  memcpy(r->content_type, t->type, sizeof r->content_type);
  curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
  if (url) sc_access_shown(url, r->final_url, sizeof r->final_url);
  sc_buffer_move(&t->body, &r->response);
  return SC_OK;
}

/* --- the thread's side --- */

static void transfer_free(struct transfer *t) {
  if (t->easy) curl_easy_cleanup(t->easy);
  curl_slist_free_all(t->headers);
  sc_signed_free(&t->wire);
  sc_free(t->redirect);
  sc_buffer_free(&t->body);
  sc_free(t);
}

static void finish(struct transfer *t, const struct sc_error *err) {
  struct batch *b = t->batch;
  t->request->err = *err;
  transfer_free(t);
  pthread_mutex_lock(&lock);
  b->n_left--;
  pthread_cond_broadcast(&b->done);
  pthread_mutex_unlock(&lock);
}

static int is_cancelled(const struct transfer *t) {
  pthread_mutex_lock(&lock);
  int cancelled = t->batch->cancelled;
  pthread_mutex_unlock(&lock);
  return cancelled;
}

#define N_HOSTS 1024 /* counters, found by a hash: hosts that share one share its cap */

/* The thread's transfers: waiting for their time, waiting for their host's cap, in the multi
 * handle. */
struct loop {
  struct transfer *waiting, *active;
  struct transfer *ready, *last_ready; /* a queue of ours: curl's time-outs run from begin() */
  int n_active[N_HOSTS];
};

static int host_slot(const char *url) {
  char host[256];
  unsigned h = 5381;
  sc_access_url_host(url, host, sizeof host);
  for (const char *p = host; *p; p++) h = h * 33 ^ (unsigned char)*p;
  return (int)(h % N_HOSTS);
}

static void unlink_active(struct loop *l, struct transfer *t) {
  struct transfer **at = &l->active;
  while (*at && *at != t) at = &(*at)->link;
  if (*at) *at = t->link;
  l->n_active[t->slot]--;
}

static void begin(struct loop *l, struct transfer *t) {
  struct sc_error err = {0};
  t->n_tries++;
  sc_status st = prepare(t, &err);
  if (!st && curl_multi_add_handle(multi, t->easy) == CURLM_OK) {
    t->link = l->active;
    l->active = t;
    l->n_active[t->slot]++;
    return;
  }
  if (!st) sc_fail_nomem(&err);
  finish(t, &err);
}

static void wait_until(struct loop *l, struct transfer *t, int64_t ms) {
  t->not_before_ms = now_ms() + ms;
  t->link = l->waiting;
  l->waiting = t;
}

/* 100 ms, doubled with each try up to 10 s, of which half is random; longer where Retry-After
 * says so. */
static int64_t backoff_ms(const struct transfer *t) {
  int64_t ms = 100;
  for (int i = 1; i < t->n_tries && ms < 10000; i++) ms *= 2;
  unsigned seed = (unsigned)now_ms() ^ (unsigned)(size_t)t;
  ms = ms / 2 + rand_r(&seed) % (ms / 2 + 1);
  int asked =
      t->retry_after_s > SC_HTTP_RETRY_AFTER_MAX_S ? SC_HTTP_RETRY_AFTER_MAX_S : t->retry_after_s;
  return asked * 1000 > ms ? asked * 1000 : ms;
}

static int is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Follow a redirect; the new URL is checked when the transfer begins again. */
static sc_status follow(struct loop *l, struct transfer *t, struct sc_error *err) {
  char *url = NULL, shown[512];
  curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &url);
  if (!url || ++t->n_redirects > SC_HTTP_REDIRECTS_MAX) {
    return sc_fail(err, SC_IO, "%s: %s", shown_url(t, shown, sizeof shown),
                   url ? "too many redirects" : "a redirect without a Location header");
  }
  if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
    return sc_fail(err, SC_DENIED, "%s: redirected to a scheme other than http and https",
                   shown_url(t, shown, sizeof shown));
  }
  char *copy_of = NULL;
  sc_status st = sc_strdup(url, &copy_of, err);
  if (st) return st;
  sc_free(t->redirect);
  t->redirect = copy_of;
  t->n_tries--;
  wait_until(l, t, 0);
  return SC_OK;
}

static void on_done(struct loop *l, struct transfer *t, CURLcode code) {
  struct sc_error err = {0};
  long status = 0;
  curl_multi_remove_handle(multi, t->easy);
  unlink_active(l, t);
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  t->request->http_status = (int)status;
  if (is_cancelled(t)) {
    sc_fail_text(&err, SC_INTERRUPT, "interrupted");
    finish(t, &err);
    return;
  }
  if (code == CURLE_OK && is_redirect(status)) {
    if (follow(l, t, &err)) finish(t, &err);
    return;
  }
  if (code == CURLE_OK && status == 416 && may_hold_range(t)) {
    t->asks_whole = 1;
    t->n_tries--;
    wait_until(l, t, 0);
    return;
  }
  sc_status st = code != CURLE_OK                ? fail_curl(t, code, &err)
                 : status >= 200 && status < 300 ? accept_response(t, status, &err)
                                                 : fail_status(t, status, &err);
  /* A wrong range: another try may give the right one. */
  int bad_response = code == CURLE_OK && st == SC_BAD_DATA;
  /* An unknown host is most likely a misspelt one: one more try. */
  int most = code == CURLE_COULDNT_RESOLVE_HOST && sc_http_retries() > 1 ? 1 : sc_http_retries();
  if (st && t->n_tries <= most && !t->refused_address && !t->too_big &&
      (bad_response || is_worth_retry(code, status))) {
    wait_until(l, t, backoff_ms(t));
    return;
  }
  finish(t, &err);
}

static void enqueue(struct loop *l, struct transfer *t) {
  t->slot = host_slot(t->redirect ? t->redirect : t->request->url);
  t->link = NULL;
  *(l->ready ? &l->last_ready->link : &l->ready) = t;
  l->last_ready = t;
}

/* Begin what the caps of the hosts allow, in order. */
static void begin_ready(struct loop *l) {
  int most = sc_http_max_connections();
  struct transfer *t = l->ready, *next;
  l->ready = l->last_ready = NULL;
  for (; t; t = next) {
    next = t->link;
    if (l->n_active[t->slot] < most || is_cancelled(t)) {
      begin(l, t);
    } else {
      enqueue(l, t);
    }
  }
}

/* Take the inbox, and waiting transfers whose time has come. Returns ms until the next. */
static int take_work(struct loop *l) {
  int64_t now = now_ms(), next = 1000;
  pthread_mutex_lock(&lock);
  struct transfer *fresh = inbox, *ordered = NULL;
  inbox = NULL;
  pthread_mutex_unlock(&lock);
  while (fresh) { /* the inbox is newest first */
    struct transfer *t = fresh;
    fresh = t->link;
    t->link = ordered;
    ordered = t;
  }
  while (ordered) {
    struct transfer *t = ordered;
    ordered = t->link;
    enqueue(l, t);
  }
  struct transfer *waiting = l->waiting;
  l->waiting = NULL;
  while (waiting) {
    struct transfer *t = waiting;
    waiting = t->link;
    if (is_cancelled(t) || t->not_before_ms <= now) {
      enqueue(l, t);
    } else {
      t->link = l->waiting;
      l->waiting = t;
      if (t->not_before_ms - now < next) next = t->not_before_ms - now;
    }
  }
  begin_ready(l);
  return (int)next;
}

static void drop_cancelled(struct loop *l) {
  struct sc_error err = {0};
  struct transfer *t = l->active, *next;
  sc_fail_text(&err, SC_INTERRUPT, "interrupted");
  for (; t; t = next) {
    next = t->link;
    if (!is_cancelled(t)) continue;
    curl_multi_remove_handle(multi, t->easy);
    unlink_active(l, t);
    finish(t, &err);
  }
}

static void *run(void *unused) {
  struct loop l = {0};
  (void)unused;
  for (;;) {
    int running = 0, left = 0, wait_ms = take_work(&l);
    CURLMsg *message;
    drop_cancelled(&l);
    curl_multi_perform(multi, &running);
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
      char *t = NULL;
      if (message->msg != CURLMSG_DONE) continue;
      CURLcode code = message->data.result;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
      on_done(&l, (struct transfer *)(void *)t, code);
    }
    if (l.ready) begin_ready(&l);
    if (l.waiting) wait_ms = wait_ms < 20 ? wait_ms : 20;
    curl_multi_poll(multi, NULL, 0, l.active || l.waiting ? wait_ms : 60000, NULL);
  }
  return NULL;
}

/* --- the caller's side --- */

/* The lock is held. */
static sc_status start_thread(struct sc_error *err) {
  if (is_running) return SC_OK;
  if (!multi) multi = curl_multi_init();
  if (!multi) return sc_fail_nomem(err);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 256L);
  is_running = sc_thread_start(NULL, run, NULL);
  return is_running ? SC_OK : sc_fail(err, SC_NOMEM, "cannot start the thread for HTTP");
}

static sc_status post(struct sc_http_request *requests, size_t n, struct batch *b,
                      struct sc_error *err) {
  pthread_once(&global_once, global_init);
  pthread_mutex_lock(&lock);
  sc_status st = start_thread(err);
  for (size_t i = 0; i < n && !st; i++) {
    struct transfer *t = sc_alloc_zero(1, sizeof *t);
    if (!t) {
      st = sc_fail_nomem(err);
      break;
    }
    memset(&requests[i].err, 0, sizeof requests[i].err);
    t->request = &requests[i];
    t->batch = b;
    t->link = inbox;
    inbox = t;
    b->n_left++;
  }
  if (st) b->cancelled = 1;
  pthread_mutex_unlock(&lock);
  if (multi) curl_multi_wakeup(multi);
  return st;
}

/* Wait for the batch; poll the caller's interrupt 20 times a second. */
static void wait_for(struct batch *b, int (*interrupted)(void *), void *context) {
  pthread_mutex_lock(&lock);
  while (b->n_left > 0) {
    struct timespec until = sc_next_poll(CLOCK_MONOTONIC);
    pthread_cond_timedwait(&b->done, &lock, &until);
    if (!interrupted || b->cancelled || b->n_left == 0) continue;
    pthread_mutex_unlock(&lock);
    int stop = interrupted(context);
    pthread_mutex_lock(&lock);
    if (stop) b->cancelled = 1;
    if (stop) curl_multi_wakeup(multi);
  }
  pthread_mutex_unlock(&lock);
}

static sc_status perform(struct sc_http_request *requests, size_t n, int (*interrupted)(void *),
                         void *context, struct sc_error *err) {
  struct batch b = {0};
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&b.done, &clock);
  pthread_condattr_destroy(&clock);
  sc_status st = post(requests, n, &b, err);
  wait_for(&b, interrupted, context);
  pthread_cond_destroy(&b.done);
  for (size_t i = 0; i < n && !st; i++) {
    if (!requests[i].err.status) continue;
    *err = requests[i].err;
    st = err->status;
  }
  return st;
}

/* Fetch the tokens that some of the requests want, each once. */
static sc_status fetch_tokens(const struct sc_http_request *requests, size_t n,
                              int (*interrupted)(void *), void *context, struct sc_error *err) {
  for (size_t i = 0; i < n; i++) {
    char *url = NULL;
    struct sc_error ignored = {0};
    sc_status st = sc_sign_token_url(requests[i].url, &url, err);
    if (st) return st;
    if (!url) continue;
    struct sc_http_request ask = {.method = "GET", .url = url, .limit_bytes = 1 << 20};
    st = perform(&ask, 1, interrupted, context, &ignored);
    if (st != SC_INTERRUPT) sc_sign_keep_token(requests[i].url, &ask);
    sc_buffer_free(&ask.response);
    sc_free(url);
    if (st == SC_INTERRUPT) return sc_fail(err, st, "interrupted");
  }
  return SC_OK;
}

sc_status sc_http_perform(struct sc_http_request *requests, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err) {
  if (n == 0) return SC_OK;
  if (!interrupted) interrupted = sc_interrupted;
  sc_status st = fetch_tokens(requests, n, interrupted, interrupt_context, err);
  return st ? st : perform(requests, n, interrupted, interrupt_context, err);
}

void sc_http_abandon(void) {
  pthread_mutex_init(&lock, NULL);
  inbox = NULL;
  multi = NULL;
  is_running = 0;
}
