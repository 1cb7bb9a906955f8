/*
 * What xBestIndex decided and xFilter does: the plan of one scan of a merged index.
 *
 * idxNum holds the source, idxStr says the same and the rest in words, for EXPLAIN QUERY PLAN
 * and for xFilter, which reads it back:
 *
 *   area: geometry ST_Intersects, date >=, cloud_cover_percentage <
 *   items by platform and date: platform =, date >=, date <=, limit; order by
 *   cloud_cover_percentage
 *
 * One term for each argument of xFilter, in their order.
 *
 * WHAT IS TAKEN. A term only ever leaves out rows that SQLite would leave out too, and SQLite
 * tests again all but numbers, text literals and spatial terms: whether a text column compares
 * with a number as text or as a number depends on the other side's affinity, which xBestIndex
 * is not told. Equalities are taken once a column, since `rowid = ? AND rowid IN (...)` taken
 * twice would run the product of both. LIMIT and OFFSET say how many rows a sorted scan keeps
 * at first, never how many there are: SQLite up to 3.40 hides comparisons of two columns from
 * us and offers the limit all the same.
 *
 * search_area is an argument, not a value: where SQLite does not hand its term down, a plan
 * that costs more than every other one is given, and reading the column is an error.
 */
#ifndef SC_MERGE_PLAN_H
#define SC_MERGE_PLAN_H

#include "base/sqlite.h"
#include "base/status.h"
#include "merge/columns.h"

#define SC_PLAN_MAX_TERMS 24

/* Where chips come from. */
enum sc_source {
  SOURCE_ROWID = 0,     /* one row of the chip table */
  SOURCE_CHIPID,        /* item and position cut from the text */
  SOURCE_ITEM,          /* blocks of the items of that id */
  SOURCE_AREA,          /* blocks from the area index */
  SOURCE_PLATFORM_DATE, /* blocks of items, by an index of the item table */
  SOURCE_PLATFORM,
  SOURCE_DATE,
  SOURCE_ITEMS, /* blocks of all items */
  SOURCE_CHIPS, /* the chip table, in the order of rowids */
  N_SOURCES
};

enum sc_op {
  OP_EQ = 0,
  OP_LT,
  OP_LE,
  OP_GT,
  OP_GE,
  OP_IN, /* all values of the list in one argument: sqlite3_vtab_in_first() */
  N_COMPARISONS,
  OP_LIMIT = N_COMPARISONS,
  OP_OFFSET,
  OP_PREDICATE
};

struct sc_term {
  int column; /* enum merge_column; unused for limit and offset */
  enum sc_op op;
  int predicate; /* for OP_PREDICATE */
};

/* Which order the source gives; else SQLite sorts. */
enum sc_order { ORDER_NONE = 0, ORDER_ROWID, ORDER_DATE, ORDER_CLOUD, ORDER_NODATA };

struct sc_plan {
  enum sc_source source;
  enum sc_order order;
  int is_descending;
  int is_limited; /* while deciding: the limit is one of the terms, as a hint */
  int n_terms;
  struct sc_term terms[SC_PLAN_MAX_TERMS];
};

/* xBestIndex: decide, fill in costs, idxNum and idxStr. */
int sc_plan_best_index(sqlite3_index_info *info);

/* The plan as words; freed with sqlite3_free(), NULL when out of memory. */
char *sc_plan_encode(const struct sc_plan *plan);

/* Read it back. SC_BAD_DATA cannot happen with our own text. */
sc_status sc_plan_decode(int number, const char *words, struct sc_plan *out, struct sc_error *err);

#endif
