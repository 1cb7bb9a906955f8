/* Copies of rasters on another grid; see remake.h. */
#include "raster/remake.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal.h>
#include <gdal_frmts.h>
#include <gdal_utils.h>
#include <math.h>
#include <ogr_srs_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "raster/gdal.h"

static sc_status read_crs(OGRSpatialReferenceH srs, struct sc_made_grid *out,
                          struct sc_error *err) {
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

static sc_status read_grid(GDALDatasetH ds, struct sc_made_grid *out, struct sc_error *err) {
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

static sc_status finish(const struct sc_remake *job, GDALDatasetH source, GDALDatasetH made,
                        struct sc_made_grid *out, struct sc_error *err) {
  sc_status st = SC_OK;
  if (made) {
    st = read_grid(made, out, err);
    sc_status closed = close_made(made, job->to, err);
    if (!st) st = closed;
  } else {
    st = sc_fail(err, SC_IO, "%s: %s", job->from, CPLGetLastErrorMsg());
  }
  if (source) GDALClose(source);
  return st;
}

static GDALDatasetH warp(GDALDatasetH source, const char *to) {
  static const char *const words[] = {
      "-of",  "COG", "-t_srs",           "EPSG:3857", "-r",
      "near", "-co", "COMPRESS=DEFLATE", "-co",       "OVERVIEWS=NONE",
      NULL};
  GDALWarpAppOptions *options = GDALWarpAppOptionsNew((char **)(size_t)words, NULL);
  GDALDatasetH made = GDALWarp(to, NULL, 1, &source, options, NULL);
  GDALWarpAppOptionsFree(options);
  return made;
}

static GDALDatasetH resample(GDALDatasetH source, const char *to, double pixel_size) {
  char width[20], height[20];
  double gt[6];
  if (GDALGetGeoTransform(source, gt) != CE_None) return NULL;
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
  GDALDatasetH made = GDALTranslate(to, source, options, NULL);
  GDALTranslateOptionsFree(options);
  return made;
}

sc_status sc_remake(const struct sc_remake *job, struct sc_made_grid *out, struct sc_error *err) {
  sc_gdal_register();
  GDALRegister_VRT(); /* by which GDALWarp() hands its result to the COG driver */
  CPLPushErrorHandler(CPLQuietErrorHandler);
  CPLErrorReset(); /* an earlier failure would be reported as ours */
  GDALDatasetH source = open_raster(job->from), made = NULL;
  if (source) {
    made = job->pixel_size > 0 ? resample(source, job->to, job->pixel_size) : warp(source, job->to);
  }
  sc_status st = finish(job, source, made, out, err);
  CPLPopErrorHandler();
  return st;
}
