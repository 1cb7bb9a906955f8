/* What tells one state of a file from another. */
#ifndef SC_STORE_STAMP_H
#define SC_STORE_STAMP_H

#include <stdint.h>

/* A local file as stat() finds it; zero for others. */
struct sc_stamp {
  int64_t modified_ns, size;
  uint64_t inode;
};
static inline int sc_stamp_equals(const struct sc_stamp *a, const struct sc_stamp *b) {
  return a->modified_ns == b->modified_ns && a->size == b->size && a->inode == b->inode;
}

#endif
