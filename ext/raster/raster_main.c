/* stacchip_raster_api(): the one exported symbol of stacchip_raster.so; see raster_api.h. */
#ifdef SQLITE_CORE
#include "base/sqlite.h"
#else
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#endif
#include "raster/raster_api.h"

static const struct sc_raster_api api = {
    .version = SC_RASTER_API_VERSION,
};

__attribute__((visibility("default"))) const struct sc_raster_api *stacchip_raster_api(
    const void *sqlite_api) {
#ifndef SQLITE_CORE
  sqlite3_api = sqlite_api;
#endif
  (void)sqlite_api;
  return &api;
}
