/*
 * Does a grid lie where the item and its files say? Nothing here opens files.
 *
 * A place comes from the item and is checked against what else is known of it: the item's own
 * bbox and geometry, and the file's CRS, transform and shape. What contradicts is an error or a
 * warning that names both, never a stretch.
 */
#ifndef SC_INDEX_PLACE_H
#define SC_INDEX_PLACE_H

#include <stddef.h>

#include "base/status.h"
#include "index/grid.h"
#include "stac/item.h"

/*
 * Is `crs` that of the grid? It is where PROJ calls the two equivalent, whatever their spelling,
 * axis order or height; and where PROJ puts corners and middle of the grid within a hundredth of
 * a pixel of the same place, since files name one and the same system in many ways, and many
 * have no code. A CRS that has no place on the globe (local, engineering) contradicts none.
 */
int sc_place_same_crs(const struct sc_grid *grid, const char *crs);

/* A CRS for a message: the text, or of WKT and PROJJSON the name. Returns out. */
const char *sc_place_crs_shown(const char *crs, char *out, size_t n);

/* "[a, b, c, d, e, f]" with every digit that counts; n >= SC_TRANSFORM_TEXT. Returns out. */
#define SC_TRANSFORM_TEXT 160
const char *sc_place_transform_shown(const double transform[6], char *out, size_t n);

/*
 * Compare a grid with the item's bbox and geometry.
 *
 * stated   Nonzero: the grid is the item's word. 0: its file's, which the item cannot put right.
 * warning  Out: what a person should know, or NULL; freed with sc_free().
 * Returns  SC_BAD_DATA that names proj:transform where it is in GDAL's order ([x, width, 0, y, 0,
 *          height], known by the place that it gives then), or where a stated grid lies in
 *          latitudes that neither bbox nor geometry has. Where only longitudes differ, as with a
 *          wrong UTM zone, or where bbox and geometry contradict each other, that is a warning.
 */
sc_status sc_place_check(const struct sc_item *item, const struct sc_grid *grid, int stated,
                         char **warning, struct sc_error *err);

#endif
