/* Options of stacchip_chip(), stacchip_stack(), stacchip_batches(), stacchip_freeze(),
 * stacchip_band_stats(), stacchip_zonal(), stacchip_sample() and stacchip_tile(). */
#ifndef SC_PIXELS_CHIP_OPTIONS_H
#define SC_PIXELS_CHIP_OPTIONS_H

#include "base/options.h"
#include "base/status.h"
#include "raster/raster_api.h"

enum sc_format {
  SC_FORMAT_NPY = 0,
  SC_FORMAT_NPZ,
  SC_FORMAT_RAW,
  SC_FORMAT_GEOTIFF,
  SC_FORMAT_PNG,
  SC_FORMAT_JPEG
};
static inline int sc_format_is_picture(int format) {
  return format == SC_FORMAT_PNG || format == SC_FORMAT_JPEG;
}

enum sc_on_error { SC_ON_ERROR_ABORT = 0, SC_ON_ERROR_NULL, SC_ON_ERROR_SKIP };

enum sc_null { SC_NULL_SKIP = 0, SC_NULL_FILL };

/* Which of the chips of a slot takes it. */
enum sc_on_duplicate { SC_DUPLICATE_FIRST = 0, SC_DUPLICATE_ERROR, SC_DUPLICATE_CLEAREST };

#define SC_BUFFER_MAX_PX 4096

/* Of the grid that pixels are brought to (target.h); what is borrowed is of the options' JSON. */
struct sc_target_options {
  int is_set;
  const char *crs; /* NULL: the chip's */
  int has_resolution, has_bounds, has_center;
  double resolution[2];     /* x and y, units of the CRS */
  double bounds[4];         /* least x, least y, most x, most y, in the CRS */
  double center[2];         /* longitude, latitude */
  int size[2];              /* width and height, pixels; 0: not said */
  const struct cJSON *like; /* a handle: exactly its grid, and nothing else is said; or NULL */
  int64_t jitter_px, seed;  /* a shift of the window by up to so many pixels; also of own grids */
};

struct sc_layer;
struct sc_time_slot;

/* Zeroed is all defaults but for stretch; sc_chip_options_parse() sets those. */
struct sc_chip_options {
  struct sc_options json;                  /* owns what the others borrow */
  const struct cJSON *assets;              /* text or array of texts; NULL: the rule's */
  const struct cJSON *resampling_by_asset; /* object, or NULL */
  enum sc_resampling resampling;           /* of assets that the object does not name */
  int format;                              /* enum sc_format */
  int dtype;                               /* enum sc_dtype; 0 native */
  int scale, harmonize, valid;
  int64_t buffer_px;
  int has_fill;
  double fill;
  double stretch[2]; /* percentiles 0..100 */
  int has_rescale;
  double rescale[2];               /* absolute */
  int64_t size_px;                 /* of a picture; 0: of the chip */
  int overlay_mask;                /* of a picture: clouds are marked */
  int captions;                    /* of a contact sheet: date and share of clouds below each chip */
  struct sc_target_options target; /* the grid asked for */
  struct sc_layer *layers;         /* pixels/layers.h; owned */
  int n_layers;
  int on_error;                    /* enum sc_on_error */
  int null;                        /* enum sc_null: what becomes of a NULL handle among others */
  struct sc_time_slot *slots;      /* stacchip_stack: pixels/time_slots.h; n_slots, owned */
  size_t n_slots;                  /* 0: a chip for each row */
  int on_duplicate;                /* enum sc_on_duplicate */
  const char *table;               /* of an integer handle */
  const char *items;               /* table of exported items, of short handles; or NULL */
  int exclude_cloud;               /* statistics */
  const struct cJSON *percentiles; /* statistics: array of 0..100, or NULL */
  const char *platform, *base;     /* of a source that is an item; or NULL */
  unsigned stats;                  /* stacchip_zonal: bits 1 << enum sc_zonal_stat */
  int classes;                     /* stacchip_zonal: their shares are wanted ... */
  const struct cJSON *class_list;  /* ... of these numbers, or (NULL) of all values */
  int all_touched, weights;        /* stacchip_zonal */
  int bilinear;                    /* stacchip_sample */
};

/* In the order of their names in SC_ZONAL_STATS. */
enum sc_zonal_stat {
  SC_ZONAL_COUNT,
  SC_ZONAL_VALID,
  SC_ZONAL_SUM,
  SC_ZONAL_MEAN,
  SC_ZONAL_STD,
  SC_ZONAL_MIN,
  SC_ZONAL_MAX,
  SC_ZONAL_MEDIAN,
  SC_ZONAL_N_STATS
};
#define SC_ZONAL_STATS "count|valid|sum|mean|std|min|max|median"
/* "count" ...; static. */
const char *sc_zonal_stat_name(enum sc_zonal_stat stat);

#define SC_ZONAL_MAX_CLASSES 65536 /* of one band and geometry */

enum sc_options_of {
  SC_OPTIONS_CHIP,
  SC_OPTIONS_STACK,
  SC_OPTIONS_STATS,
  SC_OPTIONS_BATCHES,
  SC_OPTIONS_FREEZE,
  SC_OPTIONS_COMPOSITE,
  SC_OPTIONS_ZONAL,
  SC_OPTIONS_SAMPLE,
  SC_OPTIONS_TILE
};
/* Their options, by that enum, for help. */
extern const struct sc_option_table sc_chip_option_tables[];
/* "stacchip_chip" ...; static. */
const char *sc_options_function(enum sc_options_of function);

/* Parse; text NULL means no options. An unknown key is an error that lists what is allowed. Free
 * with sc_chip_options_free(). */
sc_status sc_chip_options_parse(const char *text, enum sc_options_of function,
                                struct sc_chip_options *out, struct sc_error *err);
/* The same for a function with further options of its own: see base/options.h. */
sc_status sc_chip_options_parse_with(const char *text, enum sc_options_of function,
                                     const struct sc_option_set *own, struct sc_chip_options *out,
                                     struct sc_error *err);
void sc_chip_options_free(struct sc_chip_options *options);

/* The options of a layer's chips, from JSON that it borrows. what: the layer, for errors. */
struct sc_chip_layer_raw {
  const struct cJSON *assets, *resampling, *fill;
};
sc_status sc_chip_options_of_layer(const struct sc_chip_layer_raw *raw, const char *what,
                                   struct sc_chip_options *out, struct sc_error *err);

/* Is a status the failure of one chip, which `on_error` may make NULL or leave out? Wrong
 * arguments, lack of memory and interrupts are not. */
int sc_on_error_applies(sc_status status);

/* "uint16" ...; NULL for SC_DTYPE_NONE. */
const char *sc_dtype_name(enum sc_dtype dtype);

/* "nearest" ...; static. */
const char *sc_resampling_name(enum sc_resampling kernel);

/* The kernel of an entry of resampling_by_asset. */
enum sc_resampling sc_chip_options_kernel(const struct cJSON *entry);

#endif
