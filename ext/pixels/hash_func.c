/* stacchip_hash(seed, value, ...): a REAL in [0, 1), the same everywhere. */
#include "connection.h"
#include "pixels/hash.h"

static uint64_t hash_value(uint64_t h, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_INTEGER) return sc_stable_hash_integer(h, sqlite3_value_int64(value));
  if (type == SQLITE_FLOAT) return sc_stable_hash_real(h, sqlite3_value_double(value));
  const void *bytes = sqlite3_value_blob(value);
  size_t n = (size_t)sqlite3_value_bytes(value);
  if (type == SQLITE_TEXT) return sc_stable_hash_text(h, bytes, n);
  return sc_stable_hash_bytes(sc_stable_hash_mix(h + (type == SQLITE_BLOB ? 3 : 5)), bytes, n);
}

static void hash_func(sqlite3_context *context, int n, sqlite3_value **values) {
  uint64_t h = sc_stable_hash_start();
  if (n < 2) {
    sqlite3_result_error(context, "stacchip_hash: expected a seed and at least one value", -1);
    return;
  }
  for (int i = 0; i < n; i++) h = hash_value(h, values[i]);
  sqlite3_result_double(context, sc_stable_hash_end(h));
}

static const struct sc_help hash_help = {
    .name = "stacchip_hash",
    .kind = SC_HELP_SCALAR,
    .about = "a REAL in [0, 1), the same everywhere: shuffles and splits that can be repeated",
    .arguments =
        (const struct sc_help_name[]){{"seed", "any", NULL, "another seed, another order"},
                                      {"value, ...", "any", NULL, "what is hashed, one or more"},
                                      {0}},
    .example =
        "SELECT chipid FROM stacchip_index('item.json') ORDER BY stacchip_hash(1, chipid) LIMIT 3",
};

int sc_hash_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_hash", -1, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, hash_func, 0, 0},
  };
  sc_connection_help(c, &hash_help);
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
