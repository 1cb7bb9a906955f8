/* api/label and api/save: tables of the user's, which only --read-write lets the page write. */
#include <cjson/cJSON.h>
#include <string.h>

#include "base/db.h"
#include "browse/selection.h"

#define LABELED_MAX 100000
#define SAVED_MAX 1000000
#define LABEL_BYTES 1000
#define WRITE_SECONDS 60.0

static sc_status check_writable(const struct sc_browse *b, struct sc_error *err) {
  if (b->options.is_writable) return SC_OK;
  return sc_fail(err, SC_DENIED,
                 "nothing is written: stacchip browse was started without --read-write");
}

/* Run a statement for each chip; ?1 is its number, ?2 text. */
static sc_status for_each(struct sc_session *s, sqlite3_stmt *stmt,
                          const struct sc_selection *chips, const char *text,
                          struct sc_error *err) {
  for (size_t i = 0; i < chips->n; i++) {
    sqlite3_bind_int64(stmt, 1, chips->ids[i]);
    if (text) sqlite3_bind_text(stmt, 2, text, -1, SQLITE_STATIC);
    int code = sqlite3_step(stmt);
    if (code != SQLITE_DONE) return sc_session_fail(s, err);
    sqlite3_reset(stmt);
  }
  return SC_OK;
}

struct writing {
  const struct sc_browse_table *table;
  const struct sc_selection *chips;
  const char *name;  /* of the table that is written */
  const char *make;  /* it; "{name}" stands for the name */
  const char *write; /* of each chip, as sc_table_prepare() takes it, the name quoted by now */
  const char *text;
  int is_labels;
};

/* All of it or nothing. */
static sc_status write_all(const struct writing *w, int64_t *rows, struct sc_error *err) {
  struct sc_session *s = NULL;
  sqlite3_stmt *stmt = NULL;
  sc_status st = sc_session_take(w->table->sessions, SC_SESSION_WRITING, &s, err);
  if (st) return st;
  sc_session_limit(s, WRITE_SECONDS, NULL);
  st = sc_db_run(s->db, "BEGIN IMMEDIATE", NULL, NULL, err);
  int is_begun = !st;
  if (!st) st = sc_db_run(s->db, w->make, NULL, w->name, err);
  int before = sqlite3_total_changes(s->db);
  if (!st && w->is_labels && !sc_table_has_labels(w->table, s))
    st = sc_fail(err, SC_BAD_ARG,
                 "%s is no table of labels, which has columns chip, chipid, label and "
                 "time: --labels names another",
                 w->name);
  if (!st) st = sc_table_prepare(w->table, s, w->write, &stmt, err);
  if (!st) st = for_each(s, stmt, w->chips, w->text, err);
  sqlite3_finalize(stmt);
  if (!st) *rows = sqlite3_total_changes(s->db) - before;
  if (!st) st = sc_db_run(s->db, "COMMIT", NULL, NULL, err);
  if (st && is_begun) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
  sc_session_give(s);
  return st;
}

static sc_status put_rows(int64_t rows, struct sc_buffer *out, struct sc_error *err) {
  return sc_buffer_printf(out, err, "{\"rows\":%lld}", (long long)rows);
}

struct label_raw {
  const cJSON *ids, *label;
};

static sc_status write_labels(const struct sc_browse_filter *f, const cJSON *label,
                              const struct sc_selection *chips, int64_t *rows,
                              struct sc_error *err) {
  struct writing w = {.table = f->table, .chips = chips, .name = f->table->labels, .is_labels = 1};
  w.make =
      "CREATE TABLE IF NOT EXISTS main.\"{name}\"(chip TEXT PRIMARY KEY, chipid TEXT, label TEXT "
      "NOT "
      "NULL, time TEXT NOT NULL) WITHOUT ROWID";
  if (cJSON_IsNull(label) || !label) {
    w.write =
        "DELETE FROM main.{labels} WHERE chip = (SELECT {handle} FROM {from} WHERE {id} = ?1)";
  } else {
    w.write =
        "INSERT OR REPLACE INTO main.{labels} SELECT {handle}, {item} || '-' || {x} || '-' || {y}, "
        "?2, "
        "strftime('%Y-%m-%dT%H:%M:%SZ', 'now') FROM {from} WHERE {id} = ?1";
    w.text = cJSON_IsString(label) ? label->valuestring : "";
    if (!*w.text || strlen(w.text) > LABEL_BYTES)
      return sc_option_fail(err, "browse", "label", label, "a text of 1 to %d bytes, or null",
                            LABEL_BYTES);
  }
  return write_all(&w, rows, err);
}

