/* What a picture shows of chips beside their pixels: where clouds are (option "overlay"), and what
 * a contact sheet says of each (option "captions"). */
#ifndef SC_PIXELS_OVERLAY_H
#define SC_PIXELS_OVERLAY_H

#include "pixels/chip.h"

/* Zeroed is none; sc_overlay_free(). */
struct sc_overlay {
  uint8_t *cloudy; /* [chip][row][column]: 1 where it is cloud; NULL: nobody asked */
  double *shares;  /* of cloudy pixels, of each chip, 0..1; NaN: not known */
};

/*
 * Find them for n open chips of one shape, where the options want them. With "overlay" a chip
 * without a mask is an error, and whatever sc_clouds_find() gives; for captions alone its share is
 * not known. Absent chips have no clouds.
 */
sc_status sc_overlay_find(struct sc_connection *c, const struct sc_chip *chips, size_t n,
                          const struct sc_chip_options *options, struct sc_overlay *out,
                          struct sc_error *err);
void sc_overlay_free(struct sc_overlay *overlay);

/* A caption is drawn in letters of 5 x 7 pixels: digits, "-", "%", "<" and the word cloud. */
#define SC_LETTER_WIDTH 6 /* with the gap behind it */
#define SC_LETTER_HEIGHT 7
/* Is the pixel at (x, y) of a letter set? Characters that there are no letters of are blank. */
int sc_letter_has(char letter, int x, int y);

#endif
