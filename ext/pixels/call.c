/* Calls of scalar functions of pixels; see call.h. */
#include "pixels/call.h"

#include "base/alloc.h"
#include "base/db.h"

static void free_options(void *options) {
  sc_chip_options_free(options);
  sc_free(options);
}

void sc_call_free_options(const struct sc_chip_options *options) {
  free_options((void *)(size_t)options);
}

static struct sc_chip_options *parse(const char *text, enum sc_options_of function,
                                     struct sc_error *err) {
  struct sc_chip_options *o = sc_alloc(sizeof *o);
  if (!o) {
    sc_fail_nomem(err);
  } else if (sc_chip_options_parse(text, function, o, err)) {
    sc_free(o);
    o = NULL;
  }
  return o;
}

const struct sc_chip_options *sc_call_options(sqlite3_context *context, sqlite3_value **values,
                                              int at, enum sc_options_of function, int *own,
                                              struct sc_error *err) {
  struct sc_chip_options *o = values ? sqlite3_get_auxdata(context, at) : NULL;
  *own = 0;
  if (o) return o;
  const char *text = values ? (const char *)sqlite3_value_text(values[at]) : NULL;
  o = parse(text, function, err);
  if (!o) return NULL;
  if (values) {
    sqlite3_set_auxdata(context, at, o, free_options);
    if (sqlite3_get_auxdata(context, at) == o) return o;
    o = parse(text, function, err); /* SQLite did not keep it, and has freed it */
  }
  *own = o != NULL;
  return o;
}

/* Aux data without an argument of its own lives until the statement ends. */
uint64_t sc_call_run(sqlite3_context *context, struct sc_connection *c) {
  static char mark;
  if (sqlite3_get_auxdata(context, -1)) return c->n_runs;
  sqlite3_set_auxdata(context, -1, &mark, NULL);
  return ++c->n_runs;
}

void sc_call_fail(sqlite3_context *context, const struct sc_chip_options *options,
                  const struct sc_error *err) {
  if (options && options->on_error == SC_ON_ERROR_NULL && sc_on_error_applies(err->status)) return;
  sc_result_error(context, err);
}
