/* Pixels of a chip -> the BLOB that stacchip_chip() returns. */
#ifndef SC_PIXELS_ENCODE_H
#define SC_PIXELS_ENCODE_H

#include "base/buffer.h"
#include "base/status.h"
#include "pixels/chip.h"

/*
 * Read an open chip and encode it as options->format says, into an empty buffer.
 * limit: SQLITE_LIMIT_LENGTH; SC_TOO_BIG is found before anything is read.
 */
sc_status sc_chip_encode(struct sc_connection *c, const struct sc_chip *chip,
                         const struct sc_chip_options *options, size_t limit, struct sc_buffer *out,
                         struct sc_error *err);

#endif
