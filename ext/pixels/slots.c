/* The caller's memory; see slots.h. */
#include "pixels/slots.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/options.h"

#define WHAT "stacchip_batches: option 'into'"
#define SLOTS_DEFAULT 3
#define SLOTS_MAX 64
#define SLOT_ALIGN 64 /* bytes: what copies to a GPU, and vectors, want */
#define BYTES_MAX 9007199254740992.0

struct raw {
  int64_t fd, offset, bytes, slots;
};

static const struct sc_option slots_table[] = {
    {"fd", SC_OPTION_INT, offsetof(struct raw, fd), 0, INT32_MAX, NULL, NULL,
     "descriptor of a memfd, or of a file on a tmpfs"},
    {"offset", SC_OPTION_INT, offsetof(struct raw, offset), 0, BYTES_MAX, NULL, "0",
     "the first byte"},
    {"bytes", SC_OPTION_INT, offsetof(struct raw, bytes), 1, BYTES_MAX, NULL, NULL,
     "how many from there on"},
    {"slots", SC_OPTION_INT, offsetof(struct raw, slots), 2, SLOTS_MAX, NULL, "3",
     "pieces of equal size, one a batch"},
};

const struct sc_option_table sc_slots_option_table = SC_OPTION_TABLE(slots_table);

static sc_status read_raw(const cJSON *into, struct raw *raw, struct sc_error *err) {
  const struct sc_option_set set = {slots_table, sizeof slots_table / sizeof *slots_table, raw,
                                    NULL};
  if (!cJSON_IsObject(into)) {
    return sc_option_fail(err, "stacchip_batches", "into", into,
                          "{\"fd\": ..., \"offset\": ..., \"bytes\": ..., \"slots\": ...}");
  }
  sc_status st = sc_options_read(into, WHAT, &set, err);
  if (!st && raw->fd < 0) st = sc_fail(err, SC_BAD_ARG, WHAT ": 'fd' is missing");
  if (!st && raw->bytes < 0) st = sc_fail(err, SC_BAD_ARG, WHAT ": 'bytes' is missing");
  return st;
}

static sc_status check_file(int fd, const struct raw *raw, struct stat *info,
                            struct sc_error *err) {
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || fstat(fd, info) != 0 || !S_ISREG(info->st_mode)) {
    return sc_fail(err, SC_BAD_ARG,
                   WHAT
                   ": descriptor %d is no shared memory: expected a memfd, or a file on a tmpfs",
                   (int)raw->fd);
  }
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR || seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
    return sc_fail(err, SC_BAD_ARG, WHAT ": descriptor %d: must be open for reading and writing",
                   (int)raw->fd);
  }
  if (raw->offset + raw->bytes <= info->st_size) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 WHAT ": descriptor %d has %lld bytes, expected offset + bytes = %lld",
                 (int)raw->fd, (long long)info->st_size, (long long)(raw->offset + raw->bytes));
}

/* A file that cannot be sealed is not mapped, and no error. */
static sc_status map_file(struct sc_slots *s, const struct raw *raw, size_t size,
                          struct sc_error *err) {
  int is_sealed = fcntl(s->descriptor, F_GET_SEALS) & F_SEAL_SHRINK ||
                  fcntl(s->descriptor, F_ADD_SEALS, F_SEAL_SHRINK) == 0;
  if (!is_sealed) return SC_OK;
  if (fallocate(s->descriptor, FALLOC_FL_KEEP_SIZE, raw->offset, raw->bytes) != 0) {
    return sc_fail(err, SC_IO, WHAT ": allocating %lld bytes: %s", (long long)raw->bytes,
                   strerror(errno));
  }
  void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s->descriptor, 0);
  if (map == MAP_FAILED)
    return sc_fail(err, SC_IO, WHAT ": mapping %zu bytes: %s", size, strerror(errno));
  s->map = map;
  s->map_bytes = size;
  return SC_OK;
}

sc_status sc_slots_open(const cJSON *into, struct sc_slots *out, struct sc_error *err) {
  struct raw raw = {-1, 0, -1, SLOTS_DEFAULT};
  struct stat info;
  memset(out, 0, sizeof *out);
  sc_status st = read_raw(into, &raw, err);
  if (st) return st;
  out->descriptor = fcntl((int)raw.fd, F_DUPFD_CLOEXEC, 3);
  if (out->descriptor < 0)
    return sc_fail(err, SC_BAD_ARG, WHAT ": descriptor %d: %s", (int)raw.fd, strerror(errno));
  out->is_open = 1;
  out->offset = (uint64_t)raw.offset;
  out->n = (size_t)raw.slots;
  out->slot_bytes = (size_t)(raw.bytes / raw.slots) & ~(size_t)(SLOT_ALIGN - 1);
  st = check_file(out->descriptor, &raw, &info, err);
  if (!st) st = map_file(out, &raw, (size_t)info.st_size, err);
  if (st) sc_slots_close(out);
  return st;
}

void sc_slots_close(struct sc_slots *s) {
  if (s->map) munmap(s->map, s->map_bytes);
  if (s->is_open) close(s->descriptor);
  memset(s, 0, sizeof *s);
}

sc_status sc_slots_check(const struct sc_slots *s, size_t bytes, struct sc_error *err) {
  if (bytes <= s->slot_bytes) return SC_OK;
  size_t needed = (bytes + SLOT_ALIGN - 1) & ~(size_t)(SLOT_ALIGN - 1);
  return sc_fail(err, SC_TOO_BIG,
                 WHAT
                 ": the batch takes %zu bytes, a slot has %zu: 'bytes' must be at least %zu for "
                 "%zu slots",
                 bytes, s->slot_bytes, needed * s->n, s->n);
}

uint64_t sc_slots_offset(const struct sc_slots *s, size_t i) {
  return s->offset + (uint64_t)i * s->slot_bytes;
}

unsigned char *sc_slots_memory(const struct sc_slots *s, size_t i) {
  return s->map ? s->map + sc_slots_offset(s, i) : NULL;
}

sc_status sc_slots_write(const struct sc_slots *s, size_t i, const unsigned char *bytes, size_t n,
                         struct sc_error *err) {
  off_t at = (off_t)sc_slots_offset(s, i);
  while (n > 0) {
    ssize_t written = pwrite(s->descriptor, bytes, n, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return sc_fail(err, SC_IO, WHAT ": writing %zu bytes: %s", n,
                     written < 0 ? strerror(errno) : "nothing was written");
    }
    bytes += written;
    at += written;
    n -= (size_t)written;
  }
  return SC_OK;
}
