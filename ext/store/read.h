/* Reading whole what an href names. */
#ifndef SC_STORE_READ_H
#define SC_STORE_READ_H

#include "base/buffer.h"
#include "base/status.h"

/* Replace `out` by all of a local file or URL, which has passed the access rules, and a zero byte
 * behind that does not count. SC_TOO_BIG where it has more bytes than `limit`. */
sc_status sc_read_whole(const char *href, size_t limit, struct sc_buffer *out,
                        struct sc_error *err);

/* Replace `out` by all of what a server without range requests has at a URL, up to 256 MB. */
sc_status sc_read_without_ranges(const char *url, struct sc_buffer *out, struct sc_error *err);

#endif
