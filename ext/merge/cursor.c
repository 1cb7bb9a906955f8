/* Scans: where chips come from; see cursor.h. The columns are in cursor_column.c. */
#include "merge/cursor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/outer_on.h"
#include "merge/buffers.h"
#include "merge/cursor_item.h"
#include "merge/cursor_keys.h"
#include "merge/shadow.h"

#define POOL_MAX 8 /* joins open a cursor for each outer row: its statements stay prepared */

sc_status sc_cursor_open(struct sc_merge *t, struct sc_cursor **out, struct sc_error *err) {
  if (t->free_cursors) {
    *out = t->free_cursors;
    t->free_cursors = (*out)->next_free;
    t->n_free_cursors--;
    return SC_OK;
  }
  *out = sc_alloc_zero(1, sizeof **out);
  if (!*out) return sc_fail_nomem(err);
  (*out)->table = t;
  return SC_OK;
}

/* Back to the state before xFilter; statements stay prepared. */
static void reset_cursor(struct sc_cursor *c) {
  sc_statements_reset(&c->statements);
  sc_cursor_forget_items(c);
  sc_filter_free(&c->filter);
  sc_free(c->block_ids);
  sc_free(c->sorted);
  sc_cursor_forget_keys(c);
  c->block_ids = NULL;
  c->sorted = NULL;
  c->n_block_ids = c->block_at = c->n_sorted = c->sorted_capacity = 0;
  c->pass = 0;
  c->is_eof = c->is_cut = c->has_last = 0;
  c->geometry_of = 0;
}

static void free_cursor(struct sc_cursor *c) {
  reset_cursor(c);
  sc_statements_finalize(&c->statements);
  sc_buffer_free(&c->scratch);
  sc_free(c);
}

void sc_cursor_close(struct sc_cursor *c) {
  struct sc_merge *t = c->table;
  if (t->n_free_cursors >= POOL_MAX) {
    free_cursor(c);
    return;
  }
  reset_cursor(c);
  memset(&c->base, 0, sizeof c->base);
  c->is_on_checked = 0;
  c->next_free = t->free_cursors;
  t->free_cursors = c;
  t->n_free_cursors++;
}

void sc_cursor_free_pool(struct sc_merge *t) {
  while (t->free_cursors) {
    struct sc_cursor *c = t->free_cursors;
    t->free_cursors = c->next_free;
    free_cursor(c);
  }
  t->n_free_cursors = 0;
}

sc_status sc_cursor_statement(struct sc_cursor *c, enum sc_merge_statement which,
                              sqlite3_stmt **out, struct sc_error *err) {
  const struct sc_merge *t = c->table;
  c->statements.db = t->db;
  c->statements.schema = t->schema;
  c->statements.name = t->name; /* may change under an open cursor */
  sc_status st = sc_statements_find(&c->statements, which, out, err);
  return st == SC_DB ? sc_fail_within(err, "merged index %s", t->name) : st;
}

/* Does the chip table give the chips, or blocks? */
static int is_of_chips(const struct sc_cursor *c) {
  enum sc_scan_source source = c->plan.source;
  return source == SC_SCAN_ROWID || source == SC_SCAN_CHIPID || source == SC_SCAN_CHIPS;
}

/* ---- spatial tests ---- */

sc_status sc_cursor_geometry(struct sc_cursor *c, const void **blob, size_t *size,
                             struct sc_error *err) {
  sqlite3_stmt *s;
  int is_row = 1, column = 0;
  sc_status st = SC_OK;
  if (is_of_chips(c)) {
    s = c->statements.prepared[SC_STMT_CHIP_SCAN];
    column = 6;
  } else {
    st = sc_cursor_statement(c, SC_STMT_CHIP_GEOMETRY, &s, err);
    if (!st && c->geometry_of != c->chip.id) {
      sqlite3_reset(s);
      sqlite3_bind_int64(s, 1, c->chip.id);
      st = sc_db_next(s, &is_row, err);
      c->geometry_of = is_row ? c->chip.id : 0;
    }
  }
  if (st) return st;
  *blob = is_row ? sqlite3_column_blob(s, column) : NULL;
  *size = *blob ? (size_t)sqlite3_column_bytes(s, column) : 0;
  return SC_OK;
}

