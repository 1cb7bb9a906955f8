/* Multihashes of files; see checksum.h. The only file of the program that calls OpenSSL. */
#include "cli/checksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/open.h"
#include "store/percent.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define MULTIHASH_MAX 128 /* bytes */

/* Codes of multicodec, the lengths of whole digests, and OpenSSL's names. */
static const struct algorithm {
  uint64_t code;
  size_t size;
  const char *name;
} algorithms[] = {
    {0x12, 32, "SHA256"},   {0x13, 64, "SHA512"},       {0xd5, 16, "MD5"},
    {0x11, 20, "SHA1"},     {0x20, 48, "SHA384"},       {0x1013, 28, "SHA224"},
    {0x16, 32, "SHA3-256"}, {0x14, 64, "SHA3-512"},     {0x15, 48, "SHA3-384"},
    {0x17, 28, "SHA3-224"}, {0xb240, 64, "BLAKE2B512"}, {0xb260, 32, "BLAKE2S256"},
};

/* Bytes of hexadecimal digits, or 0 where the text is something else. */
static size_t read_hex(const char *text, unsigned char out[MULTIHASH_MAX]) {
  size_t n = strlen(text);
  if (n % 2 || n / 2 > MULTIHASH_MAX) return 0;
  for (size_t i = 0; i < n / 2; i++) {
    int high = sc_hex_digit(text[2 * i]), low = sc_hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return 0;
    out[i] = (unsigned char)(high << 4 | low);
  }
  return n / 2;
}

/* An unsigned varint of up to four bytes; *at moves behind it. */
static int read_varint(const unsigned char *bytes, size_t n, size_t *at, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 28 && *at < n; shift += 7) {
    unsigned char b = bytes[(*at)++];
    *out |= (uint64_t)(b & 0x7f) << shift;
    if (b < 0x80) return 1;
  }
  return 0;
}

/* The algorithm of a multihash, and where in it the digest is; NULL where it is not known. */
static const struct algorithm *find_algorithm(const unsigned char *bytes, size_t n,
                                              const unsigned char **digest) {
  uint64_t code, length;
  size_t at = 0;
  if (!read_varint(bytes, n, &at, &code) || !read_varint(bytes, n, &at, &length)) return NULL;
  for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
    const struct algorithm *a = &algorithms[i];
    *digest = bytes + at;
    if (a->code == code) return a->size == length && n - at == length ? a : NULL;
  }
  return NULL;
}

/* Hash all of a file that is open, piece by piece. */
static sc_status digest_file(int fd, const char *path, EVP_MD_CTX *hash,
                             unsigned char digest[EVP_MAX_MD_SIZE], struct sc_error *err) {
  unsigned char *piece = sc_alloc(PIECE_BYTES);
  if (!piece) return sc_fail_nomem(err);
  int64_t n;
  uint64_t at = 0;
  int ok = 1;
  while ((n = sc_read_at(fd, at, piece, PIECE_BYTES)) > 0 && ok) {
    ok = EVP_DigestUpdate(hash, piece, (size_t)n);
    at += (uint64_t)n;
  }
  int failed = errno;
  sc_free(piece);
  if (n < 0) return sc_fail(err, SC_IO, "%s: cannot read: %s", path, strerror(failed));
  return ok && EVP_DigestFinal_ex(hash, digest, NULL) ? SC_OK : sc_fail_nomem(err);
}

/* The digest of a local file; *is_known is 0 where OpenSSL, as it is built or set, does without the
 * algorithm. */
static sc_status digest_path(const char *path, const struct algorithm *a, int *is_known,
                             unsigned char digest[EVP_MAX_MD_SIZE], struct sc_error *err) {
  EVP_MD_CTX *hash = EVP_MD_CTX_new();
  int fd = -1;
  sc_status st = hash ? SC_OK : sc_fail_nomem(err);
  *is_known = !st && EVP_DigestInit_ex(hash, EVP_get_digestbyname(a->name), NULL);
  if (!st && *is_known && (st = sc_open_regular(path, &fd, NULL, err)) != SC_OK)
    sc_fail_within(err, "%s", path);
  if (!st && *is_known) st = digest_file(fd, path, hash, digest, err);
  if (fd >= 0) close(fd);
  EVP_MD_CTX_free(hash);
  return st;
}

sc_status sc_checksum_compare(const char *path, const char *multihash, enum sc_checksum *out,
                              struct sc_error *err) {
  unsigned char bytes[MULTIHASH_MAX], digest[EVP_MAX_MD_SIZE];
  const unsigned char *wanted = NULL;
  const struct algorithm *a = find_algorithm(bytes, read_hex(multihash, bytes), &wanted);
  int is_known = 0;
  *out = SC_CHECKSUM_UNKNOWN;
  sc_status st = a ? digest_path(path, a, &is_known, digest, err) : SC_OK;
  if (!st && is_known)
    *out = memcmp(digest, wanted, a->size) ? SC_CHECKSUM_DIFFERENT : SC_CHECKSUM_EQUAL;
  return st;
}

sc_status sc_checksum_make(const char *path, char out[SC_CHECKSUM_TEXT], struct sc_error *err) {
  const struct algorithm *a = &algorithms[0];
  unsigned char digest[EVP_MAX_MD_SIZE];
  int is_known = 0;
  sc_status st = digest_path(path, a, &is_known, digest, err);
  if (st || !is_known) return st ? st : sc_fail(err, SC_UNSUPPORTED, "OpenSSL has no SHA-256");
  snprintf(out, SC_CHECKSUM_TEXT, "%02x%02x", (unsigned)a->code, (unsigned)a->size);
  for (size_t i = 0; i < a->size; i++) snprintf(out + 4 + 2 * i, 3, "%02x", digest[i]);
  return SC_OK;
}
