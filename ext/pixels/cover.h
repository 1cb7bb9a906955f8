/*
 * Which pixels of a window the polygons of a shape cover, and by how much.
 *
 * SHARE    the exact part of each pixel's area, 0..1: exactextract's coverage fraction. One below
 *          1e-9 is none, and one that near to 1 is 1.
 * CENTRE   1 where the middle of the pixel lies inside, else 0, as GDAL burns polygons and
 *          rasterio.features.geometry_mask() has it.
 * TOUCHED  CENTRE, and 1 as well where an edge passes through the pixel: GDAL's ALL_TOUCHED.
 *
 * Rings may run either way round. What is not valid has an answer, too: where polygons overlap or a
 * ring crosses itself, SHARE covers a pixel once, whatever the number of turns, but for the pixel
 * in which it crosses itself, where areas of opposite turn cancel; CENTRE and TOUCHED count by even
 * and odd, as GDAL.
 */
#ifndef SC_PIXELS_COVER_H
#define SC_PIXELS_COVER_H

#include "base/status.h"
#include "index/grid.h"
#include "index/mapping.h"
#include "index/shape.h"

enum sc_cover_rule { SC_COVER_CENTRE, SC_COVER_TOUCHED, SC_COVER_SHARE };

/*
 * The cover of the shape's polygons; its points and lines do not count.
 *
 * shape    In pixels of a grid.
 * mapping  From these to the pixels of the raster that the window is of.
 * share    out: [window height][window width], 0..1.
 */
sc_status sc_cover_find(const struct sc_shape *shape, const struct sc_mapping *mapping,
                        enum sc_cover_rule rule, const struct sc_window *window, double *share,
                        struct sc_error *err);

/* Area, in pixels, of what lies outside a raster of width x height pixels; what overlaps counts
 * twice. */
sc_status sc_cover_area_outside(const struct sc_shape *shape, const struct sc_mapping *mapping,
                                int width, int height, double *out, struct sc_error *err);

/* Box of all parts in pixels of the raster; empty (min above max) where there are none. */
struct sc_box sc_cover_box(const struct sc_shape *shape, const struct sc_mapping *mapping);

#endif
