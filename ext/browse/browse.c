/* Databases, requests and where they go; see browse.h. */
#include "browse/browse.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/db.h"
#include "browse/page_file.h"
#include "browse/state.h"

/* ---- requests ---- */

static const struct {
  const char *path;
  int is_post;
  sc_browse_handler *handler;
} routes[] = {{"api/about", 0, sc_browse_about},           {"api/map", 1, sc_browse_map},
              {"api/histograms", 1, sc_browse_histograms}, {"api/list", 1, sc_browse_list},
              {"api/select", 1, sc_browse_select},         {"api/chip", 0, sc_browse_chip},
              {"api/label", 1, sc_browse_label},           {"api/save", 1, sc_browse_save},
              {"api/export", 1, sc_browse_export},         {"chip.png", 0, sc_browse_picture},
              {"tiles.json", 0, sc_browse_tilejson},       {"tiles/", 0, sc_browse_tile}};

static int http_status(sc_status st) {
  switch (st) {
    case SC_NOT_FOUND: return 404;
    case SC_DENIED: return 403;
    case SC_NOMEM:
    case SC_AGAIN: return 503;
    case SC_IO: return 500;
    default: return 400;
  }
}

static void put_error(struct sc_server_answer *a, int status, const char *text) {
  struct sc_error ignored = {0};
  a->status = status;
  a->type = "application/json";
  a->etag[0] = '\0';
  a->body.size = 0;
  if (sc_buffer_append_text(&a->body, "{\"error\":", &ignored) ||
      sc_buffer_append_json(&a->body, text, &ignored) ||
      sc_buffer_append_text(&a->body, "}", &ignored))
    a->body.size = 0;
}

/* Names and errors of a database may hold any bytes; JSON is UTF-8. */
static sc_status settle_text(struct sc_server_answer *a, struct sc_error *err) {
  if (strncmp(a->type, "image/", 6) == 0) return SC_OK;
  sc_status st = sc_buffer_terminate(&a->body, err);
  if (st || !a->body.size) return st;
  sc_text_make_valid((char *)a->body.data);
  a->body.size = strlen((char *)a->body.data);
  return SC_OK;
}

static int answer_file(const char *path, struct sc_server_answer *a) {
  const struct sc_page_file *f = sc_page_file(*path ? path : "index.html");
  if (!f) return 0;
  a->type = f->type;
  a->static_body = f->data;
  a->static_size = f->size;
  return 1;
}

void sc_browse_answer(void *context, int worker, const struct sc_server_request *r,
                      struct sc_server_answer *a) {
  struct sc_browse *b = context;
  struct sc_error err = {0};
  (void)worker;
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
    size_t n = strlen(routes[i].path);
    int is_folder = routes[i].path[n - 1] == '/';
    if (strncmp(r->path, routes[i].path, n) != 0 || (r->path[n] && !is_folder)) continue;
    if (r->is_post != routes[i].is_post) {
      put_error(a, 405, routes[i].is_post ? "expected POST" : "expected GET");
      return;
    }
    a->type = "application/json";
    if (routes[i].handler(b, r, a, &err) || settle_text(a, &err))
      put_error(a, http_status(err.status), err.text);
    return;
  }
  if (r->is_post || !answer_file(r->path, a)) put_error(a, 404, "there is nothing of that name");
}

int sc_browse_has_page(void) { return sc_page_file("index.html") && sc_page_file("leaflet.js"); }

sc_status sc_browse_table(struct sc_browse *b, const char *name, struct sc_browse_table **out,
                          struct sc_error *err) {
  for (int i = 0; i < b->tables.n; i++) {
    *out = &b->tables.tables[i];
    if (!name || strcmp((*out)->name, name) == 0) return SC_OK;
  }
  return sc_fail(err, SC_NOT_FOUND, "no such table: %s", name);
}

/* ---- databases ---- */