/* The predicates that boxes leave open; chip is the one in a block, or NULL. */
static sc_status passes_areas(struct sc_cursor *c, const struct sc_chip_entry *chip, int *passes,
                              struct sc_error *err) {
  sc_status st = SC_OK;
  *passes = 1;
  for (int i = 0; i < c->filter.n_areas && *passes && !st; i++) {
    const struct sc_area *area = &c->filter.areas[i];
    const void *blob;
    size_t size;
    enum sc_match answer = chip ? sc_area_test(area, &c->block, chip) : SC_MATCH_MAYBE;
    *passes = answer != SC_MATCH_NO;
    if (answer != SC_MATCH_MAYBE) continue;
    st = sc_cursor_geometry(c, &blob, &size, err);
    if (!st) st = sc_area_evaluate(c->table->predicates, area, blob, size, passes, err);
  }
  return st;
}

/* Chips of the block that no area's box rules out: before a row of the chip table is touched. */
static uint64_t pass_boxes(const struct sc_cursor *c, uint64_t pass) {
  for (uint64_t left = pass; left; left &= left - 1) {
    int i = __builtin_ctzll(left);
    for (int a = 0; a < c->filter.n_areas; a++) {
      if (sc_area_test(&c->filter.areas[a], &c->block, &c->block.chips[i]) == SC_MATCH_NO) {
        pass &= ~(UINT64_C(1) << i);
        break;
      }
    }
  }
  return pass;
}

/* ---- blocks ---- */

/* Take over the block in the row of a statement. */
static sc_status take_block(struct sc_cursor *c, sqlite3_stmt *s, struct sc_error *err) {
  sc_status st = sc_chip_block_decode(sqlite3_column_blob(s, 4), (size_t)sqlite3_column_bytes(s, 4),
                                      &c->block, err);
  c->pass = 0;
  if (st) {
    return sc_fail_within(err, "%s_block, row %lld", c->table->name,
                          (long long)sqlite3_column_int64(s, 0));
  }
  c->block_item = sqlite3_column_int64(s, 1);
  c->tile_y = sqlite3_column_int(s, 2);
  c->tile_x = sqlite3_column_int(s, 3);
  c->pass = pass_boxes(c, sc_filter_block(&c->filter, &c->block, c->tile_x, c->tile_y));
  return SC_OK;
}

/* The next block from the area index whose item passes. */
static sc_status next_area_block(struct sc_cursor *c, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_cursor_statement(c, SC_STMT_BLOCK_READ, &s, err);
  while (!st && c->block_at < c->n_block_ids) {
    int is_row;
    sqlite3_bind_int64(s, 1, c->block_ids[c->block_at++]);
    st = sc_db_next(s, &is_row, err);
    c->item = NULL;
    if (!st && is_row && c->filter.n_texts) {
      st = sc_cursor_item(c, sqlite3_column_int64(s, 1), &c->item, err);
      is_row = !st && c->item->passes;
    }
    if (!st && is_row) st = take_block(c, s, err);
    sqlite3_reset(s);
    if (c->pass) return st;
  }
  if (!st) c->is_eof = 1;
  return st;
}

/* Bind the next item id of the list, if the scan is by item. */
static int bind_next_key(struct sc_cursor *c) {
  const struct sc_text_term *keys = sc_filter_text_keys(&c->filter, SC_COL_ITEM);
  if (c->item_scan != c->statements.prepared[SC_STMT_ITEM_SCAN_ITEM] || c->key_at == keys->n_values)
    return 0;
  const struct sc_term_text *key = &keys->values[c->key_at++];
  sqlite3_reset(c->item_scan);
  sqlite3_bind_text64(c->item_scan, 1, key->bytes, key->size, SQLITE_TRANSIENT, SQLITE_UTF8);
  return 1;
}

