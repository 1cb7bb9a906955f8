/* Where a processor writes; see store.h. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/http_api.h"
#include "store/access.h"
#include "store/href.h"
#include "store/names.h"
#include "store/objects.h"
#include "store/open.h"
#include "store/read.h"
#include "store/sink.h"
#include "store/stamp.h"

#define PIECE_BYTES ((size_t)16 << 20)  /* of a copy, in memory at once */
#define OBJECT_MAX ((size_t)2000 << 20) /* of an object that is read into memory */
/* CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/userguide/copy-object.html */
#define COPY_OBJECT_MAX ((uint64_t)5 << 30)

sc_status sc_store_root(const char *bucket, char **out, struct sc_error *err) {
  struct stat info;
  size_t n = strlen(bucket);
  while (n > 1 && bucket[n - 1] == '/') n--;
  int is_name = !sc_href_is_url(bucket) && !strchr(bucket, '/') && stat(bucket, &info) != 0;
  *out = NULL;
  sc_status st = is_name ? SC_OK : sc_href_check(bucket, err);
  if (st) return st;
  return sc_format(out, err, "%s%.*s", is_name ? "s3://" : "", (int)n, bucket);
}

sc_status sc_store_path(const char *root, const char *key, char **out, struct sc_error *err) {
  return sc_format(out, err, "%s/%s", root, key);
}

/* Is there something at a path, and how large is it? size: SC_SIZE_UNKNOWN where nobody says. */
static sc_status look_at(const char *path, int *exists, uint64_t *size, struct sc_error *err) {
  struct stat info;
  *exists = 0;
  *size = SC_SIZE_UNKNOWN;
  if (!sc_href_is_url(path)) {
    *exists = stat(path, &info) == 0;
    if (*exists) *size = (uint64_t)info.st_size;
    return SC_OK;
  }
  struct sc_http_request r = {.method = "HEAD", .url = path};
  sc_status st = sc_http(&r, 1, NULL, NULL, err);
  *exists = st == SC_OK;
  if (!st && (r.total_bytes || r.is_empty)) *size = r.total_bytes;
  sc_buffer_free(&r.response);
  return st == SC_NOT_FOUND ? SC_OK : st;
}

sc_status sc_store_look(const char *root, const char *key, int *exists, uint64_t *size,
                        struct sc_error *err) {
  char *path = NULL;
  *exists = 0;
  sc_status st = sc_store_path(root, key, &path, err);
  if (!st) st = look_at(path, exists, size, err);
  sc_free(path);
  return st;
}

sc_status sc_store_look_at(const char *path, int *exists, uint64_t *size, struct sc_error *err) {
  return look_at(path, exists, size, err);
}

/* --- whole objects --- */

/* A file is written beside its name, which it gets when it is complete. */
static sc_status put_local(const char *path, const void *bytes, size_t n, struct sc_error *err) {
  struct sc_sink sink;
  sc_status st = sc_sink_open(path, SC_SINK_ALONE, &sink, err);
  if (!st) st = sc_sink_write(&sink, bytes, n, err);
  if (!st) st = sc_sink_finish(&sink, err);
  if (!st) st = sc_sink_commit(&sink, err);
  sc_sink_close(&sink);
  return st;
}

/* One request: the store shows an object when it has all of it. */
static sc_status put_remote(const char *url, const void *bytes, size_t n, struct sc_error *err) {
  struct sc_http_request r = {.method = "PUT", .url = url, .body = bytes, .body_size = n};
  sc_status st = sc_http(&r, 1, NULL, NULL, err);
  sc_buffer_free(&r.response);
  return st;
}

/* Is it as large as it should be, within half a second? Another task may be writing the same
 * object, and not every store that speaks S3's protocol replaces it at once. */
static sc_status wait_for_size(const char *path, uint64_t want, int *exists, uint64_t *size,
                               struct sc_error *err) {
  for (long ms = 0;; ms = ms ? 2 * ms : 20) {
    const struct timespec pause = {0, ms * 1000000};
    if (ms) nanosleep(&pause, NULL);
    sc_status st = look_at(path, exists, size, err);
    if (st || (*exists && (*size == want || *size == SC_SIZE_UNKNOWN)) || ms > 160) return st;
  }
}

/* What was written is looked at: of another size, it is taken away again. A name that says "done"
 * must never stand over a part. */
static sc_status check_size(const char *path, uint64_t want, struct sc_error *err) {
  int exists;
  uint64_t size;
  sc_status st = wait_for_size(path, want, &exists, &size, err);
  if (st || (exists && (size == want || size == SC_SIZE_UNKNOWN))) return st;
  st = sc_fail(err, SC_IO, "%s: the copy has %lld bytes, the source %lld", path,
               exists ? (long long)size : 0, (long long)want);
  if (sc_href_is_url(path)) {
    struct sc_http_request r = {.method = "DELETE", .url = path};
    struct sc_error ignored = {0};
    sc_http(&r, 1, NULL, NULL, &ignored);
    sc_buffer_free(&r.response);
  } else {
    unlink(path);
  }
  return st;
}

