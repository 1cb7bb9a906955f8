/*
 * How a GeoTIFF says which pixels of a chip are valid, by what the format has: one nodata value
 * for all bands, one mask for all bands, and alpha.
 */
#ifndef SC_PIXELS_CARRY_H
#define SC_PIXELS_CARRY_H

#include "pixels/chip.h"

/* Zeroed is empty; the mask is freed with sc_free(). */
struct sc_carried {
  struct sc_nodata nodata;
  uint8_t *mask; /* [row][column]: 0 where it is not valid, else 255; or NULL */
};

/*
 * Find what to declare, so that a reader calls valid what is valid and nothing else:
 * the bands' nodata value, where exactly the pixels that are not valid have it; alpha; a mask,
 * where all bands have the same valid pixels; else pixels that are not valid become NaN, or a
 * value that no valid one has. Where there is none, the mask has what is valid in all bands.
 *
 * pixels  [band][row][column] of chip->dtype
 * valid   the same, see sc_chip_valid()
 * alpha   the band (1-based) that will be declared alpha; 0: none
 */
sc_status sc_carry_validity(const struct sc_chip *chip, const struct sc_chip_options *options,
                            int alpha, unsigned char *pixels, const uint8_t *valid,
                            struct sc_carried *out, struct sc_error *err);

#endif
