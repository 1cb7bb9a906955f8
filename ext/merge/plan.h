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
 * cannot see. Equalities are taken once a column, since `rowid = ? AND rowid IN (...)` taken
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
enum sc_scan_source {
  SC_SCAN_ROWID = 0,     /* rows of the chip table, by rowid or handle: cursor_keys.h */
  SC_SCAN_CHIPID,        /* the same, found by item and position */
  SC_SCAN_ITEM,          /* blocks of the items of that id */
  SC_SCAN_AREA,          /* blocks from the area index */
  SC_SCAN_PLATFORM_DATE, /* blocks of items, by an index of the item table */
  SC_SCAN_PLATFORM,
  SC_SCAN_DATE,
  SC_SCAN_ITEMS, /* blocks of all items */
  SC_SCAN_CHIPS, /* the chip table, in the order of rowids */
  SC_N_SCANS
};

enum sc_op {
  SC_OP_EQ = 0,
  SC_OP_LT,
  SC_OP_LE,
  SC_OP_GT,
  SC_OP_GE,
  SC_OP_IN, /* all values of the list in one argument: sqlite3_vtab_in_first() */
  SC_N_COMPARISONS,
  SC_OP_LIMIT = SC_N_COMPARISONS,
  SC_OP_OFFSET,
  SC_OP_PREDICATE
};

struct sc_term {
  int column; /* enum sc_merge_column; unused for limit and offset */
  enum sc_op op;
  int predicate; /* for SC_OP_PREDICATE */
};

/* Which order the source gives; else SQLite sorts. */
enum sc_order { SC_ORDER_NONE = 0, SC_ORDER_ROWID, SC_ORDER_DATE, SC_ORDER_CLOUD, SC_ORDER_NODATA };

struct sc_plan {
  enum sc_scan_source source;
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
