/* The columns of a merged index, in their order. */
#ifndef SC_MERGE_COLUMNS_H
#define SC_MERGE_COLUMNS_H

enum merge_column {
  COL_ROWID = -1,
  COL_CHIPID = 0,
  COL_PLATFORM,
  COL_ITEM,
  COL_DATE,
  COL_X,
  COL_Y,
  COL_CLOUD,
  COL_NODATA,
  COL_GEOMETRY,
  COL_ROW, /* hidden from here on */
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
