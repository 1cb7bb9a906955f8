/* Opening stacchip_raster.so on first need, from stacchip.so; see raster_api.h. */
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/settings.h"
#include "base/sqlite.h"
#include "host.h"
#include "raster/raster_api.h"
#include "store/disk_cache.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct sc_raster_api *loaded;

#define HALF "stacchip_raster.so"
#define ENTRY "stacchip_raster_api"

/* In a folder of this code, or in lib beside a program's bin. Where there is a file that does
 * not open, err says why. SC_NOT_FOUND with no message: there is none. */
static sc_status find_in(const char *folder, void **symbol, struct sc_error *err) {
  static const char *const places[] = {"%s/" HALF, "%s/../lib/" HALF, "%s/../lib64/" HALF};
  char path[PATH_MAX + 40];
  sc_status st = SC_NOT_FOUND;
  for (size_t i = 0; i < sizeof places / sizeof *places && st == SC_NOT_FOUND && *folder; i++) {
    sqlite3_snprintf(sizeof path, path, places[i], folder);
    if (access(path, F_OK) == 0) st = sc_host_open(path, ENTRY, symbol, err);
  }
  return st;
}

/* Beside this code, else on the library path. err is touched only where it is nowhere. */
static sc_status find_half(void **symbol, struct sc_error *err) {
  struct sc_error broken = {0}, last = {0};
  sc_status st = SC_NOT_FOUND;
  for (int i = 0; i < SC_HOST_FOLDERS && st == SC_NOT_FOUND; i++) {
    st = find_in(sc_host_folder(i), symbol, &broken);
  }
  if (st == SC_NOT_FOUND) st = sc_host_open(HALF, ENTRY, symbol, &last);
  if (!st) return SC_OK;
  if (broken.status) {
    *err = broken; /* a half that is there and does not open says most */
  } else {
    const char *link = sc_host_folder(1);
    sc_fail_text(err, st,
                 HALF " is neither in %s%s%s, nor in ../lib from there, nor is it found: %s",
                 sc_host_folder(0), *link ? " or " : "", link, last.text);
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
