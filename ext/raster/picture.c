/* Encoding pictures and GeoTIFFs; see picture.h. */
#include "raster/picture.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <ogr_srs_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/sqlite.h"
#include "raster/gdal.h"
#include "raster/project.h"

/* Copy a dataset through a driver into a file in memory, and take its bytes. */
static sc_status copy_out(GDALDatasetH ds, const char *driver_name, const char *const *options,
                          struct sc_buffer *out, struct sc_error *err) {
  static atomic_uint counter;
  char path[64];
  struct sc_gdal_scope scope;
  vsi_l_offset size = 0;
  sc_status st = SC_OK;
  GDALDriverH driver = GDALGetDriverByName(driver_name);
  if (!driver) return sc_fail(err, SC_UNSUPPORTED, "this GDAL has no %s driver", driver_name);
  snprintf(path, sizeof path, "/vsimem/stacchip-%p-%u", (void *)&counter,
           atomic_fetch_add(&counter, 1));
  sc_gdal_begin(&scope);
  GDALDatasetH copy =
      GDALCreateCopy(driver, path, ds, 0, (CSLConstList)(size_t)options, sc_gdal_goes_on, err);
  if (copy) {
    GDALClose(copy);
    GByte *bytes = VSIGetMemFileBuffer(path, &size, 0);
    st = bytes ? sc_buffer_append(out, bytes, (size_t)size, err)
               : sc_fail(err, SC_IO, "encoding %s failed", driver_name);
  } else if (err->status == SC_INTERRUPT) {
    st = SC_INTERRUPT;
  } else {
    st = sc_fail(err, SC_IO, "encoding %s: %s", driver_name, scope.text);
  }
  VSIUnlink(path);
  sc_gdal_end(&scope);
  return st;
}

sc_status sc_picture_encode(enum sc_picture_format format, const uint8_t *pixels, int width,
                            int height, int channels, struct sc_buffer *out, struct sc_error *err) {
  static const char *const png[] = {"ZLEVEL=6", NULL}, *const jpeg[] = {"QUALITY=90", NULL};
  GDALDatasetH ds = NULL;
  sc_gdal_register();
  const struct sc_gdal_memory memory = {.pixels = pixels,
                                        .type = GDT_Byte,
                                        .width = width,
                                        .height = height,
                                        .n_bands = channels,
                                        .pixel_bytes = (size_t)channels,
                                        .line_bytes = (size_t)channels * (size_t)width,
                                        .band_bytes = 1};
  sc_status st = sc_gdal_memory_open(&memory, &ds, err);
  if (st) return st;
  static const GDALColorInterp colors[] = {GCI_RedBand, GCI_GreenBand, GCI_BlueBand, GCI_AlphaBand};
  for (int i = 0; i < channels && channels >= 3; i++) {
    GDALSetRasterColorInterpretation(GDALGetRasterBand(ds, i + 1), colors[i]);
  }
  st = format == SC_PICTURE_PNG ? copy_out(ds, "PNG", png, out, err)
                                : copy_out(ds, "JPEG", jpeg, out, err);
  GDALClose(ds);
  return st;
}

sc_status sc_picture_set_crs(GDALDatasetH ds, const char *crs, int flat, struct sc_error *err) {
  OGRSpatialReferenceH srs = OSRNewSpatialReference(NULL);
  char *wkt = NULL, *at;
  sc_status st = flat ? sc_project_flat_wkt(crs, &wkt, err) : sc_project_wkt(crs, &wkt, err);
  at = wkt;
  if (!st && OSRImportFromWkt(srs, &at) == OGRERR_NONE) {
    OSRSetAxisMappingStrategy(srs, OAMS_TRADITIONAL_GIS_ORDER);
    GDALSetSpatialRef(ds, srs);
  } else if (!st) {
    st = sc_memory_is_short() ? sc_fail_nomem(err)
                              : sc_fail(err, SC_BAD_DATA, "unknown CRS: %.100s", crs);
  }
  sc_free(wkt);
  OSRDestroySpatialReference(srs);
  return st;
}

static sc_status set_mask(GDALDatasetH ds, const struct sc_geotiff *image, struct sc_error *err) {
  int w = image->width, h = image->height;
  if (!image->mask) return SC_OK;
  if (GDALCreateDatasetMaskBand(ds, GMF_PER_DATASET) == CE_None &&
      GDALRasterIO(GDALGetMaskBand(GDALGetRasterBand(ds, 1)), GF_Write, 0, 0, w, h,
                   (void *)(size_t)image->mask, w, h, GDT_Byte, 0, 0) == CE_None) {
    return SC_OK;
  }
  return sc_fail(err, SC_UNSUPPORTED, "GDAL cannot make the mask of a GeoTIFF");
}