/* The next item that passes; c->item_blocks then starts on its blocks. */
static sc_status next_item(struct sc_cursor *c, struct sc_error *err) {
  int is_row = 0;
  for (;;) {
    sc_status st = sc_db_next(c->item_scan, &is_row, err);
    if (st) return st;
    if (!is_row) {
      if (bind_next_key(c)) continue;
      c->is_eof = 1;
      return SC_OK;
    }
    st = sc_cursor_take_item(c, c->item_scan, &c->item, err);
    if (st) return st;
    if (!c->item->passes) continue;
    sqlite3_reset(c->item_blocks);
    sqlite3_bind_int64(c->item_blocks, 1, c->item->id);
    return SC_OK;
  }
}

static sc_status next_item_block(struct sc_cursor *c, struct sc_error *err) {
  sc_status st = SC_OK;
  while (!st && !c->is_eof) {
    int is_row = 0;
    if (c->item) st = sc_db_next(c->item_blocks, &is_row, err);
    if (!st && is_row) {
      st = take_block(c, c->item_blocks, err);
      if (st || c->pass) return st;
    } else if (!st) {
      st = next_item(c, err);
    }
  }
  return st;
}

/* The next chip that passes, from blocks. */
static sc_status next_of_blocks(struct sc_cursor *c, struct sc_error *err) {
  for (;;) {
    sc_status st = SC_OK;
    if (!c->pass) {
      st = c->plan.source == SC_SCAN_AREA ? next_area_block(c, err) : next_item_block(c, err);
      if (st || c->is_eof) return st;
    }
    int i = __builtin_ctzll(c->pass), passes = 1;
    const struct sc_chip_entry *chip = &c->block.chips[i];
    c->pass &= c->pass - 1;
    c->chip.id = chip->id;
    c->chip_at = i;
    if (c->filter.n_areas) st = passes_areas(c, chip, &passes, err);
    if (st || passes) return st;
  }
}

/* Position and fractions of the chip in the block: not needed by counting. */
void sc_cursor_fill_chip(struct sc_cursor *c) {
  if (c->chip_at < 0) return;
  const struct sc_chip_entry *chip = &c->block.chips[c->chip_at];
  uint64_t mask = c->block.mask;
  for (int i = 0; i < c->chip_at; i++) mask &= mask - 1;
  int bit = mask ? __builtin_ctzll(mask) : 0;
  c->chip.item_id = c->block_item;
  c->chip.x =
      (int32_t)((uint32_t)c->tile_x * SC_CHIP_BLOCK_SIDE + (uint32_t)(bit % SC_CHIP_BLOCK_SIDE));
  c->chip.y =
      (int32_t)((uint32_t)c->tile_y * SC_CHIP_BLOCK_SIDE + (uint32_t)(bit / SC_CHIP_BLOCK_SIDE));
  c->chip.cloud = chip->cloud;
  c->chip.nodata = chip->nodata;
  c->chip_at = -1;
}

/* ---- the chip table ---- */

static float column_fraction(sqlite3_stmt *s, int i) {
  if (sqlite3_column_type(s, i) == SQLITE_NULL) return NAN;
  return (float)sqlite3_column_double(s, i);
}

/* The next chip of the keys, if there are keys. */
static int bind_next_chip(struct sc_cursor *c, sqlite3_stmt *s) {
  if (c->id_at == c->n_ids) return 0;
  int64_t id = c->ids[c->id_at++];
  sqlite3_reset(s);
  sqlite3_bind_int64(s, 1, id);
  sqlite3_bind_int64(s, 2, id);
  return 1;
}

