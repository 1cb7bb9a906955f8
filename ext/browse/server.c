/* HTTP; see server.h. */
#include "browse/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/thread.h"

#define TOKEN_BYTES 16
#define IDLE_SECONDS 60
#define CONNECTION_BYTES ((size_t)64 << 10) /* of a request's head, its address among them */

/* One request from its first byte to the end of its answer. */
struct call {
  struct sc_server *server;
  struct MHD_Connection *connection;
  struct sc_server_request request;
  struct sc_server_answer answer;
  int refused; /* status that was found before the handler; 0: none */
  int is_answered;
  struct call *next; /* in the queue */
};

struct sc_server {
  struct MHD_Daemon *daemon;
  sc_server_handler *handler;
  void *context;
  char host[256]; /* as it was asked for */
  char token[2 * TOKEN_BYTES + 1];
  char address[400], origin[340];
  int port, is_any; /* is_any: bound to every address of the machine */
  struct addrinfo *bound;

  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t changed;
  struct call *first, **last; /* calls for which no worker has been there */
  int is_stopping;
  pthread_t workers[SC_SERVER_WORKERS];
  int n_workers;
};

const char *sc_server_argument(const struct sc_server_request *r, const char *name) {
  for (int i = 0; i < r->n_arguments; i++) {
    if (strcmp(r->arguments[i].name, name) == 0) return r->arguments[i].value;
  }
  return NULL;
}

const char *sc_server_address(const struct sc_server *s) { return s->address; }

/* ---- who asks ---- */

static int is_ip_literal(const char *host) {
  unsigned char ignored[16];
  char inner[64];
  size_t n = strlen(host);
  if (inet_pton(AF_INET, host, ignored) == 1) return 1;
  if (n < 3 || n >= sizeof inner || host[0] != '[' || host[n - 1] != ']') return 0;
  memcpy(inner, host + 1, n - 2);
  inner[n - 2] = '\0';
  return inet_pton(AF_INET6, inner, ignored) == 1;
}

/*
 * Is that how this server is called? A stranger's name that leads here by DNS is not. Of a server
 * on all addresses any address will do: rebinding needs a name.
 */
static int is_own_host(const struct sc_server *s, const char *text) {
  char host[300], port[16];
  const char *colon = text ? strrchr(text, ':') : NULL;
  snprintf(port, sizeof port, "%d", s->port);
  if (!text || strlen(text) >= sizeof host) return 0;
  if (!colon || strcmp(colon + 1, port) != 0) {
    if (s->port != 80 || (colon && !strchr(colon, ']'))) return 0;
    colon = text + strlen(text);
  }
  snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
  int is_loopback = strcmp(s->host, "127.0.0.1") == 0 || strcmp(s->host, "localhost") == 0;
  if (strcasecmp(host, s->host) == 0) return 1;
  if (s->is_any) return strcasecmp(host, "localhost") == 0 || is_ip_literal(host);
  if (strchr(s->host, ':') && strlen(host) == strlen(s->host) + 2)
    return strncasecmp(host + 1, s->host, strlen(s->host)) == 0;
  return is_loopback && (strcmp(host, "127.0.0.1") == 0 || strcasecmp(host, "localhost") == 0);
}

/* "http://" and a host of ours. */
static int is_own_origin(const struct sc_server *s, const char *origin) {
  return strncmp(origin, "http://", 7) == 0 && is_own_host(s, origin + 7);
}

/* What follows "/TOKEN/" in a path, or NULL. Compared in a time that says nothing about where the
 * first difference is. */
static const char *behind_token(const struct sc_server *s, const char *url) {
  unsigned difference = 0;
  size_t n = strlen(s->token);
  if (strlen(url) < n + 2 || url[0] != '/' || url[n + 1] != '/') return NULL;
  for (size_t i = 0; i < n; i++) difference |= (unsigned)(url[1 + i] ^ s->token[i]);
  return difference ? NULL : url + n + 2;
}

