/* The grid that pixels are brought to; see target.h. */
#include "pixels/target.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/chip.h"
#include "pixels/hash.h"
#include "pixels/locate.h"

#define SIZE_MAX_PX 16384
#define LONLAT "EPSG:4326"
#define SIDE_STEPS 21 /* places along a side of the chip, for its box in another CRS */

/* --- options --- */

/* n numbers of an array; `pair`: one number stands for two that are equal. */
static int read_numbers(const cJSON *value, int n, int pair, double *out) {
  if (pair && cJSON_IsNumber(value)) {
    out[0] = out[1] = value->valuedouble;
    return 1;
  }
  if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != n) return 0;
  for (int i = 0; i < n; i++) {
    const cJSON *entry = cJSON_GetArrayItem(value, i);
    if (!cJSON_IsNumber(entry) || !isfinite(entry->valuedouble)) return 0;
    out[i] = entry->valuedouble;
  }
  return 1;
}

static sc_status read_resolution(const cJSON *value, const char *what,
                                 struct sc_target_options *out, struct sc_error *err) {
  if (!value) return SC_OK;
  out->has_resolution = read_numbers(value, 2, 1, out->resolution) && out->resolution[0] > 0 &&
                        out->resolution[1] > 0;
  return out->has_resolution ? SC_OK
                             : sc_option_fail(err, what, "resolution", value,
                                              "a number above 0, or [x, y], in units of the CRS");
}

static sc_status read_size(const cJSON *value, const char *what, struct sc_target_options *out,
                           struct sc_error *err) {
  double size[2];
  if (!value) return SC_OK;
  int ok = read_numbers(value, 2, 1, size);
  for (int i = 0; i < 2 && ok; i++) {
    ok = size[i] >= 1 && size[i] <= SIZE_MAX_PX && size[i] == floor(size[i]);
    if (ok) out->size[i] = (int)size[i];
  }
  return ok ? SC_OK
            : sc_option_fail(err, what, "size", value,
                             "a whole number of pixels from 1 to %d, or [width, height]",
                             SIZE_MAX_PX);
}

static sc_status read_place(const struct sc_target_raw *raw, const char *what,
                            struct sc_target_options *out, struct sc_error *err) {
  double *b = out->bounds;
  out->has_bounds = raw->bounds != NULL;
  out->has_center = raw->center != NULL;
  if (raw->bounds && !(read_numbers(raw->bounds, 4, 0, b) && b[0] < b[2] && b[1] < b[3]))
    return sc_option_fail(err, what, "bounds", raw->bounds,
                          "[least x, least y, most x, most y] in the CRS");
  if (raw->center && !(read_numbers(raw->center, 2, 0, out->center) && fabs(out->center[1]) <= 90))
    return sc_option_fail(err, what, "center", raw->center, "[longitude, latitude] in degrees");
  return SC_OK;
}

static sc_status exclude(const char *what, const char *a, const char *b, const char *why,
                         struct sc_error *err) {
  return sc_fail(err, SC_BAD_ARG, "%s: options '%s' and '%s' exclude each other: %s", what, a, b,
                 why);
}

static sc_status check_together(const struct sc_target_raw *raw, const char *what,
                                struct sc_error *err) {
  const char *beside_like = raw->crs          ? "crs"
                            : raw->resolution ? "resolution"
                            : raw->bounds     ? "bounds"
                            : raw->center     ? "center"
                            : raw->size       ? "size"
                                              : NULL;
  if (raw->like && beside_like)
    return exclude(what, "like", beside_like, "'like' has all of its handle's grid", err);
  if (raw->bounds && raw->center)
    return exclude(what, "bounds", "center", "give 'center' with 'size', or 'bounds'", err);
  if (raw->bounds && raw->size && raw->resolution)
    return exclude(what, "size", "resolution", "with 'bounds' give one of them", err);
  return SC_OK;
}

sc_status sc_target_read(const struct sc_target_raw *raw, const char *what,
                         struct sc_target_options *out, struct sc_error *err) {
  out->is_set = raw->crs || raw->resolution || raw->bounds || raw->center || raw->size || raw->like;
  out->crs = raw->crs;
  out->like = raw->like;
  sc_status st = check_together(raw, what, err);
  if (!st && raw->like && !cJSON_IsString(raw->like) && !cJSON_IsObject(raw->like) &&
      !cJSON_IsArray(raw->like))
    st = sc_option_fail(err, what, "like", raw->like, "the handle of a chip");
  if (!st) st = read_resolution(raw->resolution, what, out, err);
  if (!st) st = read_size(raw->size, what, out, err);
  return st ? st : read_place(raw, what, out, err);
}

/* --- places --- */

