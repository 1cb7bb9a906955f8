/*
 * stacchip_rasterize(row, geometry [, value [, options [, sort_key]]]): the geometries of a group
 * as one array of labels, on the pixels of a chip.
 *
 *   SELECT c.row, stacchip_rasterize(c.row, f.geometry, f.class, '{"fill": 255}')
 *     FROM chips c LEFT JOIN fields f ON ST_Intersects(c.geometry, f.geometry) GROUP BY c.row
 *
 * HOW IT WORKS  The step copies geometries; the end brings all to the chip's pixels (index/shape.h)
 * and has GDAL burn them, so that every pixel is as rasterio.features.rasterize() has it.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "base/options.h"
#include "index/shape.h"
#include "pixels/chip.h"
#include "pixels/group.h"
#include "pixels/npy.h"
#include "pixels/target.h"

static const char FUNCTION[] = "stacchip_rasterize";

/* The types that GDAL burns into, of every release. */
#define DTYPES "uint8|uint16|int16|uint32|int32|float32|float64"
static const enum sc_dtype dtypes[] = {SC_DTYPE_U8,  SC_DTYPE_U16, SC_DTYPE_I16, SC_DTYPE_U32,
                                       SC_DTYPE_I32, SC_DTYPE_F32, SC_DTYPE_F64};

enum merge { MERGE_REPLACE, MERGE_ADD, MERGE_MAX, MERGE_MIN };

struct options {
  struct sc_options json;
  int dtype; /* of dtypes[] */
  double fill;
  int all_touched, merge;
  struct sc_target_raw grid;
  struct sc_chip_options chip; /* table, items, buffer and grid */
};

/* The aggregate: `group` first, since sc_group_take() finds that. */
struct labels {
  struct sc_group group; /* of geometries */
  sqlite3_value *chip;   /* owned; the handle of all rows */
  double *values;        /* by position in the group */
  size_t capacity;
};

static const struct sc_option option_table[] = {
    {"dtype", SC_OPTION_CHOICE, offsetof(struct options, dtype), 0, 0, DTYPES, "\"uint8\"",
     "type of the array"},
    {"fill", SC_OPTION_REAL, offsetof(struct options, fill), -1e300, 1e300, NULL, "0",
     "the value where no geometry lies"},
    {"all_touched", SC_OPTION_BOOL, offsetof(struct options, all_touched), 0, 0, NULL, "false",
     "every pixel that a geometry touches, not those alone whose middle it covers"},
    {"merge", SC_OPTION_CHOICE, offsetof(struct options, merge), 0, 0, "replace|add|max|min",
     "\"replace\"", "what a pixel under several geometries becomes"},
    {"buffer", SC_OPTION_INT, offsetof(struct options, chip.buffer_px), 0, SC_BUFFER_MAX_PX, NULL,
     "0", "pixels added on each side"},
    {"table", SC_OPTION_TEXT, offsetof(struct options, chip.table), 0, 0, NULL, NULL,
     "where the handle is a rowid: the merged index"},
    {"items", SC_OPTION_TEXT, offsetof(struct options, chip.items), 0, 0, NULL,
     "\"exported_items\"", "where the handle is a short one: the table of exported items"},
    {"crs", SC_OPTION_TEXT, offsetof(struct options, grid.crs), 0, 0, NULL, "the chip's",
     "the CRS of a grid of your own"},
    {"resolution", SC_OPTION_JSON, offsetof(struct options, grid.resolution), 0, 0,
     "a number, or [x, y]", "the chip's", "the size of a pixel of that grid, in units of its CRS"},
    {"bounds", SC_OPTION_JSON, offsetof(struct options, grid.bounds), 0, 0,
     "[least x, least y, most x, most y]", NULL, "the box of that grid, in its CRS"},
    {"center", SC_OPTION_JSON, offsetof(struct options, grid.center), 0, 0, "[longitude, latitude]",
     "the chip's", "the middle of that grid, in degrees"},
    {"size", SC_OPTION_JSON, offsetof(struct options, grid.size), 0, 0,
     "a whole number, or [width, height]", "the chip's", "pixels of that grid"},
    {"like", SC_OPTION_JSON, offsetof(struct options, grid.like), 0, 0, "a handle", NULL,
     "exactly the grid of that chip"}};