static int is_json(const char *type) {
  return type && strncasecmp(type, "application/json", 16) == 0 &&
         (type[16] == '\0' || type[16] == ';' || type[16] == ' ');
}

static const char *header(struct MHD_Connection *c, const char *name) {
  return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

/* The status of what is refused; 0 for what the handler may see. */
static int judge(const struct sc_server *s, struct MHD_Connection *c, const char *url,
                 const char *method) {
  const char *origin = header(c, "Origin"), *length = header(c, "Content-Length");
  int is_post = strcmp(method, "POST") == 0;
  if (!behind_token(s, url)) return 404;
  if (!is_own_host(s, header(c, "Host"))) return 403;
  if (origin && !is_own_origin(s, origin)) return 403;
  if (!is_post && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) return 405;
  if (is_post && !is_json(header(c, "Content-Type"))) return 415;
  if (length && strtoull(length, NULL, 10) > SC_SERVER_BODY_BYTES) return 413;
  return 0;
}

/* ---- requests ---- */

static void free_call(struct call *c) {
  struct sc_server_request *r = &c->request;
  for (int i = 0; i < r->n_arguments; i++) {
    sc_free(r->arguments[i].name);
    sc_free(r->arguments[i].value);
  }
  sc_buffer_free(&r->body);
  sc_buffer_free(&c->answer.body);
  sc_free(r->if_none_match);
  sc_free(r->path);
  sc_free(c);
}

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                     const char *value) {
  struct call *c = context;
  struct sc_server_request *r = &c->request;
  struct sc_error err = {0};
  (void)kind;
  if (r->n_arguments == SC_SERVER_ARGUMENTS) {
    c->refused = 400;
    return MHD_NO;
  }
  struct sc_server_argument *a = &r->arguments[r->n_arguments++];
  if (sc_strdup(name, &a->name, &err) || sc_strdup(value ? value : "", &a->value, &err)) {
    c->refused = 503;
    return MHD_NO;
  }
  return MHD_YES;
}

/* What the handler will need, copied: it runs on another thread. */
static struct call *new_call(struct sc_server *s, struct MHD_Connection *connection,
                             const char *url, const char *method) {
  struct call *c = sc_alloc_zero(1, sizeof *c);
  struct sc_error err = {0};
  if (!c) return NULL;
  c->server = s;
  c->connection = connection;
  c->answer.status = 200;
  c->refused = judge(s, connection, url, method);
  c->request.is_post = strcmp(method, "POST") == 0;
  c->request.base = s->address;
  if (c->refused) return c;
  if (sc_strdup(behind_token(s, url), &c->request.path, &err) ||
      sc_strdup(header(connection, "If-None-Match"), &c->request.if_none_match, &err))
    c->refused = 503;
  if (!c->refused) MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_argument, c);
  return c;
}

static void take_body(struct call *c, const char *data, size_t n) {
  struct sc_error err = {0};
  struct sc_buffer *body = &c->request.body;
  if (c->refused) return;
  if (body->size + n > SC_SERVER_BODY_BYTES) {
    c->refused = 413;
  } else if (sc_buffer_append(body, data, n, &err)) {
    c->refused = 503;
  }
}

/* ---- answers ---- */

static void free_data(void *data) { sc_free(data); }

static struct MHD_Response *body_of(struct sc_server_answer *a) {
  if (a->static_body) {
    return MHD_create_response_from_buffer(a->static_size, (void *)a->static_body,
                                           MHD_RESPMEM_PERSISTENT);
  }
  if (!a->body.size) return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
  struct MHD_Response *r =
      MHD_create_response_from_buffer_with_free_callback(a->body.size, a->body.data, free_data);
  if (r) a->body = (struct sc_buffer){0};
  return r;
}

