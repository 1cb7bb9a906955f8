/* Does a grid lie where the item and its files say? See place.h. */
#include "index/place.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "raster/raster_api.h"

/* --- CRSs --- */

#define SAME_PLACE_PX 0.01

/* Do corners and middle of the grid come back to where they were by way of the other CRS? */
static int same_places(const struct sc_raster_api *raster, const struct sc_grid *grid,
                       const char *crs) {
  static const double at[5][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0.5, 0.5}};
  const double *t = grid->transform;
  double x[5], y[5], col[5], row[5], det = t[0] * t[4] - t[1] * t[3];
  struct sc_error failure;
  for (int i = 0; i < 5; i++) {
    col[i] = at[i][0] * (double)grid->width_px;
    row[i] = at[i][1] * (double)grid->height_px;
    sc_grid_xy(grid, col[i], row[i], &x[i], &y[i]);
  }
  if (raster->to_lonlat(grid->crs, 5, x, y, &failure)) return 0;
  if (raster->from_lonlat(crs, 5, x, y, &failure)) return failure.status == SC_BAD_DATA;
  int n_known = 0;
  for (int i = 0; i < 5; i++) {
    if (isnan(x[i])) continue; /* a corner beyond the edge of the globe */
    double c = ((x[i] - t[2]) * t[4] - (y[i] - t[5]) * t[1]) / det - col[i];
    double r = ((y[i] - t[5]) * t[0] - (x[i] - t[2]) * t[3]) / det - row[i];
    if (!(fabs(c) <= SAME_PLACE_PX && fabs(r) <= SAME_PLACE_PX)) return 0;
    n_known++;
  }
  return n_known >= 3;
}

int sc_place_same_crs(const struct sc_grid *grid, const char *crs) {
  struct sc_error ignored;
  const struct sc_raster_api *raster = sc_raster(&ignored);
  if (strcmp(grid->crs, crs) == 0) return 1;
  return raster && (raster->same_crs(grid->crs, crs) || same_places(raster, grid, crs));
}

const char *sc_place_crs_shown(const char *crs, char *out, size_t n) {
  const char *name = crs, *end = NULL;
  if (strlen(crs) > 60) { /* WKT begins with a word and the name; PROJJSON has a member */
    const char *member = *crs == '{' ? strstr(crs, "\"name\":\"") : strchr(crs, '"');
    if (member) name = member + (*crs == '{' ? 8 : 1);
    end = member ? strchr(name, '"') : NULL;
  }
  snprintf(out, n, "%.*s", (int)(end ? (size_t)(end - name) : strlen(name)), name);
  sc_text_make_valid(out);
  return out;
}

const char *sc_place_transform_shown(const double t[6], char *out, size_t n) {
  snprintf(out, n, "[%.15g, %.15g, %.15g, %.15g, %.15g, %.15g]", t[0], t[1], t[2], t[3], t[4],
           t[5]);
  return out;
}

const char *sc_place_bent_shown(unsigned placed_by, char *out, size_t n) {
  snprintf(out, n,
           "it has no transform, only %s%s%s: its pixels are no grid, and no proj:transform of the "
           "item is true of them; warp it onto a grid first (gdalwarp)",
           placed_by & SC_PLACED_BY_GCPS ? "ground control points (GCPs)" : "",
           placed_by == (SC_PLACED_BY_GCPS | SC_PLACED_BY_RPC) ? " and " : "",
           placed_by & SC_PLACED_BY_RPC           ? "rational polynomial coefficients (RPC)"
           : placed_by & SC_PLACED_BY_GCPS        ? ""
                                                  : "geolocation arrays");
  return out;
}
