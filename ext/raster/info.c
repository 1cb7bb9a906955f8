/* What a raster file says of itself, as bytes; see info.h. */
#include "raster/info.h"

#include <gdal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * u32 GDAL's version, and this format's; u32 width, height, bands, block width, block height; u8
 * flags, from bit 4 on those of enum sc_placement; f64 x 6 transform; u32 n and n bytes of CRS; u32
 * n and n bytes of datetime; and of each band u8 dtype, u8 flags, u8 mask, f64 nodata, scale,
 * offset, u64 nodata bits, u32 n and n bytes of name.
 */
#define FORMAT 1
enum { HAS_TRANSFORM = 1, HAS_CRS = 4, HAS_OVERVIEWS = 8, PLACED_BY_SHIFT = 4 };
enum { HAS_NODATA = 1, IS_ALPHA = 2 };
#define N_BANDS_MAX 4096
#define CRS_MAX 65536

/* GDAL's has 7 digits and ends with two that count builds: there is room. */
static uint32_t version(void) {
  return (uint32_t)strtoul(GDALVersionInfo("VERSION_NUM"), NULL, 10) + FORMAT;
}

/* --- writing --- */

static sc_status put_doubles(struct sc_buffer *b, const double *values, size_t n,
                             struct sc_error *err) {
  sc_status st = sc_buffer_reserve(b, 8 * n, err);
  for (size_t i = 0; i < n && !st; i++) {
    sc_put_le_double(b->data + b->size, values[i]);
    b->size += 8;
  }
  return st;
}

static sc_status put_text(struct sc_buffer *b, const char *text, struct sc_error *err) {
  sc_status st = sc_buffer_append_le(b, strlen(text), 4, err);
  return st ? st : sc_buffer_append_text(b, text, err);
}

static sc_status put_band(struct sc_buffer *b, const struct sc_band_info *band,
                          struct sc_error *err) {
  const double values[3] = {band->nodata, band->scale, band->offset};
  unsigned flags = (band->has_nodata ? HAS_NODATA : 0u) | (band->is_alpha ? IS_ALPHA : 0u);
  sc_status st = sc_buffer_append_le(b, band->dtype, 1, err);
  if (!st) st = sc_buffer_append_le(b, flags, 1, err);
  if (!st) st = sc_buffer_append_le(b, band->mask, 1, err);
  if (!st) st = put_doubles(b, values, 3, err);
  if (!st) st = sc_buffer_append_le(b, band->nodata_bits, 8, err);
  return st ? st : put_text(b, band->name, err);
}

sc_status sc_info_pack(const struct sc_raster_info *info, struct sc_buffer *out,
                       struct sc_error *err) {
  const int sizes[] = {info->width, info->height, info->n_bands, info->block_width,
                       info->block_height};
  unsigned flags = (info->has_transform ? HAS_TRANSFORM : 0u) | (info->crs ? HAS_CRS : 0u) |
                   (info->has_overviews ? HAS_OVERVIEWS : 0u) |
                   (info->placed_by & 7u) << PLACED_BY_SHIFT;
  sc_status st = sc_buffer_append_le(out, version(), 4, err);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes && !st; i++)
    st = sc_buffer_append_le(out, (uint32_t)sizes[i], 4, err);
  if (!st) st = sc_buffer_append_le(out, flags, 1, err);
  if (!st) st = put_doubles(out, info->transform, 6, err);
  if (!st) st = put_text(out, info->crs ? info->crs : "", err);
  if (!st) st = put_text(out, info->datetime, err);
  for (int i = 0; i < info->n_bands && !st; i++) st = put_band(out, &info->bands[i], err);
  return st;
}

/* --- reading --- */

/* Into room for `room` bytes with its zero; a longer one counts as damage. */
static void take_text(struct sc_bytes *b, char *out, size_t room) {
  uint32_t n = sc_bytes_le32(b);
  const unsigned char *p = n < room ? sc_bytes_take(b, n) : NULL;
  if (p) memcpy(out, p, n);
  out[p ? n : 0] = '\0';
  b->overrun |= !p;
}

static sc_status take_crs(struct sc_bytes *b, int has_crs, char **out, struct sc_error *err) {
  uint32_t n = sc_bytes_le32(b);
  const unsigned char *p = n <= CRS_MAX ? sc_bytes_take(b, n) : NULL;
  b->overrun |= !p;
  return p && has_crs ? sc_strndup((const char *)p, n, out, err) : SC_OK;
}

static void take_band(struct sc_bytes *b, struct sc_band_info *band) {
  uint8_t dtype = sc_bytes_u8(b), flags = sc_bytes_u8(b), mask = sc_bytes_u8(b);
  b->overrun |= dtype > SC_DTYPE_C128 || mask > SC_MASK_VALUES;
  band->mask = mask > SC_MASK_VALUES ? SC_MASK_NONE : (enum sc_file_mask)mask;
  band->dtype = dtype > SC_DTYPE_C128 ? SC_DTYPE_NONE : (enum sc_dtype)dtype;
  band->has_nodata = (flags & HAS_NODATA) != 0;
  band->is_alpha = (flags & IS_ALPHA) != 0;
  band->nodata = sc_bytes_le_double(b);
  band->scale = sc_bytes_le_double(b);
  band->offset = sc_bytes_le_double(b);
  band->nodata_bits = sc_bytes_le64(b);
  take_text(b, band->name, sizeof band->name);
}

/* A size of at least 1; others count as damage. */
static int take_size(struct sc_bytes *b) {
  uint32_t n = sc_bytes_le32(b);
  int ok = n >= 1 && n <= INT32_MAX;
  b->overrun |= !ok;
  return ok ? (int)n : 0;
}

sc_status sc_info_unpack(struct sc_bytes *b, struct sc_raster_info *out, struct sc_error *err) {
  memset(out, 0, sizeof *out);
  if (sc_bytes_le32(b) != version())
    return sc_fail(err, SC_UNSUPPORTED, "stored by another version of GDAL");
  out->width = take_size(b);
  out->height = take_size(b);
  int n_bands = take_size(b);
  out->block_width = take_size(b);
  out->block_height = take_size(b);
  uint8_t flags = sc_bytes_u8(b);
  out->has_transform = (flags & HAS_TRANSFORM) != 0;
  out->has_overviews = (flags & HAS_OVERVIEWS) != 0;
  out->placed_by = flags >> PLACED_BY_SHIFT & 7u;
  for (int i = 0; i < 6; i++) out->transform[i] = sc_bytes_le_double(b);
  sc_status st = take_crs(b, flags & HAS_CRS, &out->crs, err);
  take_text(b, out->datetime, sizeof out->datetime);
  if (!st && (b->overrun || n_bands > N_BANDS_MAX))
    st = sc_fail(err, SC_BAD_DATA, "stored header: what the file says of itself is damaged");
  if (st) return st;
  out->bands = sc_alloc_zero((size_t)n_bands, sizeof *out->bands);
  if (!out->bands) return sc_fail_nomem(err);
  out->n_bands = n_bands;
  for (int i = 0; i < n_bands; i++) take_band(b, &out->bands[i]);
  return b->overrun ? sc_fail(err, SC_BAD_DATA, "stored header: its bands are damaged") : SC_OK;
}
