/* Cloud and nodata fractions; see fractions.h. */
#include "index/fractions.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "index/mapping.h"
#include "raster/raster_api.h"

/* One axis: where the chips lie in the mask, and how much of each is inside the grid. */
struct axis {
  double *begin, *end; /* mask pixels */
  double *inside;      /* 0..1: share of the chip's length that lies within the grid */
};

static void axis_free(struct axis *a) {
  sc_free(a->begin);
  sc_free(a->end);
  sc_free(a->inside);
}

/* A coordinate within a millionth of a pixel of an edge is on it: transforms are rounded. */
static double snap(double v) { return fabs(v - round(v)) < 1e-6 ? round(v) : v; }

static sc_status axis_new(const struct sc_tiling *t, int64_t length_px, double scale, double offset,
                          struct axis *out, struct sc_error *err) {
  size_t n = (size_t)sc_tiling_count(t, length_px);
  out->begin = sc_alloc(n * sizeof *out->begin);
  out->end = sc_alloc(n * sizeof *out->end);
  out->inside = sc_alloc(n * sizeof *out->inside);
  if (!out->begin || !out->end || !out->inside) return sc_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    int64_t begin = sc_tiling_origin(t, length_px, (int64_t)i), end = begin + t->chip_size_px;
    if (end > length_px) end = length_px;
    out->begin[i] = snap(scale * (double)begin + offset);
    out->end[i] = snap(scale * (double)end + offset);
    out->inside[i] = (double)(end - begin) / t->chip_size_px;
  }
  return SC_OK;
}

/* How the values of the mask are judged. */
struct judge {
  uint8_t *table;
  struct sc_classifier *classifier;
};

static sc_status make_judge(const struct sc_index_call *call, const struct sc_scene *s,
                            const struct sc_band_info *band, struct judge *judge,
                            struct sc_mask_job *job, struct sc_error *err) {
  size_t bytes = sc_dtype_bytes(band->dtype);
  job->has_nodata = band->has_nodata;
  job->nodata_value = band->nodata;
  if (!s->rule.name) { /* a bare raster: nodata where its validity mask is 0 */
    judge->table = sc_alloc_zero(256, 1);
    if (!judge->table) return sc_fail_nomem(err);
    judge->table[0] = SC_RULE_NODATA;
    job->table = judge->table;
    return SC_OK;
  }
  if (bytes == 1 || bytes == 2) {
    judge->table = sc_alloc(bytes == 1 ? 256 : 65536);
    if (!judge->table) return sc_fail_nomem(err);
    job->table = judge->table;
    return sc_rules_table(call->rules, &s->rule, band->dtype, band->has_nodata, band->nodata,
                          judge->table, err);
  }
  sc_status st = sc_rules_by_nodata(call->rules, &s->rule, &job->by_nodata, job->nd_bits, err);
  if (st || job->by_nodata) return st;
  st = sc_classifier_new(call->rules, &s->rule, band->dtype, band->has_nodata, band->nodata,
                         &judge->classifier, err);
  job->classify = sc_classifier_bits;
  job->context = judge->classifier;
  return st;
}

static sc_status choose_band(const struct sc_scene *s, const struct sc_raster_info *info,
                             const struct sc_source *source, int *band, struct sc_error *err) {
  *band = s->rule.name ? (s->mask.band ? s->mask.band : 1) : SC_BAND_VALIDITY;
  if (*band > info->n_bands) {
    return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: %s: no band %d; it has %d", source->item,
                   source->asset, source->href, *band, info->n_bands);
  }
  enum sc_dtype dtype = info->bands[*band ? *band - 1 : 0].dtype;
  if (*band == SC_BAND_VALIDITY || (dtype != SC_DTYPE_NONE && !sc_dtype_is_complex(dtype)))
    return SC_OK;
  return sc_fail(err, SC_UNSUPPORTED, "item %s: asset %s: %s: complex pixels are no mask",
                 source->item, source->asset, source->href);
}

/* Fractions are of the window within the grid so far: add what hangs over as nodata. */
static void add_overhang(const struct axis axes[2], const struct sc_mask_job *job) {
  for (int j = 0; j < job->n_rows; j++) {
    for (int i = 0; i < job->n_cols; i++) {
      double inside = axes[0].inside[i] * axes[1].inside[j];
      size_t k = (size_t)j * (size_t)job->n_cols + (size_t)i;
      job->cloud[k] *= inside;
      job->nodata[k] = job->nodata[k] * inside + (1 - inside);
    }
  }
}

