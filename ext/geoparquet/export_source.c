/*
 * Where an export's rows come from; see export.h.
 *
 * SQLite calls an aggregate function of ours for each row: half of what sqlite3_step() and
 * sqlite3_column_...() take, with their locks. A merged index is read past its virtual table
 * (merge/source.h); its columns are the same, as are those of the chip table's rows while writes
 * are buffered (merge/shadow.h).
 */
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "geoparquet/export.h"
#include "merge/source.h"

#define POINTER_NAME "stacchip_export"

/* A column of a merged index: a value of the chip, a text of its item, or the chipid. */
enum { FROM_ITEM = 16, FROM_CHIPID = 32 };
static const struct {
  const char *name;
  int from;
} merged_columns[] = {{"chipid", FROM_CHIPID},
                      {"platform", FROM_ITEM + SC_SOURCE_PLATFORM},
                      {"item", FROM_ITEM + SC_SOURCE_ITEM_ID},
                      {"date", FROM_ITEM + SC_SOURCE_DATE},
                      {"chip_index_x", SC_SOURCE_X},
                      {"chip_index_y", SC_SOURCE_Y},
                      {"cloud_cover_percentage", SC_SOURCE_CLOUD},
                      {"nodata_percentage", SC_SOURCE_NODATA},
                      {"geometry", SC_SOURCE_GEOMETRY},
                      {"datetime", FROM_ITEM + SC_SOURCE_DATETIME},
                      {"collection", FROM_ITEM + SC_SOURCE_COLLECTION},
                      {"grid", FROM_ITEM + SC_SOURCE_GRID}};
#define N_MERGED (sizeof merged_columns / sizeof *merged_columns)

/* ---- fetched values: short and plain, since all else waits for the thread of the connection ----
 */

static const unsigned char same = SC_EXPORT_RAW_SAME;

static inline sc_status put_bytes(struct sc_buffer *out, int type, const void *data, size_t n,
                                  struct sc_error *err) {
  if (!data && n > 0) return sc_fail_nomem(err);
  sc_status st = sc_buffer_reserve(out, n + 6, err);
  if (st) return st;
  unsigned char *p = out->data + out->size;
  p[0] = (unsigned char)type;
  sc_put_le32(p + 1, (uint32_t)n);
  if (data && n) memcpy(p + 5, data, n);
  p[5 + n] = 0;
  out->size += n + 6;
  return SC_OK;
}

static inline sc_status put_number(struct sc_buffer *out, int type, sqlite3_value *v,
                                   struct sc_error *err) {
  sc_status st = sc_buffer_reserve(out, 9, err);
  if (st) return st;
  unsigned char *p = out->data + out->size;
  p[0] = (unsigned char)type;
  if (type == SQLITE_INTEGER) {
    sc_put_le64(p + 1, (uint64_t)sqlite3_value_int64(v));
  } else {
    sc_put_le_double(p + 1, sqlite3_value_double(v));
  }
  out->size += 9;
  return SC_OK;
}

/* Append one value of a row, unchecked. */
static sc_status put_value(const struct sc_export_column *c, sqlite3_value *v, int type,
                           struct sc_buffer *out, struct sc_error *err) {
  static const unsigned char null = SQLITE_NULL;
  int wants_text = c->kind == SC_EXPORT_TEXT || c->kind == SC_EXPORT_DATE;
  int wants_number = !wants_text && c->kind != SC_EXPORT_GEOMETRY;
  if (type == SQLITE_NULL) return sc_buffer_append(out, &null, 1, err);
  if (wants_number && type == SQLITE_TEXT) type = sqlite3_value_numeric_type(v);
  if (wants_text && type != SQLITE_BLOB) type = SQLITE_TEXT;
  if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) return put_number(out, type, v, err);
  const void *data =
      type == SQLITE_TEXT ? (const void *)sqlite3_value_text(v) : sqlite3_value_blob(v);
  return put_bytes(out, type, data, (size_t)sqlite3_value_bytes(v), err);
}

