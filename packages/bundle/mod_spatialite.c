/*
 * mod_spatialite.so of the bundle. SpatiaLite itself is part of stacchip_raster.so beside it, where GDAL has the same
 * PROJ, GEOS and SQLite: a second copy of these would be 8 MB. This opens that file, by the path where this one
 * lies, and hands the call on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <sqlite3ext.h>
#include <stdlib.h>
#include <string.h>

#define HOLDER "stacchip_raster.so"
typedef int (*init_function)(sqlite3 *, char **, const sqlite3_api_routines *);

/* Never closed: SQLite keeps pointers to its functions. */
static init_function find_init(const char **why) {
  Dl_info info;
  char path[PATH_MAX + sizeof HOLDER];
  init_function init = NULL;
  *why = "its own path is not known";
  if (!dladdr((const void *)(size_t)find_init, &info) || !realpath(info.dli_fname, path)) return NULL;
  strcpy(strrchr(path, '/') + 1, HOLDER);
  void *holder = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  void *symbol = holder ? dlsym(holder, "stacchip_spatialite_init") : NULL;
  if (symbol) {
    memcpy(&init, &symbol, sizeof init);
  } else {
    *why = dlerror();
  }
  return init;
}

__attribute__((visibility("default"))) int sqlite3_modspatialite_init(sqlite3 *db, char **message,
                                                                      const sqlite3_api_routines *api) {
  const char *why = NULL;
  init_function init = find_init(&why);
  if (init) return init(db, message, api);
  if (message) *message = api->mprintf("mod_spatialite: %s", why);
  return SQLITE_ERROR;
}
