/*
 * GDAL, held to what docs/security.md promises: four drivers, no sidecar files, no PAM, no
 * external overviews, errors as text and never on stderr.
 */
#ifndef SC_RASTER_GDAL_H
#define SC_RASTER_GDAL_H

#include <gdal.h>

#include "base/status.h"
#include "raster/raster_api.h"

/* Collects GDAL's complaints of one thread between begin and end; nests. Also sets the
 * thread's configuration that keeps GDAL from looking beside the file. */
struct sc_gdal_scope {
  char text[512]; /* the first failure since begin, or "" */
  char *saved_readdir, *saved_pam;
};
void sc_gdal_begin(struct sc_gdal_scope *scope);
void sc_gdal_end(struct sc_gdal_scope *scope);

/* A progress callback for GDAL: stops it where the thread is interrupted; its data, a struct
 * sc_error *, then has SC_INTERRUPT. */
int CPL_STDCALL sc_gdal_goes_on(double done, const char *text, void *err);

/* Register the drivers that we use, once. */
void sc_gdal_register(void);

/* Fail with "item X: asset Y: href: what: reason"; reason may be "". */
sc_status sc_source_fail(const struct sc_source *source, sc_status status, struct sc_error *err,
                         const char *what, const char *reason);

/*
 * A dataset of the source for the calling thread alone, from a bounded pool or opened anew.
 * Give it back with sc_gdal_release(); `broken` closes it.
 */
sc_status sc_gdal_acquire(const struct sc_source *source, GDALDatasetH *out, struct sc_error *err);
void sc_gdal_release(const struct sc_source *source, GDALDatasetH dataset, int broken);

/* Forget all pooled datasets: in the child after fork() they belong to the parent. */
void sc_gdal_abandon(void);

enum sc_dtype sc_gdal_dtype(GDALRasterBandH band);
GDALDataType sc_gdal_type(enum sc_dtype dtype);
/* Make a band of GDAL's type for SC_DTYPE_I8 one of signed bytes, where the type does not say it.
 */
void sc_gdal_sign_bytes(GDALRasterBandH band);

sc_status sc_gdal_info(const struct sc_source *source, struct sc_raster_info *out,
                       struct sc_error *err);
void sc_gdal_info_free(struct sc_raster_info *info);

/* SC_BAD_DATA where a file of width x height pixels is not what a read expects. */
sc_status sc_gdal_check_size(const struct sc_read *read, int width, int height,
                             struct sc_error *err);

/* Which overview of a band GDAL's warper would take. */
struct sc_gdal_overview {
  int number; /* 0: none, its own pixels */
  int width, height;
};
/* The coarsest one whose pixels are no larger than `ratio` of the file's (-ovr AUTO of gdalwarp); a
 * tenth of a pixel does not count. Only GeoTIFFs are asked. */
sc_status sc_gdal_find_overview(const struct sc_source *source, int band, double ratio,
                                struct sc_gdal_overview *out, struct sc_error *err);

/* One window read by GDAL; the reference of the block reader, and what reads where it cannot. */
sc_status sc_gdal_read(const struct sc_read *read, struct sc_error *err);

/*
 * The same of a dataset that is held, within a scope: of one band, or of SC_BAND_VALIDITY.
 * Its size is not compared.
 */
sc_status sc_gdal_read_band(GDALDatasetH dataset, const struct sc_read *read,
                            const struct sc_gdal_scope *scope, struct sc_error *err);

/* Pixels in memory, which the caller keeps while the dataset of them is open. */
struct sc_gdal_memory {
  const void *pixels;
  GDALDataType type;
  int width, height, n_bands;
  size_t pixel_bytes, line_bytes, band_bytes; /* from one to the next */
};
sc_status sc_gdal_memory_open(const struct sc_gdal_memory *memory, GDALDatasetH *out,
                              struct sc_error *err);

/* Declare it, unless it is not set. dtype: of the band. */
void sc_gdal_set_nodata(GDALRasterBandH band, enum sc_dtype dtype, const struct sc_nodata *nodata);

/*
 * Convert n values; strides in bytes. What a type cannot hold becomes its nearest value; reals are
 * rounded to the nearest integer, halves away from zero, and NaN becomes 0, from either real type
 * to every integer type.
 */
void sc_gdal_convert(const void *from, enum sc_dtype from_type, size_t from_stride, void *to,
                     enum sc_dtype to_type, size_t to_stride, size_t n);

/* Does the conversion differ from what GDAL makes of it? Then pixels are read in their own type. */
int sc_gdal_casts(enum sc_dtype from, enum sc_dtype to);

#endif
