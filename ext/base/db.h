/*
 * SQL from C: prepare, expand a template, run. The only user of sqlite3_prepare.
 *
 * Texts in sql/ name the database and the table "{db}" and "{name}", always within double
 * quotes; sc_db_expand() puts the names there, quoted, and changes nothing else. Values are
 * bound, never pasted.
 */
#ifndef SC_BASE_DB_H
#define SC_BASE_DB_H

#include <stddef.h>

#include "base/sqlite.h"
#include "base/status.h"

/* Turn the connection's last error into err. `what` says what was being done. The status is SC_DB,
 * or SC_AGAIN where an error of ours said so. */
sc_status sc_db_fail(sqlite3 *db, struct sc_error *err, const char *what);

/* Replace {db} and {name}. *out is freed by the caller with sc_free(). */
sc_status sc_db_expand(const char *sql, const char *db_name, const char *name, char **out,
                       struct sc_error *err);

/* Prepare one statement of an expanded template (db_name and name may be NULL for none). */
sc_status sc_db_prepare(sqlite3 *db, const char *sql, const char *db_name, const char *name,
                        sqlite3_stmt **out, struct sc_error *err);

/* Run every statement of an expanded template; rows are discarded. */
sc_status sc_db_run(sqlite3 *db, const char *sql, const char *db_name, const char *name,
                    struct sc_error *err);

/* Step once: *is_row says whether there is a row. A step that fails is an error, not "no row". */
sc_status sc_db_next(sqlite3_stmt *stmt, int *is_row, struct sc_error *err);

/* Step a prepared statement to its end and reset it, for statements that give no rows. */
sc_status sc_db_step_reset(sqlite3_stmt *stmt, struct sc_error *err);

/* One integer; `missing` where the statement gives no row. */
sc_status sc_db_query_int(sqlite3 *db, const char *sql, const char *db_name, const char *name,
                          sqlite3_int64 missing, sqlite3_int64 *out, struct sc_error *err);

/*
 * The bytes of an argument that is text, or a BLOB that holds UTF-8 text, and their number; NULL
 * where memory ran out. A BLOB comes as it is: sqlite3_value_text() would take it for text in the
 * encoding of the database.
 */
const char *sc_db_bytes(sqlite3_value *value, size_t *n);

/* Report err as the result of an SQL function: the one place that does. */
void sc_result_error(sqlite3_context *context, const struct sc_error *err);

/* Report err from a virtual-table method: the one place that does. Frees the old message. */
int sc_vtab_error(sqlite3_vtab *vtab, const struct sc_error *err);

/*
 * The status behind what sqlite3_errmsg(db) tells, for programs that link this library: that of the
 * last error that the calling thread reported, if it is still the connection's; SC_AGAIN of a
 * locked database; else SC_DB. SQLite itself keeps no more than a text and a code of its own.
 */
sc_status sc_db_status(sqlite3 *db);

/*
 * The cost of a plan in which a table-valued function lacks an argument that it needs. SQLite asks
 * for such plans where it looks at the terms of an OR one by one, without the arguments: they must
 * lose against any other, and where there is no other xFilter says what is missing.
 */
#define SC_COST_INCOMPLETE 1e99

/* True when sqlite3_interrupt() was called on db, a sqlite3 *, while a statement of it runs: what
 * readers and transfers take to ask. Call it from the thread that uses the connection; about 2
 * microseconds. */
int sc_db_interrupted(void *db);

#endif
