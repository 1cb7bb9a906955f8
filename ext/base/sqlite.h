/*
 * SQLite's interface as every file of the extension sees it.
 *
 * In the loadable objects calls go through the host's routines (sqlite3_api); built with
 * SQLITE_CORE (static library, unit tests, fuzzers) they go to the linked library.
 * extension.c and raster/raster_main.c define the pointer, everybody else borrows it.
 */
#ifndef SC_BASE_SQLITE_H
#define SC_BASE_SQLITE_H

#include <sqlite3ext.h>
#ifndef SQLITE_CORE
extern const sqlite3_api_routines *sqlite3_api;
/* Hosts build SQLite with parts left out (better-sqlite3 has no progress handler). */
#define SC_SQLITE_HAS(member) (sqlite3_api->member != NULL)
#else
#define SC_SQLITE_HAS(member) 1
#endif

#endif
