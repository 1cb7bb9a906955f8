/*
 * Sentinel-2 processing baseline 04.00 (25 January 2022) moved the zero of reflectances to
 * 1000. Source: Sentinel-2 products specification document, "radiometric offset".
 */
#ifndef SC_PIXELS_HARMONIZE_H
#define SC_PIXELS_HARMONIZE_H

#include "pixels/chip.h"

/*
 * Set the shift of each band of a chip: 1000 where the file's pixels carry the offset, else 0.
 * Items of other missions, and baselines before 04.00, have none. Where the catalogue says
 * that the offset was taken out already, the file decides: valid pixels below 1000 in a
 * tenth of a percent of a coarse view mean that it was. The view is an overview, or of a file
 * without one its middle; a scene is looked at once.
 */
sc_status sc_harmonize_find(struct sc_chip *chip, struct sc_error *err);

#endif
