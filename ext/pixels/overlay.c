/* What a picture shows beside pixels; see overlay.h. */
#include "pixels/overlay.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "pixels/clouds.h"

void sc_overlay_free(struct sc_overlay *overlay) {
  sc_free(overlay->cloudy);
  sc_free(overlay->shares);
  memset(overlay, 0, sizeof *overlay);
}

/* Clouds that are not known are none. */
static sc_status find_one(struct sc_connection *c, const struct sc_chip *chip, int is_needed,
                          uint8_t *cloudy, double *share, struct sc_error *err) {
  size_t n = (size_t)chip->width * (size_t)chip->height, count = 0;
  int has_mask = chip->scene->has_mask && chip->scene->rule.name;
  *share = NAN;
  memset(cloudy, 0, n);
  if (chip->is_absent || (!has_mask && !is_needed)) return SC_OK;
  sc_status st = sc_clouds_find(c, chip, -1, cloudy, err);
  sc_scenes_forget_failed(c, chip->cached, st);
  if (st == SC_UNSUPPORTED && !is_needed) {
    sc_error_init(err);
    return SC_OK;
  }
  for (size_t i = 0; i < n && !st; i++) count += cloudy[i] != 0;
  *share = (double)count / (double)n;
  return st;
}

sc_status sc_overlay_find(struct sc_connection *c, const struct sc_chip *chips, size_t n,
                          const struct sc_chip_options *options, struct sc_overlay *out,
                          struct sc_error *err) {
  if (n == 0 || (!options->overlay_mask && !options->captions)) return SC_OK;
  size_t plane = (size_t)chips[0].width * (size_t)chips[0].height;
  out->cloudy = sc_alloc(n * plane);
  out->shares = sc_alloc(n * sizeof *out->shares);
  sc_status st = out->cloudy && out->shares ? SC_OK : sc_fail_nomem(err);
  for (size_t i = 0; i < n && !st; i++) {
    st = sc_interrupt_check(err);
    if (!st)
      st = find_one(c, &chips[i], options->overlay_mask, out->cloudy + i * plane, &out->shares[i],
                    err);
  }
  return st;
}

/* --- letters --- */

/* Rows from the top, their leftmost pixel the highest of five bits. */
static const struct {
  char letter;
  uint8_t rows[SC_LETTER_HEIGHT];
} letters[] = {
    {'0', {0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E}},
    {'1', {0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'2', {0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F}},
    {'3', {0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E}},
    {'4', {0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02}},
    {'5', {0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E}},
    {'6', {0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E}},
    {'7', {0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E}},
    {'9', {0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C}},
    {'-', {0x00, 0x00, 0x00, 0x0E, 0x00, 0x00, 0x00}},
    {'%', {0x18, 0x19, 0x02, 0x04, 0x08, 0x13, 0x03}},
    {'<', {0x02, 0x04, 0x08, 0x10, 0x08, 0x04, 0x02}},
    {'c', {0x00, 0x00, 0x0E, 0x10, 0x10, 0x11, 0x0E}},
    {'l', {0x0C, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E}},
    {'o', {0x00, 0x00, 0x0E, 0x11, 0x11, 0x11, 0x0E}},
    {'u', {0x00, 0x00, 0x11, 0x11, 0x11, 0x13, 0x0D}},
    {'d', {0x01, 0x01, 0x0D, 0x13, 0x11, 0x13, 0x0D}},
};

int sc_letter_has(char letter, int x, int y) {
  for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
    if (letters[i].letter == letter && x >= 0 && x < 5 && y >= 0 && y < SC_LETTER_HEIGHT)
      return letters[i].rows[y] >> (4 - x) & 1;
  }
  return 0;
}
