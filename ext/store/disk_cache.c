/* A bounded folder of entries, shared by processes; see disk_cache.h. */
#include "store/disk_cache.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/settings.h"
#include "base/sqlite.h"
#include "store/open.h"

#define GRAIN_BYTES 4096 /* of a file's room on the disk */
#define N_FOLDERS 256    /* "00" to "ff" */
#define LETTERS 30       /* of an entry's name within its folder */
#define ENTRY_SHARE 4    /* no entry takes more than one of so many parts of the bound */
#define EVICTED_SHARE 8  /* what goes at once: a sweep looks at every entry */
#define USED_STEP_S 60   /* an entry's time of use is written when it is older */
#define LEFT_OVER_S 60   /* a temporary file of this age is of a writer that was killed */
#define REST_S 5         /* no write after one that failed */
#define USAGE_BYTES 16   /* of the file "usage": the sum, and its complement */
#define USAGE_NAME "usage"
#define LOCK_NAME "lock" /* shared by writers, exclusive for who counts */
#define PATH_BYTES 64    /* of an entry within the cache's folder */

struct sc_disk_cache {
  int folder; /* descriptor */
  int64_t limit;
  _Atomic int64_t rest_until_s;
};

static int64_t now_s(void) { return (int64_t)time(NULL); }

static int64_t room_of(uint64_t bytes) {
  return (int64_t)((bytes + GRAIN_BYTES - 1) / GRAIN_BYTES * GRAIN_BYTES);
}

/* --- the sum --- */

/* Open a file of the cache's own and lock it: each time anew, because a lock on a descriptor that
 * was inherited over fork() would be the parent's, too. Closing lets go of it. */
