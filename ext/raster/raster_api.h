/*
 * The contract between stacchip.so and its second half, stacchip_raster.so, which alone
 * links GDAL, PROJ, libtiff and libcurl: loading them with their own symbol scope, on first
 * need, keeps hosts with another SQLite alive (docs/ARCHITECTURE.md, "Two shared objects").
 *
 * The second half exports one symbol, stacchip_raster_api(), which returns this table.
 * Memory crosses freely: both halves allocate with the host's SQLite (base/alloc.h).
 *
 * THREADS  Every function may be called from any thread unless it says otherwise.
 */
#ifndef SC_RASTER_RASTER_API_H
#define SC_RASTER_RASTER_API_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/dtype.h"
#include "base/settings.h"
#include "base/shape_part.h"
#include "base/status.h"
#include "http/http_api.h"
#include "store/stamp.h"

#define SC_RASTER_API_VERSION 8

/* Of formats that are known but not read; %s is the format. */
#define SC_NOT_OPENED                                                                            \
  "it is %s, a format that is not opened here; convert it to GeoTIFF (gdal_translate), or read " \
  "it "                                                                                          \
  "with xarray"

enum sc_resampling {
  SC_NEAREST = 0,
  SC_BILINEAR,
  SC_CUBIC,
  SC_CUBIC_SPLINE,
  SC_LANCZOS,
  SC_AVERAGE,
  SC_MODE,
  SC_GAUSS
};

/* Pixels that stand for a file: [band][row][column]. Borrowed. */
struct sc_memory_raster {
  const void *pixels;
  enum sc_dtype dtype;
  int width, height, n_bands;
};

/* Where the bytes of one raster file are. Strings are borrowed for the call. */
struct sc_source {
  const char *href;   /* absolute path or URL (http, https, s3, gs, az, abfs); allowed already */
  const char *item;   /* for messages; may be NULL */
  const char *asset;  /* for messages; may be NULL */
  const void *header; /* stored header of the file (see make_header), or NULL */
  size_t header_size;
  const struct sc_stamp *stamp; /* as the caller has just found the file; NULL: not looked */
  const struct sc_memory_raster *memory; /* NULL: a file; else no file is opened, and href is a name
                                            that no other source of the call has */
};

/* Where the file has a mask for a band, beyond its nodata value and alpha. */
enum sc_file_mask {
  SC_MASK_NONE = 0,
  SC_MASK_FILE,  /* one internal mask for all bands */
  SC_MASK_BAND,  /* one of its own */
  SC_MASK_VALUES /* NODATA_VALUES: invalid where each band has its value */
};

struct sc_band_info {
  enum sc_dtype dtype;
  int has_nodata;
  double nodata;
  uint64_t nodata_bits; /* of 64-bit integers: the value itself */
  double scale, offset; /* value = stored * scale + offset; 1 and 0 where the file has none */
  char name[64];        /* the file's band description, or "" */
  int is_alpha;         /* by its colour interpretation */
  enum sc_file_mask mask;
};

/* What else than a transform may place pixels: each of them bends, so that the pixels are no grid.
 */
enum sc_placement { SC_PLACED_BY_GCPS = 1, SC_PLACED_BY_RPC = 2, SC_PLACED_BY_GEOLOCATION = 4 };

/* What a raster file says of itself. Zeroed is empty; freed by raster_info_free(). */
struct sc_raster_info {
  int width, height, n_bands;
  int has_transform;
  double transform[6]; /* a b c d e f: x = a col + b row + c, y = d col + e row + f */
  unsigned placed_by;  /* enum sc_placement bits: what a file without transform has instead */
  char *crs;           /* "EPSG:32720", else WKT2; NULL where the file has none (with control
                          points only: theirs) */
  struct sc_band_info *bands;
  int block_width, block_height;
  int has_overviews; /* a GeoTIFF's first band */
  char datetime[32]; /* TIFFTAG_DATETIME as RFC 3339, or "" */
};

