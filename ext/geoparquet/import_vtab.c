/*
 * stacchip_parquet: Parquet files as tables.
 *
 * As a table-valued function it reads index files, and has exactly the nine index columns:
 *
 *   SELECT chipid FROM stacchip_parquet('index/') WHERE date >= '2024-06-01';
 *   SELECT count(*) FROM stacchip_parquet('tiles-?.parquet')
 *     WHERE ST_Intersects(geometry, BuildMbr(-71, 42, -70, 43, 4326));
 *
 * As a module it makes a table of any Parquet file, with its columns by name; fields of
 * groups are "group.field", lists and maps are hidden columns that say what they are when
 * they are read:
 *
 *   CREATE VIRTUAL TABLE t USING stacchip_parquet('file.parquet');
 *
 * The columns are stored in t_columns, so that only reading rows opens the file.
 *
 * HOW IT WORKS. xBestIndex takes comparisons with = < <= > >= and spatial calls with the
 * geometry first; import_scan.c leaves out files, row groups and pages that cannot match.
 * No constraint is consumed: SQLite tests each row again.
 *
 * PLAN. idxStr is text: a mask of the wanted columns in hex, then "column,operator;" for each
 * argument of xFilter in turn, where column -1 is the path, operator PLAN_BOX a box and
 * PLAN_DAYS a list of dates that is only looked at (index/day_term.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/db.h"
#include "base/outer_on.h"
#include "base/rowid.h"
#include "connection.h"
#include "geoparquet/import.h"
#include "geoparquet/import_columns.h"
#include "index/day_term.h"
#include "index/geometry.h"
#include "index/predicates.h"
#include "parquet/value.h"

enum { PLAN_PATH = -1, PLAN_BOX = 100, PLAN_DAYS };
#define PATH_COLUMN 0 /* of the table-valued function: hidden, before the nine */
#define ROWS_GUESS 1e6

struct parquet_table {
  sqlite3_vtab base;
  struct sc_connection *connection; /* borrowed */
  int is_index;
  size_t n_columns; /* without the path */
  /* of a created table: */
  sqlite3 *db;                      /* borrowed */
  char *schema, *name, *path;       /* owned */
  struct sc_buffer columns;         /* as stored: import_columns.h */
  int is_unknown;                   /* nothing is stored that can be used */
  struct sc_predicates *predicates; /* owned */
};

struct parquet_cursor {
  sqlite3_vtab_cursor base;
  struct sc_import import;
  sqlite3_value *path; /* owned: the argument; its column shows it, since SQLite (3.51 at least)
                          compares it again in the branches of an OR, whatever omit says */
  int is_on_checked, has_outer_on; /* outer_on.h: boxes say nothing then; once a statement */
  int64_t rowid_start;             /* of the table-valued function's call; else 0 */
};

struct plan {
  uint64_t used;
  struct sc_buffer text;
};

/* What an argument of xFilter is. */
struct plan_step {
  int column, op;
};

static sc_status plan_begin(struct plan *p, uint64_t used, struct sc_error *err) {
  p->used = used;
  return sc_buffer_printf(&p->text, err, "%llx;", (unsigned long long)used);
}

static sc_status plan_add(struct plan *p, int column, int op, struct sc_error *err) {
  return sc_buffer_printf(&p->text, err, "%d,%d;", column, op);
}

/* Read the mask; *text moves to the first step. */
static uint64_t plan_used(const char **text) {
  char *end;
  uint64_t used = strtoull(*text, &end, 16);
  *text = *end ? end + 1 : end;
  return used;
}

static struct plan_step plan_step(const char **text) {
  struct plan_step s;
  char *end;
  s.column = (int)strtol(*text, &end, 10);
  s.op = *end ? (int)strtol(end + 1, &end, 10) : 0;
  *text = *end ? end + 1 : end;
  return s;
}

/* An argument of CREATE VIRTUAL TABLE without its quotes. */
static sc_status unquote(const char *text, char **out, struct sc_error *err) {
  size_t n = strlen(text);
  char quote = text[0];
  sc_status st = sc_strndup(text, n, out, err);
  if (st || n < 2 || (quote != '\'' && quote != '"') || text[n - 1] != quote) return st;
  char *to = *out;
  for (size_t i = 1; i + 1 < n; i++) {
    *to++ = text[i];
    if (text[i] == quote && text[i + 1] == quote && i + 2 < n) i++;
  }
  *to = '\0';
  return SC_OK;
}

