/*
 * Chip footprints as bytes: SpatiaLite BLOBs and WKB of POLYGON and MULTIPOLYGON, XY only.
 *
 * SpatiaLite's BLOB format: https://www.gaia-gis.it/gaia-sins/BLOB-Geometry.html
 * WKB: OGC 06-103r4, section 8. Rings are closed, counter-clockwise, longitude before
 * latitude, in degrees of EPSG:4326.
 */
#ifndef SC_INDEX_GEOMETRY_H
#define SC_INDEX_GEOMETRY_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"

#define SC_SRID_LONLAT 4326
#define SC_FOOTPRINT_MAX_POINTS 64
#define SC_FOOTPRINT_MAX_PARTS 4

struct sc_box {
  double min_x, min_y, max_x, max_y;
};

/* Do two boxes share a point? False of a box with a NaN. */
static inline int sc_boxes_meet(const struct sc_box *a, const struct sc_box *b) {
  return a->min_x <= b->max_x && a->max_x >= b->min_x && a->min_y <= b->max_y &&
         a->max_y >= b->min_y;
}

/* One or more polygons without holes; a ring's first point is repeated as its last. */
struct sc_footprint {
  int n_parts;
  struct {
    int n_points;
    double xy[SC_FOOTPRINT_MAX_POINTS][2];
  } parts[SC_FOOTPRINT_MAX_PARTS];
};

/* Bounding box of one part; of all parts. */
struct sc_box sc_footprint_part_box(const struct sc_footprint *f, int part);
struct sc_box sc_footprint_box(const struct sc_footprint *f);

/*
 * Append a SpatiaLite BLOB: POLYGON for one part, MULTIPOLYGON for several, or always
 * MULTIPOLYGON when as_multi is set.
 */
sc_status sc_footprint_to_blob(const struct sc_footprint *f, int as_multi, struct sc_buffer *out,
                               struct sc_error *err);

/* Append little-endian WKB of the same. */
sc_status sc_footprint_to_wkb(const struct sc_footprint *f, int as_multi, struct sc_buffer *out,
                              struct sc_error *err);

/*
 * Read a SpatiaLite BLOB of a POLYGON or MULTIPOLYGON (any byte order, hostile bytes).
 * SC_BAD_DATA where it is something else, has no polygon, or is too large for the struct; *srid
 * gets its SRID.
 */
sc_status sc_footprint_from_blob(const void *blob, size_t size, struct sc_footprint *out, int *srid,
                                 struct sc_error *err);

/* Read WKB or EWKB of a POLYGON or MULTIPOLYGON, dimensions beyond XY dropped. */
sc_status sc_footprint_from_wkb(const void *wkb, size_t size, struct sc_footprint *out,
                                struct sc_error *err);

/* The MBR in the head of any SpatiaLite geometry BLOB. SC_BAD_DATA where the bytes are something
 * else. */
sc_status sc_blob_box(const void *blob, size_t size, struct sc_box *out, int *srid,
                      struct sc_error *err);

/*
 * Nearly every chip is one polygon of one ring, little-endian: then its bytes from the type on, the
 * same in a SpatiaLite BLOB and in WKB, are copied instead of read. That saves 3 % of an
 * export and 13 % of a read (0.03 s a million), and is how a rectangle is recognised.
 *
 * type     3
 * n_rings  1
 * n        points, 4 to SC_FOOTPRINT_MAX_POINTS
 * xy       n points at SC_POLYGON_POINTS_AT, 16 bytes each
 */
#define SC_POLYGON_POINTS_AT 12
/* Such a polygon in a SpatiaLite POLYGON, or MULTIPOLYGON of one part; else 0. Its coordinates may
 * be anything. */
int sc_blob_polygon(const void *blob, size_t size, struct sc_view *out);
/* The same in WKB of a POLYGON. */
int sc_wkb_polygon(const void *wkb, size_t size, struct sc_view *out);
/* The number of its points, and its box: 0 where a coordinate is not a finite number. */
static inline size_t sc_polygon_n_points(struct sc_view polygon) {
  return (polygon.size - SC_POLYGON_POINTS_AT) / 16;
}
int sc_polygon_box(struct sc_view polygon, struct sc_box *out);
/* Replace `out` by the polygon as a SpatiaLite BLOB. */
sc_status sc_polygon_to_blob(struct sc_view polygon, const struct sc_box *box, int srid,
                             struct sc_buffer *out, struct sc_error *err);
/* Is it its own box: five points, each at a corner, in order? */
int sc_polygon_is_box(struct sc_view polygon, const struct sc_box *box);

/*
 * SC_OK where a SpatiaLite BLOB of any geometry type is whole: every count fits, lines have two
 * points and rings four or more, coordinates are finite, and it ends where its bytes end. Ask
 * before SpatiaLite is: it takes what is left of a broken geometry, and GEOS faults on that.
 */
sc_status sc_blob_check(const void *blob, size_t size, struct sc_error *err);

#endif
