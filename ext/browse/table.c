/* Tables that are browsed; see table.h. */
#include "browse/table.h"

#include <string.h>

#include "base/alloc.h"
#include "base/db.h"

#define FROZEN_ID 0x53434650

static const char *const value_names[SC_TABLE_N_VALUES] = {
    "id", "handle", "item", "platform", "date", "cloud", "nodata", "x", "y", "geometry", "grid"};

static const char *const merged_values[SC_TABLE_N_VALUES] = {"rowid",
                                                             "row",
                                                             "item",
                                                             "platform",
                                                             "date",
                                                             "cloud_cover_percentage",
                                                             "nodata_percentage",
                                                             "chip_index_x",
                                                             "chip_index_y",
                                                             "geometry",
                                                             "grid"};

/* The chips of a frozen dataset with what their items say; columns that the dataset has itself
 * come first, and hide those. */
static const char *const frozen_values[SC_TABLE_N_VALUES] = {
    "position",          "handle",       "item_id",
    "platform",          "date",         "cloud_cover_percentage",
    "nodata_percentage", "chip_index_x", "chip_index_y",
    "geometry",          "item"};

/* ---- SQL ---- */

static sc_status put_name(const struct sc_browse_table *t, const char *name, size_t n,
                          struct sc_buffer *out, struct sc_error *err) {
  if (n == 4 && memcmp(name, "from", 4) == 0) return sc_buffer_append_text(out, t->from, err);
  if (n == 6 && memcmp(name, "labels", 6) == 0) {
    char *quoted = sqlite3_mprintf("\"%w\"", t->labels);
    sc_status st = quoted ? sc_buffer_append_text(out, quoted, err) : sc_fail_nomem(err);
    sqlite3_free(quoted);
    return st;
  }
  for (int i = 0; i < SC_TABLE_N_VALUES; i++) {
    if (strlen(value_names[i]) == n && memcmp(value_names[i], name, n) == 0)
      return sc_buffer_append_text(out, t->values[i], err);
  }
  return sc_fail(err, SC_BAD_ARG, "no such value: %.*s", (int)n, name);
}

sc_status sc_table_sql(const struct sc_browse_table *t, const char *text, struct sc_buffer *out,
                       struct sc_error *err) {
  sc_status st = SC_OK;
  while (!st && *text) {
    size_t n = strcspn(text, "{");
    st = sc_buffer_append(out, text, n, err);
    text += n;
    if (st || !*text) break;
    n = strcspn(text, "}");
    st = put_name(t, text + 1, n - 1, out, err);
    text += n + 1;
  }
  return st ? st : sc_buffer_terminate(out, err);
}

sc_status sc_table_prepare(const struct sc_browse_table *t, struct sc_session *s, const char *text,
                           sqlite3_stmt **out, struct sc_error *err) {
  struct sc_buffer sql = {0};
  *out = NULL;
  sc_status st = sc_table_sql(t, text, &sql, err);
  if (!st && sqlite3_prepare_v2(s->db, (char *)sql.data, -1, out, NULL) != SQLITE_OK)
    st = sc_session_fail(s, err);
  sc_buffer_free(&sql);
  return st;
}

/* Which columns there are, behind a message that one is not. */
static sc_status add_columns(const struct sc_browse_table *t, struct sc_session *s,
                             struct sc_error *err) {
  sqlite3_stmt *all = NULL;
  struct sc_buffer text = {0};
  struct sc_error ignored = {0};
  sc_status st = err->status;
  s->is_ours++;
  sc_status listed = sc_buffer_printf(&text, &ignored, "%s; columns: ", err->text);
  if (!listed) listed = sc_table_prepare(t, s, "SELECT * FROM {from} LIMIT 0", &all, &ignored);
  for (int i = 0; !listed && i < sqlite3_column_count(all); i++)
    listed = sc_buffer_printf(&text, &ignored, i ? ", %s" : "%s", sqlite3_column_name(all, i));
  if (!listed) st = sc_fail(err, st, "%s", (char *)text.data);
  sqlite3_finalize(all);
  s->is_ours--;
  sc_buffer_free(&text);
  return st;
}

sc_status sc_table_prepare_theirs(const struct sc_browse_table *t, struct sc_session *s,
                                  const struct sc_buffer *sql, sqlite3_stmt **out,
                                  struct sc_error *err) {
  const char *text = (const char *)sql->data;
  *out = NULL;
  if (sqlite3_prepare_v2(s->db, text, -1, out, NULL) == SQLITE_OK) return SC_OK;
  int at = sqlite3_error_offset(s->db);
  sc_status st = sc_session_fail(s, err);
  /* "near ")"" would be about one that they did not write. */
  if (at > 0 && text[at - 1] == '\n' && text[at] == ')')
    return sc_fail(err, st, "the SQL ends where something is missing");
  return strncmp(err->text, "no such column", 14) == 0 ? add_columns(t, s, err) : st;
}

int sc_table_has_labels(const struct sc_browse_table *t, struct sc_session *s) {
  sqlite3_stmt *stmt = NULL;
  struct sc_error ignored = {0};
  int n_columns = 0;
  if (sc_db_prepare(
          s->db,
          "SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE lower(name) IN ('chip', "
          "'label')",
          NULL, NULL, &stmt, &ignored) == SC_OK) {
    sqlite3_bind_text(stmt, 1, t->labels, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW) n_columns = sqlite3_column_int(stmt, 0);
  }
  sqlite3_finalize(stmt);
  return n_columns == 2;
}

/* ---- finding ---- */

static sc_status copy_values(struct sc_browse_table *t, const char *const *values,
                             struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < SC_TABLE_N_VALUES && !st; i++) st = sc_strdup(values[i], &t->values[i], err);
  return st;
}

