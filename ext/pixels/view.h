/* Chips as pictures that a person can look at: stretch to 8 bits, contact sheets. */
#ifndef SC_PIXELS_VIEW_H
#define SC_PIXELS_VIEW_H

#include "base/buffer.h"
#include "base/status.h"
#include "pixels/chip.h"
#include "pixels/overlay.h"

/*
 * Encode n chips of one shape as one picture (a contact sheet where n > 1; rows of
 * ceil(sqrt(n)) chips), stretched together by `stretch` percentiles of the valid pixels of
 * each band, or by `rescale`. 1 or 3 bands.
 *
 * read   As sc_chips_read() filled it, float64 with `valid`: pixels that are not valid are
 *        transparent (PNG) or black.
 * overlay What the options want shown beside them: clouds are tinted and outlined, captions stand
 *        below the chips.
 */
sc_status sc_view_encode(const struct sc_chip *chips, size_t n,
                         const struct sc_chip_options *options, const struct sc_chip_target *read,
                         const struct sc_overlay *overlay, struct sc_buffer *out,
                         struct sc_error *err);

/*
 * What is black and what is white of band k of these chips: `rescale`, else the percentiles of
 * `stretch`. n, read: as above.
 */
sc_status sc_view_range(const struct sc_chip *chips, size_t n, int k,
                        const struct sc_chip_options *options, const struct sc_chip_target *read,
                        double range[2], struct sc_error *err);
/* A value between them as 0 to 255. */
uint8_t sc_view_byte(double v, const double range[2]);

#endif