/* The page may load from here and nowhere else, and is shown in no other page. */
static void put_headers(struct MHD_Response *r, const struct sc_server_answer *a) {
  static const char *const always[][2] = {
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"X-Frame-Options", "DENY"},
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
       "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}};
  for (size_t i = 0; i < sizeof always / sizeof *always; i++)
    MHD_add_response_header(r, always[i][0], always[i][1]);
  MHD_add_response_header(r, "Cross-Origin-Resource-Policy",
                          a->is_embeddable ? "cross-origin" : "same-origin");
  MHD_add_response_header(r, "Cache-Control", a->etag[0] ? "private, no-cache" : "no-store");
  if (a->etag[0]) MHD_add_response_header(r, "ETag", a->etag);
  if (a->file_name) {
    char text[100];
    snprintf(text, sizeof text, "attachment; filename=\"%s\"", a->file_name);
    MHD_add_response_header(r, "Content-Disposition", text);
  }
  if (a->type) MHD_add_response_header(r, "Content-Type", a->type);
}

static enum MHD_Result answer(struct call *c) {
  struct sc_server_answer *a = &c->answer;
  if (c->refused) {
    sc_buffer_free(&a->body);
    *a = (struct sc_server_answer){.status = c->refused};
  }
  struct MHD_Response *r = body_of(a);
  if (!r) return MHD_NO;
  put_headers(r, a);
  enum MHD_Result result = MHD_queue_response(c->connection, (unsigned)a->status, r);
  MHD_destroy_response(r);
  return result;
}

/* ---- the queue ---- */

static struct call *next_call(struct sc_server *s) {
  struct call *c;
  pthread_mutex_lock(&s->lock);
  while (!s->first && !s->is_stopping) pthread_cond_wait(&s->changed, &s->lock);
  c = s->first;
  if (c) {
    s->first = c->next;
    if (!s->first) s->last = &s->first;
    if (s->is_stopping) c->refused = 503;
  }
  pthread_mutex_unlock(&s->lock);
  return c;
}

struct worker {
  struct sc_server *server;
  int number;
};

static void *work(void *context) {
  struct worker w = *(struct worker *)context;
  struct sc_server *s = w.server;
  sc_free(context);
  for (struct call *c; (c = next_call(s));) {
    if (!c->refused) s->handler(s->context, w.number, &c->request, &c->answer);
    c->is_answered = 1;
    MHD_resume_connection(c->connection);
  }
  return NULL;
}

/* The library's thread gives the call to a worker, and looks after other connections until the
 * worker resumes this one. */
static enum MHD_Result enqueue(struct call *c) {
  struct sc_server *s = c->server;
  pthread_mutex_lock(&s->lock);
  if (s->is_stopping) {
    c->refused = 503; /* nobody would resume it */
  } else {
    MHD_suspend_connection(c->connection);
    *s->last = c;
    s->last = &c->next;
    pthread_cond_signal(&s->changed);
  }
  pthread_mutex_unlock(&s->lock);
  return c->refused ? answer(c) : MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): the library's parameters */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **own) {
  struct call *c = *own;
  struct sc_error err = {0};
  (void)version;
  if (!c) {
    *own = c = new_call(context, connection, url, method);
    if (!c) return MHD_NO;
    /* Without reading its body: the connection closes. */
    return c->refused && c->request.is_post ? answer(c) : MHD_YES;
  }
  if (*n) {
    take_body(c, data, *n);
    *n = 0;
    return MHD_YES;
  }
  if (c->refused || c->is_answered) return answer(c);
  if (sc_buffer_terminate(&c->request.body, &err)) {
    c->refused = 503;
    return answer(c);
  }
  return enqueue(c);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **own,
                         enum MHD_RequestTerminationCode code) {
  (void)context, (void)connection, (void)code;
  if (*own) free_call(*own);
  *own = NULL;
}

/* ---- start and stop ---- */

static sc_status make_token(struct sc_server *s, struct sc_error *err) {
  unsigned char bytes[TOKEN_BYTES];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return sc_fail(err, SC_IO, "the system gives no random bytes");
  for (int i = 0; i < TOKEN_BYTES; i++) snprintf(s->token + 2 * i, 3, "%02x", bytes[i]);
  return SC_OK;
}

