/* The chips that the values of a key name: rowids, handles (the column row) or chipids. */
#ifndef SC_MERGE_CURSOR_KEYS_H
#define SC_MERGE_CURSOR_KEYS_H

#include "merge/cursor.h"

/*
 * From xFilter's arguments to c->ids, ascending, each once: of the plan's term on row or chipid, or
 * on rowid with a list. All that may be equal to a value; SQLite compares again. Values that name
 * no chip (NULL, numbers, handles of another table) are passed over, and where none is left,
 * c->filter.is_never is set. Plans without such a term leave c->n_ids at 0.
 */
sc_status sc_cursor_take_keys(struct sc_cursor *c, sqlite3_value **values, struct sc_error *err);
void sc_cursor_forget_keys(struct sc_cursor *c);

#endif
