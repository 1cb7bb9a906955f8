/*
 * stacchip_merge: the merged index, a virtual table over SpatiaLite tables.
 *
 *   CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=256, max_nodata=0.5);
 *   INSERT INTO chips(item_json) VALUES ('item.json');
 *   SELECT chipid FROM chips WHERE cloud_cover_percentage < 0.1
 *     AND date BETWEEN '2024-06-01' AND '2024-08-31'
 *     AND ST_Intersects(geometry, BuildMbr(-71, 42, -70, 43, 4326));
 *
 * Columns: chipid, platform, item, date, chip_index_x, chip_index_y, cloud_cover_percentage,
 * nodata_percentage, geometry; hidden: row (the handle for stacchip_chip), datetime,
 * collection, grid, col_off, row_off, item_json (write: index this; read: the stored item),
 * search_area (search_area = G is ST_Intersects(geometry, G)), a command column named as the
 * table, rank. Commands: 'integrity-check', 'rebuild', 'optimize', and with rank
 * ('on_error', 'abort' | 'record').
 *
 * HOW IT WORKS. Chips are rows of <name>_chip, an ordinary SpatiaLite table with SpatiaLite's
 * index. Our own queries read <name>_block, 64 chips a row (chip_block.h), found by the items of
 * a date and platform or by <name>_area, an R*Tree of blocks over place, day and cloud.
 * plan.h says what xBestIndex tells xFilter, cursor.h how a scan runs, shadow.h what is
 * written when. This file holds the methods of sqlite3_module and nothing else.
 */
#include "connection.h"

#include "base/db.h"
#include "index/day_term.h"
#include "merge/columns.h"
#include "merge/cursor.h"
#include "merge/items.h"
#include "merge/plan.h"
#include "merge/schema.h"
#include "merge/shadow.h"
#include "merge/spatial.h"
#include "merge/write.h"

/* The columns, in the order of columns.h; %w is the table's own name. */
static const char declaration[] =
    "CREATE TABLE x(chipid TEXT, platform TEXT, item TEXT, date TEXT, chip_index_x INTEGER, "
    "chip_index_y INTEGER, cloud_cover_percentage REAL, nodata_percentage REAL, geometry BLOB, "
    "row TEXT HIDDEN, datetime TEXT HIDDEN, collection TEXT HIDDEN, grid TEXT HIDDEN, "
    "col_off INTEGER HIDDEN, row_off INTEGER HIDDEN, item_json TEXT HIDDEN, "
    "search_area BLOB HIDDEN, index_options TEXT HIDDEN, \"%w\" TEXT HIDDEN, rank TEXT HIDDEN)";

/* Report an error that has no table yet. */
static int creation_error(char **message, const struct sc_error *err) {
  *message = sqlite3_mprintf("%s", err->text);
  return sc_error_sqlite_code(err);
}

static sc_status declare(sqlite3 *db, const char *name, struct sc_error *err) {
  for (int i = 0; i < SC_N_COLUMNS; i++) {
    if (i != SC_COL_COMMAND && sqlite3_stricmp(name, sc_merge_column_name(i)) == 0) {
      return sc_fail(err, SC_BAD_ARG,
                     "'%s' is a column of every merged index; choose another table name", name);
    }
  }
  char *sql = sqlite3_mprintf(declaration, name);
  if (!sql) return sc_fail_nomem(err);
  int code = sqlite3_declare_vtab(db, sql);
  sqlite3_free(sql);
  return code == SQLITE_OK ? SC_OK : sc_db_fail(db, err, "declaring the columns");
}

static int table_open(sqlite3 *db, void *connection, int is_new, int argc, const char *const *argv,
                      sqlite3_vtab **out, char **message) {
  struct sc_error err = {0};
  struct sc_merge_args args = {0};
  struct sc_merge *t = NULL;
  sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
  sc_status st = sc_merge_args_parse(argc - 3, argv + 3, &args, &err);
  if (!st) st = declare(db, argv[2], &err);
  if (!st && is_new) st = sc_merge_schema_create(db, argv[1], argv[2], &err);
  if (!st && !is_new) st = sc_merge_schema_check(db, argv[1], argv[2], &err);
  if (st) {
    sc_merge_args_free(&args);
  } else {
    st = sc_merge_open(connection, db, argv[1], argv[2], &args, &t, &err);
  }
  if (st) return creation_error(message, &err);
  *out = &t->base;
  return SQLITE_OK;
}

static int merge_create(sqlite3 *db, void *connection, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message) {
  return table_open(db, connection, 1, argc, argv, out, message);
}

static int merge_connect(sqlite3 *db, void *connection, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message) {
  return table_open(db, connection, 0, argc, argv, out, message);
}

