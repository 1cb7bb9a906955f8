/*
 * Hrefs: resolving them against where they stand, and deciding whether the process may read
 * what they name (docs/security.md).
 */
#ifndef SC_STORE_HREF_H
#define SC_STORE_HREF_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/status.h"
#include "store/scheme.h"

/* The folder of a path or URL with its '/' at the end, query and fragment left out; "" for
 * none. *out is freed with sc_free(). */
sc_status sc_href_folder(const char *href, char **out, struct sc_error *err);

/*
 * Resolve `href` against `base` (a folder or URL with its '/', or NULL), taking "." and ".."
 * out; "file:///x%20y" becomes "/x y". *out is freed with sc_free().
 *
 * Returns SC_BAD_DATA for a relative href without a base and for a scheme or /vsi prefix
 * that is not allowed.
 */
sc_status sc_href_resolve(const char *base, const char *href, char **out, struct sc_error *err);

/*
 * The same for an href that stands in an item or catalogue, which is a URI reference (RFC 3986): of
 * a local file "a%20b.tif" is "a b.tif", unless a file of the name as it is written is there.
 */
sc_status sc_href_resolve_reference(const char *base, const char *href, char **out,
                                    struct sc_error *err);

/* The same for what the application names: a relative path is from the working directory. */
sc_status sc_href_locate(const char *named, char **out, struct sc_error *err);

enum sc_origin {
  SC_ORIGIN_LOCAL,  /* named by the application or by a local file */
  SC_ORIGIN_NETWORK /* named by something that came over the network: no local files */
};

/* SC_BAD_DATA that says which schemes are read, for a URL of another. */
sc_status sc_href_refuse_scheme(const char *href, struct sc_error *err);

/* SC_DENIED for GDAL's own names, "/vsicurl/..." and the like. */
sc_status sc_href_refuse_vsi(const char *path, struct sc_error *err);

/*
 * Apply the process's settings to a resolved href: href_map first (*out gets the new one),
 * then local_roots and hosts. SC_DENIED says which rule.
 */
sc_status sc_href_allow(const char *href, enum sc_origin origin, char **out, struct sc_error *err);

/*
 * May the process write at this path or URL? Asked of the nearest folder that is there, before any
 * is made, and again when all are: "new/../.." leads elsewhere only then. Of URLs the requests ask,
 * each with its redirects.
 */
sc_status sc_href_allow_writing(const char *path, struct sc_error *err);

/* The rules alone, for what was found beside something allowed: href_map is not looked at. */
sc_status sc_href_check(const char *href, struct sc_error *err);

#endif
