/*
 * The contract between stacchip.so and the transport (http/client.c), which is in
 * stacchip_raster.so with libcurl.
 *
 * THREADS  Any.
 */
#ifndef SC_HTTP_HTTP_API_H
#define SC_HTTP_HTTP_API_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

/* One HTTP request, or one byte range of a remote file. */
struct sc_http_request {
  const char *method;         /* "GET", "POST", "HEAD", "PUT" */
  const char *url;            /* http, https, s3, gs, az, abfs */
  const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
  const void *body;
  size_t body_size;
  uint64_t offset, size;     /* range asked for; size 0: the whole thing */
  size_t limit_bytes;        /* larger responses are an error; 0: the default limit */
  struct sc_buffer response; /* out; freed by the caller. Memory that it has is used */
  int http_status;           /* out */
  uint64_t total_bytes;      /* out: size of the whole file where known, else 0 */
  int is_empty;              /* out: the size is known, and 0 */
  char etag[128];            /* out: "" where there is none */
  char content_type[128];    /* out */
  char final_url[2048];      /* out: after redirects, signed query stripped */
  struct sc_error err;       /* out: SC_OK or why this request failed */
};

/*
 * Perform requests side by side under the concurrency cap. The result is the first failure, or
 * SC_OK; each request has its own err. HTTP status 4xx and 5xx are failures (after retries) whose
 * err.text has the server's words. interrupted() is polled on the calling thread; may be NULL.
 */
typedef sc_status sc_http_function(struct sc_http_request *requests, size_t n,
                                   int (*interrupted)(void *), void *interrupt_context,
                                   struct sc_error *err);

/* The transport's function, from stacchip.so: opens the second half on first use
 * (raster/load.c). */
sc_http_function sc_http;

#endif
