/*
 * For the pixel reader: what a handle of a merged index stands for.
 *
 * Chips are looked up by the million, often of the same item: the item is read once and
 * remembered until something writes to the database.
 *
 * THREADS  The connection's thread only.
 */
#ifndef SC_MERGE_LOOKUP_H
#define SC_MERGE_LOOKUP_H

#include "base/buffer.h"
#include "base/sqlite.h"
#include "index/geometry.h"
#include "index/grid.h"

/*
 * A chip and its item. Texts are borrowed until the next call for that table, and may be NULL
 * unless it says otherwise.
 */
struct sc_merge_row {
  int64_t rowid;    /* of the chip */
  int64_t item_row; /* of the item in <name>_item: to cache by, together with version */
  uint64_t version; /* another value: the item may have changed */
  const char *item; /* id; never NULL */
  int32_t x, y;     /* position */
  const char *platform, *collection, *date, *datetime;
  const char *item_json;    /* NULL for rows merged from files: then see bucket */
  const char *location;     /* path or URL the item was read from */
  const char *options_json; /* of stacchip_index, as the item was indexed */
  const char *rule_json;    /* NULL for platform "none" and for rows merged from files */
  const char *bucket;       /* of the table: {bucket}/{platform}/{item}/stac_item.json */
  struct sc_tiling tiling;
  struct sc_grid grid; /* crs NULL and zero size where unknown (rows merged from files) */
};

/*
 * Look up a chip by its rowid. The caller compares item, x and y with its handle: rowids of
 * deleted chips are used again.
 *
 * schema   "main" or the name of an attached database; table: the merged index.
 * Returns  SC_NOT_FOUND (no such table, no such chip), SC_BAD_DATA (damaged tables), SC_DB.
 */
sc_status sc_merge_lookup(sqlite3 *db, const char *schema, const char *table, sqlite3_int64 rowid,
                          struct sc_merge_row *out, struct sc_error *err);

/* The schema and table that "chips" or "schema.chips" names; borrowed while the statement runs. */
sc_status sc_merge_resolve(sqlite3 *db, const char *name, const char **schema, const char **table,
                           struct sc_error *err);

/* The box of a chip's stored geometry; it is one that sc_merge_lookup() found. */
sc_status sc_merge_chip_box(sqlite3 *db, const char *schema, const char *table, sqlite3_int64 rowid,
                            struct sc_box *out, struct sc_error *err);

/*
 * The stored header of an asset, appended to out; nothing where there is none.
 * item_row is sc_merge_row.item_row.
 */
sc_status sc_merge_asset_header(sqlite3 *db, const char *schema, const char *table,
                                sqlite3_int64 item_row, const char *asset_key,
                                struct sc_buffer *out, struct sc_error *err);

struct sc_lookup_cache;
void sc_merge_lookup_free(struct sc_lookup_cache *cache);

#endif
