/*
 * All chips of a merged index for who takes them all, as an export does: from the chip table, and
 * each item once. Through the virtual table it would take three times as long.
 */
#ifndef SC_MERGE_SOURCE_H
#define SC_MERGE_SOURCE_H

#include "base/buffer.h"
#include "base/sqlite.h"
#include "base/status.h"

/* What a chip has, in order. The item is its number. */
enum sc_merge_source_value {
  SC_SOURCE_ITEM,
  SC_SOURCE_X,
  SC_SOURCE_Y,
  SC_SOURCE_CLOUD,
  SC_SOURCE_NODATA,
  SC_SOURCE_GEOMETRY,
  SC_SOURCE_N_VALUES
};

/* The texts of an item, in order. */
enum sc_merge_source_text {
  SC_SOURCE_PLATFORM,
  SC_SOURCE_ITEM_ID,
  SC_SOURCE_DATE,
  SC_SOURCE_DATETIME,
  SC_SOURCE_COLLECTION,
  SC_SOURCE_GRID,
  SC_SOURCE_N_TEXTS
};

/* Is the table a merged index? schema NULL: of main, and hidden by no table of temp. */
int sc_merge_is_index(sqlite3 *db, const char *schema, const char *table);

/*
 * The statement that gives all chips, in no order, to the aggregate function
 * stacchip_export_row(?1, values...), and ends in one row. A function takes half the time of
 * sqlite3_step() and sqlite3_column_...() with their locks. *out: finalize.
 */
sc_status sc_merge_source_chips(sqlite3 *db, const char *schema, const char *table,
                                sqlite3_stmt **out, struct sc_error *err);
/* The statement for sc_merge_source_item(). */
sc_status sc_merge_source_items(sqlite3 *db, const char *schema, const char *table,
                                sqlite3_stmt **out, struct sc_error *err);
/* Step to an item, whose texts are the statement's columns; the caller resets it. SC_BAD_DATA
 * where a chip names an item that is not there. */
sc_status sc_merge_source_item(sqlite3_stmt *items, int64_t id, struct sc_error *err);

/*
 * Append ,"options":[...],"rules":[...] to a JSON object: the distinct ones that the items were
 * indexed with. Nothing where the table is no merged index.
 */
sc_status sc_merge_source_put_rules(sqlite3 *db, const char *schema, const char *table,
                                    struct sc_buffer *out, struct sc_error *err);

#endif
