/* Writing to a merged index; see shadow.h. */
#include "merge/shadow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/datetime.h"
#include "base/db.h"
#include "merge/buffers.h"
#include "store/access.h"
#include "store/href.h"
#include "store/secrets.h"

float sc_merge_day(const char *date) {
  int32_t days;
  return date && sc_date_parse(date, strlen(date), &days) ? (float)days : SC_NO_DAY;
}

static sc_status new_chip_id(struct sc_merge *t, int64_t *out, struct sc_error *err) {
  static const struct sc_merge_ids ids = {SC_STMT_CHIP_LAST, "chip", INT64_MAX / 2 + 1};
  return sc_merge_new_id(t, &ids, &t->next_chip, out, err);
}

/* A chip as the tables want it. */
struct ready_chip {
  int64_t id, item_id;
  int32_t x, y;
  struct sc_footprint footprint;
  struct sc_box box;
  struct sc_chip_entry in_block; /* its id is set when it is written */
};

static sc_status ready_footprint(struct ready_chip *chip, struct sc_error *err) {
  if (chip->footprint.n_parts == 0) {
    return sc_fail(err, SC_BAD_DATA, "geometry: expected a polygon, found none");
  }
  chip->box = sc_footprint_box(&chip->footprint);
  sc_chip_block_boxes(&chip->footprint, &chip->in_block.box, &chip->in_block.west);
  return SC_OK;
}

static sc_status ready_geometry(const void *blob, size_t size, struct ready_chip *chip,
                                struct sc_error *err) {
  int srid;
  sc_status st = sc_footprint_from_blob(blob, size, &chip->footprint, &srid, err);
  if (st) return st;
  if (srid <= 0) {
    return sc_fail(
        err, SC_BAD_DATA,
        "geometry: expected SRID 4326, found %d, which is unknown; if it is longitude and "
        "latitude, say so by SetSRID(geometry, 4326)",
        srid);
  }
  if (srid != SC_SRID_LONLAT) {
    return sc_fail(err, SC_BAD_DATA,
                   "geometry: expected SRID 4326, found %d; use ST_Transform(geometry, 4326)",
                   srid);
  }
  return ready_footprint(chip, err);
}

static sc_status write_chip(struct sc_merge *t, const struct ready_chip *chip,
                            struct sc_error *err) {
  struct sc_new_chip *row;
  sc_status st = sc_merge_new_chip(t, &row, err);
  if (st) return st;
  row->id = chip->id;
  row->item_id = chip->item_id;
  row->x = chip->x;
  row->y = chip->y;
  row->cloud = chip->in_block.cloud;
  row->nodata = chip->in_block.nodata;
  st = sc_footprint_to_blob(&chip->footprint, 1, &row->geometry, err);
  if (st) sc_merge_drop_new_chip(t);
  return st;
}

static sc_status run_with_id(struct sc_merge *t, enum sc_merge_statement which, int64_t id,
                             struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, which, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, id);
  return sc_db_step_reset(s, err);
}

/* Undo a write after a failure, whose error stays; if that fails too the table is broken. */
static void undo(struct sc_merge *t, enum sc_merge_statement which, int64_t id) {
  struct sc_error second = {0};
  if (sqlite3_get_autocommit(t->db)) return; /* all of it is rolled back, or already was */
  if (run_with_id(t, which, id, &second)) t->is_broken = 1;
}

/* ---- items of single rows ---- */

static sc_status row_key(struct sc_merge *t, const struct sc_merge_new_row *row,
                         struct sc_error *err) {
  const char *collection = row->collection ? row->collection : "";
  t->scratch.size = 0;
  sc_status st = sc_buffer_append(&t->scratch, row->item, strlen(row->item) + 1, err);
  if (!st) st = sc_buffer_append(&t->scratch, row->platform, strlen(row->platform) + 1, err);
  if (!st) st = sc_buffer_append(&t->scratch, collection, strlen(collection) + 1, err);
  return st;
}

