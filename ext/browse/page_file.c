/* The files of the page; see page_file.h. */
#include "browse/page_file.h"

#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "browse/page_packed.h"

#define FILES_MAX 16

static struct sc_page_file files[FILES_MAX];
static int n_files;

/* The bytes of a file, a zero behind them; NULL where there is no memory. */
static char *unpack(const struct sc_page_packed *p) {
  char *data = sc_alloc(p->size + 1);
  z_stream z = {.next_in = (Bytef *)p->data,
                .avail_in = (uInt)p->packed_size,
                .next_out = (Bytef *)data,
                .avail_out = (uInt)p->size};
  if (!data) return NULL;
  int ok = inflateInit2(&z, 16 + MAX_WBITS) == Z_OK; /* 16: a gzip header */
  if (ok) ok = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0;
  inflateEnd(&z);
  data[p->size] = '\0';
  if (ok) return data;
  sc_free(data);
  return NULL;
}

/* Once a process, a megabyte: who asks for one asks for all. */
static void unpack_all(void) {
  for (const struct sc_page_packed *p = sc_pages_packed; p->name && n_files < FILES_MAX; p++) {
    char *data = unpack(p);
    if (data) files[n_files++] = (struct sc_page_file){p->name, p->type, data, p->size};
  }
}

const struct sc_page_file *sc_page_file(const char *name) {
  static pthread_once_t unpacked = PTHREAD_ONCE_INIT;
  pthread_once(&unpacked, unpack_all);
  for (int i = 0; i < n_files; i++) {
    if (strcmp(files[i].name, name) == 0) return &files[i];
  }
  return NULL;
}