static sc_status next_of_chips(struct sc_cursor *c, struct sc_error *err) {
  sqlite3_stmt *s = c->statements.prepared[SC_STMT_CHIP_SCAN];
  for (;;) {
    int passes = 0;
    sc_status st = sc_db_next(s, &passes, err);
    if (st) return st;
    if (!passes) {
      if (bind_next_chip(c, s)) continue;
      c->is_eof = 1;
      return SC_OK;
    }
    c->chip.id = sqlite3_column_int64(s, 0);
    c->chip.item_id = sqlite3_column_int64(s, 1);
    c->chip.x = sqlite3_column_int(s, 2);
    c->chip.y = sqlite3_column_int(s, 3);
    c->chip.cloud = column_fraction(s, 4);
    c->chip.nodata = column_fraction(s, 5);
    if (c->item && c->item->id != c->chip.item_id) c->item = NULL;
    if (c->plan.n_terms == 0) return SC_OK;
    passes = sc_filter_chip(&c->filter, c->chip.id, c->chip.x, c->chip.y, (double)c->chip.cloud,
                            (double)c->chip.nodata);
    if (passes && c->filter.n_texts) {
      st = sc_cursor_item(c, c->chip.item_id, &c->item, err);
      passes = !st && c->item->passes;
    }
    if (!st && passes) st = passes_areas(c, NULL, &passes, err);
    if (st || passes) return st;
  }
}

static sc_status next_chip(struct sc_cursor *c, struct sc_error *err) {
  return is_of_chips(c) ? next_of_chips(c, err) : next_of_blocks(c, err);
}

/* ---- starting ---- */

static sc_status start_chips(struct sc_cursor *c, struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_cursor_statement(c, SC_STMT_CHIP_SCAN, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, c->filter.min_rowid);
  sqlite3_bind_int64(s, 2, c->filter.max_rowid);
  bind_next_chip(c, s);
  return SC_OK;
}

/*
 * By the source, but without a key that the filter did not take: the value may be a number, and
 * only SQLite knows which texts it equals.
 */
static enum sc_merge_statement choose_item_scan(const struct sc_plan *plan,
                                                const struct sc_filter *f) {
  int desc = plan->order == SC_ORDER_DATE && plan->is_descending;
  enum sc_scan_source source = plan->source;
  if (source == SC_SCAN_ITEM) {
    return sc_filter_text_keys(f, SC_COL_ITEM) ? SC_STMT_ITEM_SCAN_ITEM : SC_STMT_ITEM_SCAN;
  }
  if (source == SC_SCAN_PLATFORM_DATE && !sc_filter_text_keys(f, SC_COL_PLATFORM))
    source = SC_SCAN_DATE;
  if (source == SC_SCAN_PLATFORM && !sc_filter_text_keys(f, SC_COL_PLATFORM))
    source = SC_SCAN_ITEMS;
  switch (source) {
    case SC_SCAN_PLATFORM:
      return desc ? SC_STMT_ITEM_SCAN_PLATFORM_DESC : SC_STMT_ITEM_SCAN_PLATFORM;
    case SC_SCAN_PLATFORM_DATE:
      return desc ? SC_STMT_ITEM_SCAN_PLATFORM_DATE_DESC : SC_STMT_ITEM_SCAN_PLATFORM_DATE;
    case SC_SCAN_DATE: return desc ? SC_STMT_ITEM_SCAN_DATE_DESC : SC_STMT_ITEM_SCAN_DATE;
    default: break;
  }
  if (plan->order != SC_ORDER_DATE) return SC_STMT_ITEM_SCAN;
  return desc ? SC_STMT_ITEM_SCAN_BY_DATE_DESC : SC_STMT_ITEM_SCAN_BY_DATE;
}

/* ?1 is the item or platform, ?2 and ?3 the first and last date. */
static void bind_items(struct sc_cursor *c) {
  const struct sc_filter *f = &c->filter;
  sqlite3_stmt *s = c->item_scan;
  int n = sqlite3_bind_parameter_count(s);
  const char *low = sc_filter_text_bound(f, SC_COL_DATE, 0),
             *high = sc_filter_text_bound(f, SC_COL_DATE, 1);
  c->key_at = 0;
  if (bind_next_key(c)) return;
  const struct sc_text_term *platform = sc_filter_text_keys(f, SC_COL_PLATFORM);
  if (n >= 1 && platform) {
    sqlite3_bind_text64(s, 1, platform->values[0].bytes, platform->values[0].size, SQLITE_TRANSIENT,
                        SQLITE_UTF8);
  }
  if (n < 3) return;
  sqlite3_bind_text(s, 2, low ? low : "", -1, SQLITE_TRANSIENT);
  if (high) {
    sqlite3_bind_text(s, 3, high, -1, SQLITE_TRANSIENT);
  } else {
    sqlite3_bind_zeroblob(s, 3, 0); /* greater than every text */
  }
}

