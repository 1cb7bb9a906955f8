/*
 * Platform rules: which items, which mask, what is cloud, what is nodata, which assets are
 * pixels. A set belongs to a connection: the built-in rules of sql/platforms.sql and the
 * application's own, the last one set winning.
 */
#ifndef SC_STAC_RULES_H
#define SC_STAC_RULES_H

#include "base/status.h"

struct sc_rules;

/* A new set with the built-in rules; sc_rules_free(). */
sc_status sc_rules_new(struct sc_rules **out, struct sc_error *err);
void sc_rules_free(struct sc_rules *rules);

#endif
