/* What a name is: a local path, or a URL of which scheme. The one list of schemes. */
#ifndef SC_STORE_SCHEME_H
#define SC_STORE_SCHEME_H

#include <stddef.h>

/* As messages list them. */
#define SC_SCHEMES "https, http, s3, gs, az, abfs, abfss"

/* Length of "scheme" where the name begins with "scheme://", else 0. A scheme has two letters or
 * more, so that no drive letter is one. */
size_t sc_scheme_length(const char *href);

/* 1 for a URL, of whatever scheme; 0 for a local path. */
int sc_href_is_url(const char *href);

/* 1 for a URL that is fetched: one of SC_SCHEMES, in any case. */
int sc_href_is_remote(const char *href);

/* Length of "s3://" and the like for URLs of stores that can be listed and written to (s3, gs, az,
 * abfs, abfss); else 0. */
size_t sc_href_store_bytes(const char *href);

/* 1 for Azure's blob store: az, abfs, abfss. */
int sc_href_is_azure(const char *href);

#endif
