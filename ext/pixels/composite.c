/*
 * stacchip_composite(row [, options [, sort_key]]): the chips of a group as one, pixel by pixel.
 *
 * HOW IT WORKS  All chips are opened, and read strip by strip: a strip of each of them is held, as
 * doubles, and what became of the strips before. What is made is then encoded as a chip is.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "pixels/batch.h"
#include "pixels/clouds.h"
#include "pixels/encode.h"
#include "pixels/group.h"
#include "pixels/result.h"

#define WHAT "stacchip_composite"
#define STRIP_BYTES ((size_t)64 << 20) /* of all chips, unless one row takes more */
#define GRID_TOLERANCE_PX 1e-6

enum method { FIRST, MEDIAN, MEAN, MAX, MIN };
#define METHODS "first|median|mean|max|min"

struct own_options {
  int method, exclude_cloud;
  int64_t dilate; /* -1: as the rule says */
};

struct composite {
  struct sc_connection *c;
  const struct sc_chip_options *options;
  struct own_options own;
  struct sc_batch batch;
  uint8_t *is_left_out; /* of each chip: reading it failed, and on_error is "skip" */
  int must_restart;     /* one was left out */
  struct sc_chip chip;  /* the result: borrows from the first chip */
  struct sc_chip_made made;
  double *made_values;
  uint8_t *made_valid;
  int strip_rows;
  double *values;  /* [chip][band][row][column] of a strip */
  uint8_t *valid;  /* the same */
  uint8_t *cloudy; /* [row][column] */
  double *column;  /* the values of one pixel */
};

static void composite_free(struct composite *x) {
  sc_free(x->is_left_out);
  sc_free(x->made_values);
  sc_free(x->made_valid);
  sc_free(x->values);
  sc_free(x->valid);
  sc_free(x->cloudy);
  sc_free(x->column);
  sc_batch_free(&x->batch);
}

/* --- chips --- */

static int same_place(const struct sc_chip *a, const struct sc_chip *b) {
  struct sc_error ignored;
  const struct sc_raster_api *raster = sc_raster(&ignored);
  const char *crs_a = sc_chip_crs(a), *crs_b = sc_chip_crs(b);
  double p[6], q[6];
  sc_chip_transform(a, p);
  sc_chip_transform(b, q);
  double pixel = fabs(p[0]) + fabs(p[1]) + fabs(p[3]) + fabs(p[4]);
  for (int i = 0; i < 6; i++) {
    int is_step = i % 3 != 2; /* grows with each pixel */
    double most = GRID_TOLERANCE_PX * pixel / (is_step ? fmax(a->width, a->height) : 1);
    if (!(fabs(p[i] - q[i]) <= most)) return 0;
  }
  if (!crs_a || !crs_b) return crs_a == crs_b;
  return strcmp(crs_a, crs_b) == 0 || (raster && raster->same_crs(crs_a, crs_b));
}

static sc_status check_place(const struct sc_batch *b, struct sc_error *err) {
  const struct sc_chip *first = &b->chips[0], *last = &b->chips[b->n - 1];
  if (same_place(first, last)) return SC_OK;
  return sc_fail(err, SC_BAD_DATA,
                 "item %s: its chip does not lie on the pixels of the first one, of item %s; the "
                 "options crs, resolution, bounds, center, size and like give them a common grid",
                 last->scene->item.id, first->scene->item.id);
}

static sc_status open_chips(struct composite *x, const struct sc_group *group,
                            struct sc_error *err) {
  sc_status st = sc_batch_init(&x->batch, group->n_rows, err);
  for (size_t i = 0; i < group->n_rows && !st; i++) {
    struct sc_chip chip;
    st = sc_interrupt_check(err);
    if (!st) st = sc_chip_open(x->c, group->rows[i].handle, x->options, &chip, err);
    if (!st) {
      st = sc_batch_put(&x->batch, &chip, i, err);
      if (!st) st = check_place(&x->batch, err);
    } else if (sc_on_error_applies(st) && x->options->on_error == SC_ON_ERROR_SKIP) {
      st = SC_OK;
      continue;
    }
    if (st) sc_fail_within(err, "position %zu", i);
  }
  return st ? st : sc_batch_plan(&x->batch, x->options, SC_CALL_MAX_BYTES, err);
}