static sc_status put(const char *path, const void *bytes, size_t n, struct sc_error *err) {
  sc_status st =
      sc_href_is_url(path) ? put_remote(path, bytes, n, err) : put_local(path, bytes, n, err);
  return st ? st : check_size(path, n, err);
}

sc_status sc_store_put(const char *root, const char *key, const void *bytes, size_t n,
                       struct sc_error *err) {
  char *path = NULL;
  sc_status st = sc_store_path(root, key, &path, err);
  if (!st) st = put(path, bytes, n, err);
  sc_free(path);
  return st;
}

sc_status sc_store_get(const char *root, const char *key, struct sc_buffer *out,
                       struct sc_error *err) {
  char *path = NULL;
  sc_status st = sc_store_path(root, key, &path, err);
  if (!st) st = sc_href_check(path, err); /* below an allowed root, but for links */
  if (!st) st = sc_read_whole(path, OBJECT_MAX, out, err);
  sc_free(path);
  return st;
}

/* --- copying --- */

/* What is copied: a local file or a URL, read from its beginning, piece by piece. */
struct origin {
  const char *href;
  int fd;                /* of a local file, else -1 */
  uint64_t at, total;    /* bytes that were read, and that there are */
  struct sc_stamp stamp; /* of a local file */
  char etag[128];        /* of a remote one; "" where it has none */
};

static sc_status fail_changed(const struct origin *o, struct sc_error *err) {
  char shown[1024];
  return sc_fail(err, SC_CHANGED, "%s: the file has changed while it was copied",
                 sc_access_shown(o->href, shown, sizeof shown));
}

/* Size and ETag as the first piece has them must be those of all others. */
static sc_status check_same(struct origin *o, const struct sc_http_request *r,
                            struct sc_error *err) {
  if (o->at == 0) {
    o->total = r->total_bytes;
    memcpy(o->etag, r->etag, sizeof o->etag);
    return SC_OK;
  }
  int other = o->etag[0] && r->etag[0] && strcmp(r->etag, o->etag) != 0;
  return other || r->total_bytes != o->total ? fail_changed(o, err) : SC_OK;
}

static sc_status fetch_piece(struct origin *o, struct sc_buffer *out, struct sc_error *err) {
  struct sc_http_request r = {
      .method = "GET",
      .url = o->href,
      .offset = o->at,
      .size = o->at && o->total - o->at < PIECE_BYTES ? o->total - o->at : PIECE_BYTES,
      .limit_bytes = PIECE_BYTES};
  char shown[1024];
  sc_buffer_free(out); /* not two pieces at once */
  sc_status st = sc_http(&r, 1, NULL, NULL, err);
  int is_first = o->at == 0, no_range = st == SC_TOO_BIG || st == SC_RANGE;
  if (!st && !r.total_bytes) {
    st = sc_fail(err, SC_BAD_DATA, "%s: the server does not say how large the file is",
                 sc_access_shown(o->href, shown, sizeof shown));
  }
  if (!st) st = check_same(o, &r, err);
  if (!st) {
    o->at += r.response.size;
    sc_buffer_move(&r.response, out);
  }
  sc_buffer_free(&r.response);
  if (is_first && no_range) { /* an empty object has no first byte to ask for, either */
    st = sc_read_without_ranges(o->href, out, err);
    o->at = o->total = out->size;
    return st;
  }
  return st == SC_RANGE ? fail_changed(o, err) : st; /* it has become shorter */
}

static sc_status read_piece(struct origin *o, struct sc_buffer *out, struct sc_error *err) {
  struct stat info;
  if (fstat(o->fd, &info) != 0) {
    return sc_fail(err, SC_IO, "%s: cannot read: %s", o->href, strerror(errno));
  }
  const struct sc_stamp now = sc_stamp_from(&info);
  sc_status st = sc_stamp_equals(&now, &o->stamp) ? SC_OK : fail_changed(o, err);
  uint64_t left = o->total - o->at;
  if (!st) st = sc_buffer_resize(out, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, err);
  for (size_t got = 0; !st && got < out->size;) {
    ssize_t n = read(o->fd, out->data + got, out->size - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) st = sc_fail(err, SC_IO, "%s: cannot read: %s", o->href, strerror(errno));
    if (n == 0) st = fail_changed(o, err);
    if (n > 0) got += (size_t)n;
  }
  if (!st) o->at += out->size;
  return st;
}

static sc_status next_piece(struct origin *o, struct sc_buffer *out, struct sc_error *err) {
  return o->fd < 0 ? fetch_piece(o, out, err) : read_piece(o, out, err);
}

