/* Cloud and nodata fractions; see fractions.h. */
#include "index/fractions.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "index/mapping.h"
#include "raster/raster_api.h"
#include "stac/classify.h"
#include "stac/formats.h"
#include "stac/validity.h"

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

/* axis: 0 columns, 1 rows; length_px: of the grid. */
static sc_status axis_new(const struct sc_tiling *t, const struct sc_mapping *map, int axis,
                          int64_t length_px, struct axis *out, struct sc_error *err) {
  size_t n = (size_t)sc_tiling_count(t, length_px);
  out->begin = sc_alloc(n * sizeof *out->begin);
  out->end = sc_alloc(n * sizeof *out->end);
  out->inside = sc_alloc(n * sizeof *out->inside);
  if (!out->begin || !out->end || !out->inside) return sc_fail_nomem(err);
  for (size_t i = 0; i < n; i++) {
    int64_t begin = sc_tiling_origin(t, length_px, (int64_t)i), end = begin + t->chip_size_px;
    if (end > length_px) end = length_px;
    out->begin[i] = sc_mapping_at(map, axis, (double)begin);
    out->end[i] = sc_mapping_at(map, axis, (double)end);
    out->inside[i] = (double)(end - begin) / t->chip_size_px;
  }
  return SC_OK;
}

/* How the values of the mask are judged. */
struct judge {
  struct sc_validity validity;
  uint8_t *table, *masked_table;
  struct sc_classifier *classifier;
};

static void judge_free(struct judge *j) {
  sc_free(j->table);
  sc_free(j->masked_table);
  sc_classifier_free(j->classifier);
}

/* nodata is what is not valid, by bit pattern. */
static void fill_bare_table(const struct sc_validity *v, size_t bytes, size_t n, uint8_t *table) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t narrow = (uint8_t)i;
    const uint16_t wide = (uint16_t)i;
    uint8_t valid = 1;
    sc_valid_pixels(v, bytes == 1 ? (const void *)&narrow : &wide, v->dtype, bytes, 1, &valid);
    table[i] = valid ? 0 : SC_RULE_NODATA;
  }
}

/* A bare raster: no rule, no clouds. */
static sc_status judge_bare(struct judge *judge, struct sc_mask_job *job, struct sc_error *err) {
  const struct sc_validity mask = {.dtype = SC_DTYPE_U8, .nodata = {.is_set = 1}};
  const struct sc_validity *v = job->band == SC_BAND_VALIDITY ? &mask : &judge->validity;
  size_t bytes = sc_dtype_bytes(v->dtype), n = bytes == 1 ? 256 : 65536;
  job->by_nodata = 1;
  job->nd_bits[0] = 0;
  job->nd_bits[1] = SC_RULE_NODATA;
  if (bytes > 2) return SC_OK;
  judge->table = sc_alloc(n);
  judge->masked_table = sc_alloc(n);
  if (!judge->table || !judge->masked_table) return sc_fail_nomem(err);
  fill_bare_table(v, bytes, n, judge->table);
  memset(judge->masked_table, SC_RULE_NODATA, n);
  return SC_OK;
}

static sc_status judge_by_rule(const struct sc_index_call *call, const struct sc_rule *rule,
                               struct judge *judge, struct sc_mask_job *job, struct sc_error *err) {
  const struct sc_validity *v = &judge->validity;
  size_t bytes = sc_dtype_bytes(v->dtype), n = bytes == 1 ? 256 : 65536;
  if (bytes > 2) {
    sc_status st = sc_rules_by_nodata(call->rules, rule, &job->by_nodata, job->nd_bits, err);
    if (st || job->by_nodata) return st;
    job->classify = sc_classifier_bits;
    st = sc_classifier_new(call->rules, rule, v->dtype, &judge->classifier, err);
    job->context = judge->classifier;
    return st;
  }
  judge->table = sc_alloc(n);
  if (sc_valid_by_mask(v)) judge->masked_table = sc_alloc(n);
  if (!judge->table || (sc_valid_by_mask(v) && !judge->masked_table)) return sc_fail_nomem(err);
  sc_status st = sc_rules_table(call->rules, rule, v, 0, judge->table, err);
  if (st || !judge->masked_table) return st;
  return sc_rules_table(call->rules, rule, v, 1, judge->masked_table, err);
}