static sc_status check_columns(const struct sc_pq_file *f, struct sc_error *err) {
  if (f->meta.n_leaves > SC_IMPORT_MAX_COLUMNS) {
    return sc_fail(err, SC_TOO_BIG, "%s: %zu columns; SQLite has at most %d", f->source.name,
                   f->meta.n_leaves, SC_IMPORT_MAX_COLUMNS);
  }
  for (size_t i = 0; i < f->meta.n_leaves; i++) {
    if (f->meta.leaves[i].max_rep == 0) return SC_OK;
  }
  if (f->meta.n_leaves == 0) {
    return sc_fail(err, SC_UNSUPPORTED, "%s: no columns", f->source.name);
  }
  return sc_fail(err, SC_UNSUPPORTED,
                 "%s: column '%s', as all others, is a list or map, which "
                 "cannot be shown as an SQL value",
                 f->source.name, f->meta.leaves[0].path);
}

static sc_status declare(sqlite3 *db, const char *sql, struct sc_error *err) {
  if (sqlite3_declare_vtab(db, sql) == SQLITE_OK) return SC_OK;
  return sc_db_fail(db, err, "stacchip_parquet");
}

/* CREATE: look into the file, and keep what its columns are. */
static sc_status make_file_table(struct parquet_table *t, struct sc_error *err) {
  struct sc_pq_file f;
  sc_status st = sc_import_open_file(t->path, &f, err);
  if (!st) st = check_columns(&f, err);
  if (!st) st = sc_import_columns_describe(&f.meta, &t->columns, err);
  if (!st) st = sc_import_columns_store(t->db, t->schema, t->name, &t->columns, err);
  sc_pq_file_close(&f);
  return st;
}

/* Connecting opens nothing: a stranger's table may be looked at, or dropped. */
static sc_status open_file_table(struct parquet_table *t, struct sc_error *err) {
  sc_status st = sc_import_columns_are_new(t->db)
                     ? make_file_table(t, err)
                     : sc_import_columns_load(t->db, t->schema, t->name, &t->columns, err);
  if (st) return st;
  struct sc_error unknown = {0};
  st = sc_import_columns_declare(t->db, (const char *)t->columns.data, &t->n_columns, &unknown);
  if (st == SC_NOMEM) return sc_fail_nomem(err);
  t->is_unknown = st != SC_OK;
  return st ? declare(t->db, "CREATE TABLE x(unknown)", err) : SC_OK;
}

static sc_status open_index_table(sqlite3 *db, struct parquet_table *t, struct sc_error *err) {
  t->is_index = 1;
  t->n_columns = SC_INDEX_N;
  sc_status st = sc_predicates_new(db, &t->predicates, err);
  if (st) return st;
  return declare(db,
                 "CREATE TABLE x(path TEXT HIDDEN, chipid TEXT, platform TEXT, item TEXT, "
                 "date TEXT, chip_index_x INTEGER, chip_index_y INTEGER, "
                 "cloud_cover_percentage REAL, nodata_percentage REAL, geometry BLOB)",
                 err);
}

static sc_status open_table(sqlite3 *db, struct parquet_table *t, int argc, const char *const *argv,
                            struct sc_error *err) {
  int is_eponymous = argc == 3 && sqlite3_stricmp(argv[2], argv[0]) == 0;
  if (is_eponymous) return open_index_table(db, t, err);
  if (argc != 4) {
    return sc_fail(err, SC_BAD_ARG,
                   "expected CREATE VIRTUAL TABLE %s USING "
                   "stacchip_parquet('file.parquet')",
                   argv[2]);
  }
  t->db = db;
  sc_status st = sc_connection_check(t->connection, err);
  if (!st) st = sc_strdup(argv[1], &t->schema, err);
  if (!st) st = sc_strdup(argv[2], &t->name, err);
  if (!st) st = unquote(argv[3], &t->path, err);
  return st ? st : open_file_table(t, err);
}

static void free_table(struct parquet_table *t) {
  sc_predicates_free(t->predicates);
  sc_buffer_free(&t->columns);
  sc_free(t->schema);
  sc_free(t->name);
  sc_free(t->path);
  sc_free(t);
}

