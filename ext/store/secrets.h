/*
 * Signatures, tokens and passwords in hrefs: what may be kept of a text that is stored or given
 * away. Tokens end, and a database travels.
 *
 * What is taken out: the user part of a URL; parameters of its query, its path (";name=value") and
 * its fragment whose names say that they are secret, however they are spelt and escaped, or whose
 * values look so (JSON web tokens, long random texts); and what is worth nothing without them (the
 * rest of a signature). Other parameters stay: "?file=x.tif", "?versionId=...". An http href that
 * lost something ends with SC_ACCESS_NOT_STORED, a fragment, which no request sends: so that a
 * refusal by its server can say why.
 *
 * THREADS  Any.
 */
#ifndef SC_STORE_SECRETS_H
#define SC_STORE_SECRETS_H

#include "base/status.h"

/* A copy of an href, or of an item's text, without secrets. *out is freed with sc_free(). */
sc_status sc_href_without_secrets(const char *text, char **out, struct sc_error *err);

/*
 * The same for a handle, which this process may read again: it remembers the last hrefs that lost
 * something, under numbers that nobody can guess and that stand in the mark.
 */
sc_status sc_href_for_handle(const char *text, char **out, struct sc_error *err);

/* The href as it was, of one with such a number; NULL in *out where it is not known (any more). */
sc_status sc_href_remembered(const char *href, char **out, struct sc_error *err);

#endif
