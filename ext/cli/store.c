/* Where a processor writes; see store.h. */
#include "cli/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "raster/raster_api.h"
#include "stac/href.h"
#include "stac/objects.h"

#define PIECE_BYTES (16u << 20)         /* of a download into a local file */
#define OBJECT_MAX ((size_t)2000 << 20) /* of an object that goes through memory into a store */

static sc_status http(struct sc_http_request *r, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  return raster ? raster->http(r, 1, NULL, NULL, err) : err->status;
}

static int is_remote(const char *root) { return sc_href_is_url(root); }

sc_status sc_store_root(const char *bucket, char **out, struct sc_error *err) {
  struct stat info;
  size_t n = strlen(bucket);
  while (n > 1 && bucket[n - 1] == '/') n--;
  int is_name = !strchr(bucket, '/') && stat(bucket, &info) != 0;
  if (is_remote(bucket)) return sc_format(out, err, "%.*s", (int)n, bucket);
  return sc_format(out, err, "%s%.*s", is_name ? "s3://" : "", (int)n, bucket);
}

sc_status sc_store_path(const char *root, const char *key, char **out, struct sc_error *err) {
  return sc_format(out, err, "%s/%s", root, key);
}

sc_status sc_store_exists(const char *root, const char *key, int *exists, struct sc_error *err) {
  char *path = NULL;
  sc_status st = sc_store_path(root, key, &path, err);
  *exists = 0;
  if (!st && is_remote(root)) {
    struct sc_http_request r = {.method = "HEAD", .url = path};
    st = http(&r, err);
    *exists = st == SC_OK;
    if (st == SC_NOT_FOUND || r.http_status == 404) st = SC_OK;
    sc_buffer_free(&r.answer);
  } else if (!st) {
    struct stat info;
    *exists = stat(path, &info) == 0;
  }
  sc_free(path);
  return st;
}

/* --- local files -------------------------------------------------------------------------------
 */

static sc_status make_folders(char *path, struct sc_error *err) {
  for (char *p = path + 1; *p; p++) {
    if (*p != '/') continue;
    *p = '\0';
    int failed = mkdir(path, 0777) != 0 && errno != EEXIST;
    if (failed) sc_fail(err, SC_IO, "%s: cannot make the folder: %s", path, strerror(errno));
    *p = '/';
    if (failed) return SC_IO;
  }
  return SC_OK;
}

/* A file that is written beside its final name. */
struct draft {
  char *path, *temporary;
  int fd;
};

