/* Identity of files; see stamp.h. */
#include "store/stamp.h"

#include "store/scheme.h"

struct sc_stamp sc_stamp_from(const struct stat *info) {
  return (struct sc_stamp){
      .modified_ns = (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec,
      .size = info->st_size,
      .inode = info->st_ino};
}

struct sc_stamp sc_stamp_of(const char *path) {
  struct stat info;
  if (!path || sc_href_is_url(path) || stat(path, &info) != 0) return (struct sc_stamp){0};
  return sc_stamp_from(&info);
}
