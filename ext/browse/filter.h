/* Which chips a request is about: the members that the page sends with each of them. */
#ifndef SC_BROWSE_FILTER_H
#define SC_BROWSE_FILTER_H

#include "base/options.h"
#include "browse/column.h"
#include "browse/state.h"
#include "browse/summary.h"

#define SC_FILTER_POINTS 10000 /* of a polygon */
#define SC_FILTER_WAIT 0.25    /* seconds for what is not known yet, before a partial answer */

/*
 * {"table": "chips", "where": "SQL", "date": [from, to], "cloud": [low, high], "nodata": [low,
 * high], "platform": [...], "bbox": [west, south, east, north], "polygon": [[lon, lat], ...]} All
 * but the table may be missing or null, ends of ranges too.
 */
struct sc_browse_filter {
  struct sc_options json; /* what texts below are borrowed from */
  struct sc_browse_table *table;
  const char *where; /* NULL: none */
  struct sc_match match;
  double *polygon;          /* owned */
  struct sc_column *column; /* of where */
  double known;             /* fraction of the table that is counted so far */
};

/*
 * Read a request's body: the filter, and what `more` adds for this kind of request. Waits up to
 * `seconds` for what is not known yet: the chips, and again for the condition.
 * sc_browse_filter_free() in any case.
 */
sc_status sc_browse_filter_read(struct sc_browse *b, const struct sc_server_request *request,
                                const struct sc_option_set *more, double seconds,
                                struct sc_browse_filter *out, struct sc_error *err);
/* The same for what is done with all chips of the filter: SC_AGAIN where they are not known after
 * half a minute. */
sc_status sc_browse_filter_read_whole(struct sc_browse *b, const struct sc_server_request *request,
                                      const struct sc_option_set *more,
                                      struct sc_browse_filter *out, struct sc_error *err);
void sc_browse_filter_free(struct sc_browse *b, struct sc_browse_filter *f);

/* sc_summary_scan() of it. */
sc_status sc_browse_filter_scan(const struct sc_browse_filter *f, int near, sc_summary_visit *visit,
                                void *context, struct sc_error *err);

/* Append ,"partial":0.35 where not all is known. */
sc_status sc_browse_filter_put_partial(double known, struct sc_buffer *out, struct sc_error *err);

/* Append the filter as SQL for people: "cloud_cover_percentage <= 0.1 AND ...", or "1". */
sc_status sc_browse_filter_put_sql(const struct sc_browse_filter *f, struct sc_buffer *out,
                                   struct sc_error *err);

/* n numbers of a JSON array; 0 where it is something else. Those that are null keep their value. */
int sc_json_numbers(const struct cJSON *array, int n, double *out);

#endif