static struct sc_recent_item *recent_slot(struct sc_merge *t) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < t->scratch.size; i++) h = (h ^ t->scratch.data[i]) * 16777619u;
  return &t->recent[(h ^ h >> 15) % SC_MERGE_RECENT_ITEMS];
}

/* Ask for an item; the statement is reset by the caller. */
static sc_status ask_item(struct sc_merge *t, const char *item, const char *platform,
                          const char *collection, sqlite3_stmt **out, int *is_row,
                          struct sc_error *err) {
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_FIND, out, err);
  if (st) return st;
  sqlite3_bind_text(*out, 1, item, -1, SQLITE_STATIC);
  sqlite3_bind_text(*out, 2, platform, -1, SQLITE_STATIC);
  sqlite3_bind_text(*out, 3, collection, -1, SQLITE_STATIC);
  return sc_db_next(*out, is_row, err);
}

static sc_status find_item(struct sc_merge *t, const char *item, const char *platform,
                           const char *collection, int64_t *id, float *day, struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  int is_row = 0;
  *id = 0;
  sc_status st = ask_item(t, item, platform, collection, &s, &is_row, err);
  if (!st && is_row) {
    *id = sqlite3_column_int64(s, 0);
    *day = sc_merge_day((const char *)sqlite3_column_text(s, 1));
  }
  sqlite3_reset(s);
  return st;
}

static void bind_tiling(sqlite3_stmt *s, const struct sc_tiling *tiling) {
  sqlite3_bind_int(s, 11, tiling->chip_size_px);
  sqlite3_bind_int(s, 12, tiling->stride_px);
  sqlite3_bind_text(s, 13, sc_edge_name(tiling->edge), -1, SQLITE_STATIC);
}

static sc_status insert_row_item(struct sc_merge *t, const struct sc_merge_new_row *row,
                                 int64_t *id, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_INSERT, &s, err);
  if (st) return st;
  sqlite3_clear_bindings(s);
  sqlite3_bind_text(s, 1, row->collection, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, row->platform, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, row->item, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 4, row->date, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 5, row->datetime, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 6, row->grid, -1, SQLITE_STATIC);
  bind_tiling(s, &t->args.index.tiling);
  st = sc_db_step_reset(s, err);
  *id = sqlite3_last_insert_rowid(t->db);
  return st;
}

/* The item of a row, made if it is not there (*is_new). */
static sc_status item_of_row(struct sc_merge *t, const struct sc_merge_new_row *row, int64_t *id,
                             float *day, int *is_new, struct sc_error *err) {
  *is_new = 0;
  /* An item whose last chip went must not lend its date to a new one of its name. */
  sc_status st = t->has_emptied ? sc_merge_flush_blocks(t, err) : SC_OK;
  if (!st) st = row_key(t, row, err);
  if (st) return st;
  struct sc_recent_item *slot = recent_slot(t);
  if (slot->key && slot->key_size == t->scratch.size &&
      memcmp(slot->key, t->scratch.data, slot->key_size) == 0) {
    *id = slot->id;
    *day = slot->day;
    return SC_OK;
  }
  st = find_item(t, row->item, row->platform, row->collection, id, day, err);
  if (!st && *id == 0) {
    *is_new = 1;
    *day = sc_merge_day(row->date);
    st = insert_row_item(t, row, id, err);
  }
  if (st) return st;
  char *key = sc_alloc(t->scratch.size);
  if (!key) return SC_OK; /* only a query saved */
  memcpy(key, t->scratch.data, t->scratch.size);
  sc_free(slot->key);
  slot->key = key;
  slot->key_size = t->scratch.size;
  slot->id = *id;
  slot->day = *day;
  return SC_OK;
}

void sc_merge_forget_items(struct sc_merge *t) {
  for (int i = 0; i < SC_MERGE_RECENT_ITEMS; i++) {
    sc_free(t->recent[i].key);
    t->recent[i].key = NULL;
  }
}

/* ---- single rows ---- */