static sc_status start_items(struct sc_cursor *c, struct sc_error *err) {
  enum sc_merge_statement which = choose_item_scan(&c->plan, &c->filter);
  sc_status st = sc_cursor_statement(c, which, &c->item_scan, err);
  if (!st) st = sc_cursor_statement(c, SC_STMT_BLOCK_OF_ITEM, &c->item_blocks, err);
  if (!st) bind_items(c);
  return st;
}

/* A day for the area index; a text that is no date does not bound it. */
static double day_bound(const char *text, double otherwise) {
  char date[11] = "";
  if (!text) return otherwise;
  strncpy(date, text, 10);
  float day = strlen(date) == 10 ? sc_merge_day(date) : SC_NO_DAY;
  return day == SC_NO_DAY ? otherwise : (double)day;
}

static sc_status collect_blocks(struct sc_cursor *c, sqlite3_stmt *s, double min_lon,
                                double max_lon, size_t *capacity, struct sc_error *err) {
  sqlite3_bind_double(s, 1, min_lon);
  sqlite3_bind_double(s, 2, max_lon);
  int is_row;
  sc_status st = sc_db_next(s, &is_row, err);
  while (!st && is_row) {
    if (c->n_block_ids == *capacity) {
      *capacity = 2 * *capacity + 256;
      int64_t *ids = sc_realloc(c->block_ids, *capacity * sizeof *ids);
      if (!ids) return sc_fail_nomem(err);
      c->block_ids = ids;
    }
    c->block_ids[c->n_block_ids++] = sqlite3_column_int64(s, 0) / 2;
    st = sc_db_next(s, &is_row, err);
  }
  sqlite3_reset(s);
  return st;
}

