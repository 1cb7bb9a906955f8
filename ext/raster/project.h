/* Projecting points between a CRS and longitude and latitude; the only user of PROJ. */
#ifndef SC_RASTER_PROJECT_H
#define SC_RASTER_PROJECT_H

#include <stddef.h>

#include "base/status.h"

/* See sc_raster_api. Transformations are kept per thread and pair of CRSs. */
sc_status sc_project(const char *from, const char *to, size_t n, double *x, double *y,
                     struct sc_error *err);
sc_status sc_project_to_lonlat(const char *crs, size_t n, double *x, double *y,
                               struct sc_error *err);
sc_status sc_project_from_lonlat(const char *crs, size_t n, double *x, double *y,
                                 struct sc_error *err);
sc_status sc_project_wkt(const char *crs, char **out, struct sc_error *err);
/* The same of its horizontal part in two dimensions: without heights and vertical datum. */
sc_status sc_project_flat_wkt(const char *crs, char **out, struct sc_error *err);
/* 1 for a geographic CRS, 0 for others, also unknown ones. */
int sc_project_is_geographic(const char *crs);
/* Does PROJ call the horizontal parts of two CRSs equivalent, whatever their axis order? */
int sc_project_same_crs(const char *a, const char *b);
const char *sc_project_version(void);

#endif