/* Nothing is seen at the path before the last piece is there. */
static sc_status copy_pieces(struct origin *o, const char *path, struct sc_error *err) {
  struct sc_buffer piece = {0};
  struct sc_sink sink = {0};
  sc_status st = next_piece(o, &piece, err);
  int is_whole = !st && o->at == o->total;
  if (is_whole) st = put(path, piece.data, piece.size, err);
  if (!st && !is_whole) st = sc_sink_open(path, SC_SINK_ALONE, &sink, err);
  while (!st && !is_whole) {
    st = sc_sink_write(&sink, piece.data, piece.size, err);
    if (st || o->at == o->total) break;
    st = next_piece(o, &piece, err);
  }
  if (!st && !is_whole) st = sc_sink_finish(&sink, err);
  if (!st && !is_whole) st = sc_sink_commit(&sink, err);
  if (!st && !is_whole) st = check_size(path, o->total, err);
  sc_sink_close(&sink);
  sc_buffer_free(&piece);
  return st;
}

static sc_status copy_streamed(const char *href, const char *path, struct sc_error *err) {
  struct origin o = {.href = href, .fd = -1};
  struct stat info;
  if (!sc_href_is_url(href)) {
    if (sc_open_regular(href, &o.fd, &info, err)) return sc_fail_within(err, "%s", href);
    o.stamp = sc_stamp_from(&info);
    o.total = (uint64_t)info.st_size;
  }
  sc_status st = copy_pieces(&o, path, err);
  if (o.fd >= 0) close(o.fd);
  return st;
}

/* Can "bucket/key" stand in the header that names a copy's source, which wants it escaped? */
static int is_plain(const char *name) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  return name[strspn(name, plain)] == '\0';
}

/* Ask S3 to copy for itself. SC_UNSUPPORTED where it does not, for whatever reason. */
static sc_status copy_within_s3(const char *from, const char *to, struct sc_error *err) {
  char *header = NULL;
  int exists;
  uint64_t size;
  sc_status st = look_at(from, &exists, &size, err);
  if (st == SC_AGAIN) return st;
  if (!st && !exists) return sc_fail(err, SC_NOT_FOUND, "%s: no such object", from);
  if (st || size > COPY_OBJECT_MAX) return SC_UNSUPPORTED; /* also of unknown size */
  st = sc_format(&header, err, "x-amz-copy-source: /%s", from + 5);
  if (st) return st;
  const char *headers[] = {header, NULL};
  struct sc_http_request r = {.method = "PUT", .url = to, .headers = headers};
  st = sc_http(&r, 1, NULL, NULL, err);
  /* An error may come with status 200, after the response has begun. */
  int failed = !st && r.response.data && memmem(r.response.data, r.response.size, "<Error>", 7);
  if (failed || (st && st != SC_AGAIN)) st = SC_UNSUPPORTED;
  sc_buffer_free(&r.response);
  sc_free(header);
  return st ? st : check_size(to, size, err);
}

sc_status sc_store_copy(const char *href, const char *root, const char *key, struct sc_error *err) {
  char *to = NULL;
  sc_status st = sc_store_path(root, key, &to, err);
  int within =
      strncmp(href, "s3://", 5) == 0 && strncmp(root, "s3://", 5) == 0 && is_plain(href + 5);
  if (!st) st = within ? copy_within_s3(href, to, err) : SC_UNSUPPORTED;
  if (st == SC_UNSUPPORTED && to) st = copy_streamed(href, to, err);
  sc_free(to);
  return st;
}

/* --- listing --- */

static sc_status list_local(const char *root, const char *below,
                            sc_status (*found)(void *, const char *, struct sc_error *),
                            void *context, struct sc_error *err) {
  char *path = NULL;
  struct sc_files names = {0};
  struct sc_error absent = {0};
  sc_status st = sc_format(&path, err, "%s%s%s", root, *below ? "/" : "", below);
  if (!st && sc_folder_names(path, &names, &absent) == SC_NOMEM) st = sc_fail_nomem(err);
  if (!st && !absent.status) st = sc_href_check(path, err); /* links lead here, too */
  for (size_t i = 0; i < names.n && !st; i++) {
    char *key = NULL, *whole = NULL;
    struct stat info;
    if (names.paths[i][0] == '.') continue;
    st = sc_format(&key, err, "%s%s%s", below, *below ? "/" : "", names.paths[i]);
    if (!st) st = sc_store_path(root, key, &whole, err);
    if (!st && stat(whole, &info) == 0) {
      st = S_ISDIR(info.st_mode) ? list_local(root, key, found, context, err)
                                 : found(context, key, err);
    }
    sc_free(key);
    sc_free(whole);
  }
  sc_files_free(&names);
  sc_free(path);
  return st;
}

sc_status sc_store_list(const char *root, const char *prefix,
                        sc_status (*found)(void *, const char *, struct sc_error *), void *context,
                        struct sc_error *err) {
  if (sc_href_store_bytes(root)) return sc_objects_list(root, prefix, found, context, err);
  if (sc_href_is_url(root)) {
    return sc_fail(err, SC_UNSUPPORTED, "%s: only s3, gs, az, abfs and abfss stores can be listed",
                   root);
  }
  size_t n = strlen(prefix);
  char folder[4096];
  snprintf(folder, sizeof folder, "%.*s", (int)(n && prefix[n - 1] == '/' ? n - 1 : n), prefix);
  return list_local(root, folder, found, context, err);
}
