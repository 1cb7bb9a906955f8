/* Where new files go; see sink.h. */
#include "store/sink.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sqlite.h"
#include "store/objects.h"

#define MAX_NAME_TRIES 100
#define RANDOM_DIGITS 8 /* hexadecimal, of a temporary name */

/* What temporary names end with. A file that ends with ".part" may be deleted by any writer that
 * can lock it. */
static const char *const suffixes[] = {[SC_SINK_ALONE] = ".part", [SC_SINK_IN_TREE] = ".tmp"};

/* ---- local files ---- */

struct local_file {
  char *path;      /* final */
  char *temporary; /* NULL once renamed */
  int fd;          /* -1: closed */
  enum sc_sink_kind kind;
};

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

sc_status sc_make_folders(const char *path, struct sc_error *err) {
  char *copy = NULL;
  sc_status st = sc_strdup(path, &copy, err);
  for (char *p = copy ? strchr(copy + 1, '/') : NULL; p && !st; p = strchr(p + 1, '/')) {
    *p = '\0';
    if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
      st = sc_fail(err, SC_IO, "%s: cannot create the folder: %s", copy, strerror(errno));
    }
    *p = '/';
  }
  sc_free(copy);
  return st;
}

static sc_status local_write(void *file, const void *data, size_t n, struct sc_error *err) {
  struct local_file *f = file;
  const char *p = data;
  while (n) {
    ssize_t done = write(f->fd, p, n);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return sc_fail(err, SC_IO, "%s: %s", f->path, strerror(errno));
    p += done;
    n -= (size_t)done;
  }
  return SC_OK;
}

static sc_status local_finish(void *file, struct sc_error *err) {
  struct local_file *f = file;
  int failed = fsync(f->fd) != 0;
  if (f->kind == SC_SINK_IN_TREE) { /* else the lock is kept until the file has its name */
    failed |= close(f->fd) != 0;
    f->fd = -1;
  }
  return failed ? sc_fail(err, SC_IO, "%s: %s", f->path, strerror(errno)) : SC_OK;
}

/* The folder that a path lies in, to be freed by the caller; NULL without memory. */
static char *folder_of(const char *path) {
  char *folder = NULL;
  struct sc_error ignored = {0};
  size_t n = (size_t)(base_name(path) - path);
  sc_strndup(n ? path : ".", n ? n : 1, &folder, &ignored);
  return folder;
}

/* The name is durable once its folder is synced; some file systems cannot, which is no error. */
static void sync_folder(const char *path) {
  char *folder = folder_of(path);
  if (!folder) return;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)!fsync(fd);
    close(fd);
  }
  sc_free(folder);
}

sc_status sc_rename_durably(const char *from, const char *to, struct sc_error *err) {
  int fd = open(from, O_RDONLY | O_CLOEXEC);
  int failed = fd < 0 || fsync(fd) != 0 || rename(from, to) != 0, code = errno;
  if (fd >= 0) close(fd);
  if (failed) return sc_fail(err, SC_IO, "%s: %s", to, strerror(code));
  sync_folder(to);
  return SC_OK;
}

static sc_status local_commit(void *file, struct sc_error *err) {
  struct local_file *f = file;
  if (rename(f->temporary, f->path) != 0) {
    return sc_fail(err, SC_IO, "%s: %s", f->path, strerror(errno));
  }
  sc_free(f->temporary);
  f->temporary = NULL;
  sync_folder(f->path);
  return SC_OK;
}

static void local_close(void *file) {
  struct local_file *f = file;
  if (f->fd >= 0) close(f->fd);
  if (f->temporary) unlink(f->temporary);
  sc_free(f->temporary);
  sc_free(f->path);
  sc_free(f);
}

static const struct sc_sink_methods local_methods = {local_write, local_finish, local_commit,
                                                     local_close};

/* ---- objects of a store ---- */

static sc_status object_write(void *file, const void *data, size_t n, struct sc_error *err) {
  return sc_upload_write(file, data, n, err);
}
static sc_status object_finish(void *file, struct sc_error *err) {
  return sc_upload_finish(file, err);
}
static sc_status object_commit(void *file, struct sc_error *err) {
  return sc_upload_commit(file, err);
}
static void object_close(void *file) { sc_upload_close(file); }

static const struct sc_sink_methods object_methods = {object_write, object_finish, object_commit,
                                                      object_close};

/* ---- opening ---- */

