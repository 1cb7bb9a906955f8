/* Does a grid lie where the item and its files say? See place.h. */
#include "index/place.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "index/footprint.h"
#include "index/outline.h"
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

/* The name in WKT (which begins with a word and the name) or PROJJSON; its length, or 0. */
static size_t find_name(const char *crs, const char **name) {
  const char *member = *crs == '{' ? strstr(crs, "\"name\":\"") : strchr(crs, '"');
  if (!member) return 0;
  *name = member + (*crs == '{' ? 8 : 1);
  size_t n = strcspn(*name, "\"");
  int says_nothing = strncasecmp(*name, "un", 2) == 0; /* unnamed, unknown, undefined */
  return says_nothing ? 0 : n;
}

const char *sc_place_crs_shown(const char *crs, char *out, size_t n) {
  const char *name = crs;
  size_t length = strlen(crs) > 60 ? find_name(crs, &name) : 0;
  if (length == 0) name = crs, length = strlen(crs);
  snprintf(out, n, "%.*s", (int)(length < n ? length : n - 1), name);
  sc_text_make_valid(out);
  return out;
}

const char *sc_place_transform_shown(const double t[6], char *out, size_t n) {
  snprintf(out, n, "[%.15g, %.15g, %.15g, %.15g, %.15g, %.15g]", t[0], t[1], t[2], t[3], t[4],
           t[5]);
  return out;
}

/* --- bbox and geometry --- */

/* A box on the globe: from west on so many degrees to the east. */
struct extent {
  int is_known;
  double south, north, west, width;
};

static struct extent extent_of(double west, double south, double east, double north) {
  struct extent e = {0};
  e.is_known = isfinite(west) && isfinite(east) && south <= north && south >= -90.001 &&
               north <= 90.001; /* others are not in degrees, or not boxes */
  e.south = south, e.north = north;
  e.west = west;
  e.width = east < west ? east - west + 360 : fmin(east - west, 360); /* over the antimeridian */
  return e;
}

/* The item's bbox: [west, south, east, north], or six numbers with heights. */
static struct extent read_bbox(const struct sc_item *item) {
  const cJSON *bbox = cJSON_GetObjectItemCaseSensitive(item->json, "bbox"), *value;
  double v[6] = {0};
  int n = 0;
  struct extent none = {0};
  cJSON_ArrayForEach(value, bbox) {
    if (n == 6 || !cJSON_IsNumber(value)) return none;
    v[n++] = value->valuedouble;
  }
  if (!cJSON_IsArray(bbox) || (n != 4 && n != 6)) return none;
  return n == 4 ? extent_of(v[0], v[1], v[2], v[3]) : extent_of(v[0], v[1], v[3], v[4]);
}

/* Widen west, south, east, north by every position below `node`. */
static void widen(const cJSON *node, double box[4]) {
  const cJSON *child;
  if (cJSON_IsArray(node) && cJSON_IsNumber(node->child) && cJSON_IsNumber(node->child->next)) {
    double x = node->child->valuedouble, y = node->child->next->valuedouble;
    box[0] = fmin(box[0], x), box[1] = fmin(box[1], y);
    box[2] = fmax(box[2], x), box[3] = fmax(box[3], y);
    return;
  }
  cJSON_ArrayForEach(child, node) {
    int is_member = cJSON_IsArray(child) || cJSON_IsObject(child);
    if (is_member) widen(child, box); /* as deep as cJSON reads: CJSON_NESTING_LIMIT */
  }
}

static struct extent read_geometry(const struct sc_item *item) {
  const cJSON *geometry = cJSON_GetObjectItemCaseSensitive(item->json, "geometry");
  double box[4] = {INFINITY, INFINITY, -INFINITY, -INFINITY};
  widen(cJSON_GetObjectItemCaseSensitive(geometry, "coordinates"), box);
  widen(cJSON_GetObjectItemCaseSensitive(geometry, "geometries"), box);
  return extent_of(box[0], box[1], box[2], box[3]);
}

