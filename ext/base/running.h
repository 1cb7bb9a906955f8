/*
 * How many statements of a connection are in the middle of a step.
 *
 * One is the user's own. A second runs inside it: a module or function of others has prepared it
 * from texts of the schema (FTS5 reads the table that content= names, FTS4 calls the functions
 * that compress= and uncompress= name, SpatiaLite reads tables by name), and to SQLite it looks
 * like the user's: SQLITE_DIRECTONLY does not hold there (before 3.51 for FTS5's, nowhere for
 * others'). Statements whose rows an application is going through are between two steps.
 */
#ifndef SC_BASE_RUNNING_H
#define SC_BASE_RUNNING_H

#include "base/sqlite.h"

/*
 * Is the statement in the middle of a step? It is busy then and has no row to show; but newer
 * releases of SQLite (3.46, not 3.40) show the row before during the next step, so that there only
 * a statement's first row is known of. So looks a sqlite3_blob, which has no text; and one whose
 * COMMIT another connection holds up, until it is tried again or reset.
 */
int sc_is_running(sqlite3_stmt *stmt);

/* The number of them; 0 while SQLite prepares a statement. Some 20 ns a statement. */
int sc_running_count(sqlite3 *db);

/* Are several in the middle of a step, one inside the other? To be asked while one is. A
 * connection whose statements all have parameters pays for preparing another (2 µs). */
int sc_running_is_nested(sqlite3 *db);

#endif
