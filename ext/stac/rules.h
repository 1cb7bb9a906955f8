/*
 * Platform rules: which items, which mask, what is cloud, what is nodata, which assets are
 * pixels. A set belongs to a connection: the built-in rules of sql/stac/platforms.sql and the
 * application's own, the last one set winning.
 *
 * Expressions run on a private in-memory connection with an authorizer and a limit of time;
 * they see the item or the pixel value, and no table of the user's.
 *
 * THREADS  A set is locked inside; a rule that was found is a copy.
 */
#ifndef SC_STAC_RULES_H
#define SC_STAC_RULES_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/options.h"
#include "base/status.h"
#include "stac/item.h"

struct sc_rules;
struct cJSON;

/* Zeroed is empty; sc_rule_free(). */
struct sc_rule {
  char *name;
  struct cJSON
      *json; /* {"match":..., "mask":..., "cloud":..., "nodata":..., "assets":...}; owned */
};

/* A new set with the built-in rules; sc_rules_free(). */
sc_status sc_rules_new(struct sc_rules **out, struct sc_error *err);
void sc_rules_free(struct sc_rules *rules);

/* The keys of a rule, for help. */
extern const struct sc_option_table sc_rule_option_table;

/*
 * Set or replace a rule; it becomes the last one, the first to be tried. The expressions are
 * compiled now: SC_BAD_ARG carries SQLite's own message. json is the rule object as text.
 */
sc_status sc_rules_set(struct sc_rules *rules, const char *name, const char *json,
                       struct sc_error *err);
/* SC_NOT_FOUND where there is none. */
sc_status sc_rules_drop(struct sc_rules *rules, const char *name, struct sc_error *err);

/* Changes with every rule set or dropped. */
unsigned sc_rules_version(const struct sc_rules *rules);

/* All rules, the first tried first. Each is passed to row(), which may stop by a status. */
sc_status sc_rules_list(struct sc_rules *rules,
                        sc_status (*row)(void *context, const char *name, const char *json,
                                         struct sc_error *err),
                        void *context, struct sc_error *err);

/* The rule with that name; SC_NOT_FOUND lists the names. */
sc_status sc_rules_get(struct sc_rules *rules, const char *name, struct sc_rule *out,
                       struct sc_error *err);
/* Is there a rule of that name? */
int sc_rules_has(struct sc_rules *rules, const char *name);
/* The rule whose match expression holds for the item; SC_NOT_FOUND lists the names. */
sc_status sc_rules_match(struct sc_rules *rules, const struct sc_item *item, struct sc_rule *out,
                         struct sc_error *err);
void sc_rule_free(struct sc_rule *rule);

/* Text of the rule as a JSON object with its name; *out is freed with sc_free(). */
sc_status sc_rule_text(const struct sc_rule *rule, char **out, struct sc_error *err);
/* A rule from that text, as a merged index stores it. */
sc_status sc_rule_from_text(const char *text, struct sc_rule *out, struct sc_error *err);

#endif
