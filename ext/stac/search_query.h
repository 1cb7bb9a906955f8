/* A search body as the query string of a GET request. */
#ifndef SC_STAC_SEARCH_QUERY_H
#define SC_STAC_SEARCH_QUERY_H

#include "base/buffer.h"
#include "base/status.h"

struct cJSON;

/*
 * Append "name=value&..." for a search body, escaped, with a zero byte behind.
 *
 * ids, collections, bbox: their values with commas between. sortby: "-properties.datetime,id".
 * fields: "id,-assets". filter: as JSON, or as the text it is, with the filter-lang that says so.
 * intersects, query: as JSON. null: left out.
 * Returns SC_BAD_ARG for a list whose values hold commas, and for a sortby or fields of another
 * form. Source: STAC API 1.0.0, item search, "query parameters"; its extensions sort, fields,
 * filter and query.
 */
sc_status sc_search_query(const struct cJSON *body, struct sc_buffer *out, struct sc_error *err);

#endif
