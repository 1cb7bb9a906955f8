/* SHA-256 of files; see digest.h. */
#include "raster/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/open.h"

#define PIECE_BYTES ((size_t)1 << 20)

struct digesting {
  int fd;
  EVP_MD_CTX *context;
  unsigned char *piece;
};

static sc_status begin(const char *path, struct digesting *d, struct sc_error *err) {
  sc_status st = sc_open_regular(path, &d->fd, NULL, err);
  if (st) return st;
  d->context = EVP_MD_CTX_new();
  d->piece = sc_alloc(PIECE_BYTES);
  int is_ready = d->context && d->piece && EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) == 1;
  return is_ready ? SC_OK : sc_fail_nomem(err);
}

sc_status sc_digest_file(const char *path, uint8_t out[SC_SHA256_BYTES], int (*interrupted)(void *),
                         void *interrupt_context, struct sc_error *err) {
  struct digesting d = {.fd = -1};
  uint64_t at = 0;
  int64_t n = 1;
  sc_status st = begin(path, &d, err);
  while (!st && n > 0) {
    n = sc_read_at(d.fd, at, d.piece, PIECE_BYTES);
    if (n < 0) st = sc_fail(err, SC_IO, "cannot read: %s", strerror(errno));
    if (n > 0) EVP_DigestUpdate(d.context, d.piece, (size_t)n);
    if (n > 0) at += (uint64_t)n;
    if (!st && interrupted && interrupted(interrupt_context))
      st = sc_fail(err, SC_INTERRUPT, "interrupted");
  }
  if (!st) EVP_DigestFinal_ex(d.context, out, NULL);
  if (d.fd >= 0) close(d.fd);
  EVP_MD_CTX_free(d.context);
  sc_free(d.piece);
  return st == SC_OK || st == SC_NOMEM || st == SC_INTERRUPT ? st : sc_fail_within(err, "%s", path);
}
