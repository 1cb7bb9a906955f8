/* The files of the page; see page_file.h. */
#include "browse/page_file.h"

#include <string.h>

const struct sc_page_file *sc_page_file(const char *name) {
  for (const struct sc_page_file *f = sc_page_files; f->name; f++) {
    if (strcmp(f->name, name) == 0) return f;
  }
  return NULL;
}
