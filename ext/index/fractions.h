/*
 * Cloud and nodata fractions of every chip of a scene, counted from its mask.
 */
#ifndef SC_INDEX_FRACTIONS_H
#define SC_INDEX_FRACTIONS_H

#include "base/status.h"
#include "index/index.h"
#include "index/scene.h"

/*
 * cloud, nodata  n_cols * n_rows fractions 0..1 of all pixels of the chip, row by row; NaN
 *                where they are unknown. What leaves the grid (edge "pad") counts as nodata.
 */
sc_status sc_fractions(const struct sc_index_call *call, const struct sc_scene *scene,
                       const struct sc_tiling *tiling, double *cloud, double *nodata,
                       struct sc_error *err);

#endif
