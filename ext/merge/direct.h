/*
 * Is a write to a merged index asked for by a statement, or by a trigger?
 *
 * A trigger may be somebody else's: in a database that was handed on, one on any table could have
 * a URL fetched or a file opened. SQLite lets a virtual table refuse triggers only together with
 * views (SQLITE_VTAB_DIRECTONLY), in which a merged index may be read. But a virtual table has no
 * triggers of its own: whoever writes to one directly runs a statement that names it as the table
 * to insert into.
 */
#ifndef SC_MERGE_DIRECT_H
#define SC_MERGE_DIRECT_H

#include "base/sqlite.h"

/* Does a statement that runs on the connection insert into that table? */
int sc_direct_is_insert(sqlite3 *db, const char *table);

/* Is the text of a statement an INSERT or REPLACE into that table, of whatever schema? */
int sc_direct_names(const char *sql, const char *table);

#endif
