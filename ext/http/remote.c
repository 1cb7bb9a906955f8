/* Remote raster files; see remote.h. */
#include "http/remote.h"

#include "raster/gdal.h"

sc_status sc_remote_open(const struct sc_source *source, struct sc_file *file,
                         struct sc_error *err) {
  (void)file;
  return sc_source_fail(source, SC_UNSUPPORTED, err, "remote files are not read yet", "");
}

sc_status sc_remote_fetch(struct sc_remote_block *blocks, size_t n, int (*interrupted)(void *),
                          void *interrupt_context, struct sc_error *err) {
  (void)blocks, (void)n, (void)interrupted, (void)interrupt_context;
  return sc_fail(err, SC_UNSUPPORTED, "remote files are not read yet");
}
