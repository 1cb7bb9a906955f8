/* stacchip_raster_api(): the one exported symbol of stacchip_raster.so; see raster_api.h. */
#ifdef SQLITE_CORE
#include "base/sqlite.h"
#else
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#endif
#include <curl/curl.h>
#include <gdal.h>
#include <stdio.h>

#include "raster/gdal.h"
#include "raster/project.h"
#include "raster/raster_api.h"

static const char *versions(void) {
  static char text[512];
  snprintf(text, sizeof text, "{\"gdal\":\"%s\",\"proj\":\"%s\",\"curl\":\"%s\"}",
           GDALVersionInfo("RELEASE_NAME"), sc_project_version(), curl_version());
  return text;
}

static void configure(const struct sc_settings *settings) { (void)settings; }

static const struct sc_raster_api api = {
    .version = SC_RASTER_API_VERSION,
    .versions = versions,
    .configure = configure,
    .info = sc_gdal_info,
    .info_free = sc_gdal_info_free,
    .to_lonlat = sc_project_to_lonlat,
    .from_lonlat = sc_project_from_lonlat,
    .is_geographic = sc_project_is_geographic,
    .crs_wkt = sc_project_wkt,
};

__attribute__((visibility("default"))) const struct sc_raster_api *stacchip_raster_api(
    const void *sqlite_api) {
#ifndef SQLITE_CORE
  sqlite3_api = sqlite_api;
#endif
  (void)sqlite_api;
  return &api;
}
