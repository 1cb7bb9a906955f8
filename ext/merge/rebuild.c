/* Checking and rebuilding; see rebuild.h. */
#include "merge/rebuild.h"
#include "merge/rtree_check.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "merge/buffers.h"
#include "merge/shadow.h"

/* ---- check ---- */

static sc_status fail_corrupt(struct sc_error *err) {
  err->status = SC_DB;
  err->db_code = SQLITE_CORRUPT_VTAB;
  return SC_DB;
}

/* A query whose every row is a complaint. */
static sc_status check_by_query(struct sc_merge *t, enum sc_merge_statement which,
                                struct sc_error *err) {
  sqlite3_stmt *s = NULL;
  sc_status st = sc_merge_prepare(t, which, &s, err);
  if (st) return st;
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row) {
    st = sc_fail(err, SC_BAD_DATA, "%s: %s", t->name, (const char *)sqlite3_column_text(s, 0));
  }
  sqlite3_finalize(s);
  return st;
}

static int is_same_fraction(float a, sqlite3_stmt *s, int column) {
  if (sqlite3_column_type(s, column) == SQLITE_NULL) return isnan(a);
  return a == (float)sqlite3_column_double(s, column);
}

/* Does a box hold another, without being larger by more than the slack? */
static int fits(const struct sc_box32 *outer, const struct sc_box32 *inner, float slack_x,
                float slack_y) {
  return inner->min_x >= outer->min_x && inner->max_x <= outer->max_x &&
         inner->min_y >= outer->min_y && inner->max_y <= outer->max_y &&
         outer->min_x >= inner->min_x - slack_x && outer->max_x <= inner->max_x + slack_x &&
         outer->min_y >= inner->min_y - slack_y && outer->max_y <= inner->max_y + slack_y;
}

/* The day of the item that was asked for last; ids of damaged tables may be any number. */
struct item_day {
  int is_known;
  int64_t item_id;
  float day;
};

struct check {
  sqlite3_stmt *blocks, *chip, *area, *index, *items;
  struct sc_chip_block block;
  int64_t n_chips, n_area;
  struct item_day day;
};

/* Where a block says that a chip lies. */
struct place {
  int64_t item_id, x, y;
};

/* Step to the row of an id; where there is none, "chip 7 is missing" or the like. */
static sc_status find_row(struct sc_merge *t, sqlite3_stmt *s, int64_t id, const char *what,
                          int64_t named, const char *missing, struct sc_error *err) {
  int is_row;
  sqlite3_bind_int64(s, 1, id);
  sc_status st = sc_db_next(s, &is_row, err);
  if (st || is_row) return st;
  return sc_fail(err, SC_DB, "%s: %s %lld %s", t->name, what, (long long)named, missing);
}

static struct sc_box32 columns_box(sqlite3_stmt *s) {
  struct sc_box32 b = {(float)sqlite3_column_double(s, 0), (float)sqlite3_column_double(s, 1),
                       (float)sqlite3_column_double(s, 2), (float)sqlite3_column_double(s, 3)};
  return b;
}

/* SpatiaLite's index has the box of the whole footprint; its module rounds by a step or two. */
static sc_status check_index(struct sc_merge *t, struct check *c, int64_t id,
                             const struct sc_footprint *f, struct sc_error *err) {
  struct sc_box exact = sc_footprint_box(f);
  struct sc_box32 whole = sc_box32_of(&exact);
  sc_status st = find_row(t, c->index, id, "chip", id, "is not in the spatial index", err);
  if (st) return st;
  struct sc_box32 entry = columns_box(c->index);
  sqlite3_reset(c->index);
  if (fits(&entry, &whole, SC_BOX32_SLACK, SC_BOX32_SLACK)) return SC_OK;
  return sc_fail(err, SC_DB, "%s: the box of chip %lld in the spatial index is not its geometry's",
                 t->name, (long long)id);
}

/* The chip's row says what its block does; c->chip stands on it until it is reset. */
static sc_status check_row(struct sc_merge *t, struct check *c, const struct sc_chip_entry *chip,
                           const struct place *at, struct sc_error *err) {
  sc_status st =
      find_row(t, c->chip, chip->id, "the blocks name chip", chip->id, "which is missing", err);
  if (st) return st;
  if (sqlite3_column_int64(c->chip, 1) == at->item_id &&
      sqlite3_column_int64(c->chip, 2) == at->x && sqlite3_column_int64(c->chip, 3) == at->y &&
      is_same_fraction(chip->cloud, c->chip, 4) && is_same_fraction(chip->nodata, c->chip, 5)) {
    return SC_OK;
  }
  return sc_fail(err, SC_DB, "%s: chip %lld is not what its block says", t->name,
                 (long long)chip->id);
}

