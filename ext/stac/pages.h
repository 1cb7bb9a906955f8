/* The pages of a STAC API search, fetched one ahead; used by items.c only. */
#ifndef SC_STAC_PAGES_H
#define SC_STAC_PAGES_H

#include "base/buffer.h"
#include "base/status.h"
#include "stac/items.h"

struct sc_pages; /* zero or more pages to come */

sc_status sc_pages_open(const char *url, const char *query, const struct sc_search_options *options,
                        struct sc_pages **out, struct sc_error *err);

/*
 * The next page, parsed (*out is the caller's: cJSON_Delete()), NULL at the end. The page
 * after it is asked for before this returns.
 */
sc_status sc_pages_next(struct sc_pages *pages, struct cJSON **out, int (*interrupted)(void *),
                        void *interrupt_context, struct sc_error *err);
void sc_pages_free(struct sc_pages *pages);

#endif
