/*
 * Write buffers; see buffers.h.
 *
 * Rows of an index come chip by chip. Without buffers each would read its block, change one chip of
 * 64 and write the block, its entry in the area index and one in SpatiaLite's index.
 */
#include "merge/buffers.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "merge/shadow.h"

static sc_status read_block(struct sc_merge *t, struct sc_cached_chip_block *b,
                            struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_BLOCK_FIND, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, b->key.item_id);
  sqlite3_bind_int(s, 2, b->key.tile_y);
  sqlite3_bind_int(s, 3, b->key.tile_x);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row) {
    b->id = sqlite3_column_int64(s, 0);
    st = sc_chip_block_decode(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1),
                              &b->block, err);
    if (st) sc_fail_within(err, "%s_block, row %lld", t->name, (long long)b->id);
    if (!st && (b->id < 1 || b->id > SC_MERGE_MAX_BLOCK_ID)) {
      st =
          sc_fail(err, SC_BAD_DATA, "%s_block: id %lld is out of range", t->name, (long long)b->id);
    }
    if (!st) b->range = sc_chip_block_range(&b->block);
  }
  sqlite3_reset(s);
  return st;
}

sc_status sc_merge_block(struct sc_merge *t, const struct sc_chip_block_key *key, float day,
                         int is_new, struct sc_cached_chip_block **out, struct sc_error *err) {
  *out = sc_chip_block_cache_find(&t->blocks, key);
  /* One that holds nothing may be of an item that was undone, whose number another has now. */
  if (*out && (*out)->id == 0 && (*out)->block.n == 0) (*out)->day = day;
  if (*out) return SC_OK;
  sc_status st = SC_OK;
  if (t->blocks.n >= SC_CHIP_BLOCK_CACHE_MAX) st = sc_merge_flush_blocks(t, err);
  if (!st) st = sc_chip_block_cache_add(&t->blocks, key, out, err);
  if (st) return st;
  (*out)->day = day;
  if (!is_new) st = read_block(t, *out, err);
  if (st) sc_chip_block_init(&(*out)->block), (*out)->id = 0;
  return st;
}

/* ---- rows of chips ---- */

static void bind_fraction(sqlite3_stmt *s, int i, float v) {
  if (isnan(v)) {
    sqlite3_bind_null(s, i);
  } else {
    sqlite3_bind_double(s, i, (double)v);
  }
}

/* The seven values of a chip's row, from parameter `at` on. */
static void bind_chip(sqlite3_stmt *s, int at, const struct sc_new_chip *chip) {
  sqlite3_bind_int64(s, at, chip->id);
  sqlite3_bind_int64(s, at + 1, chip->item_id);
  sqlite3_bind_int(s, at + 2, chip->x);
  sqlite3_bind_int(s, at + 3, chip->y);
  bind_fraction(s, at + 4, chip->cloud);
  bind_fraction(s, at + 5, chip->nodata);
  sqlite3_bind_blob(s, at + 6, chip->geometry.data, (int)chip->geometry.size, SQLITE_STATIC);
}

sc_status sc_merge_flush_chips(struct sc_merge *t, struct sc_error *err) {
  int n = t->n_new_chips, at_once = n == SC_MERGE_CHIPS_AT_ONCE ? n : 1;
  sqlite3_stmt *s;
  if (n == 0) return SC_OK;
  sc_merge_enter(t);
  sc_status st =
      sc_merge_statement(t, at_once == 1 ? SC_STMT_CHIP_INSERT : SC_STMT_CHIP_INSERT_16, &s, err);
  for (int i = 0; i < n && !st; i += at_once) {
    for (int k = 0; k < at_once; k++) bind_chip(s, 7 * k + 1, &t->new_chips[i + k]);
    st = sc_db_step_reset(s, err);
  }
  t->n_new_chips = 0;
  if (st) t->is_broken = 1;
  sc_merge_leave(t);
  return st;
}

