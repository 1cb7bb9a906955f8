/* Platform rules; see rules.h. */
#include "stac/rules.h"

#include "base/alloc.h"

struct sc_rules {
  int n;
};

sc_status sc_rules_new(struct sc_rules **out, struct sc_error *err) {
  *out = sc_alloc_zero(1, sizeof **out);
  return *out ? SC_OK : sc_fail_nomem(err);
}

void sc_rules_free(struct sc_rules *rules) { sc_free(rules); }