static sc_status parse_options(const char *text, struct options *out, struct sc_error *err) {
  struct sc_option_set set = {option_table, sizeof option_table / sizeof *option_table, out, NULL};
  memset(out, 0, sizeof *out);
  sc_status st = sc_options_parse(text, FUNCTION, &set, &out->json, err);
  return st ? st : sc_target_read(&out->grid, FUNCTION, &out->chip.target, err);
}

/* ---- step ---- */

static int same_value(sqlite3_value *a, sqlite3_value *b) {
  int type = sqlite3_value_type(a), n = sqlite3_value_bytes(a);
  if (type != sqlite3_value_type(b)) return 0;
  if (type == SQLITE_INTEGER) return sqlite3_value_int64(a) == sqlite3_value_int64(b);
  return n == sqlite3_value_bytes(b) &&
         memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)n) == 0;
}

static sc_status take_chip(struct labels *l, sqlite3_value *row, struct sc_error *err) {
  if (!l->chip) {
    l->chip = sqlite3_value_dup(row);
    return l->chip ? SC_OK : sc_fail_nomem(err);
  }
  if (same_value(l->chip, row)) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "%s: position %zu: a row of another chip; a group is of one chip (GROUP BY row)",
                 FUNCTION, l->group.n_rows);
}

static sc_status take_value(struct labels *l, sqlite3_value *value, struct sc_error *err) {
  size_t i = l->group.n_rows;
  if (i == l->capacity) {
    size_t capacity = l->capacity * 2 + 32;
    double *values = sc_realloc(l->values, capacity * sizeof *values);
    if (!values) return sc_fail_nomem(err);
    l->values = values;
    l->capacity = capacity;
  }
  l->values[i] = 1;
  if (!value) return SC_OK;
  int type = sqlite3_value_numeric_type(value);
  l->values[i] = sqlite3_value_double(value);
  if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "%s: position %zu: expected a number as value, found %s%.40s",
                 FUNCTION, i, type == SQLITE_NULL ? "NULL" : "",
                 type == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : "");
}

static void rasterize_step(sqlite3_context *context, int n, sqlite3_value **values) {
  struct labels *l = sqlite3_aggregate_context(context, sizeof *l);
  if (!l) {
    sqlite3_result_error_nomem(context);
    return;
  }
  struct sc_error *err = &l->group.err;
  if (err->status || sqlite3_value_type(values[0]) == SQLITE_NULL) return;
  sc_status st = n > 3 ? sc_group_take_options(&l->group, values[3], err) : SC_OK;
  l->group.has_rows = 1;
  if (!st) st = take_chip(l, values[0], err);
  if (st || sqlite3_value_type(values[1]) == SQLITE_NULL) return; /* a LEFT JOIN that found none */
  st = take_value(l, n > 2 ? values[2] : NULL, err);
  if (!st) sc_settle(err, sc_group_add(&l->group, values[1], n > 4 ? values[4] : NULL, err));
}

/* ---- shapes ---- */

/* The shapes of a group on their way to the pixels. */
struct work {
  sqlite3 *db;
  const struct labels *labels;
  const struct options *options;
  struct sc_shape_grid grid;
  struct sc_shape *shapes; /* as many as burns */
  struct sc_burn *burns;
  size_t n;
  struct sc_shape_placer placer; /* of the last shape's SRID */
  char *crs;
  int srid, is_geopackage;
};

/* Can the type hold it? GDAL would take the nearest value instead. */
static int fits(enum sc_dtype dtype, double v) {
  if (dtype == SC_DTYPE_F64) return 1;
  if (dtype == SC_DTYPE_F32) return !isfinite(v) || fabs(v) <= 3.4028234663852886e38;
  return sc_dtype_holds_whole(dtype, v);
}

static sc_status choose_crs(struct work *w, const struct sc_shape *shape, struct sc_error *err) {
  if (w->crs && shape->srid == w->srid && shape->is_geopackage == w->is_geopackage) return SC_OK;
  sc_free(w->crs);
  sc_status st = sc_shape_crs(w->db, shape, &w->crs, err);
  w->srid = shape->srid;
  w->is_geopackage = shape->is_geopackage;
  return st ? st : sc_shape_placer_init(&w->placer, w->crs, &w->grid, err);
}

