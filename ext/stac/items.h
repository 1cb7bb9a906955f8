/*
 * Items in bulk: one after another from folders, files, collections and static catalogues,
 * local or remote, or from the pages of a STAC API search.
 */
#ifndef SC_STAC_ITEMS_H
#define SC_STAC_ITEMS_H

#include <stdint.h>

#include "base/status.h"
#include "stac/item.h"

struct sc_items;

/*
 * Items of a source: a directory (its .json, .geojson, .ndjson and .jsonl files, also in
 * folders below, by name; JSON that is no STAC is passed over), a glob, a FeatureCollection,
 * an array of items, newline-delimited JSON, or a static catalog or collection, whose links
 * are followed. *out is freed with sc_items_free().
 */
sc_status sc_items_open(const char *source, struct sc_items **out, struct sc_error *err);

struct sc_search_options {
  int64_t max_items;           /* 0: all */
  int use_get;                 /* ask by GET instead of POST */
  const struct cJSON *headers; /* object of texts sent with each request, or NULL */
};

/*
 * Items of a STAC API search.
 *
 * url      The API's root, or its search endpoint.
 * query    Search body as JSON text (collections, bbox, datetime, ...), or NULL.
 * Pages are fetched one ahead, and only as far as items are taken.
 */
sc_status sc_items_search(const char *url, const char *query,
                          const struct sc_search_options *options, struct sc_items **out,
                          struct sc_error *err);

/* The next item; *found is 0 at the end. Free it with sc_item_free(). interrupted may be NULL. */
sc_status sc_items_next(struct sc_items *items, struct sc_item *out, int *found,
                        int (*interrupted)(void *), void *interrupt_context, struct sc_error *err);
void sc_items_free(struct sc_items *items);

#endif
