/*
 * stacchip_stack(row [, options [, sort_key]]): the chips of a group as one array.
 *
 * HOW IT WORKS  The step gathers handles (group.h); the end opens all chips, checks shapes and the
 * size of the result, and reads all windows in one call, which orders them by file and block. With
 * slots it first opens the places of all rows, whose dates say which of them are chips of the
 * stack.
 */
#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "pixels/batch.h"
#include "pixels/clouds.h"
#include "pixels/group.h"
#include "pixels/static_result.h"
#include "pixels/time_slots.h"

/* A chip that fails leaves its place to fill where places are slots. */
static sc_status put_chip(struct sc_connection *c, sqlite3_value *handle,
                          const struct sc_chip_options *options, struct sc_batch *b,
                          size_t position, struct sc_error *err) {
  struct sc_chip chip;
  sc_status st = sc_interrupt_check(err);
  if (!st) st = sc_chip_open(c, handle, options, &chip, err);
  if (!st) return sc_batch_put(b, &chip, position, err);
  if (!sc_on_error_applies(st) || options->on_error != SC_ON_ERROR_SKIP)
    return sc_fail_within(err, "position %zu", position);
  if (options->n_slots) sc_batch_put_null(b, position);
  return SC_OK;
}

static sc_status open_rows(struct sc_connection *c, const struct sc_group *s,
                           const struct sc_chip_options *options, struct sc_batch *b,
                           struct sc_error *err) {
  sc_status st = sc_batch_init(b, s->n_rows, err);
  size_t position = 0;
  for (size_t i = 0; i < s->n_rows && !st; i++) {
    int is_null = sqlite3_value_type(s->rows[i].handle) == SQLITE_NULL;
    if (is_null && options->null == SC_NULL_FILL) sc_batch_put_null(b, position++);
    if (!is_null) st = put_chip(c, s->rows[i].handle, options, b, position++, err);
  }
  return st;
}

/* --- slots --- */

#define NOT_COUNTED (-1)

/* A row that may take a slot. Its place knows its date and its mask, and has opened no asset. */
struct candidate {
  sqlite3_value *handle; /* borrowed from the group */
  struct sc_chip place;
  int64_t n_cloudy;
};

struct candidates {
  struct sc_connection *c;
  const struct sc_chip_options *options;
  struct candidate *list;
  size_t n;
};

static sc_status open_places(struct candidates *x, const struct sc_group *s, struct sc_error *err) {
  x->list = sc_alloc_zero(s->n_rows, sizeof *x->list);
  if (!x->list) return sc_fail_nomem(err);
  for (size_t i = 0; i < s->n_rows; i++) {
    struct candidate *one = &x->list[x->n];
    sqlite3_value *handle = s->rows[i].handle;
    if (sqlite3_value_type(handle) == SQLITE_NULL) continue;
    const struct sc_chip_name name = sc_chip_name_of(handle);
    sc_status st = sc_interrupt_check(err);
    if (!st) st = sc_chip_open_place(x->c, &name, x->options, &one->place, err);
    if (!st) {
      one->handle = handle;
      one->n_cloudy = NOT_COUNTED;
      x->n++;
    } else if (!sc_on_error_applies(st) || x->options->on_error != SC_ON_ERROR_SKIP) {
      return sc_fail_within(err, "row %zu", i);
    }
  }
  return SC_OK;
}

/* Where its mask cannot be read and chips that fail are skipped, a chip comes last. */
static sc_status count_cloudy(const struct candidates *x, struct candidate *one,
                              struct sc_error *err) {
  size_t n = (size_t)one->place.width * (size_t)one->place.height;
  if (one->n_cloudy != NOT_COUNTED) return SC_OK;
  uint8_t *cloudy = sc_alloc(n);
  if (!cloudy) return sc_fail_nomem(err);
  sc_status st = sc_clouds_find(x->c, &one->place, -1, cloudy, err);
  sc_scenes_forget_failed(x->c, one->place.cached, st);
  one->n_cloudy = 0;
  for (size_t i = 0; i < n && !st; i++) one->n_cloudy += cloudy[i] != 0;
  sc_free(cloudy);
  if (!sc_on_error_applies(st) || x->options->on_error != SC_ON_ERROR_SKIP) return st;
  one->n_cloudy = INT64_MAX;
  return SC_OK;
}

static sc_status fail_duplicate(const struct sc_time_slot *slot, const struct candidate *a,
                                const struct candidate *b, struct sc_error *err) {
  char *ids[2] = {NULL, NULL};
  sc_status st = sc_chip_id(&a->place, &ids[0], err);
  if (!st) st = sc_chip_id(&b->place, &ids[1], err);
  if (!st)
    st = sc_fail(err, SC_BAD_DATA,
                 "slot '%s' has two chips, %s and %s; option 'on_duplicate' may choose the 'first' "
                 "or the 'clearest'",
                 slot->text, ids[0], ids[1]);
  sc_free(ids[0]);
  sc_free(ids[1]);
  return st;
}

