/* The aggregates: stacchip_stack(), stacchip_band_stats() and stacchip_band_stats_merge(). */
#ifndef SC_PIXELS_STACK_H
#define SC_PIXELS_STACK_H

#include "base/sqlite.h"
#include "base/status.h"
#include "connection.h"
#include "pixels/chip_options.h"

void sc_stack_step(sqlite3_context *context, int n, sqlite3_value **values);
void sc_stack_final(sqlite3_context *context);
void sc_stats_final(sqlite3_context *context);
void sc_stats_merge_step(sqlite3_context *context, int n, sqlite3_value **values);
void sc_stats_merge_final(sqlite3_context *context);

/* The rows of a group, as sc_stack_step() gathers them. */
struct sc_stack_row {
  sqlite3_value *handle, *sort_key; /* owned copies; sort_key may be NULL */
  size_t position;                  /* in the group, from 0 */
};

struct sc_stack {
  struct sc_stack_row *rows;
  size_t n_rows, capacity;
  char *options; /* text of the first row's; NULL for none */
  struct sc_error err;
  int has_rows;
};

/* The group's rows, ordered; NULL where there was none. Free with sc_stack_clear(). */
struct sc_stack *sc_stack_take(sqlite3_context *context);
void sc_stack_clear(struct sc_stack *stack);

#endif