/* The chip has its id and item: index, row, block, in an order that can be undone. */
static sc_status add_chip(struct sc_merge *t, struct ready_chip *chip,
                          struct sc_cached_chip_block *block, struct sc_error *err) {
  sc_status st = write_chip(t, chip, err);
  if (st) return st;
  st = sc_merge_index_add(t, chip->id, &chip->box, err);
  if (st) {
    sc_merge_drop_new_chip(t);
    return st;
  }
  chip->in_block.id = chip->id;
  sc_chip_block_put(&block->block, sc_chip_block_bit(chip->x, chip->y), &chip->in_block);
  block->is_dirty = 1;
  return SC_OK;
}

static sc_status place_chip(struct sc_merge *t, struct ready_chip *chip, float day, int is_new,
                            enum sc_conflict conflict, struct sc_error *err) {
  struct sc_chip_block_key key = {chip->item_id, chip->x / SC_CHIP_BLOCK_SIDE,
                                  chip->y / SC_CHIP_BLOCK_SIDE};
  int bit = sc_chip_block_bit(chip->x, chip->y);
  struct sc_cached_chip_block *block;
  sc_status st = sc_merge_block(t, &key, day, is_new, &block, err);
  if (st) return st;
  if (!sc_chip_block_has(&block->block, bit)) {
    st = new_chip_id(t, &chip->id, err);
    return st ? st : add_chip(t, chip, block, err);
  }
  if (conflict != SC_CONFLICT_REPLACE) {
    return sc_fail(
        err, SC_CONSTRAINT,
        "chip (%d, %d) of that item is there already; INSERT OR REPLACE replaces it, OR IGNORE "
        "passes over it",
        chip->x, chip->y);
  }
  chip->id = block->block.chips[sc_chip_block_rank(&block->block, bit)].id;
  st = sc_merge_index_remove(t, chip->id, err);
  if (st) return st;
  st = add_chip(t, chip, block, err);
  if (st) t->is_broken = 1; /* the old one is half gone */
  return st;
}

sc_status sc_merge_insert_row(struct sc_merge *t, const struct sc_merge_new_row *row,
                              enum sc_conflict conflict, int64_t *id, struct sc_error *err) {
  struct ready_chip chip = {0};
  float day = SC_NO_DAY;
  int is_new = 0;
  sc_merge_note_change(t);
  sc_status st = item_of_row(t, row, &chip.item_id, &day, &is_new, err);
  if (st) return st;
  chip.x = row->x;
  chip.y = row->y;
  chip.in_block.cloud = row->cloud;
  chip.in_block.nodata = row->nodata;
  st = ready_geometry(row->geometry, row->geometry_size, &chip, err);
  if (!st) st = place_chip(t, &chip, day, is_new, conflict, err);
  if (st && is_new) {
    undo(t, SC_STMT_ITEM_DELETE, chip.item_id);
    sc_merge_forget_items(t);
  }
  if (st == SC_CONSTRAINT) return sc_fail_within(err, "%s: %s", t->name, row->item);
  if (!st) st = sc_merge_end_row(t, err);
  *id = chip.id;
  return st;
}

/* ---- items ---- */

static sc_status insert_item_row(struct sc_merge *t, const struct sc_index *x, int is_named,
                                 int64_t *id, struct sc_error *err) {
  sqlite3_stmt *s;
  unsigned char transform[48];
  char *location = NULL, *item_json = NULL;
  for (int i = 0; i < 6; i++) sc_put_le_double(transform + 8 * i, x->grid.transform[i]);
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_INSERT, &s, err);
  if (!st && x->location) st = sc_href_without_secrets(x->location, &location, err);
  if (!st) st = sc_href_without_secrets(x->item_json, &item_json, err);
  if (st) goto done;
  sqlite3_bind_text(s, 1, x->collection, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 2, x->platform, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 3, is_named ? x->item : NULL, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 4, x->date, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 5, x->datetime, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 6, x->grid_hash, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 7, x->grid.crs, -1, SQLITE_STATIC);
  sqlite3_bind_blob(s, 8, transform, sizeof transform, SQLITE_STATIC);
  sqlite3_bind_int64(s, 9, x->grid.width_px);
  sqlite3_bind_int64(s, 10, x->grid.height_px);
  bind_tiling(s, &x->tiling);
  sqlite3_bind_text(s, 14, x->rule_json, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 15, x->options_json, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 16, location, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 17, item_json, -1, SQLITE_STATIC);
  st = sc_db_step_reset(s, err);
  *id = sqlite3_last_insert_rowid(t->db);
  sqlite3_clear_bindings(s);
