/* SQL from C; see db.h. */
#include "base/db.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/hash.h"

/* The last error that the thread reported; valid only while SQLite shows its text, of which a hash
 * is kept: each thread of the host has this, and a library loaded late has little room for it. */
static _Thread_local struct {
  sc_status status;
  uint64_t text_hash;
} reported;

static uint64_t hash_text(const char *text) {
  return sc_hash_bytes(SC_HASH_START, text, strlen(text));
}

static void note_report(const struct sc_error *err) {
  reported.status = err->status;
  reported.text_hash = hash_text(err->text);
}

static int is_reported(sqlite3 *db) {
  return reported.status && reported.text_hash == hash_text(sqlite3_errmsg(db));
}

sc_status sc_db_fail(sqlite3 *db, struct sc_error *err, const char *what) {
  int code = sqlite3_extended_errcode(db);
  if ((code & 0xff) == SQLITE_NOMEM) return sc_fail_nomem(err);
  sc_status st = is_reported(db) && reported.status == SC_AGAIN ? SC_AGAIN : SC_DB;
  sc_fail_text(err, st, "%s: %s", what, sqlite3_errmsg(db));
  err->db_code = code == SQLITE_OK ? SQLITE_ERROR : code;
  return st;
}

sc_status sc_db_status(sqlite3 *db) {
  if ((sqlite3_errcode(db) & 0xff) == SQLITE_BUSY) return SC_AGAIN;
  return is_reported(db) ? reported.status : SC_DB;
}

/* Append a name with its double quotes doubled. */
static sc_status append_quoted(struct sc_buffer *b, const char *name, struct sc_error *err) {
  for (; *name; name++) {
    sc_status st = sc_buffer_append(b, name, 1, err);
    if (!st && *name == '"') st = sc_buffer_append(b, name, 1, err);
    if (st) return st;
  }
  return SC_OK;
}

sc_status sc_db_expand(const char *sql, const char *db_name, const char *name, char **out,
                       struct sc_error *err) {
  struct sc_buffer b = {0};
  sc_status st = SC_OK;
  *out = NULL;
  while (*sql && !st) {
    if (db_name && strncmp(sql, "{db}", 4) == 0) {
      st = append_quoted(&b, db_name, err);
      sql += 4;
    } else if (name && strncmp(sql, "{name}", 6) == 0) {
      st = append_quoted(&b, name, err);
      sql += 6;
    } else {
      size_t n = 1 + strcspn(sql + 1, "{");
      st = sc_buffer_append(&b, sql, n, err);
      sql += n;
    }
  }
  if (!st) st = sc_buffer_terminate(&b, err);
  if (st) {
    sc_buffer_free(&b);
    return st;
  }
  *out = (char *)b.data;
  return SC_OK;
}

sc_status sc_db_prepare(sqlite3 *db, const char *sql, const char *db_name, const char *name,
                        sqlite3_stmt **out, struct sc_error *err) {
  char *text = NULL;
  *out = NULL;
  sc_status st = sc_db_expand(sql, db_name, name, &text, err);
  if (st) return st;
  if (sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK) {
    st = sc_db_fail(db, err, "preparing SQL");
  }
  sc_free(text);
  return st;
}

sc_status sc_db_run(sqlite3 *db, const char *sql, const char *db_name, const char *name,
                    struct sc_error *err) {
  char *text = NULL;
  sc_status st = sc_db_expand(sql, db_name, name, &text, err);
  if (st) return st;
  if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
    st = sc_db_fail(db, err, "running SQL");
  }
  sc_free(text);
  return st;
}

sc_status sc_db_next(sqlite3_stmt *stmt, int *is_row, struct sc_error *err) {
  int code = sqlite3_step(stmt);
  *is_row = code == SQLITE_ROW;
  if (code == SQLITE_ROW || code == SQLITE_DONE) return SC_OK;
  return sc_db_fail(sqlite3_db_handle(stmt), err, "running SQL");
}

sc_status sc_db_step_reset(sqlite3_stmt *stmt, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int is_row = 1; !st && is_row;) st = sc_db_next(stmt, &is_row, err);
  sqlite3_reset(stmt);
  return st;
}

sc_status sc_db_query_int(sqlite3 *db, const char *sql, const char *db_name, const char *name,
                          sqlite3_int64 missing, sqlite3_int64 *out, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  *out = missing;
  sc_status st = sc_db_prepare(db, sql, db_name, name, &stmt, err);
  if (st) return st;
  int is_row;
  st = sc_db_next(stmt, &is_row, err);
  if (!st && is_row && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
    *out = sqlite3_column_int64(stmt, 0);
  }
  sqlite3_finalize(stmt);
  return st;
}

const char *sc_db_bytes(sqlite3_value *value, size_t *n) {
  int is_blob = sqlite3_value_type(value) == SQLITE_BLOB;
  const char *bytes = is_blob ? sqlite3_value_blob(value) : (const char *)sqlite3_value_text(value);
  *n = (size_t)sqlite3_value_bytes(value);
  return is_blob && !*n ? "" : bytes; /* an empty BLOB has no address */
}

void sc_result_error(sqlite3_context *context, const struct sc_error *err) {
  note_report(err);
  if (err->status == SC_NOMEM) {
    sqlite3_result_error_nomem(context);
    return;
  }
  sqlite3_result_error(context, err->text, -1);
  sqlite3_result_error_code(context, sc_error_sqlite_code(err));
}

int sc_vtab_error(sqlite3_vtab *vtab, const struct sc_error *err) {
  note_report(err);
  sqlite3_free(vtab->zErrMsg);
  vtab->zErrMsg = sqlite3_mprintf("%s", err->text);
  return sc_error_sqlite_code(err);
}

/*
 * SQLite before 3.41 has no question to ask, but a statement that is stepped while another
 * one is running ends with SQLITE_INTERRUPT when the flag is up.
 */
int sc_db_interrupted(void *db) {
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v2(db, "SELECT 1", -1, &stmt, NULL);
  if (code == SQLITE_OK) code = sqlite3_step(stmt);
  sqlite3_finalize(stmt);
  return code == SQLITE_INTERRUPT;
}
