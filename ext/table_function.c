/* Table-valued functions; see table_function.h. */
#include "table_function.h"

#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/rowid.h"

enum { PLAN_ARGUMENTS = SC_TABLE_PLAN_FIRST - 1 };

/* What a module knows of itself; owned by SQLite, which frees it. */
struct registration {
  struct sc_connection *connection; /* a reference */
  const struct sc_table_function *function;
};

struct table {
  sqlite3_vtab base;
  const struct registration *of;
};

static const struct sc_table_function *function_of(const struct sc_table_cursor *c) {
  return ((const struct table *)c->base.pVtab)->of->function;
}

static int table_connect(sqlite3 *db, void *aux, int n, const char *const *args, sqlite3_vtab **out,
                         char **message) {
  const struct registration *of = aux;
  (void)n, (void)args, (void)message;
  int code = sqlite3_declare_vtab(db, of->function->declaration);
  struct table *t = code == SQLITE_OK ? sc_alloc_zero(1, sizeof *t) : NULL;
  if (!t) return code == SQLITE_OK ? SQLITE_NOMEM : code;
  t->of = of;
  sqlite3_vtab_config(db, of->function->risk);
  *out = &t->base;
  return SQLITE_OK;
}

static int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const struct sc_table_function *f = ((struct table *)vtab)->of->function;
  struct sc_error err = {0};
  int at[SC_TABLE_ARGUMENTS_MAX] = {-1, -1, -1}, n = 0;
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    int argument = c->iColumn - f->first_argument;
    if (c->op != SQLITE_INDEX_CONSTRAINT_EQ || argument < 0 || argument >= f->n_arguments) continue;
    if (!c->usable) return SQLITE_CONSTRAINT; /* another order of the join will do */
    if (at[argument] < 0) at[argument] = i;
  }
  for (; n < f->n_arguments && at[n] >= 0; n++) {
    info->aConstraintUsage[at[n]].argvIndex = n + 1;
    info->aConstraintUsage[at[n]].omit = 1;
  }
  info->idxNum = n;
  info->estimatedCost = n < f->n_needed      ? SC_COST_INCOMPLETE
                        : n < f->n_arguments ? f->cost * 1000
                                             : f->cost;
  info->estimatedRows = f->rows;
  return f->plan && f->plan(info, &err) ? sc_vtab_error(vtab, &err) : SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *vtab) {
  sc_free(vtab);
  return SQLITE_OK;
}

static int table_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  struct sc_table_cursor *c = sc_alloc_zero(1, ((struct table *)vtab)->of->function->cursor_bytes);
  if (!c) return SQLITE_NOMEM;
  *out = &c->base;
  return SQLITE_OK;
}

static void clear_cursor(struct sc_table_cursor *c) {
  sqlite3_vtab *table = c->base.pVtab;
  function_of(c)->clear(c);
  for (int i = 0; i < SC_TABLE_ARGUMENTS_MAX; i++) sqlite3_value_free(c->arguments[i]);
  memset(c, 0, function_of(c)->cursor_bytes);
  c->base.pVtab = table;
}

static int table_close(sqlite3_vtab_cursor *cursor) {
  clear_cursor((struct sc_table_cursor *)cursor);
  sc_free(cursor);
  return SQLITE_OK;
}

static sc_status begin(struct sc_table_cursor *c, sqlite3_value **values, struct sc_error *err) {
  const struct sc_table_function *f = function_of(c);
  int n = c->plan & PLAN_ARGUMENTS;
  sc_status st = SC_OK;
  if (f->risk == SQLITE_VTAB_DIRECTONLY) st = sc_connection_check_direct(c->connection, err);
  if (!st && n < f->n_needed) st = sc_fail(err, SC_BAD_ARG, "%s", f->missing);
  for (int i = 0; i < n && !st; i++) {
    c->arguments[i] = sqlite3_value_dup(values[i]);
    if (!c->arguments[i]) st = sc_fail_nomem(err);
  }
  if (st) return st;
  c->first_rowid = f->n_arguments ? 1 + sc_rowid_start(values, n) : 1;
  c->values = values + n;
  return f->begin(c, err);
}

static int report(struct sc_table_cursor *c, struct sc_error *err) {
  const char *within = function_of(c)->within;
  if (within) sc_fail_within(err, "%s", within);
  return sc_vtab_error(c->base.pVtab, err);
}

static int table_filter(sqlite3_vtab_cursor *cursor, int plan, const char *terms, int n,
                        sqlite3_value **values) {
  struct sc_table_cursor *c = (struct sc_table_cursor *)cursor;
  struct sc_error err = {0};
  (void)n;
  clear_cursor(c);
  c->connection = ((struct table *)cursor->pVtab)->of->connection;
  c->plan = plan;
  c->terms = terms;
  return begin(c, values, &err) ? report(c, &err) : SQLITE_OK;
}

static int table_next(sqlite3_vtab_cursor *cursor) {
  struct sc_table_cursor *c = (struct sc_table_cursor *)cursor;
  struct sc_error err;
  sc_error_init(&err);
  c->position++;
  c->is_row = 0;
  return function_of(c)->next(c, &err) ? report(c, &err) : SQLITE_OK;
}

static int table_eof(sqlite3_vtab_cursor *cursor) {
  return !((struct sc_table_cursor *)cursor)->is_row;
}

static int table_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  struct sc_table_cursor *c = (struct sc_table_cursor *)cursor;
  const struct sc_table_function *f = function_of(c);
  int argument = column - f->first_argument;
  struct sc_error err;
  sc_error_init(&err);
  if (argument >= 0 && argument < f->n_arguments) {
    if (c->arguments[argument]) sqlite3_result_value(context, c->arguments[argument]);
  } else if (f->column(c, column, context, &err)) {
    sc_result_error(context, &err);
  }
  return SQLITE_OK;
}

static int table_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  const struct sc_table_cursor *c = (struct sc_table_cursor *)cursor;
  *rowid = c->first_rowid + c->position;
  return SQLITE_OK;
}

static const sqlite3_module table_module = {
    .iVersion = 0,
    .xCreate = NULL, /* eponymous only */
    .xConnect = table_connect,
    .xBestIndex = table_best_index,
    .xDisconnect = table_disconnect,
    .xDestroy = NULL,
    .xOpen = table_open,
    .xClose = table_close,
    .xFilter = table_filter,
    .xNext = table_next,
    .xEof = table_eof,
    .xColumn = table_column,
    .xRowid = table_rowid,
    .xUpdate = NULL, /* read-only */
};

static void unregister(void *aux) {
  sc_connection_unref(((struct registration *)aux)->connection);
  sc_free(aux);
}

int sc_register_table(struct sc_connection *c, const struct sc_table_function *f) {
  struct registration *of = sc_alloc(sizeof *of);
  if (!of) return SQLITE_NOMEM;
  *of = (struct registration){sc_connection_ref(c), f};
  sc_connection_help(c, f->help);
  return sqlite3_create_module_v2(c->db, f->help->name, &table_module, of, unregister);
}
