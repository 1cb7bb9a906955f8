/* Vector layers and reprojected copies; see geo.h. */
#include "cli/geo.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal.h>
#include <gdal_utils.h>
#include <math.h>
#include <ogr_api.h>
#include <ogr_srs_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "store/href.h"

void sc_geo_row_free(struct sc_geo_row *row) {
  sc_free(row->name);
  sc_free(row->geojson);
  memset(row, 0, sizeof *row);
}

static void start(void) {
  CPLSetErrorHandler(CPLQuietErrorHandler);
  GDALAllRegister();
  CPLErrorReset(); /* an earlier failure would be reported as ours */
}

/* The name by which GDAL opens a source. */
static void vsi_name(const char *source, char *out, size_t n) {
  if (strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0) {
    snprintf(out, n, "/vsicurl/%s", source);
  } else if (strncmp(source, "s3://", 5) == 0) {
    snprintf(out, n, "/vsis3/%s", source + 5);
  } else {
    snprintf(out, n, "%s", source);
  }
}

/* Transform a geometry to longitude and latitude, in place. */
static sc_status to_lonlat(OGRLayerH layer, OGRGeometryH geometry, struct sc_error *err) {
  OGRSpatialReferenceH from = OGR_L_GetSpatialRef(layer), to = OSRNewSpatialReference(NULL);
  sc_status st = SC_OK;
  OSRImportFromEPSG(to, 4326);
  OSRSetAxisMappingStrategy(to, OAMS_TRADITIONAL_GIS_ORDER);
  if (from && !OSRIsSame(from, to)) {
    OSRSetAxisMappingStrategy(from, OAMS_TRADITIONAL_GIS_ORDER);
    OGRCoordinateTransformationH t = OCTNewCoordinateTransformation(from, to);
    if (!t || OGR_G_Transform(geometry, t) != OGRERR_NONE) {
      st = sc_fail(err, SC_BAD_DATA, "cannot transform the layer's CRS to longitude and latitude");
    }
    if (t) OCTDestroyCoordinateTransformation(t);
  }
  OSRDestroySpatialReference(to);
  return st;
}

static sc_status take_feature(OGRLayerH layer, OGRFeatureH feature, struct sc_geo_row *out,
                              struct sc_error *err) {
  OGRGeometryH geometry = OGR_F_GetGeometryRef(feature), centroid = OGR_G_CreateGeometry(wkbPoint);
  int name = OGR_F_GetFieldIndex(feature, "name");
  sc_status st = geometry ? to_lonlat(layer, geometry, err)
                          : sc_fail(err, SC_BAD_DATA, "the row has no geometry");
  if (!st && OGR_G_Centroid(geometry, centroid) != OGRERR_NONE) {
    st = sc_fail(err, SC_BAD_DATA, "the row's geometry has no centroid");
  }
  if (!st) {
    char *json = OGR_G_ExportToJson(geometry);
    out->lon = OGR_G_GetX(centroid, 0);
    out->lat = OGR_G_GetY(centroid, 0);
    st = json ? sc_strdup(json, &out->geojson, err)
              : sc_fail(err, SC_BAD_DATA, "the row's geometry cannot be written as GeoJSON");
    CPLFree(json);
  }
  if (!st && name >= 0) st = sc_strdup(OGR_F_GetFieldAsString(feature, name), &out->name, err);
  OGR_G_DestroyGeometry(centroid);
  return st;
}

/* Fail with GDAL's reason; SC_AGAIN where another try may succeed (the server was busy or could not
 * be reached). GDAL tells these apart by words alone. */
static sc_status fail_layer(const char *source, const char *what, struct sc_error *err) {
  static const char *const again[] = {"CURL error", "response code: 408", "response code: 429",
                                      "response code: 5"};
  static const char unknown_host[] = "resolve host"; /* most likely misspelt: no other try */
  const char *reason = CPLGetLastErrorMsg();
  sc_status st = SC_IO;
  for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
    if (strstr(reason, again[i]) && !strstr(reason, unknown_host)) st = SC_AGAIN;
  }
  int shown = (int)(strstr(source, "://") ? strcspn(source, "?") : strlen(source));
  return sc_fail(err, st, "%.*s: %s%s%s", shown, source, what, *reason ? ": " : "", reason);
}