/* Also xCreate: the same function makes the module usable without CREATE. */
static int parquet_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                           sqlite3_vtab **out, char **message) {
  struct sc_error err = {0};
  struct parquet_table *t = sc_alloc_zero(1, sizeof *t);
  if (!t) return SQLITE_NOMEM;
  t->connection = aux;
  sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
  if (open_table(db, t, argc, argv, &err)) {
    *message = sqlite3_mprintf("%s", err.text);
    free_table(t);
    return sc_error_sqlite_code(&err);
  }
  *out = &t->base;
  return SQLITE_OK;
}

/* -1: not a comparison that statistics can answer. */
static int op_of(unsigned char op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ: return SC_PQ_EQ;
    case SQLITE_INDEX_CONSTRAINT_LT: return SC_PQ_LT;
    case SQLITE_INDEX_CONSTRAINT_LE: return SC_PQ_LE;
    case SQLITE_INDEX_CONSTRAINT_GT: return SC_PQ_GT;
    case SQLITE_INDEX_CONSTRAINT_GE: return SC_PQ_GE;
    default: return -1;
  }
}

/* IN would start the scan once for each of its values: better once, without it. */
static int is_in(sqlite3_index_info *info, int i) {
  return sqlite3_libversion_number() >= 3038000 && sqlite3_vtab_in(info, i, -1);
}

/* Column and operator of a usable constraint as the plan has them; 0 where it is no use. */
static int classify(const struct parquet_table *t, sqlite3_index_info *info, int i,
                    struct plan_step *s) {
  const struct sqlite3_index_constraint *c = &info->aConstraint[i];
  s->column = c->iColumn - t->is_index;
  s->op = op_of(c->op);
  if (!c->usable || c->iColumn < t->is_index) return 0;
  if (t->is_index && s->column == SC_INDEX_GEOMETRY && c->op >= SC_PREDICATE_FIRST) {
    s->op = PLAN_BOX;
    return 1;
  }
  if (t->is_index && s->column == SC_INDEX_DATE && s->op == SC_PQ_EQ && is_in(info, i)) {
    s->op = PLAN_DAYS;
    return 1;
  }
  const char *collation = s->op >= 0 ? sqlite3_vtab_collation(info, i) : NULL;
  return s->op >= 0 && collation && sqlite3_stricmp(collation, "BINARY") == 0 && !is_in(info, i);
}

/* The path's constraint becomes the first argument; *n counts it where it is there. */
static int take_path(sqlite3_index_info *info, struct plan *p, int *n, struct sc_error *err) {
  int is_unusable = 0;
  for (int i = 0; i < info->nConstraint; i++) {
    const struct sqlite3_index_constraint *c = &info->aConstraint[i];
    if (c->iColumn != PATH_COLUMN || c->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!c->usable) {
      is_unusable = 1;
      continue;
    }
    info->aConstraintUsage[i].argvIndex = ++*n;
    info->aConstraintUsage[i].omit = 1;
    return plan_add(p, PLAN_PATH, 0, err) ? SQLITE_NOMEM : SQLITE_OK;
  }
  return is_unusable ? SQLITE_CONSTRAINT : SQLITE_OK; /* another order of the join will do */
}

static int parquet_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  struct parquet_table *t = (struct parquet_table *)vtab;
  struct sc_error err = {0};
  struct plan p = {0};
  struct plan_step s;
  int n = 0, code = plan_begin(&p, (uint64_t)info->colUsed, &err) ? SQLITE_NOMEM : SQLITE_OK;
  double rows = ROWS_GUESS;
  if (!code && t->is_index && sc_day_term_check_plan(info, SC_INDEX_DATE + 1, -1, &err)) {
    code = sc_vtab_error(vtab, &err);
  }
  if (!code && t->is_index) code = take_path(info, &p, &n, &err);
  int is_incomplete = t->is_index && n == 0;
  for (int i = 0; i < info->nConstraint && !code; i++) {
    if (info->aConstraintUsage[i].argvIndex || !classify(t, info, i, &s)) continue;
    info->aConstraintUsage[i].argvIndex = ++n;
    if (s.op == PLAN_DAYS) sqlite3_vtab_in(info, i, 1);
    rows *= s.op == PLAN_BOX ? 0.01 : s.op == SC_PQ_EQ ? 0.1 : 0.4;
    if (plan_add(&p, s.column, s.op, &err)) code = SQLITE_NOMEM;
  }
  info->estimatedRows = (sqlite3_int64)rows + 1;
  info->estimatedCost = is_incomplete ? SC_COST_INCOMPLETE : rows * 2 + 1000;
  info->idxNum = n;
  if (!code) {
    info->idxStr = sqlite3_mprintf("%s", (const char *)p.text.data);
    info->needToFreeIdxStr = 1;
    if (!info->idxStr) code = SQLITE_NOMEM;
  }
  sc_buffer_free(&p.text);
  return code;
}

