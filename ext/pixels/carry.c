/* How a GeoTIFF says which pixels are valid; see carry.h. */
#include "pixels/carry.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

/* A chip's pixels and what is to be said of them. */
struct cargo {
  const struct sc_chip *chip;
  const struct sc_chip_options *options;
  unsigned char *pixels;
  const uint8_t *valid;
  uint8_t *scratch; /* as valid */
  size_t plane, n;  /* pixels of a band, of all */
  int alpha;        /* 0-based; -1: none */
};

static int all_valid(const struct cargo *c) { return memchr(c->valid, 0, c->n) == NULL; }

/* scratch: what a reader makes of the pixels where that value is declared. */
static void pretend(const struct cargo *c, const struct sc_nodata *nodata) {
  const struct sc_validity v = {.dtype = c->chip->dtype, .nodata = *nodata};
  memset(c->scratch, 1, c->n);
  sc_valid_pixels(&v, c->pixels, c->chip->dtype, sc_dtype_bytes(c->chip->dtype), c->n, c->scratch);
}

/* Exactly the pixels that are not valid have the value. */
static int is_true(const struct cargo *c, const struct sc_nodata *nodata) {
  if (!nodata->is_set) return 0;
  pretend(c, nodata);
  return memcmp(c->scratch, c->valid, c->n) == 0;
}

/* GDAL before 3.7 takes signed bytes for unsigned ones when it looks for their nodata. */
static int is_misread(const struct cargo *c, const struct sc_nodata *nodata) {
  return c->chip->dtype == SC_DTYPE_I8 && nodata->value < 0;
}

/* No valid pixel has the value. */
static int is_free(const struct cargo *c, const struct sc_nodata *nodata) {
  if (!nodata->is_set || is_misread(c, nodata)) return 0;
  pretend(c, nodata);
  for (size_t i = 0; i < c->n; i++) {
    if (c->valid[i] && !c->scratch[i]) return 0;
  }
  return 1;
}

/* The nodata value of a band as the chip's pixels have it. */
static struct sc_nodata of_band(const struct cargo *c, int i) {
  const struct sc_chip_band *b = &c->chip->bands[i];
  struct sc_delivered d;
  sc_chip_delivered(b, c->options, &d);
  if (!d.has_nodata) return (struct sc_nodata){0};
  if (b->dtype == c->chip->dtype && !c->options->scale) return b->validity.nodata;
  return sc_nodata_make(c->chip->dtype, d.nodata);
}

static int same_value(const struct sc_nodata *a, const struct sc_nodata *b) {
  return a->is_set == b->is_set && memcmp(&a->value, &b->value, sizeof a->value) == 0 &&
         a->bits == b->bits;
}

typedef int (*test)(const struct cargo *, const struct sc_nodata *);

#define TRIED_MAX 16 /* values of bands: each looks at all pixels */

/* The first of the bands' nodata values that passes. */
static struct sc_nodata find_of_bands(const struct cargo *c, test passes) {
  struct sc_nodata before = {0};
  int n_tried = 0;
  for (int i = 0; i < c->chip->n_bands && n_tried < TRIED_MAX; i++) {
    struct sc_nodata now = of_band(c, i);
    if (!now.is_set || (n_tried > 0 && same_value(&now, &before))) continue;
    if (passes(c, &now)) return now;
    before = now;
    n_tried++;
  }
  return (struct sc_nodata){0};
}

/* Of 8 or 16 bits: the least value, zero first, that no valid pixel has. */
static struct sc_nodata find_unused(const struct cargo *c) {
  uint8_t used[65536 / 8] = {0};
  enum sc_dtype t = c->chip->dtype;
  int is_wide = sc_dtype_bytes(t) == 2, n = is_wide ? 65536 : 256;
  for (size_t i = 0; i < c->n; i++) {
    uint16_t v = c->pixels[i];
    if (is_wide) memcpy(&v, c->pixels + 2 * i, 2);
    if (c->valid[i]) used[v / 8] |= (uint8_t)(1u << v % 8);
  }
  for (int v = 0; v < n; v++) {
    int is_negative = (t == SC_DTYPE_I8 || t == SC_DTYPE_I16) && v >= n / 2;
    struct sc_nodata found = sc_nodata_make(t, is_negative ? v - n : v);
    if (!(used[v / 8] & 1u << v % 8) && !is_misread(c, &found)) return found;
  }
  return (struct sc_nodata){0};
}

