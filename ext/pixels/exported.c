/* Exported items; see exported.h. */
#include "pixels/exported.h"

#include <string.h>

#include "base/alloc.h"
#include "base/db.h"

static int is_of_tiling(const struct sc_exported *e, const struct sc_tiling *t) {
  return e->text.size && e->tiling.chip_size_px == t->chip_size_px &&
         e->tiling.stride_px == t->stride_px && e->tiling.edge == t->edge;
}

sc_status sc_exported_of(struct sc_chip *chip, const struct sc_exported **out, int64_t *x,
                         int64_t *y, struct sc_error *err) {
  struct sc_exported *e = &chip->cached->exported;
  struct sc_tiling tiling = chip->tiling;
  *x = chip->x;
  *y = chip->y;
  *out = e;
  if (chip->x < 0) { /* round a centre: the same window, counted pixel by pixel */
    tiling.stride_px = 1;
    tiling.edge = SC_EDGE_PAD;
    *x = chip->window.x;
    *y = chip->window.y;
  }
  if (*x < 0 || *y < 0) {
    return sc_fail(
        err, SC_RANGE,
        "item %s: a chip that leaves the grid at the upper left has no position to export",
        chip->scene->item.id);
  }
  if (is_of_tiling(e, &tiling)) return SC_OK;
  e->text.size = 0;
  sc_status st = sc_handle_export(chip->scene, &tiling, &e->text, err);
  if (st) {
    e->text.size = 0;
    return st;
  }
  e->tiling = tiling;
  sc_handle_item_name((const char *)e->text.data, e->text.size, e->name);
  return SC_OK;
}

/* The statement that reads a table; NULL in *out where there is no such table. */
static sc_status prepare(sqlite3 *db, const char *table, sqlite3_stmt **out, struct sc_error *err) {
  const char *dot = strchr(table, '.');
  char *schema = NULL;
  struct sc_error own = {0};
  sc_status st =
      sc_db_prepare(db, "SELECT item FROM \"{name}\" WHERE id = ?1", NULL, table, out, &own);
  if (st == SC_DB && dot) {
    st = sc_strndup(table, (size_t)(dot - table), &schema, err);
    if (st) return st;
    st = sc_db_prepare(db, "SELECT item FROM \"{db}\".\"{name}\" WHERE id = ?1", schema, dot + 1,
                       out, &own);
    sc_free(schema);
  }
  if (st) *err = own;
  return st;
}

static sc_status take_text(sqlite3_stmt *s, const char *name, struct sc_buffer *out,
                           struct sc_error *err) {
  char found[SC_HANDLE_ITEM_NAME + 1];
  int is_blob = sqlite3_column_type(s, 0) == SQLITE_BLOB;
  const char *text = is_blob ? sqlite3_column_blob(s, 0) : (const char *)sqlite3_column_text(s, 0);
  size_t n = (size_t)sqlite3_column_bytes(s, 0);
  if (!text) return sc_fail(err, SC_BAD_DATA, "its item is NULL there");
  sc_handle_item_name(text, n, found);
  if (strcmp(found, name) != 0)
    return sc_fail(err, SC_BAD_DATA, "it has another item under that id, whose id would be %s",
                   found);
  return sc_buffer_append(out, text, n, err);
}

sc_status sc_exported_find(struct sc_connection *c, const char *table, const char *name,
                           struct sc_buffer *out, struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  int is_row = 0;
  if (!table) table = SC_EXPORTED_TABLE;
  sc_status st = prepare(c->db, table, &s, err);
  if (!st) {
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    st = sc_db_next(s, &is_row, err);
  }
  if (!st && is_row) st = take_text(s, name, out, err);
  sqlite3_finalize(s);
  if (st == SC_OK && !is_row) {
    st =
        sc_fail(err, SC_NOT_FOUND,
                "it is not there: bring along the rows (id, item) that were exported with the "
                "handle by stacchip_row_export(row, 'id') and stacchip_row_export(row, 'item'), or "
                "say by the option 'items' which table has them");
  } else if (st == SC_DB) {
    sc_fail_within(err, "a short handle needs a table of exported items with columns id and item");
  }
  return st ? sc_fail_within(err, "exported item %s in %s", name, table) : SC_OK;
}
