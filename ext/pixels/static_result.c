/* Results that SQLite need not copy; see static_result.h. */
#include "pixels/static_result.h"

#include "base/alloc.h"
#include "base/db.h"
#include "base/running.h"
#include "base/sql_token.h"
#include "connection.h"
#include "pixels/result.h"

#define LEAST_BYTES ((size_t)1 << 20) /* smaller ones are copied quickly */
#define READERS_MAX 32

/* A run of a statement: SQLite counts them. */
struct reader {
  sqlite3_stmt *stmt;
  int run;
};

struct sc_static_result {
  struct sc_buffer bytes; /* empty: there is none now */
  struct reader readers[READERS_MAX];
  int n_readers;
};

/* When the connection closes, SQLite has finalized every statement. */
static void result_free(void *object) {
  struct sc_static_result *result = object;
  sc_buffer_free(&result->bytes);
  sc_free(result);
}

static int run_of(sqlite3_stmt *s) { return sqlite3_stmt_status(s, SQLITE_STMTSTATUS_RUN, 0); }

/* Every statement that runs now; 0 where there are too many. */
static int note_readers(struct sc_static_result *r, sqlite3 *db) {
  r->n_readers = 0;
  for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
    if (!sqlite3_stmt_busy(s)) continue;
    if (r->n_readers == READERS_MAX) return 0;
    r->readers[r->n_readers++] = (struct reader){s, run_of(s)};
  }
  return 1;
}

/* A new statement at the place of a finalized one, in the same run, passes for it: then the
 * memory is kept longer than need be. */
static int is_reader(const struct sc_static_result *r, sqlite3_stmt *s) {
  for (int i = 0; i < r->n_readers; i++) {
    if (r->readers[i].stmt == s && r->readers[i].run == run_of(s)) return 1;
  }
  return 0;
}

/* The one statement that is in the middle of a step, which therefore calls us; NULL where there are
 * several. The newer releases of SQLite show the row before during the next step, which hides that
 * it runs (3.46 does; 3.40 does not): then it is the caller if no other is busy. */
static sqlite3_stmt *find_caller(sqlite3 *db) {
  sqlite3_stmt *running = NULL, *busy = NULL;
  int n_running = 0, n_busy = 0;
  for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s; s = sqlite3_next_stmt(db, s)) {
    if (sqlite3_stmt_busy(s)) n_busy++, busy = s;
    if (sc_is_running(s)) n_running++, running = s;
  }
  return n_busy == 1 ? busy : n_running == 1 ? running : NULL;
}

/* Of the words of a statement outside all parentheses: those that make SQLite look at a row again
 * when the next one is there, or that are no query. */
static int looks_back(struct sc_sql_token t) {
  static const char *const words[] = {"DISTINCT", "UNION",  "INTERSECT", "EXCEPT",
                                      "WINDOW",   "OVER",   "INSERT",    "REPLACE",
                                      "UPDATE",   "DELETE", "CREATE",    "RETURNING"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (sc_sql_is(t, words[i])) return 1;
  }
  return 0;
}

/*
 * Does a query call `function` once, in its outermost list of columns and not inside another call
 * or query? Then each row shows a result of its own, and nothing holds the one of the row before
 * when the next is made. (A sorter has copied it.)
 */
static int is_shown_once(const char *sql, const char *function) {
  int depth = 0, n_outside = 0, n_calls = 0, in_list = 0;
  for (struct sc_sql_token t = sc_sql_next(sql); t.type != SC_SQL_END; t = sc_sql_next(t.next)) {
    depth += sc_sql_is(t, "(") - sc_sql_is(t, ")");
    if (depth == 0 && looks_back(t)) return 0;
    if (depth == 0 && sc_sql_is(t, "SELECT")) in_list = 1;
    if (depth == 0 && sc_sql_is(t, "FROM")) in_list = 0;
    if (!sc_sql_spells(t, function)) continue;
    n_calls++;
    n_outside += depth == 0 && in_list;
  }
  return n_calls == 1 && n_outside == 1;
}

/* A view may call the function, too, and only one of the connection's own (SQLITE_DIRECTONLY).
 * SpatiaLite 5.1 has temporary views of its own. */
static int has_temp_view(sqlite3 *db) {
  sqlite3_int64 found = 0;
  struct sc_error ignored = {0};
  const char *sql =
      "SELECT 1 FROM sqlite_temp_master WHERE type = 'view' AND sql LIKE '%stacchip_stack%'";
  return sc_db_query_int(db, sql, NULL, NULL, 0, &found, &ignored) || found;
}

/* The calling statement, where it makes the results of its rows one after the other. */
static sqlite3_stmt *find_row_by_row(sqlite3 *db) {
  sqlite3_stmt *caller = find_caller(db);
  return caller && is_shown_once(sqlite3_sql(caller), "stacchip_stack") && !has_temp_view(db)
             ? caller
             : NULL;
}

void sc_static_result_reclaim(struct sc_connection *c) {
  struct sc_static_result *r = c->static_result;
  if (!r || !r->bytes.data) return;
  sqlite3_stmt *row_by_row = find_row_by_row(c->db);
  for (sqlite3_stmt *s = sqlite3_next_stmt(c->db, NULL); s; s = sqlite3_next_stmt(c->db, s)) {
    if (sqlite3_stmt_busy(s) && is_reader(r, s) && s != row_by_row) return;
  }
  sc_buffer_free(&r->bytes);
}

void sc_static_result_give(struct sc_connection *c, sqlite3_context *context,
                           struct sc_buffer *bytes) {
  c->static_result = sc_connection_part(c, c->static_result, sizeof *c->static_result, result_free);
  sc_static_result_reclaim(c);
  struct sc_static_result *r = c->static_result;
  if (!r || r->bytes.data || bytes->size < LEAST_BYTES || !note_readers(r, c->db)) {
    sc_result_give(context, bytes);
    return;
  }
  sc_buffer_move(bytes, &r->bytes);
  sqlite3_result_blob64(context, r->bytes.data, r->bytes.size, SQLITE_STATIC);
}
