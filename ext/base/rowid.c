/* Rowids of table-valued functions; see rowid.h. */
#include "base/rowid.h"

#include "base/db.h"
#include "base/hash.h"

int64_t sc_rowid_start(sqlite3_value **arguments, int n) {
  uint64_t h = SC_HASH_START;
  for (int i = 0; i < n; i++) {
    int type = sqlite3_value_type(arguments[i]);
    size_t size = 0;
    const char *bytes = type == SQLITE_NULL ? NULL : sc_db_bytes(arguments[i], &size);
    h = sc_hash_bytes(h, &(unsigned char){(unsigned char)type}, 1);
    if (bytes) h = sc_hash_bytes(h, bytes, size);
    h = sc_hash_bytes(h, &size, sizeof size); /* ("ab", "c") is not ("a", "bc") */
  }
  return (int64_t)(sc_hash_mix(h) >> 2);
}
