/* A scan's memory of the items of its chips. */
#ifndef SC_MERGE_CURSOR_ITEM_H
#define SC_MERGE_CURSOR_ITEM_H

#include "merge/cursor.h"

/* The item of that id, from memory or the table. An id that is not there gives empty texts. */
sc_status sc_cursor_item(struct sc_cursor *c, int64_t id, struct sc_cursor_item **out,
                         struct sc_error *err);
/* The item in the row of an item scan. */
sc_status sc_cursor_take_item(struct sc_cursor *c, sqlite3_stmt *s, struct sc_cursor_item **out,
                              struct sc_error *err);
void sc_cursor_forget_items(struct sc_cursor *c);

#endif