static int parquet_disconnect(sqlite3_vtab *vtab) {
  free_table((struct parquet_table *)vtab);
  return SQLITE_OK;
}

static int parquet_destroy(sqlite3_vtab *vtab) {
  struct parquet_table *t = (struct parquet_table *)vtab;
  struct sc_error err = {0};
  if (t->name && sc_import_columns_drop(t->db, t->schema, t->name, &err)) {
    return sc_vtab_error(vtab, &err);
  }
  return parquet_disconnect(vtab);
}

static int parquet_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out) {
  (void)vtab;
  struct parquet_cursor *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return SQLITE_NOMEM;
  c->import.file.source.fd = -1;
  *out = &c->base;
  return SQLITE_OK;
}

static int parquet_close(sqlite3_vtab_cursor *cursor) {
  struct parquet_cursor *c = (struct parquet_cursor *)cursor;
  sc_import_free(&c->import);
  sqlite3_value_free(c->path);
  sc_free(c);
  return SQLITE_OK;
}

/* Bit 63 of SQLite's mask stands for all columns from there on. */
static void want_columns(const struct parquet_table *t, struct sc_import *m, uint64_t used) {
  for (size_t c = 0; c < m->n_columns; c++) {
    size_t bit = c + (size_t)t->is_index;
    m->is_wanted[c] = (unsigned char)(used >> (bit < 63 ? bit : 63) & 1);
  }
}

static sc_status add_argument(struct sc_import *m, struct plan_step s, sqlite3_value *v,
                              struct sc_error *err) {
  struct sc_box box;
  int srid;
  if (s.op == PLAN_BOX) {
    struct sc_error ignored = {0};
    if (sqlite3_value_type(v) == SQLITE_BLOB &&
        sc_blob_box(sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v), &box, &srid, &ignored) ==
            SC_OK &&
        (srid <= 0 || srid == SC_SRID_LONLAT)) {
      struct sc_pq_box wanted = {1, box.min_x, box.min_y, box.max_x, box.max_y};
      m->box = wanted;
    }
    return SC_OK;
  }
  if (m->is_index && s.column == SC_INDEX_DATE) {
    sc_status st = sc_day_term_check_value("date", s.op == PLAN_DAYS, v, err);
    if (st || s.op == PLAN_DAYS) return st;
  }
  struct sc_import_constraint *c = &m->constraints[m->n_constraints];
  c->column = s.column;
  c->op = (enum sc_pq_op)s.op;
  c->value = sqlite3_value_dup(v);
  if (!c->value) return sc_fail_nomem(err);
  m->n_constraints++;
  return SC_OK;
}

static int is_box_usable(struct parquet_cursor *c) {
  struct parquet_table *t = (struct parquet_table *)c->base.pVtab;
  if (!c->is_on_checked) {
    c->has_outer_on =
        sc_outer_on_is_running(t->connection->db, "stacchip_parquet", sc_predicate_is_name);
    c->is_on_checked = 1;
  }
  return !c->has_outer_on;
}

