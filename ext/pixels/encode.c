/* Pixels of a chip -> BLOB; see encode.h. */
#include "pixels/encode.h"

#include <string.h>

#include "base/alloc.h"
#include "pixels/carry.h"
#include "pixels/layers.h"
#include "pixels/npy.h"
#include "pixels/result.h"
#include "pixels/view.h"

/* Pixels in their own type, behind what is in `out` already. */
static sc_status append_pixels(struct sc_connection *c, const struct sc_chip *chip,
                               const struct sc_chip_options *options, struct sc_buffer *out,
                               struct sc_error *err) {
  size_t at = out->size, end = at + sc_chip_bytes(chip, chip->dtype);
  sc_status st = out->capacity ? SC_OK : sc_result_reserve(end, out, err);
  if (!st) st = sc_buffer_resize(out, end, err);
  struct sc_chip_target to = {.dtype = chip->dtype, .pixels = out->data + at};
  return st ? st : sc_chips_read(c, chip, 1, options, &to, err);
}

static sc_status encode_npy(struct sc_connection *c, const struct sc_chip *chip,
                            const struct sc_chip_options *options, struct sc_buffer *out,
                            struct sc_error *err) {
  const struct sc_npy_array array = {
      sc_npy_descr(chip->dtype),
      3,
      {(size_t)chip->n_bands, (size_t)chip->height, (size_t)chip->width}};
  sc_status st = sc_result_reserve(SC_NPY_HEADER_MAX + sc_chip_bytes(chip, chip->dtype), out, err);
  if (!st) st = sc_npy_header(&array, out, err);
  return st ? st : append_pixels(c, chip, options, out, err);
}

/* Read the chip as to->dtype into memory of its own; free with target_free(), also after an error.
 */
static sc_status load(struct sc_connection *c, const struct sc_chip *chip,
                      const struct sc_chip_options *options, int with_valid,
                      struct sc_chip_target *to, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  to->pixels = raster->memory_take(sc_chip_bytes(chip, to->dtype));
  if (with_valid) to->valid = raster->memory_take(sc_chip_bytes(chip, SC_DTYPE_U8));
  if (!to->pixels || (with_valid && !to->valid)) return sc_fail_nomem(err);
  return sc_chips_read(c, chip, 1, options, to, err);
}

static void target_free(struct sc_chip_target *to) {
  struct sc_error ignored;
  const struct sc_raster_api *raster = sc_raster(&ignored);
  if (!raster) return;
  raster->memory_give(to->pixels);
  raster->memory_give(to->valid);
}

/* Layer k as an array of its own, (bands, rows, columns). */
static sc_status add_layer(const struct sc_chip *chip, const struct sc_chip_options *options, int k,
                           struct sc_npz *npz, struct sc_error *err) {
  const char *name = options->layers[k].name;
  struct sc_layer_array a;
  struct sc_error failed = {0};
  for (int i = 0; i < chip->n_bands; i++) {
    if (strcmp(chip->bands[i].key, name) != 0 && strcmp(chip->bands[i].name, name) != 0) continue;
    return sc_fail(err, SC_BAD_ARG, "layer %s: an asset has that name; call the layer another",
                   name);
  }
  sc_status st = sc_layer_plan(options, k, chip, 1, &a, err);
  if (!st) a.pixels = sc_alloc(a.chip_bytes);
  if (!st && !a.pixels) st = sc_fail_nomem(err);
  if (!st) st = sc_layer_read(options, k, chip, 1, &a, &failed, err);
  if (!st && failed.status) {
    *err = failed;
    st = failed.status;
  }
  const struct sc_npy_array array = {
      sc_npy_descr(a.dtype), 3, {(size_t)a.n_bands, (size_t)chip->height, (size_t)chip->width}};
  if (!st) st = sc_npz_add(npz, name, &array, a.pixels, a.chip_bytes, err);
  sc_free(a.pixels);
  return st;
}

