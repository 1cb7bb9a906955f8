/*
 * The conditions of one scan, from the plan and xFilter's arguments, but for what names chips
 * (cursor_keys.h). Numbers, spatial terms and
 * texts compared with texts are tested exactly; lists and texts compared with numbers only leave
 * out what cannot pass, and SQLite tests them again (plan.h).
 */
#ifndef SC_MERGE_FILTER_H
#define SC_MERGE_FILTER_H

#include "merge/chip_block.h"
#include "merge/plan.h"
#include "merge/spatial.h"

#define SC_FILTER_MAX_AREAS 8

/* Closed interval; empty when low > high. */
struct sc_interval {
  double low, high;
};

/* Numbers that chips are tested by. */
enum sc_number { SC_NUMBER_X = 0, SC_NUMBER_Y, SC_NUMBER_CLOUD, SC_NUMBER_NODATA, SC_N_NUMBERS };

struct sc_term_text {
  char *bytes; /* owned; a zero follows */
  size_t size;
};

/* One text, or for SC_OP_IN any number of them, ascending as SQLite's BINARY sorts. */
struct sc_text_term {
  int column;
  enum sc_op op;
  struct sc_term_text *values; /* owned */
  size_t n_values, capacity;
};

/* Zeroed is "everything passes"; sc_filter_free(). */
struct sc_filter {
  int is_never; /* no row can pass: a NULL, or an impossible comparison */
  struct sc_interval numbers[SC_N_NUMBERS];
  int has_number[SC_N_NUMBERS];
  int64_t min_rowid, max_rowid;
  int n_texts;
  struct sc_text_term texts[SC_PLAN_MAX_TERMS];
  int n_areas;
  struct sc_area areas[SC_FILTER_MAX_AREAS];
  int64_t limit; /* rows that will be asked for of a sorted scan, as far as known; -1: all */
};

/*
 * SC_BAD_ARG: a fraction compared with something outside 0..1, a date with a time of day
 * (index/day_term.h), an area that is not a geometry, or has another SRID.
 */
sc_status sc_filter_init(struct sc_filter *f, struct sc_predicates *p, const struct sc_plan *plan,
                         sqlite3_value **values, struct sc_error *err);
void sc_filter_free(struct sc_filter *f);

/* A text that bounds a column from below (=, in, >, >=) or above (=, in, <, <=), or NULL. */
const char *sc_filter_text_bound(const struct sc_filter *f, int column, int upper);

/* The term that says which texts a column may have (=, in), or NULL. */
const struct sc_text_term *sc_filter_text_keys(const struct sc_filter *f, int column);

/* Does an item's text pass the terms on its column? NULL passes only where there are none. */
int sc_filter_text_passes(const struct sc_filter *f, int column, const char *text);

/* The chips of a block that pass by their numbers, a bit for each index into chips. */
uint64_t sc_filter_block(const struct sc_filter *f, const struct sc_chip_block *block,
                         int32_t tile_x, int32_t tile_y);
/* The same for one chip. */
int sc_filter_chip(const struct sc_filter *f, int64_t id, int32_t x, int32_t y, double cloud,
                   double nodata);

#endif
