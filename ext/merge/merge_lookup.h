/* Temporary: replaced by the merged index. */
#ifndef SC_MERGE_MERGE_LOOKUP_H
#define SC_MERGE_MERGE_LOOKUP_H
#include "base/buffer.h"
#include "base/sqlite.h"
#include "base/status.h"
static inline sc_status sc_merge_asset_header(sqlite3 *db, const char *schema, const char *table,
                                              sqlite3_int64 item, const char *asset,
                                              struct sc_buffer *out, struct sc_error *err) {
  (void)db, (void)schema, (void)table, (void)item, (void)asset, (void)out, (void)err;
  return SC_OK;
}
#endif
