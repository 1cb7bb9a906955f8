/* A source and a geometry on its grid; see spot.h. */
#include "pixels/spot.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/call.h"
#include "pixels/clouds.h"

static void close_spot(struct sc_spot *spot) {
  sc_chip_close(&spot->chip);
  sc_shape_free(&spot->shape);
}

static int has_name(const struct sc_chip *chip, int n, const char *name) {
  for (int i = 0; i < n; i++) {
    if (strcmp(chip->bands[i].name, name) == 0) return 1;
  }
  return 0;
}

/* Names are keys of the result. Bands that a file calls the same are told apart by their numbers.
 */
static sc_status tell_apart(struct sc_chip *chip, struct sc_error *err) {
  for (int i = 1; i < chip->n_bands; i++) {
    struct sc_chip_band *b = &chip->bands[i];
    if (!has_name(chip, i, b->name)) continue;
    char name[sizeof b->name];
    snprintf(name, sizeof name, "%.60s:%d", b->key, b->band);
    if (has_name(chip, i, name) || b->n_bands_of_asset == 1) {
      return sc_fail(err, SC_BAD_ARG, "item %s: option 'assets' names band '%s' twice",
                     chip->scene->item.id, b->name);
    }
    memcpy(b->name, name, sizeof name);
  }
  return SC_OK;
}

/* A longitude on the turn that reaches the grid, where one does. */
static double column_on_turn(const struct sc_grid *grid, double column) {
  double turn = 360 / grid->transform[0];
  for (int k = -1; k <= 1; k++) {
    double other = column + k * turn;
    if (other >= 0 && other < (double)grid->width_px) return other;
  }
  return column;
}

/* Points stay as many as they are, in their order, wherever they lie; NaN for one that cannot be
 * projected. */
static sc_status place_points(const struct sc_grid *grid, const char *crs, struct sc_shape *shape,
                              struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const double *t = grid->transform, det = t[0] * t[4] - t[1] * t[3];
  if (!raster) return err->status;
  sc_status st = raster->same_crs(crs, grid->crs)
                     ? SC_OK
                     : raster->reproject(crs, grid->crs, shape->n_points, shape->x, shape->y, err);
  int is_lonlat = !st && raster->is_geographic(grid->crs) && t[1] == 0 && t[3] == 0;
  for (size_t i = 0; i < shape->n_points && !st; i++) {
    double x = shape->x[i] - t[2], y = shape->y[i] - t[5];
    double column = (x * t[4] - y * t[1]) / det;
    shape->x[i] = is_lonlat ? column_on_turn(grid, column) : column;
    shape->y[i] = (y * t[0] - x * t[3]) / det;
  }
  return st;
}

static sc_status place_shape(struct sc_connection *c, const struct sc_grid *grid, unsigned kinds,
                             struct sc_shape *shape, struct sc_error *err) {
  struct sc_shape_grid to = {
      .crs = grid->crs, .width_px = grid->width_px, .height_px = grid->height_px};
  char *crs = NULL;
  if (shape->n_parts == 0) return SC_OK;
  memcpy(to.transform, grid->transform, sizeof to.transform);
  sc_status st = sc_shape_crs(c->db, shape, &crs, err);
  if (!st && kinds == 1u << SC_SHAPE_POINT) {
    st = place_points(grid, crs, shape, err);
  } else if (!st) {
    st = sc_shape_to_grid(shape, crs, &to, err);
  }
  sc_free(crs);
  return st;
}

static sc_status open_spot(struct sc_connection *c, sqlite3_value *source, sqlite3_value *geometry,
                           const struct sc_chip_options *options, struct sc_spot *out,
                           struct sc_error *err) {
  memset(out, 0, sizeof *out);
  if (sqlite3_value_type(geometry) != SQLITE_BLOB) {
    return sc_fail(err, SC_BAD_ARG,
                   "expected a geometry, a BLOB of SpatiaLite or a GeoPackage, found text or a "
                   "number; GeomFromText(wkt, srid) makes one");
  }
  const void *blob = sqlite3_value_blob(geometry);
  sc_status st = sc_shape_parse(blob, (size_t)sqlite3_value_bytes(geometry), &out->shape, err);
  for (size_t i = 0; i < out->shape.n_parts; i++) out->kinds |= 1u << out->shape.parts[i].kind;
  if (!st) st = sc_chip_open_source(c, source, options, &out->chip, err);
  if (!st) st = sc_chip_check_placed(&out->chip, err);
  if (!st) st = tell_apart(&out->chip, err);
  if (!st) st = place_shape(c, &out->chip.scene->grid, out->kinds, &out->shape, err);
  if (st) close_spot(out);
  return st;
}