sc_status sc_browse_label(struct sc_browse *b, const struct sc_server_request *r,
                          struct sc_server_answer *a, struct sc_error *err) {
  struct label_raw raw = {0};
  static const struct sc_option table[] = {
      {"ids", SC_OPTION_JSON, offsetof(struct label_raw, ids), 0, 0, NULL, NULL, NULL},
      {"label", SC_OPTION_JSON, offsetof(struct label_raw, label), 0, 0, NULL, NULL, NULL}};
  struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, NULL};
  struct sc_browse_filter f = {0};
  struct sc_selection chips = {0};
  int64_t rows = 0;
  sc_status st = check_writable(b, err);
  if (!st) st = sc_browse_filter_read(b, r, &set, 0, &f, err);
  if (!st && !raw.ids)
    st = sc_option_fail(err, "browse", "ids", NULL, "an array of chips' numbers");
  if (!st) st = sc_selection_read(&f, raw.ids, LABELED_MAX, &chips, err);
  if (!st) st = write_labels(&f, raw.label, &chips, &rows, err);
  if (!st) sc_columns_forget(&b->columns);
  if (!st) st = put_rows(rows, &a->body, err);
  sc_selection_free(&chips);
  sc_browse_filter_free(b, &f);
  return st;
}

struct save_raw {
  const cJSON *ids;
  const char *name;
};

/* The name within the statement: sc_table_prepare() knows the table's own only. */
static sc_status write_selection(const struct sc_browse_filter *f, const char *name,
                                 const struct sc_selection *chips, int64_t *rows,
                                 struct sc_error *err) {
  struct writing w = {.table = f->table, .chips = chips, .name = name};
  if (strchr(name, '{')) return sc_fail(err, SC_BAD_ARG, "name: a table may not be called that");
  w.make = "CREATE TABLE main.\"{name}\"(chip TEXT PRIMARY KEY, chipid TEXT) WITHOUT ROWID";
  char *sql = sqlite3_mprintf(
      "INSERT INTO main.\"%w\" SELECT {handle}, {item} || '-' || {x} || '-' || {y} FROM {from} "
      "WHERE "
      "{id} = ?1",
      name);
  w.write = sql;
  sc_status st = sql ? write_all(&w, rows, err) : sc_fail_nomem(err);
  sqlite3_free(sql);
  return st;
}

sc_status sc_browse_save(struct sc_browse *b, const struct sc_server_request *r,
                         struct sc_server_answer *a, struct sc_error *err) {
  struct save_raw raw = {0};
  static const struct sc_option table[] = {
      {"ids", SC_OPTION_JSON, offsetof(struct save_raw, ids), 0, 0, NULL, NULL, NULL},
      {"name", SC_OPTION_TEXT, offsetof(struct save_raw, name), 0, 0, NULL, NULL, NULL}};
  struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, NULL};
  struct sc_browse_filter f = {0};
  struct sc_selection chips = {0};
  int64_t rows = 0;
  sc_status st = check_writable(b, err);
  if (!st) st = sc_browse_filter_read_whole(b, r, &set, &f, err);
  if (!st && (!raw.name || !*raw.name))
    st = sc_fail(err, SC_BAD_ARG, "name: the new table needs one");
  if (!st) st = sc_selection_read(&f, raw.ids, SAVED_MAX, &chips, err);
  if (!st) st = write_selection(&f, raw.name, &chips, &rows, err);
  if (!st) sc_columns_forget(&b->columns);
  if (!st) st = put_rows(rows, &a->body, err);
  sc_selection_free(&chips);
  sc_browse_filter_free(b, &f);
  return st;
}
