/*
 * The one way in which we open a local file to read it. Whether it may be read is asked before
 * (store/href.h, sc_href_allow()): what is opened here has passed the access rules.
 */
#ifndef SC_STORE_OPEN_H
#define SC_STORE_OPEN_H

#include <stdint.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/status.h"

/*
 * Open a regular file. Pipes, sockets and devices are refused, and do not hold us up.
 *
 * fd       Closed by the caller; -1 after an error.
 * info     As fstat() says; NULL where it is not wanted.
 * Returns  SC_NOT_FOUND, SC_IO (there, and it cannot be opened) or SC_BAD_DATA (no regular file).
 *          err->text is the reason alone: the caller says of what.
 */
sc_status sc_open_regular(const char *path, int *fd, struct stat *info, struct sc_error *err);

/* Read n bytes at an offset, fewer at the end of the file. Returns how many, or -1 (errno). */
int64_t sc_read_at(int fd, uint64_t offset, void *out, size_t n);

/* The first bytes of a file, up to n. Returns how many; 0 where it cannot be read. */
size_t sc_read_head(const char *path, void *out, size_t n);

/* Replace `out` by all of a local file, and a zero byte behind that does not count. SC_TOO_BIG
 * where it has more bytes than `limit`. */
sc_status sc_read_file(const char *path, size_t limit, struct sc_buffer *out, struct sc_error *err);

/* A temporary file without a name, to read and write, in the folder where SQLite would put its own.
 * Closed by the caller. */
sc_status sc_open_scratch(int *fd, struct sc_error *err);

/* Write all n bytes at an offset; SC_IO where the disk is full or the like. */
sc_status sc_write_at(int fd, uint64_t offset, const void *data, size_t n, struct sc_error *err);

/* A folder there for a library that wants names of files. *path is owned by the caller, who ends it
 * with sc_remove_scratch(): the folder and the files in it. NULL is fine. */
sc_status sc_make_scratch(char **path, struct sc_error *err);
void sc_remove_scratch(char *path);

#endif
