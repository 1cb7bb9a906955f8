/*
 * HTTP on a socket of this machine, for one browser: the only user of libmicrohttpd.
 *
 * One thread of the library moves bytes; a few workers call the handler, so that a slow request
 * holds up no other and a connection that only sits there costs no thread. What reaches the
 * handler has passed:
 * - the path began with the token (128 random bits): anything else is 404 without a body;
 * - Host named this server, so that a name which a stranger's DNS points here (rebinding) does not;
 * - Origin, where the browser sent one, was the server's own;
 * - the method was GET, HEAD or POST, and a body was JSON by its Content-Type, which no form of
 *   another site can send unasked.
 */
#ifndef SC_BROWSE_SERVER_H
#define SC_BROWSE_SERVER_H

#include "base/buffer.h"
#include "base/status.h"

#define SC_SERVER_BODY_BYTES ((size_t)4 << 20) /* of a request; beyond: 413 */
#define SC_SERVER_ARGUMENTS 16
#define SC_SERVER_CONNECTIONS 64
#define SC_SERVER_WORKERS 4

struct sc_server_argument {
  char *name, *value;
};

struct sc_server_request {
  int is_post;
  char *path; /* behind the token and its slash: "api/map" */
  int n_arguments;
  struct sc_server_argument arguments[SC_SERVER_ARGUMENTS]; /* behind the '?', decoded */
  struct sc_buffer body;                                    /* ends in a zero that is not counted */
  char *if_none_match;                                      /* or NULL */
  const char *base; /* "http://127.0.0.1:8000/TOKEN/", for addresses in answers */
};

/* An argument's value, or NULL. */
const char *sc_server_argument(const struct sc_server_request *r, const char *name);

struct sc_server_answer {
  int status;       /* 200 unless set */
  const char *type; /* static */
  struct sc_buffer body;
  const char *static_body; /* instead of body: lives as long as the program */
  size_t static_size;
  char etag[40];         /* "": none; may be kept by the browser, and asked for again */
  const char *file_name; /* static: the browser saves it under that name; or NULL */
  int is_embeddable;     /* pages of other origins may show it, as tiles are made for */
};

/* Called by any of the workers, each with a number from 0 to SC_SERVER_WORKERS - 1. */
typedef void sc_server_handler(void *context, int worker, const struct sc_server_request *request,
                               struct sc_server_answer *answer);

struct sc_server_options {
  const char *host; /* an address or name of this machine; "127.0.0.1" */
  int port;         /* 0: a free one */
  sc_server_handler *handler;
  void *context;
};

struct sc_server;

/* Bind, and answer from now on. sc_server_stop(). */
sc_status sc_server_start(const struct sc_server_options *options, struct sc_server **out,
                          struct sc_error *err);
/* "http://127.0.0.1:8000/TOKEN/": borrowed. */
const char *sc_server_address(const struct sc_server *s);
/* Let requests that are being answered end, drop the others, free. NULL is fine. */
void sc_server_stop(struct sc_server *s);

#endif
