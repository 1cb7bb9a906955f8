/* api/about: what there is to browse. */
#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "base/db.h"
#include "browse/state.h"
#include "browse/summary.h"
#include "stacchip.h"

#define WAIT_SECONDS 0.3 /* for the first chips */

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

static sc_status put_day(int32_t day, struct sc_buffer *out, struct sc_error *err) {
  char text[24];
  if (day == SC_NO_DAY) return sc_buffer_append_text(out, "null", err);
  sc_date_format(day, text, sizeof text);
  return sc_buffer_printf(out, err, "\"%s\"", text);
}

/* What its chips are like, as far as they are read. */
static sc_status put_summary(struct sc_summary *s, struct sc_buffer *out, struct sc_error *err) {
  double loaded, box[4];
  sc_status st = sc_summary_wait(s, WAIT_SECONDS, &loaded, err);
  if (st) return st;
  int64_t n = sc_summary_extent(s, box);
  st = sc_buffer_printf(out, err,
                        ",\"chips\":%lld,\"loaded\":%.3f,\"extent\":[%.6f,%.6f,%.6f,%.6f],"
                        "\"dates\":[",
                        (long long)n, loaded, box[0], box[1], box[2], box[3]);
  if (!st) st = put_day(s->first_day, out, err);
  if (!st) st = sc_buffer_append_text(out, ",", err);
  if (!st) st = put_day(s->last_day, out, err);
  if (!st) st = sc_buffer_append_text(out, "],\"platforms\":[", err);
  for (int i = 0; i < s->n_platforms && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_buffer_append_json(out, s->platforms[i], err);
  }
  return st ? st : sc_buffer_append_text(out, "]", err);
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
  if (!st) st = put_summary(t->summary, out, err);
  if (!st && sc_summary_is_stale(t->summary, s))
    st = sc_buffer_append_text(out, ",\"changed\":true", err);
  if (!st) st = sc_buffer_append_text(out, ",\"columns\":[", err);
  if (!st) st = put_columns(t, s, out, err);
  if (!st) st = sc_buffer_append_text(out, "]}", err);
  sc_session_give(s);
  return st;
}

sc_status sc_browse_about(struct sc_browse *b, const struct sc_server_request *r,
                          struct sc_server_answer *a, struct sc_error *err) {
  struct sc_buffer *out = &a->body;
  const char *path = b->options.paths[0], *slash = strrchr(path, '/');
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
