/* Opening local files; see open.h. */
#include "store/open.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

sc_status sc_open_regular(const char *path, int *fd, struct stat *info, struct sc_error *err) {
  struct stat own;
  if (!info) info = &own;
  do { /* a pipe without a writer must not hang us, nor a terminal become ours */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (*fd < 0 && errno == EINTR);
  int code = *fd < 0 || fstat(*fd, info) != 0 ? errno : 0;
  if (!code && S_ISREG(info->st_mode)) return SC_OK;
  if (*fd >= 0) close(*fd);
  *fd = -1;
  if (!code) return sc_fail(err, SC_BAD_DATA, "not a regular file");
  sc_status st = code == ENOENT || code == ENOTDIR ? SC_NOT_FOUND : SC_IO;
  return sc_fail(err, st, "%s", strerror(code));
}
