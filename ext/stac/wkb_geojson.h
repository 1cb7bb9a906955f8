/* WKB as GeoJSON (RFC 7946): what STAC GeoParquet keeps of an item's geometry. */
#ifndef SC_STAC_WKB_GEOJSON_H
#define SC_STAC_WKB_GEOJSON_H

#include "base/buffer.h"
#include "base/status.h"

/*
 * Append the GeoJSON geometry of a WKB geometry (OGC 06-103r4, section 8; ISO's and EWKB's Z are
 * kept, M is dropped) of any of the seven types. SC_BAD_DATA where the bytes are something else, or
 * more follow.
 */
sc_status sc_wkb_to_geojson(const void *wkb, size_t size, struct sc_buffer *out,
                            struct sc_error *err);

#endif
