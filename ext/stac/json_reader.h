/*
 * JSON as it comes in files, answers and arguments: one value, or several, which lines (NDJSON),
 * record separators (RFC 8142, RFC 7464) or nothing may part. What is read is read to its end, or
 * refused with the byte where it fails. Messages quote nothing of the text: who may not read a
 * file shall not read it in a message.
 */
#ifndef SC_STAC_JSON_READER_H
#define SC_STAC_JSON_READER_H

#include <stddef.h>

#include "base/status.h"

struct cJSON;

/* The text is borrowed. */
struct sc_json_reader {
  const char *text;
  size_t size;
  size_t at;    /* of what is read next */
  int n_values; /* read so far */
};

/*
 * Begin to read a text. A UTF-8 byte-order mark, and zero bytes at the end, are passed over.
 * Returns SC_BAD_DATA, naming what it is, for an empty text and for one that is not UTF-8:
 * UTF-16, gzip, HTML, Latin-1.
 *
 * where  For messages: the path or URL, as it may be shown.
 */
sc_status sc_json_reader_open(struct sc_json_reader *t, const void *text, size_t n,
                              const char *where, struct sc_error *err);

/*
 * The next value; *out is the caller's (cJSON_Delete()), NULL at the end. After SC_BAD_DATA the
 * next call goes on behind the next record separator or, among lines, at the next line that begins
 * an object or array.
 */
sc_status sc_json_reader_next(struct sc_json_reader *t, const char *where, struct cJSON **out,
                              struct sc_error *err);

/* The only value of a text; more than one is SC_BAD_DATA. */
sc_status sc_json_reader_one(const void *text, size_t n, const char *where, struct cJSON **out,
                             struct sc_error *err);

#endif
