/* stacchip_sample(source, geometry [, options]): values of the pixels at points. */
#include <cjson/cJSON.h>
#include <math.h>

#include "base/alloc.h"
#include "pixels/spot.h"

/* The value of a band at a place of its own pixels, bilinear between the valid ones of the four
 * whose middles are nearest; NaN where the pixel under the place is not valid. The window holds
 * these four, or that one. */
static double value_at(const struct sc_spot_pixels *p, const struct sc_window *w, int band,
                       const double at[2]) {
  const size_t n = (size_t)(w->width_px * w->height_px), base = (size_t)band * n;
  double sum = 0, weights = 0;
  int is_valid = 0;
  for (size_t i = 0; i < n; i++) {
    double x = (double)(w->x + (int64_t)i % w->width_px),
           y = (double)(w->y + (int64_t)i / w->width_px);
    int ok = p->valid[base + i];
    double weight = n == 1 ? 1 : (1 - fabs(at[0] - 0.5 - x)) * (1 - fabs(at[1] - 0.5 - y));
    if (floor(at[0]) == x && floor(at[1]) == y) is_valid = ok;
    if (!ok || !(weight > 0)) continue;
    sum += weight * p->values[base + i];
    weights += weight;
  }
  return is_valid && weights > 0 ? sum / weights : NAN;
}

/* A run of bands on the same pixels. */
struct bands {
  struct sc_connection *c;
  const struct sc_chip_options *options;
  const struct sc_spot *spot;
  int begin, end;
};

/* Values of some bands at one point, on their own pixels. */
static sc_status sample_point(const struct bands *w, size_t point, struct sc_spot_pixels *pixels,
                              double *out, struct sc_error *err) {
  const struct sc_opened_asset *asset = w->spot->chip.bands[w->begin].asset;
  const double at[2] = {sc_mapping_at(&asset->mapping, 0, w->spot->shape.x[point]),
                        sc_mapping_at(&asset->mapping, 1, w->spot->shape.y[point])};
  int is_inside =
      at[0] >= 0 && at[1] >= 0 && at[0] < asset->info.width && at[1] < asset->info.height;
  for (int k = w->begin; k < w->end; k++) out[k] = NAN;
  if (!is_inside) return SC_OK;
  double half = w->options->bilinear ? 0.5 : 0;
  int64_t side = w->options->bilinear ? 2 : 1;
  const struct sc_window window = {(int64_t)floor(at[0] - half), (int64_t)floor(at[1] - half), side,
                                   side};
  struct sc_chip chip = sc_spot_window(&w->spot->chip, w->begin, w->end, &window);
  sc_status st = sc_spot_read(w->c, &chip, w->options, pixels, err);
  for (int k = w->begin; k < w->end && !st; k++)
    out[k] = value_at(pixels, &window, k - w->begin, at);
  return st;
}

static sc_status sample_all(struct sc_connection *c, const struct sc_spot *spot,
                            const struct sc_chip_options *options, double *out,
                            struct sc_error *err) {
  struct sc_spot_pixels pixels = {0};
  sc_status st = SC_OK;
  for (int begin = 0, end = 0; begin < spot->chip.n_bands && !st; begin = end) {
    end = sc_spot_bands_end(&spot->chip, begin);
    struct bands w = {.c = c, .options = options, .spot = spot, .begin = begin, .end = end};
    for (size_t i = 0; i < spot->shape.n_points && !st; i++)
      st = sample_point(&w, i, &pixels, out + i * (size_t)spot->chip.n_bands, err);
  }
  sc_spot_pixels_free(&pixels);
  return st;
}

static cJSON *number_or_null(double v) {
  return isfinite(v) ? cJSON_CreateNumber(v) : cJSON_CreateNull();
}

static sc_status sample_json(const struct sc_spot *spot, const double *values, char **out,
                             struct sc_error *err) {
  size_t n = spot->shape.n_points, n_bands = (size_t)spot->chip.n_bands;
  cJSON *json = cJSON_CreateObject();
  for (size_t k = 0; k < n_bands; k++) {
    cJSON *list = n == 1 ? number_or_null(values[k]) : cJSON_CreateArray();
    for (size_t i = 0; i < n && n > 1; i++)
      cJSON_AddItemToArray(list, number_or_null(values[i * n_bands + k]));
    cJSON_AddItemToObject(json, spot->chip.bands[k].name, list);
  }
  *out = cJSON_PrintUnformatted(json);
  cJSON_Delete(json);
  return *out ? SC_OK : sc_fail_nomem(err);
}

static sc_status check_points(const struct sc_spot *spot, struct sc_error *err) {
  const struct sc_shape *shape = &spot->shape;
  if (spot->kinds & ~(1u << SC_SHAPE_POINT)) {
    return sc_fail(err, SC_BAD_ARG,
                   "expected a POINT or MULTIPOINT, found %s (stacchip_zonal() gives statistics of "
                   "polygons)",
                   spot->kinds >> SC_SHAPE_LINE & 1 ? "a line" : "a polygon");
  }
  if (shape->n_points <= SC_CALL_MAX_BYTES / 64 / (size_t)spot->chip.n_bands) return SC_OK;
  return sc_fail(err, SC_TOO_BIG, "%zu points of %d bands are too many for one call",
                 shape->n_points, spot->chip.n_bands);
}

static sc_status sample(struct sc_connection *c, const struct sc_spot *spot,
                        const struct sc_chip_options *options, char **out, struct sc_error *err) {
  sc_status st = check_points(spot, err);
  if (st || spot->shape.n_points == 0) return st;
  double *values = sc_alloc(spot->shape.n_points * (size_t)spot->chip.n_bands * sizeof *values);
  st = values ? sample_all(c, spot, options, values, err) : sc_fail_nomem(err);
  if (!st) st = sample_json(spot, values, out, err);
  sc_free(values);
  return st;
}

static void sample_func(sqlite3_context *context, int n, sqlite3_value **values) {
  sc_spot_call(context, n, values, sample, SC_OPTIONS_SAMPLE);
}

static const struct sc_help sample_help = {
    .name = "stacchip_sample",
    .kind = SC_HELP_SCALAR,
    .about = "JSON with the values at a point",
    .arguments =
        (const struct sc_help_name[]){
            {"source", "TEXT or INTEGER", NULL,
             "a handle, or an item, or a raster, by path or URL"},
            {"geometry", "BLOB", NULL, "a point, in longitude and latitude"},
            SC_HELP_OPTIONS,
            {0}},
    .options = {{"option", "", &sc_chip_option_tables[SC_OPTIONS_SAMPLE]}},
    .example = "SELECT stacchip_sample('item.json', MakePoint(-62.89, -32.61, 4326))",
};

int sc_sample_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_sample", 2, SQLITE_DIRECTONLY, sample_func, 0, 0},
      {"stacchip_sample", 3, SQLITE_DIRECTONLY, sample_func, 0, 0},
  };
  sc_connection_help(c, &sample_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