/* A frozen dataset of shards is a folder with its database inside. */
static sc_status add_path(struct sc_browse *b, const char *path, struct sc_error *err) {
  struct stat info;
  int is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  char **own = &b->paths[b->n_sessions];
  sc_status st = sc_format(own, err, "%s%s", path, is_folder ? "/dataset.db" : "");
  if (st) return st;
  sc_sessions_init(&b->sessions[b->n_sessions], *own, &b->is_stopping);
  b->n_sessions++;
  return sc_tables_find(&b->sessions[b->n_sessions - 1], b->options.labels, &b->tables, err);
}

static sc_status start_summary(struct sc_browse *b, struct sc_browse_table *t,
                               struct sc_error *err) {
  t->summary = sc_alloc_zero(1, sizeof *t->summary);
  return t->summary ? sc_summary_start(t->summary, t, &b->is_stopping, err) : sc_fail_nomem(err);
}

/* Blocks of rasters are kept for the next picture of a place, but this is no training run. */
static sc_status limit_cache(struct sc_browse *b, struct sc_error *err) {
  struct sc_session *s = NULL;
  if (getenv("STACCHIP_CACHE_BYTES")) return SC_OK;
  sc_status st = sc_session_take(&b->sessions[0], SC_SESSION_OWN, &s, err);
  if (!st)
    st = sc_db_run(s->db, "SELECT stacchip_config('cache_bytes', 12000000)", NULL, NULL, err);
  sc_session_give(s);
  return st;
}

sc_status sc_browse_open(const struct sc_browse_options *options, struct sc_browse **out,
                         struct sc_error *err) {
  struct sc_browse *b = sc_alloc_zero(1, sizeof *b);
  sc_status st = SC_OK;
  *out = NULL;
  if (!b) return sc_fail_nomem(err);
  b->options = *options;
  b->paths = sc_alloc_zero((size_t)options->n_paths, sizeof *b->paths);
  b->sessions = sc_alloc_zero((size_t)options->n_paths, sizeof *b->sessions);
  if (!b->paths || !b->sessions) st = sc_fail_nomem(err);
  sc_pictures_init(&b->pictures);
  sc_status started = sc_columns_start(&b->columns, err);
  if (!st) st = started;
  for (int i = 0; i < options->n_paths && !st; i++) st = add_path(b, options->paths[i], err);
  if (!st) st = limit_cache(b, err);
  /* What is written from now on is noticed. */
  for (int i = 0; i < b->n_sessions && !st; i++) sc_sessions_changed(&b->sessions[i]);
  for (int i = 0; i < b->tables.n && !st; i++) st = start_summary(b, &b->tables.tables[i], err);
  if (st) {
    sc_browse_close(b);
    return st;
  }
  *out = b;
  return SC_OK;
}

void sc_browse_watch(struct sc_browse *b) {
  for (int i = 0; i < b->n_sessions; i++) {
    sc_sessions_watch(&b->sessions[i]);
    if (sc_sessions_changed(&b->sessions[i])) sc_columns_forget(&b->columns);
  }
  sc_columns_watch(&b->columns);
}

void sc_browse_stop(struct sc_browse *b) {
  if (!b) return;
  __atomic_store_n(&b->is_stopping, 1, __ATOMIC_RELAXED);
  sc_columns_stop(&b->columns);
}

void sc_browse_close(struct sc_browse *b) {
  if (!b) return;
  sc_browse_stop(b);
  sc_columns_free(&b->columns);
  sc_pictures_free(&b->pictures);
  for (int i = 0; i < b->tables.n; i++) {
    struct sc_summary *summary = b->tables.tables[i].summary;
    if (summary) sc_summary_free(summary);
    sc_free(summary);
  }
  sc_tables_free(&b->tables);
  for (int i = 0; i < b->n_sessions; i++) {
    sc_sessions_free(&b->sessions[i]);
    sc_free(b->paths[i]);
  }
  sc_free(b->sessions);
  sc_free(b->paths);
  sc_free(b);
}
