/* What the scalar functions of pixels share: options that are parsed once, and their failures. */
#ifndef SC_PIXELS_CALL_H
#define SC_PIXELS_CALL_H

#include "base/sqlite.h"
#include "connection.h"
#include "pixels/chip_options.h"

/*
 * The options argument values[at], parsed once per statement where it is constant; values NULL:
 * none is given. NULL and an error where it is bad. *own is set where the caller must free the
 * result, with sc_call_free_options().
 */
const struct sc_chip_options *sc_call_options(sqlite3_context *context, sqlite3_value **values,
                                              int at, enum sc_options_of function, int *own,
                                              struct sc_error *err);
void sc_call_free_options(const struct sc_chip_options *options);

/* The number of the statement that calls, for connection.run: its rows after the first one find
 * the files looked at. */
uint64_t sc_call_run(sqlite3_context *context, struct sc_connection *c);

/* The result of a call that failed: an error, or NULL where the options (which may be NULL) want it
 * so. */
void sc_call_fail(sqlite3_context *context, const struct sc_chip_options *options,
                  const struct sc_error *err);

#endif
