/* Remote files on the local disk; see disk.h. */
#include "raster/disk.h"

#include <libdeflate.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "http/limits.h"
#include "http/sign.h"
#include "store/access.h"
#include "store/disk_cache.h"
#include "store/open.h"
#include "store/secrets.h"

/*
 * An entry: this head, then n bytes. Little-endian.
 *   0  "SCD1"
 *   4  key, 32 bytes
 *  36  kind, u64 offset, u64 n
 *  56  CRC-32 of the bytes, CRC-32 of the head up to here
 */
#define HEAD_BYTES 64
#define RANGE_MAX (256u << 20)
static const unsigned char magic[4] = {'S', 'C', 'D', '1'};

#define STATE_FIXED_BYTES 20 /* i64 when confirmed, u32 n_forgotten, u64 size; then the ETag */

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER; /* guards the next three */
static struct sc_disk_cache *cache;                        /* NULL: none */
static char *cache_path;
static int64_t cache_limit;
static _Atomic int64_t max_age_s;
static atomic_uint n_settings = 1; /* changes */
static atomic_int is_on;
static _Atomic int64_t n_hits, n_misses, n_hit_bytes;

static int is_same_text(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

void sc_disk_configure(const struct sc_settings *s) {
  struct sc_error ignored = {0};
  pthread_rwlock_wrlock(&lock);
  atomic_store(&max_age_s, s->disk_max_age_s);
  if (!is_same_text(s->disk_path, cache_path) || s->disk_bytes != cache_limit) {
    sc_disk_cache_close(cache);
    cache = NULL;
    sc_free(cache_path);
    cache_path = NULL;
    cache_limit = s->disk_bytes;
    if (s->disk_path && sc_strdup(s->disk_path, &cache_path, &ignored) == SC_OK) {
      sc_disk_cache_open(cache_path, cache_limit, &cache, &ignored);
    }
    atomic_store(&is_on, cache != NULL);
  }
  atomic_fetch_add(&n_settings, 1);
  pthread_rwlock_unlock(&lock);
}

int sc_disk_is_on(void) { return atomic_load(&is_on); }

void sc_disk_count(struct sc_kept *out) {
  out->n_disk_hits = atomic_load(&n_hits);
  out->n_disk_misses = atomic_load(&n_misses);
  out->disk_hit_bytes = atomic_load(&n_hit_bytes);
}

void sc_disk_abandon(void) { pthread_rwlock_init(&lock, NULL); }

/* --- entries --- */

static int digest(const struct sc_buffer *b, unsigned char out[SC_DISK_KEY_BYTES]) {
  unsigned n = SC_DISK_KEY_BYTES;
  return EVP_Digest(b->data, b->size, out, &n, EVP_sha256(), NULL) == 1;
}

/* What an entry begins with, but for n and the checksums; its digest is the name. */
static void make_head(const unsigned char *key, enum sc_disk_kind kind, uint64_t offset,
                      unsigned char head[HEAD_BYTES]) {
  memset(head, 0, HEAD_BYTES);
  memcpy(head, magic, sizeof magic);
  memcpy(head + 4, key, SC_DISK_KEY_BYTES);
  sc_put_le32(head + 36, (uint32_t)kind);
  sc_put_le64(head + 40, offset);
}

static int name_of(const unsigned char head[HEAD_BYTES], unsigned char name[SC_DISK_KEY_BYTES]) {
  unsigned n = SC_DISK_KEY_BYTES;
  return EVP_Digest(head, 48, name, &n, EVP_sha256(), NULL) == 1;
}

static void finish_head(unsigned char head[HEAD_BYTES], struct sc_view bytes) {
  sc_put_le64(head + 48, bytes.size);
  sc_put_le32(head + 56, libdeflate_crc32(0, bytes.data, bytes.size));
  sc_put_le32(head + 60, libdeflate_crc32(0, head, 60));
}

/* Read what an open file of `size` bytes holds, if it is the entry that `expected` begins. */
static int read_entry(int fd, uint64_t size, const unsigned char *expected, uint64_t least,
                      struct sc_buffer *out) {
  unsigned char head[HEAD_BYTES];
  struct sc_error ignored = {0};
  if (size < HEAD_BYTES || sc_read_at(fd, 0, head, sizeof head) != HEAD_BYTES) return 0;
  uint64_t n = sc_le64(head + 48);
  if (memcmp(head, expected, 48) != 0 || sc_le32(head + 60) != libdeflate_crc32(0, head, 60) ||
      n != size - HEAD_BYTES || n < least || n > RANGE_MAX ||
      sc_buffer_reserve(out, (size_t)n, &ignored)) {
    return 0;
  }
  unsigned char *to = out->data + out->size;
  if (sc_read_at(fd, HEAD_BYTES, to, (size_t)n) != (int64_t)n ||
      sc_le32(head + 56) != libdeflate_crc32(0, to, (size_t)n)) {
    return 0;
  }
  out->size += (size_t)n;
  return 1;
}

static int find(const unsigned char head[HEAD_BYTES], uint64_t least, struct sc_buffer *out) {
  unsigned char name[SC_DISK_KEY_BYTES];
  uint64_t size = 0;
  if (!name_of(head, name)) return 0;
  pthread_rwlock_rdlock(&lock);
  int fd = cache ? sc_disk_cache_find(cache, name, &size) : -1;
  int found = fd >= 0 && read_entry(fd, size, head, least, out);
  if (fd >= 0) close(fd);
  pthread_rwlock_unlock(&lock);
  return found;
}

int sc_disk_read(const unsigned char *key, enum sc_disk_kind kind, uint64_t offset, uint64_t least,
                 uint64_t most, struct sc_buffer *out) {
  unsigned char head[HEAD_BYTES];
  size_t before = out->size;
  make_head(key, kind, offset, head);
  if (!find(head, least, out)) {
    atomic_fetch_add(&n_misses, 1);
    return 0;
  }
  if (out->size - before > most) out->size = before + (size_t)most;
  atomic_fetch_add(&n_hits, 1);
  atomic_fetch_add(&n_hit_bytes, (int64_t)(out->size - before));
  return 1;
}

void sc_disk_write(const unsigned char *key, enum sc_disk_kind kind, uint64_t offset,
                   struct sc_view bytes) {
  unsigned char head[HEAD_BYTES], name[SC_DISK_KEY_BYTES];
  if (bytes.size == 0 || bytes.size > RANGE_MAX) return;
  make_head(key, kind, offset, head);
  if (!name_of(head, name)) return;
  finish_head(head, bytes);
  const struct sc_view parts[] = {{head, sizeof head}, bytes};
  pthread_rwlock_rdlock(&lock);
  if (cache) sc_disk_cache_put(cache, name, parts, 2);
  pthread_rwlock_unlock(&lock);
}

/* --- files and their states --- */

struct state {
  int64_t confirmed_s; /* 0: it was forgotten */
  uint32_t n_forgotten;
  uint64_t size;
  char etag[SC_DISK_ETAG_BYTES];
};

/* Servers that may compress mark the same bytes' ETag as weak at one time and not at another. */
static const char *strong_part(const char *etag) {
  return strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

/* Which file a URL is, by what is asked for it, and under which rule. */
static int identify(struct sc_disk_file *f, const char *url) {
  struct sc_http_request request = {.method = "GET", .url = url, .size = 1};
  struct sc_signed wire = {0};
  struct sc_error ignored = {0};
  struct sc_buffer text = {0};
  char hosts[4096], shown[4096], *href = NULL;
  sc_http_hosts(hosts, sizeof hosts);
  sc_status st = sc_sign_request(&request, &wire, &ignored);
  if (!st) st = sc_href_without_secrets(url, &href, &ignored);
  if (!st) {
    st = sc_buffer_printf(&text, &ignored, "file\n%s\n%s\n%s", hosts,
                          sc_access_shown(wire.url, shown, sizeof shown), href);
  }
  int done = !st && digest(&text, f->id);
  sc_buffer_free(&text);
  sc_free(href);
  sc_signed_free(&wire);
  return done;
}

/* Begin anew after a change of a setting; 0: nothing can be kept of the file. */
static int is_usable(struct sc_disk_file *f, const char *url) {
  unsigned settings = atomic_load(&n_settings);
  if (!sc_disk_is_on()) return 0;
  if (f->settings != settings) {
    memset(f, 0, sizeof *f);
    f->is_identified = identify(f, url);
    f->settings = settings;
  }
  return f->is_identified;
}

static int load_state(const struct sc_disk_file *f, struct state *s) {
  unsigned char head[HEAD_BYTES];
  struct sc_buffer b = {0};
  make_head(f->id, SC_DISK_STATE, 0, head);
  int found = find(head, STATE_FIXED_BYTES, &b) && b.size - STATE_FIXED_BYTES < sizeof s->etag;
  memset(s, 0, sizeof *s);
  if (found) {
    s->confirmed_s = (int64_t)sc_le64(b.data);
    s->n_forgotten = sc_le32(b.data + 8);
    s->size = sc_le64(b.data + 12);
    memcpy(s->etag, b.data + STATE_FIXED_BYTES, b.size - STATE_FIXED_BYTES);
  }
  sc_buffer_free(&b);
  return found;
}

static void save_state(const struct sc_disk_file *f, const struct state *s) {
  unsigned char bytes[STATE_FIXED_BYTES + SC_DISK_ETAG_BYTES];
  size_t n = strlen(s->etag);
  sc_put_le64(bytes, (uint64_t)s->confirmed_s);
  sc_put_le32(bytes + 8, s->n_forgotten);
  sc_put_le64(bytes + 12, s->size);
  memcpy(bytes + STATE_FIXED_BYTES, s->etag, n);
  sc_disk_write(f->id, SC_DISK_STATE, 0, (struct sc_view){bytes, STATE_FIXED_BYTES + n});
}

static int is_young(int64_t confirmed_s) {
  int64_t age = (int64_t)time(NULL) - confirmed_s;
  return age >= 0 && age <= atomic_load(&max_age_s);
}

/* Go by a state from now on. */
static void adopt(struct sc_disk_file *f, const struct state *s) {
  struct sc_error ignored = {0};
  struct sc_buffer text = {0};
  sc_status st = sc_buffer_append(&text, f->id, sizeof f->id, &ignored);
  if (!st) st = sc_buffer_append_le(&text, s->size, 8, &ignored);
  if (!st) st = sc_buffer_append_le(&text, s->n_forgotten, 4, &ignored);
  if (!st) st = sc_buffer_append_text(&text, strong_part(s->etag), &ignored);
  f->is_confirmed = !st && digest(&text, f->key);
  f->confirmed_s = s->confirmed_s;
  f->n_forgotten = s->n_forgotten;
  sc_buffer_free(&text);
}

static int is_same_state(const struct state *s, uint64_t size, const char *etag) {
  return s->size == size && strcmp(strong_part(s->etag), strong_part(etag)) == 0;
}

int sc_disk_recall(struct sc_disk_file *f, const char *url, uint64_t *size, char *etag) {
  struct state s;
  if (!is_usable(f, url) || !load_state(f, &s) || !is_young(s.confirmed_s)) return 0;
  adopt(f, &s);
  *size = s.size;
  memcpy(etag, s.etag, SC_DISK_ETAG_BYTES);
  return f->is_confirmed;
}

void sc_disk_confirm(struct sc_disk_file *f, const char *url, uint64_t size, const char *etag) {
  struct state s;
  if (!*etag || !is_usable(f, url)) return;
  int64_t now = (int64_t)time(NULL);
  /* Half the age: so that what is read all the time does not become too old in between. */
  if (f->is_confirmed && now >= f->confirmed_s &&
      now - f->confirmed_s <= atomic_load(&max_age_s) / 2)
    return;
  load_state(f, &s);
  s.confirmed_s = now;
  s.size = size;
  memset(s.etag, 0, sizeof s.etag);
  memcpy(s.etag, etag, strnlen(etag, sizeof s.etag - 1));
  adopt(f, &s);
  save_state(f, &s);
}

void sc_disk_forget(struct sc_disk_file *f, const char *url) {
  struct state s;
  if (!is_usable(f, url)) return;
  load_state(f, &s);
  s = (struct state){.n_forgotten = s.n_forgotten + 1};
  save_state(f, &s);
  f->is_confirmed = 0;
}

int sc_disk_key(struct sc_disk_file *f, const char *url, uint64_t size, const char *etag,
                unsigned char *key) {
  struct state s;
  if (!*etag || !is_usable(f, url)) return 0;
  if (!f->is_confirmed && load_state(f, &s) && is_same_state(&s, size, etag)) adopt(f, &s);
  if (!f->is_confirmed || !is_young(f->confirmed_s)) return 0;
  memcpy(key, f->key, SC_DISK_KEY_BYTES);
  return 1;
}