sc_status sc_merge_new_chip(struct sc_merge *t, struct sc_new_chip **out, struct sc_error *err) {
  sc_status st = t->n_new_chips == SC_MERGE_CHIPS_AT_ONCE ? sc_merge_flush_chips(t, err) : SC_OK;
  if (st) return st;
  *out = &t->new_chips[t->n_new_chips++];
  (*out)->geometry.size = 0;
  return SC_OK;
}

void sc_merge_drop_new_chip(struct sc_merge *t) { t->n_new_chips--; }

/* ---- SpatiaLite's index ---- */

static sc_status reserve_cells(struct sc_merge *t, size_t extra, struct sc_error *err) {
  if (t->n_new_cells + extra <= t->new_cells_capacity) return SC_OK;
  size_t capacity = 2 * t->new_cells_capacity + extra + 64;
  struct sc_rtree_cell *cells = sc_realloc(t->new_cells, capacity * sizeof *cells);
  if (!cells) return sc_fail_nomem(err);
  t->new_cells = cells;
  t->new_cells_capacity = capacity;
  return SC_OK;
}

/* "Locked" leaves the index as it was; after another failure it may be half written. */
static sc_status fail_module(struct sc_merge *t, struct sc_error *err) {
  if ((err->db_code & 0xff) != SQLITE_LOCKED) t->is_broken = 1;
  return sc_fail_within(err, "writing idx_%s_chip_geometry", t->name);
}

/* Does the R*Tree module let us write? See the header. */
static sc_status probe(struct sc_merge *t, struct sc_error *err) {
  sqlite3_stmt *s;
  if (t->is_probed) return SC_OK;
  sc_status st = sc_merge_statement(t, SC_STMT_INDEX_PROBE, &s, err);
  if (!st) st = sc_db_step_reset(s, err);
  t->is_probed = st == SC_OK;
  return st ? fail_module(t, err) : SC_OK;
}

sc_status sc_merge_index_add(struct sc_merge *t, int64_t id, const struct sc_box *box,
                             struct sc_error *err) {
  sc_status st = probe(t, err);
  if (st) return st;
  if (t->n_new_cells >= SC_MERGE_MAX_NEW_CELLS) st = sc_merge_flush_index(t, err);
  if (!st) st = reserve_cells(t, 1, err);
  if (st) return st;
  struct sc_box32 b = sc_box32_of(box);
  struct sc_rtree_cell *cell = &t->new_cells[t->n_new_cells++];
  memset(cell, 0, sizeof *cell);
  cell->id = id;
  cell->c[0] = b.min_x;
  cell->c[1] = b.max_x;
  cell->c[2] = b.min_y;
  cell->c[3] = b.max_y;
  return SC_OK;
}

sc_status sc_merge_index_remove(struct sc_merge *t, int64_t id, struct sc_error *err) {
  sc_status st = t->n_new_cells > 0 ? sc_merge_flush_index(t, err) : SC_OK;
  if (!st) st = probe(t, err);
  if (st) return st;
  if (t->n_old_ids == t->old_ids_capacity) {
    size_t capacity = 2 * t->old_ids_capacity + 256;
    int64_t *ids = sc_realloc(t->old_ids, capacity * sizeof *ids);
    if (!ids) return sc_fail_nomem(err);
    t->old_ids = ids;
    t->old_ids_capacity = capacity;
  }
  t->old_ids[t->n_old_ids++] = id;
  return SC_OK;
}

sc_status sc_merge_flush_index(struct sc_merge *t, struct sc_error *err) {
  sc_status st = sc_merge_flush_chips(t, err);
  if (st) return st;
  sc_merge_enter(t);
  /* Out before in: a chip that was replaced keeps its rowid. */
  st = sc_rtree_delete(&t->index, t->old_ids, t->n_old_ids, err);
  if (!st) st = sc_rtree_insert(&t->index, t->new_cells, t->n_new_cells, err);
  t->n_old_ids = t->n_new_cells = 0;
  t->is_probed = 0;
  if (st) t->is_broken = 1;
  sc_merge_leave(t);
  return st;
}