#define GRID_SIDE_POINTS 16

/* Where the grid lies, by its border. is_known stays 0 where none of it has a place. */
static sc_status read_grid(const struct sc_grid *grid, struct extent *out, struct sc_error *err) {
  const double whole[4] = {0, 0, (double)grid->width_px, (double)grid->height_px};
  double lon[4 * GRID_SIDE_POINTS], lat[4 * GRID_SIDE_POINTS], turn;
  double box[4] = {INFINITY, INFINITY, -INFINITY, -INFINITY};
  struct sc_outline outline;
  memset(out, 0, sizeof *out);
  sc_status st = sc_outline_begin(grid, 0, &outline, err);
  if (!st) st = sc_outline_border(&outline, whole, GRID_SIDE_POINTS, lon, lat, &turn, err);
  if (st) return st;
  for (int i = 0; i < 4 * GRID_SIDE_POINTS; i++) {
    if (!isfinite(lon[i]) || !(fabs(lat[i]) <= 90.001)) continue;
    box[0] = fmin(box[0], lon[i]), box[1] = fmin(box[1], lat[i]);
    box[2] = fmax(box[2], lon[i]), box[3] = fmax(box[3], lat[i]);
  }
  *out = extent_of(box[0], box[1], box[2], box[3]);
  for (int i = 0; i < outline.n_poles && out->is_known; i++) {
    const struct sc_pole *p = &outline.poles[i];
    if (p->col < 0 || p->row < 0 || p->col > whole[2] || p->row > whole[3]) continue;
    out->width = 360;
    out->north = fmax(out->north, p->lat);
    out->south = fmin(out->south, p->lat);
  }
  return SC_OK;
}

#define ROUNDED_DEG 0.01 /* boxes are rounded, and drawn by corners only */
#define APART_DEG 1.0    /* what nobody rounds */

static int share_latitudes(const struct extent *a, const struct extent *b, double margin) {
  return a->south <= b->north + margin && b->south <= a->north + margin;
}

static int share_longitudes(const struct extent *a, const struct extent *b, double margin) {
  double gap = fmod(fmod(b->west - a->west, 360) + 360, 360); /* from a's west on to b's */
  return gap <= a->width + margin || gap + b->width >= 360 - margin;
}

static int share_place(const struct extent *a, const struct extent *b) {
  return a->is_known && b->is_known && share_latitudes(a, b, ROUNDED_DEG) &&
         share_longitudes(a, b, ROUNDED_DEG);
}

/* What the item says of its place beside the grid: bbox, geometry, or neither. */
struct witnesses {
  struct extent said[2];
};

static int is_confirmed(const struct witnesses *w, const struct extent *grid) {
  return share_place(&w->said[0], grid) || share_place(&w->said[1], grid);
}

/* A bbox of latitudes before longitudes is seen at times: it says nothing against the grid. */
static int is_swapped(const struct witnesses *w, const struct extent *grid) {
  for (int i = 0; i < 2; i++) {
    const struct extent *e = &w->said[i];
    struct extent swapped = extent_of(e->south, e->west, e->north, e->west + e->width);
    if (e->is_known && share_place(&swapped, grid)) return 1;
  }
  return 0;
}

/*
 * Is the transform GDAL's, [x, width, 0, y, 0, height] for [width, 0, x, 0, height, y]? By the
 * place that it then has, which must be no larger than a few of what the item says; where the item
 * says none, by its zeros: no sound transform has both there, and a first number beside them.
 */
