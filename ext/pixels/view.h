/* Chips as pictures that a person can look at: stretch to 8 bits, contact sheets. */
#ifndef SC_PIXELS_VIEW_H
#define SC_PIXELS_VIEW_H

#include "base/buffer.h"
#include "base/status.h"
#include "pixels/chip.h"

/*
 * Encode n chips of one shape as one picture (a contact sheet where n > 1; rows of
 * ceil(sqrt(n)) chips), stretched together by `stretch` percentiles of the valid pixels of
 * each band, or by `rescale`. 1 or 3 bands.
 *
 * values  n * bands * height * width, as read (float64)
 * valid   the same, 1 where the pixel is valid; others are transparent (PNG) or black
 */
sc_status sc_view_encode(const struct sc_chip *chips, size_t n,
                         const struct sc_chip_options *options, const double *values,
                         const uint8_t *valid, struct sc_buffer *out, struct sc_error *err);

#endif
