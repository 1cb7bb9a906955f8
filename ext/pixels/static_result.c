/* Results that SQLite need not copy; see static_result.h. */
#include "pixels/static_result.h"

#include "base/alloc.h"
#include "connection.h"

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

void sc_static_result_reclaim(struct sc_connection *c) {
  struct sc_static_result *r = c->static_result;
  if (!r || !r->bytes.data) return;
  for (sqlite3_stmt *s = sqlite3_next_stmt(c->db, NULL); s; s = sqlite3_next_stmt(c->db, s)) {
    if (sqlite3_stmt_busy(s) && is_reader(r, s)) return;
  }
  sc_buffer_free(&r->bytes);
}

void sc_static_result_give(struct sc_connection *c, sqlite3_context *context,
                           struct sc_buffer *bytes) {
  c->static_result = sc_connection_part(c, c->static_result, sizeof *c->static_result, result_free);
  sc_static_result_reclaim(c);
  struct sc_static_result *r = c->static_result;
  if (!r || r->bytes.data || bytes->size < LEAST_BYTES || !note_readers(r, c->db)) {
    sqlite3_result_blob64(context, bytes->data, bytes->size, sc_free);
    bytes->data = NULL;
    bytes->size = bytes->capacity = 0;
    return;
  }
  sc_buffer_move(bytes, &r->bytes);
  sqlite3_result_blob64(context, r->bytes.data, r->bytes.size, SQLITE_STATIC);
}
