/*
 * Geometries of any type as points, lines and rings: read from SpatiaLite and GeoPackage BLOBs, and
 * brought to the pixels of a grid.
 *
 * SpatiaLite: https://www.gaia-gis.it/gaia-sins/BLOB-Geometry.html, with Z, M, compressed
 * geometries and TinyPoint. GeoPackage: OGC 12-128r19, 2.1.3, over WKB (OGC 06-103r4, section 8).
 */
#ifndef SC_INDEX_SHAPE_H
#define SC_INDEX_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/shape_part.h"
#include "base/sqlite.h"
#include "base/status.h"
#include "index/geometry.h"

/* Zeroed is empty; sc_shape_free(). A shape without parts is an empty geometry. */
struct sc_shape {
  double *x, *y; /* east or longitude first; finite */
  size_t n_points, points_capacity;
  struct sc_shape_part *parts;
  size_t n_parts, parts_capacity;
  int srid;          /* as the BLOB states it */
  int is_geopackage; /* whose SRIDs are those of gpkg_spatial_ref_sys */
};

/*
 * Read a geometry; Z and M are dropped, and so are empty parts. SC_BAD_DATA where the bytes are
 * neither BLOB, are damaged (work is bounded by their number), or hold curves or surfaces.
 */
sc_status sc_shape_parse(const void *blob, size_t size, struct sc_shape *out, struct sc_error *err);
void sc_shape_free(struct sc_shape *shape);

/* Room for n more points; a new last part, without points. */
sc_status sc_shape_reserve(struct sc_shape *shape, size_t n_points, struct sc_error *err);
sc_status sc_shape_begin_part(struct sc_shape *shape, enum sc_shape_kind kind,
                              struct sc_error *err);

/* Box of a part. */
struct sc_box sc_shape_part_box(const struct sc_shape *shape, size_t part);

/*
 * The CRS of a shape's SRID, freed by the caller with sc_free(): what spatial_ref_sys of the
 * connection's databases says (of a GeoPackage's geometry gpkg_spatial_ref_sys), authority and code
 * first, else its WKT; where they have no such row, the EPSG code of that number.
 * SC_BAD_DATA for an SRID of 0 or below, which says nothing, with what to do.
 */
sc_status sc_shape_crs(sqlite3 *db, const struct sc_shape *shape, char **crs, struct sc_error *err);

/* A grid of pixels to bring shapes to. crs is borrowed. */
struct sc_shape_grid {
  const char *crs;
  double transform[6]; /* as in sc_raster_info */
  int64_t width_px, height_px;
};

struct sc_raster_api;

/* How shapes of one CRS come to the pixels of a grid. Filled by sc_shape_placer_init(); nothing to
 * free. */
struct sc_shape_placer {
  const struct sc_raster_api *raster;
  struct sc_shape_grid grid; /* its crs and `crs` are borrowed */
  const char *crs;
  double inverse[6];
  int is_same;        /* as the grid's */
  int is_lonlat;      /* crs is geographic: longitudes on any turn */
  int is_grid_lonlat; /* so is the grid's */
  struct sc_box box;  /* what of crs counts */
};

sc_status sc_shape_placer_init(struct sc_shape_placer *out, const char *crs,
                               const struct sc_shape_grid *grid, struct sc_error *err);

/*
 * Bring a shape to pixel coordinates (x columns, y rows, 0 0 the upper left corner of the first
 * pixel), in place.
 *
 * Within one CRS these are GDAL's, bit for bit: its inverse transform of each point. From another
 * one, what lies well outside the grid (by a quarter of it, at least 16 pixels) is cut off first,
 * since most projections know only a part of the globe; edges are then divided until they are
 * straight to a twentieth of a pixel. Longitudes are taken on every turn that reaches the grid, so
 * that a geometry may lie on either side of the antimeridian, or across it.
 */
sc_status sc_shape_place(const struct sc_shape_placer *placer, struct sc_shape *shape,
                         struct sc_error *err);

/* The same for one shape. */
sc_status sc_shape_to_grid(struct sc_shape *shape, const char *crs,
                           const struct sc_shape_grid *grid, struct sc_error *err);

#endif