/* Is it a locked temporary name, ".{name}.{8 digits}.part", of this file? */
static int is_locked_name(const char *entry, const char *name) {
  size_t n = strlen(name);
  if (entry[0] != '.' || strncmp(entry + 1, name, n) != 0 || entry[n + 1] != '.') return 0;
  const char *digits = entry + n + 2;
  int i = 0;
  while (i < RANDOM_DIGITS && isxdigit((unsigned char)digits[i])) i++;
  return i == RANDOM_DIGITS && strcmp(digits + i, suffixes[SC_SINK_ALONE]) == 0;
}

/* Remove a temporary file that no writer holds; where locks are not to be had, nothing. */
static void remove_left_over(int folder, const char *name) {
  struct stat info;
  int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0) {
    unlinkat(folder, name, 0);
  }
  close(fd);
}

/* Remove what killed writers of this file have left. */
static void remove_left_overs(const char *path) {
  const char *name = base_name(path);
  char *folder = folder_of(path);
  if (!folder) return;
  DIR *entries = opendir(folder);
  for (struct dirent *e = entries ? readdir(entries) : NULL; e; e = readdir(entries)) {
    if (is_locked_name(e->d_name, name)) remove_left_over(dirfd(entries), e->d_name);
  }
  if (entries) closedir(entries);
  sc_free(folder);
}

/* Lock a new file. 0: somebody took it for left over before the lock was there. */
static int lock_new(int fd) {
  struct stat info;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  return fstat(fd, &info) != 0 || info.st_nlink > 0;
}

/* A new file beside the final one, hidden, with a name that nobody has. */
static sc_status create_temporary(struct local_file *f, struct sc_error *err) {
  const char *name = base_name(f->path);
  for (int i = 0; i < MAX_NAME_TRIES; i++) {
    uint32_t random;
    sqlite3_randomness((int)sizeof random, &random);
    sc_free(f->temporary);
    f->temporary = NULL;
    sc_status st = sc_format(&f->temporary, err, "%.*s.%s.%08x%s", (int)(name - f->path), f->path,
                             name, random, suffixes[f->kind]);
    if (st) return st;
    f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd < 0 && errno != EEXIST) break;
    if (f->fd >= 0 && (f->kind == SC_SINK_IN_TREE || lock_new(f->fd))) return SC_OK;
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
  }
  sc_status st = sc_fail(err, SC_IO, "%s: cannot create the file: %s", f->path, strerror(errno));
  sc_free(f->temporary);
  f->temporary = NULL;
  return st;
}

sc_status sc_sink_open(const char *path, enum sc_sink_kind kind, struct sc_sink *out,
                       struct sc_error *err) {
  struct stat info;
  memset(out, 0, sizeof *out);
  if (strstr(path, "://")) {
    struct sc_upload *upload;
    sc_status st = sc_upload_open(path, &upload, err);
    if (st) return st;
    out->file = upload;
    out->methods = &object_methods;
    return SC_OK;
  }
  int is_there = stat(path, &info) == 0;
  if (!*base_name(path) || (is_there && S_ISDIR(info.st_mode))) {
    return sc_fail(err, SC_BAD_ARG, "'%s' is a folder; expected the name of a file", path);
  }
  if (is_there && !S_ISREG(info.st_mode)) {
    return sc_fail(err, SC_BAD_ARG, "'%s' exists and is not a regular file; it is not replaced",
                   path);
  }
  struct local_file *f = sc_alloc_zero(1, sizeof *f);
  if (!f) return sc_fail_nomem(err);
  f->fd = -1;
  f->kind = kind;
  out->file = f;
  out->methods = &local_methods;
  sc_status st = sc_strdup(path, &f->path, err);
  if (!st) st = sc_make_folders(path, err);
  if (!st && kind == SC_SINK_ALONE) remove_left_overs(path);
  if (!st) st = create_temporary(f, err);
  if (st) sc_sink_close(out);
  return st;
}

sc_status sc_sink_write(struct sc_sink *s, const void *data, size_t n, struct sc_error *err) {
  s->n_written += n;
  return s->methods->write(s->file, data, n, err);
}

sc_status sc_sink_finish(struct sc_sink *s, struct sc_error *err) {
  return s->methods->finish(s->file, err);
}

sc_status sc_sink_commit(struct sc_sink *s, struct sc_error *err) {
  return s->methods->commit(s->file, err);
}

void sc_sink_close(struct sc_sink *s) {
  if (s->methods) s->methods->close(s->file);
  memset(s, 0, sizeof *s);
}
