/* Options of the pixel functions; see chip_options.h. */
#include "pixels/chip_options.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <float.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "pixels/layers.h"
#include "pixels/target.h"
#include "pixels/time_slots.h"

#include "base/alloc.h"
#include "base/buffer.h"

static const char kernels[] = "nearest|bilinear|cubic|cubicspline|lanczos|average|mode|gauss";
static const char *const kernel_names[] = {"nearest", "bilinear", "cubic", "cubicspline",
                                           "lanczos", "average",  "mode",  "gauss"};
static const char *const dtype_names[] = {NULL,      "uint8",     "int8",      "uint16", "int16",
                                          "uint32",  "int32",     "uint64",    "int64",  "float32",
                                          "float64", "complex64", "complex128"};

#define NO_SEED INT64_MIN
#define NO_CHOICE (-1)

/* What the table fills before it is checked further. */
struct raw {
  const cJSON *assets, *resampling, *stretch, *rescale, *fill, *percentiles, *stats, *classes;
  const cJSON *resolution, *bounds, *center, *size, *like, *layers, *slots;
  int format, dtype, scale, harmonize, valid, on_error, null, on_duplicate, exclude_cloud;
  int all_touched, weights, bilinear, overlay, captions;
  int64_t buffer, jitter, seed;
  const char *table, *items, *crs, *platform, *base;
};

#define AT(member) offsetof(struct raw, member)
#define DTYPES                                                                \
  "native|uint8|int8|uint16|int16|uint32|int32|uint64|int64|float32|float64|" \
  "complex64|complex128"
#define FORMATS "npy|npz|raw|geotiff=tif=tiff|png|jpeg=jpg"
/* clang-format off */
#define NAMES_FORM "a name, or an array of names"
#define KERNELS_FORM "nearest, bilinear, cubic, cubicspline, lanczos, average, mode, gauss; or an object by asset"
#define PAIR_FORM "[least, most]"
#define PICTURE "of a picture: "
#define ASSETS {"assets", SC_OPTION_JSON, AT(assets), 0, 0, NAMES_FORM, "the rule's", "asset keys, common names or band names, in output order"}
#define SCALE {"scale", SC_OPTION_BOOL, AT(scale), 0, 0, NULL, "false", "apply the asset's scale and offset; the result is float32"}
#define HARMONIZE {"harmonize", SC_OPTION_BOOL, AT(harmonize), 0, 0, NULL, "false", "bring Sentinel-2 baselines 04.00 and later to the older zero point"}
#define TABLE {"table", SC_OPTION_TEXT, AT(table), 0, 0, NULL, NULL, "where the handle is a rowid: the merged index, chips or schema.chips"}
#define EXCLUDE_CLOUD {"exclude_cloud", SC_OPTION_BOOL, AT(exclude_cloud), 0, 0, NULL, "false", "leave out the pixels that the item's mask calls cloud"}
#define RESAMPLING {"resampling", SC_OPTION_JSON, AT(resampling), 0, 0, KERNELS_FORM, "\"nearest\"", "for assets of another resolution than the grid"}
#define ITEMS {"items", SC_OPTION_TEXT, AT(items), 0, 0, NULL, "\"exported_items\"", "where the handle is a short one: the table of exported items"}
#define STRETCH {"stretch", SC_OPTION_JSON, AT(stretch), 0, 0, PAIR_FORM, "[2, 98]", PICTURE "the percentiles that become black and white"}
#define RESCALE {"rescale", SC_OPTION_JSON, AT(rescale), 0, 0, PAIR_FORM, NULL, PICTURE "the values that become black and white"}
#define COMMON \
  ASSETS, \
  RESAMPLING, \
  SCALE, HARMONIZE, \
  {"buffer", SC_OPTION_INT, AT(buffer), 0, SC_BUFFER_MAX_PX, NULL, "0", "pixels added on each side, from the neighbours"}, \
  {"fill", SC_OPTION_JSON, AT(fill), 0, 0, "a number", "nodata, else 0", "the value outside the grid"}, \
  TABLE, \
  ITEMS
#define DTYPE {"dtype", SC_OPTION_CHOICE, AT(dtype), 0, 0, DTYPES, "\"native\"", "cast to this type, with saturation"}
#define VALID {"valid", SC_OPTION_BOOL, AT(valid), 0, 0, NULL, "false", "with npz: also an array valid, true where the pixel is valid"}
#define PIXELS \
  DTYPE, VALID, \
  STRETCH, \
  RESCALE
