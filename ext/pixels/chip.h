/*
 * One chip: what its handle names, which bands it has, and reading them.
 */
#ifndef SC_PIXELS_CHIP_H
#define SC_PIXELS_CHIP_H

#include "base/status.h"
#include "connection.h"
#include "index/geometry.h"
#include "pixels/chip_options.h"
#include "pixels/scenes.h"
#include "raster/valid.h"

/* A band of a chip, in output order. */
struct sc_chip_band {
  struct sc_opened_asset *asset; /* borrowed from the scene */
  const char *key;               /* asset key, borrowed */
  int band;                      /* 1-based, in the file */
  int n_bands_of_asset;          /* bands that this asset contributes in a row */
  char name[80];                 /* key, or key and band name where the asset has several */
  enum sc_dtype dtype;           /* in the file */
  enum sc_resampling resampling;
  struct sc_validity validity;
  double scale, offset; /* of the item, else of the file */
  double shift;         /* subtracted by harmonize; 0 for none */
  struct sc_warp warp;  /* to the chip's target */
};

/* Pixels that were computed of those of others: of a chip that is read, they are given. Borrowed.
 */
struct sc_chip_made {
  const double *values; /* [band][row][column] */
  const uint8_t *valid; /* the same */
};

/* Zeroed is empty; sc_chip_close(). */
struct sc_chip {
  struct sc_cached_scene *cached; /* held */
  const struct sc_scene *scene;   /* its item, rule and grid */
  struct sc_tiling tiling;
  int64_t x, y;                  /* position; -1 for a chip round a centre */
  struct sc_window window;       /* of the grid, buffer included where there is no target */
  int has_target;                /* a grid of its own, by the options (target.h): */
  char *crs;                     /* owned */
  double transform[6];           /* of the output, buffer included */
  struct sc_layer_chips *layers; /* layers.h; n_layers, owned; NULL: none */
  int n_layers;
  struct sc_mapping to; /* scale 0: none; else the window is of the raster that this maps the grid's
                           pixels to: an asset's own */
  int width, height;    /* of the output, pixels */
  struct sc_chip_band *bands;
  int n_bands;
  enum sc_dtype dtype; /* of the output */
  int has_fill;        /* else a band's nodata, else 0 */
  double fill;
  const struct sc_chip_made *made; /* or NULL; of a chip that is read by itself */
  struct sc_frozen *frozen;        /* its pixels are those of a frozen data set; owned; or NULL */
  int is_absent;                   /* stands for none: all fill; see sc_chip_absent() */
};

/* What names a chip: the text of a handle, or (text NULL, is_rowid) the rowid of a merged index
 * that the option "table" names. Borrowed. */
struct sc_chip_name {
  const char *text;
  size_t text_bytes;
  int is_rowid;
  int64_t rowid;
  const char *items; /* of a short handle: where its item is; NULL: as the options say */
};
/* The name that an SQL value is: an INTEGER is a rowid. */
struct sc_chip_name sc_chip_name_of(sqlite3_value *value);

/*
 * Resolve a handle (see index/handle.h) and open what it names.
 *
 * Returns  SC_NOT_FOUND for a stale handle or an asset that is not there, SC_RANGE for a
 *          position outside the grid, and whatever reading the item or opening files gives.
 */
sc_status sc_chip_open_named(struct sc_connection *c, const struct sc_chip_name *name,
                             const struct sc_chip_options *options, struct sc_chip *out,
                             struct sc_error *err);
/* The same of an SQL value. */
sc_status sc_chip_open(struct sc_connection *c, sqlite3_value *value,
                       const struct sc_chip_options *options, struct sc_chip *out,
                       struct sc_error *err);
/* Its place alone: scene, window, grid, width and height, without bands; opens no asset. Of the
 * options only table, items, buffer and grid count. */
sc_status sc_chip_open_place(struct sc_connection *c, const struct sc_chip_name *name,
                             const struct sc_chip_options *options, struct sc_chip *out,
                             struct sc_error *err);
/*
 * As sc_chip_open() for a whole scene, whose window is that of no chip: a handle's, or that of an
 * item (path, URL or text, see sc_item_read()) or of the path of a raster. The options platform and
 * base are those of the item.
 */
sc_status sc_chip_open_source(struct sc_connection *c, sqlite3_value *source,
                              const struct sc_chip_options *options, struct sc_chip *out,
                              struct sc_error *err);
