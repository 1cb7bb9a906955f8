/*
 * stacchip_freeze_check(path) and stacchip_freeze_diff(a, b): what is listed of frozen data sets
 * (docs/freeze.md). One module for both: what a row is, check.c and diff.c know.
 *
 *   SELECT change, item, asset, reason FROM stacchip_freeze_check('train.db');
 *   SELECT change, count(*) FROM stacchip_freeze_diff('v1.db', 'v2.db') GROUP BY change;
 *
 * HOW IT WORKS  Files and chips are looked at as the cursor steps: LIMIT stops it.
 *
 * PLAN  idxNum is 1 where all paths are given.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/rowid.h"
#include "freeze/compare.h"

struct compare_table {
  sqlite3_vtab base;
  struct sc_connection *connection;
  const struct sc_comparison *kind;
};

struct compare_cursor {
  sqlite3_vtab_cursor base;
  void *rows; /* NULL: no scan */
  int found;
  sqlite3_int64 rowid;
  sqlite3_value *paths[SC_COMPARE_PATHS_MAX]; /* as they were given; owned */
};

static int connect_table(sqlite3 *db, void *aux, const struct sc_comparison *kind,
                         sqlite3_vtab **out) {
  int code = sqlite3_declare_vtab(db, kind->declaration);
  struct compare_table *t = code == SQLITE_OK ? sc_alloc_zero(1, sizeof *t) : NULL;
  if (!t) return code == SQLITE_OK ? SQLITE_NOMEM : code;
  t->connection = aux;
  t->kind = kind;
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY); /* it opens files and URLs */
  *out = &t->base;
  return SQLITE_OK;
}

static int check_connect(sqlite3 *db, void *aux, int n, const char *const *args, sqlite3_vtab **out,
                         char **message) {
  (void)n, (void)args, (void)message;
  return connect_table(db, aux, &sc_freeze_check, out);
}

static int diff_connect(sqlite3 *db, void *aux, int n, const char *const *args, sqlite3_vtab **out,
                        char **message) {
  (void)n, (void)args, (void)message;
  return connect_table(db, aux, &sc_freeze_diff, out);
}

static int compare_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const struct sc_comparison *kind = ((struct compare_table *)vtab)->kind;
  int n = 0;
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    int path = c->iColumn - kind->n_columns;
    if (c->op != SQLITE_INDEX_CONSTRAINT_EQ || path < 0) continue;
    if (!c->usable) return SQLITE_CONSTRAINT;
    info->aConstraintUsage[i].argvIndex = path + 1;
    info->aConstraintUsage[i].omit = 1;
    n++;
  }
  info->idxNum = n == kind->n_paths;
  if (!info->idxNum) { /* arguments without a gap, which is all that SQLite takes */
    for (int i = 0; i < info->nConstraint; i++) info->aConstraintUsage[i].argvIndex = 0;
  }
  info->estimatedCost = info->idxNum ? 1e6 : SC_COST_INCOMPLETE;
  info->estimatedRows = 1000;
  return SQLITE_OK;
}

static int compare_disconnect(sqlite3_vtab *vtab) {
  sc_free(vtab);
  return SQLITE_OK;
}

static int compare_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  (void)vtab;
  struct compare_cursor *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return SQLITE_NOMEM;
  *out = &c->base;
  return SQLITE_OK;
}

static void clear_cursor(struct compare_cursor *c) {
  const struct compare_table *t = (struct compare_table *)c->base.pVtab;
  if (c->rows) t->kind->close(c->rows);
  c->rows = NULL;
  c->found = 0;
  for (int i = 0; i < SC_COMPARE_PATHS_MAX; i++) {
    sqlite3_value_free(c->paths[i]);
    c->paths[i] = NULL;
  }
}

static int compare_close(sqlite3_vtab_cursor *cursor) {
  clear_cursor((struct compare_cursor *)cursor);
  sc_free(cursor);
  return SQLITE_OK;
}

static int compare_next(sqlite3_vtab_cursor *cursor) {
  struct compare_cursor *c = (struct compare_cursor *)cursor;
  const struct compare_table *t = (struct compare_table *)cursor->pVtab;
  struct sc_error err = {0};
  c->rowid++;
  c->found = 0;
  if (t->kind->next(c->rows, &c->found, &err) == SC_OK) return SQLITE_OK;
  c->found = 0;
  sc_fail_within(&err, "%s", t->kind->name);
  return sc_vtab_error(cursor->pVtab, &err);
}

static sc_status open_rows(struct compare_cursor *c, int n, sqlite3_value **values,
                           struct sc_error *err) {
  const struct compare_table *t = (struct compare_table *)c->base.pVtab;
  const char *paths[SC_COMPARE_PATHS_MAX];
  if (n < t->kind->n_paths) {
    return sc_fail(err, SC_BAD_ARG,
                   "needs the path of %s; on the right of a RIGHT JOIN write (SELECT * FROM "
                   "%s(...))",
                   t->kind->n_paths > 1 ? "two data sets" : "a data set", t->kind->name);
  }
  c->rowid = sc_rowid_start(values, n);
  for (int i = 0; i < n; i++) {
    paths[i] = (const char *)sqlite3_value_text(values[i]);
    c->paths[i] = sqlite3_value_dup(values[i]);
    if (!paths[i] || !c->paths[i]) return sc_fail_nomem(err);
  }
  return t->kind->open(t->connection, paths, &c->rows, err);
}

