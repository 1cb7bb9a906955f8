/* What the names of a file's folders say of its rows, in Hive's form (column=value) and in ours. */
#ifndef SC_GEOPARQUET_HIVE_H
#define SC_GEOPARQUET_HIVE_H

#include "base/status.h"

/* What folders say of a file's rows; each owned, NULL where they do not say. Zeroed is empty. */
struct sc_folder_values {
  char *platform, *item, *date;
};

/*
 * Platform, item and date of .../platform=P/item=I/date=D/x.parquet, else platform and item of
 * .../P/I/index_I.parquet, with %XX undone. What the names seem to say: import_names.c asks the
 * files. Free also after an error.
 */
sc_status sc_folder_values_read(const char *path, struct sc_folder_values *out,
                                struct sc_error *err);
void sc_folder_values_free(struct sc_folder_values *v);

#endif
