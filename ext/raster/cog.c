/*
 * A Cloud Optimized GeoTIFF from tiles that come in any order.
 *
 * HOW IT WORKS  GDAL's COG driver copies a whole dataset. Tiles therefore go into a plain tiled
 * GeoTIFF first, whose blocks are the tiles: each is written once, none is read to be filled up,
 * and those that nobody writes take no room.
 */
#include "raster/cog.h"

#include <cpl_string.h>
#include <stdio.h>

#include "base/alloc.h"
#include "raster/gdal.h"
#include "raster/picture.h"
#include "raster/runtime.h"

struct sc_cog {
  GDALDatasetH tiles;
  GDALDataType type;
  size_t value_bytes;
  int n_bands;
};

static sc_status fail_gdal(const struct sc_gdal_scope *scope, const char *what,
                           struct sc_error *err) {
  if (err->status == SC_INTERRUPT) return SC_INTERRUPT;
  return sc_fail(err, SC_IO, "%s: %s", what, scope->text);
}

/* A dataset of the image's shape, CRS and bands at folder/tiles.tif. */
static sc_status create_tiles(struct sc_cog *cog, const struct sc_geotiff *image,
                              const char *folder, struct sc_error *err) {
  char tile[2][32];
  const char *const options[] = {"TILED=YES",      tile[0],       tile[1],
                                 "SPARSE_OK=TRUE", "BIGTIFF=YES", NULL};
  const double *t = image->transform;
  double gt[6] = {t[2], t[0], t[1], t[5], t[3], t[4]};
  struct sc_gdal_scope scope;
  char *path = NULL;
  sc_status st = sc_format(&path, err, "%s/tiles.tif", folder);
  if (st) return st;
  snprintf(tile[0], sizeof tile[0], "BLOCKXSIZE=%d", SC_COG_TILE_PX);
  snprintf(tile[1], sizeof tile[1], "BLOCKYSIZE=%d", SC_COG_TILE_PX);
  sc_gdal_begin(&scope);
  cog->tiles = GDALCreate(GDALGetDriverByName("GTiff"), path, image->width, image->height,
                          image->n_bands, cog->type, (CSLConstList)(size_t)options);
  if (!cog->tiles) st = fail_gdal(&scope, path, err);
  if (!st) {
    GDALSetGeoTransform(cog->tiles, gt);
    sc_picture_describe_bands(cog->tiles, image);
    st = image->crs ? sc_picture_set_crs(cog->tiles, image->crs, 1, err) : SC_OK;
  }
  sc_gdal_end(&scope);
  sc_free(path);
  return st;
}

sc_status sc_cog_create(const struct sc_geotiff *image, const char *folder, struct sc_cog **out,
                        struct sc_error *err) {
  struct sc_cog *cog = sc_alloc_zero(1, sizeof *cog);
  *out = NULL;
  if (!cog) return sc_fail_nomem(err);
  sc_gdal_register();
  cog->type = sc_gdal_type(image->dtype);
  cog->value_bytes = sc_dtype_bytes(image->dtype);
  cog->n_bands = image->n_bands;
  sc_status st = create_tiles(cog, image, folder, err);
  if (st) {
    sc_cog_close(cog);
    return st;
  }
  *out = cog;
  return SC_OK;
}

sc_status sc_cog_put(struct sc_cog *cog, int x, int y, int width, int height, const void *pixels,
                     struct sc_error *err) {
  struct sc_gdal_scope scope;
  sc_status st = SC_OK;
  sc_gdal_begin(&scope);
  if (GDALDatasetRasterIO(cog->tiles, GF_Write, x, y, width, height, (void *)(size_t)pixels, width,
                          height, cog->type, cog->n_bands, NULL, 0, 0, 0) != CE_None) {
    st = fail_gdal(&scope, "writing a tile", err);
  }
  sc_gdal_end(&scope);
  return st;
}

sc_status sc_cog_finish(struct sc_cog *cog, const char *path, int is_classes,
                        struct sc_error *err) {
  char threads[32];
  const char *const options[] = {
      "COMPRESS=DEFLATE",
      "PREDICTOR=YES",
      "BIGTIFF=IF_SAFER",
      is_classes ? "OVERVIEW_RESAMPLING=NEAREST" : "OVERVIEW_RESAMPLING=AVERAGE",
      threads,
      NULL};
  struct sc_gdal_scope scope;
  sc_status st = SC_OK;
  snprintf(threads, sizeof threads, "NUM_THREADS=%d", sc_runtime_threads());
  sc_gdal_begin(&scope);
  GDALDatasetH copy = GDALCreateCopy(GDALGetDriverByName("COG"), path, cog->tiles, 0,
                                     (CSLConstList)(size_t)options, sc_gdal_goes_on, err);
  if (!copy) st = fail_gdal(&scope, "writing the GeoTIFF", err);
  if (copy) GDALClose(copy);
  if (!st && scope.text[0]) st = fail_gdal(&scope, "writing the GeoTIFF", err);
  sc_gdal_end(&scope);
  return st;
}

void sc_cog_close(struct sc_cog *cog) {
  struct sc_gdal_scope scope;
  if (!cog) return;
  sc_gdal_begin(&scope);
  if (cog->tiles) GDALClose(cog->tiles);
  sc_gdal_end(&scope);
  sc_free(cog);
}
