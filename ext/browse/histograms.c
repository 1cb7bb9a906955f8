/* api/histograms: how many chips there are of each kind. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/datetime.h"
#include "browse/filter.h"

#define BINS 20
#define DAYS_BINS 150

/* Each is counted under all filters but its own, so that it shows what another choice would give.
 */
struct histograms {
  const struct sc_summary *summary;
  int64_t cloud[BINS], nodata[BINS], days[DAYS_BINS], platforms[SC_SUMMARY_PLATFORMS], total;
  int32_t first, step;
  int n_days;
};

static int bin_of(float v) { return v >= 1 ? BINS - 1 : v > 0 ? (int)(v * BINS) : 0; }

static int count_chip(void *context, const struct sc_hit *h) {
  struct histograms *g = context;
  const struct sc_summary_item *item = &g->summary->items[h->block->item];
  float cloud = h->chunk->cloud[h->at], nodata = h->chunk->nodata[h->at];
  g->total += h->failed == 0;
  if (!(h->failed & ~(unsigned)SC_TEST_CLOUD) && !isnan(cloud)) g->cloud[bin_of(cloud)]++;
  if (!(h->failed & ~(unsigned)SC_TEST_NODATA) && !isnan(nodata)) g->nodata[bin_of(nodata)]++;
  if (!(h->failed & ~(unsigned)SC_TEST_PLATFORM)) g->platforms[item->platform]++;
  if (!(h->failed & ~(unsigned)SC_TEST_DATE) && item->day != SC_NO_DAY)
    g->days[((int64_t)item->day - g->first) / g->step]++;
  return 0;
}

static void lay_days(struct histograms *g) {
  const struct sc_summary *s = g->summary;
  g->step = 1;
  if (s->first_day == SC_NO_DAY) return;
  int64_t span = (int64_t)s->last_day - s->first_day + 1;
  static const int32_t steps[] = {1, 2, 7, 14, 30, 91, 365, 3650, 36500};
  for (size_t i = 0; i < sizeof steps / sizeof *steps && span > (int64_t)g->step * DAYS_BINS; i++)
    g->step = steps[i];
  if (span > (int64_t)g->step * DAYS_BINS) g->step = (int32_t)(span / DAYS_BINS + 1);
  g->first = s->first_day;
  g->n_days = (int)((span + g->step - 1) / g->step);
}

static sc_status put_counts(const int64_t *counts, int n, struct sc_buffer *out,
                            struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "[", err);
  for (int i = 0; i < n && !st; i++)
    st = sc_buffer_printf(out, err, i ? ",%lld" : "%lld", (long long)counts[i]);
  return st ? st : sc_buffer_append_text(out, "]", err);
}

static sc_status put_dates(const struct histograms *g, struct sc_buffer *out,
                           struct sc_error *err) {
  char first[24];
  sc_date_format(g->first, first, sizeof first);
  sc_status st = sc_buffer_printf(
      out, err, ",\"dates\":{\"first\":%s%s%s,\"step_days\":%d,\"counts\":", g->n_days ? "\"" : "",
      g->n_days ? first : "null", g->n_days ? "\"" : "", (int)g->step);
  if (!st) st = put_counts(g->days, g->n_days, out, err);
  return st ? st : sc_buffer_append_text(out, "}", err);
}

static sc_status put_platforms(const struct histograms *g, struct sc_buffer *out,
                               struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, ",\"platforms\":{", err);
  for (int i = 0; i < g->summary->n_platforms && !st; i++) {
    if (i) st = sc_buffer_append_text(out, ",", err);
    if (!st) st = sc_buffer_append_json(out, g->summary->platforms[i], err);
    if (!st) st = sc_buffer_printf(out, err, ":%lld", (long long)g->platforms[i]);
  }
  return st ? st : sc_buffer_append_text(out, "}", err);
}

static sc_status put_histograms(const struct histograms *g, double known, struct sc_buffer *out,
                                struct sc_error *err) {
  sc_status st = sc_buffer_append_text(out, "{\"cloud\":", err);
  if (!st) st = put_counts(g->cloud, BINS, out, err);
  if (!st) st = sc_buffer_append_text(out, ",\"nodata\":", err);
  if (!st) st = put_counts(g->nodata, BINS, out, err);
  if (!st) st = put_dates(g, out, err);
  if (!st) st = put_platforms(g, out, err);
  if (!st) st = sc_buffer_printf(out, err, ",\"total\":%lld", (long long)g->total);
  if (!st) st = sc_browse_filter_put_partial(known, out, err);
  return st ? st : sc_buffer_append_text(out, "}", err);
}

sc_status sc_browse_histograms(struct sc_browse *b, const struct sc_server_request *r,
                               struct sc_server_answer *a, struct sc_error *err) {
  struct sc_browse_filter f;
  struct histograms *g = sc_alloc_zero(1, sizeof *g);
  if (!g) return sc_fail_nomem(err);
  sc_status st = sc_browse_filter_read(b, r, NULL, SC_FILTER_WAIT, &f, err);
  if (!st) {
    g->summary = f.table->summary;
    lay_days(g);
    st = sc_browse_filter_scan(&f, 1, count_chip, g, err);
  }
  if (!st) st = put_histograms(g, f.known, &a->body, err);
  sc_browse_filter_free(b, &f);
  sc_free(g);
  return st;
}
