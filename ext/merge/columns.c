/* The names of columns; see columns.h. */
#include "merge/columns.h"

/* Of the columns behind those of an index. */
static const char *const hidden_names[SC_N_COLUMNS - SC_INDEX_N] = {
    "row",       "datetime",    "collection",    "grid",    "col_off", "row_off",
    "item_json", "search_area", "index_options", "command", "rank"};

const char *sc_merge_column_name(int column) {
  if (column < 0 || column >= SC_N_COLUMNS) return "rowid";
  return column < SC_INDEX_N ? sc_index_column_names[column] : hidden_names[column - SC_INDEX_N];
}
