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

struct sc_items_options {
  int passed_over; /* also tell what was passed over */
};

/*
 * Items of a source: a folder (its .json, .geojson, .ndjson, .jsonl, .parquet and .geoparquet
 * files, also in folders below, by name), a glob, STAC GeoParquet (a file; below a folder of a
 * store; a pattern with **), a FeatureCollection, an array of items, several JSON values one after
 * another (lines, RFC 8142), or a static catalog or collection, whose links are followed. Each
 * document and folder is read once, however many links lead to it. *out is freed with
 * sc_items_free().
 */
sc_status sc_items_open(const char *source, const struct sc_items_options *options,
                        struct sc_items **out, struct sc_error *err);

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

/*
 * An item, or why there is none. Zeroed is empty; sc_listed_free().
 *
 * What the source itself cannot give is an error of sc_items_next(). A part of it that cannot be
 * read (a broken file of a folder, a dead link, a feature without an id) is listed with its
 * reason, and the listing goes on.
 */
struct sc_listed {
  struct sc_item item; /* where reason is NULL */
  char *reason;        /* owned */
  char *source;        /* of what has a reason: its path or URL, or its text; owned */
};
void sc_listed_free(struct sc_listed *listed);

/* The next one; *found is 0 at the end. interrupted may be NULL. */
sc_status sc_items_next(struct sc_items *items, struct sc_listed *out, int *found,
                        int (*interrupted)(void *), void *interrupt_context, struct sc_error *err);
void sc_items_free(struct sc_items *items);

#endif
