/* Opening and reading local files; see open.h. */
#include "store/open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

sc_status sc_open_regular(const char *path, int *fd, struct stat *info, struct sc_error *err) {
  struct stat own;
  if (!info) info = &own;
  do { /* a pipe without a writer must not hang us, nor a terminal become ours */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (*fd < 0 && errno == EINTR);
  int failed = *fd < 0 || fstat(*fd, info) != 0, code = errno;
  if (!failed && S_ISREG(info->st_mode)) return SC_OK;
  if (*fd >= 0) close(*fd);
  *fd = -1;
  if (!failed) return sc_fail(err, SC_BAD_DATA, "not a regular file");
  sc_status st = code == ENOENT || code == ENOTDIR ? SC_NOT_FOUND : SC_IO;
  return sc_fail(err, st, "%s", strerror(code));
}

int64_t sc_read_at(int fd, uint64_t offset, void *out, size_t n) {
  size_t got = 0;
  while (got < n) {
    ssize_t one = pread(fd, (char *)out + got, n - got, (off_t)(offset + got));
    if (one < 0 && errno == EINTR) continue;
    if (one < 0) return -1;
    if (one == 0) break;
    got += (size_t)one;
  }
  return (int64_t)got;
}

size_t sc_read_head(const char *path, void *out, size_t n) {
  struct sc_error ignored = {0};
  int fd;
  if (sc_open_regular(path, &fd, NULL, &ignored)) return 0;
  int64_t got = sc_read_at(fd, 0, out, n);
  close(fd);
  return got < 0 ? 0 : (size_t)got;
}

/* A file may grow or shrink while it is read: what counts is what comes. */
static sc_status read_all(int fd, size_t limit, struct sc_buffer *out, struct sc_error *err) {
  while (out->size <= limit) {
    sc_status st = sc_buffer_reserve(out, 4096, err);
    if (st) return st;
    int64_t n = sc_read_at(fd, out->size, out->data + out->size, out->capacity - out->size - 1);
    if (n < 0) return sc_fail(err, SC_IO, "%s", strerror(errno));
    if (n == 0) return sc_buffer_terminate(out, err);
    out->size += (size_t)n;
  }
  return sc_fail(err, SC_TOO_BIG, "more than %zu bytes, the limit", limit);
}

sc_status sc_read_file(const char *path, size_t limit, struct sc_buffer *out,
                       struct sc_error *err) {
  struct stat info;
  int fd;
  sc_status st = sc_open_regular(path, &fd, &info, err);
  if (st) return sc_fail_within(err, "%s", path);
  out->size = 0;
  st = (uint64_t)info.st_size > limit ? sc_fail(err, SC_TOO_BIG, "%lld bytes; the limit is %zu",
                                                (long long)info.st_size, limit)
                                      : sc_buffer_reserve(out, (size_t)info.st_size + 4097, err);
  if (!st) st = read_all(fd, limit, out, err);
  close(fd);
  return st ? sc_fail_within(err, "%s", path) : SC_OK;
}

/* Make something new, by mkstemp() or mkdtemp(), in the first folder that can be written to. */
static sc_status make_scratch(int is_folder, char **out, int *fd, struct sc_error *err) {
  const char *folders[] = {getenv("SQLITE_TMPDIR"), getenv("TMPDIR"), "/var/tmp", "/tmp", "."};
  *out = NULL;
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    char *path = NULL;
    if (!folders[i] || !*folders[i]) continue;
    sc_status st = sc_format(&path, err, "%s/stacchip-XXXXXX", folders[i]);
    if (st) return st;
    if (is_folder ? mkdtemp(path) != NULL : (*fd = mkstemp(path)) >= 0) {
      *out = path;
      return SC_OK;
    }
    sc_free(path);
  }
  return sc_fail(err, SC_IO, "no folder for temporary files can be written to: %s",
                 strerror(errno));
}

sc_status sc_open_scratch(int *fd, struct sc_error *err) {
  char *path;
  *fd = -1;
  sc_status st = make_scratch(0, &path, fd, err);
  if (st) return st;
  unlink(path);
  sc_free(path);
  return SC_OK;
}

sc_status sc_write_at(int fd, uint64_t offset, const void *data, size_t n, struct sc_error *err) {
  const unsigned char *p = data;
  while (n) {
    ssize_t done = pwrite(fd, p, n, (off_t)offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return sc_fail(err, SC_IO, "a temporary file: %s", strerror(errno));
    p += done;
    n -= (size_t)done;
    offset += (uint64_t)done;
  }
  return SC_OK;
}

sc_status sc_make_scratch(char **path, struct sc_error *err) {
  return make_scratch(1, path, NULL, err);
}

void sc_remove_scratch(char *path) {
  DIR *folder = path ? opendir(path) : NULL;
  struct dirent *entry;
  while (folder && (entry = readdir(folder)) != NULL) unlinkat(dirfd(folder), entry->d_name, 0);
  if (folder) closedir(folder);
  if (path) rmdir(path);
  sc_free(path);
}