/* The candidate that takes a slot; NULL for none. */
static sc_status choose(const struct candidates *x, const struct sc_time_slot *slot,
                        struct candidate **out, struct sc_error *err) {
  struct candidate *best = NULL;
  sc_status st = sc_interrupt_check(err);
  for (size_t i = 0; i < x->n && !st; i++) {
    struct candidate *one = &x->list[i];
    if (!sc_time_slot_has(slot, one->place.scene->item.datetime)) continue;
    if (!best) {
      best = one;
      continue;
    }
    if (x->options->on_duplicate == SC_DUPLICATE_FIRST) break;
    if (x->options->on_duplicate == SC_DUPLICATE_ERROR) return fail_duplicate(slot, best, one, err);
    st = count_cloudy(x, best, err);
    if (!st) st = count_cloudy(x, one, err);
    if (!st && one->n_cloudy < best->n_cloudy) best = one;
  }
  *out = best;
  return st;
}

static sc_status open_slots(struct sc_connection *c, const struct sc_group *s,
                            const struct sc_chip_options *options, struct sc_batch *b,
                            struct sc_error *err) {
  struct candidates x = {.c = c, .options = options};
  sc_status st = sc_batch_init(b, options->n_slots, err);
  if (!st) st = open_places(&x, s, err);
  for (size_t k = 0; k < options->n_slots && !st; k++) {
    struct candidate *one;
    st = choose(&x, &options->slots[k], &one, err);
    if (st) break;
    if (one) st = put_chip(c, one->handle, options, b, k, err);
    if (!one) sc_batch_put_null(b, k);
  }
  for (size_t i = 0; i < x.n; i++) sc_chip_close(&x.list[i].place);
  sc_free(x.list);
  return st;
}

/* --- the function --- */

static sc_status make_stack(struct sc_connection *c, const struct sc_group *s,
                            const struct sc_chip_options *options, size_t limit,
                            struct sc_buffer *out, struct sc_error *err) {
  struct sc_batch b = {0};
  if (options->format == SC_FORMAT_GEOTIFF) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_stack options: option 'format': 'geotiff' is for stacchip_chip()");
  }
  sc_status st =
      options->n_slots ? open_slots(c, s, options, &b, err) : open_rows(c, s, options, &b, err);
  if (!st) st = sc_batch_plan(&b, options, limit, err);
  if (!st) st = sc_batch_read(&b, options, err);
  if (!st) st = sc_overlay_find(c, b.chips, b.n, options, &b.overlay, err);
  sc_batch_forget_failed(c, &b);
  if (b.n_failed) sc_fail_within(err, "position %zu", b.positions[b.n_failed - 1]);
  int has_shape = b.n > 0 || !options->n_slots; /* empty slots alone have none */
  if (!st && has_shape) st = sc_batch_finish(&b, options, out, err);
  sc_batch_free(&b);
  return st;
}

static int has_handle(const struct sc_group *s) {
  size_t i = 0;
  while (i < s->n_rows && sqlite3_value_type(s->rows[i].handle) == SQLITE_NULL) i++;
  return i < s->n_rows;
}

static void stack_final(sqlite3_context *context) {
  struct sc_connection *c = sqlite3_user_data(context);
  struct sc_group *s = sc_group_take(context);
  struct sc_chip_options options;
  struct sc_error err = {0};
  struct sc_buffer out = {0};
  if (!s || !s->has_rows) return; /* an empty group is NULL */
  sc_static_result_reclaim(c);    /* before the next one is read: never two of them */
  err = s->err;
  sc_status st = err.status ? err.status : sc_connection_check_direct(c, &err);
  if (!st) st = sc_chip_options_parse(s->options, SC_OPTIONS_STACK, &options, &err);
  if (!st) {
    size_t limit = (size_t)sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, -1);
    if (has_handle(s)) st = make_stack(c, s, &options, limit, &out, &err);
    int as_null = options.on_error == SC_ON_ERROR_NULL && sc_on_error_applies(st);
    if (as_null) st = SC_OK;
    sc_chip_options_free(&options);
  }
  sc_group_clear(s);
  if (st) {
    sc_buffer_free(&out);
    sc_result_error(context, &err);
  } else if (out.data) {
    sc_static_result_give(c, context, &out);
  }
}

static const struct sc_help stack_help = {
    .name = "stacchip_stack",
    .kind = SC_HELP_AGGREGATE,
    .about = "the chips of a group as one array, read side by side",
    .arguments = (const struct sc_help_name[]){SC_HELP_ROW, SC_HELP_OPTIONS, SC_HELP_SORT_KEY, {0}},
    .options = {{"option", "", &sc_chip_option_tables[SC_OPTIONS_STACK]}},
    .example =
        "SELECT length(stacchip_stack(row, '{\"assets\": \"red\"}')) FROM "
        "stacchip_index('item.json') WHERE cloud_cover_percentage < 0.1",
};

int sc_stack_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_stack", 1, SQLITE_DIRECTONLY, 0, sc_group_step_all, stack_final},
      {"stacchip_stack", 2, SQLITE_DIRECTONLY, 0, sc_group_step_all, stack_final},
      {"stacchip_stack", 3, SQLITE_DIRECTONLY, 0, sc_group_step_all, stack_final},
  };
  sc_connection_help(c, &stack_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
