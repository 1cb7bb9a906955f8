/*
 * Results of aggregates without a second copy. SQLite copies the blob of an aggregate that
 * stands in a result row, unless it is SQLITE_STATIC; a stack of 128 chips would take its size
 * twice. So SQLite gets a large result as SQLITE_STATIC, and the connection keeps the memory
 * until no statement can show it any more.
 *
 * Who can: the statements that were running when the aggregate ended (its own among them, which
 * SQLite does not name), until each has been reset, finalized, or run anew. A query that calls
 * stacchip_stack() once, in its outermost list of columns, shows its results one after the other
 * (batches are groups of such a query): that one can no longer when it makes its next. Everything else
 * that takes a value over copies a static one: records, sorters, bindings, sqlite3_value_dup().
 * (The exception is a function of the application that makes a column of one running statement
 * the result of another by sqlite3_result_value(), and outlives it; such a function should copy.)
 *
 * There is one such result at a time; a second one meanwhile is given the ordinary way.
 */
#ifndef SC_PIXELS_STATIC_RESULT_H
#define SC_PIXELS_STATIC_RESULT_H

#include "base/buffer.h"
#include "base/sqlite.h"

struct sc_connection;
/* Make *bytes, which it takes over, the result of the function. */
void sc_static_result_give(struct sc_connection *c, sqlite3_context *context,
                           struct sc_buffer *bytes);

/* Free the static result if no statement can show it any more. */
void sc_static_result_reclaim(struct sc_connection *c);

#endif
