/*
 * The grid of an item: from the projection extension (v1 or v2, item or asset level), or
 * from the raster files where fields are missing. docs/places.md gives the order.
 */
#ifndef SC_INDEX_PROJECTION_H
#define SC_INDEX_PROJECTION_H

#include "base/buffer.h"
#include "base/status.h"
#include "index/grid.h"
#include "stac/item.h"

enum sc_grid_from { SC_GRID_FROM_ITEM, SC_GRID_FROM_ASSET, SC_GRID_FROM_FILE };

/* What an item or asset states of its grid. */
struct sc_projection {
  char *crs; /* owned: authority code, WKT2 or PROJJSON text; NULL where none is stated */
  int has_shape, has_transform;
  int64_t rows, columns;
  double transform[6];
  enum sc_grid_from from; /* where shape and transform were stated */
};

/*
 * The projection fields of an asset, those of the item where it has none. Fields that are
 * null count as not stated. Free out->crs with sc_free().
 */
sc_status sc_projection_read(const struct sc_item *item, const struct sc_asset *asset,
                             struct sc_projection *out, struct sc_error *err);

/* What a grid is of. */
struct sc_grid_source {
  size_t asset; /* position in item->assets */
  enum sc_grid_from from;
};

/*
 * The grid of highest resolution among some assets.
 *
 * assets, n  Positions in item->assets of those that count; none may be repeated.
 * shape      rows, columns where the item states none; 0 0 for none.
 * out        Free with sc_grid_free(), also after an error.
 * source     The asset that gave the grid.
 */
sc_status sc_projection_grid(const struct sc_item *item, const size_t *assets, size_t n,
                             const int64_t shape[2], struct sc_grid *out,
                             struct sc_grid_source *source, struct sc_error *err);

/* Why a file that has no transform but something else has no grid. placed_by: bits of enum
 * sc_placement, not 0. Returns out. */
const char *sc_projection_bent_shown(unsigned placed_by, char *out, size_t n);

#endif
