/* What embed.sh makes of the page's files: for page_file.c. */
#ifndef SC_BROWSE_PAGE_PACKED_H
#define SC_BROWSE_PAGE_PACKED_H

#include <stddef.h>

struct sc_page_packed {
  const char *name, *type;
  const char *data; /* by gzip */
  size_t packed_size, size;
};

extern const struct sc_page_packed sc_pages_packed[]; /* the last one has no name */

#endif