/* --- strips --- */

static sc_status make_room(struct composite *x, struct sc_error *err) {
  const struct sc_batch *b = &x->batch;
  const struct sc_chip *first = &b->chips[0];
  size_t planes = (size_t)first->n_bands, width = (size_t)first->width;
  if (sc_dtype_is_complex(b->dtype)) {
    return sc_fail(err, SC_UNSUPPORTED, "item %s: complex pixels have no composite",
                   first->scene->item.id);
  }
  if (sc_chip_check_size(first, 2 * (sizeof(double) + 1), err)) return err->status;
  size_t row = b->n * planes * width * (sizeof(double) + 1), rows = STRIP_BYTES / row + 1;
  if (row > SC_CALL_MAX_BYTES) {
    return sc_fail(err, SC_TOO_BIG, "one row of %zu chips takes %zu bytes; the limit is %zu", b->n,
                   row, SC_CALL_MAX_BYTES);
  }
  x->strip_rows = rows < (size_t)first->height ? (int)rows : first->height;
  size_t n = b->n * planes * width * (size_t)x->strip_rows;
  size_t all = planes * width * (size_t)first->height;
  x->values = sc_alloc(n * sizeof *x->values);
  x->valid = sc_alloc(n);
  x->cloudy = sc_alloc(width * (size_t)x->strip_rows);
  x->column = sc_alloc(b->n * sizeof *x->column);
  x->is_left_out = sc_alloc_zero(b->n, 1);
  x->made_values = sc_alloc(all * sizeof *x->made_values);
  x->made_valid = sc_alloc(all);
  return x->values && x->valid && x->cloudy && x->column && x->is_left_out && x->made_values &&
                 x->made_valid
             ? SC_OK
             : sc_fail_nomem(err);
}

/* Rows [begin, begin + n) of a chip, as a chip that borrows from it. */
static struct sc_chip strip_of(const struct sc_chip *chip, int begin, int n) {
  struct sc_chip strip = *chip;
  strip.height = n;
  if (chip->has_target) {
    strip.transform[2] += begin * chip->transform[1];
    strip.transform[5] += begin * chip->transform[4];
    sc_chip_lay_warps(&strip);
  } else {
    strip.window.y += begin;
    strip.window.height_px = n;
  }
  return strip;
}

/* Cloudy pixels are as if they were not valid. */
static sc_status leave_out_clouds(struct composite *x, const struct sc_chip *strip, uint8_t *valid,
                                  struct sc_error *err) {
  size_t plane = (size_t)strip->width * (size_t)strip->height;
  sc_status st = sc_clouds_find(x->c, strip, (int)x->own.dilate, x->cloudy, err);
  for (int k = 0; k < strip->n_bands && !st; k++) {
    for (size_t i = 0; i < plane; i++) valid[(size_t)k * plane + i] &= !x->cloudy[i];
  }
  return st;
}

static sc_status read_strip(struct composite *x, size_t i, int begin, int n, struct sc_error *err) {
  const struct sc_chip strip = strip_of(&x->batch.chips[i], begin, n);
  size_t count = sc_chip_bytes(&strip, SC_DTYPE_U8);
  struct sc_chip_target to = {.dtype = SC_DTYPE_F64,
                              .pixels = (unsigned char *)(x->values + i * count),
                              .valid = x->valid + i * count};
  sc_status st = sc_chips_read(x->c, &strip, 1, x->options, &to, err);
  if (!st && x->own.exclude_cloud) st = leave_out_clouds(x, &strip, to.valid, err);
  return st ? sc_fail_within(err, "position %zu", x->batch.positions[i]) : SC_OK;
}

