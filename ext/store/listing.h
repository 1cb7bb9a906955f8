/*
 * Which Parquet files a path stands for: one file or URL, a glob (* ? [..] and ** for folders), or
 * all below a folder, local or of a store (store/objects.h).
 */
#ifndef SC_STORE_LISTING_H
#define SC_STORE_LISTING_H

#include <stddef.h>

#include "base/status.h"
#include "store/names.h"

/* The folder of rows whose value is NULL, as Hive names it: column=__HIVE_DEFAULT_PARTITION__. */
#define SC_HIVE_NULL "__HIVE_DEFAULT_PARTITION__"

/* Sorted. SC_NOT_FOUND where nothing matches. Free also after an error. */
sc_status sc_files_list(const char *path, struct sc_files *out, struct sc_error *err);

#endif
