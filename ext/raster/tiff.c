/* The block layout of a plain TIFF; see tiff.h. TIFF 6.0; GDAL_NODATA is tag 42113. */
#include "raster/tiff.h"

#include <cpl_conv.h>
#include <string.h>
#include <tiffio.h>

#include "base/alloc.h"

#define TAG_GDAL_NODATA 42113
#define BLOCKS_MAX 8000000 /* of one file */

struct stream {
  sc_tiff_read read;
  void *context;
  uint64_t size, at;
};

static tsize_t stream_read(thandle_t handle, tdata_t bytes, tsize_t n) {
  struct stream *s = handle;
  int64_t got = s->read(s->context, s->at, bytes, (size_t)n);
  if (got > 0) s->at += (uint64_t)got;
  return (tsize_t)got;
}

static tsize_t stream_write(thandle_t handle, tdata_t bytes, tsize_t n) {
  (void)handle, (void)bytes, (void)n;
  return -1;
}

static toff_t stream_seek(thandle_t handle, toff_t offset, int whence) {
  struct stream *s = handle;
  uint64_t from = whence == SEEK_CUR ? s->at : whence == SEEK_END ? s->size : 0;
  s->at = from + offset;
  return s->at;
}

static int stream_close(thandle_t handle) {
  (void)handle;
  return 0;
}

static toff_t stream_size(thandle_t handle) { return ((struct stream *)handle)->size; }

static int keep_quiet(TIFF *tiff, void *data, const char *module, const char *format,
                      va_list args) {
  (void)tiff, (void)data, (void)module, (void)format, (void)args;
  return 1;
}

/* C: keep strips as they are stored; m: no memory map. D, O: the places of blocks one by one, as
 * GDAL has it. */
#define PLACES_AT_ONCE "rcm"
#define PLACES_ONE_BY_ONE "rDOcm"

static TIFF *open_tiff(struct stream *s, const char *mode) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) return NULL;
  TIFFOpenOptionsSetErrorHandlerExtR(options, keep_quiet, NULL);
  TIFFOpenOptionsSetWarningHandlerExtR(options, keep_quiet, NULL);
  TIFF *tiff = TIFFClientOpenExt("", mode, s, stream_read, stream_write, stream_seek, stream_close,
                                 stream_size, NULL, NULL, options);
  TIFFOpenOptionsFree(options);
  return tiff;
}

static enum sc_dtype find_dtype(uint16_t bits, uint16_t format) {
  static const struct {
    uint16_t bits, format;
    enum sc_dtype dtype;
  } known[] = {
      {8, SAMPLEFORMAT_UINT, SC_DTYPE_U8},     {8, SAMPLEFORMAT_INT, SC_DTYPE_I8},
      {16, SAMPLEFORMAT_UINT, SC_DTYPE_U16},   {16, SAMPLEFORMAT_INT, SC_DTYPE_I16},
      {32, SAMPLEFORMAT_UINT, SC_DTYPE_U32},   {32, SAMPLEFORMAT_INT, SC_DTYPE_I32},
      {64, SAMPLEFORMAT_UINT, SC_DTYPE_U64},   {64, SAMPLEFORMAT_INT, SC_DTYPE_I64},
      {32, SAMPLEFORMAT_IEEEFP, SC_DTYPE_F32}, {64, SAMPLEFORMAT_IEEEFP, SC_DTYPE_F64},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (known[i].bits == bits && known[i].format == format) return known[i].dtype;
  }
  return SC_DTYPE_NONE;
}

/* Decoded value and predictor must be what GDAL makes of them. */
static int read_packing(TIFF *tiff, struct sc_tiff *out) {
  uint16_t bits = 1, format = SAMPLEFORMAT_UINT, compression = 1, predictor = 1, photometric = 0;
  uint16_t bands = 1, planar = PLANARCONFIG_CONTIG, fill_order = FILLORDER_MSB2LSB;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &bands);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_FILLORDER, &fill_order);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  out->dtype = find_dtype(bits, format);
  out->n_bands = bands;
  out->planar = planar == PLANARCONFIG_SEPARATE && bands > 1;
  switch (compression) {
    case COMPRESSION_NONE: out->codec = SC_CODEC_NONE; break;
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE: out->codec = SC_CODEC_DEFLATE; break;
    case COMPRESSION_ZSTD: out->codec = SC_CODEC_ZSTD; break;
    default: return 0;
  }
  if (out->codec != SC_CODEC_NONE) TIFFGetFieldDefaulted(tiff, TIFFTAG_PREDICTOR, &predictor);
  out->predictor = predictor;
  int is_float = out->dtype == SC_DTYPE_F32 || out->dtype == SC_DTYPE_F64;
  return out->dtype != SC_DTYPE_NONE && bands >= 1 && bands <= SC_BANDS_MAX &&
         /* GDAL makes colours of CMYK, YCbCr and the others behind them. */
         fill_order == FILLORDER_MSB2LSB && photometric < PHOTOMETRIC_SEPARATED && predictor >= 1 &&
         predictor <= 3 && (predictor != 3 || is_float) && !TIFFIsByteSwapped(tiff);
}