static sc_status make_judge(const struct sc_index_call *call, const struct sc_scene *s,
                            struct judge *judge, struct sc_mask_job *job, struct sc_error *err) {
  sc_status st =
      s->rule.name ? judge_by_rule(call, &s->rule, judge, job, err) : judge_bare(judge, job, err);
  job->validity = &judge->validity;
  job->table = judge->table;
  job->masked_table = judge->masked_table;
  return st;
}

/* Of a bare raster the first band that is not alpha stands for all. */
static int first_band(const struct sc_scene *s, const struct sc_raster_info *info) {
  int band = 1;
  while (band < info->n_bands &&
         sc_validity_find(&s->item, s->mask.asset, &s->rule, info, band).is_alpha)
    band++;
  return band;
}

static sc_status choose_band(const struct sc_scene *s, const struct sc_raster_info *info,
                             const struct sc_source *source, int *band, struct sc_error *err) {
  *band = !s->rule.name ? first_band(s, info) : s->mask.band ? s->mask.band : 1;
  if (*band > info->n_bands) {
    return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: %s: no band %d; it has %d", source->item,
                   source->asset, source->href, *band, info->n_bands);
  }
  enum sc_dtype dtype = info->bands[*band - 1].dtype;
  if (!s->rule.name || (dtype != SC_DTYPE_NONE && !sc_dtype_is_complex(dtype))) return SC_OK;
  return sc_fail(err, SC_UNSUPPORTED, "item %s: asset %s: %s: the mask has complex pixels",
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

/* Count the pixels; the raster must be read. */
static sc_status count(const struct sc_index_call *call, const struct sc_scene *s,
                       const struct axis axes[2], struct judge *judge, struct sc_mask_job *job,
                       struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  sc_status st = make_judge(call, s, judge, job, err);
  if (st) return st;
  job->col_begin = axes[0].begin, job->col_end = axes[0].end;
  job->row_begin = axes[1].begin, job->row_end = axes[1].end;
  job->interrupted = call->interrupted;
  job->interrupt_context = call->interrupt_context;
  return raster->count_mask(job, err);
}

static sc_status count_or_know(const struct sc_index_call *call, const struct sc_scene *s,
                               const struct sc_tiling *t, const struct sc_raster_info *info,
                               struct sc_mask_job *job, struct sc_error *err) {
  struct axis axes[2] = {{0}};
  struct judge judge = {{0}, 0, 0, 0};
  struct sc_mapping map = {0};
  sc_status st = choose_band(s, info, job->source, &job->band, err);
  if (!st) st = sc_mapping_find(s, s->mask.asset, info, job->source, &map, err);
  if (!st) st = sc_mapping_check_placed(&map, job->source, err);
  if (!st) st = axis_new(t, &map, 0, s->grid.width_px, &axes[0], err);
  if (!st) st = axis_new(t, &map, 1, s->grid.height_px, &axes[1], err);
  if (!st) {
    judge.validity = sc_validity_find(&s->item, s->mask.asset, &s->rule, info, job->band);
    int by_value = s->rule.name || sc_valid_by_value(&judge.validity);
    if (!by_value) job->band = SC_BAND_VALIDITY;
    /* Where nothing can be invalid, no block is read: the fractions stay 0. */
    if (by_value || sc_valid_by_mask(&judge.validity)) st = count(call, s, axes, &judge, job, err);
  }
  if (!st && t->edge == SC_EDGE_PAD) add_overhang(axes, job);
  axis_free(&axes[0]);
  axis_free(&axes[1]);
  judge_free(&judge);
  job->validity = NULL; /* and the tables: they ended here */
  job->table = job->masked_table = NULL;
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
  struct sc_mask_job job = {.dilate_px = s->dilate_px,
                            .cloud = cloud,
                            .nodata = nodata,
                            .n_cols = (int)sc_tiling_count(t, s->grid.width_px),
                            .n_rows = (int)sc_tiling_count(t, s->grid.height_px)};
  memset(cloud, 0, (size_t)job.n_cols * (size_t)job.n_rows * sizeof *cloud);
  memset(nodata, 0, (size_t)job.n_cols * (size_t)job.n_rows * sizeof *nodata);
  sc_status st = sc_asset_check_opened(&s->item, s->mask.asset, err);
  if (!st) st = sc_item_href(&s->item, s->mask.asset, &href, err);
  struct sc_source source = {.href = href, .item = s->item.id, .asset = s->mask.asset->key};
  job.source = &source;
  if (!st) st = raster->info(&source, &info, err);
  if (!st) st = count_or_know(call, s, t, &info, &job, err);
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
