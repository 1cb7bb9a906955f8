/*
 * The rows of a group, as the aggregates stacchip_stack() and stacchip_band_stats() gather them:
 * their step only copies handles; their end reads the pixels of all chips at once.
 */
#ifndef SC_PIXELS_GROUP_H
#define SC_PIXELS_GROUP_H

#include <stddef.h>

#include "base/sqlite.h"
#include "base/status.h"

struct sc_group_row {
  sqlite3_value *handle, *sort_key; /* owned copies; sort_key may be NULL */
  size_t position;                  /* in the group, from 0 */
};

struct sc_group {
  struct sc_group_row *rows;
  size_t n_rows, capacity;
  char *options; /* text of the first row's; NULL for none */
  struct sc_error err;
  int has_rows; /* rows with a NULL handle count here, and may not be in rows */
};

/* For steps of other aggregates, whose struct begins with the group: copy a row, and take the
 * options of one (those of the first row hold for all; SC_BAD_ARG for others). */
sc_status sc_group_add(struct sc_group *group, sqlite3_value *handle, sqlite3_value *sort_key,
                       struct sc_error *err);
sc_status sc_group_take_options(struct sc_group *group, sqlite3_value *value, struct sc_error *err);

/* The step of an aggregate f(handle [, options [, sort_key]]). It passes over NULL handles. */
void sc_group_step(sqlite3_context *context, int n, sqlite3_value **values);
/* The same, but rows with a NULL handle are rows. */
void sc_group_step_all(sqlite3_context *context, int n, sqlite3_value **values);
/* The group's rows, ordered; NULL where there was none. Free with sc_group_clear(). */
struct sc_group *sc_group_take(sqlite3_context *context);
void sc_group_clear(struct sc_group *group);

#endif