/* The value of a band's type that means nodata; never one that the type cannot hold. */
struct sc_nodata {
  int is_set;
  double value;  /* exact but for 64-bit integers; of complex pixels the real part */
  uint64_t bits; /* of 64-bit integers: the value itself */
};

/* What makes pixels of a band invalid (raster/valid.h decides), besides lying outside the raster
 * and being NaN. */
struct sc_validity {
  enum sc_dtype dtype; /* of the band in its file */
  struct sc_nodata nodata;
  int mask;     /* band whose mask in the file counts; 0: none */
  int alpha;    /* band that is alpha, its own too; 0: none */
  int is_alpha; /* it is alpha itself: of opacity, not of what was measured */
};

/*
 * An output with a grid of its own: the place in the file of each output pixel's middle is found by
 * PROJ, interpolated between exact places to at most 0.01 pixel of the file. Transforms are a b c d
 * e f, as in sc_raster_info, of the file and of the output.
 */
struct sc_warp {
  const char *from_crs, *to_crs; /* of the file, of the output; borrowed */
  double from[6], to[6];
};

/* No band but what the file's mask and alpha say of one (sc_read.validity): 1 where it is valid,
 * else 0. */
#define SC_BAND_VALIDITY 0

/* One window of one band, resampled to out_width x out_height. */
struct sc_read {
  const struct sc_source *source;
  int band;                           /* 1 .. n_bands, or SC_BAND_VALIDITY: as uint8, fill 0 */
  const struct sc_validity *validity; /* of the band, or (SC_BAND_VALIDITY) of which; else NULL:
                                         kernels then go by GDAL's own mask */
  int file_width, file_height; /* as info() gave them: of another size it is another file, and an
                                  error; 0: whatever they are */
  double x, y, width, height;  /* in pixels of the file; may be fractional or leave the raster */
  int out_width, out_height;   /* pixels of the output */
  enum sc_dtype dtype;         /* of the output; values are clamped and rounded to it */
  enum sc_resampling resampling;
  int coarse; /* an overview will do where the file has one */
  void *out;  /* first pixel; rows are row_bytes apart */
  size_t row_bytes;
  double fill;  /* where the window leaves the raster */
  int overview; /* 0: the file's own pixels; n: its n-th overview, of whose pixels x, y, width
                   and height then are */
  /* With `warp`, x, y, width, height, coarse and overview do not count, and `fill` is also where no
   * valid pixel entered; validity must be there, and band be one. */
  const struct sc_warp *warp; /* NULL: the window is of the file's pixels */
  uint8_t *valid;             /* with warp, out: 1 where a valid pixel entered, else 0, out_width a
                                 row; or NULL */
  struct sc_error err;        /* out: err.status is SC_OK or why this one failed */
};

/*
 * Where the middle of output pixel i lies, of n_out over [begin, begin + extent), in pixels of the
 * file; the pixel under it is floor() of that. A middle on an edge between two pixels belongs to
 * the one right of it or below, and it is on the edge within a hundred-thousandth of a pixel:
 * transforms are rounded, and the last bits of a sum depend on the window, which must not decide.
 */
#define SC_TIE_PX 1.1e-5
static inline double sc_read_middle(double begin, double extent, int n_out, int i) {
  double at = begin + (i + 0.5) * (extent / n_out),
         edge = (double)(int64_t)(at + (at < 0 ? -0.5 : 0.5));
  return at - edge < SC_TIE_PX && edge - at < SC_TIE_PX ? edge : at;
}

/*
 * Chip windows over a mask. A chip (i, j) covers grid columns
 * [col_begin[i], col_end[i]) and rows [row_begin[j], row_end[j]), here already expressed in
 * mask pixels, so that they may be fractional; parts outside the mask count as nodata.
 */
