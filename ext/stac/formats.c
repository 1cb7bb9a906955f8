/* Which assets hold pixels; see formats.h and item.h. */
#include "stac/formats.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "raster/raster_api.h"

struct format {
  const char *text; /* in a media type, or at the end of a path */
  enum sc_pixels pixels;
  int is_picture;   /* counts only with role data and a transform of its own */
  const char *name; /* of a format that is not opened */
};

static const struct format types[] = {
    {"image/tiff", SC_PIXELS_RASTER, 0, 0},  {"geotiff", SC_PIXELS_RASTER, 0, 0},
    {"image/jp2", SC_PIXELS_RASTER, 0, 0},   {"image/jpx", SC_PIXELS_RASTER, 0, 0},
    {"jpeg2000", SC_PIXELS_RASTER, 0, 0},    {"netcdf", SC_PIXELS_UNOPENED, 0, "netCDF"},
    {"hdf", SC_PIXELS_UNOPENED, 0, "HDF"},   {"zarr", SC_PIXELS_UNOPENED, 0, "Zarr"},
    {"grib", SC_PIXELS_UNOPENED, 0, "GRIB"}, {"image/png", SC_PIXELS_RASTER, 1, 0},
    {"image/jpeg", SC_PIXELS_RASTER, 1, 0},  {"image/jpg", SC_PIXELS_RASTER, 1, 0},
};

static const struct format suffixes[] = {
    {".tif", SC_PIXELS_RASTER, 0, 0},
    {".tiff", SC_PIXELS_RASTER, 0, 0},
    {".jp2", SC_PIXELS_RASTER, 0, 0},
    {".j2k", SC_PIXELS_RASTER, 0, 0},
    {".hdf", SC_PIXELS_UNOPENED, 0, "HDF"},
    {".h5", SC_PIXELS_UNOPENED, 0, "HDF"},
    {".hdf5", SC_PIXELS_UNOPENED, 0, "HDF"},
    {".he5", SC_PIXELS_UNOPENED, 0, "HDF"},
    {".hdf4", SC_PIXELS_UNOPENED, 0, "HDF"},
    {".h4", SC_PIXELS_UNOPENED, 0, "HDF"},
    {".nc", SC_PIXELS_UNOPENED, 0, "netCDF"},
    {".nc4", SC_PIXELS_UNOPENED, 0, "netCDF"},
    {".netcdf", SC_PIXELS_UNOPENED, 0, "netCDF"},
    {".zarr", SC_PIXELS_UNOPENED, 0, "Zarr"},
    {".zarr/", SC_PIXELS_UNOPENED, 0, "Zarr"},
    {".grib", SC_PIXELS_UNOPENED, 0, "GRIB"},
    {".grib2", SC_PIXELS_UNOPENED, 0, "GRIB"},
    {".grb", SC_PIXELS_UNOPENED, 0, "GRIB"},
    {".grb2", SC_PIXELS_UNOPENED, 0, "GRIB"},
    {".grib1", SC_PIXELS_UNOPENED, 0, "GRIB"},
    {".grb1", SC_PIXELS_UNOPENED, 0, "GRIB"},
    {".png", SC_PIXELS_RASTER, 1, 0},
    {".jpg", SC_PIXELS_RASTER, 1, 0},
    {".jpeg", SC_PIXELS_RASTER, 1, 0},
    {".vrt", SC_PIXELS_NONE, 0, 0}, /* never opened */
};

#define N_OF(table) (sizeof(table) / sizeof *(table))

static const struct format *by_type(const char *type) {
  for (size_t i = 0; i < N_OF(types); i++) {
    if (strcasestr(type, types[i].text)) return &types[i];
  }
  return NULL;
}

/* The path of a location: of a URL without query and fragment, while names of files may hold '?'
 * and
 * '#'. What is too long keeps its end. */
static void plain_path(const char *location, char *out, size_t n) {
  size_t length = *location == '/' ? strlen(location) : strcspn(location, "?#");
  size_t skip = length < n ? 0 : length - (n - 1);
  snprintf(out, n, "%.*s", (int)(length - skip), location + skip);
}

static const struct format *by_suffix(const char *location) {
  char path[512];
  plain_path(location, path, sizeof path);
  size_t length = strlen(path);
  for (size_t i = 0; i < N_OF(suffixes); i++) {
    size_t n = strlen(suffixes[i].text);
    if (length >= n && strcasecmp(path + length - n, suffixes[i].text) == 0) return &suffixes[i];
  }
  return NULL;
}

/* Media types that say nothing of pixels, but what else it is: text, JSON, XML. */
static int is_other(const char *type) {
  return strncasecmp(type, "text/", 5) == 0 || strcasestr(type, "json") ||
         strcasestr(type, "xml") || strncasecmp(type, "video/", 6) == 0 ||
         strncasecmp(type, "audio/", 6) == 0;
}

/* Nothing tells the format of data without a suffix: opening it will. */
static const struct format unnamed = {"", SC_PIXELS_RASTER, 0, 0};

static int is_unnamed_data(const struct sc_asset *asset, const char *href) {
  char path[512];
  plain_path(href, path, sizeof path);
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  int is_product = *name == '$'; /* OData's "$value": a whole product, zipped */
  return sc_asset_has_role(asset, "data") && *name && !is_product && !strchr(name, '.');
}

/*
 * The format of an asset, NULL where it holds no pixels. A media type that is known counts; one
 * that is not ("", "application/octet-stream" of object stores, "image/cog") says no more than a
 * missing one, so that the suffix does.
 */
static const struct format *find_format(const struct sc_asset *asset) {
  const char *href = sc_json_text(asset->json, "href"), *type = sc_json_text(asset->json, "type");
  if (!href || strcmp(asset->key, "thumbnail") == 0 || sc_asset_has_role(asset, "thumbnail") ||
      sc_asset_has_role(asset, "overview")) {
    return NULL;
  }
  const struct format *found = type ? by_type(type) : NULL;
  if (!found && type && is_other(type)) return NULL;
  if (!found) found = by_suffix(href);
  if (!found && is_unnamed_data(asset, href)) found = &unnamed;
  if (!found || !found->is_picture) return found;
  int has_own = cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(asset->json, "proj:transform"));
  return has_own && sc_asset_has_role(asset, "data") ? found : NULL;
}

enum sc_pixels sc_asset_pixels(const struct sc_asset *asset) {
  const struct format *found = find_format(asset);
  return found ? found->pixels : SC_PIXELS_NONE;
}

int sc_format_has_suffix(const char *location) { return by_suffix(location) != NULL; }

const char *sc_asset_unopened(const struct sc_asset *asset) {
  const struct format *found = find_format(asset);
  return found ? found->name : NULL;
}

sc_status sc_asset_check_opened(const struct sc_item *item, const struct sc_asset *asset,
                                struct sc_error *err) {
  const char *name = sc_asset_unopened(asset);
  if (!name) return SC_OK;
  return sc_fail(err, SC_UNSUPPORTED, "item %s: asset %s: " SC_NOT_OPENED, item->id, asset->key,
                 name);
}
