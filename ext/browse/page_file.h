/* The files of the page, as the build embedded them (embed.sh): the only ones that the server
 * gives. */
#ifndef SC_BROWSE_PAGE_FILE_H
#define SC_BROWSE_PAGE_FILE_H

#include <stddef.h>

struct sc_page_file {
  const char *name; /* "page.js" */
  const char *type; /* "text/javascript; charset=utf-8" */
  const char *data; /* a zero follows */
  size_t size;
};

/* The file of that name, or NULL: of files that were not there when the program was built too. On
 * any thread; it lasts as long as the process. */
const struct sc_page_file *sc_page_file(const char *name);

#endif