/* Refuse pipes, on which GDAL would wait, and devices, which have no end. A folder may hold a
 * Shapefile; that a file is missing, GDAL says. */
static sc_status check_regular(const char *path, struct sc_error *err) {
  struct stat s;
  if (sc_href_is_url(path) || stat(path, &s) != 0 || S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)) {
    return SC_OK;
  }
  return sc_fail(err, SC_BAD_ARG, "%s: not a regular file", path);
}

/*
 * Open a layer that the access rules allow, with drivers that open only the layer's own files: a
 * VRT would name others, a GML file make GDAL fetch its schema, a connection string reach a server.
 */
static sc_status open_layer(const char *source, GDALDatasetH *out, struct sc_error *err) {
  static const char *const drivers[] = {"GeoJSON", "GeoJSONSeq", "TopoJSON",
                                        "GPKG",    "FlatGeobuf", "ESRI Shapefile",
                                        "Parquet", "CSV",        NULL};
  char name[4200];
  char *located = NULL, *allowed = NULL;
  sc_status st = sc_href_locate(source, &located, err);
  if (!st) st = sc_href_allow(located, SC_ORIGIN_LOCAL, &allowed, err);
  if (!st) st = check_regular(allowed, err);
  if (!st) {
    start();
    vsi_name(allowed, name, sizeof name);
    *out = GDALOpenEx(name, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, drivers,
                      NULL, NULL);
    if (!*out) {
      st = fail_layer(source,
                      "cannot open as GeoJSON, TopoJSON, GeoPackage, FlatGeobuf, Shapefile, "
                      "Parquet or CSV",
                      err);
    }
  }
  sc_free(located);
  sc_free(allowed);
  return st;
}

sc_status sc_geo_read_row(const char *source, int64_t row, struct sc_geo_row *out,
                          struct sc_error *err) {
  GDALDatasetH ds = NULL;
  memset(out, 0, sizeof *out);
  sc_status st = open_layer(source, &ds, err);
  if (st) return st;
  OGRLayerH layer = GDALDatasetGetLayer(ds, 0);
  int64_t n = layer ? (int64_t)OGR_L_GetFeatureCount(layer, 1) : 0;
  if (row < 0 || row >= n) {
    st = sc_fail(err, SC_RANGE, "%s: no row %lld; rows: %lld, counted from 0", source,
                 (long long)row, (long long)n);
  } else {
    OGR_L_ResetReading(layer);
    OGR_L_SetNextByIndex(layer, (GIntBig)row);
    OGRFeatureH feature = OGR_L_GetNextFeature(layer);
    st = feature ? take_feature(layer, feature, out, err)
                 : fail_layer(source, "cannot read the row", err);
    if (feature) OGR_F_Destroy(feature);
  }
  GDALClose(ds);
  if (st) sc_geo_row_free(out);
  return st;
}

/* --- rasters --- */

static sc_status read_crs(OGRSpatialReferenceH srs, struct sc_geo_grid *out, struct sc_error *err) {
  static const char *const form[] = {"FORMAT=WKT2_2019", NULL};
  const char *authority = srs ? OSRGetAuthorityName(srs, NULL) : NULL;
  const char *code = srs ? OSRGetAuthorityCode(srs, NULL) : NULL;
  char *wkt = NULL;
  if (authority && code && EQUAL(authority, "EPSG")) out->epsg = (int)strtol(code, NULL, 10);
  if (!srs || out->epsg) return SC_OK;
  OSRExportToWktEx(srs, &wkt, form);
  sc_status st = sc_strdup(wkt, &out->wkt, err);
  CPLFree(wkt);
  return st;
}

static sc_status read_grid(GDALDatasetH ds, struct sc_geo_grid *out, struct sc_error *err) {
  double gt[6];
  GDALGetGeoTransform(ds, gt);
  const double affine[6] = {gt[1], gt[2], gt[0], gt[4], gt[5], gt[3]};
  memcpy(out->transform, affine, sizeof affine);
  out->width = GDALGetRasterXSize(ds);
  out->height = GDALGetRasterYSize(ds);
  return read_crs(GDALGetSpatialRef(ds), out, err);
}

