/*
 * Resampling by our notion of valid pixels (valid.h). GDAL's kernels leave out the pixels that
 * its own mask of a band calls invalid. Where that is not what counts (the item states nodata,
 * alpha is near infrared, a mask and nodata add up), they are given a copy of the window, in
 * memory, with the mask that does.
 */
#ifndef SC_RASTER_SUBSTITUTE_H
#define SC_RASTER_SUBSTITUTE_H

#include "raster/gdal.h"

/* Must a resampled read of the band have one? 0 too where the read does not say what counts. */
int sc_substitute_is_due(GDALRasterBandH band, const struct sc_read *read);

/* The read of a band of `dataset`, resampled from a copy. `scope` is open. */
sc_status sc_substitute_read(GDALDatasetH dataset, const struct sc_read *read,
                             const struct sc_gdal_scope *scope, struct sc_error *err);

#endif
