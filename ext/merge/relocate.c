/* Rewriting where an item's files are; see relocate.h. */
#include "merge/relocate.h"

#include "base/db.h"
#include "merge/shadow.h"

static sc_status move_item(struct sc_merge *t, int64_t item_row,
                           const struct sc_merge_item_place *place, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_MOVE, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, item_row);
  sqlite3_bind_text(s, 2, place->location, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, place->item_json, -1, SQLITE_STATIC);
  st = sc_db_step_reset(s, err);
  sqlite3_clear_bindings(s);
  return st;
}

static sc_status move_asset(struct sc_merge *t, int64_t item_row,
                            const struct sc_merge_asset_place *asset, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ASSET_MOVE, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, item_row);
  sqlite3_bind_text(s, 2, asset->key, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, asset->href, -1, SQLITE_STATIC);
  st = sc_db_step_reset(s, err);
  sqlite3_clear_bindings(s);
  return st;
}

/* The rule names its raster by the path, and so do the options that made the rule. */
static sc_status move_mask(struct sc_merge *t, int64_t item_row, const char *mask,
                           struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_MASK_MOVE, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, item_row);
  sqlite3_bind_text(s, 2, mask, -1, SQLITE_STATIC);
  st = sc_db_step_reset(s, err);
  sqlite3_clear_bindings(s);
  return st;
}

sc_status sc_merge_relocate(sqlite3 *db, const char *table, int64_t item_row,
                            const struct sc_merge_item_place *place, struct sc_error *err) {
  struct sc_merge *t;
  sc_status st = sc_merge_find_named(db, table, &t, err);
  if (st) return st;
  sc_merge_note_change(t); /* for what this connection remembers of the item */
  sc_merge_enter(t);
  st = move_item(t, item_row, place, err);
  for (size_t i = 0; i < place->n_assets && !st; i++) {
    st = move_asset(t, item_row, &place->assets[i], err);
  }
  if (!st && place->mask) st = move_mask(t, item_row, place->mask, err);
  sc_merge_leave(t);
  return st;
}
