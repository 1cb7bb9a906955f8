/* Chips as pictures; see view.h. */
#include "pixels/view.h"

#include <math.h>
#include <stdio.h>
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
  int columns, rows, width, height, channels, colors, has_alpha;
  int cell_width, cell_height; /* of a chip with what stands below it */
  int caption_height, text_scale;
  const struct sc_overlay *overlay;
  int has_overlay;
  uint8_t *pixels;
};

static uint8_t *pixel_at(const struct sheet *s, int x, int y) {
  return s->pixels + ((size_t)y * (size_t)s->width + (size_t)x) * (size_t)s->channels;
}

/* Clouds are tinted, and outlined where they end: seen on white clouds as on dark ground. */
static void mark_cloud(const struct sheet *s, const struct sc_chip *chip, const uint8_t *cloudy,
                       int x, int y, uint8_t *to) {
  static const int mark[3] = {255, 0, 128};
  const uint8_t *at = cloudy + (size_t)y * (size_t)chip->width + (size_t)x;
  int w = chip->width;
  if (!*at) return;
  int is_border = (x > 0 && !at[-1]) || (x + 1 < w && !at[1]) || (y > 0 && !at[-w]) ||
                  (y + 1 < chip->height && !at[w]);
  int share = is_border ? 100 : 30; /* percent */
  for (int k = 0; k < s->colors; k++)
    to[k] = (uint8_t)((to[k] * (100 - share) + mark[k] * share) / 100);
}

/* The colours of a pixel; returns whether it is valid in all bands. */
static int draw_pixel(const struct sheet *s, const struct sc_chip *chip, const double *values,
                      const uint8_t *valid, double ranges[][2], uint8_t *to) {
  size_t plane = (size_t)chip->width * (size_t)chip->height;
  int ok = 1;
  for (int k = 0; k < chip->n_bands; k++) ok = ok && valid[(size_t)k * plane];
  for (int k = 0; k < s->colors && ok; k++) {
    int band = chip->n_bands == 1 ? 0 : k;
    to[k] = sc_view_byte(values[(size_t)band * plane], ranges[band]);
  }
  return ok;
}

static sc_status draw_chip(const struct sheet *s, const struct shown *shown, size_t i,
                           double ranges[][2], struct sc_error *err) {
  const struct sc_chip *chip = &shown->chips[i];
  size_t plane = (size_t)chip->width * (size_t)chip->height,
         per_chip = plane * (size_t)chip->n_bands;
  int left = (int)(i % (size_t)s->columns) * (s->cell_width + GAP_PX);
  int top = (int)(i / (size_t)s->columns) * (s->cell_height + GAP_PX);
  left += (s->cell_width - chip->width) / 2;
  for (int y = 0; y < chip->height; y++) {
    if (sc_interrupt_check(err)) return err->status;
    uint8_t *to = pixel_at(s, left, top + y);
    for (int x = 0; x < chip->width; x++, to += s->channels) {
      size_t at = i * per_chip + (size_t)y * (size_t)chip->width + (size_t)x;
      int ok = draw_pixel(s, chip, shown->values + at, shown->valid + at, ranges, to);
      if (ok && s->has_overlay) mark_cloud(s, chip, s->overlay->cloudy + i * plane, x, y, to);
      if (s->has_alpha) to[s->colors] = ok ? 255 : 0;
    }
  }
  return SC_OK;
}

/* --- captions --- */

#define DATE_LETTERS 10
#define CLOUD_LETTERS 10 /* "cloud 100%" */
#define WIDE_PX 280      /* chips from that width on have letters twice as large */

static void draw_text(const struct sheet *s, const char *text, int left, int top) {
  for (int i = 0; text[i]; i++) {
    for (int p = 0; p < SC_LETTER_WIDTH * SC_LETTER_HEIGHT * s->text_scale * s->text_scale; p++) {
      int width = SC_LETTER_WIDTH * s->text_scale, x = p % width, y = p / width;
      if (!sc_letter_has(text[i], x / s->text_scale, y / s->text_scale)) continue;
      memset(pixel_at(s, left + i * width + x, top + y), 235, (size_t)s->colors);
    }
  }
}

static void share_text(double share, char out[CLOUD_LETTERS + 1]) {
  int percent = (int)(share * 100 + 0.5);
  const char *less = share > 0 && percent == 0 ? "<" : "";
  out[0] = 0;
  if (!isnan(share)) snprintf(out, CLOUD_LETTERS + 1, "cloud %s%d%%", less, *less ? 1 : percent);
}

