/* What `stacchip browse` answers: requests of the page, over the tables of some databases. */
#ifndef SC_BROWSE_BROWSE_H
#define SC_BROWSE_BROWSE_H

#include "browse/server.h"

struct sc_browse_options {
  const char *const *paths; /* databases, and folders of frozen datasets */
  int n_paths;
  int is_writable;    /* labels and selections may be written */
  const char *labels; /* name of the table of labels; NULL: <table>_labels */
};

struct sc_browse;

/* Open the databases, and begin to read their tables in the background. The options stay the
 * caller's until sc_browse_close(). SC_NOT_FOUND where a database has nothing to show. */
sc_status sc_browse_open(const struct sc_browse_options *options, struct sc_browse **out,
                         struct sc_error *err);
/* Answer a request: a sc_server_handler, whose context is a struct sc_browse. */
sc_server_handler sc_browse_answer;
/* Was the page there when the program was built? */
int sc_browse_has_page(void);
/* Stop statements that take too long, and notice writes of others; called by one thread, about ten
 * times a second. */
void sc_browse_watch(struct sc_browse *b);
/* Have everything that still runs give up, so that requests end soon. NULL is fine. */
void sc_browse_stop(struct sc_browse *b);
/* After the server has stopped. NULL is fine. */
void sc_browse_close(struct sc_browse *b);

#endif
