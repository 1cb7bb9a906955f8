/* Growing the marked pixels of a mask. */
#ifndef SC_BASE_DILATE_H
#define SC_BASE_DILATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct sc_mask_bits {
  const uint8_t *bits; /* [height][width]; borrowed */
  int width, height;
};

/*
 * Set bit 1 (cloud) of each pixel of rows [first, first + n) that has a marked one within `radius`
 * pixels, from middle to middle, and that lacks bit 2 (nodata): scipy.ndimage.binary_dilation by
 * the disk dx * dx + dy * dy <= radius * radius.
 *
 * mask     Rows outside are not marked.
 * out      [n][width]; other bits are those of the mask.
 * radius   1 to 255.
 * Returns  SC_OK, SC_NOMEM, SC_INTERRUPT.
 */
sc_status sc_dilate(const struct sc_mask_bits *mask, int first, int n, int radius, uint8_t *out,
                    struct sc_error *err);

#endif
