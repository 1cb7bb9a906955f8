/* The columns of a merged index, in their order. */
#ifndef SC_MERGE_COLUMNS_H
#define SC_MERGE_COLUMNS_H

#include "index/columns.h"

enum sc_merge_column {
  SC_COL_ROWID = -1,
  SC_COL_CHIPID = SC_INDEX_CHIPID,
  SC_COL_PLATFORM = SC_INDEX_PLATFORM,
  SC_COL_ITEM = SC_INDEX_ITEM,
  SC_COL_DATE = SC_INDEX_DATE,
  SC_COL_X = SC_INDEX_X,
  SC_COL_Y = SC_INDEX_Y,
  SC_COL_CLOUD = SC_INDEX_CLOUD,
  SC_COL_NODATA = SC_INDEX_NODATA,
  SC_COL_GEOMETRY = SC_INDEX_GEOMETRY,
  SC_COL_ROW = SC_INDEX_N, /* hidden from here on */
  SC_COL_DATETIME,
  SC_COL_COLLECTION,
  SC_COL_GRID,
  SC_COL_COL_OFF,
  SC_COL_ROW_OFF,
  SC_COL_ITEM_JSON,
  SC_COL_SEARCH_AREA,
  SC_COL_INDEX_OPTIONS,
  SC_COL_COMMAND, /* named as the table */
  SC_COL_RANK,
  SC_N_COLUMNS
};

/* The name of a column for people; "rowid" for -1. */
const char *sc_merge_column_name(int column);

#endif
