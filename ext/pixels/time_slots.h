/* Slots of time: the places of a stack that dates go to. A pure module. */
#ifndef SC_PIXELS_TIME_SLOTS_H
#define SC_PIXELS_TIME_SLOTS_H

#include <stddef.h>

#include "base/datetime.h"
#include "base/status.h"

struct cJSON;

#define SC_TIME_SLOTS_MAX 4096

/* Both ends are included, each a text that a datetime may begin with: "2024-01" as the last one is
 * all of January. Of a slot that is no interval they are the same. */
struct sc_time_slot {
  const char *text; /* as it was written; borrowed from the JSON */
  char first[SC_DATETIME_BYTES], last[SC_DATETIME_BYTES]; /* "" for an open end */
};

/*
 * From an array of texts: "2024", "2024-01", "2024-01-15", "2024-01-15T14", "2024-01-15T14:30", a
 * whole datetime (of any zone), or two of them with a slash between, ".." for an open end.
 *
 * what     Names the function in messages.
 * Returns  SC_BAD_ARG for anything else, and for an interval that ends before it begins. *out is
 *          freed with sc_free().
 */
sc_status sc_time_slots_read(const struct cJSON *list, const char *what, struct sc_time_slot **out,
                             size_t *n, struct sc_error *err);

/* Does a normalised datetime ("" for none) lie in a slot? */
int sc_time_slot_has(const struct sc_time_slot *slot, const char *datetime);

#endif
