/*
 * A scan of a merged index: takes chips from the plan's source, tests them, and gives the
 * columns of the current one.
 *
 * Items are read once and remembered; a block is decoded once; the chip table is touched only
 * for geometries, and for boxes that leave a spatial predicate open.
 */
#ifndef SC_MERGE_CURSOR_H
#define SC_MERGE_CURSOR_H

#include "merge/filter.h"
#include "merge/table.h"

#define SC_CURSOR_ITEMS 64 /* remembered, direct mapped by id */

/* What the columns need of an item. */
struct sc_cursor_item {
  int64_t id;                  /* 0: free */
  int passes;                  /* the filter's terms on items */
  char *text[SC_COL_GRID + 1]; /* by column: platform, item, date, datetime, collection, grid */
  struct sc_tiling tiling;
  int64_t width_px, height_px; /* 0: unknown */
};

/* The current chip, and what a sorted scan keeps. */
struct sc_cursor_chip {
  int64_t id, item_id;
  int32_t x, y;
  float cloud, nodata;
};

struct sc_cursor {
  sqlite3_vtab_cursor base; /* first */
  struct sc_merge *table;
  struct sc_cursor *next_free; /* in the table's pool */
  struct sc_plan plan;
  struct sc_filter filter;
  struct sc_statements statements;
  sqlite3_stmt *item_scan, *item_blocks; /* of statements: a scan of items, the blocks of one */
  struct sc_cursor_item items[SC_CURSOR_ITEMS];
  int has_items;               /* one of them is in use */
  struct sc_cursor_item *item; /* of the current chip; NULL: not read yet */
  int64_t *ids;                /* owned; the chips that the keys name: cursor_keys.h */
  size_t n_ids, ids_capacity, id_at;
  int64_t *block_ids; /* owned; from the area index, ascending */
  size_t n_block_ids, block_at;
  struct sc_chip_block block;
  int64_t block_item;
  int32_t tile_x, tile_y;
  uint64_t pass; /* chips of the block that are still to come */
  struct sc_cursor_chip chip;
  int chip_at;                   /* index in the block while only chip.id is filled in; else -1 */
  int64_t geometry_of;           /* chip whose row SC_STMT_CHIP_GEOMETRY stands on */
  struct sc_cursor_chip *sorted; /* owned heap of what a sorted scan still has to give */
  size_t n_sorted, sorted_capacity;
  size_t n_keep;              /* chips that a pass of a sorted scan keeps */
  int is_cut;                 /* the pass had more than that: another one has to follow */
  struct sc_cursor_chip last; /* of a sorted scan, given last */
  int has_last;
  size_t key_at; /* SC_SCAN_ITEM: the item of the term's list that the scan of items finds */
  int is_eof;
  int is_on_checked; /* that no spatial term is from the ON of a LEFT JOIN: once a statement */
  struct sc_buffer scratch;
};

sc_status sc_cursor_open(struct sc_merge *t, struct sc_cursor **out, struct sc_error *err);
/* Back to the table's pool, statements kept. */
void sc_cursor_close(struct sc_cursor *c);
/* Free the pool, when the table is closed. */
void sc_cursor_free_pool(struct sc_merge *t);

sc_status sc_cursor_filter(struct sc_cursor *c, int number, const char *words,
                           sqlite3_value **values, struct sc_error *err);
sc_status sc_cursor_next(struct sc_cursor *c, struct sc_error *err);

/* The value of a column of the current chip. */
sc_status sc_cursor_column(struct sc_cursor *c, sqlite3_context *context, int column,
                           struct sc_error *err);

/* ---- for the files of the scan ---- */

/* A statement of the cursor, prepared at first use. */
sc_status sc_cursor_statement(struct sc_cursor *c, enum sc_merge_statement which,
                              sqlite3_stmt **out, struct sc_error *err);

/* The stored geometry of the current chip; *blob is NULL where there is none. Borrowed. */
sc_status sc_cursor_geometry(struct sc_cursor *c, const void **blob, size_t *size,
                             struct sc_error *err);
/* Fill in what the scan has left out of c->chip. */
void sc_cursor_fill_chip(struct sc_cursor *c);

#endif