static int compare_filter(sqlite3_vtab_cursor *cursor, int plan, const char *text, int n,
                          sqlite3_value **values) {
  struct compare_cursor *c = (struct compare_cursor *)cursor;
  const struct compare_table *t = (struct compare_table *)cursor->pVtab;
  struct sc_error err = {0};
  (void)plan, (void)text;
  clear_cursor(c);
  for (int i = 0; i < n; i++) {
    if (sqlite3_value_type(values[i]) == SQLITE_NULL) return SQLITE_OK;
  }
  sc_status st = sc_connection_check_direct(t->connection, &err);
  if (!st) st = open_rows(c, n, values, &err);
  if (!st) return compare_next(cursor);
  sc_fail_within(&err, "%s", t->kind->name);
  return sc_vtab_error(cursor->pVtab, &err);
}

static int compare_eof(sqlite3_vtab_cursor *cursor) {
  return !((struct compare_cursor *)cursor)->found;
}

static int compare_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  const struct compare_cursor *c = (struct compare_cursor *)cursor;
  const struct sc_comparison *kind = ((struct compare_table *)cursor->pVtab)->kind;
  if (column < kind->n_columns) {
    kind->column(c->rows, column, context);
  } else if (c->paths[column - kind->n_columns]) {
    sqlite3_result_value(context, c->paths[column - kind->n_columns]);
  }
  return SQLITE_OK;
}

static int compare_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  *rowid = ((struct compare_cursor *)cursor)->rowid;
  return SQLITE_OK;
}

#define METHODS                                                                                   \
  .iVersion = 0, .xCreate = NULL /* eponymous only */, .xBestIndex = compare_best_index,          \
  .xDisconnect = compare_disconnect, .xDestroy = NULL, .xOpen = compare_open,                     \
  .xClose = compare_close, .xFilter = compare_filter, .xNext = compare_next, .xEof = compare_eof, \
  .xColumn = compare_column, .xRowid = compare_rowid, .xUpdate = NULL

static const struct sc_help check_help = {
    .name = "stacchip_freeze_check",
    .kind = SC_HELP_TABLE,
    .about = "the files that are not what they were when a data set was frozen",
    .arguments = (const struct sc_help_name[]){{"path", "TEXT", NULL, "the frozen data set"}, {0}},
    .columns =
        (const struct sc_help_name[]){
            {"change", "TEXT", NULL, "changed, gone, or unknown: it could not be asked"},
            {"collection", "TEXT", NULL, "of the item"},
            {"item", "TEXT", NULL, "its id"},
            {"layer", "TEXT", NULL, "the layer that the file is of, or empty"},
            {"asset", "TEXT", NULL, "its key"},
            {"href", "TEXT", NULL, "where the file was, without secrets"},
            {"was", "TEXT", NULL, "the stamp of the file when it was frozen"},
            {"now", "TEXT", NULL, "the stamp that it has now, where that is known"},
            {"reason", "TEXT", NULL, "what else is known of it"},
            {"chips", "INTEGER", NULL, "of the data set, that the item has"},
            {0}},
    .example =
        "SELECT stacchip_freeze('train.db', 'SELECT row FROM stacchip_index(''item.json'')', "
        "'{\"format\": \"manifest\"}'); SELECT count(*) FROM "
        "stacchip_freeze_check('train.db')",
};

static const struct sc_help diff_help = {
    .name = "stacchip_freeze_diff",
    .kind = SC_HELP_TABLE,
    .about = "the chips that differ between two frozen data sets",
    .arguments =
        (const struct sc_help_name[]){
            {"a", "TEXT", NULL, "a frozen data set"}, {"b", "TEXT", NULL, "the other one"}, {0}},
    .columns =
        (const struct sc_help_name[]){
            {"change", "TEXT", NULL, "added (in b alone), removed (in a alone) or changed"},
            {"collection", "TEXT", NULL, "of the item"},
            {"item", "TEXT", NULL, "its id"},
            {"chip_index_x", "INTEGER", NULL, "as in the handle"},
            {"chip_index_y", "INTEGER", NULL, "as in the handle"},
            {"x", "INTEGER", NULL, "window on the item's grid, in pixels"},
            {"y", "INTEGER", NULL, "window on the item's grid, in pixels"},
            {"width", "INTEGER", NULL, "in pixels"},
            {"height", "INTEGER", NULL, "in pixels"},
            {"what", "TEXT", NULL,
             "of a chip that has changed a JSON array: options, asset NAME, column NAME"},
            {"position_a", "INTEGER", NULL, "of the chip in a"},
            {"position_b", "INTEGER", NULL, "of the chip in b"},
            {0}},
    .example =
        "SELECT stacchip_freeze('v1.db', 'SELECT row FROM stacchip_index(''item.json'') LIMIT 9', "
        "'{\"format\": \"manifest\"}'); SELECT stacchip_freeze('v2.db', 'SELECT row FROM "
        "stacchip_index(''item.json'') LIMIT 5', '{\"format\": \"manifest\"}'); SELECT change, "
        "count(*) FROM stacchip_freeze_diff('v1.db', 'v2.db') GROUP BY change",
};

int sc_compare_register(struct sc_connection *c) {
  static const sqlite3_module check_module = {METHODS, .xConnect = check_connect};
  static const sqlite3_module diff_module = {METHODS, .xConnect = diff_connect};
  sc_connection_help(c, &check_help);
  sc_connection_help(c, &diff_help);
  int code = sc_register_module(c, "stacchip_freeze_check", &check_module);
  return code ? code : sc_register_module(c, "stacchip_freeze_diff", &diff_module);
}