struct sc_mask_job {
  const struct sc_source *source;
  int band;           /* SC_BAND_VALIDITY: values do not matter; `table` has 0 and 1 */
  int n_cols, n_rows; /* chips across and down */
  const double *col_begin, *col_end; /* n_cols each, mask pixels, non-decreasing */
  const double *row_begin, *row_end; /* n_rows each */
  /*
   * Bits of a value: 1 cloud, 2 nodata. For 8 and 16 bit masks `table` has an entry for each
   * bit pattern of the stored type, and `masked_table` of pixels that the file's mask or alpha
   * calls invalid (NULL where it has none); otherwise classify() is called once for each
   * distinct value (v as double for floats, as int64 otherwise) from one thread at a time.
   * Where only validity matters, `by_nodata` is set: nd_bits[0] for valid pixels, nd_bits[1]
   * for others, and classify() is not called.
   */
  const struct sc_validity *validity; /* of the band */
  const uint8_t *table, *masked_table;
  int by_nodata;
  uint8_t nd_bits[2];
  sc_status (*classify)(void *context, double real, int64_t integer, int nd, uint8_t *bits,
                        struct sc_error *err);
  void *context;
  /* Pixels of the mask that clouds grow by: a pixel is cloud, too, where a cloudy one lies within
   * that distance of it (a disk, from middle to middle) and it is not nodata. 0 to 255. */
  int dilate_px;
  double *cloud, *nodata;            /* out: n_cols * n_rows fractions, row by row, 0..1 */
  int (*interrupted)(void *context); /* polled on the calling thread; may be NULL */
  void *interrupt_context;
};

enum sc_picture_format { SC_PICTURE_PNG, SC_PICTURE_JPEG };

/* Bands to write as a GeoTIFF, band-sequential [band][row][column], native byte order. */
struct sc_geotiff {
  const void *pixels;
  const uint8_t *mask; /* [row][column], 0 where it is nodata, else 255; or NULL */
  enum sc_dtype dtype;
  int n_bands, width, height;
  const char *crs; /* as in sc_raster_info; may be NULL */
  double transform[6];
  struct sc_nodata nodata;
  int alpha;                      /* the band that is alpha, 1-based; 0: none */
  const char *const *band_names;  /* n_bands, or NULL */
  const double *scales, *offsets; /* n_bands each, or NULL */
};

#define SC_COG_TILE_PX 256
struct sc_cog; /* a file in the making, see cog_create() */

struct sc_held; /* decoded blocks, see hold() */

/* A geometry in pixel coordinates, and what its pixels become. Not empty. */
struct sc_burn {
  const double *x, *y;
  const struct sc_shape_part *parts;
  size_t n_parts;
  double value;
};

/* Geometries to burn into an image, in order. */
struct sc_burn_job {
  void *pixels;        /* [row][column] */
  enum sc_dtype dtype; /* neither of 8 bits with sign, nor of 64 bits but double, nor complex */
  int width, height;
  int all_touched; /* 0: a polygon's are the pixels whose middle it holds */
  int add;         /* values are added to what is there; 0: they replace it */
  const struct sc_burn *burns;
  size_t n_burns; /* up to INT_MAX */
};

/* A feature of a vector layer's first layer. */
struct sc_layer_place {
  const char *path;  /* local, or https:// or s3://, which GDAL's own client reads, following
                        redirects without our rules; allowed already */
  const char *shown; /* what messages call it */
  int64_t row;       /* from 0 */
};

/* It, in EPSG:4326. Both texts are freed with sc_free(). */
struct sc_layer_row {
  char *name;      /* the attribute "name", or NULL */
  char *geojson;   /* the geometry */
  double lon, lat; /* its centroid */
};

/* A raster to be copied as a deflated COG, both paths local. */
struct sc_remake {
  const char *from, *to;
  double pixel_size; /* in its CRS, bilinearly, at most three bands; 0: to Web Mercator, nearest */
};

/* The grid of a raster that was written. */
struct sc_made_grid {
  int width, height, epsg; /* epsg 0: the CRS has no EPSG code */
  char *wkt;               /* for epsg 0: the CRS as WKT 2, or NULL; freed with sc_free() */
  double transform[6];     /* a b c d e f */
};

