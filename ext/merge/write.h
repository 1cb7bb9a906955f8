/*
 * INSERT into a merged index: what the values of the row ask for. An item to index, a row
 * from another index, or a command.
 */
#ifndef SC_MERGE_WRITE_H
#define SC_MERGE_WRITE_H

#include "merge/table.h"

/* The pointer type of an item_json value that is a struct sc_merge_ready already. */
#define SC_MERGE_READY "stacchip_merge_ready"

struct sc_index;
struct sc_merge_header;

/* An item that was indexed beforehand, by a worker of stacchip_merge_items(). */
struct sc_merge_ready {
  const char *item; /* as it was given */
  size_t size;
  const struct sc_index *index;
  const struct sc_merge_header *headers; /* one for each asset, or NULL */
};

/*
 * values: the wanted rowid, then one for each column. conflict: sqlite3_vtab_on_conflict().
 * SC_CONSTRAINT is for SQLite to ignore or report.
 */
sc_status sc_merge_write(struct sc_merge *t, sqlite3_value **values, int conflict, int64_t *rowid,
                         struct sc_error *err);

/* The errors of UPDATE, and of a write after a failed one. */
sc_status sc_merge_refuse_update(const struct sc_merge *t, struct sc_error *err);
sc_status sc_merge_fail_broken(const struct sc_merge *t, struct sc_error *err);

#endif
