/* Which pixels of a chip the item's rule calls cloudy. */
#ifndef SC_PIXELS_CLOUDS_H
#define SC_PIXELS_CLOUDS_H

#include "pixels/chip.h"

/*
 * By the scene's mask over the chip's window, the nearest pixel where it has another resolution.
 *
 * clouds   out: [row][column], 1 where it is cloudy, else 0.
 * Returns  SC_BAD_ARG where the platform has no mask, SC_UNSUPPORTED for one of more than 16 bits.
 */
sc_status sc_clouds_find(struct sc_connection *c, const struct sc_chip *chip, uint8_t *clouds,
                         struct sc_error *err);

#endif