/* What the process keeps in memory, and how often it was there: for stacchip_debug(). */
struct sc_kept {
  int64_t block_bytes, n_blocks;        /* decoded blocks */
  int64_t held_bytes;                   /* of blocks beside the budget: see hold() */
  int64_t idle_bytes, in_use_bytes;     /* large memory that nobody uses, and that somebody has */
  int64_t n_block_hits, n_block_misses; /* blocks whose rows were there; that were decoded */
  int64_t n_memory_reused, n_memory_fresh; /* pieces of memory that were there; that were new */
  int64_t n_disk_hits, n_disk_misses, disk_hit_bytes; /* ranges of remote files in the disk cache */
};

struct sc_raster_api {
  int version;

  /* Text "GDAL 3.6.2, PROJ 9.1.1, libcurl 7.88.1 ..." as a JSON object; static memory. */
  const char *(*versions)(void);

  /* Who is asked by transfers that have no interrupted() of their own. Process-wide. */
  void (*watch)(int (*interrupted)(void *unused));

  /* Take over new settings (copied). Process-wide. */
  void (*configure)(const struct sc_settings *settings);

  /* Read a file's header. *out is freed with raster_info_free(), also after an error. */
  sc_status (*info)(const struct sc_source *source, struct sc_raster_info *out,
                    struct sc_error *err);
  void (*info_free)(struct sc_raster_info *info);

  /*
   * Read windows, in parallel, each block decoded once. Every read gets its own err; the
   * result is the first failure in order, or SC_OK. Reads of out memory must not overlap. Either
   * all reads have a warp, or none.
   * interrupted() is polled on the calling thread; may be NULL.
   */
  sc_status (*read)(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                    void *interrupt_context, struct sc_error *err);

  /* Count a mask by blocks, never holding it whole. */
  sc_status (*count_mask)(struct sc_mask_job *job, struct sc_error *err);

  /*
   * Project points to EPSG:4326 as lon, lat degrees, in place. x is easting or longitude
   * whatever the authority's axis order. A point that cannot be projected becomes NaN.
   * crs: authority code, WKT or PROJJSON. SC_BAD_DATA for an unknown CRS.
   */
  sc_status (*to_lonlat)(const char *crs, size_t n, double *x, double *y, struct sc_error *err);
  /* The other way round: lon, lat degrees to the CRS. */
  sc_status (*from_lonlat)(const char *crs, size_t n, double *x, double *y, struct sc_error *err);
  /* 1 for a geographic CRS: its longitudes come back from to_lonlat() on their own turn, so
   * that a grid from 170 to 190 degrees stays one. 0 for others. */
  int (*is_geographic)(const char *crs);
  /* 1 where PROJ calls the horizontal parts of two CRSs equivalent, whatever their spelling, axis
   * order and height; 0 for others, also unknown ones. */
  int (*same_crs)(const char *a, const char *b);

  /* Convert n values, clamped and rounded, NaN to 0; strides in bytes, 0 repeats. */
  void (*convert)(const void *from, enum sc_dtype from_type, size_t from_stride, void *to,
                  enum sc_dtype to_type, size_t to_stride, size_t n);

  /* Encode an 8-bit picture [row][column][channel], 1, 3 or 4 channels. */
  sc_status (*picture)(enum sc_picture_format format, const uint8_t *pixels, int width, int height,
                       int channels, struct sc_buffer *out, struct sc_error *err);
  sc_status (*geotiff)(const struct sc_geotiff *image, struct sc_buffer *out, struct sc_error *err);

