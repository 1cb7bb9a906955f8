/*
 * Checksums of files as items state them (`file:checksum` of STAC's file extension): a multihash in
 * hexadecimal digits, which names its algorithm and has the digest behind it.
 *
 * Source  https://multiformats.io/multihash/ and the table of codes of multicodec
 */
#ifndef SC_CLI_CHECKSUM_H
#define SC_CLI_CHECKSUM_H

#include "base/status.h"

enum sc_checksum {
  SC_CHECKSUM_EQUAL,
  SC_CHECKSUM_DIFFERENT,
  SC_CHECKSUM_UNKNOWN /* no multihash, or of an algorithm that is not known here */
};

/* Compare a local file with a multihash. SC_IO, SC_NOT_FOUND where it cannot be read. */
sc_status sc_checksum_compare(const char *path, const char *multihash, enum sc_checksum *out,
                              struct sc_error *err);

/* The SHA2-256 multihash of a local file. */
#define SC_CHECKSUM_TEXT (2 * (2 + 32) + 1)
sc_status sc_checksum_make(const char *path, char out[SC_CHECKSUM_TEXT], struct sc_error *err);

#endif