/* Of the grid that pixels are brought to; "size" alone is that of a picture. */
#define SEED_MAX 9007199254740991 /* a whole number that JSON holds */
#define GRID \
  {"crs", SC_OPTION_TEXT, AT(crs), 0, 0, NULL, "the chip's", "the CRS of a grid of your own: an authority code, WKT or PROJJSON"}, \
  {"resolution", SC_OPTION_JSON, AT(resolution), 0, 0, "a number, or [x, y]", "the chip's", "the size of a pixel of that grid, in units of its CRS"}, \
  {"bounds", SC_OPTION_JSON, AT(bounds), 0, 0, "[least x, least y, most x, most y]", NULL, "the box of that grid, in its CRS"}, \
  {"center", SC_OPTION_JSON, AT(center), 0, 0, "[longitude, latitude]", "the chip's", "the middle of that grid, in degrees"}, \
  {"size", SC_OPTION_JSON, AT(size), 0, 0, "a whole number, or [width, height]", "the chip's", "pixels of that grid; alone, of a picture: pixels on a side"}, \
  {"jitter", SC_OPTION_INT, AT(jitter), 1, SC_BUFFER_MAX_PX, NULL, NULL, "shift the window at random by up to so many pixels"}, \
  {"seed", SC_OPTION_INT, AT(seed), -SEED_MAX, SEED_MAX, NULL, "0", "of jitter: another number, another shift"}, \
  {"layers", SC_OPTION_JSON, AT(layers), 0, 0, "an object of layers by name", NULL, "with npz: other rasters on the grid of the chip"}, \
  {"like", SC_OPTION_JSON, AT(like), 0, 0, "a handle", NULL, "exactly the grid of that chip"}
#define OVERLAY {"overlay", SC_OPTION_CHOICE, AT(overlay), 0, 0, "none|mask", "\"none\"", "of a picture: mask marks what the item's mask calls cloud"}
#define FORMAT(names) {"format", SC_OPTION_CHOICE, AT(format), 0, 0, names, "\"npy\"", "what the BLOB is; where it is the only option its name will do"}
#define ON_ERROR(choices, about) {"on_error", SC_OPTION_CHOICE, AT(on_error), 0, 0, choices, "\"abort\"", about}
#define ON_ERROR_OF_CHIP ON_ERROR("abort|null", "null: what cannot be read is NULL, in place of an error")
#define ON_ERROR_OF_GROUP ON_ERROR("abort|null|skip", "what becomes of a group with a chip that cannot be read: null, or a group without the chip")
#define NULL_ROWS {"null", SC_OPTION_CHOICE, AT(null), 0, 0, "skip|fill", "\"skip\"", "what becomes of NULL handles: left out, or kept as places without valid pixels"}
#define SOURCE \
  ASSETS, SCALE, HARMONIZE, EXCLUDE_CLOUD, \
  {"platform", SC_OPTION_TEXT, AT(platform), 0, 0, NULL, "by match", "of an item: the rule to go by"}, \
  {"base", SC_OPTION_TEXT, AT(base), 0, 0, NULL, NULL, "folder or URL for the relative hrefs of an item that is given as text"}, \
  TABLE, ON_ERROR_OF_CHIP
/* clang-format on */

static const struct sc_option chip_table[] = {
    COMMON, PIXELS, OVERLAY, GRID, FORMAT(FORMATS), ON_ERROR_OF_CHIP,
};
static const struct sc_option stack_table[] = {
    COMMON,
    PIXELS,
    OVERLAY,
    {"captions", SC_OPTION_BOOL, AT(captions), 0, 0, NULL, "false",
     "of a contact sheet: date and share of clouds below each chip"},
    GRID,
    FORMAT(FORMATS),
    ON_ERROR_OF_GROUP,
    NULL_ROWS,
    {"slots", SC_OPTION_JSON, AT(slots), 0, 0, "an array of dates and intervals", NULL,
     "exactly these dates, in this order"},
    {"on_duplicate", SC_OPTION_CHOICE, AT(on_duplicate), 0, 0, "first|error|clearest", "\"first\"",
     "which of several chips of a slot"},
};
static const struct sc_option batches_table[] = {
    COMMON, GRID, DTYPE, VALID, FORMAT("npy|npz|raw"), ON_ERROR_OF_GROUP, NULL_ROWS,
};
static const struct sc_option freeze_table[] = {COMMON, GRID, DTYPE, ON_ERROR_OF_GROUP};
static const struct sc_option composite_table[] = {
    COMMON, PIXELS, GRID, FORMAT(FORMATS), ON_ERROR_OF_GROUP,
};
static const struct sc_option stats_table[] = {
    COMMON,
    EXCLUDE_CLOUD,
    {"percentiles", SC_OPTION_JSON, AT(percentiles), 0, 0, "an array of numbers from 0 to 100",
     "[2, 25, 50, 75, 98]", "these percentiles of each band"},
    ON_ERROR_OF_GROUP,
};

