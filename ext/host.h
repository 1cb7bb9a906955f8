/*
 * The process we are guests in: its SQLite, and libraries opened with a symbol scope of
 * their own so that nothing of ours meets the host's copies of SQLite, GDAL or SpatiaLite.
 */
#ifndef SC_HOST_H
#define SC_HOST_H

#include "base/sqlite.h"
#include "base/status.h"

/* Remember the host's SQLite routines; NULL (static registration) finds the linked library's. */
sc_status sc_host_init(const void *sqlite_api, struct sc_error *err);

/*
 * Between enter and leave the connections that this thread opens, or that PROJ opens for it, are
 * none of the application's: where the host knows us by sqlite3_auto_extension(),
 * sqlite3_stacchip_init() is called for them too, and gives them nothing. Calls do not nest.
 */
void sc_host_enter(void);
void sc_host_leave(void);
int sc_host_is_inside(void);

/* The routines that sc_host_init() remembered, for a second library's init. */
const void *sc_host_sqlite_api(void);

/*
 * dlopen() a library and find one symbol in it. RTLD_LOCAL always; RTLD_DEEPBIND when the
 * host brings its own SQLite. Never closed.
 *
 * path     A path or a name on the library path.
 * Returns  SC_NOT_FOUND where the library is missing; SC_UNSUPPORTED where the host has
 *          replaced malloc() and brings its own SQLite, a combination that would crash.
 */
sc_status sc_host_open(const char *path, const char *symbol, void **out, struct sc_error *err);

#define SC_HOST_FOLDERS 2
/*
 * A folder of this code (of stacchip.so, or of the program in the static form), absolute, no
 * slash at the end. which 0: where the file itself lies; 1: where the symbolic link lies that it
 * was opened by. "" if unknown, or the same. As it was when the extension was registered first.
 */
const char *sc_host_folder(int which);

/*
 * The same of a library that may lie in these folders, or in ../lib or ../lib64 from there: a
 * bundle has all of its own. Else by its name, on the library path.
 */
sc_status sc_host_open_beside(const char *name, const char *symbol, void **out,
                              struct sc_error *err);

/* Give db SpatiaLite's functions, but for its stored procedures, unless it has them.
 * SC_NOT_FOUND says what to install. */
sc_status sc_host_spatialite(sqlite3 *db, struct sc_error *err);

/* {"sqlite": ..., "host_sqlite": path, "deepbind": 0|1} pieces for stacchip_debug(). */
const char *sc_host_sqlite_path(void);
int sc_host_deepbind(void);

#endif
