/*
 * Exported items: their texts, once each, in an ordinary table (id TEXT, item TEXT), which travels
 * with the short handles of their chips. An id is the name of its text (index/handle.h).
 */
#ifndef SC_PIXELS_EXPORTED_H
#define SC_PIXELS_EXPORTED_H

#include "base/buffer.h"
#include "pixels/chip.h"

/* The table where no option "items" names another; found as SQLite finds it: temp, main, attached.
 */
#define SC_EXPORTED_TABLE "exported_items"

/* The item of a chip and its position, as they are exported. *out is borrowed from the scene. */
sc_status sc_exported_of(struct sc_chip *chip, const struct sc_exported **out, int64_t *x,
                         int64_t *y, struct sc_error *err);

/*
 * Append the text of the item of a name.
 *
 * table    "items" or "schema.items"; NULL: SC_EXPORTED_TABLE of the first database that has the
 *          item: temp, main, attached.
 * schema   out: of the table, where it is known; freed with sc_free(). NULL: not wanted.
 * Returns  SC_NOT_FOUND: no such table or item; SC_BAD_DATA: the table has another text under the
 *          name; SC_DB.
 */
sc_status sc_exported_find(struct sc_connection *c, const char *table, const char *name,
                           struct sc_buffer *out, char **schema, struct sc_error *err);

#endif