done:
  sc_free(location);
  sc_free(item_json);
  return st;
}

/* How many chips have no place. Tables of before schema version 3 lack the column: adding it in
 * the middle of a write would have SQLite open the virtual table a second time. */
static sc_status set_left_out(struct sc_merge *t, int64_t item_id, int64_t n,
                              struct sc_error *err) {
  struct sc_error no_column = {0};
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_LEFT_OUT, &s, &no_column);
  if (st == SC_DB) return SC_OK;
  if (st) return sc_fail_nomem(err);
  sqlite3_bind_int64(s, 1, item_id);
  sqlite3_bind_int64(s, 2, n);
  return sc_db_step_reset(s, err);
}

static sc_status insert_assets(struct sc_merge *t, const struct sc_index *x,
                               const struct sc_merge_header *headers, int64_t item_id,
                               struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ASSET_INSERT, &s, err);
  for (size_t i = 0; i < x->n_assets && !st; i++) {
    char *href = NULL;
    st = sc_href_without_secrets(x->assets[i].href, &href, err);
    if (st) break;
    sqlite3_bind_int64(s, 1, item_id);
    sqlite3_bind_text(s, 2, x->assets[i].key, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, href, -1, sc_free);
    if (headers && headers[i].bytes.size) {
      sqlite3_bind_blob(s, 4, headers[i].bytes.data, (int)headers[i].bytes.size, SQLITE_STATIC);
    } else {
      sqlite3_bind_null(s, 4);
    }
    st = sc_db_step_reset(s, err);
    sqlite3_clear_bindings(s);
  }
  return st;
}

static int compare_by_tile(const void *a, const void *b) {
  const struct sc_index_chip *p = *(const struct sc_index_chip *const *)a;
  const struct sc_index_chip *q = *(const struct sc_index_chip *const *)b;
  int32_t d = p->y / SC_CHIP_BLOCK_SIDE - q->y / SC_CHIP_BLOCK_SIDE;
  if (!d) d = p->x / SC_CHIP_BLOCK_SIDE - q->x / SC_CHIP_BLOCK_SIDE;
  if (!d) d = p->y - q->y;
  if (!d) d = p->x - q->x;
  return (d > 0) - (d < 0);
}

/* Chips in the order of their blocks, so that a block's rowids count up and it need not store them:
 * 8 bytes a chip. */
static sc_status chips_by_tile(const struct sc_index *x, const struct sc_index_chip ***out,
                               struct sc_error *err) {
  *out = sc_alloc(x->n_chips * sizeof **out);
  if (!*out) return sc_fail_nomem(err);
  for (size_t i = 0; i < x->n_chips; i++) (*out)[i] = &x->chips[i];
  qsort(*out, x->n_chips, sizeof **out, compare_by_tile);
  return SC_OK;
}

static sc_status insert_chips(struct sc_merge *t, const struct sc_index *x, int64_t item_id,
                              struct sc_error *err) {
  const struct sc_index_chip **chips = NULL;
  float day = sc_merge_day(x->date);
  sc_status st = chips_by_tile(x, &chips, err);
  for (size_t i = 0; i < x->n_chips && !st; i++) {
    struct ready_chip chip = {0};
    chip.item_id = item_id;
    chip.x = chips[i]->x;
    chip.y = chips[i]->y;
    chip.in_block.cloud = chips[i]->cloud;
    chip.in_block.nodata = chips[i]->nodata;
    st = sc_index_footprint(x, chips[i], &chip.footprint, err);
    if (!st) st = ready_footprint(&chip, err);
    if (!st) st = place_chip(t, &chip, day, 1, SC_CONFLICT_FAIL, err);
  }
  sc_free(chips);
  return st;
}