static int compare_ids(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* The most selective area goes to the index, the others are tested chip by chip. */
static const struct sc_area *smallest_area(const struct sc_filter *f) {
  const struct sc_area *best = &f->areas[0];
  for (int i = 1; i < f->n_areas; i++) {
    const struct sc_box *a = &best->box, *b = &f->areas[i].box;
    if ((b->max_x - b->min_x) * (b->max_y - b->min_y) <
        (a->max_x - a->min_x) * (a->max_y - a->min_y)) {
      best = &f->areas[i];
    }
  }
  return best;
}

/*
 * All block ids at once: an R*Tree cursor that stays open would forbid us to write to it, a
 * block of two boxes comes twice, and blocks in order are neighbours in the file.
 */
static sc_status start_area(struct sc_cursor *c, struct sc_error *err) {
  const struct sc_filter *f = &c->filter;
  const struct sc_area *area = smallest_area(f);
  const struct sc_interval *cloud = &f->numbers[SC_NUMBER_CLOUD];
  size_t capacity = 0, n = 0;
  sqlite3_stmt *s;
  sc_status st = sc_cursor_statement(c, SC_STMT_AREA_FIND, &s, err);
  if (st) return st;
  sqlite3_bind_double(s, 3, area->box.min_y);
  sqlite3_bind_double(s, 4, area->box.max_y);
  sqlite3_bind_double(s, 5, day_bound(sc_filter_text_bound(f, SC_COL_DATE, 0), -HUGE_VAL));
  sqlite3_bind_double(s, 6, day_bound(sc_filter_text_bound(f, SC_COL_DATE, 1), HUGE_VAL));
  sqlite3_bind_double(s, 7, f->has_number[SC_NUMBER_CLOUD] ? cloud->low : -HUGE_VAL);
  sqlite3_bind_double(s, 8, f->has_number[SC_NUMBER_CLOUD] ? cloud->high : HUGE_VAL);
  st = collect_blocks(c, s, area->box.min_x, area->box.max_x, &capacity, err);
  if (!st && sc_predicate_at(area->predicate)->is_mbr) {
    /* The bounding box of a chip across the antimeridian spans all longitudes. */
    st = collect_blocks(c, s, 179.9, HUGE_VAL, &capacity, err);
  }
  if (c->n_block_ids) qsort(c->block_ids, c->n_block_ids, sizeof *c->block_ids, compare_ids);
  for (size_t i = 0; i < c->n_block_ids; i++) {
    if (n == 0 || c->block_ids[n - 1] != c->block_ids[i]) c->block_ids[n++] = c->block_ids[i];
  }
  c->n_block_ids = n;
  return st;
}

static sc_status start(struct sc_cursor *c, struct sc_error *err) {
  switch (c->plan.source) {
    case SC_SCAN_ROWID:
    case SC_SCAN_CHIPID:
    case SC_SCAN_CHIPS: return start_chips(c, err);
    case SC_SCAN_AREA: return start_area(c, err);
    default: return start_items(c, err);
  }
}

/* ---- sorted scans ---- */

/*
 * By fraction, then rowid. A scan keeps the first n_keep chips of a pass; when all of them were
 * asked for, a further pass goes on behind the last one. So the limit that SQLite states is no
 * more than a hint, whatever else it tests.
 */

#define KEEP_MIN 64   /* more than the limit, since SQLite may pass over some */
#define KEEP_GROWTH 8 /* of each further pass */

/* Zero where there is no fraction: NULL comes first. */
static int compare_fractions(float a, float b) {
  if (isnan(a) || isnan(b)) return isnan(b) - isnan(a);
  return (a > b) - (a < b);
}

/* Negative where chip a comes before b. */
static int compare_chips(const struct sc_cursor *c, const struct sc_cursor_chip *a,
                         const struct sc_cursor_chip *b) {
  int is_cloud = c->plan.order == SC_ORDER_CLOUD;
  int order = compare_fractions(is_cloud ? a->cloud : a->nodata, is_cloud ? b->cloud : b->nodata);
  if (c->plan.is_descending) order = -order;
  return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* Heap with the chip that comes first (sign -1) or last (1) at its top. */
static void sift_down(const struct sc_cursor *c, size_t n, size_t at, int sign) {
  struct sc_cursor_chip *heap = c->sorted, moving = heap[at];
  for (size_t child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && sign * compare_chips(c, &heap[child + 1], &heap[child]) > 0) child++;
    if (sign * compare_chips(c, &heap[child], &moving) <= 0) break;
    heap[at] = heap[child];
  }
  heap[at] = moving;
}

static void make_heap(const struct sc_cursor *c, int sign) {
  for (size_t i = c->n_sorted / 2; i-- > 0;) sift_down(c, c->n_sorted, i, sign);
}

/* Once there are n_keep chips, the last is on top, so that an earlier one can replace it. */
static sc_status keep_chip(struct sc_cursor *c, struct sc_error *err) {
  if (c->has_last && compare_chips(c, &c->chip, &c->last) <= 0) return SC_OK;
  if (c->n_sorted < c->n_keep) {
    if (c->n_sorted == c->sorted_capacity) {
      size_t capacity = 2 * c->sorted_capacity + 256;
      struct sc_cursor_chip *sorted = sc_realloc(c->sorted, capacity * sizeof *sorted);
      if (!sorted) return sc_fail_nomem(err);
      c->sorted = sorted;
      c->sorted_capacity = capacity;
    }
    c->sorted[c->n_sorted++] = c->chip;
    if (c->n_sorted == c->n_keep) make_heap(c, 1);
    return SC_OK;
  }
  c->is_cut = 1;
  if (compare_chips(c, &c->chip, &c->sorted[0]) < 0) {
    c->sorted[0] = c->chip;
    sift_down(c, c->n_sorted, 0, 1);
  }
  return SC_OK;
}

/* From the first chip on; c->sorted is empty. */
static sc_status run_pass(struct sc_cursor *c, struct sc_error *err) {
  c->is_eof = c->is_cut = 0;
  sc_status st = next_chip(c, err);
  while (!st && !c->is_eof) {
    sc_cursor_fill_chip(c);
    st = keep_chip(c, err);
    if (!st) st = next_chip(c, err);
  }
  if (!st) make_heap(c, -1);
  return st;
}

/* Start again, for the chips behind the last one. */
static sc_status run_again(struct sc_cursor *c, struct sc_error *err) {
  sc_statements_reset(&c->statements);
  c->block_at = 0;
  c->pass = 0;
  c->item = NULL;
  c->geometry_of = 0;
  c->n_keep = c->n_keep > SIZE_MAX / KEEP_GROWTH ? SIZE_MAX : c->n_keep * KEEP_GROWTH;
  sc_status st = c->plan.source == SC_SCAN_AREA ? SC_OK : start(c, err);
  return st ? st : run_pass(c, err);
}

/* The next chip in order leaves the heap: only as many are sorted as are asked for. */
static sc_status take_sorted(struct sc_cursor *c, struct sc_error *err) {
  sc_status st = SC_OK;
  if (c->n_sorted == 0 && c->is_cut) st = run_again(c, err);
  c->is_eof = c->n_sorted == 0;
  if (st || c->is_eof) return st;
  c->chip = c->last = c->sorted[0];
  c->has_last = 1;
  c->sorted[0] = c->sorted[--c->n_sorted];
  if (c->n_sorted) sift_down(c, c->n_sorted, 0, -1);
  c->chip_at = -1;
  c->item = NULL;
  return SC_OK;
}

static sc_status run_sorted(struct sc_cursor *c, struct sc_error *err) {
  int64_t limit = c->filter.limit;
  c->n_keep = limit < 0 || (uint64_t)limit > SIZE_MAX / sizeof *c->sorted ? SIZE_MAX
              : limit < KEEP_MIN                                          ? KEEP_MIN
                                                                          : (size_t)limit;
  sc_status st = run_pass(c, err);
  return st ? st : take_sorted(c, err);
}

static int is_sorted(const struct sc_cursor *c) {
  return c->plan.order == SC_ORDER_CLOUD || c->plan.order == SC_ORDER_NODATA;
}

/* A spatial term that SQLite should have kept for itself: see outer_on.h. */
static sc_status check_on(struct sc_cursor *c, struct sc_error *err) {
  int n_calls = 0;
  for (int i = 0; i < c->plan.n_terms; i++) {
    n_calls += c->plan.terms[i].op == SC_OP_PREDICATE && c->plan.terms[i].column == SC_COL_GEOMETRY;
  }
  if (n_calls == 0 || c->is_on_checked) return SC_OK;
  if (sc_outer_on_is_running(c->table->db, c->table->name, sc_predicate_is_name)) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: SQLite takes a spatial call in the ON of a LEFT JOIN for a filter of the "
                   "table on its left; write ST_Intersects(...) = 1 there",
                   c->table->name);
  }
  c->is_on_checked = 1;
  return SC_OK;
}

sc_status sc_cursor_filter(struct sc_cursor *c, int number, const char *words,
                           sqlite3_value **values, struct sc_error *err) {
  reset_cursor(c);
  c->item = NULL;
  c->chip_at = -1;
  sc_status st = sc_plan_decode(number, words ? words : "", &c->plan, err);
  if (!st) st = check_on(c, err);
  if (!st) st = sc_filter_init(&c->filter, c->table->predicates, &c->plan, values, err);
  /* A scan reads blocks and the area index, never SpatiaLite's, which may stay buffered. */
  if (!st) st = sc_merge_flush_blocks(c->table, err);
  if (!st) st = sc_cursor_take_keys(c, values, err);
  if (!st && !c->filter.is_never) st = start(c, err);
  if (st) return st;
  if (c->filter.is_never) {
    c->is_eof = 1;
    return SC_OK;
  }
  return is_sorted(c) ? run_sorted(c, err) : next_chip(c, err);
}

sc_status sc_cursor_next(struct sc_cursor *c, struct sc_error *err) {
  return is_sorted(c) ? take_sorted(c, err) : next_chip(c, err);
}
