/*
 * HTTP requests, many side by side, by one libcurl multi handle per process on a thread of
 * its own: connections are kept, HTTP/2 is used where offered, one cap per host.
 *
 * A request is tried again after dropped connections, time-outs, short bodies, 408, 429 and
 * 5xx, with jittered backoff (Retry-After is heeded). Redirects are followed within the
 * access rules, each hop checked. The only user of libcurl.
 */
#ifndef SC_HTTP_CLIENT_H
#define SC_HTTP_CLIENT_H

#include "base/status.h"
#include "http/http_api.h"

#define SC_HTTP_DEFAULT_LIMIT ((size_t)256 << 20) /* bytes of one response */
#define SC_HTTP_REDIRECTS_MAX 5
#define SC_HTTP_RETRY_AFTER_MAX_S 60

/* See sc_http_function. A range request gets exactly its bytes, or those up to the end of
 * the file; a server that ignores ranges is read whole up to the limit. */
sc_status sc_http_perform(struct sc_http_request *requests, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err);

/* In a forked child: forget the parent's thread and connections. */
void sc_http_abandon(void);

const char *sc_http_version(void);

#endif
