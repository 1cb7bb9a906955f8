/*
 * The page as one file that opens without a server and without a network: its styles, scripts and
 * outline of the world in it, and the chips as JSON that the caller writes.
 *
 * Texts of a database are data there: of JSON, in which '<', '>' and '&' are written as escapes, so
 * that none of them can end the script element that holds it or begin another one. If one ever
 * could, a content security policy in the head would let nothing run but the scripts of the build,
 * which it names by their SHA-256, and load nothing.
 */
#ifndef SC_BROWSE_SINGLE_FILE_H
#define SC_BROWSE_SINGLE_FILE_H

#include "store/sink.h"

/* All that comes before the data. SC_UNSUPPORTED where the program was built without its page. */
sc_status sc_single_file_begin(struct sc_sink *out, struct sc_error *err);
/* A part of the JSON text; n bytes of UTF-8. */
sc_status sc_single_file_json(struct sc_sink *out, const char *json, size_t n,
                              struct sc_error *err);
/* Bytes in base64, for a JSON string: what follows "data:image/jpeg;base64,". */
sc_status sc_single_file_base64(struct sc_sink *out, const unsigned char *bytes, size_t n,
                                struct sc_error *err);
/* All that comes after the data. */
sc_status sc_single_file_end(struct sc_sink *out, struct sc_error *err);

#endif
