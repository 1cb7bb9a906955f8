/* Reading whole; see read.h. */
#include "store/read.h"

#include "http/http_api.h"
#include "store/open.h"
#include "store/scheme.h"

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
