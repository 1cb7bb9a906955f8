/* stacchip_hash(seed, value, ...): a REAL in [0, 1), the same everywhere. */
#include <string.h>

#include "connection.h"

/* Finalizer of SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t mix(uint64_t h) {
  h = (h ^ (h >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ (h >> 27)) * UINT64_C(0x94D049BB133111EB);
  return h ^ (h >> 31);
}

static uint64_t mix_bytes(uint64_t h, const unsigned char *p, size_t n) {
  uint64_t word;
  for (; n >= 8; n -= 8, p += 8) {
    memcpy(&word, p, 8);
    h = mix(h + UINT64_C(0x9E3779B97F4A7C15) + word);
  }
  word = 0;
  if (n) memcpy(&word, p, n);
  return mix(h + UINT64_C(0x9E3779B97F4A7C15) + word + ((uint64_t)n << 56));
}

/* 3 and 3.0 are one value in SQL comparisons, so they are here. */
static uint64_t mix_value(uint64_t h, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
    double d = sqlite3_value_double(value) + 0.0;
    sqlite3_int64 i = sqlite3_value_int64(value);
    if (type == SQLITE_INTEGER && (sqlite3_int64)d != i) {
      return mix_bytes(mix(h + 4), (unsigned char *)&i, sizeof i);
    }
    return mix_bytes(mix(h + 1), (unsigned char *)&d, sizeof d);
  }
  const void *bytes = sqlite3_value_blob(value);
  h = mix(h + (type == SQLITE_TEXT ? 2 : type == SQLITE_BLOB ? 3 : 5));
  return mix_bytes(h, bytes, (size_t)sqlite3_value_bytes(value));
}

static void hash_func(sqlite3_context *context, int n, sqlite3_value **values) {
  uint64_t h = UINT64_C(0x243F6A8885A308D3); /* pi */
  if (n < 2) {
    sqlite3_result_error(context, "stacchip_hash: expected a seed and at least one value", -1);
    return;
  }
  for (int i = 0; i < n; i++) h = mix_value(h, values[i]);
  sqlite3_result_double(context, (double)(h >> 11) * 0x1p-53);
}

int sc_hash_register(struct sc_connection *c) {
  static const struct sc_function functions[] = {
      {"stacchip_hash", -1, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, hash_func, 0, 0},
  };
  return sc_register_functions(c, functions, sizeof functions / sizeof *functions);
}