static int read_shape(TIFF *tiff, struct sc_tiff *out) {
  uint32_t width = 0, height = 0, bw = 0, bh = 0;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  out->is_tiled = TIFFIsTiled(tiff) != 0;
  if (out->is_tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &bw);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &bh);
  } else {
    bw = width;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &bh);
    if (bh > height) bh = height;
  }
  if (!width || !height || !bw || !bh || width > INT32_MAX / 2 || height > INT32_MAX / 2 ||
      bw > INT32_MAX / 2 || bh > INT32_MAX / 2) {
    return 0;
  }
  out->width = (int)width;
  out->height = (int)height;
  out->block_width = (int)bw;
  out->block_height = (int)bh;
  out->blocks_across = (int)((width + bw - 1) / bw);
  out->blocks_down = (int)((height + bh - 1) / bh);
  double bytes = (double)bw * bh * (double)sc_tiff_pixel_bytes(out);
  double blocks = (double)out->blocks_across * out->blocks_down * (out->planar ? out->n_bands : 1);
  if (bytes > SC_BLOCK_MAX_BYTES || blocks > BLOCKS_MAX) return 0;
  out->n_blocks = (size_t)blocks;
  return 1;
}

/* The text of GDAL_NODATA, which libtiff knows only where GDAL has told it. */
static void read_nodata(TIFF *tiff, struct sc_tiff *out) {
  const TIFFField *field = TIFFFindField(tiff, TAG_GDAL_NODATA, TIFF_ASCII);
  const char *text = NULL;
  char copy[64], *end = NULL;
  if (!field) return;
  if (TIFFFieldPassCount(field)) {
    uint32_t n32 = 0;
    uint16_t n16 = 0;
    int is_wide = TIFFFieldReadCount(field) == TIFF_VARIABLE2;
    int found = is_wide ? TIFFGetField(tiff, TAG_GDAL_NODATA, &n32, &text)
                        : TIFFGetField(tiff, TAG_GDAL_NODATA, &n16, &text);
    size_t n = is_wide ? n32 : n16;
    if (!found || !text || n >= sizeof copy) return;
    memcpy(copy, text, n);
    copy[n] = '\0';
  } else {
    if (!TIFFGetField(tiff, TAG_GDAL_NODATA, &text) || !text || strlen(text) >= sizeof copy) return;
    memcpy(copy, text, strlen(text) + 1);
  }
  out->nodata = CPLStrtod(copy, &end); /* a point, whatever the host's locale */
  out->has_nodata = end != copy;
}

static sc_status read_blocks(TIFF *tiff, struct sc_tiff *out, struct sc_error *err) {
  uint32_t n = TIFFIsTiled(tiff) ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  if (n != out->n_blocks)
    return sc_fail(err, SC_UNSUPPORTED, "its number of blocks is not that of its layout");
  out->offsets = sc_alloc(n * sizeof *out->offsets);
  out->byte_counts = sc_alloc(n * sizeof *out->byte_counts);
  if (!out->offsets || !out->byte_counts) return sc_fail_nomem(err);
  int failed = 0, failed_now = 0;
  for (uint32_t i = 0; i < n && !failed; i++) {
    out->offsets[i] = TIFFGetStrileOffsetWithErr(tiff, i, &failed_now);
    failed |= failed_now;
    out->byte_counts[i] = TIFFGetStrileByteCountWithErr(tiff, i, &failed_now);
    failed |= failed_now;
  }
  return failed ? sc_fail(err, SC_UNSUPPORTED, "it does not say where each block lies") : SC_OK;
}

static sc_status read_layout(struct stream *stream, const char *mode, struct sc_tiff *out,
                             struct sc_error *err) {
  stream->at = 0;
  memset(out, 0, sizeof *out);
  TIFF *tiff = open_tiff(stream, mode);
  if (!tiff) return sc_fail(err, SC_UNSUPPORTED, "not a TIFF that libtiff opens");
  sc_status st = SC_OK;
  if (!read_packing(tiff, out) || !read_shape(tiff, out)) {
    st = sc_fail(err, SC_UNSUPPORTED, "not a plain TIFF");
  } else {
    read_nodata(tiff, out);
    st = read_blocks(tiff, out, err);
  }
  TIFFClose(tiff);
  if (st) sc_tiff_free(out);
  return st;
}

static int has_gap(const struct sc_tiff *t) {
  for (size_t i = 0; i < t->n_blocks; i++) {
    if (t->offsets[i] == 0 || t->byte_counts[i] == 0) return 1;
  }
  return 0;
}

/*
 * Asked for all places at once, in few and long reads, libtiff fills an array that is too short
 * with zeros: blocks that are missing from the directory look like blocks that are not stored.
 * Where there are such, it is asked one by one.
 */
sc_status sc_tiff_open(sc_tiff_read read, void *context, uint64_t size, struct sc_tiff *out,
                       struct sc_error *err) {
  struct stream stream = {read, context, size, 0};
  sc_status st = read_layout(&stream, PLACES_AT_ONCE, out, err);
  if (st || !has_gap(out)) return st;
  sc_tiff_free(out);
  return read_layout(&stream, PLACES_ONE_BY_ONE, out, err);
}

void sc_tiff_free(struct sc_tiff *tiff) {
  sc_free(tiff->offsets);
  sc_free(tiff->byte_counts);
  memset(tiff, 0, sizeof *tiff);
}

size_t sc_tiff_pixel_bytes(const struct sc_tiff *t) {
  return sc_dtype_bytes(t->dtype) * (size_t)(t->planar ? 1 : t->n_bands);
}

size_t sc_tiff_row_bytes(const struct sc_tiff *t) {
  return (size_t)t->block_width * sc_tiff_pixel_bytes(t);
}

int sc_tiff_block_rows(const struct sc_tiff *t, size_t block) {
  int row = (int)(block / (size_t)t->blocks_across % (size_t)t->blocks_down);
  int left = t->height - row * t->block_height;
  return !t->is_tiled && left < t->block_height ? left : t->block_height;
}