static sc_status read_strips(struct composite *x, int begin, int n, struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < x->batch.n && !st; i++) {
    if (x->is_left_out[i]) continue;
    st = sc_interrupt_check(err);
    if (!st) st = read_strip(x, i, begin, n, err);
    x->batch.statuses[i] = st;
    if (st && sc_on_error_applies(st) && x->options->on_error == SC_ON_ERROR_SKIP) {
      x->is_left_out[i] = 1;
      x->must_restart = 1; /* the strips before it have it */
      st = SC_OK;
    }
  }
  return st;
}

/* --- pixels --- */

static int compare(const void *a, const void *b) {
  double p = *(const double *)a, q = *(const double *)b;
  return (p > q) - (p < q);
}

static double combine(enum method method, double *v, size_t n) {
  double result = v[0];
  if (method == FIRST) return result;
  if (method == MEDIAN) {
    qsort(v, n, sizeof *v, compare);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
  }
  for (size_t i = 1; i < n; i++) {
    if (method == MEAN) result += v[i];
    if (method == MAX && v[i] > result) result = v[i];
    if (method == MIN && v[i] < result) result = v[i];
  }
  return method == MEAN ? result / (double)n : result;
}

static int is_whole(enum sc_dtype dtype) { return dtype != SC_DTYPE_F32 && dtype != SC_DTYPE_F64; }

/* A row of a band of the strip, n rows high, into the result's row y. */
static void combine_row(struct composite *x, int band, int j, int n, int y) {
  const struct sc_chip *first = &x->batch.chips[0];
  size_t width = (size_t)first->width, plane = width * (size_t)n;
  size_t chip = plane * (size_t)first->n_bands;
  size_t from = plane * (size_t)band + width * (size_t)j;
  size_t to = width * ((size_t)first->height * (size_t)band + (size_t)y);
  double fill = sc_chip_fill(first, band, x->options);
  for (size_t i = 0; i < width; i++) {
    size_t count = 0;
    for (size_t k = 0; k < x->batch.n; k++) {
      size_t at = k * chip + from + i;
      if (!x->is_left_out[k] && x->valid[at]) x->column[count++] = x->values[at];
    }
    double v = count ? combine((enum method)x->own.method, x->column, count) : fill;
    x->made_values[to + i] = count && is_whole(x->batch.dtype) ? rint(v) : v; /* halves to even */
    x->made_valid[to + i] = count > 0;
  }
}

static sc_status combine_all(struct composite *x, struct sc_error *err) {
  const struct sc_chip *first = &x->batch.chips[0];
  sc_status st = SC_OK;
  for (int begin = 0; begin < first->height && !st; begin += x->strip_rows) {
    int left = first->height - begin, n = left < x->strip_rows ? left : x->strip_rows;
    st = read_strips(x, begin, n, err);
    if (!st && x->must_restart && begin > 0) {
      begin = -x->strip_rows; /* from the first strip, without the chip that failed */
      x->must_restart = 0;
      continue;
    }
    x->must_restart = 0;
    for (int row = 0; row < n * first->n_bands && !st; row++) {
      st = sc_interrupt_check(err);
      if (!st) combine_row(x, row / n, row % n, n, begin + row % n);
    }
  }
  return st;
}

/* --- the function --- */

/* Were all chips left out, as where none can be opened? */
static int is_empty(const struct composite *x) {
  size_t i = 0;
  while (i < x->batch.n && x->is_left_out[i]) i++;
  return i == x->batch.n;
}

static sc_status make_composite(struct composite *x, const struct sc_group *group, size_t limit,
                                struct sc_buffer *out, struct sc_error *err) {
  sc_status st = open_chips(x, group, err);
  if (st || x->batch.n == 0) return st;
  st = make_room(x, err);
  if (!st) st = combine_all(x, err);
  sc_batch_forget_failed(x->c, &x->batch);
  if (st || is_empty(x)) return st;
  x->chip = x->batch.chips[0];
  x->chip.dtype = x->batch.dtype;
  x->made = (struct sc_chip_made){x->made_values, x->made_valid};
  x->chip.made = &x->made;
  return sc_chip_encode(x->c, &x->chip, x->options, limit, out, err);
}

