/* The option "shuffle" of whatever draws chips in an order of its own. */
#ifndef SC_PIXELS_SHUFFLE_H
#define SC_PIXELS_SHUFFLE_H

#include "base/options.h"
#include "pixels/order.h"

struct cJSON;

extern const struct sc_option_table sc_shuffle_option_table; /* for help */

#define SC_SHUFFLE_MIX_DEFAULT 16

/* A seed, or {"seed": ..., "mix": ...}; NULL leaves out as it is. what: the function. */
sc_status sc_shuffle_read(const struct cJSON *shuffle, const char *what,
                          struct sc_order_options *out, struct sc_error *err);

#endif