static const struct sc_option zonal_table[] = {
    SOURCE,
    {"stats", SC_OPTION_NAMES, AT(stats), 0, 0, NULL, "all",
     "any of count, valid, sum, mean, std, min, max, median"},
    {"percentiles", SC_OPTION_JSON, AT(percentiles), 0, 0, "an array of numbers from 0 to 100",
     NULL, "these percentiles of each band"},
    {"classes", SC_OPTION_JSON, AT(classes), 0, 0, "true or false, or an array of values", "false",
     "the share of each value, or of those named"},
    {"all_touched", SC_OPTION_BOOL, AT(all_touched), 0, 0, NULL, "false",
     "every pixel that a geometry touches"},
    {"weights", SC_OPTION_BOOL, AT(weights), 0, 0, NULL, "false",
     "every pixel by the share of it that lies inside"},
};
static const struct sc_option sample_table[] = {
    SOURCE,
    {"resampling", SC_OPTION_CHOICE, AT(bilinear), 0, 0, "nearest|bilinear", "\"nearest\"",
     "the pixel that holds the point, or the four around it"},
};
static const struct sc_option tile_table[] = {
    {"assets", SC_OPTION_JSON, AT(assets), 0, 0, NAMES_FORM, "red, green and blue, else the rule's",
     "one asset, drawn grey, or three"},
    RESAMPLING,
    SCALE,
    HARMONIZE,
    STRETCH,
    RESCALE,
    TABLE,
    ITEMS,
    ON_ERROR_OF_GROUP,
};
static const char *const zonal_names[] = {"count", "valid", "sum", "mean",
                                          "std",   "min",   "max", "median"};
static_assert(sizeof zonal_names / sizeof *zonal_names == SC_ZONAL_N_STATS, "one name each");

const char *sc_zonal_stat_name(enum sc_zonal_stat stat) { return zonal_names[stat]; }

static int find_kernel(const cJSON *value) {
  for (int i = 0; cJSON_IsString(value) && i <= SC_GAUSS; i++) {
    if (strcmp(value->valuestring, kernel_names[i]) == 0) return i;
  }
  return -1;
}

static sc_status take_resampling(const cJSON *value, const char *what, struct sc_chip_options *out,
                                 struct sc_error *err) {
  const cJSON *entry;
  if (!value) return SC_OK;
  int kernel = find_kernel(value);
  if (kernel >= 0) {
    out->resampling = (enum sc_resampling)kernel;
    return SC_OK;
  }
  if (!cJSON_IsObject(value)) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: option 'resampling': expected one of %s, or an object of them by asset",
                   what, kernels);
  }
  cJSON_ArrayForEach(entry, value) {
    kernel = find_kernel(entry);
    if (kernel < 0) {
      return sc_fail(err, SC_BAD_ARG, "%s: option 'resampling': expected for %s one of %s", what,
                     entry->string, kernels);
    }
    if (strcmp(entry->string, "*") == 0) out->resampling = (enum sc_resampling)kernel;
  }
  out->resampling_by_asset = value;
  return SC_OK;
}

static sc_status take_pair(const cJSON *value, const char *what, const char *key, double least,
                           double most, double out[2], struct sc_error *err) {
  const cJSON *a = cJSON_GetArrayItem(value, 0), *b = cJSON_GetArrayItem(value, 1);
  if (!value) return SC_OK;
  if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) != 2 || !cJSON_IsNumber(a) ||
      !cJSON_IsNumber(b) || !(a->valuedouble < b->valuedouble) || a->valuedouble < least ||
      b->valuedouble > most) {
    char range[60] = "";
    if (most < DBL_MAX) snprintf(range, sizeof range, ", each from %g to %g", least, most);
    return sc_fail(err, SC_BAD_ARG, "%s: option '%s': expected [least, most]%s", what, key, range);
  }
  out[0] = a->valuedouble;
  out[1] = b->valuedouble;
  return SC_OK;
}

