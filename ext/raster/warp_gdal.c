/*
 * Resampling by GDAL's warper; see warp_gdal.h.
 *
 * HOW IT WORKS  Pixels that were read and judged already become a dataset in memory, with a mask of
 * those that are valid; GDAL opens nothing. Its transformer looks places up that were found by
 * PROJ before, so the warper needs no CRS. Which pixels it made is told by an alpha band beside
 * the values: a nodata value would shift values that equal it.
 */
#include "raster/warp_gdal.h"

#include <cpl_string.h>
#include <gdalwarper.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "raster/gdal.h"
#include "raster/valid.h"

/* Of the alpha band: the warper drops pixels below a density of 0.0001, and the least that it keeps
 * must not be rounded to 0. */
#define ALPHA_MAX "1000000"

#define ROUNDING_PX 1e-7 /* what the last bits of coordinates make of a pixel */

int sc_warp_is_gdal(enum sc_resampling r) { return r > SC_CUBIC && r < SC_GAUSS; }

int sc_warp_takes_cells(enum sc_resampling r) { return r == SC_AVERAGE || r == SC_MODE; }

/*
 * Places on a middle or an edge are on it exactly: the last bits of a place would decide which
 * pixels enter. But a widened lanczos stays a little beyond the middle: from 3.10 on GDAL weighs
 * the pixel whose middle it is 97 times too low, or by what rounding left of its sines; before,
 * both are one place to it.
 */
static double snap(const struct sc_warp_gdal *job, int axis, double at) {
  const int is_widened = job->resampling == SC_LANCZOS && job->scale[axis] < 1;
  double half = round(2 * at) / 2;
  if (!(fabs(at - half) < ROUNDING_PX)) return at;
  return is_widened && half != floor(half) ? half + ROUNDING_PX : half;
}

/*
 * GDAL's transformer, from output pixels to those in memory. The warper asks for middles, or for
 * corners of cells. From 3.9 on it also asks whether places of the file have one in the output:
 * all have, or it would take the valid pixel beside one that is not.
 */
static int find_places(void *context, int to_file, int n, double *x, double *y, double *z,
                       int *ok) {
  const struct sc_warp_gdal *job = context;
  const int more = sc_warp_takes_cells(job->resampling);
  const int width = job->out_width + more, height = job->out_height + more;
  (void)z;
  for (int i = 0; i < n; i++) {
    ok[i] = !to_file || (x[i] >= 0 && y[i] >= 0 && x[i] < width && y[i] < height);
    if (!ok[i] || !to_file) continue;
    size_t at = (size_t)y[i] * (size_t)width + (size_t)x[i];
    x[i] = snap(job, 0, job->x[at] - job->left);
    y[i] = snap(job, 1, job->y[at] - job->top);
    ok[i] = isfinite(x[i]) && isfinite(y[i]);
  }
  return 1;
}

/* --- datasets --- */

static sc_status open_memory(const void *pixels, enum sc_dtype dtype, const int size[2],
                             GDALDatasetH *out, struct sc_error *err) {
  const size_t bytes = sc_dtype_bytes(dtype);
  const struct sc_gdal_memory memory = {.pixels = pixels,
                                        .type = sc_gdal_type(dtype),
                                        .width = size[0],
                                        .height = size[1],
                                        .n_bands = 1,
                                        .pixel_bytes = bytes,
                                        .line_bytes = bytes * (size_t)size[0]};
  return sc_gdal_memory_open(&memory, out, err);
}

static sc_status open_source(const struct sc_warp_gdal *job, const void *pixels, GDALDatasetH *out,
                             struct sc_error *err) {
  const int size[2] = {job->width, job->height};
  sc_status st = open_memory(pixels, job->out_dtype, size, out, err);
  if (st || !job->valid) return st;
  if (GDALCreateDatasetMaskBand(*out, GMF_PER_DATASET) == CE_None &&
      GDALRasterIO(GDALGetMaskBand(GDALGetRasterBand(*out, 1)), GF_Write, 0, 0, size[0], size[1],
                   (void *)(size_t)job->valid, size[0], size[1], GDT_Byte, 0, 0) == CE_None)
    return SC_OK;
  return sc_fail(err, SC_UNSUPPORTED, "GDAL cannot make a mask in memory");
}

static sc_status open_target(const struct sc_warp_gdal *job, GDALDatasetH *out,
                             struct sc_error *err) {
  const int size[2] = {job->out_width, job->out_height};
  sc_status st = open_memory(job->out, job->out_dtype, size, out, err);
  if (st || GDALAddBand(*out, GDT_Float32, NULL) == CE_None) return st;
  return sc_fail(err, SC_UNSUPPORTED, "GDAL cannot make a band in memory");
}

/* --- warping --- */

static GDALResampleAlg gdal_kernel(enum sc_resampling r) {
  switch (r) {
    case SC_CUBIC_SPLINE: return GRA_CubicSpline;
    case SC_LANCZOS: return GRA_Lanczos;
    case SC_AVERAGE: return GRA_Average;
    default: return GRA_Mode;
  }
}

