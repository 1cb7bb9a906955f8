/*
 * Resampling at places that are no grid of the file: nearest, bilinear and cubic, as GDAL's warper
 * has them (alg/gdalwarpkernel.cpp, GRA_NearestNeighbour, GRA_Bilinear, GRA_Cubic): pixels that are
 * not valid or lie outside are left out and the weights of the others made to sum to 1; where the
 * output is coarser than the file the kernel is widened.
 *
 * THREADS  Everything is the caller's; sc_warp_taps of a thread belongs to it alone.
 */
#ifndef SC_RASTER_WARP_KERNEL_H
#define SC_RASTER_WARP_KERNEL_H

#include "base/status.h"
#include "raster/raster_api.h"

struct sc_warp_kernel {
  enum sc_resampling resampling; /* others than nearest, bilinear and cubic: see warp_gdal.h */
  int is_plain;                  /* not widened */
  double scale[2];               /* 1, or less: the kernel is 1 / scale as wide; x and y */
  int radius[2];                 /* pixels on either side; 0 of nearest */
};

/* scale: output pixels to a pixel of the file, along x and y; above 1 is as 1. */
struct sc_warp_kernel sc_warp_kernel_make(enum sc_resampling resampling, const double scale[2]);

/* A part of a band, in memory. */
struct sc_warp_plane {
  int left, top, width, height; /* pixels of the file */
  const void *values;           /* float, or double where is_wide; of nearest the file's type */
  int is_wide, may_be_nan;
  const uint8_t *valid; /* of each pixel; NULL: all are */
};

/* What the pixels of one output row take of planes of one place and size. Zeroed is empty. */
struct sc_warp_taps {
  const struct sc_warp_kernel *kernel;
  int n, width, height;  /* pixels of the row; of the planes */
  int32_t *column, *row; /* of the first tap, in the plane; nearest: of the pixel */
  uint8_t *reach;        /* enum sc_warp_reach of each pixel */
  double *x, *y; /* from the first tap's middle, or (plain bilinear) the share of the second */
  float *narrow; /* weights along x, then y, of each pixel, for planes of floats */
  double *wide;  /* the same for doubles */
};
enum sc_warp_reach { SC_WARP_OUTSIDE = 0, SC_WARP_EDGE, SC_WARP_INSIDE };

sc_status sc_warp_taps_init(const struct sc_warp_kernel *kernel, int n, struct sc_warp_taps *out,
                            struct sc_error *err);
void sc_warp_taps_free(struct sc_warp_taps *taps);

/* Lay taps for n places x, y (pixels of the file, NaN for none) of a file of file_width x
 * file_height pixels. plane: place and size of the planes. */
struct sc_warp_file {
  int width, height;
};
void sc_warp_taps_lay(struct sc_warp_taps *taps, const double *x, const double *y,
                      struct sc_warp_file file, const struct sc_warp_plane *plane);
/* Make the weights for planes of floats, or of doubles. */
void sc_warp_taps_weigh(struct sc_warp_taps *taps, int is_wide);

/*
 * One row of a band by a kernel other than nearest.
 *
 * out    n floats or doubles, as the plane's values are; `fill` where no valid pixel entered.
 * valid  1 where one entered, else 0.
 */
void sc_warp_row(const struct sc_warp_taps *taps, const struct sc_warp_plane *plane, double fill,
                 void *out, uint8_t *valid);
/* Nearest: values of `size` bytes; those that are not valid are left as they are. */
void sc_warp_row_nearest(const struct sc_warp_taps *taps, const struct sc_warp_plane *plane,
                         size_t size, void *out, uint8_t *valid);

#endif