  /*
   * A Cloud Optimized GeoTIFF, written tile by tile on one thread. Tiles are SC_COG_TILE_PX wide
   * and high, begin at multiples of that, and are smaller at the right and lower edge; each is put
   * once, in any order, band-sequential in image->dtype. What nobody puts is nodata, else 0.
   *
   * image   pixels and mask are not looked at.
   * folder  Of the caller's own, where files are made that it removes.
   * finish  Writes the file at a local path: DEFLATE, with overviews, of which a pixel is one of
   *         those below it (classes) or their mean.
   */
  sc_status (*cog_create)(const struct sc_geotiff *image, const char *folder, struct sc_cog **out,
                          struct sc_error *err);
  sc_status (*cog_put)(struct sc_cog *cog, int x, int y, int width, int height, const void *pixels,
                       struct sc_error *err);
  sc_status (*cog_finish)(struct sc_cog *cog, const char *path, int is_classes,
                          struct sc_error *err);
  void (*cog_close)(struct sc_cog *cog);

  /* Perform requests: http/http_api.h, sc_http() is the way to it. */
  sc_http_function *http;

  /*
   * The stored header of a file (for <name>_asset): its size, ETag and layout and what
   * info() gives, compressed, in one request (two for large headers). Appended to *out.
   */
  sc_status (*make_header)(const struct sc_source *source, struct sc_buffer *out,
                           struct sc_error *err);

  /*
   * Project points from one CRS to another, in place; x is easting or longitude in both. A point
   * that cannot be projected becomes NaN. Between two geographic CRSs longitudes stay on their own
   * turn; from a projected one they come within -180 .. 180 degrees.
   */
  sc_status (*reproject)(const char *from_crs, const char *to_crs, size_t n, double *x, double *y,
                         struct sc_error *err);

  /*
   * Decode the blocks that reads want, as far as any of them does, and hold them beside the cache:
   * each of the reads is a copy until let_go(). `out` of the reads is not used, and what fails is
   * left for them to find. Windows that GDAL reads are passed over; beyond 2 GB held in the process
   * blocks are only cached. *held may be NULL. In a forked child the parent's is not let go.
   */
  sc_status (*hold)(struct sc_read *reads, size_t n, int (*interrupted)(void *),
                    void *interrupt_context, struct sc_held **held, struct sc_error *err);
  void (*let_go)(struct sc_held *held); /* NULL is fine */

  /* Burn geometries as GDALRasterizeGeometries() does. */
  sc_status (*rasterize)(const struct sc_burn_job *job, struct sc_error *err);

  /* Memory for results, used again (raster/memory.h): not zeroed, NULL where it ran out; given
   * back by memory_give(), also in a forked child, and after the connection has closed. */
  void *(*memory_take)(size_t bytes);
  void (*memory_give)(void *memory);
  void (*kept)(struct sc_kept *out);

  /* What the program needs of GDAL. SC_RANGE where the layer has no such row, SC_AGAIN where
   * another try may succeed. */
  sc_status (*read_layer)(const struct sc_layer_place *from, struct sc_layer_row *out,
                          struct sc_error *err);
  sc_status (*remake)(const struct sc_remake *job, struct sc_made_grid *out, struct sc_error *err);

  /* The digest of all of a local file by an algorithm that OpenSSL has under this name ("SHA256"),
   * which `out` has room for. interrupted() is polled after each megabyte; may be NULL.
   * SC_UNSUPPORTED where OpenSSL, as it is built or set, does without the algorithm; SC_NOT_FOUND,
   * SC_BAD_DATA (no regular file) or SC_IO, with the path in the text. */
  sc_status (*digest)(const char *path, const char *algorithm, uint8_t *out,
                      int (*interrupted)(void *), void *interrupt_context, struct sc_error *err);
};

/* The one exported symbol of stacchip_raster.so. sqlite_api is the host's. */
typedef const struct sc_raster_api *(*sc_raster_api_function)(const void *sqlite_api);

/*
 * The second half, opened on first use (raster/load.c, in stacchip.so). NULL and an error
 * that says what is missing where it cannot be opened.
 */
const struct sc_raster_api *sc_raster(struct sc_error *err);

#endif