/* ---- rows of any SELECT ---- */

/* A text of column i, or that it is as in the row before. */
static sc_status put_text(struct sc_export_source *s, int i, sqlite3_value *v, int has_before,
                          struct sc_buffer *out, struct sc_error *err) {
  const void *text = sqlite3_value_text(v);
  size_t n = (size_t)sqlite3_value_bytes(v);
  if (has_before && s->before[i].is_text && s->before[i].size == n && text &&
      memcmp(out->data + s->before[i].at, text, n) == 0) {
    return sc_buffer_append(out, &same, 1, err);
  }
  s->before[i].is_text = 1;
  s->before[i].at = out->size + 5;
  s->before[i].size = n;
  return put_bytes(out, SQLITE_TEXT, text, n, err);
}

static sc_status put_row(struct sc_export_source *s, sqlite3_value **values, struct sc_buffer *out,
                         struct sc_error *err) {
  const struct sc_export_options *o = s->options;
  int has_before = out->size > 0;
  sc_status st = SC_OK;
  for (int i = 0; i < o->n_columns && !st; i++) {
    const struct sc_export_column *c = o->columns[i];
    int type = sqlite3_value_type(values[i]);
    int may_repeat = c->kind == SC_EXPORT_DATE || (c->kind == SC_EXPORT_TEXT && !c->is_unique);
    if (may_repeat && type == SQLITE_TEXT) {
      st = put_text(s, i, values[i], has_before, out, err);
    } else {
      s->before[i].is_text = 0;
      st = put_value(c, values[i], type, out, err);
    }
  }
  return st;
}

/* ---- rows of a merged index ---- */

static sc_status read_item(struct sc_export_source *s, int64_t id, struct sc_export_item *item,
                           struct sc_error *err) {
  item->id = 0;
  for (int i = 0; i < SC_SOURCE_N_TEXTS; i++) item->cells[i].size = 0;
  sc_status st = sc_merge_source_item(s->item, id, err);
  for (int i = 0; i < SC_SOURCE_N_TEXTS && !st; i++) {
    sqlite3_value *v = sqlite3_column_value(s->item, i);
    st = put_value(sc_export_find_column("item"), v, sqlite3_value_type(v), &item->cells[i], err);
  }
  sqlite3_reset(s->item);
  if (!st) item->id = id;
  return st;
}

/* "{item}-{x}-{y}", as the virtual table makes it; NULL for an item without a name. */
static sc_status put_chipid(struct sc_export_source *s, const struct sc_buffer *item,
                            sqlite3_value **values, struct sc_buffer *out, struct sc_error *err) {
  struct sc_export_cell name, x, y;
  static const unsigned char made = SC_EXPORT_RAW_CHIPID;
  sc_export_raw_text(item->data, &name);
  if (!name.bytes) return sc_buffer_append(out, item->data, item->size, err);
  if (sc_export_has_chipid_parts(s->options) && name.size <= SC_EXPORT_CHIPID_ITEM_MAX) {
    return sc_buffer_append(out, &made, 1, err);
  }
  x.i = sqlite3_value_int64(values[SC_SOURCE_X]);
  y.i = sqlite3_value_int64(values[SC_SOURCE_Y]);
  sc_status st = sc_buffer_resize(&s->chipid, name.size + SC_EXPORT_CHIPID_EXTRA, err);
  if (st) return st;
  size_t n = sc_export_make_chipid(&name, &x, &y, (char *)s->chipid.data);
  if (!n) return sc_fail(err, SC_BAD_DATA, "stacchip_export: a chip's position is out of range");
  return put_bytes(out, SQLITE_TEXT, s->chipid.data, n, err);
}

