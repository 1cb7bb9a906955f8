/*
 * The grid that pixels are brought to, where the options ask for another one than the chip's own
 * (docs/grids.md).
 */
#ifndef SC_PIXELS_TARGET_H
#define SC_PIXELS_TARGET_H

#include "base/status.h"
#include "connection.h"
#include "pixels/chip_options.h"

struct sc_chip;

/* What the options of the grid say. Zeroed: none, the chip's own grid. Texts and JSON are borrowed
 * from the options. */
struct cJSON;
struct sc_target_raw {
  const char *crs;
  const struct cJSON *resolution, *bounds, *center, *size, *like;
};

/* Take the options in; a combination that says too much is SC_BAD_ARG. what: the function. */
sc_status sc_target_read(const struct sc_target_raw *raw, const char *what,
                         struct sc_target_options *out, struct sc_error *err);

/*
 * Shift a chip by the option "jitter", whole pixels of its grid along each axis: of its window, or
 * of its target's transform. By stacchip_hash(seed, item, col_off, row_off, 0 or 1), so that a chip
 * gets the same shift everywhere.
 */
void sc_target_jitter(const struct sc_target_options *options, struct sc_chip *chip);

/*
 * Give a chip that is located, and has no buffer yet, its grid: crs, transform, width and height.
 * Nothing to do where the options ask for none. SC_BAD_ARG where they do not say enough,
 * SC_BAD_DATA for an unknown CRS, SC_RANGE for a chip that has no place in it.
 */
sc_status sc_target_place(struct sc_connection *c, const struct sc_chip_options *options,
                          struct sc_chip *chip, struct sc_error *err);

#endif
