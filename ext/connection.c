/* Per-connection state and registration helpers; see connection.h. */
#include "connection.h"

#include <assert.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/running.h"

struct sc_connection *sc_connection_ref(struct sc_connection *c) {
  c->n_references++;
  return c;
}

void sc_connection_unref(void *connection) {
  struct sc_connection *c = connection;
  if (--c->n_references > 0) return;
  sc_interrupt_forget(c->db);
  while (c->n_parts > 0) {
    struct sc_part *last = &c->parts[--c->n_parts];
    last->free(last->object);
  }
  sc_free(c);
}

void sc_connection_on_close(struct sc_connection *c, void (*free)(void *), void *object) {
  assert(c->n_parts < SC_PARTS_MAX);
  c->parts[c->n_parts++] = (struct sc_part){object, free};
}

void *sc_connection_part(struct sc_connection *c, void *part, size_t bytes, void (*free)(void *)) {
  if (part) return part;
  part = sc_alloc_zero(1, bytes);
  if (part) sc_connection_on_close(c, free, part);
  return part;
}

sc_status sc_connection_check(const struct sc_connection *c, struct sc_error *err) {
  if (c->process_id == (long)getpid()) {
    sc_interrupt_follow(c->db);
    return SC_OK;
  }
  return sc_fail(err, SC_BAD_ARG,
                 "this SQLite connection was opened before fork(); open one in the child");
}

/* Inside a query of ours the user's own statements are several: what can be counted of them. */
static int is_inside_another(const struct sc_connection *c) {
  return c->n_queries ? sc_running_count(c->db) > 1 + c->n_queries : sc_running_is_nested(c->db);
}

sc_status sc_connection_check_direct(const struct sc_connection *c, struct sc_error *err) {
  if (is_inside_another(c)) {
    return sc_fail(err, SC_DENIED,
                   "unsafe use of stacchip: asked for from inside another statement, by a module "
                   "(full-text index, SpatiaLite) or function that runs SQL of its own; say it in "
                   "a statement of your own");
  }
  return sc_connection_check(c, err);
}

void sc_connection_begin_query(struct sc_connection *c) { c->n_queries++; }

void sc_connection_end_query(struct sc_connection *c) { c->n_queries--; }

/*
 * Before 3.50 SQLite marks a call in a CHECK as the schema's only where the function is
 * deterministic: any other runs there, SQLITE_DIRECTONLY or not. Said to be deterministic, all are
 * refused in CHECK, index and generated column alike. What else it brings: a call whose arguments
 * are constants is made once in a statement, not once for each row.
 */
static int flags_of(const struct sc_function *f) {
  int direct = f->flags & SQLITE_DIRECTONLY;
  return SQLITE_UTF8 | f->flags | (direct ? SQLITE_DETERMINISTIC : 0);
}

int sc_register_functions(struct sc_connection *c, const struct sc_function *f, int n) {
  for (int i = 0; i < n; i++) {
    int code = sqlite3_create_function_v2(c->db, f[i].name, f[i].n_args, flags_of(&f[i]),
                                          sc_connection_ref(c), f[i].scalar, f[i].step, f[i].final,
                                          sc_connection_unref);
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

int sc_register_module(struct sc_connection *c, const char *name, const sqlite3_module *module) {
  return sqlite3_create_module_v2(c->db, name, module, sc_connection_ref(c), sc_connection_unref);
}

void sc_connection_help(struct sc_connection *c, const struct sc_help *help) {
  assert(c->n_help < SC_HELP_MAX);
  c->help[c->n_help++] = help;
}
