/*
 * A STAC item as read: identity, time and assets, from 0.7 to 1.1, with absolute hrefs.
 */
#ifndef SC_STAC_ITEM_H
#define SC_STAC_ITEM_H

#include <stddef.h>

#include "base/datetime.h"
#include "base/status.h"
#include "store/href.h"

#define SC_ITEM_MAX_BYTES (64 << 20) /* text of an item or a catalogue page */

struct cJSON;

/*
 * The first member of an item's text where the item came over the network: {"stacchip:origin":
 * "network", ...}. Texts pass through SQL, are stored and handed on; an item read from such a text
 * is still one of the network. It only narrows: nothing that a text says makes an item local.
 */
#define SC_ITEM_ORIGIN "stacchip:origin"

#define SC_ITEM_MAX_ASSETS 20000 /* of one item; each may be looked at, opened and stored */
#define SC_ITEM_MAX_BANDS 4096   /* of one asset, as of a file; names beyond are not found */

struct sc_asset {
  const char *key;          /* borrowed from the item */
  const struct cJSON *json; /* the asset object, borrowed */
  int is_own;               /* named by who reads the item, not by the item: sc_scene_complete() */
};

/* Zeroed is empty; sc_item_free(). Pointers into the JSON live as long as the item. */
struct sc_item {
  struct cJSON *json;               /* owned; asset hrefs are absolute where they can be */
  char *location;                   /* absolute path or URL it was read from, or NULL; owned */
  enum sc_origin origin;            /* SC_ORIGIN_NETWORK where it, or its text, came from a URL */
  int is_raster;                    /* made up for the path of a bare raster */
  const char *id;                   /* not empty */
  const char *collection;           /* or NULL */
  char datetime[SC_DATETIME_BYTES]; /* normalised, "" for none */
  const struct cJSON *properties;   /* object, or NULL */
  struct sc_asset *assets;          /* in the order of the item; owned array */
  size_t n_assets;
};

/*
 * Read an item from its text, its path or URL, or the path of a bare raster.
 *
 * argument, n  The bytes; a text begins with '{' or '[' after blanks and a byte-order mark.
 * base         Directory or URL for relative hrefs of a text, or NULL.
 * Returns      SC_BAD_DATA (not JSON, no item, no id, no assets, a member or asset key twice),
 * SC_NOT_FOUND, SC_DENIED, SC_IO, SC_TOO_BIG, SC_NOMEM.
 */
sc_status sc_item_read(const char *argument, size_t n, const char *base, struct sc_item *out,
                       struct sc_error *err);
/* The same from JSON that is parsed already (ownership passes, also on error), assets or not:
 * searches may leave them out. */
sc_status sc_item_take(struct cJSON *json, const char *base, enum sc_origin origin,
                       struct sc_item *out, struct sc_error *err);
void sc_item_free(struct sc_item *item);

/* From now on the item is one that came over the network, and its text says so. */
sc_status sc_item_set_network(struct sc_item *item, struct sc_error *err);

/* Text member of an object, or NULL. */
const char *sc_json_text(const struct cJSON *object, const char *key);

/* Absolute href that the process may read; *out is freed with sc_free(). Errors name the
 * asset and the href. */
sc_status sc_item_href(const struct sc_item *item, const struct sc_asset *asset, char **out,
                       struct sc_error *err);

/* True when the array member `roles` holds `role`. */
int sc_asset_has_role(const struct sc_asset *asset, const char *role);

enum sc_pixels {
  SC_PIXELS_NONE = 0,
  SC_PIXELS_RASTER,  /* a file that we open: TIFF, JPEG 2000, data PNG or JPEG */
  SC_PIXELS_UNOPENED /* HDF, netCDF, Zarr, GRIB: pixels of a format that we do not open */
};

/* Does an asset hold pixels? By media type, role and suffix; in formats.c. */
enum sc_pixels sc_asset_pixels(const struct sc_asset *asset);

/* A band of an asset: the file's band number and what the item says of it. */
struct sc_asset_band {
  const struct sc_asset *asset;
  int band;                 /* 1-based; 0: all bands of the file */
  const struct cJSON *json; /* the entry of bands, eo:bands or raster:bands; or NULL */
};

/*
 * Find a band by asset key (case as written, then ignoring case), else by role, common name
 * or band name. An asset key, and a name that belongs to the asset's only band, give band 0.
 * Returns 0 where there is none.
 */
int sc_item_find(const struct sc_item *item, const char *name, struct sc_asset_band *out);

/* Names of the assets with pixels, comma separated, for messages; cut to fit. */
void sc_item_list_assets(const struct sc_item *item, char *out, size_t n);

/* Text of the item. *out is freed with sc_free(). */
sc_status sc_item_text(const struct sc_item *item, char **out, struct sc_error *err);

#endif
