/* Handles of merged indexes; see merged.h. */
#include "pixels/merged.h"

sc_status sc_merged_locate(struct sc_connection *c, const char *handle, struct sc_chip *out,
                           struct sc_error *err) {
  (void)c, (void)handle, (void)out;
  return sc_fail(err, SC_UNSUPPORTED, "handles of merged indexes are not read yet");
}

sc_status sc_merged_locate_rowid(struct sc_connection *c, const char *table,
                                 sqlite3_int64 rowid, struct sc_chip *out, struct sc_error *err) {
  (void)c, (void)table, (void)rowid, (void)out;
  return sc_fail(err, SC_UNSUPPORTED, "handles of merged indexes are not read yet");
}
