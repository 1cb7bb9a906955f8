/* Pixels of a chip -> BLOB; see encode.h. */
#include "pixels/encode.h"

#include <string.h>

#include "base/alloc.h"
#include "pixels/carry.h"
#include "pixels/npy.h"
#include "pixels/view.h"

void sc_chip_transform(const struct sc_chip *chip, double out[6]) {
  const struct sc_grid *g = &chip->scene->grid;
  double sx = (double)chip->window.width_px / chip->width;
  double sy = (double)chip->window.height_px / chip->height;
  out[0] = g->transform[0] * sx, out[1] = g->transform[1] * sy;
  out[3] = g->transform[3] * sx, out[4] = g->transform[4] * sy;
  sc_grid_xy(g, (double)chip->window.x, (double)chip->window.y, &out[2], &out[5]);
}

/* The pixels behind what is in `out` already. */
static sc_status append_pixels(struct sc_connection *c, const struct sc_chip *chip,
                               const struct sc_chip_options *options, uint8_t *valid,
                               struct sc_buffer *out, struct sc_error *err) {
  size_t bytes = sc_chip_bytes(chip, chip->dtype), at = out->size;
  sc_status st = sc_buffer_resize(out, at + bytes, err);
  return st ? st
            : sc_chips_read(c, chip, 1, options, chip->dtype, out->data + at, valid, NULL, err);
}

static sc_status encode_npy(struct sc_connection *c, const struct sc_chip *chip,
                            const struct sc_chip_options *options, struct sc_buffer *out,
                            struct sc_error *err) {
  size_t shape[3] = {(size_t)chip->n_bands, (size_t)chip->height, (size_t)chip->width};
  sc_status st = sc_npy_header(sc_npy_descr(chip->dtype), shape, 3, out, err);
  return st ? st : append_pixels(c, chip, options, NULL, out, err);
}

/* Pixels of the chip in memory of their own, with the mask of valid ones where asked for. */
static sc_status load(struct sc_connection *c, const struct sc_chip *chip,
                      const struct sc_chip_options *options, enum sc_dtype dtype,
                      unsigned char **pixels, uint8_t **valid, struct sc_error *err) {
  *pixels = sc_alloc(sc_chip_bytes(chip, dtype));
  if (valid) *valid = sc_alloc(sc_chip_bytes(chip, SC_DTYPE_U8));
  if (!*pixels || (valid && !*valid)) return sc_fail_nomem(err);
  return sc_chips_read(c, chip, 1, options, dtype, *pixels, valid ? *valid : NULL, NULL, err);
}

/* One array per asset, as the Python package's dict has them, each in its own type. */
static sc_status encode_npz(struct sc_connection *c, const struct sc_chip *chip,
                            const struct sc_chip_options *options, struct sc_buffer *out,
                            struct sc_error *err) {
  unsigned char *pixels = NULL;
  uint8_t *valid = NULL;
  struct sc_npz npz = {{0}, {0}, 0};
  size_t plane = (size_t)chip->width * (size_t)chip->height * sc_dtype_bytes(chip->dtype);
  size_t shape[3] = {0, (size_t)chip->height, (size_t)chip->width};
  sc_status st = load(c, chip, options, chip->dtype, &pixels, options->valid ? &valid : NULL, err);
  for (int i = 0; i < chip->n_bands && !st;) {
    const struct sc_chip_band *b = &chip->bands[i];
    int n = b->n_bands_of_asset;
    if (i + n > chip->n_bands) n = chip->n_bands - i;
    shape[0] = (size_t)n;
    st = sc_npz_add(&npz, n > 1 ? b->key : b->name, sc_npy_descr(chip->dtype), shape, 3,
                    pixels + (size_t)i * plane, (size_t)n * plane, err);
    i += n;
  }
  shape[0] = (size_t)chip->n_bands;
  if (!st && valid) {
    st = sc_npz_add(&npz, "valid", SC_NPY_BOOL, shape, 3, valid, sc_chip_bytes(chip, SC_DTYPE_U8),
                    err);
  }
  if (!st) st = sc_npz_finish(&npz, err);
  if (!st) sc_buffer_move(&npz.archive, out);
  sc_npz_free(&npz);
  sc_free(pixels);
  sc_free(valid);
  return st;
}

/* What the file says of each band. */
struct descriptions {
  const char **names;
  double *scales, *offsets; /* one allocation */
  int alpha;                /* the band that is alpha, 1-based, or 0 */
};

