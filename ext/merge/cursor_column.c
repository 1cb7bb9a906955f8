/* The values of a scan's columns; see cursor.h. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/db.h"
#include "index/handle.h"
#include "merge/cursor_item.h"

static char *put_number(char *p, int64_t v) {
  char digits[24];
  int n = 0;
  uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
  do {
    digits[n++] = (char)('0' + u % 10);
    u /= 10;
  } while (u);
  if (v < 0) *p++ = '-';
  while (n) *p++ = digits[--n];
  return p;
}

static void result_text(sqlite3_context *context, const char *text) {
  if (text) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static sc_status result_chipid(struct sc_cursor *c, sqlite3_context *context,
                               struct sc_error *err) {
  const char *item = c->item->text[SC_COL_ITEM];
  if (!item) return SC_OK;
  size_t n = strlen(item);
  sc_status st = sc_buffer_resize(&c->scratch, n + 64, err);
  if (st) return st;
  char *start = (char *)c->scratch.data, *p = start + n;
  memcpy(start, item, n);
  *p++ = '-';
  p = put_number(p, c->chip.x);
  *p++ = '-';
  p = put_number(p, c->chip.y);
  sqlite3_result_text(context, start, (int)(p - start), SQLITE_TRANSIENT);
  return SC_OK;
}

static sc_status result_row(struct sc_cursor *c, sqlite3_context *context, struct sc_error *err) {
  const struct sc_handle_row row = {.schema = c->table->schema,
                                    .table = c->table->name,
                                    .item = c->item->text[SC_COL_ITEM],
                                    .rowid = c->chip.id,
                                    .x = c->chip.x,
                                    .y = c->chip.y};
  struct sc_buffer *b = &c->scratch;
  b->size = 0;
  sc_status st = sc_handle_row_format(&row, b, err);
  if (!st) sqlite3_result_text(context, (char *)b->data, (int)b->size, SQLITE_TRANSIENT);
  return st;
}

static void result_fraction(sqlite3_context *context, float v) {
  if (!isnan(v)) sqlite3_result_double(context, (double)v);
}

/* A MULTIPOLYGON of one part, as we store it, read back as a POLYGON. */
static sc_status result_geometry(struct sc_cursor *c, sqlite3_context *context,
                                 struct sc_error *err) {
  const void *blob;
  size_t size;
  struct sc_view polygon;
  struct sc_box box;
  int srid;
  sc_status st = sc_cursor_geometry(c, &blob, &size, err);
  if (st || !blob) return st;
  if (!sc_blob_polygon(blob, size, &polygon)) {
    sqlite3_result_blob64(context, blob, size, SQLITE_TRANSIENT);
    return SC_OK;
  }
  st = sc_blob_box(blob, size, &box, &srid, err);
  if (!st) st = sc_polygon_to_blob(polygon, &box, srid, &c->scratch, err);
  if (!st) sqlite3_result_blob64(context, c->scratch.data, c->scratch.size, SQLITE_TRANSIENT);
  return st;
}

static void result_origin(const struct sc_cursor_item *item, int64_t length_px, int32_t i,
                          sqlite3_context *context) {
  if (item->tiling.stride_px <= 0) return;
  if (length_px <= 0 && item->tiling.edge == SC_EDGE_SHIFT) return; /* unknown */
  sqlite3_result_int64(context, sc_tiling_origin(&item->tiling, length_px, i));
}

/* The text that a statement gives of the chip's item. */
static sc_status result_item_text(struct sc_cursor *c, enum sc_merge_statement statement,
                                  sqlite3_context *context, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(c->table, statement, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, c->chip.item_id);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row) sqlite3_result_value(context, sqlite3_column_value(s, 0));
  sqlite3_reset(s);
  return st;
}

/*
 * SQLite tests a term itself, by the column's value, where it cannot hand it down: under OR and
 * NOT, in a subquery, in some outer joins. NULL would pass over every row in silence.
 */
static sc_status fail_area(sqlite3_context *context, struct sc_error *err) {
  if (sqlite3_vtab_nochange(context)) return SC_OK; /* an UPDATE, which is refused as such */
  return sc_fail(err, SC_BAD_ARG,
                 "search_area has no value: it is for conditions search_area = geometry that are "
                 "joined by AND, with a geometry that is known before the chips; elsewhere (OR, "
                 "NOT, CROSS, RIGHT and FULL JOIN, subqueries) write ST_Intersects(geometry, ...) "
                 "= 1");
}

sc_status sc_cursor_column(struct sc_cursor *c, sqlite3_context *context, int column,
                           struct sc_error *err) {
  sc_status st = SC_OK;
  if (column == SC_COL_GEOMETRY) return result_geometry(c, context, err);
  sc_cursor_fill_chip(c);
  switch (column) {
    case SC_COL_X: sqlite3_result_int(context, c->chip.x); return SC_OK;
    case SC_COL_Y: sqlite3_result_int(context, c->chip.y); return SC_OK;
    case SC_COL_CLOUD: result_fraction(context, c->chip.cloud); return SC_OK;
    case SC_COL_NODATA: result_fraction(context, c->chip.nodata); return SC_OK;
    case SC_COL_ITEM_JSON: return result_item_text(c, SC_STMT_ITEM_JSON, context, err);
    case SC_COL_INDEX_OPTIONS: return result_item_text(c, SC_STMT_ITEM_OPTIONS, context, err);
    case SC_COL_SEARCH_AREA: return fail_area(context, err);
    case SC_COL_COMMAND:
    case SC_COL_RANK: return SC_OK;
    default: break;
  }
  if (!c->item) st = sc_cursor_item(c, c->chip.item_id, &c->item, err);
  if (st) return st;
  switch (column) {
    case SC_COL_CHIPID: return result_chipid(c, context, err);
    case SC_COL_ROW: return result_row(c, context, err);
    case SC_COL_COL_OFF: result_origin(c->item, c->item->width_px, c->chip.x, context); break;
    case SC_COL_ROW_OFF: result_origin(c->item, c->item->height_px, c->chip.y, context); break;
    default: result_text(context, c->item->text[column]); break;
  }
  return SC_OK;
}
