/* GDAL's way to remote files; see vsi.h. */
#include "http/vsi.h"

#include "raster/gdal.h"

sc_status sc_vsi_path(const struct sc_source *source, char *out, size_t n,
                      struct sc_error *err) {
  (void)out, (void)n;
  return sc_source_fail(source, SC_UNSUPPORTED, err, "remote files are not read yet", "");
}
