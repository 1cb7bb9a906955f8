/* From handles of merged indexes and rowids to what they name. */
#ifndef SC_PIXELS_MERGED_H
#define SC_PIXELS_MERGED_H

#include "index/handle.h"
#include "pixels/chip.h"

/* SC_NOT_FOUND where the row is gone, or is another chip now. */
sc_status sc_merged_locate(struct sc_connection *c, const struct sc_handle_row *row,
                           struct sc_chip *out, struct sc_error *err);
sc_status sc_merged_locate_rowid(struct sc_connection *c, const char *table, sqlite3_int64 rowid,
                                 struct sc_chip *out, struct sc_error *err);

#endif