/* The boxes in the block are those of the geometry: exactly, but for blocks of earlier versions. */
static sc_status check_boxes(const struct sc_merge *t, const struct sc_chip_block *b,
                             const struct sc_chip_entry *chip, const struct sc_footprint *f,
                             struct sc_error *err) {
  float slack_x = b->is_exact ? 0 : b->slack_x, slack_y = b->is_exact ? 0 : b->slack_y;
  struct sc_box32 box, west;
  sc_chip_block_boxes(f, &box, &west);
  if (fits(&chip->box, &box, slack_x, slack_y) && fits(&chip->west, &west, slack_x, slack_y)) {
    return SC_OK;
  }
  return sc_fail(err, SC_DB, "%s: the box of chip %lld in its block is not its geometry's", t->name,
                 (long long)chip->id);
}

static sc_status check_chip(struct sc_merge *t, struct check *c, const struct sc_chip_entry *chip,
                            const struct place *at, struct sc_error *err) {
  struct sc_footprint f;
  int srid;
  sc_status st = check_row(t, c, chip, at, err);
  if (st) return st;
  st = sc_footprint_from_blob(sqlite3_column_blob(c->chip, 6),
                              (size_t)sqlite3_column_bytes(c->chip, 6), &f, &srid, err);
  if (st) return sc_fail_within(err, "%s: chip %lld", t->name, (long long)chip->id);
  sqlite3_reset(c->chip);
  st = check_boxes(t, &c->block, chip, &f, err);
  return st ? st : check_index(t, c, chip->id, &f, err);
}

static sc_status check_area(struct sc_merge *t, struct check *c, int64_t id,
                            const struct sc_box32 *box, const struct sc_chip_block_range *range,
                            struct sc_error *err) {
  const struct sc_chip_block *b = &c->block;
  if (sc_box32_is_empty(box)) return SC_OK;
  c->n_area++;
  sc_status st = find_row(t, c->area, id, "block", id / 2, "is not in the area index", err);
  if (st) return st;
  struct sc_box32 entry = columns_box(c->area);
  float slack_x = b->is_exact ? 0 : b->slack_x, slack_y = b->is_exact ? 0 : b->slack_y;
  int ok = fits(&entry, box, slack_x, slack_y) &&
           (float)sqlite3_column_double(c->area, 4) == range->min_cloud &&
           (float)sqlite3_column_double(c->area, 5) == range->max_cloud &&
           (float)sqlite3_column_double(c->area, 6) == c->day.day &&
           (float)sqlite3_column_double(c->area, 7) == c->day.day;
  sqlite3_reset(c->area);
  if (ok) return SC_OK;
  return sc_fail(err, SC_DB, "%s: block %lld is not what the area index says", t->name,
                 (long long)id / 2);
}

/* The day of a chip's item; the chips of an item follow each other, so the last one is kept. */
static sc_status day_of_item(struct sc_merge *t, sqlite3_stmt *items, int64_t item_id,
                             struct item_day *last, struct sc_error *err) {
  if (last->is_known && last->item_id == item_id) return SC_OK;
  sqlite3_bind_int64(items, 1, item_id);
  int is_row;
  sc_status st = sc_db_next(items, &is_row, err);
  if (!st && is_row) {
    *last =
        (struct item_day){1, item_id, sc_merge_day((const char *)sqlite3_column_text(items, 0))};
  } else if (!st) {
    st = sc_fail(err, SC_BAD_DATA, "%s: item %lld of a chip is missing", t->name,
                 (long long)item_id);
  }
  sqlite3_reset(items);
  return st;
}