/* Take away what was written of an item before a failure. */
static void undo_item(struct sc_merge *t, int64_t item_id, int64_t first_chip, size_t n_cells,
                      int was_flushed) {
  while (t->n_new_chips > 0 && t->new_chips[t->n_new_chips - 1].id >= first_chip) {
    sc_merge_drop_new_chip(t);
  }
  int64_t end = t->next_chip;
  if (was_flushed) t->is_broken = 1;
  if (sqlite3_get_autocommit(t->db) || t->is_broken) return;
  for (int64_t id = first_chip; id < end; id++) undo(t, SC_STMT_CHIP_DELETE, id);
  undo(t, SC_STMT_ASSET_DELETE, item_id);
  undo(t, SC_STMT_ITEM_DELETE, item_id);
  if (n_cells < t->n_new_cells) t->n_new_cells = n_cells;
  for (size_t i = 0; i < t->blocks.n; i++) {
    struct sc_cached_chip_block *b = t->blocks.entries[i];
    if (b->key.item_id == item_id) sc_chip_block_init(&b->block), b->is_dirty = 0;
  }
  t->next_chip = first_chip;
}

static sc_status delete_block_chips(struct sc_merge *t, struct sc_cached_chip_block *b,
                                    struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < b->block.n && !st; i++) {
    st = sc_merge_index_remove(t, b->block.chips[i].id, err);
    if (!st) st = run_with_id(t, SC_STMT_CHIP_DELETE, b->block.chips[i].id, err);
  }
  sc_chip_block_init(&b->block);
  b->is_dirty = 1;
  return st;
}

/* Delete an item and its chips; its blocks are emptied in the buffer. */
static sc_status delete_item(struct sc_merge *t, int64_t item_id, struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  sc_status st = sc_merge_flush_blocks(t, err);
  if (!st) st = sc_merge_statement(t, SC_STMT_BLOCK_OF_ITEM, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, item_id);
  int is_row;
  while (!st && !(st = sc_db_next(s, &is_row, err)) && is_row) {
    struct sc_chip_block_key key = {item_id, sqlite3_column_int(s, 3), sqlite3_column_int(s, 2)};
    struct sc_cached_chip_block *b;
    st = sc_merge_block(t, &key, 0, 0, &b, err);
    if (!st) st = delete_block_chips(t, b, err);
  }
  sqlite3_reset(s);
  if (!st) st = sc_merge_flush_blocks(t, err);
  if (!st) st = run_with_id(t, SC_STMT_ASSET_DELETE, item_id, err);
  if (!st) st = run_with_id(t, SC_STMT_ITEM_DELETE, item_id, err);
  sc_merge_forget_items(t);
  return st;
}

/* The new item is written without its name; the old one goes, then the name is set. */
static sc_status take_place(struct sc_merge *t, int64_t old_id, int64_t new_id, const char *name,
                            struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = delete_item(t, old_id, err);
  if (!st) st = sc_merge_statement(t, SC_STMT_ITEM_NAME, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, new_id);
  sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
  return sc_db_step_reset(s, err);
}

static sc_status fail_there_already(struct sc_merge *t, const struct sc_index *x,
                                    struct sc_error *err) {
  return sc_fail(err, SC_CONSTRAINT,
                 "%s: item %s (platform %s, collection %s) is there already; INSERT OR REPLACE "
                 "indexes it again, OR IGNORE passes over it",
                 t->name, x->item, x->platform, x->collection ? x->collection : "none");
}