void sc_picture_describe_bands(GDALDatasetH ds, const struct sc_geotiff *image) {
  for (int i = 0; i < image->n_bands; i++) {
    GDALRasterBandH band = GDALGetRasterBand(ds, i + 1);
    if (image->band_names) GDALSetDescription(band, image->band_names[i]);
    sc_gdal_set_nodata(band, image->dtype, &image->nodata);
    if (image->alpha == i + 1) GDALSetRasterColorInterpretation(band, GCI_AlphaBand);
    if (image->scales && (image->scales[i] != 1 || image->offsets[i] != 0)) {
      GDALSetRasterScale(band, image->scales[i]);
      GDALSetRasterOffset(band, image->offsets[i]);
    }
    if (image->dtype == SC_DTYPE_I8) sc_gdal_sign_bytes(band);
  }
}

/* Does a GeoTIFF in memory say a CRS? GDAL leaves out what its keys cannot hold, without a word. */
static int says_crs(const unsigned char *bytes, size_t n) {
  static const char *const drivers[] = {"GTiff", NULL};
  static atomic_uint counter;
  char path[64];
  snprintf(path, sizeof path, "/vsimem/stacchip-%p-%u", (void *)&counter,
           atomic_fetch_add(&counter, 1));
  VSILFILE *file = VSIFileFromMemBuffer(path, (GByte *)(size_t)bytes, n, FALSE);
  GDALDatasetH ds = file ? GDALOpenEx(path, GDAL_OF_RASTER, drivers, NULL, NULL) : NULL;
  int says = ds && GDALGetSpatialRef(ds) != NULL;
  if (ds) GDALClose(ds);
  if (file) VSIFCloseL(file);
  VSIUnlink(path);
  return says;
}

/* Write the dataset with its CRS, or the horizontal part of it where that alone can be held. */
static sc_status write_geotiff(GDALDatasetH ds, const char *crs, struct sc_buffer *out,
                               struct sc_error *err) {
  char block[32];
  const char *const options[] = {"COMPRESS=DEFLATE", "OVERVIEWS=NONE", block, NULL};
  size_t begin = out->size;
  int width = GDALGetRasterXSize(ds), height = GDALGetRasterYSize(ds);
  int side = ((width > height ? width : height) + 15) / 16 * 16;
  /* GDAL fills blocks up, each band of them: of many bands and few pixels that is all the cost. */
  snprintf(block, sizeof block, "BLOCKSIZE=%d", side < 512 ? side : 512);
  for (int flat = 0; flat < 2; flat++) {
    sc_status st = crs ? sc_picture_set_crs(ds, crs, flat, err) : SC_OK;
    if (!st) st = copy_out(ds, "COG", options, out, err);
    if (st || !crs || says_crs(out->data + begin, out->size - begin)) return st;
    out->size = begin;
  }
  return sc_fail(err, SC_UNSUPPORTED, "a GeoTIFF cannot hold the CRS %.200s", crs);
}

sc_status sc_picture_geotiff(const struct sc_geotiff *image, struct sc_buffer *out,
                             struct sc_error *err) {
  size_t size = sc_dtype_bytes(image->dtype), line = size * (size_t)image->width;
  const double *t = image->transform;
  double gt[6] = {t[2], t[0], t[1], t[5], t[3], t[4]};
  GDALDatasetH ds = NULL;
  struct sc_gdal_scope scope;
  sc_gdal_register();
  sc_gdal_begin(&scope);
  const struct sc_gdal_memory memory = {.pixels = image->pixels,
                                        .type = sc_gdal_type(image->dtype),
                                        .width = image->width,
                                        .height = image->height,
                                        .n_bands = image->n_bands,
                                        .pixel_bytes = size,
                                        .line_bytes = line,
                                        .band_bytes = line * (size_t)image->height};
  sc_status st = sc_gdal_memory_open(&memory, &ds, err);
  if (!st) {
    GDALSetGeoTransform(ds, gt);
    sc_picture_describe_bands(ds, image);
    st = set_mask(ds, image, err);
    if (!st) st = write_geotiff(ds, image->crs, out, err);
    GDALClose(ds);
  }
  sc_gdal_end(&scope);
  return st;
}