/* ---- blocks ---- */

/*
 * What a flush of blocks does to the area index, and the items that may have lost all. The
 * bytes are its own: t->scratch belongs to the caller whose block found the buffer full.
 */
struct area_changes {
  struct sc_buffer bytes; /* of the block being written */
  int64_t *gone;          /* entries to take out */
  size_t n_gone;
  struct sc_rtree_cell *cells;
  size_t n_cells;
  int64_t *items;
  size_t n_items;
};

static void add_area_cell(struct area_changes *a, int64_t id, const struct sc_box32 *box,
                          const struct sc_chip_block_range *range, float day) {
  struct sc_rtree_cell cell = {id,
                               {box->min_x, box->max_x, box->min_y, box->max_y, day, day,
                                range->min_cloud, range->max_cloud}};
  a->cells[a->n_cells++] = cell;
}

static void add_area(struct area_changes *a, const struct sc_cached_chip_block *b,
                     const struct sc_chip_block_range *range) {
  add_area_cell(a, 2 * b->id, &range->box, range, b->day);
  if (!sc_box32_is_empty(&range->west)) {
    add_area_cell(a, 2 * b->id + 1, &range->west, range, b->day);
  }
}

static void remove_area(struct area_changes *a, const struct sc_cached_chip_block *b) {
  a->gone[a->n_gone++] = 2 * b->id;
  if (!sc_box32_is_empty(&b->range.west)) a->gone[a->n_gone++] = 2 * b->id + 1;
}

static sc_status delete_block(struct sc_merge *t, struct sc_cached_chip_block *b,
                              struct area_changes *a, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_BLOCK_DELETE, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, b->id);
  st = sc_db_step_reset(s, err);
  if (a->n_items == 0 || a->items[a->n_items - 1] != b->key.item_id) {
    a->items[a->n_items++] = b->key.item_id;
  }
  remove_area(a, b);
  return st;
}

static sc_status insert_block(struct sc_merge *t, struct sc_cached_chip_block *b,
                              const struct sc_buffer *bytes, struct sc_error *err) {
  sqlite3_stmt *s;
  const struct sc_merge_ids ids = {SC_STMT_BLOCK_LAST, "block", SC_MERGE_MAX_BLOCK_ID};
  sc_status st = sc_merge_new_id(t, &ids, &t->next_block, &b->id, err);
  if (!st) st = sc_merge_statement(t, SC_STMT_BLOCK_INSERT, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, b->id);
  sqlite3_bind_int64(s, 2, b->key.item_id);
  sqlite3_bind_int(s, 3, b->key.tile_y);
  sqlite3_bind_int(s, 4, b->key.tile_x);
  sqlite3_bind_int(s, 5, b->block.n);
  sqlite3_bind_blob(s, 6, bytes->data, (int)bytes->size, SQLITE_STATIC);
  return sc_db_step_reset(s, err);
}

static sc_status update_block(struct sc_merge *t, struct sc_cached_chip_block *b,
                              const struct sc_buffer *bytes, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_BLOCK_UPDATE, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, b->id);
  sqlite3_bind_int(s, 2, b->block.n);
  sqlite3_bind_blob(s, 3, bytes->data, (int)bytes->size, SQLITE_STATIC);
  return sc_db_step_reset(s, err);
}

