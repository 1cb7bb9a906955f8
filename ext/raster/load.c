/* Opening stacchip_raster.so on first need, from stacchip.so; see raster_api.h. */
#include <pthread.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/settings.h"
#include "base/sqlite.h"
#include "host.h"
#include "raster/raster_api.h"
#include "store/disk_cache.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct sc_raster_api *loaded;

static sc_status open_half(const struct sc_raster_api **out, struct sc_error *err) {
  void *symbol = NULL;
  sc_status st = sc_host_open_beside("stacchip_raster.so", "stacchip_raster_api", &symbol, err);
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

/* Before the first use: later, values have passed stacchip_config(). */
static sc_status check_settings(struct sc_error *err) {
  struct sc_buffer disk = {0};
  sc_status st = sc_settings_check(err);
  if (!st) st = sc_settings_get("disk_cache", &disk, err);
  if (!st) st = sc_buffer_terminate(&disk, err);
  if (!st && sc_disk_cache_check((const char *)disk.data, err)) {
    st = sc_fail_within(err, "setting disk_cache (STACCHIP_DISK_CACHE)");
  }
  sc_buffer_free(&disk);
  return st;
}

const struct sc_raster_api *sc_raster(struct sc_error *err) {
  pthread_mutex_lock(&lock);
  if (!loaded && check_settings(err) == SC_OK && open_half(&loaded, err) == SC_OK) {
    loaded->watch(sc_interrupted);
    sc_settings_follow(loaded->configure);
  }
  const struct sc_raster_api *api = loaded;
  pthread_mutex_unlock(&lock);
  return api;
}

sc_status sc_http(struct sc_http_request *requests, size_t n, int (*interrupted)(void *),
                  void *interrupt_context, struct sc_error *err) {
  const struct sc_raster_api *api = sc_raster(err);
  return api ? api->http(requests, n, interrupted, interrupt_context, err) : err->status;
}