static sc_status count(const struct sc_index_call *call, const struct sc_scene *s,
                       const struct sc_tiling *t, const struct sc_source *source,
                       struct sc_raster_info *info, struct sc_mask_job *job, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  struct axis axes[2] = {{0}};
  struct judge judge = {0};
  struct sc_mapping map = {{0}, {0}};
  sc_status st = choose_band(s, info, source, &job->band, err);
  if (!st) st = sc_mapping_find(s, s->mask.asset, info, source, &map, err);
  if (!st) st = axis_new(t, s->grid.width_px, map.scale[0], map.offset[0], &axes[0], err);
  if (!st) st = axis_new(t, s->grid.height_px, map.scale[1], map.offset[1], &axes[1], err);
  if (!st) {
    const struct sc_band_info *band = &info->bands[job->band ? job->band - 1 : 0];
    st = make_judge(call, s, band, &judge, job, err);
  }
  if (!st) {
    job->source = source;
    job->col_begin = axes[0].begin, job->col_end = axes[0].end;
    job->row_begin = axes[1].begin, job->row_end = axes[1].end;
    job->interrupted = call->interrupted;
    job->interrupt_context = call->interrupt_context;
    st = raster->count_mask(job, err);
  }
  if (!st && t->edge == SC_EDGE_PAD) add_overhang(axes, job);
  axis_free(&axes[0]);
  axis_free(&axes[1]);
  sc_free(judge.table);
  sc_classifier_free(judge.classifier);
  return st;
}

/* Without a mask the expressions are constants. */
static sc_status constant(const struct sc_index_call *call, const struct sc_scene *s,
                          const struct sc_tiling *t, size_t n, double *cloud, double *nodata,
                          struct sc_error *err) {
  int by_nodata = 0;
  uint8_t bits[2] = {0, 0};
  int64_t nx = sc_tiling_count(t, s->grid.width_px);
  sc_status st = sc_rules_by_nodata(call->rules, &s->rule, &by_nodata, bits, err);
  if (!st && !by_nodata) {
    st = sc_fail(err, SC_BAD_ARG, "platform rule %s: it looks at mask values but names no mask",
                 s->rule.name);
  }
  for (size_t i = 0; i < n && !st; i++) {
    int64_t x = sc_tiling_origin(t, s->grid.width_px, (int64_t)i % nx);
    int64_t y = sc_tiling_origin(t, s->grid.height_px, (int64_t)i / nx);
    double w = (double)(s->grid.width_px - x) / t->chip_size_px;
    double h = (double)(s->grid.height_px - y) / t->chip_size_px;
    double inside = (w < 1 ? w : 1) * (h < 1 ? h : 1);
    cloud[i] = bits[0] & SC_RULE_CLOUD ? inside : 0;
    nodata[i] = bits[0] & SC_RULE_NODATA ? 1 : 1 - inside;
  }
  return st;
}

static sc_status from_mask(const struct sc_index_call *call, const struct sc_scene *s,
                           const struct sc_tiling *t, double *cloud, double *nodata,
                           struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  struct sc_raster_info info = {0};
  char *href = NULL;
  if (!raster) return err->status;
  struct sc_mask_job job = {.cloud = cloud,
                            .nodata = nodata,
                            .n_cols = (int)sc_tiling_count(t, s->grid.width_px),
                            .n_rows = (int)sc_tiling_count(t, s->grid.height_px)};
  sc_status st = sc_item_href(&s->item, s->mask.asset, &href, err);
  struct sc_source source = {.href = href, .item = s->item.id, .asset = s->mask.asset->key};
  if (!st) st = raster->info(&source, &info, err);
  if (!st) st = count(call, s, t, &source, &info, &job, err);
  raster->info_free(&info);
  sc_free(href);
  return st;
}

sc_status sc_fractions(const struct sc_index_call *call, const struct sc_scene *s,
                       const struct sc_tiling *t, double *cloud, double *nodata,
                       struct sc_error *err) {
  size_t n = (size_t)(sc_tiling_count(t, s->grid.width_px) * sc_tiling_count(t, s->grid.height_px));
  int knows_cloud = s->rule.name && sc_json_text(s->rule.json, "cloud");
  sc_status st = SC_OK;
  if (s->has_mask) {
    st = from_mask(call, s, t, cloud, nodata, err);
  } else if (s->rule.name) {
    st = constant(call, s, t, n, cloud, nodata, err);
  } else {
    for (size_t i = 0; i < n; i++) nodata[i] = NAN;
  }
  for (size_t i = 0; i < n && !knows_cloud; i++) cloud[i] = NAN;
  return st;
}