/*
 * Open a downloaded raster, which may hold anything. Left to itself GDAL would look at the content
 * and open a VRT, which can name any file and URL that this process reaches. So: drivers that read
 * one file, no sidecar files, no external overviews.
 */
static GDALDatasetH open_raster(const char *path) {
  static const char *const drivers[] = {"GTiff", "JP2OpenJPEG", "PNG", "JPEG", NULL};
  CPLSetThreadLocalConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR");
  CPLSetThreadLocalConfigOption("GDAL_PAM_ENABLED", "NO");
  GDALDatasetH ds = GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR,
                               drivers, NULL, NULL);
  if (ds && GDALGetMetadataItem(ds, "OVERVIEW_FILE", "OVERVIEWS")) {
    CPLError(CE_Failure, CPLE_OpenFailed, "it names an external overview file");
    GDALClose(ds);
    ds = NULL;
  }
  CPLSetThreadLocalConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", NULL);
  CPLSetThreadLocalConfigOption("GDAL_PAM_ENABLED", NULL);
  return ds;
}

/* Close a raster that was made: that writes its last bytes. GDALClose() returns nothing before GDAL
 * 3.7: only the error state tells of a failure. */
static sc_status close_made(GDALDatasetH made, const char *to, struct sc_error *err) {
  CPLErrorReset();
  GDALClose(made);
  if (CPLGetLastErrorType() < CE_Failure) return SC_OK;
  return sc_fail(err, SC_IO, "%s: %s", to, CPLGetLastErrorMsg());
}

static sc_status finish(const char *from, const char *to, GDALDatasetH source, GDALDatasetH made,
                        struct sc_geo_grid *out, struct sc_error *err) {
  sc_status st = SC_OK;
  if (made) {
    st = read_grid(made, out, err);
    sc_status closed = close_made(made, to, err);
    if (!st) st = closed;
  } else {
    st = sc_fail(err, SC_IO, "%s: %s", from, CPLGetLastErrorMsg());
  }
  if (source) GDALClose(source);
  return st;
}

sc_status sc_geo_to_mercator(const char *from, const char *to, struct sc_geo_grid *out,
                             struct sc_error *err) {
  static const char *const words[] = {
      "-of",  "COG", "-t_srs",           "EPSG:3857", "-r",
      "near", "-co", "COMPRESS=DEFLATE", "-co",       "OVERVIEWS=NONE",
      NULL};
  start();
  GDALDatasetH source = open_raster(from), made = NULL;
  if (source) {
    GDALWarpAppOptions *options = GDALWarpAppOptionsNew((char **)(size_t)words, NULL);
    made = GDALWarp(to, NULL, 1, &source, options, NULL);
    GDALWarpAppOptionsFree(options);
  }
  return finish(from, to, source, made, out, err);
}

sc_status sc_geo_resample(const char *from, const char *to, double pixel_size,
                          struct sc_geo_grid *out, struct sc_error *err) {
  char width[20], height[20];
  double gt[6];
  start();
  GDALDatasetH source = open_raster(from), made = NULL;
  if (source && GDALGetGeoTransform(source, gt) == CE_None) {
    double factor = fabs(gt[1]) / pixel_size;
    int w = (int)(GDALGetRasterXSize(source) * factor),
        h = (int)(GDALGetRasterYSize(source) * factor);
    snprintf(width, sizeof width, "%d", w > 0 ? w : 1);
    snprintf(height, sizeof height, "%d", h > 0 ? h : 1);
    char *words[24] = {"-of",
                       "COG",
                       "-r",
                       "bilinear",
                       "-outsize",
                       width,
                       height,
                       "-co",
                       "COMPRESS=DEFLATE",
                       "-co",
                       "OVERVIEWS=NONE",
                       NULL};
    static char *const bands[] = {"-b", "1", "-b", "2", "-b", "3"};
    int n = 11;
    for (int i = 0; i < 6 && GDALGetRasterCount(source) >= 3; i++) words[n++] = bands[i];
    words[n] = NULL;
    GDALTranslateOptions *options = GDALTranslateOptionsNew(words, NULL);
    made = GDALTranslate(to, source, options, NULL);
    GDALTranslateOptionsFree(options);
  }
  return finish(from, to, source, made, out, err);
}
