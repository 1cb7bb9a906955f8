/* Connections; see session.h. */
#include "browse/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/sql_token.h"
#include "stacchip.h"

#define EXPRESSION_BYTES 65536
#define STEPS_BETWEEN_QUESTIONS 4000 /* of SQLite's machine: some 0.1 ms */
#define CACHE_KB 1024
#define VALUE_BYTES (64 << 20) /* of a text or blob in SQL of people: SQLite itself takes 1 GB */

double sc_browse_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- what guarded SQL may do ---- */

static int compare_names(const void *a, const void *b) {
  return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static int is_among(const char *name, const char *const *names, size_t n) {
  return name && bsearch(&name, names, n, sizeof *names, compare_names) != NULL;
}

/* Functions of SpatiaLite that only compute, with or without "ST_" before them; sorted. Its others
 * read and write files, tables and settings. */
static const char *const spatial[] = {"addmeasure",
                                      "addpoint",
                                      "area",
                                      "asbinary",
                                      "asewkt",
                                      "asgeojson",
                                      "astext",
                                      "aswkt",
                                      "azimuth",
                                      "boundary",
                                      "buffer",
                                      "buildarea",
                                      "buildcirclembr",
                                      "buildmbr",
                                      "casttomultipolygon",
                                      "casttopolygon",
                                      "centroid",
                                      "circularity",
                                      "closestpoint",
                                      "collect",
                                      "collectionextract",
                                      "concavehull",
                                      "contains",
                                      "convexhull",
                                      "coveredby",
                                      "covers",
                                      "crosses",
                                      "difference",
                                      "dimension",
                                      "disjoint",
                                      "distance",
                                      "endpoint",
                                      "envelope",
                                      "envelopesintersects",
                                      "envintersects",
                                      "equals",
                                      "expand",
                                      "exteriorring",
                                      "extent",
                                      "geodesiclength",
                                      "geohash",
                                      "geometryn",
                                      "geometrytype",
                                      "geomfromewkb",
                                      "geomfromewkt",
                                      "geomfromgeojson",
                                      "geomfromtext",
                                      "geomfromwkb",
                                      "greatcirclelength",
                                      "gunion",
                                      "hausdorffdistance",
                                      "interiorringn",
                                      "intersection",
                                      "intersects",
                                      "isclosed",
                                      "isempty",
                                      "isring",
                                      "issimple",
                                      "isvalid",
                                      "isvalidreason",
                                      "length",
                                      "linefromtext",
                                      "linemerge",
                                      "m",
                                      "makeline",
                                      "makepoint",
                                      "makepolygon",
                                      "makevalid",
                                      "maxdistance",
                                      "maxx",
                                      "maxy",
                                      "mbrmaxx",
                                      "mbrmaxy",
                                      "mbrminx",
                                      "mbrminy",
                                      "minx",
                                      "miny",
                                      "multi",
                                      "ndims",
                                      "npoints",
                                      "nrings",
                                      "numgeometries",
                                      "numinteriorring",
                                      "numinteriorrings",
                                      "numpoints",
                                      "offsetcurve",
                                      "overlaps",
                                      "perimeter",
                                      "point",
                                      "pointfromtext",
                                      "pointn",
                                      "pointonsurface",
                                      "polyfromtext",
                                      "polygonfromtext",
                                      "ptdistwithin",
                                      "relate",
                                      "reverse",
                                      "scalecoords",
                                      "segmentize",
                                      "setsrid",
                                      "shiftcoords",
                                      "shortestline",
                                      "simplify",
                                      "simplifypreservetopology",
                                      "snap",
                                      "snaptogrid",
                                      "srid",
                                      "startpoint",
                                      "swapcoords",
                                      "symdifference",
                                      "touches",
                                      "transform",
                                      "translate",
                                      "unaryunion",
                                      "union",
                                      "within",
                                      "x",
                                      "y",
                                      "z"};
static const char *const boxes[] = {"mbrcontains", "mbrdisjoint", "mbrequal", "mbrintersects",
                                    "mbroverlaps", "mbrtouches",  "mbrwithin"};

static int is_one_of(const char *name, const struct sc_session_names *list) {
  return is_among(name, (const char *const *)list->names, (size_t)list->n);
}

static int may_call(const struct sc_session *s, const char *name) {
  if (!name) return 0;
  const char *stem = strncasecmp(name, "st_", 3) == 0 ? name + 3 : name;
  return is_among(stem, spatial, sizeof spatial / sizeof *spatial) ||
         is_among(name, boxes, sizeof boxes / sizeof *boxes) || is_one_of(name, &s->functions);
}

static int may_read(const struct sc_session *s, const char *table) {
  static const char *const always[] = {"json_each", "json_tree", "sqlite_master", "sqlite_schema"};
  return is_among(table, always, 4) || is_one_of(table, &s->tables);
}

static int authorize(void *context, int action, const char *a, const char *b, const char *database,
                     const char *inner) {
  struct sc_session *s = context;
  int may = s->is_ours || action == SQLITE_SELECT || action == SQLITE_RECURSIVE;
  (void)database, (void)inner;
  if (!may && action == SQLITE_READ) may = may_read(s, a);
  if (!may && action == SQLITE_FUNCTION) may = may_call(s, b);
  return may ? SQLITE_OK : SQLITE_DENY;
}

/* ---- time ---- */

static int is_due(const struct sc_session *s) {
  return (s->deadline > 0 && sc_browse_now() > s->deadline) ||
         (s->give_up && __atomic_load_n(s->give_up, __ATOMIC_RELAXED)) ||
         __atomic_load_n(s->of->give_up, __ATOMIC_RELAXED);
}

static int on_progress(void *context) { return is_due(context); }

void sc_session_limit(struct sc_session *s, double seconds, const int *give_up) {
  pthread_mutex_lock(&s->of->lock);
  s->deadline = seconds > 0 ? sc_browse_now() + seconds : 0;
  s->give_up = give_up;
  pthread_mutex_unlock(&s->of->lock);
}

void sc_sessions_watch(struct sc_sessions *of) {
  pthread_mutex_lock(&of->lock);
  for (struct sc_session *s = of->busy; s; s = s->next_busy) {
    if (is_due(s)) sqlite3_interrupt(s->db);
  }
  pthread_mutex_unlock(&of->lock);
}

sc_status sc_session_fail(struct sc_session *s, struct sc_error *err) {
  int code = sqlite3_errcode(s->db);
  if ((code == SQLITE_INTERRUPT || code == SQLITE_ABORT) && is_due(s))
    return sc_fail(err, SC_INTERRUPT, "the SQL took too long and was stopped");
  sc_status st = sc_db_status(s->db);
  if ((code & 0xff) == SQLITE_NOMEM) return sc_fail_nomem(err);
  return sc_fail(err, st, "%s", sqlite3_errmsg(s->db));
}

/* ---- opening ---- */

/* The tables of the database, of virtual ones those that read nothing but it. */
static const char readable_tables[] =
    "SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') AND (sql NOT LIKE 'CREATE "
    "VIRTUAL%' OR sql LIKE '%USING%stacchip_merge%' OR sql LIKE '%USING rtree%' OR sql LIKE "
    "'%USING fts5%')";
/* SQLite's own functions but those with effects, and ours that say that they have none (innocuous,
 * 0x200000). */
static const char pure_functions[] =
    "SELECT DISTINCT name FROM pragma_function_list WHERE (builtin OR flags & 0x200000) AND name "
    "NOT IN ('fts3_tokenizer', 'load_extension', 'sqlite_log')";

static sc_status add_name(struct sc_session_names *list, const char *name, struct sc_error *err) {
  if (list->n == list->capacity) {
    int capacity = 2 * list->capacity + 64;
    char **grown = sc_realloc(list->names, (size_t)capacity * sizeof *grown);
    if (!grown) return sc_fail_nomem(err);
    list->names = grown;
    list->capacity = capacity;
  }
  sc_status st = sc_strdup(name ? name : "", &list->names[list->n], err);
  if (!st) list->n++;
  return st;
}

static sc_status read_names(sqlite3 *db, const char *sql, struct sc_session_names *list,
                            struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  int is_row = 1;
  sc_status st = sc_db_prepare(db, sql, NULL, NULL, &stmt, err);
  while (!st && !(st = sc_db_next(stmt, &is_row, err)) && is_row)
    st = add_name(list, (const char *)sqlite3_column_text(stmt, 0), err);
  sqlite3_finalize(stmt);
  if (list->n) qsort(list->names, (size_t)list->n, sizeof *list->names, compare_names);
  return st;
}

static void free_names(struct sc_session_names *list) {
  for (int i = 0; i < list->n; i++) sc_free(list->names[i]);
  sc_free(list->names);
}

/* A virtual table declares its columns when a connection first names it, which is CREATE TABLE to
 * the authorizer: have it done before. A table that cannot be read says so when it is asked for. */
static sc_status connect_tables(struct sc_session *s, struct sc_error *err) {
  static const char merged[] =
      "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'";
  struct sc_session_names list = {0};
  struct sc_error ignored = {0};
  sc_status st = read_names(s->db, merged, &list, err);
  if (!st) st = sc_db_run(s->db, "SELECT 1 FROM json_each('[]'), json_tree('[]')", NULL, NULL, err);
  for (int i = 0; i < list.n && !st; i++) {
    if (is_one_of(list.names[i], &s->tables))
      sc_db_run(s->db, "SELECT 1 FROM main.\"{name}\" LIMIT 0", NULL, list.names[i], &ignored);
  }
  free_names(&list);
  return st;
}

static sc_status guard(struct sc_session *s, struct sc_error *err) {
  sqlite3_int64 version;
  sc_status st = sc_db_query_int(s->db, "PRAGMA main.schema_version", NULL, NULL, 0, &version, err);
  s->schema_version = (int)version;
  if (!st) st = read_names(s->db, readable_tables, &s->tables, err);
  if (!st) st = read_names(s->db, pure_functions, &s->functions, err);
  if (!st) st = connect_tables(s, err);
  if (!st) sqlite3_set_authorizer(s->db, authorize, s);
  return st;
}

static void close_session(struct sc_session *s) {
  sqlite3_close(s->db);
  free_names(&s->tables);
  free_names(&s->functions);
  sc_free(s);
}

static sc_status settle(struct sc_session *s, struct sc_error *err) {
  char *message = NULL;
  int is_writing = s->kind == SC_SESSION_WRITING;
  sc_status st = SC_OK;
  if (sqlite3_stacchip_init(s->db, &message, NULL) != SQLITE_OK)
    st = sc_fail(err, SC_UNSUPPORTED, "%s", message ? message : "the extension does not start");
  sqlite3_free(message);
  if (st) return st;
  sqlite3_busy_timeout(s->db, 5000);
  sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, is_writing, NULL);
  sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(s->db, SQLITE_LIMIT_WORKER_THREADS, 0);
  if (s->kind == SC_SESSION_GUARDED) sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, VALUE_BYTES);
  char sql[80];
  sqlite3_snprintf(sizeof sql, sql, "PRAGMA cache_size = -%d; PRAGMA query_only = %d", CACHE_KB,
                   !is_writing);
  st = sc_db_run(s->db, sql, NULL, NULL, err);
  return st || s->kind != SC_SESSION_GUARDED ? st : guard(s, err);
}

