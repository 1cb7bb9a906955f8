/* Multihashes of files; see checksum.h. */
#include "cli/checksum.h"

#include <stdio.h>
#include <string.h>

#include "raster/raster_api.h"
#include "store/percent.h"

#define DIGEST_MAX 64     /* bytes */
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

sc_status sc_checksum_compare(const char *path, const char *multihash, enum sc_checksum *out,
                              struct sc_error *err) {
  unsigned char bytes[MULTIHASH_MAX], digest[DIGEST_MAX];
  const unsigned char *wanted = NULL;
  const struct algorithm *a = find_algorithm(bytes, read_hex(multihash, bytes), &wanted);
  *out = SC_CHECKSUM_UNKNOWN;
  if (!a) return SC_OK;
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  sc_status st = raster->digest(path, a->name, digest, NULL, NULL, err);
  if (st == SC_UNSUPPORTED) return sc_settle(err, SC_OK);
  if (!st) *out = memcmp(digest, wanted, a->size) ? SC_CHECKSUM_DIFFERENT : SC_CHECKSUM_EQUAL;
  return st;
}

sc_status sc_checksum_make(const char *path, char out[SC_CHECKSUM_TEXT], struct sc_error *err) {
  const struct algorithm *a = &algorithms[0];
  unsigned char digest[DIGEST_MAX];
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  sc_status st = raster->digest(path, a->name, digest, NULL, NULL, err);
  if (st) return st;
  snprintf(out, SC_CHECKSUM_TEXT, "%02x%02x", (unsigned)a->code, (unsigned)a->size);
  for (size_t i = 0; i < a->size; i++) snprintf(out + 4 + 2 * i, 3, "%02x", digest[i]);
  return SC_OK;
}