static sc_status describe(const struct sc_chip *chip, const struct sc_chip_options *options,
                          struct descriptions *out, struct sc_error *err) {
  size_t n = (size_t)chip->n_bands;
  out->names = sc_alloc(n * sizeof *out->names);
  out->scales = sc_alloc(2 * n * sizeof *out->scales);
  if (!out->names || !out->scales) return sc_fail_nomem(err);
  out->offsets = out->scales + n;
  for (size_t i = 0; i < n; i++) {
    const struct sc_chip_band *b = &chip->bands[i];
    struct sc_delivered d;
    sc_chip_delivered(b, options, &d);
    out->names[i] = b->name;
    out->scales[i] = d.scale;
    out->offsets[i] = d.offset;
    if (b->validity.is_alpha) out->alpha = (int)i + 1;
  }
  return SC_OK;
}

static sc_status encode_geotiff(struct sc_connection *c, const struct sc_chip *chip,
                                const struct sc_chip_options *options, struct sc_buffer *out,
                                struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  unsigned char *pixels = NULL;
  uint8_t *valid = NULL;
  struct sc_carried carried = {{0}, NULL};
  struct descriptions d = {0};
  sc_status st = raster ? sc_chip_check_placed(chip, err) : err->status;
  if (!st) st = describe(chip, options, &d, err);
  if (!st) st = load(c, chip, options, chip->dtype, &pixels, &valid, err);
  if (!st) st = sc_carry_validity(chip, options, d.alpha, pixels, valid, &carried, err);
  if (!st) {
    struct sc_geotiff image = {.pixels = pixels,
                               .mask = carried.mask,
                               .dtype = chip->dtype,
                               .n_bands = chip->n_bands,
                               .width = chip->width,
                               .height = chip->height,
                               .crs = chip->scene->grid.crs,
                               .nodata = carried.nodata,
                               .alpha = d.alpha,
                               .band_names = d.names,
                               .scales = d.scales,
                               .offsets = d.offsets};
    sc_chip_transform(chip, image.transform);
    st = raster->geotiff(&image, out, err);
  }
  sc_free(d.names);
  sc_free(d.scales);
  sc_free(pixels);
  sc_free(valid);
  sc_free(carried.mask);
  return st;
}

static sc_status encode_picture(struct sc_connection *c, const struct sc_chip *chip,
                                const struct sc_chip_options *options, struct sc_buffer *out,
                                struct sc_error *err) {
  unsigned char *values = NULL;
  uint8_t *valid = NULL;
  sc_status st = load(c, chip, options, SC_DTYPE_F64, &values, &valid, err);
  if (!st) st = sc_view_encode(chip, 1, options, (double *)(void *)values, valid, out, err);
  sc_free(values);
  sc_free(valid);
  return st;
}

/* Bytes that are held for each value: the pixels, and what a format makes of them. */
static size_t held_bytes(const struct sc_chip *chip, const struct sc_chip_options *options) {
  size_t size = sc_dtype_bytes(chip->dtype);
  switch (options->format) {
    case SC_FORMAT_NPZ: return 2 * size + 1;
    case SC_FORMAT_GEOTIFF: return 3 * size + 1; /* as read, as a block of all bands, encoded */
    case SC_FORMAT_PNG:
    case SC_FORMAT_JPEG: return sizeof(double) + 1 + 4;
    default: return size;
  }
}

sc_status sc_chip_encode(struct sc_connection *c, const struct sc_chip *chip,
                         const struct sc_chip_options *options, size_t limit, struct sc_buffer *out,
                         struct sc_error *err) {
  size_t bytes = sc_chip_bytes(chip, chip->dtype);
  if (bytes > limit) {
    return sc_fail(err, SC_TOO_BIG, "item %s: a chip of %zu bytes; this connection allows %zu",
                   chip->scene->item.id, bytes, limit);
  }
  if (sc_chip_check_size(chip, held_bytes(chip, options), err)) return err->status;
  switch (options->format) {
    case SC_FORMAT_NPZ: return encode_npz(c, chip, options, out, err);
    case SC_FORMAT_RAW: return append_pixels(c, chip, options, NULL, out, err);
    case SC_FORMAT_GEOTIFF: return encode_geotiff(c, chip, options, out, err);
    case SC_FORMAT_PNG:
    case SC_FORMAT_JPEG: return encode_picture(c, chip, options, out, err);
    default: return encode_npy(c, chip, options, out, err);
  }
}
