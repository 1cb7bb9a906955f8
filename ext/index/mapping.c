/* Grid pixels -> pixels of an asset; see mapping.h. */
#include "index/mapping.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "index/place.h"
#include "store/access.h"

static sc_status fail(const struct sc_source *source, sc_status status, const char *why,
                      struct sc_error *err) {
  char shown[1024];
  return sc_fail(err, status, "item %s: asset %s: %s: %s", source->item, source->asset,
                 sc_access_shown(source->href, shown, sizeof shown), why);
}

static sc_status fail_crs(const struct sc_scene *s, const char *crs, const struct sc_source *source,
                          struct sc_error *err) {
  char why[600], own[200], grid[200];
  if (sc_memory_is_short()) return sc_fail_nomem(err);
  snprintf(why, sizeof why, "its CRS is %s, the grid's is %s",
           sc_place_crs_shown(crs, own, sizeof own),
           sc_place_crs_shown(s->grid.crs, grid, sizeof grid));
  return fail(source, SC_BAD_DATA, why, err);
}

/* An asset that shares no pixel with the grid would give nothing but fill. */
static sc_status check_overlap(const struct sc_scene *s, const double m[6],
                               const struct sc_raster_info *info, const struct sc_source *source,
                               const struct sc_mapping *map, struct sc_error *err) {
  char why[600], own[SC_TRANSFORM_TEXT], grid[SC_TRANSFORM_TEXT];
  double right = map->scale[0] * (double)s->grid.width_px + map->offset[0];
  double bottom = map->scale[1] * (double)s->grid.height_px + map->offset[1];
  if (map->offset[0] < info->width && map->offset[1] < info->height && right > 0 && bottom > 0)
    return SC_OK;
  snprintf(why, sizeof why,
           "it shares no place with the item's grid: its transform is %s, the grid's is %s "
           "(proj:transform)",
           sc_place_transform_shown(m, own, sizeof own),
           sc_place_transform_shown(s->grid.transform, grid, sizeof grid));
  return fail(source, SC_BAD_DATA, why, err);
}

/* m, crs: transform and CRS of the asset; crs may be NULL: that of the grid. */
static sc_status map_by_transform(const struct sc_scene *s, const double m[6], const char *crs,
                                  const struct sc_raster_info *info, const struct sc_source *source,
                                  struct sc_mapping *out, struct sc_error *err) {
  const double *g = s->grid.transform;
  double det = m[0] * m[4] - m[1] * m[3];
  if (crs && !sc_place_same_crs(&s->grid, crs)) return fail_crs(s, crs, source, err);
  if (!(fabs(det) > 0)) return fail(source, SC_BAD_DATA, "its transform is flat", err);
  double cx = ((g[2] - m[2]) * m[4] - (g[5] - m[5]) * m[1]) / det;
  double cy = ((g[5] - m[5]) * m[0] - (g[2] - m[2]) * m[3]) / det;
  double axx = (g[0] * m[4] - g[3] * m[1]) / det, axy = (g[1] * m[4] - g[4] * m[1]) / det;
  double ayx = (g[3] * m[0] - g[0] * m[3]) / det, ayy = (g[4] * m[0] - g[1] * m[3]) / det;
  if (fabs(axy) * (double)s->grid.height_px > 0.01 || fabs(ayx) * (double)s->grid.width_px > 0.01 ||
      !(axx > 0) || !(ayy > 0)) {
    return fail(source, SC_UNSUPPORTED, "the asset is rotated or mirrored against the grid", err);
  }
  out->scale[0] = axx, out->offset[0] = cx;
  out->scale[1] = ayy, out->offset[1] = cy;
  /* The numbers of a file that names no CRS may be mere pixels. They contradict nobody: what lies
   * elsewhere by them is outside the asset, and stacchip_item_info warns of the two transforms. */
  if (info->has_transform && !info->crs) return SC_OK;
  return check_overlap(s, m, info, source, out, err);
}

static sc_status fail_shape(const struct sc_raster_info *info, const char *whose, int64_t rows,
                            int64_t columns, const struct sc_source *source, struct sc_error *err) {
  char why[300];
  snprintf(why, sizeof why,
           "the file has shape [%d, %d] and no transform, %s [%" PRId64 ", %" PRId64
           "]: where its pixels lie is not known",
           info->height, info->width, whose, rows, columns);
  return fail(source, SC_BAD_DATA, why, err);
}

/*
 * The file has no place of its own: the item's word for the asset counts, where the file is of
 * that shape. Without a word the asset is the grid itself, where it has the grid's shape: a ratio
 * of shapes would only be a guess at what the file covers.
 */
static sc_status map_by_item(const struct sc_scene *s, const struct sc_projection *p,
                             const struct sc_raster_info *info, const struct sc_source *source,
                             struct sc_mapping *out, struct sc_error *err) {
  if (p->has_transform) {
    if (p->has_shape && (p->rows != info->height || p->columns != info->width))
      return fail_shape(info, "the item says", p->rows, p->columns, source, err);
    return map_by_transform(s, p->transform, p->crs, info, source, out, err);
  }
  if (s->grid.height_px != info->height || s->grid.width_px != info->width) {
    return fail_shape(info, "the item states none for it, and the grid has", s->grid.height_px,
                      s->grid.width_px, source, err);
  }
  out->scale[0] = out->scale[1] = 1;
  out->offset[0] = out->offset[1] = 0;
  return SC_OK;
}

sc_status sc_mapping_find(const struct sc_scene *s, const struct sc_asset *asset,
                          const struct sc_raster_info *info, const struct sc_source *source,
                          struct sc_mapping *out, struct sc_error *err) {
  out->bent = 0;
  if (info->has_transform) {
    return map_by_transform(s, info->transform, info->crs, info, source, out, err);
  }
  struct sc_projection p;
  sc_status st = sc_projection_read(&s->item, asset, &p, err);
  if (st) return st;
  out->bent = info->placed_by;
  if (out->bent && !(p.has_transform && p.has_shape)) {
    st = sc_mapping_check_placed(out, source, err);
  } else {
    st = map_by_item(s, &p, info, source, out, err);
  }
  sc_free(p.crs);
  return st;
}

double sc_mapping_at(const struct sc_mapping *m, int axis, double grid_px) {
  double at = m->scale[axis] * grid_px + m->offset[axis];
  return fabs(at - round(at)) < 1e-6 ? round(at) : at;
}

sc_status sc_mapping_check_placed(const struct sc_mapping *mapping, const struct sc_source *source,
                                  struct sc_error *err) {
  char why[300];
  if (!mapping->bent) return SC_OK;
  return fail(source, SC_BAD_DATA, sc_projection_bent_shown(mapping->bent, why, sizeof why), err);
}
