/*
 * Which files a path stands for: one file or URL, a glob (* ? [..] and ** for folders), or
 * all Parquet files below a folder, local or of a store (stac/objects.h); and what a file's
 * folders say of its rows.
 */
#ifndef SC_PARQUET_FILES_H
#define SC_PARQUET_FILES_H

#include <stddef.h>

#include "base/status.h"

/* Paths, sorted. Zeroed is empty. */
struct sc_files {
  char **paths; /* owned, and each of them */
  size_t n, max;
};

/* SC_NOT_FOUND where nothing matches. Free also after an error. */
sc_status sc_files_list(const char *path, struct sc_files *out, struct sc_error *err);
void sc_files_free(struct sc_files *f);

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
