/* The bytes of a Parquet file; see source.h. */
#include "store/source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/http_api.h"
#include "store/href.h"
#include "store/open.h"
#include "store/read.h"

/* Read with the first request: a small file, such as the index of one item, needs no other. */
#define HEAD_BYTES ((size_t)128 << 10)

/* Bytes [offset, offset + n), as far as there are, by one request. *total gets the size of the
 * whole. SC_TOO_BIG where the server sends more than was asked for. */
static sc_status fetch(const char *url, uint64_t offset, size_t n, struct sc_buffer *out,
                       uint64_t *total, struct sc_error *err) {
  struct sc_http_request *r = sc_alloc_zero(1, sizeof *r);
  if (!r) return sc_fail_nomem(err);
  r->method = "GET";
  r->url = url;
  r->offset = offset;
  r->size = n;
  r->limit_bytes = n;
  sc_status st = sc_http(r, 1, NULL, NULL, err);
  *total = r->total_bytes;
  sc_buffer_move(&r->response, out);
  sc_free(r);
  return st;
}

/* A server without ranges: keep all of the file. */
static sc_status fetch_whole(struct sc_byte_source *s, struct sc_error *err) {
  sc_status st = sc_read_without_ranges(s->name, &s->head, err);
  if (st) return st;
  if (s->size && s->size != s->head.size) {
    return sc_fail(err, SC_CHANGED, "%s: the file has changed on the server while it was read",
                   s->name);
  }
  s->size = s->head.size;
  return SC_OK;
}

static sc_status open_remote(struct sc_byte_source *s, struct sc_error *err) {
  s->is_remote = 1;
  sc_status st = fetch(s->name, 0, HEAD_BYTES, &s->head, &s->size, err);
  if (st == SC_TOO_BIG) st = fetch_whole(s, err);
  if (!st && (s->size == 0 || s->head.size > s->size)) {
    st = sc_fail(err, SC_IO, "%s: the server does not say how large the file is", s->name);
  }
  return st;
}

static sc_status open_local(struct sc_byte_source *s, struct sc_error *err) {
  struct stat info;
  sc_status st = sc_open_regular(s->name, &s->fd, &info, err);
  if (st) return sc_fail_within(err, "%s", s->name);
  s->size = (uint64_t)info.st_size;
  return SC_OK;
}

sc_status sc_byte_source_open(const char *path, struct sc_byte_source *out, struct sc_error *err) {
  memset(out, 0, sizeof *out);
  out->fd = -1;
  sc_status st = sc_strdup(path, &out->name, err);
  if (st) return st;
  if (sc_href_is_remote(path)) return open_remote(out, err);
  return sc_href_is_url(path) ? sc_href_refuse_scheme(path, err) : open_local(out, err);
}

sc_status sc_byte_source_memory(const char *name, const void *data, size_t n,
                                struct sc_byte_source *out, struct sc_error *err) {
  memset(out, 0, sizeof *out);
  out->fd = -1;
  out->memory = data;
  out->size = n;
  return sc_strdup(name, &out->name, err);
}

static sc_status read_local(const struct sc_byte_source *s, uint64_t offset, struct sc_buffer *out,
                            struct sc_error *err) {
  int64_t got = sc_read_at(s->fd, offset, out->data, out->size);
  if (got == (int64_t)out->size) return SC_OK;
  return sc_fail(err, SC_IO, "%s: reading %zu bytes at %llu: %s", s->name, out->size,
                 (unsigned long long)offset, got < 0 ? strerror(errno) : "the file ends before");
}

static int is_in_head(const struct sc_byte_source *s, uint64_t offset, size_t n) {
  return offset <= s->head.size && n <= s->head.size - offset;
}

sc_status sc_byte_source_read(struct sc_byte_source *s, uint64_t offset, size_t n,
                              struct sc_buffer *out, struct sc_error *err) {
  if (offset > s->size || n > s->size - offset) {
    return sc_fail(err, SC_BAD_DATA,
                   "%zu bytes at %llu lie beyond the end of the file (%llu bytes)", n,
                   (unsigned long long)offset, (unsigned long long)s->size);
  }
  s->n_read += n;
  if (s->is_remote && n && !is_in_head(s, offset, n)) {
    uint64_t total;
    sc_status fetched = fetch(s->name, offset, n, out, &total, err);
    if (!fetched && out->size == n) return SC_OK;
    if (!fetched) {
      return sc_fail(err, SC_IO, "%s: the server sent %zu bytes at %llu; expected %zu", s->name,
                     out->size, (unsigned long long)offset, n);
    }
    if (fetched == SC_TOO_BIG) fetched = fetch_whole(s, err);
    if (fetched) return fetched;
  }
  sc_status st = sc_buffer_resize(out, n, err);
  if (st || n == 0) return st;
  if (!s->memory && !s->is_remote) return read_local(s, offset, out, err);
  memcpy(out->data, (s->memory ? s->memory : s->head.data) + offset, n);
  return SC_OK;
}

void sc_byte_source_close(struct sc_byte_source *s) {
  if (s->name && s->fd >= 0) close(s->fd); /* a zeroed source has no name, and fd 0 */
  sc_free(s->name);
  sc_buffer_free(&s->head);
  memset(s, 0, sizeof *s);
  s->fd = -1;
}
