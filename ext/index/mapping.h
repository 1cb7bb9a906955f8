/*
 * Where a place of the grid lies in the pixels of an asset of another resolution: exact
 * registration, from both transforms.
 */
#ifndef SC_INDEX_MAPPING_H
#define SC_INDEX_MAPPING_H

#include "base/status.h"
#include "index/scene.h"
#include "raster/raster_api.h"

/* Asset pixels from grid pixels: column = scale[0] * col + offset[0], row likewise. */
struct sc_mapping {
  double scale[2], offset[2];
  unsigned bent; /* enum sc_placement bits: the file has control points or the like, and only the
                    item says that its pixels are a grid: they can be read, not placed */
};

/* The asset's pixel at one of the grid, of axis 0 (columns) or 1 (rows). A coordinate within a
 * millionth of a pixel of an edge is on it: transforms are rounded. */
double sc_mapping_at(const struct sc_mapping *mapping, int axis, double grid_px);

/*
 * The mapping of an asset, whose file says `info` of itself. SC_BAD_DATA where its CRS is not
 * the grid's, where it shares no place with the grid, or where nothing says where its pixels lie:
 * no transform, and none in the item or one for another shape. SC_UNSUPPORTED where it is rotated
 * or mirrored against the grid.
 */
sc_status sc_mapping_find(const struct sc_scene *scene, const struct sc_asset *asset,
                          const struct sc_raster_info *info, const struct sc_source *source,
                          struct sc_mapping *out, struct sc_error *err);

/* Where only control points or the like place the file: SC_BAD_DATA that names them. */
sc_status sc_mapping_check_placed(const struct sc_mapping *mapping, const struct sc_source *source,
                                  struct sc_error *err);

#endif
