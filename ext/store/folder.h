/*
 * What lies in a local folder, or fits a pattern, and may hold items; symbolic links are followed
 * where the access rules allow what they lead to.
 */
#ifndef SC_STORE_FOLDER_H
#define SC_STORE_FOLDER_H

#include "base/status.h"

enum sc_found {
  SC_FOUND_READ,   /* a folder, or a file to read */
  SC_FOUND_FAILED, /* it should be read, and cannot be */
  SC_FOUND_PASSED  /* passed over */
};

/* Is told of each entry, in order. path passes to it, also on error; reason is NULL for
 * SC_FOUND_READ. */
typedef sc_status sc_found_function(void *context, char *path, enum sc_found what,
                                    const char *reason, struct sc_error *err);

/* The folders and the .json, .geojson, .ndjson, .jsonl, .parquet and .geoparquet files of a folder
 * that is allowed, by name; names that begin with '.' are hidden. SC_NOT_FOUND where it cannot be
 * listed. */
sc_status sc_folder_list(const char *folder, sc_found_function *found, void *context,
                         struct sc_error *err);

/*
 * What an absolute pattern with '*', '?' and '[...]' fits. What the rules forbid fits nothing,
 * there or not: a pattern does not tell what exists outside. SC_NOT_FOUND where nothing fits.
 */
sc_status sc_folder_glob(const char *pattern, sc_found_function *found, void *context,
                         struct sc_error *err);

#endif