static int on_same_pixels(const struct sc_opened_asset *a, const struct sc_opened_asset *b) {
  return memcmp(a->mapping.scale, b->mapping.scale, sizeof a->mapping.scale) == 0 &&
         memcmp(a->mapping.offset, b->mapping.offset, sizeof a->mapping.offset) == 0 &&
         a->info.width == b->info.width && a->info.height == b->info.height;
}

int sc_spot_bands_end(const struct sc_chip *chip, int begin) {
  int end = begin + 1;
  while (end < chip->n_bands && on_same_pixels(chip->bands[begin].asset, chip->bands[end].asset))
    end++;
  return end;
}

struct sc_chip sc_spot_window(const struct sc_chip *chip, int begin, int end,
                              const struct sc_window *window) {
  struct sc_chip part = *chip;
  part.bands = chip->bands + begin;
  part.n_bands = end - begin;
  part.to = part.bands[0].asset->mapping;
  part.window = *window;
  part.width = (int)window->width_px;
  part.height = (int)window->height_px;
  part.dtype = SC_DTYPE_F64;
  return part;
}

void sc_spot_pixels_free(struct sc_spot_pixels *p) {
  sc_free(p->values);
  sc_free(p->valid);
  sc_free(p->clouds);
  memset(p, 0, sizeof *p);
}

static sc_status reserve(struct sc_spot_pixels *p, size_t n, struct sc_error *err) {
  if (n <= p->capacity) return SC_OK;
  sc_spot_pixels_free(p);
  p->values = sc_alloc(n * sizeof *p->values);
  p->valid = sc_alloc(n);
  p->clouds = sc_alloc(n);
  p->capacity = n;
  return p->values && p->valid && p->clouds ? SC_OK : sc_fail_nomem(err);
}

sc_status sc_spot_read(struct sc_connection *c, const struct sc_chip *window,
                       const struct sc_chip_options *options, struct sc_spot_pixels *p,
                       struct sc_error *err) {
  sc_status st = sc_chip_check_size(window, sizeof *p->values + 2, err);
  if (!st) st = reserve(p, sc_chip_bytes(window, SC_DTYPE_U8), err);
  if (st) return st;
  struct sc_chip_target to = {
      .dtype = SC_DTYPE_F64, .pixels = (unsigned char *)p->values, .valid = p->valid};
  st = sc_chips_read(c, window, 1, options, &to, err);
  if (st || !options->exclude_cloud) return st;
  st = sc_clouds_find(c, window, -1, p->clouds, err);
  size_t n = sc_chip_bytes(window, SC_DTYPE_U8), of_band = n / (size_t)window->n_bands;
  for (size_t i = 0; i < n && !st; i++) p->valid[i] &= !p->clouds[i % of_band];
  return st;
}

/* --- SQL --- */

static sc_status make_result(struct sc_connection *c, sqlite3_value **values,
                             sc_spot_function *make, const struct sc_chip_options *options,
                             char **out, struct sc_error *err) {
  struct sc_spot spot;
  sc_status st = sc_connection_check_direct(c, err);
  if (!st) st = open_spot(c, values[0], values[1], options, &spot, err);
  if (st) return st;
  st = make(c, &spot, options, out, err);
  close_spot(&spot);
  return st;
}

void sc_spot_call(sqlite3_context *context, int n, sqlite3_value **values, sc_spot_function *make,
                  enum sc_options_of function) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_error err = {0};
  char *text = NULL;
  int own;
  if (sqlite3_value_type(values[0]) == SQLITE_NULL || sqlite3_value_type(values[1]) == SQLITE_NULL)
    return;
  const struct sc_chip_options *options =
      sc_call_options(context, n > 2 ? values : NULL, 2, function, &own, &err);
  c->run = sc_call_run(context, c);
  sc_status st = options ? make_result(c, values, make, options, &text, &err) : err.status;
  c->run = 0;
  if (st) {
    if (options) sc_fail_within(&err, "%s", sc_options_function(function));
    sc_call_fail(context, options, &err);
  } else if (text) {
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
  }
  cJSON_free(text);
  if (own) sc_call_free_options(options);
}