static sc_status add_table(struct sc_sessions *sessions, const char *label_table, const char *name,
                           struct sc_browse_tables *out, struct sc_error *err) {
  struct sc_browse_table *grown = sc_realloc(out->tables, (size_t)(out->n + 1) * sizeof *grown);
  if (!grown) return sc_fail_nomem(err);
  out->tables = grown;
  struct sc_browse_table *t = &out->tables[out->n++];
  *t = (struct sc_browse_table){.sessions = sessions};
  int taken = 0;
  for (int i = 0; i < out->n - 1; i++) taken |= strcmp(out->tables[i].name, name) == 0;
  const char *slash = strrchr(sessions->path, '/'), *file = slash ? slash + 1 : sessions->path;
  sc_status st =
      taken ? sc_format(&t->name, err, "%s:%s", file, name) : sc_strdup(name, &t->name, err);
  for (int n = 2; !st && taken; n++) {
    taken = 0;
    for (int i = 0; i < out->n - 1; i++) taken |= strcmp(out->tables[i].name, t->name) == 0;
    if (!taken) break;
    sc_free(t->name);
    t->name = NULL;
    st = sc_format(&t->name, err, "%s:%s:%d", file, name, n);
  }
  if (!st) st = sc_strdup(name, &t->table, err);
  if (!st)
    st = label_table ? sc_strdup(label_table, &t->labels, err)
                     : sc_format(&t->labels, err, "%s_labels", name);
  return st;
}

static sc_status find_merged(struct sc_session *s, const char *label_table,
                             struct sc_browse_tables *out, struct sc_error *err) {
  sqlite3_stmt *stmt = NULL;
  int is_row = 1;
  sc_status st =
      sc_db_prepare(s->db,
                    "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE "
                    "'CREATE VIRTUAL TABLE%USING%stacchip_merge%' ORDER BY name",
                    NULL, NULL, &stmt, err);
  while (!st && !(st = sc_db_next(stmt, &is_row, err)) && is_row) {
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    st = add_table(s->of, label_table, name ? name : "", out, err);
    if (st) break;
    struct sc_browse_table *t = &out->tables[out->n - 1];
    st = copy_values(t, merged_values, err);
    char *from = st ? NULL : sqlite3_mprintf("\"%w\"", name);
    if (!st) st = from ? sc_strdup(from, &t->from, err) : sc_fail_nomem(err);
    sqlite3_free(from);
  }
  sqlite3_finalize(stmt);
  return st;
}

static int has_column(sqlite3 *db, const char *column) {
  return sqlite3_table_column_metadata(db, "main", "chips", column, NULL, NULL, NULL, NULL, NULL) ==
         SQLITE_OK;
}

/* Values that neither the dataset nor its items have are NULL. */
static sc_status find_frozen(struct sc_session *s, const char *label_table,
                             struct sc_browse_tables *out, struct sc_error *err) {
  const char *values[SC_TABLE_N_VALUES];
  sqlite3_stmt *stmt = NULL;
  int is_row = 0;
  sc_status st = add_table(s->of, label_table, "chips", out, err);
  if (st) return st;
  struct sc_browse_table *t = &out->tables[out->n - 1];
  t->is_frozen = 1;
  memcpy(values, frozen_values, sizeof values);
  if (!has_column(s->db, values[SC_TABLE_CLOUD])) values[SC_TABLE_CLOUD] = "NULL";
  if (!has_column(s->db, values[SC_TABLE_NODATA])) values[SC_TABLE_NODATA] = "NULL";
  st = copy_values(t, values, err);
  if (!st)
    st = sc_format(&t->from, err,
                   "(SELECT c.*%s%s%s FROM chips AS c JOIN items AS i ON i.id = c.item)",
                   has_column(s->db, "item_id") ? "" : ", i.item_id AS item_id",
                   has_column(s->db, "platform") ? "" : ", i.platform AS platform",
                   has_column(s->db, "date") ? "" : ", substr(i.datetime, 1, 10) AS date");
  if (!st)
    st = sc_db_prepare(s->db, "SELECT value FROM dataset WHERE key = 'options'", NULL, NULL, &stmt,
                       err);
  if (!st) st = sc_db_next(stmt, &is_row, err);
  if (!st && is_row) st = sc_strdup((const char *)sqlite3_column_text(stmt, 0), &t->options, err);
  sqlite3_finalize(stmt);
  return st;
}

sc_status sc_tables_find(struct sc_sessions *sessions, const char *label_table,
                         struct sc_browse_tables *out, struct sc_error *err) {
  struct sc_session *s = NULL;
  sqlite3_int64 application = 0;
  int before = out->n;
  sc_status st = sc_session_take(sessions, SC_SESSION_OWN, &s, err);
  if (!st) st = sc_db_query_int(s->db, "PRAGMA application_id", NULL, NULL, 0, &application, err);
  if (!st && application == FROZEN_ID) st = find_frozen(s, label_table, out, err);
  if (!st) st = find_merged(s, label_table, out, err);
  if (!st && out->n == before)
    st = sc_fail(err, SC_NOT_FOUND, "%s: no merged index is in it, and it is no frozen dataset",
                 sessions->path);
  sc_session_give(s);
  return st;
}

void sc_tables_free(struct sc_browse_tables *tables) {
  for (int i = 0; i < tables->n; i++) {
    struct sc_browse_table *t = &tables->tables[i];
    for (int k = 0; k < SC_TABLE_N_VALUES; k++) sc_free(t->values[k]);
    sc_free(t->name);
    sc_free(t->table);
    sc_free(t->labels);
    sc_free(t->from);
    sc_free(t->options);
  }
  sc_free(tables->tables);
  *tables = (struct sc_browse_tables){0};
}
