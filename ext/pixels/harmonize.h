/*
 * Sentinel-2 processing baseline 04.00 (25 January 2022) moved the zero of reflectances to
 * 1000. Source: Sentinel-2 products specification document, "radiometric offset".
 */
#ifndef SC_PIXELS_HARMONIZE_H
#define SC_PIXELS_HARMONIZE_H

#include "pixels/chip.h"

/*
 * Make sure that the offset is taken off once. Sets the shift of each band of a chip where
 * `harmonize` asks for it: 1000 where the file's pixels carry the offset, else 0; and where the
 * item states the offset (-0.1 with a scale of 0.0001) of pixels that do not carry it, that of the
 * band becomes 0, so that `scale` does not apply it again.
 *
 * Items of other missions, and baselines before 04.00, have none. Otherwise the pixels decide:
 * valid ones below 1000, more than a tenth of a percent of a coarse view, prove that it was taken
 * off, and where there are none, as many from 1000 to 1100 that it was not, whatever the item says.
 * Bright scenes prove nothing: there the item's boa_offset_applied counts. A scene is looked at
 * once.
 */
sc_status sc_harmonize_find(struct sc_connection *c, struct sc_chip *chip, int harmonize,
                            struct sc_error *err);

#endif
