/*
 * Resampling at places that are no grid of the file by the kernels that warp_kernel.h has not:
 * those of GDAL's warper, cubicspline, lanczos, average and mode.
 *
 * THREADS  Everything of a call is its own; any thread may call.
 */
#ifndef SC_RASTER_WARP_GDAL_H
#define SC_RASTER_WARP_GDAL_H

#include "base/status.h"
#include "raster/raster_api.h"

int sc_warp_is_gdal(enum sc_resampling resampling);
/* Does it take whole cells, from corner to corner, and not what lies around their middles? */
int sc_warp_takes_cells(enum sc_resampling resampling);

/* A band's part of a file in memory, and the output pixels to make of it. */
struct sc_warp_gdal {
  enum sc_resampling resampling; /* one that sc_warp_is_gdal() */
  const double *scale;           /* as of sc_warp_kernel_make() */
  const struct sc_source *source;
  enum sc_dtype dtype;
  const void *pixels;   /* [height][width] of dtype */
  const uint8_t *valid; /* of each; NULL: all are */
  int left, top, width, height;
  /* Where the middles of output pixels lie, [out_height][out_width], or the corners of cells,
   * [out_height + 1][out_width + 1]; pixels of the file, NaN: nowhere. */
  const double *x, *y;
  int out_width, out_height;
  double torn_px;          /* a cell so wide has corners on two turns of the globe, and no value */
  enum sc_dtype out_dtype; /* out: of the values, dtype but for signed bytes: SC_DTYPE_I16 */
  void *out;               /* out: [out_height][out_width], for sc_free() */
  uint8_t *out_valid;      /* out: 1 where a valid pixel entered, else 0; lies in `out` */
};

/* Nothing to free after a failure. */
sc_status sc_warp_by_gdal(struct sc_warp_gdal *job, struct sc_error *err);

#endif
