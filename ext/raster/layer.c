/* Vector layers; see layer.h. */
#include "raster/layer.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal.h>
#include <ogr_api.h>
#include <ogr_srs_api.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/certificates.h"

static pthread_once_t register_once = PTHREAD_ONCE_INIT;

/* GDAL declares these in a header of C++ only. The weak ones: a bundle has no GeoPackage, few GDALs
 * have Parquet. */
#pragma weak RegisterOGRGeoPackage
void RegisterOGRGeoJSON(void);
void RegisterOGRGeoJSONSeq(void);
void RegisterOGRTopoJSON(void);
void RegisterOGRGeoPackage(void);
void RegisterOGRFlatGeobuf(void);
void RegisterOGRShape(void);
void RegisterOGRCSV(void);
#pragma weak RegisterOGRParquet
void RegisterOGRParquet(void);

/* Not GDALAllRegister(): it would open plugins, which GDAL_DRIVER_PATH may name, and have a bundle
 * link each driver that GDAL cannot be built without. */
static void register_drivers(void) {
  RegisterOGRGeoJSON();
  RegisterOGRGeoJSONSeq();
  RegisterOGRTopoJSON();
  if (RegisterOGRGeoPackage) RegisterOGRGeoPackage();
  RegisterOGRFlatGeobuf();
  RegisterOGRShape();
  RegisterOGRCSV();
  if (RegisterOGRParquet) RegisterOGRParquet();
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

static sc_status take_feature(OGRLayerH layer, OGRFeatureH feature, struct sc_layer_row *out,
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

/* With drivers that open only the layer's own files: a VRT would name others, a GML file make GDAL
 * fetch its schema, a connection string reach a server. */
static sc_status open_layer(const struct sc_layer_place *from, GDALDatasetH *out,
                            struct sc_error *err) {
  static const char *const drivers[] = {"GeoJSON", "GeoJSONSeq", "TopoJSON",
                                        "GPKG",    "FlatGeobuf", "ESRI Shapefile",
                                        "Parquet", "CSV",        NULL};
  char name[4200];
  pthread_once(&register_once, register_drivers);
  vsi_name(from->path, name, sizeof name);
  *out = GDALOpenEx(name, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, drivers, NULL,
                    NULL);
  if (*out) return SC_OK;
  return fail_layer(from->shown,
                    "cannot open as GeoJSON, TopoJSON, GeoPackage, FlatGeobuf, Shapefile, Parquet "
                    "or CSV",
                    err);
}

static sc_status read_row(const struct sc_layer_place *from, GDALDatasetH ds,
                          struct sc_layer_row *out, struct sc_error *err) {
  OGRLayerH layer = GDALDatasetGetLayer(ds, 0);
  int64_t n = layer ? (int64_t)OGR_L_GetFeatureCount(layer, 1) : 0;
  if (from->row < 0 || from->row >= n) {
    return sc_fail(err, SC_RANGE, "%s: no row %lld; rows: %lld, counted from 0", from->shown,
                   (long long)from->row, (long long)n);
  }
  OGR_L_ResetReading(layer);
  OGR_L_SetNextByIndex(layer, (GIntBig)from->row);
  OGRFeatureH feature = OGR_L_GetNextFeature(layer);
  sc_status st = feature ? take_feature(layer, feature, out, err)
                         : fail_layer(from->shown, "cannot read the row", err);
  if (feature) OGR_F_Destroy(feature);
  return st;
}

sc_status sc_layer_read(const struct sc_layer_place *from, struct sc_layer_row *out,
                        struct sc_error *err) {
  GDALDatasetH ds = NULL;
  memset(out, 0, sizeof *out);
  CPLPushErrorHandler(CPLQuietErrorHandler);
  CPLErrorReset(); /* an earlier failure would be reported as ours */
  CPLSetThreadLocalConfigOption("CURL_CA_BUNDLE",
                                sc_certificates_file()); /* NULL: GDAL's own way */
  sc_status st = open_layer(from, &ds, err);
  if (!st) st = read_row(from, ds, out, err);
  if (ds) GDALClose(ds);
  CPLSetThreadLocalConfigOption("CURL_CA_BUNDLE", NULL);
  CPLPopErrorHandler();
  if (st) {
    sc_free(out->name);
    sc_free(out->geojson);
    memset(out, 0, sizeof *out);
  }
  return st;
}
