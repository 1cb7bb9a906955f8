/* Chips as pictures; see view.h. */
#include "pixels/view.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "pixels/percentile.h"

#define SAMPLE_MAX 200000 /* pixels that percentiles are taken from, evenly spread */
#define GAP_PX 2          /* between the chips of a contact sheet */

/* Chips of one shape and their pixels. */
struct shown {
  const struct sc_chip *chips;
  size_t n;
  const double *values;
  const uint8_t *valid;
};

/* Valid values of band k over all chips, evenly thinned; returns how many. */
static size_t take_sample(const struct shown *s, int k, double *sample) {
  const struct sc_chip *first = &s->chips[0];
  size_t plane = (size_t)first->width * (size_t)first->height;
  size_t per_chip = plane * (size_t)first->n_bands, total = s->n * plane, got = 0;
  size_t step = total / SAMPLE_MAX + 1;
  for (size_t i = 0; i < total; i += step) {
    size_t at = i / plane * per_chip + (size_t)k * plane + i % plane;
    if (s->valid[at] && isfinite(s->values[at])) sample[got++] = s->values[at];
  }
  return got;
}

sc_status sc_view_range(const struct sc_chip *chips, size_t n, int k,
                        const struct sc_chip_options *options, const struct sc_chip_target *read,
                        double range[2], struct sc_error *err) {
  const struct shown shown = {chips, n, (const double *)(const void *)read->pixels, read->valid};
  range[0] = options->rescale[0];
  range[1] = options->rescale[1];
  if (options->has_rescale) return SC_OK;
  double *sample = sc_alloc((SAMPLE_MAX + 1) * sizeof *sample);
  if (!sample) return sc_fail_nomem(err);
  size_t got = take_sample(&shown, k, sample);
  sc_status st = sc_sort_values(sample, got, err);
  range[0] = 0;
  range[1] = 1;
  if (got && !st) {
    range[0] = sc_percentile(sample, got, options->stretch[0]);
    range[1] = sc_percentile(sample, got, options->stretch[1]);
  }
  if (!(range[1] > range[0])) range[1] = range[0] + 1;
  sc_free(sample);
  return st;
}

uint8_t sc_view_byte(double v, const double range[2]) {
  double t = (v - range[0]) / (range[1] - range[0]) * 255;
  return !(t > 0) ? 0 : t >= 255 ? 255 : (uint8_t)(t + 0.5);
}

/* Where the picture's pixels go. */
struct sheet {
  int columns, rows, width, height, channels, has_alpha;
  uint8_t *pixels;
};

static sc_status draw_chip(const struct sheet *s, const struct shown *shown, size_t i,
                           double ranges[][2], struct sc_error *err) {
  const struct sc_chip *chip = &shown->chips[i];
  size_t plane = (size_t)chip->width * (size_t)chip->height,
         per_chip = plane * (size_t)chip->n_bands;
  const double *values = shown->values + i * per_chip;
  const uint8_t *valid = shown->valid + i * per_chip;
  int left = (int)(i % (size_t)s->columns) * (chip->width + GAP_PX);
  int top = (int)(i / (size_t)s->columns) * (chip->height + GAP_PX);
  for (int y = 0; y < chip->height; y++) {
    if (sc_interrupt_check(err)) return err->status;
    uint8_t *to =
        s->pixels + ((size_t)(top + y) * (size_t)s->width + (size_t)left) * (size_t)s->channels;
    for (int x = 0; x < chip->width; x++, to += s->channels) {
      int ok = 1;
      for (int k = 0; k < chip->n_bands; k++) {
        size_t at = (size_t)k * plane + (size_t)y * (size_t)chip->width + (size_t)x;
        ok = ok && valid[at];
        to[k] = valid[at] ? sc_view_byte(values[at], ranges[k]) : 0;
      }
      for (int k = 0; k < chip->n_bands && !ok; k++) to[k] = 0;
      if (s->has_alpha) to[chip->n_bands] = ok ? 255 : 0;
    }
  }
  return SC_OK;
}

/* A grey picture with alpha becomes colours: PNG readers agree on RGBA more than on LA. */
static sc_status grey_to_rgba(const struct sheet *s, struct sc_error *err) {
  size_t row = (size_t)s->width;
  for (size_t i = row * (size_t)s->height; i-- > 0;) { /* in place: from the end */
    uint8_t grey = s->pixels[2 * i], alpha = s->pixels[2 * i + 1], *to = s->pixels + 4 * i;
    to[0] = to[1] = to[2] = grey;
    to[3] = alpha;
    if (i % row == 0 && sc_interrupt_check(err)) return err->status;
  }
  return SC_OK;
}

static void layout(const struct sc_chip *chips, size_t n, int has_alpha, struct sheet *s) {
  s->columns = (int)ceil(sqrt((double)n));
  s->rows = (int)((n + (size_t)s->columns - 1) / (size_t)s->columns);
  s->width = s->columns * (chips[0].width + GAP_PX) - GAP_PX;
  s->height = s->rows * (chips[0].height + GAP_PX) - GAP_PX;
  s->has_alpha = has_alpha;
  s->channels = chips[0].n_bands + has_alpha;
}

sc_status sc_view_encode(const struct sc_chip *chips, size_t n,
                         const struct sc_chip_options *options, const struct sc_chip_target *read,
                         struct sc_buffer *out, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const struct shown shown = {chips, n, (const double *)(const void *)read->pixels, read->valid};
  struct sheet s;
  double ranges[3][2];
  int n_bands = chips[0].n_bands, is_png = options->format == SC_FORMAT_PNG;
  if (!raster) return err->status;
  if (n_bands != 1 && n_bands != 3) {
    return sc_fail(err, SC_BAD_ARG, "%d bands; a picture has 1 or 3: name them in 'assets'",
                   n_bands);
  }
  int has_invalid = n > 1 || memchr(read->valid, 0, sc_chip_bytes(chips, SC_DTYPE_U8)) != NULL;
  layout(chips, n, is_png && has_invalid, &s);
  size_t pixel_bytes = s.channels == 2 ? 4 : (size_t)s.channels; /* see grey_to_rgba() */
  s.pixels = sc_alloc_zero((size_t)s.width * (size_t)s.height, pixel_bytes);
  if (!s.pixels) return sc_fail_nomem(err);
  sc_status st = SC_OK;
  for (int k = 0; k < n_bands && !st; k++)
    st = sc_view_range(chips, n, k, options, read, ranges[k], err);
  for (size_t i = 0; i < n && !st; i++) st = draw_chip(&s, &shown, i, ranges, err);
  if (s.channels == 2 && !st) {
    st = grey_to_rgba(&s, err);
    s.channels = 4;
  }
  if (!st) {
    st = raster->picture(is_png ? SC_PICTURE_PNG : SC_PICTURE_JPEG, s.pixels, s.width, s.height,
                         s.channels, out, err);
  }
  sc_free(s.pixels);
  return st;
}