static sc_status draft_open(const char *path, struct draft *d, struct sc_error *err) {
  memset(d, 0, sizeof *d);
  d->fd = -1;
  sc_status st = sc_strdup(path, &d->path, err);
  if (!st) st = make_folders(d->path, err);
  if (!st) st = sc_format(&d->temporary, err, "%s.part-%ld", path, (long)getpid());
  if (st) return st;
  d->fd = open(d->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (d->fd >= 0) return SC_OK;
  return sc_fail(err, SC_IO, "%s: cannot write: %s", path, strerror(errno));
}

static sc_status draft_write(struct draft *d, const void *bytes, size_t n, struct sc_error *err) {
  const char *p = bytes;
  while (n) {
    ssize_t wrote = write(d->fd, p, n);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return sc_fail(err, SC_IO, "%s: cannot write: %s", d->path, strerror(errno));
    p += wrote;
    n -= (size_t)wrote;
  }
  return SC_OK;
}

/* Give the file its name, or take it away where st is an error. */
static sc_status draft_close(struct draft *d, sc_status st, struct sc_error *err) {
  if (d->fd >= 0 && !st && fsync(d->fd) != 0)
    st = sc_fail(err, SC_IO, "%s: %s", d->path, strerror(errno));
  if (d->fd >= 0) close(d->fd);
  if (d->fd >= 0 && !st && rename(d->temporary, d->path) != 0) {
    st = sc_fail(err, SC_IO, "%s: %s", d->path, strerror(errno));
  }
  if (d->fd >= 0 && st) unlink(d->temporary);
  sc_free(d->path);
  sc_free(d->temporary);
  return st;
}

static sc_status put_local(const char *path, const void *bytes, size_t n, struct sc_error *err) {
  struct draft d;
  sc_status st = draft_open(path, &d, err);
  if (!st) st = draft_write(&d, bytes, n, err);
  return draft_close(&d, st, err);
}

static sc_status copy_local(const char *from, const char *to, struct sc_error *err) {
  struct draft d;
  char *bytes = sc_alloc(PIECE_BYTES);
  int fd = open(from, O_RDONLY | O_CLOEXEC);
  sc_status st = !bytes   ? sc_fail_nomem(err)
                 : fd < 0 ? sc_fail(err, SC_NOT_FOUND, "%s: %s", from, strerror(errno))
                          : draft_open(to, &d, err);
  if (bytes && fd >= 0) {
    while (!st) {
      ssize_t n = read(fd, bytes, PIECE_BYTES);
      if (n < 0) st = sc_fail(err, SC_IO, "%s: %s", from, strerror(errno));
      if (n <= 0) break;
      st = draft_write(&d, bytes, (size_t)n, err);
    }
    st = draft_close(&d, st, err);
  }
  if (fd >= 0) close(fd);
  sc_free(bytes);
  return st;
}

/* --- stores
 * --------------------------------------------------------------------------------------- */

static sc_status put_remote(const char *url, const void *bytes, size_t n, struct sc_error *err) {
  struct sc_http_request r = {.method = "PUT", .url = url, .body = bytes, .body_size = n};
  sc_status st = http(&r, err);
  sc_buffer_free(&r.answer);
  return st;
}

sc_status sc_store_put(const char *root, const char *key, const void *bytes, size_t n,
                       struct sc_error *err) {
  char *path = NULL;
  sc_status st = sc_store_path(root, key, &path, err);
  if (!st) st = is_remote(root) ? put_remote(path, bytes, n, err) : put_local(path, bytes, n, err);
  sc_free(path);
  return st;
}

static sc_status read_local(const char *path, struct sc_buffer *out, struct sc_error *err) {
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &info) != 0) {
    if (fd >= 0) close(fd);
    return sc_fail(err, SC_NOT_FOUND, "%s: %s", path, strerror(errno));
  }
  sc_status st = (size_t)info.st_size > OBJECT_MAX
                     ? sc_fail(err, SC_TOO_BIG, "%s: more than %zu bytes", path, OBJECT_MAX)
                     : sc_buffer_resize(out, (size_t)info.st_size, err);
  size_t got = 0;
  while (!st && got < out->size) {
    ssize_t n = read(fd, out->data + got, out->size - got);
    if (n <= 0) st = sc_fail(err, SC_IO, "%s: cannot read", path);
    if (n > 0) got += (size_t)n;
  }
  close(fd);
  return st ? st : sc_buffer_terminate(out, err);
}

sc_status sc_store_put_file(const char *root, const char *key, const char *path,
                            struct sc_error *err) {
  struct sc_buffer bytes = {0};
  char *to = NULL;
  sc_status st = sc_store_path(root, key, &to, err);
  if (!st && !is_remote(root)) {
    st = copy_local(path, to, err);
  } else if (!st) {
    st = read_local(path, &bytes, err);
    if (!st) st = put_remote(to, bytes.data, bytes.size, err);
  }
  sc_buffer_free(&bytes);
  sc_free(to);
  return st;
}

static sc_status get_url(const char *url, struct sc_buffer *out, struct sc_error *err) {
  struct sc_http_request r = {.method = "GET", .url = url, .limit_bytes = OBJECT_MAX};
  sc_status st = http(&r, err);
  if (!st) sc_buffer_move(&r.answer, out);
  sc_buffer_free(&r.answer);
  return st ? st : sc_buffer_terminate(out, err);
}

sc_status sc_store_get(const char *root, const char *key, struct sc_buffer *out,
                       struct sc_error *err) {
  char *path = NULL;
  sc_status st = sc_store_path(root, key, &path, err);
  if (!st) st = is_remote(root) ? get_url(path, out, err) : read_local(path, out, err);
  sc_free(path);
  return st;
}

/* --- copying
 * ------------------------------------------------------------------------------------------ */

