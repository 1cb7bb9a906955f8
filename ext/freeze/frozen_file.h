/*
 * A frozen data set as a file (docs/freeze.md), for who reads its tables: never by the caller's
 * connection, whose schema has nothing to do with it.
 */
#ifndef SC_FREEZE_FROZEN_FILE_H
#define SC_FREEZE_FROZEN_FILE_H

#include "base/buffer.h"
#include "base/sqlite.h"
#include "connection.h"

#define SC_FROZEN_FILE_NAME "dataset.db" /* of a folder of shards */

/*
 * Open a data set to read it: the file, or the one of a folder of shards. What somebody else's
 * schema says is run with no functions of ours, and ends when `c` is interrupted.
 *
 * out      Closed by the caller with sqlite3_close().
 * Returns  SC_DENIED, SC_NOT_FOUND; SC_BAD_DATA for a file that is no frozen data set, or one of a
 *          later version.
 */
sc_status sc_frozen_file_open(struct sc_connection *c, const char *path, sqlite3 **out,
                              struct sc_error *err);

/* Append what the data set says of itself under a key, and a zero that does not count; nothing
 * where it is NULL or not there. */
sc_status sc_frozen_file_get(sqlite3 *db, const char *key, struct sc_buffer *out,
                             struct sc_error *err);

#endif
