/*
 * Chip corners -> footprint polygon in longitude and latitude: antimeridian, poles, ring
 * direction. Pure arithmetic; the corners are projected by the caller.
 */
#ifndef SC_INDEX_FOOTPRINT_H
#define SC_INDEX_FOOTPRINT_H

#include "index/geometry.h"

/*
 * The footprint of a chip from its corners.
 *
 * lon, lat    Degrees, in ring order (either direction), not closed. Longitudes of any
 *             multiple of 360; NaN where the corner has no place.
 * geographic  Nonzero when longitudes are the grid's own, so that a difference of more than
 *             180 degrees is a wide chip and not a crossing of the antimeridian.
 * Returns     1, or 0 when the chip has no place: a NaN, a latitude beyond a pole (tolerance
 *             1e-9 degrees), or no area.
 *
 * A ring that crosses the antimeridian is cut there into parts within [-180, 180]; a ring
 * round a pole covers it. Rings are closed and counter-clockwise.
 */
int sc_footprint_from_corners(const double lon[4], const double lat[4], int geographic,
                              struct sc_footprint *out);

/*
 * The same from any ring, whose longitudes do not jump.
 *
 * n      Points, at most SC_RING_MAX_POINTS.
 * turn   Longitude of the first point, come round, less itself: 0, or +-360 round a pole, which the
 *        ring's latitudes tell. Such a footprint is one polygon from -180 to 180 degrees.
 */
#define SC_RING_MAX_POINTS 56
int sc_footprint_from_ring(const double *lon, const double *lat, int n, double turn,
                           struct sc_footprint *out);

/* The longitude that stands for `lon` nearest to `near`; degrees. */
double sc_nearest_turn(double lon, double near);

/*
 * Are two boxes those of one chip, by two programs? They may differ by 1e-4 degrees of latitude
 * (11 m; datums are shifted by metres, or not) or a quarter of the chip, whichever is less. Where
 * one goes round the globe only latitudes are compared: programs differ in how they cut.
 */
int sc_box_is_same_chip(const struct sc_box *a, const struct sc_box *b);

#endif
