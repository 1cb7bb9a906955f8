/* api/export: chips of a filter or a selection as a file for the browser to save. */
#include <cjson/cJSON.h>
#include <string.h>

#include "browse/chips.h"
#include "browse/selection.h"

#define EXPORTED_MAX 100000
#define EXPORT_SECONDS 60.0

enum format { FORMAT_CSV, FORMAT_GEOJSON, FORMAT_IDS, FORMAT_SQL };

static const struct {
  const char *type, *file_name;
} formats[] = {{"text/csv; charset=utf-8", "chips.csv"},
               {"application/geo+json", "chips.geojson"},
               {"text/plain; charset=utf-8", "chips.txt"},
               {"text/plain; charset=utf-8", "chips.sql"}};

/* Of each chip. */
enum column {
  COL_ID,
  COL_HANDLE,
  COL_ITEM,
  COL_PLATFORM,
  COL_DATE,
  COL_CLOUD,
  COL_NODATA,
  COL_X,
  COL_Y,
  COL_LABEL,
  COL_GEOMETRY
};
static const char *const names[] = {"id",    "handle", "item",         "platform",     "date",
                                    "cloud", "nodata", "chip_index_x", "chip_index_y", "label"};

static sc_status prepare(const struct sc_browse_table *t, struct sc_session *s, sqlite3_stmt **out,
                         struct sc_error *err) {
  struct sc_buffer sql = {0};
  sc_status st = sc_buffer_printf(&sql, err,
                                  "SELECT {id}, {handle}, {item}, {platform}, {date}, {cloud}, "
                                  "{nodata}, {x}, {y}, %s, {geometry} "
                                  "FROM {from} WHERE {id} = ?1",
                                  sc_chips_label_sql(t, s));
  if (!st) st = sc_table_prepare(t, s, (char *)sql.data, out, err);
  sc_buffer_free(&sql);
  return st;
}

/* RFC 4180: in quotes, which are doubled. */
static sc_status put_field(const char *text, struct sc_buffer *out, struct sc_error *err) {
  if (!text[strcspn(text, ",\"\r\n")]) return sc_buffer_append_text(out, text, err);
  sc_status st = sc_buffer_append_text(out, "\"", err);
  while (!st && *text) {
    size_t n = strcspn(text, "\"");
    st = sc_buffer_append(out, text, n, err);
    text += n;
    if (!st && *text) st = sc_buffer_append_text(out, "\"\"", err);
    text += *text != '\0';
  }
  return st ? st : sc_buffer_append_text(out, "\"", err);
}

static sc_status put_csv(sqlite3_stmt *row, struct sc_buffer *out, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < COL_GEOMETRY && !st; i++) {
    const char *text = (const char *)sqlite3_column_text(row, i);
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = put_field(text ? text : "", out, err);
  }
  return st ? st : sc_buffer_append_text(out, "\r\n", err);
}

static sc_status put_value(sqlite3_stmt *row, int i, struct sc_buffer *out, struct sc_error *err) {
  return sqlite3_column_type(row, i) == SQLITE_TEXT
             ? sc_buffer_append_json(out, (const char *)sqlite3_column_text(row, i), err)
             : sc_chips_put_number(row, i, out, err);
}

/* A polygon for each part: RFC 7946 cuts at the antimeridian. */
static sc_status put_feature(sqlite3_stmt *row, int is_first, struct sc_buffer *out,
                             struct sc_error *err) {
  struct sc_footprint f, one = {.n_parts = 1};
  struct sc_error not_that = {0};
  int srid;
  const void *blob = sqlite3_column_blob(row, COL_GEOMETRY);
  size_t n = (size_t)sqlite3_column_bytes(row, COL_GEOMETRY);
  if (!blob || sc_footprint_from_blob(blob, n, &f, &srid, &not_that)) f.n_parts = 0;
  sc_status st = sc_buffer_printf(out, err,
                                  "%s{\"type\":\"Feature\",\"id\":%lld,\"geometry\":{\"type\":"
                                  "\"MultiPolygon\",\"coordinates\":[",
                                  is_first ? "" : ",\n", sqlite3_column_int64(row, COL_ID));
  for (int i = 0; i < f.n_parts && !st; i++) {
    one.parts[0] = f.parts[i];
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_chips_put_footprint(&one, out, err);
  }
  if (!st) st = sc_buffer_append_text(out, "]},\"properties\":{", err);
  for (int i = COL_HANDLE; i < COL_GEOMETRY && !st; i++) {
    st = sc_buffer_printf(out, err, "%s\"%s\":", i > COL_HANDLE ? "," : "", names[i]);
    if (!st) st = put_value(row, i, out, err);
  }
  return st ? st : sc_buffer_append_text(out, "}}", err);
}