static sc_status check_assets(const cJSON *assets, const char *what, struct sc_error *err) {
  const cJSON *entry;
  if (!assets || cJSON_IsString(assets)) return SC_OK;
  int ok = cJSON_IsArray(assets) && assets->child;
  cJSON_ArrayForEach(entry, assets) ok = ok && cJSON_IsString(entry);
  if (ok) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "%s: option 'assets': expected a name or an array of names",
                 what);
}

static sc_status check_percentiles(const cJSON *list, const char *what, struct sc_error *err) {
  const cJSON *entry;
  int ok = !list || (cJSON_IsArray(list) && cJSON_GetArraySize(list) <= 100);
  cJSON_ArrayForEach(entry, list) {
    ok = ok && cJSON_IsNumber(entry) && entry->valuedouble >= 0 && entry->valuedouble <= 100;
  }
  if (ok) return SC_OK;
  return sc_fail(err, SC_BAD_ARG,
                 "%s: option 'percentiles': expected up to 100 numbers from 0 to 100", what);
}

/* Reject options that would be ignored: of pictures with other formats, and the mask without npz.
 */
static sc_status check_format(const struct raw *raw, const char *what, struct sc_error *err) {
  int is_picture = sc_format_is_picture(raw->format);
  const char *ignored = is_picture     ? NULL
                        : raw->stretch ? "stretch"
                        : raw->rescale ? "rescale"
                        : raw->overlay  ? "overlay"
                        : raw->captions ? "captions"
                                       : NULL;
  if (ignored)
    return sc_fail(err, SC_BAD_ARG, "%s: option '%s' is for the formats png and jpeg", what,
                   ignored);
  if (raw->layers && raw->format != SC_FORMAT_NPZ)
    return sc_fail(err, SC_BAD_ARG, "%s: option 'layers' is for the format npz", what);
  if (raw->valid && raw->format != SC_FORMAT_NPZ)
    return sc_fail(err, SC_BAD_ARG, "%s: option 'valid' is for the format npz", what);
  if (!raw->stretch || !raw->rescale) return SC_OK;
  return sc_fail(err, SC_BAD_ARG, "%s: options 'stretch' and 'rescale' exclude each other", what);
}

/* "size" alone is that of a picture, a number; beside others of the grid it is theirs. */
static sc_status take_grid(const struct raw *raw, const char *what, struct sc_chip_options *out,
                           struct sc_error *err) {
  struct sc_target_raw grid = {raw->crs,    raw->resolution, raw->bounds,
                               raw->center, raw->size,       raw->like};
  out->target.jitter_px = raw->jitter;
  out->target.seed = raw->seed == NO_SEED ? 0 : raw->seed;
  if (raw->seed != NO_SEED && !raw->jitter) {
    return sc_fail(err, SC_BAD_ARG, "%s: option 'seed' is for 'jitter', which is not there", what);
  }
  int is_alone =
      raw->size && !raw->crs && !raw->resolution && !raw->bounds && !raw->center && !raw->like;
  if (is_alone && !sc_format_is_picture(raw->format)) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: option 'size' alone is for the formats png and jpeg; of a grid give also "
                   "'crs', 'resolution', 'bounds' or 'center'",
                   what);
  }
  sc_status st = sc_target_read(&grid, what, &out->target, err);
  if (st || !is_alone) return st;
  out->target.is_set = out->target.size[0] = out->target.size[1] = 0;
  double size = cJSON_IsNumber(raw->size) ? raw->size->valuedouble : 0;
  if (!(size > 0))
    return sc_option_fail(err, what, "size", raw->size, "a whole number from 1 to 16384");
  out->size_px = (int64_t)size;
  return SC_OK;
}

/* The statistics named; all where none is. */
static sc_status take_stats(const cJSON *names, const char *what, struct sc_chip_options *out,
                            struct sc_error *err) {
  out->stats = names ? 0 : (1u << SC_ZONAL_N_STATS) - 1;
  for (int i = 0; i < sc_names_count(names); i++) {
    int k = 0;
    while (k < SC_ZONAL_N_STATS && strcmp(zonal_names[k], sc_names_at(names, i)) != 0) k++;
    if (k == SC_ZONAL_N_STATS)
      return sc_option_fail_choice(err, what, "stats", names, SC_ZONAL_STATS);
    out->stats |= 1u << k;
  }
  return SC_OK;
}

