/*
 * stacchip_stack(row [, options [, sort_key]]): the chips of a group as one array.
 *
 * HOW IT WORKS  The step gathers handles (group.h); the end opens all chips, checks shapes and the
 * size of the result, and reads all windows in one call, which orders them by file and block.
 */
#include "base/alloc.h"
#include "base/db.h"
#include "base/interrupt.h"
#include "pixels/batch.h"
#include "pixels/group.h"
#include "pixels/static_result.h"

static sc_status open_chips(struct sc_connection *c, const struct sc_group *s,
                            const struct sc_chip_options *options, struct sc_batch *b,
                            struct sc_error *err) {
  sc_status st = sc_batch_init(b, s->n_rows, err);
  size_t position = 0;
  for (size_t i = 0; i < s->n_rows && !st; i++) {
    struct sc_chip chip;
    int is_null = sqlite3_value_type(s->rows[i].handle) == SQLITE_NULL;
    if (is_null && options->null == SC_NULL_FILL) sc_batch_put_null(b, position++);
    if (is_null) continue;
    st = sc_interrupt_check(err);
    if (!st) st = sc_chip_open(c, s->rows[i].handle, options, &chip, err);
    if (!st) {
      st = sc_batch_put(b, &chip, position++, err);
    } else if (sc_on_error_applies(st) && options->on_error == SC_ON_ERROR_SKIP) {
      st = SC_OK;
      position++;
    } else {
      sc_fail_within(err, "position %zu", position);
    }
  }
  return st;
}

static sc_status make_stack(struct sc_connection *c, const struct sc_group *s,
                            const struct sc_chip_options *options, size_t limit,
                            struct sc_buffer *out, struct sc_error *err) {
  struct sc_batch b = {0};
  if (options->format == SC_FORMAT_GEOTIFF) {
    return sc_fail(err, SC_BAD_ARG,
                   "stacchip_stack options: option 'format': 'geotiff' is for stacchip_chip()");
  }
  sc_status st = open_chips(c, s, options, &b, err);
  if (!st) st = sc_batch_plan(&b, options, limit, err);
  if (!st) st = sc_batch_read(&b, options, err);
  sc_batch_forget_failed(c, &b);
  if (b.n_failed) sc_fail_within(err, "position %zu", b.positions[b.n_failed - 1]);
  if (!st) st = sc_batch_finish(&b, options, out, err);
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

int sc_stack_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_stack", 1, SQLITE_DIRECTONLY, 0, sc_group_step_all, stack_final},
      {"stacchip_stack", 2, SQLITE_DIRECTONLY, 0, sc_group_step_all, stack_final},
      {"stacchip_stack", 3, SQLITE_DIRECTONLY, 0, sc_group_step_all, stack_final},
  };
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