static int merge_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  struct sc_error err = {0};
  if (sc_day_term_check_plan(info, SC_COL_DATE, SC_COL_DATETIME, &err))
    return sc_vtab_error(vtab, &err);
  return sc_plan_best_index(info);
}

static int merge_disconnect(sqlite3_vtab *vtab) {
  sc_merge_close((struct sc_merge *)vtab);
  return SQLITE_OK;
}

static int merge_destroy(sqlite3_vtab *vtab) {
  struct sc_merge *t = (struct sc_merge *)vtab;
  struct sc_error err = {0};
  sc_merge_release(t);
  if (sc_merge_schema_drop(t->db, t->schema, t->name, &err)) {
    struct sc_error ignored = {0};
    sc_merge_set_name(t, t->name, &ignored); /* SQLite goes on using the table */
    return sc_vtab_error(vtab, &err);
  }
  sc_merge_close(t);
  return SQLITE_OK;
}

static int merge_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  struct sc_error err = {0};
  struct sc_cursor *c;
  if (sc_cursor_open((struct sc_merge *)vtab, &c, &err)) return sc_vtab_error(vtab, &err);
  *out = &c->base;
  return SQLITE_OK;
}

static int merge_close(sqlite3_vtab_cursor *cursor) {
  sc_cursor_close((struct sc_cursor *)cursor);
  return SQLITE_OK;
}

static int merge_filter(sqlite3_vtab_cursor *cursor, int number, const char *words, int n,
                        sqlite3_value **values) {
  struct sc_error err = {0};
  (void)n;
  if (sc_cursor_filter((struct sc_cursor *)cursor, number, words, values, &err)) {
    return sc_vtab_error(cursor->pVtab, &err);
  }
  return SQLITE_OK;
}

static int merge_next(sqlite3_vtab_cursor *cursor) {
  struct sc_error err;
  sc_error_init(&err);
  if (sc_cursor_next((struct sc_cursor *)cursor, &err)) {
    return sc_vtab_error(cursor->pVtab, &err);
  }
  return SQLITE_OK;
}

static int merge_eof(sqlite3_vtab_cursor *cursor) { return ((struct sc_cursor *)cursor)->is_eof; }

static int merge_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  struct sc_error err;
  sc_error_init(&err);
  if (sc_cursor_column((struct sc_cursor *)cursor, context, column, &err)) {
    return sc_vtab_error(cursor->pVtab, &err);
  }
  return SQLITE_OK;
}

static int merge_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out) {
  *out = ((struct sc_cursor *)cursor)->chip.id;
  return SQLITE_OK;
}

static sc_status update_row(struct sc_merge *t, int argc, sqlite3_value **argv,
                            sqlite3_int64 *rowid, struct sc_error *err) {
  int64_t id = 0;
  if (t->is_broken) return sc_merge_fail_broken(t, err);
  if (argc == 1) return sc_merge_delete_chip(t, sqlite3_value_int64(argv[0]), err);
  if (sqlite3_value_type(argv[0]) != SQLITE_NULL) return sc_merge_refuse_update(t, err);
  sc_status st = sc_merge_write(t, argv + 1, sqlite3_vtab_on_conflict(t->db), &id, err);
  *rowid = id;
  return st;
}

static int merge_update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  struct sc_merge *t = (struct sc_merge *)vtab;
  struct sc_error err;
  sc_error_init(&err);
  sc_merge_enter(t);
  sc_status st = SC_OK;
  if (!t->is_current) st = sc_merge_schema_migrate(t->db, t->schema, t->name, &err);
  t->is_current = st == SC_OK;
  if (!st) st = update_row(t, argc, argv, rowid, &err);
  sc_merge_leave(t);
  return st ? sc_vtab_error(vtab, &err) : SQLITE_OK;
}

static int merge_begin(sqlite3_vtab *vtab) {
  struct sc_merge *t = (struct sc_merge *)vtab;
  struct sc_error err = {0};
  if (sc_connection_check(t->connection, &err)) return sc_vtab_error(vtab, &err);
  sc_merge_forget(t);
  t->is_new_transaction = 1;
  return SQLITE_OK;
}

static int merge_sync(sqlite3_vtab *vtab) {
  struct sc_merge *t = (struct sc_merge *)vtab;
  struct sc_error err = {0};
  sc_status st = t->is_broken ? sc_merge_fail_broken(t, &err) : sc_merge_flush(t, &err);
  return st ? sc_vtab_error(vtab, &err) : SQLITE_OK;
}

static int merge_commit(sqlite3_vtab *vtab) {
  sc_merge_forget((struct sc_merge *)vtab);
  return SQLITE_OK;
}