/* Ask S3 to copy for itself. SC_UNSUPPORTED where it cannot. */
static sc_status copy_within_s3(const char *from, const char *to, struct sc_error *err) {
  char *header = NULL;
  sc_status st = sc_format(&header, err, "x-amz-copy-source: /%s", from + 5);
  if (st) return st;
  const char *headers[] = {header, NULL};
  struct sc_http_request r = {.method = "PUT", .url = to, .headers = headers};
  st = http(&r, err);
  /* An error may come with status 200, after the answer has begun. */
  int failed = !st && r.answer.data && memmem(r.answer.data, r.answer.size, "<Error>", 7);
  if (failed || (st && st != SC_AGAIN && st != SC_NOT_FOUND)) st = SC_UNSUPPORTED;
  sc_buffer_free(&r.answer);
  sc_free(header);
  return st;
}

/* Download into a local file, piece by piece. */
static sc_status download(const char *url, const char *path, struct sc_error *err) {
  struct draft d;
  uint64_t at = 0, total = 1;
  sc_status st = draft_open(path, &d, err);
  while (!st && at < total) {
    struct sc_http_request r = {.method = "GET", .url = url, .offset = at, .size = PIECE_BYTES};
    st = http(&r, err);
    if (!st) {
      total = r.total_bytes ? r.total_bytes : at + r.answer.size;
      at += r.answer.size;
      st = r.answer.size ? draft_write(&d, r.answer.data, r.answer.size, err)
                         : sc_fail(err, SC_IO, "%s: it ends early", path);
    }
    sc_buffer_free(&r.answer);
  }
  return draft_close(&d, st, err);
}

sc_status sc_store_copy(const char *href, const char *root, const char *key, struct sc_error *err) {
  char *to = NULL;
  struct sc_buffer bytes = {0};
  sc_status st = sc_store_path(root, key, &to, err);
  int within = strncmp(href, "s3://", 5) == 0 && strncmp(root, "s3://", 5) == 0;
  if (!st && within) {
    st = copy_within_s3(href, to, err);
    if (st != SC_UNSUPPORTED) {
      sc_free(to);
      return st;
    }
    st = SC_OK;
  }
  if (!st && is_remote(root)) {
    st = sc_href_is_url(href) ? get_url(href, &bytes, err) : read_local(href, &bytes, err);
    if (!st) st = put_remote(to, bytes.data, bytes.size, err);
  } else if (!st) {
    st = sc_href_is_url(href) ? download(href, to, err) : copy_local(href, to, err);
  }
  sc_buffer_free(&bytes);
  sc_free(to);
  return st;
}

/* --- listing
 * ------------------------------------------------------------------------------------------- */

static sc_status list_local(const char *root, const char *below,
                            sc_status (*found)(void *, const char *, struct sc_error *),
                            void *context, struct sc_error *err) {
  char *path = NULL;
  struct dirent **names = NULL;
  sc_status st = sc_format(&path, err, "%s%s%s", root, *below ? "/" : "", below);
  int n = st ? 0 : scandir(path, &names, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    char *key = NULL, *whole = NULL;
    struct stat info;
    if (!st && names[i]->d_name[0] != '.') {
      st = sc_format(&key, err, "%s%s%s", below, *below ? "/" : "", names[i]->d_name);
      if (!st) st = sc_store_path(root, key, &whole, err);
      if (!st && stat(whole, &info) == 0) {
        st = S_ISDIR(info.st_mode) ? list_local(root, key, found, context, err)
                                   : found(context, key, err);
      }
    }
    sc_free(key);
    sc_free(whole);
    free(names[i]);
  }
  free(names);
  sc_free(path);
  return st;
}

sc_status sc_store_list(const char *root, const char *prefix,
                        sc_status (*found)(void *, const char *, struct sc_error *), void *context,
                        struct sc_error *err) {
  if (sc_objects_is_store(root)) return sc_objects_list(root, prefix, found, context, err);
  if (is_remote(root)) {
    return sc_fail(err, SC_UNSUPPORTED, "%s: only s3:// and gs:// stores can be listed", root);
  }
  size_t n = strlen(prefix);
  char folder[4096];
  snprintf(folder, sizeof folder, "%.*s", (int)(n && prefix[n - 1] == '/' ? n - 1 : n), prefix);
  return list_local(root, folder, found, context, err);
}
