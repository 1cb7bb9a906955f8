/*
 * Table-valued functions: what all of ours do alike. Each is a read-only virtual table that is
 * there without CREATE; its arguments are hidden columns that stand side by side. It says what it
 * is in a constant struct sc_table_function, and makes rows; the methods of sqlite3_module are
 * here.
 *
 * An argument that SQLite cannot give yet refuses the plan (another order of the join will do). A
 * plan without arguments that are needed loses against any other, and where there is no other, says
 * what is missing. Arguments are kept, and their columns show them. Rowids are those of
 * base/rowid.h.
 *
 * PLAN  idxNum: bits 0 and 1 are how many arguments are given, from the left; plan() of a function
 * may add bits from SC_TABLE_PLAN_FIRST on, idxStr, and further values for xFilter.
 */
#ifndef SC_TABLE_FUNCTION_H
#define SC_TABLE_FUNCTION_H

#include <stddef.h>
#include <stdint.h>

#include "connection.h"

#define SC_TABLE_ARGUMENTS_MAX 3
#define SC_TABLE_PLAN_FIRST 4

/* What each function's cursor begins with. */
struct sc_table_cursor {
  sqlite3_vtab_cursor base;
  struct sc_connection *connection;                 /* borrowed */
  sqlite3_value *arguments[SC_TABLE_ARGUMENTS_MAX]; /* as given, NULL where they are not; owned */
  int64_t first_rowid;
  int64_t position; /* of the row, added to first_rowid: 0, 1, ... unless begin() sets another */
  int is_row;       /* for begin() and next() to set; 0 before */
  int plan;         /* idxNum */
  /* Valid in begin(): idxStr, and the values that plan() asked for. */
  const char *terms;
  sqlite3_value **values;
};

/* Its functions get the cursor, and as far as they can fail are as sc_status and err say. */
struct sc_table_function {
  const struct sc_help *help; /* with the name */
  const char *declaration;    /* CREATE TABLE x(...) */
  int risk;                   /* SQLITE_VTAB_INNOCUOUS; or SQLITE_VTAB_DIRECTONLY: each call passes
                                 sc_connection_check_direct() first */
  int first_argument;         /* its column */
  int n_arguments, n_needed;
  const char *missing; /* the error where fewer than n_needed are given */
  const char *within;  /* what errors of begin(), next() and before are put behind; or NULL */
  /* A call with fewer arguments is another call, and costs a thousand times as much: where the
   * branches of an OR share the first argument and have other options, the scan of each branch must
   * win over one scan by what they share. */
  double cost;
  int64_t rows; /* an estimate */
  size_t cursor_bytes;
  /* Add to what xBestIndex has settled; info->idxNum arguments are given. May be NULL. */
  sc_status (*plan)(sqlite3_index_info *info, struct sc_error *err);
  /* The cursor is zeroed but for its beginning. Make the first row. */
  sc_status (*begin)(void *cursor, struct sc_error *err);
  /* Make the next one. */
  sc_status (*next)(void *cursor, struct sc_error *err);
  /* Any column but arguments; nothing said is NULL. */
  sc_status (*column)(void *cursor, int column, sqlite3_context *context, struct sc_error *err);
  /* Free what the cursor holds, also of one that is zeroed or whose begin() failed. */
  void (*clear)(void *cursor);
};

/* The text of an argument, borrowed while the cursor stands; NULL where it is not given, or NULL.
 */
static inline const char *sc_table_text(const struct sc_table_cursor *c, int i) {
  return c->arguments[i] ? (const char *)sqlite3_value_text(c->arguments[i]) : NULL;
}

/* Is an argument not given, or NULL? */
static inline int sc_table_is_null(const struct sc_table_cursor *c, int i) {
  return !c->arguments[i] || sqlite3_value_type(c->arguments[i]) == SQLITE_NULL;
}

/* Register it with its help; f is static. An SQLite result code. */
int sc_register_table(struct sc_connection *c, const struct sc_table_function *f);

#endif
