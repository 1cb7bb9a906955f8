/* Reading whole; see read.h. */
#include "store/read.h"

#include "http/http_api.h"
#include "store/access.h"
#include "store/open.h"
#include "store/scheme.h"

#define WITHOUT_RANGES_MAX ((size_t)256 << 20) /* in memory at once */

static sc_status read_url(const char *url, size_t limit, struct sc_buffer *out,
                          struct sc_error *err) {
  struct sc_http_request r = {.method = "GET", .url = url, .limit_bytes = limit};
  sc_status st = sc_http(&r, 1, NULL, NULL, err);
  if (!st) sc_buffer_move(&r.response, out);
  sc_buffer_free(&r.response);
  return st ? st : sc_buffer_terminate(out, err);
}

sc_status sc_read_whole(const char *href, size_t limit, struct sc_buffer *out,
                        struct sc_error *err) {
  return sc_href_is_url(href) ? read_url(href, limit, out, err)
                              : sc_read_file(href, limit, out, err);
}

sc_status sc_read_without_ranges(const char *url, struct sc_buffer *out, struct sc_error *err) {
  char shown[1024];
  sc_status st = read_url(url, WITHOUT_RANGES_MAX, out, err);
  if (st != SC_TOO_BIG) return st;
  return sc_fail(err, st,
                 "%s: the server does not support range requests, and the file has more than %zu "
                 "bytes, the limit for reading it whole",
                 sc_access_shown(url, shown, sizeof shown), WITHOUT_RANGES_MAX);
}
