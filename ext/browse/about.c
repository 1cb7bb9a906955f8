/* api/about: what there is to browse. */
#include <stdio.h>
#include <string.h>

#include "base/db.h"
#include "browse/state.h"
#include "stacchip.h"

/* Name and declared type of each column, as JSON; hidden ones of a merged index too. */
static sc_status put_columns(const struct sc_browse_table *t, struct sc_session *s,
                             struct sc_buffer *out, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  int is_row = 1;
  sc_status st;
  if (t->is_frozen) {
    st = sc_table_prepare(t, s, "SELECT * FROM {from} LIMIT 0", &stmt, err);
    for (int i = 0; !st && i < sqlite3_column_count(stmt); i++) {
      st = sc_buffer_append_text(out, i ? ",{\"name\":" : "{\"name\":", err);
      if (!st) st = sc_buffer_append_json(out, sqlite3_column_name(stmt, i), err);
      if (!st) st = sc_buffer_append_text(out, ",\"type\":", err);
      if (!st) st = sc_buffer_append_json(out, sqlite3_column_decltype(stmt, i), err);
      if (!st) st = sc_buffer_append_text(out, "}", err);
    }
    sqlite3_finalize(stmt);
    return st;
  }
  st = sc_db_prepare(s->db,
                     "SELECT json_object('name', name, 'type', type) FROM pragma_table_xinfo(?1) "
                     "WHERE name NOT IN (?1, 'rank', 'search_area')",
                     NULL, NULL, &stmt, err);
  if (!st) sqlite3_bind_text(stmt, 1, t->table, -1, SQLITE_STATIC);
  for (int n = 0; !st && !(st = sc_db_next(stmt, &is_row, err)) && is_row; n++) {
    if (n) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_buffer_append_text(out, (const char *)sqlite3_column_text(stmt, 0), err);
  }
  sqlite3_finalize(stmt);
  return st;
}

static sc_status put_table(const struct sc_browse_table *t, struct sc_buffer *out,
                           struct sc_error *err) {
  struct sc_session *s = NULL;
  sc_status st = sc_session_take(t->sessions, SC_SESSION_OWN, &s, err);
  if (st) return st;
  st = sc_buffer_append_text(out, "{\"name\":", err);
  if (!st) st = sc_buffer_append_json(out, t->name, err);
  if (!st)
    st = sc_buffer_printf(out, err,
                          ",\"kind\":\"%s\",\"labels\":", t->is_frozen ? "frozen" : "merge");
  if (!st) st = sc_buffer_append_json(out, sc_table_has_labels(t, s) ? t->labels : NULL, err);
  if (!st) st = sc_buffer_append_text(out, ",\"columns\":[", err);
  if (!st) st = put_columns(t, s, out, err);
  if (!st) st = sc_buffer_append_text(out, "]}", err);
  sc_session_give(s);
  return st;
}

sc_status sc_browse_about(struct sc_browse *b, const struct sc_server_request *r,
                          struct sc_server_answer *a, struct sc_error *err) {
  struct sc_buffer *out = &a->body;
  const char *path = b->paths[0], *slash = strrchr(path, '/');
  (void)r;
  sc_status st =
      sc_buffer_printf(out, err, "{\"version\":\"%s\",\"readWrite\":%s,\"name\":", STACCHIP_VERSION,
                       b->options.is_writable ? "true" : "false");
  if (!st) st = sc_buffer_append_json(out, slash ? slash + 1 : path, err);
  if (!st) st = sc_buffer_append_text(out, ",\"tables\":[", err);
  for (int i = 0; i < b->tables.n && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_table(&b->tables.tables[i], out, err);
  }
  return st ? st : sc_buffer_append_text(out, "]}", err);
}
