/* What requests for pictures share. */
#ifndef SC_BROWSE_PICTURE_H
#define SC_BROWSE_PICTURE_H

#include "browse/state.h"

/* Append the options of a read of the table's chips, with the request's assets, size, stretch,
 * rescale and overlay. format: NULL for none. Ends in a zero that is not counted. */
sc_status sc_picture_options(const struct sc_browse_table *t, const struct sc_server_request *r,
                             const char *format, struct sc_buffer *out, struct sc_error *err);
/* The argument id. */
sc_status sc_picture_id(const struct sc_server_request *r, int64_t *id, struct sc_error *err);
/* Tag the answer by its bytes; 304 where the browser has them. */
void sc_picture_tag(const struct sc_server_request *r, struct sc_server_answer *a);

#endif
