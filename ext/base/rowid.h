/*
 * Rowids of table-valued functions.
 *
 * For `a OR b` SQLite may scan a table once for each branch, and gives no row twice whose rowid
 * it has met. Where the branches have other arguments ("item_json = 'a' OR item_json = 'b'") the
 * scans are of other rows, and these must have other rowids: so a call's rows are numbered from a
 * hash of its arguments. The same call numbers them the same, so that a row that meets both
 * branches comes once.
 */
#ifndef SC_BASE_ROWID_H
#define SC_BASE_ROWID_H

#include <stdint.h>

#include "base/sqlite.h"

/*
 * What a row's position within its call is added to: 0 to 2^62 - 1, the same for the same types
 * and bytes of the n arguments. Positions are below 2^62: rowids are then not negative and rise
 * within a call. Two calls of a million rows meet with a probability of 4e-13.
 */
int64_t sc_rowid_start(sqlite3_value **arguments, int n);

#endif
