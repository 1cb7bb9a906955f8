/*
 * Which network hosts the process may talk to; used before a request and after each redirect.
 */
#ifndef SC_STORE_ACCESS_H
#define SC_STORE_ACCESS_H

#include <stddef.h>

struct sockaddr;

/*
 * patterns  Comma separated host names or addresses, '*' standing for any characters
 *           ("*.example.com,127.0.0.1"); NULL or "": the default rule, which refuses the names and
 *           addresses of metadata services, and link-local ones, however they are spelled.
 * host      Without port and brackets.
 */
int sc_access_host(const char *patterns, const char *host);

/*
 * An address that a host's name has led to: 0 for link-local ones and those of metadata services,
 * also inside IPv6 (mapped, NAT64, 6to4, Teredo, ISATAP), unless a pattern matches the address
 * itself.
 */
int sc_access_address(const char *patterns, const struct sockaddr *address);

/*
 * Behind the user part "name:password@" of an authority of n bytes, or `authority` where it has
 * none. For schemes other than http and https, a name without a password is not a user part:
 * "abfs://container@account".
 */
const char *sc_access_skip_user(const char *authority, size_t n, int is_http);

/* An href as messages show it: of a URL without user part, query, fragment and ";name=value" in its
 * path, which may be secret; a path as it is. Written to out. */
const char *sc_access_shown(const char *href, char *out, size_t n);

/* What an http href ends with that lost secrets before it was stored (store/secrets.h): a fragment,
 * which no request sends. */
#define SC_ACCESS_NOT_STORED "#stacchip-not-stored"

/* The host of "scheme://user@host:port/path", without brackets; "" if there is none, or one that
 * may be read in another way (per cent signs, letters outside ASCII). */
void sc_access_url_host(const char *url, char *out, size_t n);

/* Are two http or https URLs of one server: the same scheme, host and port? A scheme's own port
 * may be written or not. */
int sc_access_same_origin(const char *a, const char *b);

#endif
