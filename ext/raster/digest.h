/* Digests of files: by OpenSSL, which uses what the processor has for them. */
#ifndef SC_RASTER_DIGEST_H
#define SC_RASTER_DIGEST_H

#include <stdint.h>

#include "base/status.h"

/* As sc_raster_api.digest. */
sc_status sc_digest_file(const char *path, const char *algorithm, uint8_t *out,
                         int (*interrupted)(void *), void *interrupt_context, struct sc_error *err);

#endif