static sc_status put_merged_row(struct sc_export_source *s, sqlite3_value **values,
                                struct sc_buffer *out, struct sc_error *err) {
  const struct sc_export_options *o = s->options;
  int64_t id = sqlite3_value_int64(values[SC_SOURCE_ITEM]);
  int is_same = id == s->last_item && out->size > 0;
  struct sc_export_item *item = &s->items[(uint64_t)id % SC_EXPORT_ITEMS];
  sc_status st = item->id == id && id ? SC_OK : read_item(s, id, item, err);
  for (int i = 0; i < o->n_columns && !st; i++) {
    int from = s->from[i];
    if (from < SC_SOURCE_N_VALUES) {
      sqlite3_value *v = values[from];
      st = put_value(o->columns[i], v, sqlite3_value_type(v), out, err);
    } else if (from == FROM_CHIPID) {
      st = put_chipid(s, &item->cells[SC_SOURCE_ITEM_ID], values, out, err);
    } else {
      /* cppcheck-suppress negativeIndex ; from is FROM_ITEM at least here */
      const struct sc_buffer *cell = &item->cells[from - FROM_ITEM];
      st = is_same ? sc_buffer_append(out, &same, 1, err)
                   : sc_buffer_append(out, cell->data, cell->size, err);
    }
  }
  s->last_item = id;
  return st;
}

/* ---- opening ---- */

/* Where each of the columns comes from; 0 where one of them only the virtual table has. */
static int plan_merged(struct sc_export_source *s) {
  const struct sc_export_options *o = s->options;
  for (int i = 0; i < o->n_columns; i++) {
    size_t k = 0;
    while (k < N_MERGED && strcmp(merged_columns[k].name, o->columns[i]->name) != 0) k++;
    if (k == N_MERGED) return 0;
    s->from[i] = merged_columns[k].from;
  }
  return !o->where && o->n_sort == 0;
}

sc_status sc_export_source_open(struct sc_export_source *s, sqlite3 *db, const char *schema,
                                const char *table, const struct sc_export_options *o,
                                struct sc_error *err) {
  s->db = db;
  s->options = o;
  if (!plan_merged(s) || !sc_merge_is_index(db, schema, table)) {
    s->put = put_row;
    return sc_export_prepare(db, schema, table, o, &s->stmt, err);
  }
  s->put = put_merged_row;
  sc_status st = sc_merge_source_chips(db, schema, table, &s->stmt, err);
  if (!st) st = sc_merge_source_items(db, schema, table, &s->item, err);
  return st ? sc_fail_within(err, "stacchip_export") : SC_OK;
}

/* ---- reading ---- */

void sc_export_row_step(sqlite3_context *context, int n, sqlite3_value **values) {
  struct sc_export_source *s = n ? sqlite3_value_pointer(values[0], POINTER_NAME) : NULL;
  if (!s) {
    sqlite3_result_error(context, "stacchip_export_row() is for stacchip_export() alone", -1);
    return;
  }
  struct sc_buffer *out = s->next_row(s->job, &s->err);
  if (out) sc_settle(&s->err, s->put(s, values + 1, out, &s->err));
  if (s->err.status) sqlite3_result_error(context, s->err.text, -1);
}

void sc_export_row_final(sqlite3_context *context) { (void)context; }

sc_status sc_export_source_read(struct sc_export_source *s, struct sc_error *err) {
  s->err.status = SC_OK;
  sqlite3_bind_pointer(s->stmt, 1, s, POINTER_NAME, NULL);
  int code = sqlite3_step(s->stmt);
  sc_status st = s->err.status;
  if (st) {
    *err = s->err;
  } else if (code != SQLITE_ROW) {
    st = sc_db_fail(s->db, err, "stacchip_export");
  }
  sqlite3_reset(s->stmt);
  return st;
}

void sc_export_source_free(struct sc_export_source *s) {
  sqlite3_finalize(s->stmt);
  sqlite3_finalize(s->item);
  sc_buffer_free(&s->chipid);
  for (int i = 0; i < SC_EXPORT_ITEMS; i++) {
    for (int k = 0; k < SC_SOURCE_N_TEXTS; k++) sc_buffer_free(&s->items[i].cells[k]);
  }
}