static int merge_rollback(sqlite3_vtab *vtab) {
  sc_merge_rolled_back((struct sc_merge *)vtab);
  return SQLITE_OK;
}

static int merge_find_function(sqlite3_vtab *vtab, int n_arguments, const char *name,
                               void (**function)(sqlite3_context *, int, sqlite3_value **),
                               void **argument) {
  return sc_predicates_overload(((struct sc_merge *)vtab)->predicates, name, n_arguments, function,
                                argument);
}

static int merge_rename(sqlite3_vtab *vtab, const char *new_name) {
  struct sc_merge *t = (struct sc_merge *)vtab;
  struct sc_error err = {0};
  sc_status st = sc_merge_flush(t, &err);
  sc_merge_release(t);
  if (!st) st = sc_merge_schema_rename(t->db, t->schema, t->name, new_name, &err);
  if (!st) st = sc_merge_set_name(t, new_name, &err);
  if (st) {
    struct sc_error ignored = {0};
    sc_merge_set_name(t, t->name, &ignored); /* SQLite goes on using the table */
    return sc_vtab_error(vtab, &err);
  }
  return SQLITE_OK;
}

/* What is buffered belongs to before the savepoint. */
static int merge_savepoint(sqlite3_vtab *vtab, int savepoint) {
  struct sc_error err = {0};
  (void)savepoint;
  if (sc_merge_savepoint((struct sc_merge *)vtab, &err)) return sc_vtab_error(vtab, &err);
  return SQLITE_OK;
}

/* What is buffered came after the last savepoint, whichever one goes: blocks can stay. */
static int merge_release(sqlite3_vtab *vtab, int savepoint) {
  struct sc_error err = {0};
  (void)savepoint;
  if (sc_merge_release_savepoint((struct sc_merge *)vtab, &err)) return sc_vtab_error(vtab, &err);
  return SQLITE_OK;
}

static int merge_rollback_to(sqlite3_vtab *vtab, int savepoint) {
  struct sc_merge *t = (struct sc_merge *)vtab;
  (void)savepoint;
  if (!t->n_inside) sc_merge_discard(t);
  return SQLITE_OK;
}

static int merge_shadow_name(const char *suffix) { return sc_merge_schema_is_shadow(suffix); }

static const sqlite3_module merge_module = {
    .iVersion = 3,
    .xCreate = merge_create,
    .xConnect = merge_connect,
    .xBestIndex = merge_best_index,
    .xDisconnect = merge_disconnect,
    .xDestroy = merge_destroy,
    .xOpen = merge_open,
    .xClose = merge_close,
    .xFilter = merge_filter,
    .xNext = merge_next,
    .xEof = merge_eof,
    .xColumn = merge_column,
    .xRowid = merge_rowid,
    .xUpdate = merge_update,
    .xBegin = merge_begin,
    .xSync = merge_sync,
    .xCommit = merge_commit,
    .xRollback = merge_rollback,
    .xFindFunction = merge_find_function,
    .xRename = merge_rename,
    .xSavepoint = merge_savepoint,
    .xRelease = merge_release,
    .xRollbackTo = merge_rollback_to,
    .xShadowName = merge_shadow_name,
};

static const struct sc_help merge_help = {
    .name = "stacchip_merge",
    .kind = SC_HELP_MODULE,
    .about = "the chips of many items, kept in the database with spatial indexes",
    .arguments =
        (const struct sc_help_name[]){
            {"argument=value, ...", "see the arguments", "none", "arguments of the table"}, {0}},
    .columns =
        (const struct sc_help_name[]){
            SC_HELP_INDEX_COLUMNS,
            SC_HELP_INDEX_HIDDEN,
            {"item_json", "TEXT, hidden", NULL,
             "written: index this item. Read: the item as it is stored"},
            {"search_area", "BLOB, hidden", NULL,
             "WHERE search_area = geometry: a spatial condition, also for joins"},
            {"index_options", "TEXT, hidden", NULL,
             "JSON of mask, cloud, nodata and dilate, for the item that is written beside it"},
            {"rank", "TEXT, hidden", NULL, "the value of a command"},
            {0}},
    .options = {{"argument", "", &sc_merge_option_table}, {"argument", "", &sc_index_option_table}},
    .example =
        "CREATE VIRTUAL TABLE chips USING stacchip_merge(chip_size=256); INSERT INTO "
        "chips(item_json) VALUES ('item.json'); SELECT count(*) FROM chips",
};

int sc_merge_register(struct sc_connection *c) {
  sc_connection_help(c, &merge_help);
  int code = sc_register_module(c, "stacchip_merge", &merge_module);
  return code == SQLITE_OK ? sc_merge_items_register(c) : code;
}
