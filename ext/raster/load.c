/* Opening stacchip_raster.so on first need, from stacchip.so; see raster_api.h. */
#include <pthread.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/settings.h"
#include "base/sqlite.h"
#include "host.h"
#include "raster/raster_api.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct sc_raster_api *loaded;

/* Beside this code; in lib beside a program's bin; on the library path. */
static sc_status find_half(void **symbol, struct sc_error *err) {
  static const char *const places[] = {"%s/stacchip_raster.so", "%s/../lib/stacchip_raster.so"};
  char path[4200];
  struct sc_error first = {0};
  sc_status st = SC_NOT_FOUND;
  for (size_t i = 0; i < 2 && st == SC_NOT_FOUND && sc_host_folder()[0]; i++) {
    sqlite3_snprintf(sizeof path, path, places[i], sc_host_folder());
    st = sc_host_open(path, "stacchip_raster_api", symbol, i ? err : &first);
    if (st && i == 0) *err = first;
  }
  if (st == SC_NOT_FOUND) {
    struct sc_error last = {0};
    st = sc_host_open("stacchip_raster.so", "stacchip_raster_api", symbol, &last);
    if (st) *err = first.status ? first : last; /* where it is looked for first says most */
  }
  return st;
}

static sc_status open_half(const struct sc_raster_api **out, struct sc_error *err) {
  void *symbol = NULL;
  sc_status st = find_half(&symbol, err);
  if (st) {
    return sc_fail_within(err,
                          "stacchip's raster half, or a library it needs (GDAL, PROJ, "
                          "libcurl), is missing");
  }
  sc_raster_api_function entry;
  memcpy(&entry, &symbol, sizeof entry);
  const struct sc_raster_api *api = entry(sc_host_sqlite_api());
  if (!api || api->version != SC_RASTER_API_VERSION) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "stacchip_raster.so is of another version than stacchip.so");
  }
  *out = api;
  return SC_OK;
}

const struct sc_raster_api *sc_raster(struct sc_error *err) {
  pthread_mutex_lock(&lock);
  if (!loaded && open_half(&loaded, err) == SC_OK) {
    loaded->watch(sc_interrupted);
    sc_settings_apply(loaded);
  }
  const struct sc_raster_api *api = loaded;
  pthread_mutex_unlock(&lock);
  return api;
}
