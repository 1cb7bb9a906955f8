/* A GDAL file system for remote files; see vsi.h. A file's name is its serial in hexadecimal. */
#include "raster/vsi.h"

#include <cpl_error.h>
#include <cpl_vsi.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "raster/remote.h"

#define PREFIX "/vsistacchip/"

struct handle {
  struct sc_remote *remote; /* held */
  uint64_t at;
  int is_at_end;
};

static struct sc_remote *find(const char *name) {
  char *end = NULL;
  uint64_t serial = strtoull(name, &end, 16);
  return end == name ? NULL : sc_remote_by_serial(serial);
}

static int on_stat(void *data, const char *name, VSIStatBufL *out, int flags) {
  struct sc_remote *remote = find(name);
  (void)data, (void)flags;
  if (!remote) return -1;
  memset(out, 0, sizeof *out);
  out->st_mode = S_IFREG | 0444;
  out->st_size = (off_t)sc_remote_size(remote);
  sc_remote_release(remote);
  return 0;
}

static void *on_open(void *data, const char *name, const char *access) {
  (void)data;
  if (strpbrk(access, "wa+")) return NULL;
  struct sc_remote *remote = find(name);
  struct handle *h = remote ? sc_alloc_zero(1, sizeof *h) : NULL;
  if (!h) {
    sc_remote_release(remote);
    return NULL;
  }
  h->remote = remote;
  return h;
}

static vsi_l_offset on_tell(void *file) { return ((struct handle *)file)->at; }

static int on_seek(void *file, vsi_l_offset offset, int whence) {
  struct handle *h = file;
  h->at = offset + (whence == SEEK_CUR   ? h->at
                    : whence == SEEK_END ? sc_remote_size(h->remote)
                                         : 0);
  h->is_at_end = 0;
  return 0;
}

static size_t on_read(void *file, void *out, size_t size, size_t count) {
  struct handle *h = file;
  struct sc_error err = {0};
  size_t got = 0;
  if (size == 0 || count == 0) return 0;
  if (sc_remote_read(h->remote, h->at, out, size * count, &got, &err)) {
    sc_remote_note_failure(h->remote, &err);
    CPLError(CE_Failure, CPLE_FileIO, "%s", err.text);
  }
  h->at += got;
  h->is_at_end = got < size * count;
  return got / size;
}

static int on_read_many(void *file, int n, void **out, const vsi_l_offset *offsets,
                        const size_t *sizes) {
  struct handle *h = file;
  for (int i = 0; i < n; i++) {
    struct sc_error err = {0};
    size_t got = 0;
    if (sc_remote_read(h->remote, offsets[i], out[i], sizes[i], &got, &err) || got < sizes[i]) {
      if (err.status) sc_remote_note_failure(h->remote, &err);
      CPLError(CE_Failure, CPLE_FileIO, "%s", err.text[0] ? err.text : "the file is cut short");
      return -1;
    }
  }
  return 0;
}

static int on_eof(void *file) { return ((struct handle *)file)->is_at_end; }

static int on_close(void *file) {
  struct handle *h = file;
  sc_remote_release(h->remote);
  sc_free(h);
  return 0;
}

static pthread_once_t install_once = PTHREAD_ONCE_INIT;

static void install(void) {
  VSIFilesystemPluginCallbacksStruct *c = VSIAllocFilesystemPluginCallbacksStruct();
  c->stat = on_stat;
  c->open = on_open;
  c->tell = on_tell;
  c->seek = on_seek;
  c->read = on_read;
  c->read_multi_range = on_read_many;
  c->eof = on_eof;
  c->close = on_close;
  VSIInstallPluginHandler(PREFIX, c);
  VSIFreeFilesystemPluginCallbacksStruct(c);
}

sc_status sc_vsi_path(const struct sc_source *source, char *out, size_t n, struct sc_error *err) {
  struct sc_remote *remote = NULL;
  pthread_once(&install_once, install);
  sc_status st = sc_remote_acquire(source, &remote, err);
  if (st) return st;
  snprintf(out, n, PREFIX "%" PRIx64, sc_remote_serial(remote));
  sc_remote_release(remote);
  return SC_OK;
}