/* Does a shape reach the pixels? All that it touches lie within one of its box. */
static int reaches(const struct sc_shape *shape, const struct sc_shape_grid *grid) {
  const struct sc_box pixels = {-1, -1, (double)grid->width_px + 1, (double)grid->height_px + 1};
  for (size_t i = 0; i < shape->n_parts; i++) {
    struct sc_box box = sc_shape_part_box(shape, i);
    if (sc_boxes_meet(&box, &pixels)) return 1;
  }
  return 0;
}

static sc_status add_shape(struct work *w, const struct sc_group_row *row, struct sc_error *err) {
  struct sc_shape *shape = &w->shapes[w->n];
  double value = w->labels->values[row->position];
  sc_status st = sc_interrupt_check(err);
  if (!st && !fits(dtypes[w->options->dtype], value)) {
    st = sc_fail(err, SC_BAD_ARG, "the value %.15g is none of the dtype", value);
  }
  if (!st && sqlite3_value_type(row->handle) != SQLITE_BLOB) {
    st = sc_fail(err, SC_BAD_ARG, "expected a geometry, found %s",
                 sqlite3_value_type(row->handle) == SQLITE_TEXT ? "text; GeomFromText() makes one"
                                                                : "a number");
  }
  if (!st) {
    st = sc_shape_parse(sqlite3_value_blob(row->handle), (size_t)sqlite3_value_bytes(row->handle),
                        shape, err);
  }
  if (!st && shape->n_parts > 0) {
    st = choose_crs(w, shape, err);
    if (!st) st = sc_shape_place(&w->placer, shape, err);
  }
  if (st) sc_fail_within(err, "%s: position %zu", FUNCTION, row->position);
  if (st || !reaches(shape, &w->grid)) {
    sc_shape_free(shape);
    return st;
  }
  w->burns[w->n++] = (struct sc_burn){shape->x, shape->y, shape->parts, shape->n_parts, value};
  return SC_OK;
}

static int by_value(const void *pa, const void *pb) {
  double a = ((const struct sc_burn *)pa)->value, b = ((const struct sc_burn *)pb)->value;
  return (a > b) - (a < b);
}

static int by_value_descending(const void *pa, const void *pb) { return by_value(pb, pa); }

/* All shapes in the order in which they are burnt: the greatest last is the maximum. */
static sc_status collect(struct work *w, struct sc_error *err) {
  const struct sc_group *group = &w->labels->group;
  w->shapes = sc_alloc_zero(group->n_rows + 1, sizeof *w->shapes);
  w->burns = sc_alloc_zero(group->n_rows + 1, sizeof *w->burns);
  sc_status st = w->shapes && w->burns ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < group->n_rows && !st; i++) st = add_shape(w, &group->rows[i], err);
  if (st) return st;
  if (w->options->merge == MERGE_MAX) qsort(w->burns, w->n, sizeof *w->burns, by_value);
  if (w->options->merge == MERGE_MIN) qsort(w->burns, w->n, sizeof *w->burns, by_value_descending);
  return SC_OK;
}

static void free_work(struct work *w) {
  for (size_t i = 0; i < w->n; i++) sc_shape_free(&w->shapes[i]);
  sc_free(w->shapes);
  sc_free(w->burns);
  sc_free(w->crs);
}

/* ---- the array ---- */

/* The header and pixels of fill. */
static sc_status begin_array(const struct work *w, size_t *pixels_at, struct sc_buffer *out,
                             struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  enum sc_dtype dtype = dtypes[w->options->dtype];
  size_t height = (size_t)w->grid.height_px, width = (size_t)w->grid.width_px;
  size_t bytes = height * width * sc_dtype_bytes(dtype);
  size_t limit = (size_t)sqlite3_limit(w->db, SQLITE_LIMIT_LENGTH, -1);
  const struct sc_npy_array array = {sc_npy_descr(dtype), 2, {height, width}};
  if (!raster) return err->status;
  if (!fits(dtype, w->options->fill)) {
    return sc_option_fail(err, FUNCTION, "fill", NULL, "a value of the dtype, not %.15g",
                          w->options->fill);
  }
  if (bytes > limit || bytes > SC_CALL_MAX_BYTES) {
    return sc_fail(err, SC_TOO_BIG, "%s: %zu x %zu pixels are %zu bytes; the limit is %zu",
                   FUNCTION, height, width, bytes,
                   limit < SC_CALL_MAX_BYTES ? limit : SC_CALL_MAX_BYTES);
  }
  sc_status st = sc_npy_header(&array, out, err);
  *pixels_at = out->size;
  if (!st) st = sc_buffer_resize(out, *pixels_at + bytes, err);
  if (!st) {
    raster->convert(&w->options->fill, SC_DTYPE_F64, 0, out->data + *pixels_at, dtype,
                    sc_dtype_bytes(dtype), height * width);
  }
  return st;
}

