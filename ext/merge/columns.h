/* The columns of a merged index, in their order. */
#ifndef SC_MERGE_COLUMNS_H
#define SC_MERGE_COLUMNS_H

#include "index/columns.h"

enum merge_column {
  COL_ROWID = -1,
  COL_CHIPID = SC_INDEX_CHIPID,
  COL_PLATFORM = SC_INDEX_PLATFORM,
  COL_ITEM = SC_INDEX_ITEM,
  COL_DATE = SC_INDEX_DATE,
  COL_X = SC_INDEX_X,
  COL_Y = SC_INDEX_Y,
  COL_CLOUD = SC_INDEX_CLOUD,
  COL_NODATA = SC_INDEX_NODATA,
  COL_GEOMETRY = SC_INDEX_GEOMETRY,
  COL_ROW = SC_INDEX_N, /* hidden from here on */
  COL_DATETIME,
  COL_COLLECTION,
  COL_GRID,
  COL_COL_OFF,
  COL_ROW_OFF,
  COL_ITEM_JSON,
  COL_SEARCH_AREA,
  COL_COMMAND, /* named as the table */
  COL_RANK,
  N_COLUMNS
};

/* The name of a column for people; "rowid" for -1. */
const char *sc_merge_column_name(int column);

#endif
