/* What bytes are, by their first ones and their encoding: for messages that say what was met. */
#ifndef SC_BASE_SNIFF_H
#define SC_BASE_SNIFF_H

#include <stddef.h>

/*
 * "an HTML page (an error or a sign-in page?)", "gzip data", "UTF-16 text", ... of bytes that
 * were expected to be something else; NULL for what is none of these. Static memory.
 */
const char *sc_sniff(const void *bytes, size_t n);

/* Does it begin as a JSON object or array, maybe behind blanks and a byte-order mark? */
int sc_sniff_is_json(const char *text, size_t n);

/* Position of the first byte that is no UTF-8 (RFC 3629), or a zero byte; n where all are. */
size_t sc_sniff_utf8(const void *bytes, size_t n);

#endif