static sc_status check_block(struct sc_merge *t, struct check *c, struct sc_error *err) {
  int64_t id = sqlite3_column_int64(c->blocks, 0), item_id = sqlite3_column_int64(c->blocks, 1);
  int64_t tile_y = sqlite3_column_int(c->blocks, 2), tile_x = sqlite3_column_int(c->blocks, 3);
  if (id < 1 || id > SC_MERGE_MAX_BLOCK_ID) {
    return sc_fail(err, SC_DB, "%s_block: id %lld is out of range", t->name, (long long)id);
  }
  sc_status st = day_of_item(t, c->items, item_id, &c->day, err);
  if (st) return st;
  st = sc_chip_block_decode(sqlite3_column_blob(c->blocks, 4),
                            (size_t)sqlite3_column_bytes(c->blocks, 4), &c->block, err);
  if (st) return sc_fail_within(err, "%s: block %lld", t->name, (long long)id);
  uint64_t mask = c->block.mask;
  for (int i = 0; i < c->block.n && !st; i++, mask &= mask - 1) {
    int bit = __builtin_ctzll(mask);
    struct place at = {item_id, tile_x * SC_CHIP_BLOCK_SIDE + bit % SC_CHIP_BLOCK_SIDE,
                       tile_y * SC_CHIP_BLOCK_SIDE + bit / SC_CHIP_BLOCK_SIDE};
    st = check_chip(t, c, &c->block.chips[i], &at, err);
  }
  c->n_chips += c->block.n;
  struct sc_chip_block_range range = sc_chip_block_range(&c->block);
  if (!st) st = check_area(t, c, 2 * id, &range.box, &range, err);
  if (!st) st = check_area(t, c, 2 * id + 1, &range.west, &range, err);
  return st;
}

static sc_status check_count(struct sc_merge *t, enum sc_merge_statement which, int64_t expected,
                             const char *what, struct sc_error *err) {
  sqlite3_int64 n;
  sc_status st = sc_db_query_int(t->db, sc_statement_text(which), t->schema, t->name, 0, &n, err);
  if (st || n == expected) return st;
  return sc_fail(err, SC_DB, "%s: %lld %s, expected %lld", t->name, (long long)n, what,
                 (long long)expected);
}

static sc_status check_blocks(struct sc_merge *t, struct check *c, struct sc_error *err) {
  sc_status st = sc_merge_prepare(t, SC_STMT_BLOCK_SCAN, &c->blocks, err);
  if (!st) st = sc_merge_prepare(t, SC_STMT_AREA_ENTRY, &c->area, err);
  if (!st) st = sc_merge_prepare(t, SC_STMT_INDEX_ENTRY, &c->index, err);
  if (!st) st = sc_merge_prepare(t, SC_STMT_ITEM_DATE, &c->items, err);
  if (!st) st = sc_merge_statement(t, SC_STMT_CHIP_READ, &c->chip, err);
  int is_row;
  while (!st && !(st = sc_db_next(c->blocks, &is_row, err)) && is_row) st = check_block(t, c, err);
  if (!st) st = check_count(t, SC_STMT_CHECK_CHIP_COUNT, c->n_chips, "chips", err);
  if (!st) st = check_count(t, SC_STMT_CHECK_INDEX_COUNT, c->n_chips, "index entries", err);
  if (!st) st = check_count(t, SC_STMT_CHECK_AREA_COUNT, c->n_area, "area entries", err);
  return st;
}

sc_status sc_merge_check(struct sc_merge *t, struct sc_error *err) {
  struct check *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return sc_fail_nomem(err);
  sc_status st = sc_rtree_check(&t->area, err);
  if (!st) st = sc_rtree_check(&t->index, err);
  if (!st) st = check_by_query(t, SC_STMT_CHECK_ITEM_OF_CHIP, err);
  if (!st) st = check_blocks(t, c, err);
  if (st == SC_BAD_DATA || (st == SC_DB && !err->db_code)) st = fail_corrupt(err);
  sqlite3_finalize(c->blocks);
  sqlite3_finalize(c->area);
  sqlite3_finalize(c->index);
  sqlite3_finalize(c->items);
  sqlite3_reset(c->chip);
  sc_free(c);
  return st;
}

/* ---- rebuild ---- */

static sc_status clear_derived(struct sc_merge *t, struct sc_error *err) {
  sc_status st = sc_db_run(t->db, sc_statement_text(SC_STMT_BLOCK_CLEAR), t->schema, t->name, err);
  if (!st) st = sc_rtree_clear(&t->area, err);
  if (!st) st = sc_rtree_clear(&t->index, err);
  return st;
}