static GDALWarpOptions *make_options(struct sc_warp_gdal *job, const GDALDatasetH datasets[2],
                                     struct sc_error *err) {
  GDALWarpOptions *o = GDALCreateWarpOptions();
  char scale[40];
  o->hSrcDS = datasets[0];
  o->hDstDS = datasets[1];
  o->eResampleAlg = gdal_kernel(job->resampling);
  o->eWorkingDataType = sc_gdal_type(job->out_dtype);
  o->nBandCount = 1;
  o->panSrcBands = CPLMalloc(sizeof *o->panSrcBands);
  o->panDstBands = CPLMalloc(sizeof *o->panDstBands);
  o->panSrcBands[0] = o->panDstBands[0] = 1;
  o->nDstAlphaBand = 2;
  o->pfnTransformer = find_places;
  o->pTransformerArg = job;
  o->pfnProgress = sc_gdal_goes_on;
  o->pProgressArg = err;
  o->papszWarpOptions = CSLSetNameValue(o->papszWarpOptions, "INIT_DEST", "0");
  o->papszWarpOptions = CSLSetNameValue(o->papszWarpOptions, "NUM_THREADS", "1");
  o->papszWarpOptions = CSLSetNameValue(o->papszWarpOptions, "DST_ALPHA_MAX", ALPHA_MAX);
  snprintf(scale, sizeof scale, "%.17g", job->scale[0]);
  o->papszWarpOptions = CSLSetNameValue(o->papszWarpOptions, "XSCALE", scale);
  snprintf(scale, sizeof scale, "%.17g", job->scale[1]);
  o->papszWarpOptions = CSLSetNameValue(o->papszWarpOptions, "YSCALE", scale);
  return o;
}

/* All of the source, to all of the target. */
static int run_operation(const struct sc_warp_gdal *job, const GDALWarpOptions *options) {
  GDALWarpOperationH operation = GDALCreateWarpOperation(options);
  if (!operation) return 0;
  CPLErr result = GDALWarpRegion(operation, 0, 0, job->out_width, job->out_height, 0, 0, job->width,
                                 job->height);
  GDALDestroyWarpOperation(operation);
  return result == CE_None;
}

/* Cells across the seam of a file that goes round the globe have corners at both of its ends. */
static int is_torn(const struct sc_warp_gdal *job, int i, int j) {
  const size_t pitch = (size_t)job->out_width + 1, at = (size_t)j * pitch + (size_t)i;
  const double wide = job->torn_px;
  return fabs(job->x[at + 1] - job->x[at]) > wide || fabs(job->x[at + pitch] - job->x[at]) > wide;
}

static sc_status take_valid(const struct sc_warp_gdal *job, GDALDatasetH target,
                            struct sc_error *err) {
  const int width = job->out_width, height = job->out_height;
  const size_t n = (size_t)width * (size_t)height;
  const int has_cells = sc_warp_takes_cells(job->resampling);
  const struct sc_validity nan = {.dtype = job->out_dtype};
  float *alpha = sc_alloc(n * sizeof *alpha);
  if (!alpha) return sc_fail_nomem(err);
  CPLErr result = GDALRasterIO(GDALGetRasterBand(target, 2), GF_Read, 0, 0, width, height, alpha,
                               width, height, GDT_Float32, 0, 0);
  for (int j = 0; j < height; j++) {
    for (int i = 0; i < width; i++) {
      size_t at = (size_t)j * (size_t)width + (size_t)i;
      job->out_valid[at] = alpha[at] > 0 && !(has_cells && is_torn(job, i, j));
    }
  }
  sc_free(alpha);
  if (job->out_dtype >= SC_DTYPE_F32)
    sc_valid_pixels(&nan, job->out, job->out_dtype, sc_dtype_bytes(job->out_dtype), n,
                    job->out_valid);
  return result == CE_None ? SC_OK : sc_fail(err, SC_UNSUPPORTED, "GDAL lost a band in memory");
}

static sc_status warp(struct sc_warp_gdal *job, const void *pixels, struct sc_error *err) {
  struct sc_gdal_scope scope;
  GDALDatasetH datasets[2] = {NULL, NULL};
  sc_gdal_register();
  sc_gdal_begin(&scope);
  sc_status st = open_source(job, pixels, &datasets[0], err);
  if (!st) st = open_target(job, &datasets[1], err);
  if (!st) {
    GDALWarpOptions *options = make_options(job, datasets, err);
    int ok = run_operation(job, options);
    GDALDestroyWarpOptions(options);
    st = sc_interrupt_check(err);
    if (!st && !ok) st = sc_source_fail(job->source, SC_IO, err, "warping failed", scope.text);
  }
  if (!st) st = take_valid(job, datasets[1], err);
  for (int i = 0; i < 2; i++) {
    if (datasets[i]) GDALClose(datasets[i]);
  }
  sc_gdal_end(&scope);
  return st;
}

sc_status sc_warp_by_gdal(struct sc_warp_gdal *job, struct sc_error *err) {
  const size_t n = (size_t)job->out_width * (size_t)job->out_height;
  const size_t n_from = (size_t)job->width * (size_t)job->height;
  void *wider = NULL;
  /* GDAL 3.6 takes signed bytes for unsigned ones. */
  job->out_dtype = job->dtype == SC_DTYPE_I8 ? SC_DTYPE_I16 : job->dtype;
  const size_t bytes = sc_dtype_bytes(job->out_dtype);
  job->out = sc_alloc_zero(n, bytes + 1);
  job->out_valid = (uint8_t *)job->out + n * bytes;
  sc_status st = job->out ? SC_OK : sc_fail_nomem(err);
  if (!st && job->dtype == SC_DTYPE_I8) {
    wider = sc_alloc(n_from * bytes);
    if (!wider) st = sc_fail_nomem(err);
    if (wider) sc_gdal_convert(job->pixels, SC_DTYPE_I8, 1, wider, job->out_dtype, bytes, n_from);
  }
  if (!st) st = warp(job, wider ? wider : job->pixels, err);
  sc_free(wider);
  if (st) {
    sc_free(job->out);
    job->out = NULL;
  }
  return st;
}
