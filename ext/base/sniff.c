/* What bytes are; see sniff.h. */
#include "base/sniff.h"

#include <string.h>
#include <strings.h>

static const struct magic {
  const char *bytes;
  size_t n;
  const char *name;
} magics[] = {
    {"\x1f\x8b", 2, "gzip data"},
    {"PK\x03\x04", 4, "a zip archive"},
    {"BZh", 3, "bzip2 data"},
    {"\xfd"
     "7zXZ",
     5, "xz data"},
    {"\x28\xb5\x2f\xfd", 4, "zstd data"},
    {"PAR1", 4, "a Parquet file"},
    {"II*\0", 4, "a TIFF file"},
    {"MM\0*", 4, "a TIFF file"},
    {"\x89PNG", 4, "a PNG file"},
    {"%PDF", 4, "a PDF file"},
    {"SQLite format 3", 15, "an SQLite database"},
    /* UTF-32 begins as UTF-16 does, and comes first */
    {"\xff\xfe\0\0", 4, "UTF-32 text"},
    {"\0\0\xfe\xff", 4, "UTF-32 text"},
    {"\xff\xfe", 2, "UTF-16 text"},
    {"\xfe\xff", 2, "UTF-16 text"},
};

/* First byte behind blanks and a byte-order mark; n where there is none. */
static size_t skip_blanks(const char *p, size_t n) {
  size_t i = n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  while (i < n && p[i] && strchr(" \t\n\v\f\r", p[i])) i++;
  return i;
}

int sc_sniff_is_json(const char *text, size_t n) {
  size_t i = skip_blanks(text, n);
  return i < n && (text[i] == '{' || text[i] == '[');
}

static const char *markup(const char *p, size_t n) {
  size_t i = skip_blanks(p, n);
  if (i >= n || p[i] != '<') return NULL;
  size_t end = n - i < 1000 ? n : i + 1000;
  for (size_t at = i; at + 5 <= end; at++) {
    int is_html = strncasecmp(p + at, "<html", 5) == 0 ||
                  (at + 14 <= end && strncasecmp(p + at, "<!doctype html", 14) == 0);
    if (is_html) return "an HTML page (an error or a sign-in page?)";
  }
  if (n - i >= 2 && (p[i + 1] == '?' || p[i + 1] == '!' || (p[i + 1] | 32) >= 'a')) return "XML";
  return NULL;
}

/* Without a mark, text of UTF-16 or UTF-32 begins with a letter of ASCII and its zero bytes. */
static const char *wide_text(const unsigned char *p, size_t n) {
  if (n < 4) return NULL;
  if (p[0] && !p[1] && !p[2] && !p[3]) return "UTF-32 text";
  if (!p[0] && !p[1] && !p[2] && p[3]) return "UTF-32 text";
  if ((p[0] && !p[1] && p[2] && !p[3]) || (!p[0] && p[1] && !p[2] && p[3])) return "UTF-16 text";
  return NULL;
}

const char *sc_sniff(const void *bytes, size_t n) {
  for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
    if (n >= magics[i].n && memcmp(bytes, magics[i].bytes, magics[i].n) == 0) return magics[i].name;
  }
  const char *name = wide_text(bytes, n);
  return name ? name : markup(bytes, n);
}

/* Bytes of the UTF-8 sequence at p, or 0. Source: RFC 3629, section 4 (no surrogates, no longer
 * form than needed, nothing above U+10FFFF). */
static size_t sequence(const unsigned char *p, size_t n) {
  unsigned char least = 0x80, most = 0xBF;
  size_t length = p[0] < 0x80   ? 1
                  : p[0] < 0xC2 ? 0
                  : p[0] < 0xE0 ? 2
                  : p[0] < 0xF0 ? 3
                  : p[0] < 0xF5 ? 4
                                : 0;
  if (length < 2) return p[0] ? length : 0;
  if (length > n) return 0;
  if (p[0] == 0xE0) least = 0xA0;
  if (p[0] == 0xED) most = 0x9F;
  if (p[0] == 0xF0) least = 0x90;
  if (p[0] == 0xF4) most = 0x8F;
  if (p[1] < least || p[1] > most) return 0;
  for (size_t i = 2; i < length; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
  }
  return length;
}

size_t sc_sniff_utf8(const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  size_t at = 0, length;
  while (at < n && (length = sequence(p + at, n - at)) != 0) at += length;
  return at;
}
