/* Sentinel-2's radiometric offset; see harmonize.h. */
#include "pixels/harmonize.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

#define OFFSET 1000.0
#define VIEW_PX 256
#define MIDDLE_PX 2048
#define DARK_SHARE 0.001

/* The whole number of a baseline "05.10" or "0510"; 0 of another text. */
static int whole_number(const char *text) {
  size_t n = strspn(text, "0123456789");
  long v = strtol(text, NULL, 10);
  return (int)(n == 4 ? v / 100 : n > 0 && n <= 2 ? v : 0);
}

/* The processing baseline, 5 of 05.10; 0 where nothing says it. */
static int baseline(const struct sc_item *item) {
  static const char *const keys[] = {"s2:processing_baseline", "sentinel:processing_baseline",
                                     "sentinel2:processing_baseline", "processing:version"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(item->properties, keys[i]);
    if (cJSON_IsString(v)) return whole_number(v->valuestring);
    if (cJSON_IsNumber(v)) return v->valueint;
  }
  const char *n = strstr(item->id, "_N0");
  return n && strspn(n + 2, "0123456789") == 4 ? whole_number(n + 2) : 0;
}

static int is_sentinel_2(const struct sc_item *item) {
  const char *constellation = sc_json_text(item->properties, "constellation");
  const char *platform = sc_json_text(item->properties, "platform");
  return (constellation && strncasecmp(constellation, "sentinel", 8) == 0 &&
          strchr(constellation, '2')) ||
         (platform && strncasecmp(platform, "sentinel-2", 10) == 0) ||
         strncmp(item->id, "S2", 2) == 0;
}

/* Reflectance bands only: SCL, AOT and WVP have no offset. */
static int is_reflectance(const struct sc_chip_band *b) {
  static const char *const others[] = {"scl",   "aot",  "wvp", "visual",
                                       "cloud", "snow", "cld", "snw"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (strncasecmp(b->key, others[i], strlen(others[i])) == 0) return 0;
  }
  return b->dtype == SC_DTYPE_U16;
}

/* Look at a coarse view of the whole file; of its middle where each pixel of such a view would
 * cost a block. */
static sc_status looks_shifted(const struct sc_chip_band *b, int *shifted, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  const struct sc_raster_info *info = &b->asset->info;
  uint16_t *view = sc_alloc(VIEW_PX * VIEW_PX * sizeof *view);
  size_t n_valid = 0, n_dark = 0;
  if (!raster || !view) return raster ? sc_fail_nomem(err) : err->status;
  double width = info->has_overviews ? info->width : fmin(info->width, MIDDLE_PX);
  double height = info->has_overviews ? info->height : fmin(info->height, MIDDLE_PX);
  struct sc_read r = {.source = &b->asset->source,
                      .band = b->band,
                      .x = floor((info->width - width) / 2),
                      .y = floor((info->height - height) / 2),
                      .width = width,
                      .height = height,
                      .out_width = VIEW_PX,
                      .out_height = VIEW_PX,
                      .coarse = info->has_overviews,
                      .dtype = SC_DTYPE_U16,
                      .out = view,
                      .row_bytes = VIEW_PX * sizeof *view};
  sc_status st = raster->read(&r, 1, NULL, NULL, err);
  for (size_t i = 0; i < VIEW_PX * VIEW_PX && !st; i++) {
    n_valid += view[i] != 0;
    n_dark += view[i] != 0 && view[i] < OFFSET;
  }
  *shifted = (double)n_dark <= DARK_SHARE * (double)n_valid;
  sc_free(view);
  return st;
}

static int says_applied(const struct sc_item *item) {
  static const char *const keys[] = {"earthsearch:boa_offset_applied",
                                     "sentinel:boa_offset_applied", "s2:boa_offset_applied"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item->properties, keys[i]))) return 1;
  }
  return 0;
}

sc_status sc_harmonize_find(struct sc_chip *chip, struct sc_error *err) {
  struct sc_open_scene *scene = chip->scene;
  const struct sc_item *item = &scene->scene.item;
  if (!is_sentinel_2(item) || baseline(item) < 4) return SC_OK;
  for (int i = 0; i < chip->n_bands; i++) {
    struct sc_chip_band *b = &chip->bands[i];
    if (!is_reflectance(b)) continue;
    if (!scene->is_judged) {
      scene->is_shifted = 1;
      sc_status st = says_applied(item) ? looks_shifted(b, &scene->is_shifted, err) : SC_OK;
      if (st) return st;
      scene->is_judged = 1;
    }
    b->shift = scene->is_shifted ? OFFSET : 0;
  }
  return SC_OK;
}