static sc_status start(struct parquet_cursor *cursor, const char *plan, int argc,
                       sqlite3_value **argv, struct sc_error *err) {
  struct parquet_table *t = (struct parquet_table *)cursor->base.pVtab;
  struct sc_import *m = &cursor->import;
  const char *path = t->path;
  cursor->rowid_start = 0;
  sc_import_free(m);
  sc_status st = sc_connection_check_direct(t->connection, err);
  if (!st && t->is_unknown) {
    st = sc_fail(err, SC_BAD_DATA,
                 "stacchip_parquet: the columns of %s are not stored in %s_columns; DROP it and "
                 "CREATE it again",
                 t->name, t->name);
  }
  if (!st) st = sc_import_init(m, t->connection, t->is_index, t->n_columns, (size_t)argc, err);
  if (st) return st;
  m->columns = (const char *)t->columns.data;
  want_columns(t, m, plan_used(&plan));
  for (int i = 0; i < argc && !st; i++) {
    struct plan_step s = plan_step(&plan);
    if (s.op == PLAN_BOX && !is_box_usable(cursor)) continue;
    if (s.column != PLAN_PATH) {
      st = add_argument(m, s, argv[i], err);
    } else if (sqlite3_value_type(argv[i]) != SQLITE_TEXT) {
      st = sc_fail(err, SC_BAD_ARG, "stacchip_parquet: argument 'path': expected a text");
    } else {
      sqlite3_value_free(cursor->path);
      cursor->path = sqlite3_value_dup(argv[i]);
      path = (const char *)sqlite3_value_text(cursor->path);
      if (!path) st = sc_fail_nomem(err);
      cursor->rowid_start = sc_rowid_start(&argv[i], 1);
    }
  }
  if (!st && !path) {
    st = sc_fail(err, SC_BAD_ARG,
                 "stacchip_parquet needs a path: stacchip_parquet('index.parquet')");
  }
  return st ? st : sc_import_begin(m, path, err);
}

static int parquet_filter(sqlite3_vtab_cursor *cursor, int n, const char *plan, int argc,
                          sqlite3_value **argv) {
  struct parquet_cursor *c = (struct parquet_cursor *)cursor;
  struct sc_error err = {0};
  (void)n;
  if (start(c, plan, argc, argv, &err)) return sc_vtab_error(cursor->pVtab, &err);
  return SQLITE_OK;
}

static int parquet_next(sqlite3_vtab_cursor *cursor) {
  struct parquet_cursor *c = (struct parquet_cursor *)cursor;
  struct sc_error err;
  sc_error_init(&err);
  return sc_import_next(&c->import, &err) ? sc_vtab_error(cursor->pVtab, &err) : SQLITE_OK;
}

static int parquet_eof(sqlite3_vtab_cursor *cursor) {
  return sc_import_eof(&((struct parquet_cursor *)cursor)->import);
}

static int parquet_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
  struct parquet_cursor *c = (struct parquet_cursor *)cursor;
  struct sc_error err;
  int i = column - c->import.is_index;
  sc_error_init(&err);
  if (i < 0) {
    if (c->path) sqlite3_result_value(context, c->path);
  } else if (sc_import_column(&c->import, i, context, &err)) {
    sc_result_error(context, &err);
    return sc_vtab_error(cursor->pVtab, &err);
  }
  return SQLITE_OK;
}

static int parquet_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid) {
  const struct parquet_cursor *c = (struct parquet_cursor *)cursor;
  uint64_t position = (uint64_t)sc_import_rowid(&c->import);
  *rowid = (sqlite3_int64)(((uint64_t)c->rowid_start + position) & INT64_MAX);
  return SQLITE_OK;
}

static int parquet_find_function(sqlite3_vtab *vtab, int n_args, const char *name,
                                 void (**function)(sqlite3_context *, int, sqlite3_value **),
                                 void **arg) {
  struct parquet_table *t = (struct parquet_table *)vtab;
  return t->is_index ? sc_predicates_overload(t->predicates, name, n_args, function, arg) : 0;
}

static int parquet_shadow_name(const char *suffix) {
  return sqlite3_stricmp(suffix, "columns") == 0;
}

const sqlite3_module sc_parquet_module = {
    .iVersion = 3,
    .xCreate = parquet_connect,
    .xConnect = parquet_connect,
    .xBestIndex = parquet_best_index,
    .xDisconnect = parquet_disconnect,
    .xDestroy = parquet_destroy,
    .xOpen = parquet_open,
    .xClose = parquet_close,
    .xFilter = parquet_filter,
    .xNext = parquet_next,
    .xEof = parquet_eof,
    .xColumn = parquet_column,
    .xRowid = parquet_rowid,
    .xUpdate = NULL, /* read-only */
    .xFindFunction = parquet_find_function,
    /* no transactions; xRename NULL: ALTER TABLE RENAME is refused */
    .xShadowName = parquet_shadow_name,
};
