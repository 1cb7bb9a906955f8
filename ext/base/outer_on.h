/*
 * A fault of SQLite's (3.38 to 3.50; mended in 3.51), and how we notice it.
 *
 *   SELECT ... FROM chips LEFT JOIN t ON ST_Intersects(chips.geometry, ?)
 *
 * has a row for every chip, but SQLite hands the call in ON to the table on the left as if it
 * stood in WHERE (where.c marks comparisons in an outer ON as no filters of the tables on the
 * left, and forgets the calls that xFindFunction made constraints). Nothing in
 * sqlite3_index_info tells the two apart. Once the scan starts the text of the statement does:
 * this looks for such calls in it.
 */
#ifndef SC_BASE_OUTER_ON_H
#define SC_BASE_OUTER_ON_H

#include <stddef.h>

#include "base/sqlite.h"

/*
 * Does a running statement of the connection, or where it does not name the table a view or
 * trigger, have a bare call of a predicate in the ON of a LEFT JOIN that has nothing to do with
 * the table on the right? is_predicate says of a name of n bytes whether it is one. What cannot
 * be read as SQL has none.
 */
int sc_outer_on_is_running(sqlite3 *db, const char *table,
                           int (*is_predicate)(const char *, size_t));

/* The same of one text. */
int sc_outer_on_find(const char *sql, const char *table, int (*is_predicate)(const char *, size_t));

#endif
