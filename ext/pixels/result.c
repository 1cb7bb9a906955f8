/* The memory of results; see result.h. */
#include "pixels/result.h"

#include "base/alloc.h"
#include "raster/raster_api.h"

sc_status sc_result_reserve(size_t n, struct sc_buffer *out, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  out->data = raster->memory_take(n);
  if (!out->data) return sc_fail_nomem(err);
  out->capacity = n;
  out->give = raster->memory_give;
  return SC_OK;
}

void sc_result_give(sqlite3_context *context, struct sc_buffer *b) {
  sqlite3_result_blob64(context, b->data, b->size, b->give ? b->give : sc_free);
  *b = (struct sc_buffer){NULL, 0, 0, NULL};
}