static const struct sc_option own_table[] = {
    {"method", SC_OPTION_CHOICE, offsetof(struct own_options, method), 0, 0, METHODS, "\"first\"",
     "what becomes of the valid values of a pixel"},
    {"exclude_cloud", SC_OPTION_BOOL, offsetof(struct own_options, exclude_cloud), 0, 0, NULL,
     "false", "leave out the pixels that the item's mask calls cloud"},
    {"dilate", SC_OPTION_INT, offsetof(struct own_options, dilate), 0, SC_DILATE_MAX_PX, NULL,
     "the rule's", "with exclude_cloud: pixels of the mask that clouds grow by"},
};

static sc_status read_options(const char *text, struct own_options *own,
                              struct sc_chip_options *out, struct sc_error *err) {
  const struct sc_option_set set = {own_table, sizeof own_table / sizeof *own_table, own, NULL};
  sc_status st = sc_chip_options_parse_with(text, SC_OPTIONS_COMPOSITE, &set, out, err);
  if (st) return st;
  if (own->dilate >= 0 && !own->exclude_cloud) {
    st = sc_fail(err, SC_BAD_ARG, WHAT ": option 'dilate' is of no use without exclude_cloud");
  } else if (out->size_px) {
    st = sc_fail(err, SC_BAD_ARG,
                 WHAT ": option 'size' alone is of stacchip_chip(); give a grid with it");
  }
  if (st) sc_chip_options_free(out);
  return st;
}

static void composite_final(sqlite3_context *context) {
  struct composite x = {.c = sqlite3_user_data(context), .own = {.dilate = -1}};
  struct sc_group *group = sc_group_take(context);
  struct sc_chip_options options;
  struct sc_buffer out = {0};
  struct sc_error err = {0};
  if (!group || !group->has_rows) return; /* an empty group is NULL */
  err = group->err;
  sc_status st = err.status ? err.status : sc_connection_check_direct(x.c, &err);
  if (!st) st = read_options(group->options, &x.own, &options, &err);
  if (!st) {
    size_t limit = (size_t)sqlite3_limit(x.c->db, SQLITE_LIMIT_LENGTH, -1);
    x.options = &options;
    if (group->n_rows) st = make_composite(&x, group, limit, &out, &err);
    if (options.on_error == SC_ON_ERROR_NULL && sc_on_error_applies(st)) st = SC_OK;
    composite_free(&x);
    sc_chip_options_free(&options);
  }
  sc_group_clear(group);
  if (st) {
    sc_result_error(context, &err);
  } else if (out.size) {
    sc_result_give(context, &out);
  }
  sc_buffer_free(&out);
}

static const struct sc_help composite_help = {
    .name = "stacchip_composite",
    .kind = SC_HELP_AGGREGATE,
    .about = "the chips of a group as one, by the first, median, mean, greatest or least value",
    .arguments = (const struct sc_help_name[]){SC_HELP_ROW, SC_HELP_OPTIONS, SC_HELP_SORT_KEY, {0}},
    .options = {{"option", "", &(const struct sc_option_table)SC_OPTION_TABLE(own_table)},
                {"option", "", &sc_chip_option_tables[SC_OPTIONS_COMPOSITE]}},
    .example =
        "SELECT length(stacchip_composite(row, '{\"assets\": \"red\", \"method\": \"median\"}')) "
        "FROM stacchip_index('item.json') GROUP BY chip_index_x, chip_index_y LIMIT 1",
};

int sc_composite_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_composite", 1, SQLITE_DIRECTONLY, 0, sc_group_step, composite_final},
      {"stacchip_composite", 2, SQLITE_DIRECTONLY, 0, sc_group_step, composite_final},
      {"stacchip_composite", 3, SQLITE_DIRECTONLY, 0, sc_group_step, composite_final},
  };
  sc_connection_help(c, &composite_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
