/* Which pixels of a chip are cloud, by the mask of its item: its rule's, or the one that the item
 * was indexed with, grown as it says. */
#ifndef SC_PIXELS_CLOUDS_H
#define SC_PIXELS_CLOUDS_H

#include "pixels/chip.h"

/*
 * cloudy   out: [height][width] of the chip, 1 where the mask says cloud, else 0. The mask is read
 *          at its own resolution; a pixel of the chip is what the mask's pixel under its middle is.
 * dilate   Pixels of the mask that clouds grow by; -1: as the rule says.
 * Returns  SC_BAD_ARG where there is no mask; SC_UNSUPPORTED of masks of more than 16 bits, and of
 *          growing clouds on a grid that is not the item's.
 */
sc_status sc_clouds_find(struct sc_connection *c, const struct sc_chip *chip, int dilate,
                         uint8_t *cloudy, struct sc_error *err);

#endif
