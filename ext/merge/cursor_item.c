/* A scan's memory of items; see cursor_item.h. */
#include "merge/cursor_item.h"

#include <string.h>

#include "base/alloc.h"
#include "base/db.h"

/* Columns of item_read and item_scan*, in their order. */
static const int item_columns[] = {SC_COL_COLLECTION, SC_COL_PLATFORM, SC_COL_ITEM,
                                   SC_COL_DATE,       SC_COL_DATETIME, SC_COL_GRID};
enum { AT_WIDTH = 6, AT_HEIGHT, AT_CHIP_SIZE, AT_STRIDE, AT_EDGE, AT_ID };

static void free_item(struct sc_cursor_item *item) {
  for (int i = 0; i <= SC_COL_GRID; i++) sc_free(item->text[i]);
  memset(item, 0, sizeof *item);
}

void sc_cursor_forget_items(struct sc_cursor *c) {
  for (int i = 0; i < SC_CURSOR_ITEMS && c->has_items; i++) free_item(&c->items[i]);
  c->has_items = 0;
  c->item = NULL;
}

static struct sc_cursor_item *item_slot(struct sc_cursor *c, int64_t id) {
  c->has_items = 1;
  return &c->items[(uint64_t)id % SC_CURSOR_ITEMS];
}

/* A number of pixels; 0 (unknown) for a value that we would not have written. */
static int64_t column_px(sqlite3_stmt *s, int column, int64_t greatest) {
  int64_t v = sqlite3_column_int64(s, column);
  return v < 0 || v > greatest ? 0 : v;
}

static void read_tiling(sqlite3_stmt *s, struct sc_cursor_item *item) {
  struct sc_error unknown = {0};
  item->width_px = column_px(s, AT_WIDTH, SC_GRID_MAX_PX);
  item->height_px = column_px(s, AT_HEIGHT, SC_GRID_MAX_PX);
  item->tiling.chip_size_px = (int32_t)column_px(s, AT_CHIP_SIZE, SC_CHIP_SIZE_MAX_PX);
  item->tiling.stride_px = (int32_t)column_px(s, AT_STRIDE, SC_CHIP_SIZE_MAX_PX);
  if (sc_edge_parse((const char *)sqlite3_column_text(s, AT_EDGE), &item->tiling.edge, &unknown)) {
    item->tiling.stride_px = 0; /* unknown: col_off and row_off are NULL */
  }
}

static int passes_texts(const struct sc_cursor *c, const struct sc_cursor_item *item) {
  for (size_t i = 0; i < sizeof item_columns / sizeof *item_columns; i++) {
    if (!sc_filter_text_passes(&c->filter, item_columns[i], item->text[item_columns[i]])) {
      return 0;
    }
  }
  return 1;
}

static sc_status read_item(struct sc_cursor *c, sqlite3_stmt *s, struct sc_cursor_item *item,
                           struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < sizeof item_columns / sizeof *item_columns && !st; i++) {
    const char *text = (const char *)sqlite3_column_text(s, (int)i);
    if (text) st = sc_strdup(text, &item->text[item_columns[i]], err);
  }
  read_tiling(s, item);
  item->passes = passes_texts(c, item);
  return st;
}

sc_status sc_cursor_take_item(struct sc_cursor *c, sqlite3_stmt *s, struct sc_cursor_item **out,
                              struct sc_error *err) {
  int64_t id = sqlite3_column_int64(s, AT_ID);
  struct sc_cursor_item *item = item_slot(c, id);
  free_item(item);
  item->id = id;
  *out = item;
  return read_item(c, s, item, err);
}

sc_status sc_cursor_item(struct sc_cursor *c, int64_t id, struct sc_cursor_item **out,
                         struct sc_error *err) {
  struct sc_cursor_item *item = item_slot(c, id);
  sqlite3_stmt *s;
  *out = item;
  if (item->id == id && id != 0) return SC_OK;
  sc_status st = sc_cursor_statement(c, SC_STMT_ITEM_READ, &s, err);
  if (st) return st;
  free_item(item);
  sqlite3_bind_int64(s, 1, id);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row) st = read_item(c, s, item, err);
  if (!st && !is_row) item->passes = c->filter.n_texts == 0;
  item->id = st ? 0 : id;
  sqlite3_reset(s);
  return st;
}
