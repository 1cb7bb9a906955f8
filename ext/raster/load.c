/* Opening stacchip_raster.so on first need, from stacchip.so; see raster_api.h. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/settings.h"
#include "host.h"
#include "raster/raster_api.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct sc_raster_api *loaded;

static sc_status open_half(const struct sc_raster_api **out, struct sc_error *err) {
  char path[4200];
  void *symbol = NULL;
  sc_status st = SC_NOT_FOUND;
  if (sc_host_folder()[0]) {
    snprintf(path, sizeof path, "%s/stacchip_raster.so", sc_host_folder());
    st = sc_host_open(path, "stacchip_raster_api", &symbol, err);
  }
  if (st == SC_NOT_FOUND) {
    struct sc_error second = {0};
    st = sc_host_open("stacchip_raster.so", "stacchip_raster_api", &symbol, &second);
    if (st && !sc_host_folder()[0]) *err = second;
  }
  if (st) {
    return sc_fail_within(err, "stacchip's raster half, or a library it needs (GDAL, PROJ, "
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