static sc_status is_gdal_order(const struct sc_grid *grid, const struct witnesses *w, int *is,
                               struct sc_error *err) {
  const double *t = grid->transform;
  struct sc_grid turned = *grid;
  const double affine[6] = {t[1], t[2], t[0], t[4], t[5], t[3]};
  struct extent there;
  *is = 0;
  memcpy(turned.transform, affine, sizeof affine);
  if (!w->said[0].is_known && !w->said[1].is_known) {
    *is = t[2] == 0 && t[4] == 0 && t[0] != 0 && t[3] != 0;
    return SC_OK;
  }
  if (!(fabs(affine[0] * affine[4] - affine[1] * affine[3]) > 0)) return SC_OK;
  sc_status st = read_grid(&turned, &there, err);
  if (st) return st;
  for (int i = 0; i < 2; i++) {
    const struct extent *e = &w->said[i];
    *is |= share_place(e, &there) && there.north - there.south <= 3 * (e->north - e->south) + 1;
  }
  return SC_OK;
}

static void show_extent(const struct extent *e, char *out, size_t n) {
  double east = e->west + e->width;
  snprintf(out, n, "[%.6g, %.6g, %.6g, %.6g]", e->west, e->south, east > 180 ? east - 360 : east,
           e->north);
}

/* Latitudes apart by more than a degree and either's height, of witnesses that agree. */
static int is_elsewhere(const struct witnesses *w, const struct extent *grid) {
  const struct extent *a = &w->said[0], *b = &w->said[1];
  if (a->is_known && b->is_known && !share_place(a, b)) return 0;
  for (int i = 0; i < 2; i++) {
    const struct extent *e = &w->said[i];
    double margin = APART_DEG + fmax(e->north - e->south, grid->north - grid->south);
    if (e->is_known && share_latitudes(e, grid, margin)) return 0;
  }
  return !is_swapped(w, grid);
}

static sc_status doubt(const struct sc_grid *grid, const struct witnesses *w,
                       const struct extent *here, int is_error, char **warning,
                       struct sc_error *err) {
  const struct extent *said = w->said[0].is_known ? &w->said[0] : &w->said[1];
  char transform[SC_TRANSFORM_TEXT], crs[200], lies[100], says[100], text[700];
  show_extent(here, lies, sizeof lies);
  show_extent(said, says, sizeof says);
  snprintf(text, sizeof text,
           "the grid lies at %s, by transform %s (proj:transform) and CRS %s, and the item's %s "
           "is %s: they share no place",
           lies, sc_place_transform_shown(grid->transform, transform, sizeof transform),
           sc_place_crs_shown(grid->crs, crs, sizeof crs),
           said == &w->said[0] ? "bbox" : "geometry", says);
  return is_error ? sc_fail(err, SC_BAD_DATA, "%s", text) : sc_strdup(text, warning, err);
}

static sc_status fail_order(const struct sc_grid *grid, struct sc_error *err) {
  const double *t = grid->transform;
  const double affine[6] = {t[1], t[2], t[0], t[4], t[5], t[3]};
  char stated[SC_TRANSFORM_TEXT], right[SC_TRANSFORM_TEXT];
  return sc_fail(err, SC_BAD_DATA, "proj:transform %s is in GDAL's order; STAC's would be %s",
                 sc_place_transform_shown(t, stated, sizeof stated),
                 sc_place_transform_shown(affine, right, sizeof right));
}

sc_status sc_place_check(const struct sc_item *item, const struct sc_grid *grid, int stated,
                         char **warning, struct sc_error *err) {
  const struct witnesses w = {{read_bbox(item), read_geometry(item)}};
  struct extent here;
  int is_turned = 0;
  *warning = NULL;
  sc_status st = read_grid(grid, &here, err);
  if (st || is_confirmed(&w, &here)) return st;
  if (stated) st = is_gdal_order(grid, &w, &is_turned, err);
  if (st) return st;
  if (is_turned) return fail_order(grid, err);
  if (!here.is_known || (!w.said[0].is_known && !w.said[1].is_known)) return SC_OK;
  return doubt(grid, &w, &here, stated && is_elsewhere(&w, &here), warning, err);
}
