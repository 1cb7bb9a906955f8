/* Names of columns; see columns.h. */
#include "index/columns.h"

const char *const sc_index_column_names[SC_INDEX_N] = {"chipid",
                                                       "platform",
                                                       "item",
                                                       "date",
                                                       "chip_index_x",
                                                       "chip_index_y",
                                                       "cloud_cover_percentage",
                                                       "nodata_percentage",
                                                       "geometry"};
