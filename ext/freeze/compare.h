/*
 * What is listed of frozen data sets, row by row: the sources of the tables stacchip_freeze_check
 * and stacchip_freeze_diff (compare_vtab.c).
 */
#ifndef SC_FREEZE_COMPARE_H
#define SC_FREEZE_COMPARE_H

#include "connection.h"

#define SC_COMPARE_PATHS_MAX 2

struct sc_comparison {
  const char *name;        /* of the table */
  const char *declaration; /* CREATE TABLE ..., the paths hidden and last */
  int n_columns;           /* but for the paths */
  int n_paths;
  /* Open the data sets; *rows is given to the others. Nothing to close after an error. */
  sc_status (*open)(struct sc_connection *c, const char *const *paths, void **rows,
                    struct sc_error *err);
  /* Step to the next row; *found 0 at the end. */
  sc_status (*next)(void *rows, int *found, struct sc_error *err);
  void (*column)(const void *rows, int column, sqlite3_context *context);
  void (*close)(void *rows);
};

/* Files that are not what they were when the data set was frozen. */
extern const struct sc_comparison sc_freeze_check;
/* Chips of which one data set has what the other has not. */
extern const struct sc_comparison sc_freeze_diff;

#endif
