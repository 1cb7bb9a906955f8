/* Digests of files; see digest.h. */
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

static sc_status begin(const char *path, const char *algorithm, struct digesting *d,
                       struct sc_error *err) {
  const EVP_MD *known = EVP_get_digestbyname(algorithm);
  d->context = EVP_MD_CTX_new();
  d->piece = sc_alloc(PIECE_BYTES);
  if (!d->context || !d->piece) return sc_fail_nomem(err);
  if (!known || !EVP_DigestInit_ex(d->context, known, NULL))
    return sc_fail(err, SC_UNSUPPORTED, "OpenSSL has no %s", algorithm);
  return sc_open_regular(path, &d->fd, NULL, err);
}

sc_status sc_digest_file(const char *path, const char *algorithm, uint8_t *out,
                         int (*interrupted)(void *), void *interrupt_context,
                         struct sc_error *err) {
  struct digesting d = {.fd = -1};
  uint64_t at = 0;
  int64_t n = 1;
  sc_status st = begin(path, algorithm, &d, err);
  while (!st && n > 0) {
    n = sc_read_at(d.fd, at, d.piece, PIECE_BYTES);
    if (n < 0) st = sc_fail(err, SC_IO, "cannot read: %s", strerror(errno));
    if (n > 0 && !EVP_DigestUpdate(d.context, d.piece, (size_t)n)) st = sc_fail_nomem(err);
    if (n > 0) at += (uint64_t)n;
    if (!st && interrupted && interrupted(interrupt_context))
      st = sc_fail(err, SC_INTERRUPT, "interrupted");
  }
  if (!st && !EVP_DigestFinal_ex(d.context, out, NULL)) st = sc_fail_nomem(err);
  if (d.fd >= 0) close(d.fd);
  EVP_MD_CTX_free(d.context);
  sc_free(d.piece);
  int is_of_file = st && st != SC_NOMEM && st != SC_INTERRUPT && st != SC_UNSUPPORTED;
  return is_of_file ? sc_fail_within(err, "%s", path) : st;
}
