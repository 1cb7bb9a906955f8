/* WKB and GeoJSON (RFC 7946): what STAC GeoParquet keeps of an item's geometry. */
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

struct cJSON;

/* A geometry's type and box, for a file's metadata. */
struct sc_geojson_info {
  int type; /* 1 Point .. 7 GeometryCollection */
  int has_z;
  double min_x, min_y, max_x, max_y; /* min_x > max_x: no position */
};

/* Append the little-endian WKB (ISO) of a GeoJSON geometry. Positions have two or three numbers,
 * all of them as many as the first. SC_BAD_DATA where it is no geometry. */
sc_status sc_geojson_to_wkb(const struct cJSON *geometry, struct sc_buffer *out,
                            struct sc_geojson_info *info, struct sc_error *err);
/* "Polygon" and so on; NULL for other numbers. */
const char *sc_geojson_type_name(int type);

#endif
