/* JSON as it comes; see json_reader.h. */
#include "stac/json_reader.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <string.h>

#include "base/sniff.h"

#define RECORD_SEPARATOR '\x1e' /* RFC 7464 */

sc_status sc_json_reader_open(struct sc_json_reader *t, const void *text, size_t n,
                              const char *where, struct sc_error *err) {
  const char *p = text;
  memset(t, 0, sizeof *t);
  const char *what = sc_sniff(p, n);
  if (what) return sc_fail(err, SC_BAD_DATA, "%s: it is %s, not JSON", where, what);
  while (n && !p[n - 1]) n--; /* of a C string, or a block that was filled up */
  if (!n) return sc_fail(err, SC_BAD_DATA, "%s: it is empty, not JSON", where);
  size_t good = sc_sniff_utf8(p, n);
  if (good < n) {
    return sc_fail(err, SC_BAD_DATA,
                   p[good] ? "%s: byte %zu: not UTF-8 (0x%02x: Latin-1, or data?); JSON is UTF-8"
                           : "%s: byte %zu: a zero byte in JSON",
                   where, good, (unsigned char)p[good]);
  }
  t->text = p;
  t->size = n;
  t->at = n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  return SC_OK;
}

static void skip_blanks(struct sc_json_reader *t) {
  while (t->at < t->size && strchr(" \t\r\n\x1e", t->text[t->at])) t->at++;
}

/* A string that holds a zero character (\u0000) would end there for all that read C strings. */
static size_t find_zero_escape(const char *text, size_t begin, size_t end) {
  const char *p = text + begin, *stop = text + end;
  while ((p = memchr(p, '\\', (size_t)(stop - p))) != NULL && stop - p >= 6) {
    if (memcmp(p, "\\u0000", 6) == 0) return (size_t)(p - text);
    p += 2; /* what is escaped: a second backslash begins no escape */
  }
  return SIZE_MAX;
}

/* A whole text of objects ends with a bracket. */
static int is_cut(const struct sc_json_reader *t) {
  size_t n = t->size;
  while (n && strchr(" \t\r\n", t->text[n - 1])) n--;
  return n && t->text[n - 1] != '}' && t->text[n - 1] != ']';
}

/* Behind a value that cannot be read. */
static void resume(struct sc_json_reader *t) {
  const char *p = t->text + t->at, *end = t->text + t->size;
  const char *record = memchr(p, RECORD_SEPARATOR, (size_t)(end - p));
  int is_lines = t->n_values > 0;
  t->at = record ? (size_t)(record - t->text) : t->size;
  for (; !record && is_lines && p + 1 < end; p++) {
    if (*p != '\n' || (p[1] != '{' && p[1] != '[')) continue;
    t->at = (size_t)(p - t->text);
    return;
  }
}

sc_status sc_json_reader_next(struct sc_json_reader *t, const char *where, cJSON **out,
                              struct sc_error *err) {
  const char *stop = NULL;
  *out = NULL;
  skip_blanks(t);
  if (t->at >= t->size) return SC_OK;
  size_t begin = t->at;
  /* cJSON takes any control character, and a byte-order mark, for a blank. */
  int begins_value = strchr("{[\"-0123456789tfn", t->text[begin]) != NULL;
  cJSON *json =
      begins_value ? cJSON_ParseWithLengthOpts(t->text + begin, t->size - begin, &stop, 0) : NULL;
  size_t end = stop ? (size_t)(stop - t->text) : begin;
  size_t zero = json ? find_zero_escape(t->text, begin, end) : SIZE_MAX;
  if (json && zero == SIZE_MAX) {
    t->at = end;
    t->n_values++;
    *out = json;
    return SC_OK;
  }
  t->at = json ? end : begin + 1; /* a text without its end took in what follows */
  if (!json) resume(t);
  t->n_values++;
  if (json) {
    cJSON_Delete(json);
    return sc_fail(err, SC_BAD_DATA, "%s: byte %zu: a zero character (\\u0000) in a text", where,
                   zero);
  }
  return sc_fail(err, SC_BAD_DATA, "%s: byte %zu: not JSON%s", where, end,
                 is_cut(t) ? "; it ends as if it were cut short" : "");
}

sc_status sc_json_reader_one(const void *text, size_t n, const char *where, cJSON **out,
                             struct sc_error *err) {
  struct sc_json_reader t;
  *out = NULL;
  sc_status st = sc_json_reader_open(&t, text, n, where, err);
  if (!st) st = sc_json_reader_next(&t, where, out, err);
  if (st) return st;
  if (!*out) return sc_fail(err, SC_BAD_DATA, "%s: it is empty, not JSON", where);
  skip_blanks(&t);
  if (t.at >= t.size) return SC_OK;
  cJSON_Delete(*out);
  *out = NULL;
  return sc_fail(err, SC_BAD_DATA, "%s: byte %zu: more behind the first JSON value", where, t.at);
}
