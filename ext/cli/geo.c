/* Vector layers within the access rules; see geo.h. */
#include "cli/geo.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "host.h"
#include "store/href.h"

/* Refuse pipes, on which GDAL would wait, and devices, which have no end. A folder may hold a
 * Shapefile; that a file is missing, GDAL says. */
static sc_status check_regular(const char *path, struct sc_error *err) {
  struct stat s;
  if (sc_href_is_url(path) || stat(path, &s) != 0 || S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)) {
    return SC_OK;
  }
  return sc_fail(err, SC_BAD_ARG, "%s: not a regular file", path);
}

sc_status sc_geo_raster(const struct sc_raster_api **out, struct sc_error *err) {
  sc_status st = sc_host_init(NULL, err); /* no connection may be open yet */
  *out = st ? NULL : sc_raster(err);
  return *out ? SC_OK : err->status;
}

sc_status sc_geo_read_row(const char *source, int64_t row, struct sc_layer_row *out,
                          struct sc_error *err) {
  const struct sc_raster_api *raster = NULL;
  char *located = NULL, *allowed = NULL;
  memset(out, 0, sizeof *out);
  sc_status st = sc_href_locate(source, &located, err);
  if (!st) st = sc_href_allow(located, SC_ORIGIN_LOCAL, &allowed, err);
  if (!st) st = check_regular(allowed, err);
  if (!st) st = sc_geo_raster(&raster, err);
  if (raster) {
    const struct sc_layer_place place = {.path = allowed, .shown = source, .row = row};
    st = raster->read_layer(&place, out, err);
  }
  sc_free(located);
  sc_free(allowed);
  return st;
}

void sc_geo_row_free(struct sc_layer_row *row) {
  sc_free(row->name);
  sc_free(row->geojson);
  memset(row, 0, sizeof *row);
}
