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

static const char find_sql[] = "SELECT item FROM \"{db}\".\"{name}\" WHERE id = ?1";

/* The statement that reads a table, and the schema where its name says it. */
static sc_status prepare_named(sqlite3 *db, const char *table, sqlite3_stmt **out, char **schema,
                               struct sc_error *err) {
  const char *dot = strchr(table, '.');
  struct sc_error own = {0};
  sc_status st =
      sc_db_prepare(db, "SELECT item FROM \"{name}\" WHERE id = ?1", NULL, table, out, &own);
  if (st == SC_DB && dot) {
    st = sc_strndup(table, (size_t)(dot - table), schema, err);
    if (st) return st;
    st = sc_db_prepare(db, find_sql, *schema, dot + 1, out, &own);
  }
  if (st) *err = own;
  return st;
}

/* The statement that stands on the row of an item in the first database that has it; *out NULL
 * where none does. */
static sc_status find_anywhere(sqlite3 *db, const char *name, sqlite3_stmt **out, char **schema,
                               struct sc_error *err) {
  sqlite3_stmt *list = NULL;
  int is_row = 1, is_found = 0;
  sc_status st = sc_db_prepare(
      db, "SELECT name FROM pragma_database_list ORDER BY CASE seq WHEN 1 THEN -1 ELSE seq END",
      NULL, NULL, &list, err);
  while (!st && !is_found) {
    struct sc_error none = {0};
    st = sc_db_next(list, &is_row, err);
    if (st || !is_row) break;
    const char *db_name = (const char *)sqlite3_column_text(list, 0);
    if (sc_db_prepare(db, find_sql, db_name, SC_EXPORTED_TABLE, out, &none)) continue;
    sqlite3_bind_text(*out, 1, name, -1, SQLITE_STATIC);
    st = sc_db_next(*out, &is_found, err);
    if (!st && is_found) st = sc_strdup(db_name, schema, err);
    if (st || is_found) break;
    sqlite3_finalize(*out);
    *out = NULL;
  }
  sqlite3_finalize(list);
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

/* The statement on the row of an item. *is_row 0: there is a table, and not the item. */
static sc_status find_row(sqlite3 *db, const char *table, const char *name, sqlite3_stmt **out,
                          char **schema, int *is_row, struct sc_error *err) {
  sc_status st = table ? SC_OK : find_anywhere(db, name, out, schema, err);
  *is_row = *out != NULL;
  if (st || *out) return st;
  st = prepare_named(db, table ? table : SC_EXPORTED_TABLE, out, schema, err);
  if (!st) {
    sqlite3_bind_text(*out, 1, name, -1, SQLITE_STATIC);
    st = sc_db_next(*out, is_row, err);
  }
  return st;
}

sc_status sc_exported_find(struct sc_connection *c, const char *table, const char *name,
                           struct sc_buffer *out, char **schema, struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  char *found = NULL;
  int is_row = 0;
  sc_status st = find_row(c->db, table, name, &s, &found, &is_row, err);
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
  if (schema && !st) {
    *schema = found;
  } else {
    sc_free(found);
  }
  return st ? sc_fail_within(err, "exported item %s in %s", name, table ? table : SC_EXPORTED_TABLE)
            : SC_OK;
}
