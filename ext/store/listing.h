/* What a path or a pattern stands for: Parquet files, or entries of local folders. */
#ifndef SC_STORE_LISTING_H
#define SC_STORE_LISTING_H

#include <stddef.h>

#include "base/status.h"
#include "store/names.h"

/* The folder of rows whose value is NULL, as Hive names it: column=__HIVE_DEFAULT_PARTITION__. */
#define SC_HIVE_NULL "__HIVE_DEFAULT_PARTITION__"

/*
 * The Parquet files of a path: one file or URL, a glob (* ? [..] and ** for folders), or all below
 * a folder, local or of a store (store/objects.h). Sorted by bytes.
 *
 * Trees and ** enter no links to folders; other parts of a pattern do where the access rules allow
 * it, and SC_DENIED elsewhere. SC_NOT_FOUND where nothing matches. Free `out` also after an error.
 */
sc_status sc_files_list(const char *path, struct sc_files *out, struct sc_error *err);

/*
 * What a local pattern with *, ? and [..] fits: files, folders and links, to nothing too; sorted by
 * bytes. Links to folders that the access rules forbid are not entered; whether a match may be read
 * is the caller's to ask. Free `out` also after an error.
 */
sc_status sc_files_glob(const char *pattern, struct sc_files *out, struct sc_error *err);

/* Bytes of a pattern before its first part with a wildcard: a folder's name with its '/'. All bytes
 * of a path without wildcards. */
size_t sc_glob_fixed_bytes(const char *pattern);

#endif