static sc_status put_head(enum format format, struct sc_buffer *out, struct sc_error *err) {
  if (format == FORMAT_GEOJSON)
    return sc_buffer_append_text(out, "{\"type\":\"FeatureCollection\",\"features\":[", err);
  if (format != FORMAT_CSV) return SC_OK;
  sc_status st = SC_OK;
  for (int i = 0; i < COL_GEOMETRY && !st; i++)
    st = sc_buffer_printf(out, err, "%s%s", i ? "," : "", names[i]);
  return st ? st : sc_buffer_append_text(out, "\r\n", err);
}

static sc_status put_row(enum format format, sqlite3_stmt *row, int is_first, struct sc_buffer *out,
                         struct sc_error *err) {
  if (format == FORMAT_CSV) return put_csv(row, out, err);
  if (format == FORMAT_GEOJSON) return put_feature(row, is_first, out, err);
  const char *handle = (const char *)sqlite3_column_text(row, COL_HANDLE);
  return sc_buffer_printf(out, err, "%s\n", handle ? handle : "");
}

static sc_status put_chips(const struct sc_browse_table *t, const struct sc_selection *chips,
                           enum format format, struct sc_buffer *out, struct sc_error *err) {
  struct sc_session *s = NULL;
  sqlite3_stmt *stmt = NULL;
  int written = 0;
  sc_status st = sc_session_take(t->sessions, SC_SESSION_OWN, &s, err);
  if (!st) sc_session_limit(s, EXPORT_SECONDS, NULL);
  if (!st) st = prepare(t, s, &stmt, err);
  if (!st) st = put_head(format, out, err);
  for (size_t i = 0; i < chips->n && !st; i++) {
    sqlite3_bind_int64(stmt, 1, chips->ids[i]);
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) st = put_row(format, stmt, !written++, out, err);
    if (code != SQLITE_ROW && code != SQLITE_DONE) st = sc_session_fail(s, err);
    sqlite3_reset(stmt);
  }
  if (!st && format == FORMAT_GEOJSON) st = sc_buffer_append_text(out, "]}\n", err);
  sqlite3_finalize(stmt);
  sc_session_give(s);
  return st;
}

/* A query that gives the same chips. */
static sc_status put_sql(const struct sc_browse_filter *f, const cJSON *ids,
                         const struct sc_selection *chips, struct sc_buffer *out,
                         struct sc_error *err) {
  struct sc_buffer list = {0};
  char *from = sqlite3_mprintf("SELECT * FROM \"%w\" WHERE ", f->table->table);
  sc_status st = from ? sc_buffer_append_text(out, from, err) : sc_fail_nomem(err);
  sqlite3_free(from);
  if (!st && !ids) st = sc_browse_filter_put_sql(f, out, err);
  if (!st && ids) st = sc_chips_put_ids(chips->ids, chips->n, sizeof *chips->ids, &list, err);
  if (!st && ids) {
    /* "[1,2]" as "(1,2)". */
    list.data[0] = '(';
    list.data[list.size - 1] = ')';
    st = sc_table_sql(f->table, "{id} IN ", out, err);
    if (!st) st = sc_buffer_append(out, list.data, list.size, err);
  }
  sc_buffer_free(&list);
  return st ? st : sc_buffer_append_text(out, ";\n", err);
}

struct raw {
  const cJSON *ids;
  int format;
};

sc_status sc_browse_export(struct sc_browse *b, const struct sc_server_request *r,
                           struct sc_server_answer *a, struct sc_error *err) {
  struct raw raw = {0};
  static const struct sc_option table[] = {
      {"ids", SC_OPTION_JSON, offsetof(struct raw, ids), 0, 0, NULL, NULL, NULL},
      {"format", SC_OPTION_CHOICE, offsetof(struct raw, format), 0, 0, "csv|geojson|ids|sql", NULL,
       NULL}};
  struct sc_option_set set = {table, sizeof table / sizeof *table, &raw, NULL};
  struct sc_browse_filter f = {0};
  struct sc_selection chips = {0};
  sc_status st = sc_browse_filter_read_whole(b, r, &set, &f, err);
  enum format format = (enum format)raw.format;
  if (!st && (raw.ids || format != FORMAT_SQL))
    st = sc_selection_read(&f, raw.ids, EXPORTED_MAX, &chips, err);
  if (!st)
    st = format == FORMAT_SQL ? put_sql(&f, raw.ids, &chips, &a->body, err)
                              : put_chips(f.table, &chips, format, &a->body, err);
  if (!st) {
    a->type = formats[format].type;
    a->file_name = formats[format].file_name;
  }
  sc_selection_free(&chips);
  sc_browse_filter_free(b, &f);
  return st;
}
