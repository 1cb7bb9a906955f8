/* The option "shuffle"; see shuffle.h. */
#include "pixels/shuffle.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stddef.h>

#include "base/options.h"
#include "base/sqlite.h"

#define SEED_MAX 9007199254740992.0 /* 2^53: whole numbers that JSON readers agree on */

static int is_seed(const cJSON *v) {
  return cJSON_IsNumber(v) && v->valuedouble == floor(v->valuedouble) &&
         fabs(v->valuedouble) <= SEED_MAX;
}

struct raw_shuffle {
  int64_t seed, mix;
};
static const struct sc_option shuffle_table[] = {
    {"seed", SC_OPTION_INT, offsetof(struct raw_shuffle, seed), -SEED_MAX, SEED_MAX, NULL, "0",
     "another number, another order; take the number of the epoch"},
    {"mix", SC_OPTION_INT, offsetof(struct raw_shuffle, mix), 0, SC_ORDER_MIX_MAX, NULL, "16",
     "blocks of the files that are drawn from at a time; 0: random order"},
};
const struct sc_option_table sc_shuffle_option_table = SC_OPTION_TABLE(shuffle_table);

sc_status sc_shuffle_read(const cJSON *shuffle, const char *what, struct sc_order_options *out,
                          struct sc_error *err) {
  struct raw_shuffle raw = {0, SC_SHUFFLE_MIX_DEFAULT};
  const struct sc_option_set set = {shuffle_table, sizeof shuffle_table / sizeof *shuffle_table,
                                    &raw, NULL};
  char name[80];
  if (!shuffle) return SC_OK;
  if (is_seed(shuffle)) {
    raw.seed = (int64_t)shuffle->valuedouble;
  } else if (!cJSON_IsObject(shuffle)) {
    return sc_option_fail(err, what, "shuffle", shuffle,
                          "a whole number, the seed, or {\"seed\": ..., \"mix\": ...}");
  } else {
    sqlite3_snprintf(sizeof name, name, "%s: option 'shuffle'", what);
    sc_status st = sc_options_read(shuffle, name, &set, err);
    if (st) return st;
  }
  out->is_shuffled = 1;
  out->seed = raw.seed;
  out->mix = (size_t)raw.mix;
  return SC_OK;
}