/* One array per asset, as the Python package's dict has them, each in its own type. */
static sc_status encode_npz(struct sc_connection *c, const struct sc_chip *chip,
                            const struct sc_chip_options *options, struct sc_buffer *out,
                            struct sc_error *err) {
  struct sc_chip_target read = {.dtype = chip->dtype};
  struct sc_npz npz = {{0}, {0}, 0};
  size_t plane = (size_t)chip->width * (size_t)chip->height * sc_dtype_bytes(chip->dtype);
  struct sc_npy_array array = {
      sc_npy_descr(chip->dtype), 3, {0, (size_t)chip->height, (size_t)chip->width}};
  sc_status st = load(c, chip, options, options->valid, &read, err);
  for (int i = 0; i < chip->n_bands && !st;) {
    const struct sc_chip_band *b = &chip->bands[i];
    int n = b->n_bands_of_asset;
    if (i + n > chip->n_bands) n = chip->n_bands - i;
    array.shape[0] = (size_t)n;
    st = sc_npz_add(&npz, n > 1 ? b->key : b->name, &array, read.pixels + (size_t)i * plane,
                    (size_t)n * plane, err);
    i += n;
  }
  array.descr = SC_NPY_BOOL;
  array.shape[0] = (size_t)chip->n_bands;
  if (!st && read.valid) {
    st = sc_npz_add(&npz, "valid", &array, read.valid, sc_chip_bytes(chip, SC_DTYPE_U8), err);
  }
  for (int k = 0; k < options->n_layers && !st; k++) st = add_layer(chip, options, k, &npz, err);
  if (!st) st = sc_npz_finish(&npz, err);
  if (!st) sc_buffer_move(&npz.archive, out);
  sc_npz_free(&npz);
  target_free(&read);
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
  struct sc_chip_target read = {.dtype = chip->dtype};
  struct sc_carried carried = {{0}, NULL};
  struct descriptions d = {0};
  if (!raster) return err->status;
  sc_status st = sc_chip_check_placed(chip, err);
  if (!st) st = describe(chip, options, &d, err);
  if (!st) st = load(c, chip, options, 1, &read, err);
  if (!st) st = sc_carry_validity(chip, options, d.alpha, read.pixels, read.valid, &carried, err);
  if (!st) {
    struct sc_geotiff image = {.pixels = read.pixels,
                               .mask = carried.mask,
                               .dtype = chip->dtype,
                               .n_bands = chip->n_bands,
                               .width = chip->width,
                               .height = chip->height,
                               .crs = sc_chip_crs(chip),
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
  target_free(&read);
  sc_free(carried.mask);
  return st;
}

static sc_status encode_picture(struct sc_connection *c, const struct sc_chip *chip,
                                const struct sc_chip_options *options, struct sc_buffer *out,
                                struct sc_error *err) {
  struct sc_chip_target read = {.dtype = SC_DTYPE_F64};
  struct sc_overlay overlay = {NULL, NULL};
  sc_status st = load(c, chip, options, 1, &read, err);
  if (!st) st = sc_overlay_find(c, chip, 1, options, &overlay, err);
  if (!st) st = sc_view_encode(chip, 1, options, &read, &overlay, out, err);
  sc_overlay_free(&overlay);
  target_free(&read);
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
    return sc_fail(err, SC_TOO_BIG,
                   "item %s: a chip of %zu bytes; the limit of this connection is %zu",
                   chip->scene->item.id, bytes, limit);
  }
  if (sc_chip_check_size(chip, held_bytes(chip, options), err)) return err->status;
  switch (options->format) {
    case SC_FORMAT_NPZ: return encode_npz(c, chip, options, out, err);
    case SC_FORMAT_RAW: return append_pixels(c, chip, options, out, err);
    case SC_FORMAT_GEOTIFF: return encode_geotiff(c, chip, options, out, err);
    case SC_FORMAT_PNG:
    case SC_FORMAT_JPEG: return encode_picture(c, chip, options, out, err);
    default: return encode_npy(c, chip, options, out, err);
  }
}
