/* Chips that a request names one by one, or by a filter. */
#ifndef SC_BROWSE_SELECTION_H
#define SC_BROWSE_SELECTION_H

#include "browse/filter.h"

struct sc_selection {
  int64_t *ids; /* owned; ascending */
  size_t n;
};

/* json: the request's member "ids", an array of numbers, or NULL for all chips of the filter.
 * SC_TOO_BIG where there are more than `most`. sc_selection_free() in any case. */
sc_status sc_selection_read(const struct sc_browse_filter *f, const struct cJSON *json, size_t most,
                            struct sc_selection *out, struct sc_error *err);
void sc_selection_free(struct sc_selection *s);

#endif