static int lock_file(const struct sc_disk_cache *c, const char *name, int how) {
  int fd = openat(c->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0 && flock(fd, how) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static int lock_usage(const struct sc_disk_cache *c) { return lock_file(c, USAGE_NAME, LOCK_EX); }

/* -1 where it is not there or damaged. */
static int64_t read_usage(int fd) {
  unsigned char bytes[USAGE_BYTES];
  if (sc_read_at(fd, 0, bytes, sizeof bytes) != USAGE_BYTES) return -1;
  uint64_t sum = sc_le64(bytes);
  return sum == ~sc_le64(bytes + 8) && sum <= INT64_MAX ? (int64_t)sum : -1;
}

static int write_usage(int fd, int64_t sum) {
  unsigned char bytes[USAGE_BYTES];
  sc_put_le64(bytes, (uint64_t)sum);
  sc_put_le64(bytes + 8, ~(uint64_t)sum);
  return pwrite(fd, bytes, sizeof bytes, 0) == USAGE_BYTES;
}

/* Is there room for n more bytes, as far as the sum says? */
static int has_room(int64_t sum, int64_t limit, int64_t n) { return sum >= 0 && sum <= limit - n; }

/* Add n to the sum where the bound allows it. */
static int reserve(const struct sc_disk_cache *c, int64_t n) {
  int fd = lock_usage(c);
  if (fd < 0) return 0;
  int64_t sum = read_usage(fd);
  int done = has_room(sum, c->limit, n) && write_usage(fd, sum + n);
  close(fd);
  return done;
}

/* --- sweeping --- */

struct entry {
  int64_t used_ns;
  int64_t room;
  unsigned char name[SC_DISK_NAME_BYTES];
};

struct entries {
  struct entry *all; /* owned */
  size_t n, capacity;
  int64_t room; /* of all, and of temporary files */
};

static void path_of(const unsigned char *name, char out[PATH_BYTES]) {
  char *p = out;
  for (int i = 0; i < SC_DISK_NAME_BYTES; i++) {
    p += snprintf(p, 3, "%02x", name[i]);
    if (i == 0) *p++ = '/';
  }
  *p = '\0';
}

static int digit(char c) { return isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10; }

/* The name that an entry of folder i has; 0: it is none of ours. *rest is what follows. */
static int parse_name(unsigned folder, const char *text, unsigned char *name, const char **rest) {
  if (strspn(text, "0123456789abcdef") != LETTERS) return 0;
  name[0] = (unsigned char)folder;
  for (int i = 0; i < LETTERS / 2; i++) {
    name[i + 1] = (unsigned char)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  }
  *rest = text + LETTERS;
  return 1;
}

static int add_entry(struct entries *e, const struct entry *one) {
  if (e->n == e->capacity) {
    size_t capacity = e->capacity ? 2 * e->capacity : 1024;
    struct entry *all = sc_realloc(e->all, capacity * sizeof *all);
    if (!all) return 0;
    e->all = all;
    e->capacity = capacity;
  }
  e->all[e->n++] = *one;
  return 1;
}

static int look_at(struct entries *e, unsigned folder, int fd, const char *text) {
  struct entry one = {0};
  struct stat info;
  const char *rest;
  if (!parse_name(folder, text, one.name, &rest) ||
      fstatat(fd, text, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) {
    return 1;
  }
  one.room = room_of((uint64_t)info.st_size);
  one.used_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
  if (*rest && now_s() - (int64_t)info.st_mtim.tv_sec > LEFT_OVER_S) {
    unlinkat(fd, text, 0);
    return 1;
  }
  e->room += one.room;
  return *rest || add_entry(e, &one);
}

static int list_folder(const struct sc_disk_cache *c, unsigned folder, struct entries *e) {
  char name[3];
  snprintf(name, sizeof name, "%02x", folder & 0xff);
  int fd = openat(c->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), good = 1;
  if (fd < 0) return 1;
  DIR *d = fdopendir(fd);
  if (!d) close(fd);
  for (struct dirent *one = d ? readdir(d) : NULL; one && good; one = readdir(d)) {
    good = look_at(e, folder, dirfd(d), one->d_name);
  }
  if (d) closedir(d);
  return good;
}

static int by_use(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

/* Remove the oldest until no more than `most` bytes are left. */
static void evict(const struct sc_disk_cache *c, struct entries *e, int64_t most) {
  char path[PATH_BYTES];
  qsort(e->all, e->n, sizeof *e->all, by_use);
  for (size_t i = 0; i < e->n && e->room > most; i++) {
    path_of(e->all[i].name, path);
    if (unlinkat(c->folder, path, 0) == 0 || errno == ENOENT) e->room -= e->all[i].room;
  }
}

/* Count what is there; where n more bytes have no room, evict. Nobody writes meanwhile: an entry
 * that is under way would be in the sum and not in the folder. */
static void sweep(const struct sc_disk_cache *c, int64_t n) {
  struct entries e = {0};
  int lock = lock_file(c, LOCK_NAME, LOCK_EX), good = 1;
  int usage = lock < 0 ? -1 : lock_usage(c);
  if (usage >= 0 && !has_room(read_usage(usage), c->limit, n)) { /* nobody else has done it */
    for (unsigned i = 0; i < N_FOLDERS && good; i++) good = list_folder(c, i, &e);
    if (good && e.n && e.room > c->limit - n) evict(c, &e, c->limit - c->limit / EVICTED_SHARE - n);
    if (good) write_usage(usage, e.room);
    sc_free(e.all);
  }
  if (usage >= 0) close(usage);
  if (lock >= 0) close(lock);
}

/* --- opening --- */

static sc_status fail_folder(const char *path, const char *what, struct sc_error *err) {
  int code = errno;
  return sc_fail(err, code == ENOENT || code == ENOTDIR ? SC_NOT_FOUND : SC_IO, "%s: %s: %s", path,
                 what, strerror(code));
}

static sc_status check_owner(int fd, const char *path, const char *name, struct sc_error *err) {
  struct stat info;
  if (fstat(fd, &info) != 0) return fail_folder(path, "cannot be looked at", err);
  if (info.st_uid == geteuid() && (info.st_mode & 077) == 0) return SC_OK;
  return sc_fail(
      err, SC_DENIED,
      "%s/%s: expected a folder of user %u that nobody else may enter (mode 0700), found "
      "one of user %u with mode %04o",
      path, name, (unsigned)geteuid(), (unsigned)info.st_uid, (unsigned)(info.st_mode & 07777));
}

/* The folder inside `path`; *fd is -1 after an error. */
static sc_status open_folder(const char *path, int *fd, struct sc_error *err) {
  char name[32];
  snprintf(name, sizeof name, "stacchip-%u", (unsigned)geteuid());
  *fd = -1;
  int parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return fail_folder(path, "cannot be opened", err);
  int made = mkdirat(parent, name, 0700) == 0 || errno == EEXIST;
  if (made) *fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  sc_status st = SC_OK;
  if (!made) st = fail_folder(path, "no folder can be made in it", err);
  if (!st && *fd < 0) {
    st = sc_fail(err, SC_DENIED, "%s/%s: is no folder that this user can open: %s", path, name,
                 strerror(errno));
  }
  if (!st) st = check_owner(*fd, path, name, err);
  close(parent);
  if (!st || *fd < 0) return st;
  close(*fd);
  *fd = -1;
  return st;
}

sc_status sc_disk_cache_open(const char *path, int64_t limit, struct sc_disk_cache **out,
                             struct sc_error *err) {
  *out = NULL;
  struct sc_disk_cache *c = sc_alloc_zero(1, sizeof *c);
  if (!c) return sc_fail_nomem(err);
  c->limit = limit;
  sc_status st = open_folder(path, &c->folder, err);
  if (!st) {
    int usage = lock_usage(c);
    if (usage < 0) st = fail_folder(path, "cannot be written to", err);
    int64_t sum = usage < 0 ? 0 : read_usage(usage);
    if (usage >= 0) close(usage);
    if (!has_room(sum, limit, 0)) sweep(c, 0);
  }
  if (st) {
    sc_disk_cache_close(c);
    return st;
  }
  *out = c;
  return SC_OK;
}

void sc_disk_cache_close(struct sc_disk_cache *c) {
  if (!c) return;
  if (c->folder >= 0) close(c->folder);
  sc_free(c);
}

sc_status sc_disk_cache_check(const char *setting, struct sc_error *err) {
  struct sc_disk_setting s = {0};
  struct sc_disk_cache *c = NULL;
  sc_status st = sc_disk_setting_parse(setting, &s, err);
  if (!st && s.path) st = sc_disk_cache_open(s.path, s.bytes, &c, err);
  sc_disk_cache_close(c);
  sc_free(s.path);
  return st;
}

/* --- entries --- */

int sc_disk_cache_find(const struct sc_disk_cache *c, const unsigned char *name, uint64_t *size) {
  char path[PATH_BYTES];
  struct stat info;
  path_of(name, path);
  int fd = openat(c->folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return -1;
  }
  int64_t age = now_s() - (int64_t)info.st_mtim.tv_sec;
  if (age > USED_STEP_S || age < 0) futimens(fd, NULL);
  *size = (uint64_t)info.st_size;
  return fd;
}

static int write_all(int fd, const struct sc_view *part) {
  for (size_t done = 0; done < part->size;) {
    ssize_t n = write(fd, part->data + done, part->size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    done += (size_t)n;
  }
  return 1;
}

/* A new file under a temporary name; -1 where it cannot be made. */
static int make_file(const struct sc_disk_cache *c, const char *temporary) {
  int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(c->folder, temporary, flags, 0600);
  if (fd >= 0 || errno != ENOENT) return fd;
  char folder[3] = {temporary[0], temporary[1], '\0'};
  if (mkdirat(c->folder, folder, 0700) != 0 && errno != EEXIST) return -1;
  return openat(c->folder, temporary, flags, 0600);
}

static int write_file(const struct sc_disk_cache *c, const char *path, const struct sc_view *parts,
                      size_t n_parts) {
  char temporary[PATH_BYTES + 16];
  uint32_t number;
  sqlite3_randomness(sizeof number, &number);
  snprintf(temporary, sizeof temporary, "%s-%08" PRIx32, path, number);
  int fd = make_file(c, temporary), good = fd >= 0;
  if (!good) return 0;
  for (size_t i = 0; i < n_parts && good; i++) good = write_all(fd, &parts[i]);
  if (close(fd) != 0) good = 0;
  if (good) good = renameat(c->folder, temporary, c->folder, path) == 0;
  if (!good) unlinkat(c->folder, temporary, 0);
  return good;
}

/* 1: written; 0: no room; -1: it failed. */
static int put(const struct sc_disk_cache *c, const unsigned char *name, int64_t room,
               const struct sc_view *parts, size_t n_parts) {
  char path[PATH_BYTES];
  int lock = lock_file(c, LOCK_NAME, LOCK_SH), result = -1;
  path_of(name, path);
  if (lock >= 0) result = reserve(c, room) ? (write_file(c, path, parts, n_parts) ? 1 : -1) : 0;
  if (lock >= 0) close(lock);
  return result;
}

int sc_disk_cache_put(struct sc_disk_cache *c, const unsigned char *name,
                      const struct sc_view *parts, size_t n_parts) {
  uint64_t size = 0;
  for (size_t i = 0; i < n_parts; i++) size += parts[i].size;
  int64_t room = room_of(size);
  if (room > c->limit / ENTRY_SHARE || now_s() < atomic_load(&c->rest_until_s)) return 0;
  int result = put(c, name, room, parts, n_parts);
  if (result == 0) {
    sweep(c, room);
    result = put(c, name, room, parts, n_parts);
  }
  if (result < 0) atomic_store(&c->rest_until_s, now_s() + REST_S);
  return result > 0;
}