/* The grid in the making: the chip's own side of it, and what it becomes. */
struct making {
  const struct sc_raster_api *raster;
  const struct sc_target_options *o;
  const struct sc_chip *chip;
  const char *crs;
  int is_own_crs;
};

static sc_status fail_place(const struct making *m, struct sc_error *err) {
  return sc_fail(err, SC_RANGE, "item %s: the chip has no place in the CRS %.120s",
                 m->chip->scene->item.id, m->crs);
}

static sc_status to_crs(const struct making *m, const char *from, size_t n, double *x, double *y,
                        struct sc_error *err) {
  int is_same = strcmp(from, m->crs) == 0 || (m->is_own_crs && from == m->chip->scene->grid.crs);
  sc_status st = is_same ? SC_OK : m->raster->reproject(from, m->crs, n, x, y, err);
  for (size_t i = 0; i < n && !st; i++) {
    if (!isfinite(x[i]) || !isfinite(y[i])) st = fail_place(m, err);
  }
  return st;
}

static sc_status find_center(const struct making *m, double out[2], struct sc_error *err) {
  const struct sc_window *w = &m->chip->window;
  if (m->o->has_center) {
    out[0] = m->o->center[0];
    out[1] = m->o->center[1];
    return to_crs(m, LONLAT, 1, &out[0], &out[1], err);
  }
  sc_grid_xy(&m->chip->scene->grid, (double)w->x + (double)w->width_px / 2,
             (double)w->y + (double)w->height_px / 2, &out[0], &out[1]);
  return to_crs(m, m->chip->scene->grid.crs, 1, &out[0], &out[1], err);
}

/* The box of the chip's own window, by places along its sides. In degrees it goes round the turn of
 * its middle, so that one across the antimeridian is no box round the globe. */
static sc_status find_box(const struct making *m, double box[4], struct sc_error *err) {
  const struct sc_window *w = &m->chip->window;
  double x[4 * SIDE_STEPS], y[4 * SIDE_STEPS], middle[2];
  for (int k = 0; k < 4 * SIDE_STEPS; k++) {
    double along = (k / 4) / (double)(SIDE_STEPS - 1), across = k % 2;
    double column = k & 2 ? along : across, row = k & 2 ? across : along;
    sc_grid_xy(&m->chip->scene->grid, (double)w->x + column * (double)w->width_px,
               (double)w->y + row * (double)w->height_px, &x[k], &y[k]);
  }
  sc_status st = find_center(m, middle, err);
  if (!st) st = to_crs(m, m->chip->scene->grid.crs, 4 * SIDE_STEPS, x, y, err);
  int is_turning = !st && m->raster->is_geographic(m->crs);
  box[0] = box[1] = HUGE_VAL;
  box[2] = box[3] = -HUGE_VAL;
  for (int k = 0; k < 4 * SIDE_STEPS && !st; k++) {
    if (is_turning) x[k] -= 360 * round((x[k] - middle[0]) / 360);
    box[0] = fmin(box[0], x[k]), box[2] = fmax(box[2], x[k]);
    box[1] = fmin(box[1], y[k]), box[3] = fmax(box[3], y[k]);
  }
  return st;
}

/* The size of a pixel of the chip's own grid. */
static void own_resolution(const struct sc_chip *chip, double out[2]) {
  const double *t = chip->scene->grid.transform;
  out[0] = hypot(t[0], t[3]);
  out[1] = hypot(t[1], t[4]);
}

static sc_status need_resolution(const struct making *m, double out[2], struct sc_error *err) {
  if (m->o->has_resolution) {
    memcpy(out, m->o->resolution, sizeof m->o->resolution);
    return SC_OK;
  }
  own_resolution(m->chip, out);
  if (m->is_own_crs) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "option 'crs': its units are not those of item %s: give 'resolution', the size of "
                 "a pixel in units of the CRS%s",
                 m->chip->scene->item.id, m->o->has_center ? "" : ", or 'size'");
}

static sc_status set_size(struct sc_chip *out, double width, double height, struct sc_error *err) {
  if (!(width >= 0.5 && height >= 0.5 && width < SIZE_MAX_PX + 0.5 && height < SIZE_MAX_PX + 0.5)) {
    return sc_fail(err, SC_BAD_ARG,
                   "options 'bounds' and 'resolution' make a grid of %g x %g pixels; expected 1 to "
                   "%d on a side",
                   round(width), round(height), SIZE_MAX_PX);
  }
  out->width = (int)round(width);
  out->height = (int)round(height);
  return SC_OK;
}

static void set_transform(struct sc_chip *out, double left, double top, const double res[2]) {
  const double t[6] = {res[0], 0, left, 0, -res[1], top};
  memcpy(out->transform, t, sizeof t);
}