sc_status sc_merge_check_raster(struct sc_merge *t, const struct sc_index *x,
                                struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  char *location = NULL, shown[600];
  int is_row = 0;
  if (!x->is_raster || !x->location) return SC_OK;
  sc_status st = sc_merge_flush_blocks(t, err); /* items without chips left go */
  if (!st) st = sc_href_without_secrets(x->location, &location, err);
  if (!st) st = ask_item(t, x->item, x->platform, x->collection, &s, &is_row, err);
  const char *other = !st && is_row ? (const char *)sqlite3_column_text(s, 2) : NULL;
  if (other && strcmp(other, location) != 0) {
    st = sc_fail(err, SC_BAD_DATA,
                 "%s: %s: a raster of the same name is there, and the name is its id: %s; give one "
                 "of them another name, or write items with ids of their own",
                 t->name, sc_access_shown(location, shown, sizeof shown), other);
  }
  sqlite3_reset(s);
  sc_free(location);
  return st;
}

sc_status sc_merge_check_new(struct sc_merge *t, const struct sc_index *x, struct sc_error *err) {
  int64_t id = 0;
  float day;
  sc_status st = sc_merge_flush_blocks(t, err);
  if (!st) st = find_item(t, x->item, x->platform, x->collection, &id, &day, err);
  return st || !id ? st : fail_there_already(t, x, err);
}

sc_status sc_merge_insert_item(struct sc_merge *t, const struct sc_index *x,
                               const struct sc_merge_header *headers, enum sc_conflict conflict,
                               int64_t *last_id, struct sc_error *err) {
  int64_t old_id = 0, item_id = 0, first_chip = 0;
  float day;
  sc_merge_note_change(t);
  sc_status st = sc_merge_flush_blocks(t, err); /* items without chips left go */
  if (!st) st = find_item(t, x->item, x->platform, x->collection, &old_id, &day, err);
  if (!st && old_id && conflict != SC_CONFLICT_REPLACE) st = fail_there_already(t, x, err);
  if (!st) st = new_chip_id(t, &first_chip, err);
  if (st) return st;
  t->next_chip = first_chip;
  size_t n_cells = t->n_new_cells, n_flushes = t->n_flushes;
  st = insert_item_row(t, x, old_id == 0, &item_id, err);
  if (st) return st;
  st = insert_assets(t, x, headers, item_id, err);
  if (!st) st = set_left_out(t, item_id, x->n_left_out, err);
  if (!st) st = insert_chips(t, x, item_id, err);
  if (st) {
    undo_item(t, item_id, first_chip, n_cells, t->n_flushes != n_flushes);
    return st;
  }
  if (old_id) st = take_place(t, old_id, item_id, x->item, err);
  if (!st) st = sc_merge_end_row(t, err);
  if (st) t->is_broken = 1;
  *last_id = t->next_chip - 1;
  return st;
}

/* ---- deletes, flushing ---- */

sc_status sc_merge_delete_chip(struct sc_merge *t, int64_t id, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_merge_note_change(t);
  sc_status st = sc_merge_flush_chips(t, err);
  if (!st) st = sc_merge_statement(t, SC_STMT_CHIP_FIND, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, id);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (st || !is_row) { /* no row: gone already */
    sqlite3_reset(s);
    return st;
  }
  int64_t item_id = sqlite3_column_int64(s, 0);
  int32_t x = sqlite3_column_int(s, 1), y = sqlite3_column_int(s, 2);
  sqlite3_reset(s);
  if (x < 0 || y < 0) {
    return sc_fail(err, SC_BAD_DATA, "%s_chip, row %lld: position (%d, %d)", t->name, (long long)id,
                   x, y);
  }
  struct sc_chip_block_key key = {item_id, x / SC_CHIP_BLOCK_SIDE, y / SC_CHIP_BLOCK_SIDE};
  struct sc_cached_chip_block *block;
  sqlite3_stmt *item;
  float day = SC_NO_DAY;
  st = sc_merge_statement(t, SC_STMT_ITEM_READ, &item, err);
  if (!st && !sc_chip_block_cache_find(&t->blocks, &key)) {
    sqlite3_bind_int64(item, 1, item_id);
    st = sc_db_next(item, &is_row, err);
    if (!st && is_row) day = sc_merge_day((const char *)sqlite3_column_text(item, 3));
    sqlite3_reset(item);
  }
  if (!st) st = sc_merge_block(t, &key, day, 0, &block, err);
  if (!st) st = sc_merge_index_remove(t, id, err);
  if (st) return st;
  st = run_with_id(t, SC_STMT_CHIP_DELETE, id, err);
  if (st) t->is_broken = 1; /* it is out of SpatiaLite's index */
  if (st) return st;
  if (sc_chip_block_has(&block->block, sc_chip_block_bit(x, y))) {
    sc_chip_block_remove(&block->block, sc_chip_block_bit(x, y));
    block->is_dirty = 1;
    t->has_emptied |= block->block.n == 0;
  }
  return sc_merge_end_row(t, err);
}