/* The boxes of a block that an earlier version wrote, from the chips' geometries. */
static sc_status make_exact(struct sc_merge *t, struct sc_chip_block *b, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_CHIP_GEOMETRY, &s, err);
  for (int i = 0; i < b->n && !st; i++) {
    struct sc_chip_entry *chip = &b->chips[i];
    struct sc_footprint f = {0};
    int is_row, srid;
    sqlite3_bind_int64(s, 1, chip->id);
    st = sc_db_next(s, &is_row, err);
    if (!st && is_row) {
      st = sc_footprint_from_blob(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), &f,
                                  &srid, err);
    }
    sqlite3_reset(s);
    if (!st && f.n_parts == 0) {
      st = sc_fail(err, SC_BAD_DATA, "%s_chip: row %lld, which a block names, has no geometry",
                   t->name, (long long)chip->id);
    }
    if (st) return st;
    b->n_west -= !sc_box32_is_empty(&chip->west);
    sc_chip_block_boxes(&f, &chip->box, &chip->west);
    b->n_west += !sc_box32_is_empty(&chip->west);
  }
  b->is_exact = st == SC_OK;
  return st;
}

static sc_status write_block(struct sc_merge *t, struct sc_cached_chip_block *b,
                             struct area_changes *a, struct sc_error *err) {
  if (!b->is_dirty || (b->id == 0 && b->block.n == 0)) return SC_OK;
  if (b->block.n == 0) return delete_block(t, b, a, err);
  a->bytes.size = 0;
  sc_status st = b->block.is_exact ? SC_OK : make_exact(t, &b->block, err);
  struct sc_chip_block_range range = sc_chip_block_range(&b->block);
  if (!st) st = sc_chip_block_encode(&b->block, &a->bytes, err);
  if (st) return st;
  if (b->id == 0) {
    st = insert_block(t, b, &a->bytes, err);
    if (!st) add_area(a, b, &range);
  } else {
    st = update_block(t, b, &a->bytes, err);
    if (!st && memcmp(&range, &b->range, sizeof range) != 0) {
      remove_area(a, b);
      add_area(a, b, &range);
    }
  }
  return st;
}

/* Items whose last block went. */
static sc_status delete_empty_items(struct sc_merge *t, const struct area_changes *a,
                                    struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < a->n_items && !st; i++) {
    sqlite3_stmt *s, *assets;
    st = sc_merge_statement(t, SC_STMT_ITEM_DELETE_EMPTY, &s, err);
    if (!st) st = sc_merge_statement(t, SC_STMT_ASSET_DELETE, &assets, err);
    if (st) return st;
    sqlite3_bind_int64(s, 1, a->items[i]);
    st = sc_db_step_reset(s, err);
    if (st || sqlite3_changes(t->db) == 0) continue;
    sqlite3_bind_int64(assets, 1, a->items[i]);
    st = sc_db_step_reset(assets, err);
    sc_merge_forget_items(t);
  }
  return st;
}

sc_status sc_merge_flush_blocks(struct sc_merge *t, struct sc_error *err) {
  size_t n = t->blocks.n;
  sc_status st = sc_merge_flush_chips(t, err); /* no block names a chip that is not there */
  if (st || n == 0) return st;
  struct area_changes a = {.gone = sc_alloc(2 * n * sizeof *a.gone),
                           .cells = sc_alloc(2 * n * sizeof *a.cells),
                           .items = sc_alloc(n * sizeof *a.items)};
  st = a.gone && a.cells && a.items ? SC_OK : sc_fail_nomem(err);
  sc_merge_enter(t);
  for (size_t i = 0; i < n && !st; i++) st = write_block(t, t->blocks.entries[i], &a, err);
  if (!st) st = sc_rtree_delete(&t->area, a.gone, a.n_gone, err);
  if (!st) st = sc_rtree_insert(&t->area, a.cells, a.n_cells, err);
  if (!st) st = delete_empty_items(t, &a, err);
  sc_free(a.gone);
  sc_free(a.cells);
  sc_free(a.items);
  sc_buffer_free(&a.bytes);
  sc_chip_block_cache_clear(&t->blocks);
  t->has_emptied = 0;
  t->n_flushes++;
  if (st) t->is_broken = 1;
  sc_merge_leave(t);
  return st;
}
