/* Grid pixels -> pixels of an asset; see mapping.h. */
#include "index/mapping.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

static int same_crs(const char *a, const char *b) {
  int both_codes = strchr(a, ':') && strchr(b, ':') && strlen(a) < 40 && strlen(b) < 40;
  return !both_codes || strcmp(a, b) == 0;
}

static sc_status map_by_transform(const struct sc_scene *s, const double m[6], const char *crs,
                                  const struct sc_source *source, struct sc_mapping *out,
                                  struct sc_error *err) {
  const double *g = s->grid.transform;
  double det = m[0] * m[4] - m[1] * m[3];
  if (crs && !same_crs(crs, s->grid.crs)) {
    return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: %s: its CRS is %s, the grid's is %s",
                   source->item, source->asset, source->href, crs, s->grid.crs);
  }
  if (!(fabs(det) > 0)) {
    return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: %s: its transform is flat", source->item,
                   source->asset, source->href);
  }
  double cx = ((g[2] - m[2]) * m[4] - (g[5] - m[5]) * m[1]) / det;
  double cy = ((g[5] - m[5]) * m[0] - (g[2] - m[2]) * m[3]) / det;
  double axx = (g[0] * m[4] - g[3] * m[1]) / det, axy = (g[1] * m[4] - g[4] * m[1]) / det;
  double ayx = (g[3] * m[0] - g[0] * m[3]) / det, ayy = (g[4] * m[0] - g[1] * m[3]) / det;
  if (fabs(axy) * (double)s->grid.height_px > 0.01 || fabs(ayx) * (double)s->grid.width_px > 0.01 ||
      !(axx > 0) || !(ayy > 0)) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "item %s: asset %s: %s: the asset is rotated or mirrored against the grid",
                   source->item, source->asset, source->href);
  }
  out->scale[0] = axx, out->offset[0] = cx;
  out->scale[1] = ayy, out->offset[1] = cy;
  return SC_OK;
}

/* Where the file has no transform of its own, the item's word for the asset counts; where
 * that has none either, the asset covers the grid. */
sc_status sc_mapping_find(const struct sc_scene *s, const struct sc_asset *asset,
                          const struct sc_raster_info *info, const struct sc_source *source,
                          struct sc_mapping *out, struct sc_error *err) {
  if (info->has_transform) {
    return map_by_transform(s, info->transform, info->crs, source, out, err);
  }
  struct sc_projection p;
  sc_status st = sc_projection_read(&s->item, asset, &p, err);
  if (st) return st;
  if (p.has_transform && p.has_shape && p.rows == info->height && p.columns == info->width) {
    st = map_by_transform(s, p.transform, p.crs, source, out, err);
  } else {
    out->scale[0] = (double)info->width / (double)s->grid.width_px;
    out->scale[1] = (double)info->height / (double)s->grid.height_px;
    out->offset[0] = out->offset[1] = 0;
  }
  sc_free(p.crs);
  return st;
}