sc_status sc_merge_flush(struct sc_merge *t, struct sc_error *err) {
  sc_status st = sc_merge_flush_index(t, err);
  return st ? st : sc_merge_flush_blocks(t, err);
}

/* The statement that writes, or NULL. SQLite counts SAVEPOINT among those that only read. */
static sqlite3_stmt *running_writer(sqlite3 *db) {
  sqlite3_stmt *s = sqlite3_next_stmt(db, NULL);
  while (s && !(sqlite3_stmt_busy(s) && !sqlite3_stmt_readonly(s))) s = sqlite3_next_stmt(db, s);
  return s;
}

/* Is this the first row of its statement? The second one tells that it has many. */
static int is_first_row(struct sc_merge *t) {
  sqlite3_stmt *writer = running_writer(t->db);
  int runs = writer ? sqlite3_stmt_status(writer, SQLITE_STMTSTATUS_RUN, 0) : 0;
  int is_first = writer != t->writer || runs != t->writer_runs;
  t->writer = writer;
  t->writer_runs = runs;
  t->is_unsure = is_first;
  return is_first;
}

sc_status sc_merge_end_row(struct sc_merge *t, struct sc_error *err) {
  t->is_new_transaction = 0;
  if (sqlite3_get_autocommit(t->db)) return SC_OK;
  if (t->in_statement && !(t->is_unsure && is_first_row(t))) return SC_OK;
  return sc_merge_flush_index(t, err);
}

sc_status sc_merge_savepoint(struct sc_merge *t, struct sc_error *err) {
  if (t->n_inside) return SC_OK;
  sc_status st = sc_merge_flush(t, err);
  t->in_statement = running_writer(t->db) != NULL;
  /* Right behind xBegin it may be a savepoint of before, which the end of the statement leaves. */
  t->is_unsure = t->is_new_transaction;
  t->is_new_transaction = 0;
  t->writer = NULL;
  return st;
}

sc_status sc_merge_release_savepoint(struct sc_merge *t, struct sc_error *err) {
  if (t->n_inside || !t->in_statement) return SC_OK;
  t->in_statement = 0;
  return sc_merge_flush_index(t, err);
}

void sc_merge_discard(struct sc_merge *t) {
  sc_chip_block_cache_clear(&t->blocks);
  t->has_emptied = 0;
  t->n_new_chips = 0;
  t->n_new_cells = t->n_old_ids = 0;
  t->is_probed = 0;
  sc_merge_forget(t);
}

/* SQLite may roll back from within a statement of ours (disk full, interrupt): buffers that
 * are in use are forgotten when the write has returned. */
void sc_merge_rolled_back(struct sc_merge *t) {
  t->must_discard = t->n_inside > 0;
  if (!t->must_discard) sc_merge_discard(t);
  t->is_broken = t->in_statement = 0;
}

void sc_merge_enter(struct sc_merge *t) { t->n_inside++; }

void sc_merge_leave(struct sc_merge *t) {
  if (--t->n_inside > 0 || !t->must_discard) return;
  sc_merge_discard(t);
  t->must_discard = t->is_broken = 0;
}

void sc_merge_forget(struct sc_merge *t) {
  sc_merge_forget_items(t);
  t->next_chip = t->next_block = 0;
  t->is_current = 0;
  sc_merge_note_change(t);
}
