/*
 * The version of a data set: which chips of which pixels it holds. Equal wherever the same items
 * lie in whatever folder, another one with a chip more, a changed file or other options of pixels.
 *
 *   stamp     what tells the content of an asset's file from others, as text
 *   item      SHA-256 of the JSON text ["collection","item",OPTIONS,[["layer","asset","stamp"],
 *             ...]], the assets sorted by bytes; OPTIONS is the JSON object pixel_options of
 *             docs/freeze.md
 *   chip      SHA-256 of the text "ITEM X Y WIDTH HEIGHT", or of a chip on a grid of its own "ITEM
 *             CRS A B C D E F WIDTH HEIGHT", the transform's numbers with 17 digits as by %.17g
 *             both with " LAYERS" behind where the chip has layers: the digest of the files that
 *             they come from, made as that of an item null, "layers" with OPTIONS {}, of which
 *             layer is the layer's name and asset "ITEM/KEY"; of a layer that was frozen asset is
 *             "frozen", and stamp the digest that its data set has
 *   data set  SHA-256 of the 32 bytes of all its chips, sorted by bytes
 *
 * Digests are written as 64 hexadecimal digits.
 */
#ifndef SC_PIXELS_VERSION_H
#define SC_PIXELS_VERSION_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/sha256.h"
#include "base/status.h"
#include "http/http_api.h"

#define SC_VERSION_TEXT_BYTES (2 * SC_SHA256_BYTES + 1)

struct cJSON;

/* --- files --- */

#define SC_CONTENT_STAMP_BYTES 256

struct sc_content {
  /* "sha256:<hex>" of its bytes, "multihash:<hex>" where the item states another one, or
   * "etag:<ETag> <bytes>" of a remote file */
  char stamp[SC_CONTENT_STAMP_BYTES];
  int64_t size;        /* bytes; -1 where nobody says */
  int64_t modified_ns; /* of a local file, since 1970; else 0 */
};

/*
 * What identifies the content of an asset's file.
 *
 * asset    The asset's object of its item, or NULL: its file:checksum counts, unless file:size is
 *          another than the size of the local file or the setting `verify` is on; without one all
 *          of a local file is read, and a remote one asked for its ETag.
 * href     Resolved and allowed (store/href.h).
 * Returns  SC_NOT_FOUND, SC_IO, SC_INTERRUPT; SC_UNSUPPORTED of a server that gives no ETag.
 */
sc_status sc_content_find(const struct cJSON *asset, const char *href, struct sc_content *out,
                          struct sc_error *err);

/* The request for the ETag and size of a remote file, and what its response says: for many at once.
 * SC_UNSUPPORTED, with the size in `out`, of a server that gives no ETag. */
struct sc_http_request sc_content_request(const char *url);
sc_status sc_content_of_response(const struct sc_http_request *r, struct sc_content *out,
                                 struct sc_error *err);

/* --- versions --- */

struct sc_version_asset {
  const char *layer; /* "" for an asset of the chip's own item */
  const char *asset, *stamp;
};

/* Of an item: collection may be NULL; `assets` are sorted in place. */
sc_status sc_version_of_item(const char *collection, const char *item, const char *pixel_options,
                             struct sc_version_asset *assets, size_t n,
                             char out[SC_VERSION_TEXT_BYTES], struct sc_error *err);

struct sc_version_place {
  int64_t x, y, width, height; /* pixels of the item's grid */
  const char *crs;             /* NULL: on the item's grid; else x and y do not count */
  const double *transform;     /* a b c d e f, with crs */
  const char *layers;          /* version of the files of its layers; NULL or "": it has none */
};

sc_status sc_version_of_chip(const char *item_version, const struct sc_version_place *place,
                             uint8_t out[SC_SHA256_BYTES], struct sc_error *err);

/* Of a data set: of n digests of chips, SC_SHA256_BYTES each, which are sorted in place. */
void sc_version_of_set(uint8_t *chips, size_t n, char out[SC_VERSION_TEXT_BYTES]);

#endif
