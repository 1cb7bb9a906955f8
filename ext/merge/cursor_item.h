/* What a scan's files share among themselves: its memory of items, its statements. */
#ifndef SC_MERGE_CURSOR_ITEM_H
#define SC_MERGE_CURSOR_ITEM_H

#include "merge/cursor.h"

/* The item of that id, from memory or the table. An id that is not there gives empty texts. */
sc_status sc_cursor_item(struct merge_cursor *c, int64_t id, struct cursor_item **out,
                         struct sc_error *err);
/* The item in the row of an item scan. */
sc_status sc_cursor_take_item(struct merge_cursor *c, sqlite3_stmt *s, struct cursor_item **out,
                              struct sc_error *err);
void sc_cursor_forget_items(struct merge_cursor *c);

/* A statement of the cursor, prepared at first use. */
sc_status sc_cursor_statement(struct merge_cursor *c, enum cursor_statement which, const char *sql,
                              sqlite3_stmt **out, struct sc_error *err);

/* The stored geometry of the current chip; *blob is NULL where there is none. Borrowed. */
sc_status sc_cursor_geometry(struct merge_cursor *c, const void **blob, size_t *size,
                             struct sc_error *err);
/* Fill in what the scan has left out of c->chip. */
void sc_cursor_fill_chip(struct merge_cursor *c);

#endif