static sc_status place_bounds(const struct making *m, struct sc_chip *out, struct sc_error *err) {
  double box[4], res[2];
  sc_status st = SC_OK;
  memcpy(box, m->o->bounds, sizeof box);
  if (!m->o->has_bounds) st = find_box(m, box, err);
  if (!st && m->o->size[0]) {
    out->width = m->o->size[0];
    out->height = m->o->size[1];
    res[0] = (box[2] - box[0]) / out->width;
    res[1] = (box[3] - box[1]) / out->height;
  } else if (!st) {
    st = need_resolution(m, res, err);
    if (!st) st = set_size(out, (box[2] - box[0]) / res[0], (box[3] - box[1]) / res[1], err);
  }
  if (!st) set_transform(out, box[0], box[3], res);
  return st;
}

/* Around a place. Edges of pixels are whole multiples of the resolution, so that all grids of one
 * CRS and resolution share them (gdalwarp's -tap). */
static sc_status place_around(const struct making *m, struct sc_chip *out, struct sc_error *err) {
  double center[2], res[2];
  const struct sc_window *w = &m->chip->window;
  sc_status st = need_resolution(m, res, err);
  if (!st) st = find_center(m, center, err);
  if (st) return st;
  out->width = m->o->size[0] ? m->o->size[0] : (int)w->width_px;
  out->height = m->o->size[0] ? m->o->size[1] : (int)w->height_px;
  double left = round(center[0] / res[0] - out->width / 2.0) * res[0];
  double top = round(center[1] / res[1] + out->height / 2.0) * res[1];
  set_transform(out, left, top, res);
  return SC_OK;
}

/* --- the grid of another handle --- */

static sc_status place_like(struct sc_connection *c, const struct sc_chip_options *options,
                            struct sc_chip *out, struct sc_error *err) {
  const cJSON *like = options->target.like;
  char *text = cJSON_IsString(like) ? NULL : cJSON_PrintUnformatted(like);
  const char *handle = text ? text : like->valuestring;
  struct sc_chip other;
  if (!handle) return sc_fail_nomem(err);
  const struct sc_chip_name name = {.text = handle, .text_bytes = strlen(handle)};
  sc_status st = sc_chip_locate(c, &name, options, &other, err);
  if (!st) {
    const struct sc_grid *g = &other.scene->grid;
    out->width = (int)other.window.width_px;
    out->height = (int)other.window.height_px;
    memcpy(out->transform, g->transform, sizeof out->transform);
    sc_grid_xy(g, (double)other.window.x, (double)other.window.y, &out->transform[2],
               &out->transform[5]);
    st = sc_strdup(g->crs, &out->crs, err);
    sc_chip_close(&other);
  }
  cJSON_free(text);
  return st ? sc_fail_within(err, "option 'like'") : SC_OK;
}

/* -most to most, all as likely. */
static int64_t shift_of(const struct sc_target_options *o, const struct sc_chip *chip, int axis) {
  const char *item = chip->scene->item.id;
  uint64_t h = sc_stable_hash_integer(sc_stable_hash_start(), o->seed);
  h = sc_stable_hash_text(h, item, strlen(item));
  h = sc_stable_hash_integer(h, chip->window.x);
  h = sc_stable_hash_integer(h, chip->window.y);
  double share = sc_stable_hash_end(sc_stable_hash_integer(h, axis));
  return (int64_t)floor(share * (double)(2 * o->jitter_px + 1)) - o->jitter_px;
}

void sc_target_jitter(const struct sc_target_options *o, struct sc_chip *chip) {
  if (!o->jitter_px) return;
  int64_t columns = shift_of(o, chip, 0), rows = shift_of(o, chip, 1);
  double *t = chip->transform;
  if (chip->has_target) {
    t[2] += t[0] * (double)columns + t[1] * (double)rows;
    t[5] += t[3] * (double)columns + t[4] * (double)rows;
  } else {
    chip->window.x += columns;
    chip->window.y += rows;
  }
}

sc_status sc_target_place(struct sc_connection *c, const struct sc_chip_options *options,
                          struct sc_chip *chip, struct sc_error *err) {
  const struct sc_target_options *o = &options->target;
  const char *own = chip->scene->grid.crs;
  if (!o->is_set) return SC_OK;
  chip->has_target = 1;
  if (o->like) return place_like(c, options, chip, err);
  struct making m = {.raster = sc_raster(err), .o = o, .chip = chip, .crs = o->crs ? o->crs : own};
  if (!m.raster) return err->status;
  m.is_own_crs = m.raster->same_crs(m.crs, own);
  int by_box =
      o->has_bounds || (o->size[0] && !o->has_center && !o->has_resolution && !m.is_own_crs);
  sc_status st = by_box ? place_bounds(&m, chip, err) : place_around(&m, chip, err);
  return st ? st : sc_strdup(m.crs, &chip->crs, err);
}
