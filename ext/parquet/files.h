/*
 * Which files a path stands for: one file or URL, a glob (* ? [..] and ** for folders), or
 * all Parquet files below a folder, local or of an s3:// or gs:// store; and what a file's
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

/*
 * Platform and item of .../platform=P/item=I/x.parquet and .../P/I/index_I.parquet, with %XX
 * undone; NULL where the path does not say. Freed by the caller with sc_free().
 */
sc_status sc_files_platform_item(const char *path, char **platform, char **item,
                                 struct sc_error *err);

#endif
