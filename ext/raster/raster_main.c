/* stacchip_raster_api(): the one exported symbol of stacchip_raster.so; see raster_api.h. */
#ifdef SQLITE_CORE
#include "base/sqlite.h"
#else
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#endif
#include <gdal.h>
#include <pthread.h>
#include <stdio.h>

#include "base/interrupt.h"
#include "http/client.h"
#include "raster/burn.h"
#include "raster/cache.h"
#include "raster/cog.h"
#include "raster/digest.h"
#include "raster/disk.h"
#include "raster/gdal.h"
#include "raster/layer.h"
#include "raster/mask.h"
#include "raster/memory.h"
#include "raster/picture.h"
#include "raster/project.h"
#include "raster/raster_api.h"
#include "raster/read.h"
#include "raster/remake.h"
#include "raster/remote.h"
#include "raster/runtime.h"
#include "raster/warp.h"

static char version_text[512];
static pthread_once_t versions_once = PTHREAD_ONCE_INIT;

static void write_versions(void) {
  snprintf(version_text, sizeof version_text, "{\"gdal\":\"%s\",\"proj\":\"%s\",\"curl\":\"%s\"}",
           GDALVersionInfo("RELEASE_NAME"), sc_project_version(), sc_http_version());
}

static const char *versions(void) {
  pthread_once(&versions_once, write_versions);
  return version_text;
}

static sc_status info(const struct sc_source *source, struct sc_raster_info *out,
                      struct sc_error *err) {
  int known = 0;
  sc_runtime_enter();
  sc_status st = sc_remote_info(source, out, &known, err);
  return st || known ? st : sc_gdal_info(source, out, err);
}

static sc_status read_windows(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                              void *interrupt_context, struct sc_error *err) {
  sc_runtime_enter();
  int is_warp = n > 0 && reads[0].warp;
  return (is_warp ? sc_warp_windows : sc_read_windows)(reads, n, interrupted, interrupt_context,
                                                       err);
}

static sc_status hold(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                      void *interrupt_context, struct sc_held **held, struct sc_error *err) {
  sc_runtime_enter();
  return sc_read_hold(reads, n, interrupted, interrupt_context, held, err);
}

static void let_go(struct sc_held *held) {
  sc_runtime_enter();
  sc_read_let_go(held);
}

static sc_status count_mask(struct sc_mask_job *job, struct sc_error *err) {
  sc_runtime_enter();
  return sc_mask_count(job, err);
}

static sc_status http(struct sc_http_request *requests, size_t n, int (*interrupted)(void *),
                      void *interrupt_context, struct sc_error *err) {
  sc_runtime_enter();
  return sc_http_perform(requests, n, interrupted, interrupt_context, err);
}

static sc_status make_header(const struct sc_source *source, struct sc_buffer *out,
                             struct sc_error *err) {
  sc_runtime_enter();
  return sc_remote_make_header(source, out, err);
}

static sc_status rasterize(const struct sc_burn_job *job, struct sc_error *err) {
  sc_runtime_enter();
  return sc_burn_shapes(job, err);
}

static void *memory_take(size_t bytes) {
  sc_runtime_enter();
  return sc_memory_take(bytes);
}

static void memory_give(void *memory) {
  sc_runtime_enter();
  sc_memory_give(memory);
  sc_cache_trim();
}

static void kept(struct sc_kept *out) {
  struct sc_memory_state memory;
  sc_runtime_enter();
  sc_cache_count(out);
  sc_memory_get_state(&memory);
  out->idle_bytes = memory.idle_pages + memory.idle_large;
  out->in_use_bytes = memory.in_use;
  out->n_memory_reused = memory.n_reused;
  out->n_memory_fresh = memory.n_fresh;
  sc_disk_count(out);
}

static const struct sc_raster_api api = {
    .version = SC_RASTER_API_VERSION,
    .versions = versions,
    .watch = sc_interrupt_watch,
    .configure = sc_runtime_configure,
    .info = info,
    .info_free = sc_gdal_info_free,
    .read = read_windows,
    .count_mask = count_mask,
    .to_lonlat = sc_project_to_lonlat,
    .from_lonlat = sc_project_from_lonlat,
    .is_geographic = sc_project_is_geographic,
    .same_crs = sc_project_same_crs,
    .convert = sc_gdal_convert,
    .picture = sc_picture_encode,
    .geotiff = sc_picture_geotiff,
    .cog_create = sc_cog_create,
    .cog_put = sc_cog_put,
    .cog_finish = sc_cog_finish,
    .cog_close = sc_cog_close,
    .http = http,
    .make_header = make_header,
    .reproject = sc_project,
    .hold = hold,
    .let_go = let_go,
    .rasterize = rasterize,
    .memory_take = memory_take,
    .memory_give = memory_give,
    .kept = kept,
    .read_layer = sc_layer_read,
    .remake = sc_remake,
    .digest = sc_digest_file,
};

__attribute__((visibility("default"))) const struct sc_raster_api *stacchip_raster_api(
    const void *sqlite_api) {
#ifndef SQLITE_CORE
  sqlite3_api = sqlite_api;
#endif
  (void)sqlite_api;
  return &api;
}
