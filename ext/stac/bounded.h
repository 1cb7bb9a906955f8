/*
 * SQLite's functions whose time is the product of the lengths of two texts, for the private
 * connection of the rules. The progress handler that stops long expressions is not asked within
 * one call, so that instr() over megabytes of zeros would hold up the process for hours.
 */
#ifndef SC_STAC_BOUNDED_H
#define SC_STAC_BOUNDED_H

#include "base/sqlite.h"
#include "base/status.h"

/* Of the lengths in bytes: 5 MB of assets may be searched for a name. */
#define SC_BOUNDED_PRODUCT_MAX 60000000

/*
 * Put functions of the same names over SQLite's on db, which fail beyond the bound and else call
 * the originals on `plain`, another connection, borrowed: close it after db.
 */
sc_status sc_bounded_register(sqlite3 *db, sqlite3 *plain, struct sc_error *err);

#endif
