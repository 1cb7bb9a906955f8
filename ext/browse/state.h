/* What all requests share; the answers to each kind of them. */
#ifndef SC_BROWSE_STATE_H
#define SC_BROWSE_STATE_H

#include "browse/browse.h"
#include "browse/column.h"
#include "browse/picture_cache.h"
#include "browse/table.h"

struct sc_browse {
  struct sc_browse_options options;
  char **paths;                 /* owned */
  struct sc_sessions *sessions; /* of each path */
  int n_sessions;
  struct sc_browse_tables tables;
  struct sc_columns columns;
  struct sc_pictures pictures;
  int is_stopping; /* read atomically */
};

/* One request: what to append to the answer's body, or an error. */
typedef sc_status sc_browse_handler(struct sc_browse *b, const struct sc_server_request *request,
                                    struct sc_server_answer *answer, struct sc_error *err);

sc_browse_handler sc_browse_about, sc_browse_map, sc_browse_histograms, sc_browse_list,
    sc_browse_select, sc_browse_picture, sc_browse_chip, sc_browse_label, sc_browse_save,
    sc_browse_export, sc_browse_tile, sc_browse_tilejson;

/* The table of that name; SC_NOT_FOUND. name NULL: the first one. */
sc_status sc_browse_table(struct sc_browse *b, const char *name, struct sc_browse_table **out,
                          struct sc_error *err);

#endif