static sc_status find_address(struct sc_server *s, const char *host, int port,
                              struct sc_error *err) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  char service[16];
  snprintf(service, sizeof service, "%d", port);
  snprintf(s->host, sizeof s->host, "%s", host);
  int code = getaddrinfo(host, service, &hints, &s->bound);
  if (code || !s->bound)
    return sc_fail(err, SC_BAD_ARG, "--host %s: %s", host,
                   code ? gai_strerror(code) : "no address");
  const struct sockaddr *a = s->bound->ai_addr;
  if (a->sa_family == AF_INET) {
    s->is_any = ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr == INADDR_ANY;
  } else if (a->sa_family == AF_INET6) {
    s->is_any = IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
  }
  return SC_OK;
}

static void ignore_log(void *context, const char *format, va_list args) {
  (void)context, (void)format, (void)args;
}

/* Why nobody can listen there: the library's errno may be of what it tidied up behind it. */
static const char *why_not(const struct addrinfo *a) {
  int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int code = fd < 0 || bind(fd, a->ai_addr, a->ai_addrlen) != 0 ? errno : 0;
  if (fd >= 0) close(fd);
  return code ? strerror(code) : "the server does not start";
}

static sc_status listen_there(struct sc_server *s, int port, struct sc_error *err) {
  /* By poll(): with epoll the library of Debian 12 misses the end of a connection that was closed
   * before it was accepted, and 64 of those held the server for IDLE_SECONDS. */
  unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
  if (s->bound->ai_addr->sa_family == AF_INET6) flags |= MHD_USE_IPv6;
  s->daemon = MHD_start_daemon(
      flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, ignore_log, NULL,
      MHD_OPTION_SOCK_ADDR, s->bound->ai_addr, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)SC_SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
      (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (!s->daemon)
    return sc_fail(err, SC_IO, "%s: port %d cannot be listened on: %s", s->host, port,
                   why_not(s->bound));
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
  s->port = info ? info->port : 0;
  int is_v6 = strchr(s->host, ':') != NULL;
  snprintf(s->origin, sizeof s->origin, "http://%s%s%s:%d", is_v6 ? "[" : "", s->host,
           is_v6 ? "]" : "", s->port);
  snprintf(s->address, sizeof s->address, "%s/%s/", s->origin, s->token);
  return SC_OK;
}

static sc_status start_workers(struct sc_server *s, struct sc_error *err) {
  for (; s->n_workers < SC_SERVER_WORKERS; s->n_workers++) {
    struct worker *w = sc_alloc_zero(1, sizeof *w);
    if (!w) return sc_fail_nomem(err);
    w->server = s;
    w->number = s->n_workers;
    if (!sc_thread_start(&s->workers[s->n_workers], work, w)) {
      sc_free(w);
      return sc_fail(err, SC_IO, "no thread can be started");
    }
  }
  return SC_OK;
}

sc_status sc_server_start(const struct sc_server_options *options, struct sc_server **out,
                          struct sc_error *err) {
  struct sc_server *s = sc_alloc_zero(1, sizeof *s);
  *out = NULL;
  if (!s) return sc_fail_nomem(err);
  s->handler = options->handler;
  s->context = options->context;
  s->last = &s->first;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  sc_status st = make_token(s, err);
  if (!st) st = find_address(s, options->host, options->port, err);
  if (!st) st = start_workers(s, err);
  if (!st) st = listen_there(s, options->port, err);
  if (st) {
    sc_server_stop(s);
    return st;
  }
  *out = s;
  return SC_OK;
}

void sc_server_stop(struct sc_server *s) {
  if (!s) return;
  if (s->daemon) {
    /* No new connections; the calls in the queue are refused and resumed by the workers. */
    MHD_socket listening = MHD_quiesce_daemon(s->daemon);
    if (listening != MHD_INVALID_SOCKET) close(listening);
  }
  pthread_mutex_lock(&s->lock);
  s->is_stopping = 1;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  for (int i = 0; i < s->n_workers; i++) pthread_join(s->workers[i], NULL);
  if (s->daemon) MHD_stop_daemon(s->daemon);
  if (s->bound) freeaddrinfo(s->bound);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  sc_free(s);
}
