/*
 * Which assets hold pixels, and which of these are opened: by media type, role and suffix.
 */
#ifndef SC_STAC_FORMATS_H
#define SC_STAC_FORMATS_H

#include "base/status.h"
#include "stac/item.h"

/* Does a path or URL end as rasters do, of formats that are opened or not? */
int sc_format_has_suffix(const char *location);

/* "netCDF", "HDF", ... where the asset holds pixels of a format that is not opened; else NULL. */
const char *sc_asset_unopened(const struct sc_asset *asset);

/* SC_UNSUPPORTED that names such a format, before anybody tries to open the asset. */
sc_status sc_asset_check_opened(const struct sc_item *item, const struct sc_asset *asset,
                                struct sc_error *err);

#endif