static sc_status burn(const struct work *w, struct sc_buffer *out, struct sc_error *err) {
  size_t pixels_at = 0;
  sc_status st = begin_array(w, &pixels_at, out, err);
  if (st) return st;
  const struct sc_burn_job job = {.pixels = out->data + pixels_at,
                                  .dtype = dtypes[w->options->dtype],
                                  .width = (int)w->grid.width_px,
                                  .height = (int)w->grid.height_px,
                                  .all_touched = w->options->all_touched,
                                  .add = w->options->merge == MERGE_ADD,
                                  .burns = w->burns,
                                  .n_burns = w->n};
  return sc_raster(err)->rasterize(&job, err);
}

/* The pixels of the chip, without opening any of its bands. */
static sc_status make_array(struct sc_connection *c, const struct labels *l,
                            const struct options *options, struct sc_buffer *out,
                            struct sc_error *err) {
  const struct sc_chip_name name = sc_chip_name_of(l->chip);
  struct work w = {.db = c->db, .labels = l, .options = options};
  struct sc_chip chip;
  sc_status st = sc_chip_open_place(c, &name, &options->chip, &chip, err);
  if (st) return st;
  w.grid.crs = sc_chip_crs(&chip);
  w.grid.width_px = chip.width;
  w.grid.height_px = chip.height;
  sc_chip_transform(&chip, w.grid.transform);
  st = collect(&w, err);
  if (!st) st = burn(&w, out, err);
  free_work(&w);
  sc_chip_close(&chip);
  return st;
}

static void rasterize_final(sqlite3_context *context) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct labels *l = (struct labels *)sc_group_take(context);
  struct sc_error err = {0};
  struct sc_buffer out = {0};
  struct options options = {0};
  if (!l) return; /* an empty group is NULL */
  sc_status st = parse_options(l->group.options, &options, &err);
  if (!st && l->group.err.status) st = (err = l->group.err).status;
  if (!st) st = sc_connection_check_direct(c, &err);
  if (!st && l->chip) st = make_array(c, l, &options, &out, &err);
  sc_options_free(&options.json);
  sqlite3_value_free(l->chip);
  sc_free(l->values);
  sc_group_clear(&l->group);
  if (st) {
    sc_buffer_free(&out);
    sc_result_error(context, &err);
  } else if (out.data) {
    sqlite3_result_blob64(context, out.data, out.size, sc_free);
  }
}

static const struct sc_help rasterize_help = {
    .name = "stacchip_rasterize",
    .kind = SC_HELP_AGGREGATE,
    .about = "geometries as an array on a chip's pixels",
    .arguments =
        (const struct sc_help_name[]){SC_HELP_ROW,
                                      {"geometry", "BLOB", NULL, "what is burned; NULL: nothing"},
                                      {"value", "REAL", "1", "its value"},
                                      SC_HELP_OPTIONS,
                                      SC_HELP_SORT_KEY,
                                      {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(option_table)}},
    .example =
        "SELECT length(stacchip_rasterize(row, Buffer(Centroid(geometry), 0.005), 7)) FROM "
        "stacchip_index('item.json') GROUP BY row LIMIT 1",
};

int sc_rasterize_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_rasterize", 2, SQLITE_DIRECTONLY, 0, rasterize_step, rasterize_final},
      {"stacchip_rasterize", 3, SQLITE_DIRECTONLY, 0, rasterize_step, rasterize_final},
      {"stacchip_rasterize", 4, SQLITE_DIRECTONLY, 0, rasterize_step, rasterize_final},
      {"stacchip_rasterize", 5, SQLITE_DIRECTONLY, 0, rasterize_step, rasterize_final},
  };
  sc_connection_help(c, &rasterize_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
