/*
 * Our allocator: SQLite's, so that its memory limit and the fault tests see every
 * allocation. Memory passes between the two shared objects, since both use the host's.
 */
#ifndef SC_BASE_ALLOC_H
#define SC_BASE_ALLOC_H

#include <stddef.h>

#include "base/status.h"

/* `size` bytes, or NULL. A size of 0 gives one byte, so that NULL always means "no memory". */
void *sc_alloc(size_t size);
/* The same, zeroed, for `count` elements; NULL also when count * size overflows. */
void *sc_alloc_zero(size_t count, size_t size);
/* Resize; on NULL the old block is still there. */
void *sc_realloc(void *block, size_t size);
/* Free; NULL is fine. */
void sc_free(void *block);

/*
 * Can a megabyte not be had? After a failure of a library that has no word for it: PROJ reads its
 * database through SQLite, under the same heap limit, and then knows no CRS.
 */
int sc_memory_is_short(void);

/* A copy of `text` (NULL gives NULL in *out), freed by the caller with sc_free(). */
sc_status sc_strdup(const char *text, char **out, struct sc_error *err);
sc_status sc_strndup(const char *text, size_t n, char **out, struct sc_error *err);
/* printf into new memory, freed by the caller with sc_free(). */
sc_status sc_format(char **out, struct sc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
