/* Lists of names and paths, and what names a folder has. */
#ifndef SC_STORE_NAMES_H
#define SC_STORE_NAMES_H

#include <stddef.h>

#include "base/status.h"

/* Zeroed is empty; sc_files_free(). */
struct sc_files {
  char **paths; /* owned, and each of them */
  size_t n, max;
};

/* Append a copy. */
sc_status sc_files_add(struct sc_files *f, const char *path, struct sc_error *err);
/* Sort by bytes, each once. */
void sc_files_sort(struct sc_files *f);
void sc_files_free(struct sc_files *f);

/* The names in a local folder, sorted, but "." and "..". SC_NOT_FOUND (err has the reason) where it
 * cannot be opened. Free also after an error. */
sc_status sc_folder_names(const char *folder, struct sc_files *out, struct sc_error *err);

#endif