static sc_status take_classes(const cJSON *classes, const char *what, struct sc_chip_options *out,
                              struct sc_error *err) {
  const cJSON *entry;
  int ok = !classes || cJSON_IsBool(classes) ||
           (cJSON_IsArray(classes) && cJSON_GetArraySize(classes) <= SC_ZONAL_MAX_CLASSES);
  cJSON_ArrayForEach(entry, classes) ok = ok && cJSON_IsNumber(entry);
  if (!ok) {
    return sc_option_fail(err, what, "classes", classes, "true, or an array of up to %d numbers",
                          SC_ZONAL_MAX_CLASSES);
  }
  out->classes = classes && !cJSON_IsFalse(classes);
  out->class_list = cJSON_IsArray(classes) ? classes : NULL;
  return SC_OK;
}

static sc_status take_place(const struct raw *raw, const char *what, struct sc_chip_options *out,
                            struct sc_error *err) {
  out->platform = raw->platform;
  out->base = raw->base;
  out->all_touched = raw->all_touched;
  out->weights = raw->weights;
  out->bilinear = raw->bilinear;
  if (raw->all_touched && raw->weights) {
    return sc_fail(err, SC_BAD_ARG, "%s: options 'all_touched' and 'weights' exclude each other",
                   what);
  }
  sc_status st = take_stats(raw->stats, what, out, err);
  return st ? st : take_classes(raw->classes, what, out, err);
}

/* Places of their own, which NULL rows have none of. */
static sc_status take_slots(const struct raw *raw, const char *what, struct sc_chip_options *out,
                            struct sc_error *err) {
  if (!raw->slots && raw->on_duplicate != NO_CHOICE) {
    return sc_fail(err, SC_BAD_ARG, "%s: option 'on_duplicate' is for 'slots', which is not there",
                   what);
  }
  if (!raw->slots) return SC_OK;
  if (raw->null == SC_NULL_FILL) {
    return sc_fail(err, SC_BAD_ARG,
                   "%s: options 'slots' and 'null': 'fill' exclude each other: NULL rows have no "
                   "date",
                   what);
  }
  if (raw->on_duplicate != NO_CHOICE) out->on_duplicate = raw->on_duplicate;
  return sc_time_slots_read(raw->slots, what, &out->slots, &out->n_slots, err);
}

static sc_status take(const struct raw *raw, const char *what, struct sc_chip_options *out,
                      struct sc_error *err) {
  out->assets = raw->assets;
  out->percentiles = raw->percentiles;
  out->format = raw->format;
  out->dtype = raw->dtype;
  out->scale = raw->scale;
  out->harmonize = raw->harmonize;
  out->valid = raw->valid;
  out->buffer_px = raw->buffer;
  out->on_error = raw->on_error;
  out->null = raw->null;
  out->table = raw->table;
  out->items = raw->items;
  out->exclude_cloud = raw->exclude_cloud;
  out->overlay_mask = raw->overlay == 1;
  out->captions = raw->captions;
  out->has_fill = raw->fill != NULL;
  out->has_rescale = raw->rescale != NULL;
  if (raw->fill && !cJSON_IsNumber(raw->fill)) {
    return sc_fail(err, SC_BAD_ARG, "%s: option 'fill': expected a number", what);
  }
  if (raw->fill) out->fill = raw->fill->valuedouble;
  sc_status st = check_format(raw, what, err);
  if (!st) st = take_grid(raw, what, out, err);
  if (!st) st = sc_layers_read_option(raw->layers, what, &out->layers, &out->n_layers, err);
  if (!st) st = take_slots(raw, what, out, err);
  if (!st) st = check_assets(raw->assets, what, err);
  if (!st) st = take_place(raw, what, out, err);
  if (!st) st = take_resampling(raw->resampling, what, out, err);
  if (!st) st = take_pair(raw->stretch, what, "stretch", 0, 100, out->stretch, err);
  if (!st) st = take_pair(raw->rescale, what, "rescale", -DBL_MAX, DBL_MAX, out->rescale, err);
  return st ? st : check_percentiles(raw->percentiles, what, err);
}

