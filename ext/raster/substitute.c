/* Resampling by our notion of valid pixels; see substitute.h. */
#include "raster/substitute.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "raster/valid.h"

/* The widest kernel reaches so many pixels of the file, or of the output where that is coarser. */
#define REACH_PX 4

/* GDAL's mask of the band comes from nodata, alpha or a mask of the file alone. */
static int is_same_mask(GDALRasterBandH band, const struct sc_validity *v) {
  int flags = GDALGetMaskFlags(band), has = 0;
  if (v->is_alpha) return 1; /* transparent is a value of alpha like others */
  if (flags & GMF_ALL_VALID) return !v->nodata.is_set && !sc_valid_by_mask(v);
  if (flags & GMF_ALPHA)
    return v->alpha == GDALGetRasterCount(GDALGetBandDataset(band)) && !v->mask &&
           !v->nodata.is_set;
  if (!(flags & GMF_NODATA) || flags & GMF_PER_DATASET)
    return v->mask && !v->alpha && !v->nodata.is_set;
  if (v->dtype == SC_DTYPE_I64 || v->dtype == SC_DTYPE_U64) return !sc_valid_by_mask(v);
  double nodata = GDALGetRasterNoDataValue(band, &has);
  int same = nodata == v->nodata.value || (isnan(nodata) && isnan(v->nodata.value));
  return has && v->nodata.is_set && same && !sc_valid_by_mask(v);
}

int sc_substitute_is_due(GDALRasterBandH band, const struct sc_read *r) {
  int is_plain = r->width == r->out_width && r->height == r->out_height && r->x == floor(r->x) &&
                 r->y == floor(r->y);
  if (!r->validity || r->resampling == SC_NEAREST || r->coarse || is_plain) return 0;
  if (sc_dtype_is_complex(r->validity->dtype)) return 0; /* GDAL's kernels know no mask of them */
  /* GDAL 3.6 takes signed bytes for unsigned ones. */
  return r->validity->dtype == SC_DTYPE_I8 || !is_same_mask(band, r->validity);
}

/* A window of the file at its own resolution, with all that a kernel may look at; no pixels: empty.
 */
static struct sc_read window_of(GDALDatasetH ds, const struct sc_read *r) {
  double reach_x = REACH_PX * fmax(1, r->width / r->out_width) + 1;
  double reach_y = REACH_PX * fmax(1, r->height / r->out_height) + 1;
  struct sc_read w = *r;
  w.x = fmax(0, floor(r->x - reach_x));
  w.y = fmax(0, floor(r->y - reach_y));
  w.width = fmin(GDALGetRasterXSize(ds), ceil(r->x + r->width + reach_x)) - w.x;
  w.height = fmin(GDALGetRasterYSize(ds), ceil(r->y + r->height + reach_y)) - w.y;
  w.out_width = (int)fmax(0, w.width);
  w.out_height = (int)fmax(0, w.height);
  w.resampling = SC_NEAREST;
  w.dtype = r->validity->dtype == SC_DTYPE_I8 ? SC_DTYPE_I16 : r->validity->dtype;
  w.row_bytes = sc_dtype_bytes(w.dtype) * (size_t)w.out_width;
  return w;
}

static sc_status read_valid(GDALDatasetH ds, const struct sc_read *w, uint8_t *valid,
                            const struct sc_gdal_scope *scope, struct sc_error *err) {
  struct sc_read mask = *w;
  struct sc_validity v = *w->validity;
  size_t n = (size_t)w->out_width * (size_t)w->out_height;
  v.dtype = w->dtype;
  mask.band = SC_BAND_VALIDITY;
  mask.dtype = SC_DTYPE_U8;
  mask.row_bytes = (size_t)w->out_width;
  mask.out = valid;
  sc_status st = sc_gdal_read_band(ds, &mask, scope, err);
  if (!st) sc_valid_pixels(&v, w->out, w->dtype, sc_dtype_bytes(w->dtype), n, valid);
  return st;
}

/* Give the copy its mask, and the nodata value for where no valid pixel enters a result. */
static sc_status declare(GDALDatasetH copy, const struct sc_read *w, const uint8_t *valid,
                         struct sc_error *err) {
  GDALRasterBandH band = GDALGetRasterBand(copy, 1);
  int columns = w->out_width, rows = w->out_height;
  sc_gdal_set_nodata(band, w->dtype, &w->validity->nodata);
  if (!memchr(valid, 0, (size_t)columns * (size_t)rows)) return SC_OK;
  if (GDALCreateDatasetMaskBand(copy, GMF_PER_DATASET) == CE_None &&
      GDALRasterIO(GDALGetMaskBand(band), GF_Write, 0, 0, columns, rows, (void *)(size_t)valid,
                   columns, rows, GDT_Byte, 0, 0) == CE_None)
    return SC_OK;
  return sc_fail(err, SC_UNSUPPORTED, "GDAL cannot make a mask in memory");
}

static sc_status resample(GDALDatasetH ds, const struct sc_read *r, struct sc_read *w,
                          uint8_t *valid, const struct sc_gdal_scope *scope, struct sc_error *err) {
  const size_t bytes = sc_dtype_bytes(w->dtype);
  const struct sc_gdal_memory memory = {.pixels = w->out,
                                        .type = sc_gdal_type(w->dtype),
                                        .width = w->out_width,
                                        .height = w->out_height,
                                        .n_bands = 1,
                                        .pixel_bytes = bytes,
                                        .line_bytes = w->row_bytes};
  struct sc_read from_copy = *r;
  GDALDatasetH copy = NULL;
  sc_status st = sc_gdal_read_band(ds, w, scope, err);
  if (!st) st = read_valid(ds, w, valid, scope, err);
  if (!st) st = sc_gdal_memory_open(&memory, &copy, err);
  if (!st) st = declare(copy, w, valid, err);
  from_copy.band = 1;
  from_copy.validity = NULL;
  from_copy.x -= w->x;
  from_copy.y -= w->y;
  if (!st) st = sc_gdal_read_band(copy, &from_copy, scope, err);
  if (copy) GDALClose(copy);
  return st;
}

sc_status sc_substitute_read(GDALDatasetH ds, const struct sc_read *r,
                             const struct sc_gdal_scope *scope, struct sc_error *err) {
  struct sc_read w = window_of(ds, r), plain = *r;
  plain.validity = NULL;
  if (w.out_width == 0 || w.out_height == 0) return sc_gdal_read_band(ds, &plain, scope, err);
  w.out = sc_alloc(w.row_bytes * (size_t)w.out_height);
  uint8_t *valid = sc_alloc((size_t)w.out_width * (size_t)w.out_height);
  sc_status st = w.out && valid ? resample(ds, r, &w, valid, scope, err) : sc_fail_nomem(err);
  sc_free(valid);
  sc_free(w.out);
  return st;
}