/* A value that no valid pixel has: a band's nodata, any of a narrow type, an end of a wide one. */
static struct sc_nodata find_free(const struct cargo *c) {
  static const double ends[][2] = {[SC_DTYPE_U32] = {0, 0x1p32 - 1},
                                   [SC_DTYPE_I32] = {-0x1p31, 0x1p31 - 1},
                                   [SC_DTYPE_U64] = {0, 0x1p64},
                                   [SC_DTYPE_I64] = {-0x1p63, 0x1p63}};
  enum sc_dtype t = c->chip->dtype;
  struct sc_nodata found = find_of_bands(c, is_free);
  if (found.is_set || t > SC_DTYPE_I64) return found;
  if (sc_dtype_bytes(t) <= 2) return find_unused(c);
  found = sc_nodata_make(t, ends[t][0]);
  if (is_free(c, &found)) return found;
  found = sc_nodata_make(t, ends[t][1]);
  return is_free(c, &found) ? found : (struct sc_nodata){0};
}

static void write_value(const struct cargo *c, const struct sc_nodata *nodata) {
  const struct sc_raster_api *raster;
  struct sc_error ignored = {0};
  unsigned char value[16];
  size_t bytes = sc_dtype_bytes(c->chip->dtype);
  raster = sc_raster(&ignored);
  if (!raster) return;
  raster->convert(&nodata->value, SC_DTYPE_F64, 0, value, c->chip->dtype, 0, 1);
  if (bytes == 8 && c->chip->dtype <= SC_DTYPE_I64) memcpy(value, &nodata->bits, 8);
  for (size_t i = 0; i < c->n; i++) {
    if (!c->valid[i]) memcpy(c->pixels + i * bytes, value, bytes);
  }
}

/* Do all bands but alpha have the same valid pixels? */
static int bands_agree(const struct cargo *c, const uint8_t **first) {
  *first = NULL;
  for (int k = 0; k < c->chip->n_bands; k++) {
    const uint8_t *valid = c->valid + (size_t)k * c->plane;
    if (k == c->alpha) continue;
    if (*first && memcmp(*first, valid, c->plane) != 0) return 0;
    if (!*first) *first = valid;
  }
  return *first != NULL;
}

/* Readers take alpha for validity only as the last of two or four bands of 8 or 16 bits. */
static int alpha_says_it(const struct cargo *c, const uint8_t *valid) {
  int n = c->chip->n_bands;
  size_t bytes = sc_dtype_bytes(c->chip->dtype);
  int is_read = (n == 2 || n == 4) && c->alpha == n - 1 &&
                (c->chip->dtype == SC_DTYPE_U8 || c->chip->dtype == SC_DTYPE_U16);
  const unsigned char *alpha = c->pixels + (size_t)(n - 1) * c->plane * bytes;
  for (size_t i = 0; i < c->plane && is_read; i++) {
    int opaque = alpha[i * bytes] != 0 || (bytes == 2 && alpha[i * bytes + 1] != 0);
    if (opaque != valid[i]) return 0;
  }
  return is_read;
}

static sc_status make_mask(const struct cargo *c, struct sc_carried *out, struct sc_error *err) {
  out->mask = sc_alloc(c->plane);
  if (!out->mask) return sc_fail_nomem(err);
  memset(out->mask, 255, c->plane);
  for (int k = 0; k < c->chip->n_bands; k++) {
    const uint8_t *valid = c->valid + (size_t)k * c->plane;
    for (size_t i = 0; i < c->plane && k != c->alpha; i++) {
      if (!valid[i]) out->mask[i] = 0;
    }
  }
  return SC_OK;
}

static sc_status carry(const struct cargo *c, struct sc_carried *out, struct sc_error *err) {
  const struct sc_nodata nan = {.is_set = 1, .value = NAN};
  enum sc_dtype dtype = c->chip->dtype;
  int is_float = dtype == SC_DTYPE_F32 || dtype == SC_DTYPE_F64;
  const uint8_t *valid;
  out->nodata = find_of_bands(c, is_true);
  if (all_valid(c) || (out->nodata.is_set && !is_misread(c, &out->nodata))) return SC_OK;
  if (is_float && is_true(c, &nan)) {
    out->nodata = nan;
    return SC_OK;
  }
  if (bands_agree(c, &valid)) return alpha_says_it(c, valid) ? SC_OK : make_mask(c, out, err);
  struct sc_nodata written = is_float ? nan : find_free(c);
  if (!written.is_set) return make_mask(c, out, err);
  write_value(c, &written);
  out->nodata = written;
  return SC_OK;
}

sc_status sc_carry_validity(const struct sc_chip *chip, const struct sc_chip_options *options,
                            int alpha, unsigned char *pixels, const uint8_t *valid,
                            struct sc_carried *out, struct sc_error *err) {
  struct cargo c = {.chip = chip,
                    .options = options,
                    .pixels = pixels,
                    .valid = valid,
                    .plane = (size_t)chip->width * (size_t)chip->height,
                    .alpha = alpha - 1};
  c.n = c.plane * (size_t)chip->n_bands;
  memset(out, 0, sizeof *out);
  c.scratch = sc_alloc(c.n);
  if (!c.scratch) return sc_fail_nomem(err);
  sc_status st = carry(&c, out, err);
  sc_free(c.scratch);
  return st;
}
