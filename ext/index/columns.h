/* The nine columns of an index, in their order: those of the Python package's index files. */
#ifndef SC_INDEX_COLUMNS_H
#define SC_INDEX_COLUMNS_H

enum sc_index_column {
  SC_INDEX_CHIPID,
  SC_INDEX_PLATFORM,
  SC_INDEX_ITEM,
  SC_INDEX_DATE,
  SC_INDEX_X,
  SC_INDEX_Y,
  SC_INDEX_CLOUD,
  SC_INDEX_NODATA,
  SC_INDEX_GEOMETRY,
  SC_INDEX_N
};

/* Their names, by enum sc_index_column. */
extern const char *const sc_index_column_names[SC_INDEX_N];

#endif
