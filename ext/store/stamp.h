/* What tells one state of a file from another: the one identity by which caches know files. */
#ifndef SC_STORE_STAMP_H
#define SC_STORE_STAMP_H

#include <stdint.h>
#include <sys/stat.h>

/*
 * A local file as stat() finds it, or a remote one by the number of its state. Zeroed is of no
 * file. Servers tell states apart by ETag and size (raster/remote.h), which the process numbers.
 */
struct sc_stamp {
  int64_t modified_ns, size;
  uint64_t inode;
  unsigned generation; /* of a remote file; the others are 0 */
};

static inline int sc_stamp_equals(const struct sc_stamp *a, const struct sc_stamp *b) {
  return a->modified_ns == b->modified_ns && a->size == b->size && a->inode == b->inode &&
         a->generation == b->generation;
}

/* Of a local file that stat() was asked about. */
struct sc_stamp sc_stamp_from(const struct stat *info);
/* Of the local file that a path names; zero where there is none, for URLs and for NULL. */
struct sc_stamp sc_stamp_of(const char *path);

#endif