static sc_status open_session(struct sc_sessions *of, enum sc_session_kind kind,
                              struct sc_session **out, struct sc_error *err) {
  struct sc_session *s = sc_alloc_zero(1, sizeof *s);
  if (!s) return sc_fail_nomem(err);
  s->kind = kind;
  s->of = of;
  int mode = kind == SC_SESSION_WRITING ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  sc_status st = SC_OK;
  if (sqlite3_open_v2(of->path, &s->db, mode | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    st = sc_fail(err, SC_IO, "%s: %s", of->path, s->db ? sqlite3_errmsg(s->db) : "out of memory");
  if (!st && (st = settle(s, err))) sc_fail_within(err, "%s", of->path);
  if (st) {
    close_session(s);
    return st;
  }
  sqlite3_progress_handler(s->db, STEPS_BETWEEN_QUESTIONS, on_progress, s);
  *out = s;
  return SC_OK;
}

/* ---- taking and giving ---- */

void sc_sessions_init(struct sc_sessions *s, const char *path, const int *give_up) {
  s->path = path;
  s->give_up = give_up;
  pthread_mutex_init(&s->lock, NULL);
}

void sc_sessions_free(struct sc_sessions *s) {
  sc_session_give(s->witness);
  while (s->idle) {
    struct sc_session *next = s->idle->next;
    close_session(s->idle);
    s->idle = next;
  }
  pthread_mutex_destroy(&s->lock);
}

static struct sc_session *take_idle(struct sc_sessions *of, enum sc_session_kind kind) {
  pthread_mutex_lock(&of->lock);
  struct sc_session **at = &of->idle;
  while (*at && (*at)->kind != kind) at = &(*at)->next;
  struct sc_session *s = *at;
  if (s) *at = s->next;
  pthread_mutex_unlock(&of->lock);
  return s;
}

/* Of a schema that has changed since, guarded SQL knows the tables no more. */
static int is_stale(struct sc_session *s) {
  struct sc_error ignored = {0};
  sqlite3_int64 version = -1;
  if (s->kind != SC_SESSION_GUARDED) return 0;
  s->is_ours++;
  sc_db_query_int(s->db, "PRAGMA main.schema_version", NULL, NULL, -1, &version, &ignored);
  s->is_ours--;
  return version != s->schema_version;
}

sc_status sc_session_take(struct sc_sessions *of, enum sc_session_kind kind,
                          struct sc_session **out, struct sc_error *err) {
  struct sc_session *s;
  *out = NULL;
  while ((s = take_idle(of, kind)) && is_stale(s)) close_session(s);
  if (!s) {
    sc_status st = open_session(of, kind, &s, err);
    if (st) return st;
  }
  pthread_mutex_lock(&of->lock);
  s->next_busy = of->busy;
  of->busy = s;
  pthread_mutex_unlock(&of->lock);
  *out = s;
  return SC_OK;
}

void sc_session_give(struct sc_session *s) {
  if (!s) return;
  struct sc_sessions *of = s->of;
  pthread_mutex_lock(&of->lock);
  s->deadline = 0;
  s->give_up = NULL;
  struct sc_session **at = &of->busy;
  while (*at != s) at = &(*at)->next_busy;
  *at = s->next_busy;
  s->next = of->idle;
  of->idle = s;
  pthread_mutex_unlock(&of->lock);
}

int sc_sessions_changed(struct sc_sessions *of) {
  struct sc_error ignored = {0};
  sqlite3_int64 version = of->data_version;
  if (!of->witness && sc_session_take(of, SC_SESSION_OWN, &of->witness, &ignored)) return 0;
  if (sc_db_query_int(of->witness->db, "PRAGMA data_version", NULL, NULL, version, &version,
                      &ignored))
    return 0; /* a writer holds it: the next call will see what came of that */
  int changed = of->data_version && version != of->data_version;
  of->data_version = version;
  return changed;
}

/* ---- texts ---- */

sc_status sc_session_check_expression(const char *text, struct sc_error *err) {
  int depth = 0;
  if (strlen(text) > EXPRESSION_BYTES)
    return sc_fail(err, SC_BAD_ARG, "the SQL has more than %d bytes", EXPRESSION_BYTES);
  if (sc_sql_is(sc_sql_next(text), "WHERE"))
    return sc_fail(err, SC_BAD_ARG, "expected what stands behind WHERE, without that word");
  for (struct sc_sql_token t = sc_sql_next(text); t.type; t = sc_sql_next(t.next)) {
    if (t.type == SC_SQL_OTHER) {
      depth += (*t.text == '(') - (*t.text == ')');
      if (*t.text == ';') return sc_fail(err, SC_BAD_ARG, "expected one SQL expression, found ';'");
    }
    if (depth < 0) break;
  }
  return depth ? sc_fail(err, SC_BAD_ARG,
                         "a parenthesis of the SQL is not closed, or was never "
                         "opened")
               : SC_OK;
}
