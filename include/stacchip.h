/*
 * stacchip: chips of satellite and aerial imagery, in SQL.
 *
 * This header is all that a C program needs beside SQLite's own. Nearly everything
 * stacchip does is reached through SQL once it is registered on a connection; see
 * docs/README.md for the functions and tables.
 *
 * THREE WAYS TO USE IT
 *
 *  1. Loaded at run time, by any host that allows extensions:
 *         sqlite3_enable_load_extension(db, 1);
 *         sqlite3_load_extension(db, "./stacchip", NULL, &message);
 *
 *  2. Linked, for every connection that the process opens:
 *         cc program.c -lstacchip -lsqlite3
 *         sqlite3_auto_extension((void (*)(void))sqlite3_stacchip_init);
 *
 *  3. Linked, for one connection:
 *         sqlite3_stacchip_init(db, &message, NULL);
 *
 * libstacchip.a is the static form (ways 2 and 3); stacchip.so is the loadable one (way 1).
 * The archive also needs -lcjson -lzstd -lsnappy -lz -lbrotlidec -llz4 -lm -ldl -lpthread,
 * which `pkg-config --static --libs stacchip` prints.
 * Both open mod_spatialite.so and stacchip_raster.so (the half that holds GDAL, PROJ and
 * libcurl) on first need: stacchip_raster.so from the folder of stacchip.so or of the
 * program, then from the library path.
 *
 * THREADS  A connection is used by one thread at a time, as SQLite says; any number of
 * connections may be used at once. After fork() a child opens connections of its own.
 */
#ifndef STACCHIP_H
#define STACCHIP_H

#ifdef __cplusplus
extern "C" {
#endif

/* The version, as text and as one comparable number: major * 1000000 + minor * 1000 + patch. */
#define STACCHIP_VERSION "0.2.0"
#define STACCHIP_VERSION_NUMBER 2000

struct sqlite3;
struct sqlite3_api_routines;

/*
 * Register stacchip's functions and tables on a connection, and SpatiaLite's if the
 * connection does not have them yet. The symbol that sqlite3_load_extension() looks for.
 *
 * db       An open connection.
 * message  Where an error text is put, from sqlite3_mprintf(); the caller frees it with
 *          sqlite3_free(). May be NULL.
 * api      SQLite's routines as sqlite3_load_extension() and sqlite3_auto_extension()
 *          pass them; NULL with the static library.
 * Returns  SQLITE_OK (static) or SQLITE_OK_LOAD_PERMANENTLY (loadable), or an SQLite
 *          error code with *message set. Calling it twice on a connection is harmless.
 */
int sqlite3_stacchip_init(struct sqlite3 *db, char **message,
                          const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif
#endif