static const char *const functions[] = {
    [SC_OPTIONS_CHIP] = "stacchip_chip",           [SC_OPTIONS_STACK] = "stacchip_stack",
    [SC_OPTIONS_STATS] = "stacchip_band_stats",    [SC_OPTIONS_BATCHES] = "stacchip_batches",
    [SC_OPTIONS_COMPOSITE] = "stacchip_composite", [SC_OPTIONS_ZONAL] = "stacchip_zonal",
    [SC_OPTIONS_SAMPLE] = "stacchip_sample",       [SC_OPTIONS_TILE] = "stacchip_tile",
    [SC_OPTIONS_FREEZE] = "stacchip_freeze",
};
const struct sc_option_table sc_chip_option_tables[] = {
    [SC_OPTIONS_CHIP] = SC_OPTION_TABLE(chip_table),
    [SC_OPTIONS_STACK] = SC_OPTION_TABLE(stack_table),
    [SC_OPTIONS_STATS] = SC_OPTION_TABLE(stats_table),
    [SC_OPTIONS_BATCHES] = SC_OPTION_TABLE(batches_table),
    [SC_OPTIONS_COMPOSITE] = SC_OPTION_TABLE(composite_table),
    [SC_OPTIONS_ZONAL] = SC_OPTION_TABLE(zonal_table),
    [SC_OPTIONS_SAMPLE] = SC_OPTION_TABLE(sample_table),
    [SC_OPTIONS_TILE] = SC_OPTION_TABLE(tile_table),
    [SC_OPTIONS_FREEZE] = SC_OPTION_TABLE(freeze_table),
};

const char *sc_options_function(enum sc_options_of function) { return functions[function]; }

/* A word alone, 'png', is short for {"format": "png"}. */
static sc_status spell_out(const char *text, struct sc_buffer *out, struct sc_error *err) {
  size_t letters =
      text ? strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") : 0;
  if (letters == 0 || text[letters]) return SC_OK;
  return sc_buffer_printf(out, err, "{\"format\":\"%s\"}", text);
}

sc_status sc_chip_options_parse(const char *text, enum sc_options_of function,
                                struct sc_chip_options *out, struct sc_error *err) {
  return sc_chip_options_parse_with(text, function, NULL, out, err);
}

sc_status sc_chip_options_parse_with(const char *text, enum sc_options_of function,
                                     const struct sc_option_set *own, struct sc_chip_options *out,
                                     struct sc_error *err) {
  struct raw raw = {.seed = NO_SEED, .on_duplicate = NO_CHOICE};
  if (function == SC_OPTIONS_FREEZE) raw.format = SC_FORMAT_NPZ; /* arrays that have names */
  if (function == SC_OPTIONS_TILE) raw.format = SC_FORMAT_PNG;
  memset(out, 0, sizeof *out);
  out->stretch[0] = 2;
  out->stretch[1] = 98;
  const struct sc_option_table *table = &sc_chip_option_tables[function];
  const struct sc_option_set set = {table->rows, table->n, &raw, own};
  int has_formats = function == SC_OPTIONS_CHIP || function == SC_OPTIONS_STACK ||
                    function == SC_OPTIONS_BATCHES || function == SC_OPTIONS_COMPOSITE;
  struct sc_buffer spelled = {0};
  sc_status st = !has_formats ? SC_OK : spell_out(text, &spelled, err);
  if (!st) {
    st = sc_options_parse(spelled.size ? (const char *)spelled.data : text, functions[function],
                          &set, &out->json, err);
  }
  sc_buffer_free(&spelled);
  if (!st) st = take(&raw, functions[function], out, err);
  if (st) sc_chip_options_free(out);
  return st;
}

sc_status sc_chip_options_of_layer(const struct sc_chip_layer_raw *raw, const char *what,
                                   struct sc_chip_options *out, struct sc_error *err) {
  out->assets = raw->assets;
  out->has_fill = raw->fill != NULL;
  if (raw->fill && !cJSON_IsNumber(raw->fill))
    return sc_option_fail(err, what, "fill", raw->fill, "a number");
  if (raw->fill) out->fill = raw->fill->valuedouble;
  sc_status st = check_assets(raw->assets, what, err);
  return st ? st : take_resampling(raw->resampling, what, out, err);
}

void sc_chip_options_free(struct sc_chip_options *options) {
  sc_layers_free(options->layers, options->n_layers);
  options->layers = NULL;
  options->n_layers = 0;
  sc_free(options->slots);
  options->slots = NULL;
  options->n_slots = 0;
  sc_options_free(&options->json);
}

int sc_on_error_applies(sc_status st) {
  return st != SC_OK && st != SC_NOMEM && st != SC_INTERRUPT && st != SC_BAD_ARG;
}

const char *sc_dtype_name(enum sc_dtype dtype) { return dtype_names[dtype]; }

const char *sc_resampling_name(enum sc_resampling kernel) { return kernel_names[kernel]; }

enum sc_resampling sc_chip_options_kernel(const cJSON *entry) {
  return (enum sc_resampling)find_kernel(entry);
}