void sc_chip_close(struct sc_chip *chip);
/* A chip that stands for none (a NULL handle, an empty slot) among others: of the shape and bands
 * of `like`, every pixel what `like` has outside its grid, none of them valid. Reading it opens
 * nothing. It borrows from `like`, which lives longer; sc_chip_close(). */
sc_status sc_chip_absent(const struct sc_chip *like, struct sc_chip *out, struct sc_error *err);

/* The same, on the grid of another open chip, as a layer of it; like NULL: as above. */
sc_status sc_chip_open_on(struct sc_connection *c, const struct sc_chip_name *name,
                          const struct sc_chip_options *options, const struct sc_chip *like,
                          struct sc_chip *out, struct sc_error *err);

/* The type that holds the values of both; NONE is neutral. */
enum sc_dtype sc_dtype_promote(enum sc_dtype a, enum sc_dtype b);

/* SC_BAD_DATA where a band's file has control points or the like and only the item says that its
 * pixels are a grid: they may be read, but nobody may be told where they lie. */
sc_status sc_chip_check_placed(const struct sc_chip *chip, struct sc_error *err);

/*
 * What one chip, or the result of one call, may hold in all forms at once: files of thousands of
 * bands, and items of thousands of assets, must not cost more than an error.
 */
#define SC_CALL_MAX_BYTES ((size_t)2 << 30)

/* SC_TOO_BIG where `value_bytes` for each value of the chip are more than SC_CALL_MAX_BYTES. */
sc_status sc_chip_check_size(const struct sc_chip *chip, size_t value_bytes, struct sc_error *err);

/* Where the output lies on the globe; *has_place is 0 where it has no place there. */
sc_status sc_chip_footprint(const struct sc_chip *chip, int *has_place, struct sc_footprint *out,
                            struct sc_error *err);

/* The CRS of the output, and the transform of its pixels: its target's, else its item's. */
const char *sc_chip_crs(const struct sc_chip *chip);
void sc_chip_transform(const struct sc_chip *chip, double out[6]);

/* Of a chip with a target: from the pixels of each band's file to those of the target. */
void sc_chip_lay_warps(struct sc_chip *chip);

/* What pixels of a band are that no file has, once the options have been applied. */
double sc_chip_fill(const struct sc_chip *chip, int band, const struct sc_chip_options *options);

/* Bytes of the pixels: n_bands * height * width values of `dtype`. */
size_t sc_chip_bytes(const struct sc_chip *chip, enum sc_dtype dtype);

/* Fill n_bands reads that put the chip into pixels[band][row][column] of dtype. */
void sc_chip_plan(const struct sc_chip *chip, void *pixels, enum sc_dtype dtype,
                  struct sc_read *reads);

/* What the values of a band mean once the options have been applied to them. */
struct sc_delivered {
  int has_nodata;
  double nodata;        /* what pixels hold whose value is nodata; out of the type: none */
  double scale, offset; /* still to be applied */
};
void sc_chip_delivered(const struct sc_chip_band *band, const struct sc_chip_options *options,
                       struct sc_delivered *out);

/*
 * Which pixels are valid: inside the asset, neither nodata nor NaN, nor masked (docs/validity.md).
 * Under a kernel other than nearest a pixel is nodata by value where no valid one entered it.
 *
 * pixels  The chip as read by sc_chip_plan() as `dtype`, to spare reading it again; or NULL.
 * valid   out: [band][row][column], 1 where it is valid, else 0.
 */
sc_status sc_chip_valid(const struct sc_chip *chip, const void *pixels, enum sc_dtype dtype,
                        uint8_t *valid, struct sc_error *err);

/* Where the pixels of chips of one shape go, one chip after the other. */
struct sc_chip_target {
  enum sc_dtype dtype;
  unsigned char *pixels;   /* sc_chip_bytes() of dtype for each chip */
  uint8_t *valid;          /* as sc_chip_valid() has it, or NULL */
  struct sc_error *errors; /* one per chip; NULL: the first failure ends the call */
};

/*
 * Read n chips at once, harmonized and scaled where the options say so.
 *
 * c  NULL on a thread that is not the connection's: the caller then says
 *    sc_scenes_forget_failed() for each chip on the one that is.
 */
sc_status sc_chips_read(struct sc_connection *c, const struct sc_chip *chips, size_t n,
                        const struct sc_chip_options *options, const struct sc_chip_target *to,
                        struct sc_error *err);

#endif