/* A dark bar below the chip, with its date and share of clouds, in one line or two. */
static void draw_caption(const struct sheet *s, const struct sc_chip *chip, size_t i) {
  int left = (int)(i % (size_t)s->columns) * (s->cell_width + GAP_PX), scale = s->text_scale;
  int top = (int)(i / (size_t)s->columns) * (s->cell_height + GAP_PX) + chip->height;
  char date[DATE_LETTERS + 1] = "", cloud[CLOUD_LETTERS + 1];
  for (int y = 0; y < s->caption_height; y++) {
    for (int x = 0; x < s->cell_width; x++) {
      uint8_t *to = pixel_at(s, left + x, top + y);
      memset(to, 24, (size_t)s->colors);
      if (s->has_alpha) to[s->colors] = 255;
    }
  }
  if (chip->is_absent) return;
  snprintf(date, sizeof date, "%.10s", chip->scene->item.datetime);
  share_text(s->overlay->shares[i], cloud);
  int is_one_line = s->caption_height < 2 * SC_LETTER_HEIGHT * scale, pad = 2 * scale;
  int right = s->cell_width - pad - ((int)strlen(cloud) * SC_LETTER_WIDTH - 1) * scale;
  draw_text(s, date, left + pad, top + pad);
  draw_text(s, cloud, left + (is_one_line ? right : pad),
            top + (is_one_line ? pad : 2 * pad + SC_LETTER_HEIGHT * scale));
}

static void lay_captions(const struct sc_chip *first, struct sheet *s) {
  int scale = s->text_scale = first->width >= WIDE_PX ? 2 : 1;
  int least = (DATE_LETTERS * SC_LETTER_WIDTH + 4) * scale;
  int line = ((DATE_LETTERS + CLOUD_LETTERS + 1) * SC_LETTER_WIDTH + 4) * scale;
  if (s->cell_width < least) s->cell_width = least;
  int n_lines = s->cell_width >= line ? 1 : 2;
  s->caption_height = (n_lines * (SC_LETTER_HEIGHT + 2) + 2) * scale;
  s->cell_height += s->caption_height;
}

/* --- the picture --- */

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

static void layout(const struct shown *shown, const struct sc_chip_options *options, int has_alpha,
                   struct sheet *s) {
  const struct sc_chip *first = &shown->chips[0];
  s->columns = (int)ceil(sqrt((double)shown->n));
  s->rows = (int)((shown->n + (size_t)s->columns - 1) / (size_t)s->columns);
  s->cell_width = first->width;
  s->cell_height = first->height;
  if (options->captions) lay_captions(first, s);
  s->width = s->columns * (s->cell_width + GAP_PX) - GAP_PX;
  s->height = s->rows * (s->cell_height + GAP_PX) - GAP_PX;
  s->has_overlay = options->overlay_mask;
  s->has_alpha = has_alpha;
  s->colors = options->overlay_mask ? 3 : first->n_bands;
  s->channels = s->colors + has_alpha;
}

static sc_status draw_all(const struct sheet *s, const struct shown *shown,
                          const struct sc_chip_options *options, double ranges[][2],
                          struct sc_error *err) {
  sc_status st = SC_OK;
  for (size_t i = 0; i < shown->n && !st; i++) {
    st = draw_chip(s, shown, i, ranges, err);
    if (options->captions) draw_caption(s, &shown->chips[i], i);
  }
  return st;
}

sc_status sc_view_encode(const struct sc_chip *chips, size_t n,
                         const struct sc_chip_options *options, const struct sc_chip_target *read,
                         const struct sc_overlay *overlay, struct sc_buffer *out,
                         struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const struct shown shown = {chips, n, (const double *)(const void *)read->pixels, read->valid};
  struct sheet s = {.overlay = overlay};
  double ranges[3][2];
  int n_bands = chips[0].n_bands, is_png = options->format == SC_FORMAT_PNG;
  if (!raster) return err->status;
  if (n_bands != 1 && n_bands != 3) {
    return sc_fail(err, SC_BAD_ARG, "%d bands; a picture has 1 or 3: name them in 'assets'",
                   n_bands);
  }
  int has_invalid = n > 1 || memchr(read->valid, 0, sc_chip_bytes(chips, SC_DTYPE_U8)) != NULL ||
                    options->captions;
  layout(&shown, options, is_png && has_invalid, &s);
  size_t pixel_bytes = s.channels == 2 ? 4 : (size_t)s.channels; /* see grey_to_rgba() */
  s.pixels = sc_alloc_zero((size_t)s.width * (size_t)s.height, pixel_bytes);
  if (!s.pixels) return sc_fail_nomem(err);
  sc_status st = SC_OK;
  for (int k = 0; k < n_bands && !st; k++)
    st = sc_view_range(chips, n, k, options, read, ranges[k], err);
  if (!st) st = draw_all(&s, &shown, options, ranges, err);
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