static sc_status rebuild_chip(struct sc_merge *t, sqlite3_stmt *s, float day,
                              struct sc_error *err) {
  struct sc_chip_entry chip = {sqlite3_column_int64(s, 0), NAN, NAN, {0, 0, 0, 0}, {0, 0, 0, 0}};
  int64_t x = sqlite3_column_int64(s, 2), y = sqlite3_column_int64(s, 3);
  struct sc_cached_chip_block *block;
  struct sc_footprint f;
  int srid;
  if (x < 0 || y < 0 || x > SC_GRID_MAX_PX || y > SC_GRID_MAX_PX) {
    return sc_fail(err, SC_BAD_DATA, "position (%lld, %lld)", (long long)x, (long long)y);
  }
  if (sqlite3_column_type(s, 4) != SQLITE_NULL) chip.cloud = (float)sqlite3_column_double(s, 4);
  if (sqlite3_column_type(s, 5) != SQLITE_NULL) chip.nodata = (float)sqlite3_column_double(s, 5);
  sc_status st = sc_footprint_from_blob(sqlite3_column_blob(s, 6),
                                        (size_t)sqlite3_column_bytes(s, 6), &f, &srid, err);
  if (st) return st;
  sc_chip_block_boxes(&f, &chip.box, &chip.west);
  struct sc_chip_block_key key = {sqlite3_column_int64(s, 1), (int32_t)x / SC_CHIP_BLOCK_SIDE,
                                  (int32_t)y / SC_CHIP_BLOCK_SIDE};
  int bit = sc_chip_block_bit((int32_t)x, (int32_t)y);
  st = sc_merge_block(t, &key, day, 0, &block, err);
  if (st) return st;
  if (sc_chip_block_has(&block->block, bit)) {
    return sc_fail(err, SC_BAD_DATA, "its item has another chip at (%lld, %lld)", (long long)x,
                   (long long)y);
  }
  sc_chip_block_put(&block->block, bit, &chip);
  block->is_dirty = 1;
  struct sc_box box = sc_footprint_box(&f);
  return sc_merge_index_add(t, chip.id, &box, err);
}

static sc_status rebuild_chips(struct sc_merge *t, sqlite3_stmt *chips, sqlite3_stmt *items,
                               struct sc_error *err) {
  struct item_day last = {0};
  sqlite3_bind_int64(chips, 1, INT64_MIN);
  sqlite3_bind_int64(chips, 2, INT64_MAX);
  for (;;) {
    int is_row;
    sc_status st = sc_db_next(chips, &is_row, err);
    if (st) return st;
    if (!is_row) return sc_merge_flush(t, err);
    st = day_of_item(t, items, sqlite3_column_int64(chips, 1), &last, err);
    if (!st) st = rebuild_chip(t, chips, last.day, err);
    if (st) {
      return sc_fail_within(err, "%s_chip, row %lld", t->name,
                            (long long)sqlite3_column_int64(chips, 0));
    }
  }
}

/* Does SQLite's module read both trees? It cannot where their nodes had lost their size before:
 * how large they were is known from the root alone. */
static sc_status try_trees(struct sc_merge *t, struct sc_error *err) {
  sqlite3_int64 n;
  sc_status st = sc_db_query_int(t->db, sc_statement_text(SC_STMT_CHECK_AREA_COUNT), t->schema,
                                 t->name, 0, &n, err);
  if (!st)
    st = sc_db_query_int(t->db, sc_statement_text(SC_STMT_INDEX_SCAN), t->schema, t->name, 0, &n,
                         err);
  return st == SC_DB ? sc_fail_within(err, "%s: an R*Tree is damaged beyond rebuilding", t->name)
                     : st;
}

sc_status sc_merge_rebuild(struct sc_merge *t, struct sc_error *err) {
  sqlite3_stmt *chips = NULL, *items = NULL;
  sc_status st = sc_merge_prepare(t, SC_STMT_CHIP_SCAN, &chips, err);
  if (!st) st = sc_merge_prepare(t, SC_STMT_ITEM_DATE, &items, err);
  if (!st) st = clear_derived(t, err);
  if (!st) st = rebuild_chips(t, chips, items, err);
  if (!st) st = try_trees(t, err);
  sqlite3_finalize(chips);
  sqlite3_finalize(items);
  if (st) t->is_broken = 1;
  return st;
}

sc_status sc_merge_optimize(struct sc_merge *t, struct sc_error *err) {
  sc_status st = sc_rtree_repack(&t->area, err);
  if (!st) st = sc_rtree_repack(&t->index, err);
  if (st) t->is_broken = 1;
  return st;
}
