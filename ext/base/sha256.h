/* SHA-256 (FIPS 180-4): names of texts that others may have written. */
#ifndef SC_BASE_SHA256_H
#define SC_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SC_SHA256_BYTES 32

void sc_sha256(const void *bytes, size_t n, uint8_t out[SC_SHA256_BYTES]);

#endif
