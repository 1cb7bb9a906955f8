/* SHA-256 of files: by OpenSSL, which uses what the processor has for it. */
#ifndef SC_RASTER_DIGEST_H
#define SC_RASTER_DIGEST_H

#include "base/sha256.h"
#include "base/status.h"

/* As sc_raster_api.digest. */
sc_status sc_digest_file(const char *path, uint8_t out[SC_SHA256_BYTES], int (*interrupted)(void *),
                         void *interrupt_context, struct sc_error *err);

#endif
