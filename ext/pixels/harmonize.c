/* Sentinel-2's radiometric offset; see harmonize.h. */
#include "pixels/harmonize.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/db.h"

#define OFFSET 1000.0
#define VIEW_PX 256
#define N_SPOTS 3
#define DARK_SHARE 0.001
#define EDGE 100.0 /* reflectances below 0.01 lie so far above the offset */

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
static int is_reflectance(const char *key, enum sc_dtype dtype) {
  static const char *const others[] = {"scl",   "aot",  "wvp", "visual",
                                       "cloud", "snow", "cld", "snw"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (strncasecmp(key, others[i], strlen(others[i])) == 0) return 0;
  }
  return dtype == SC_DTYPE_U16;
}

/* Pixels that were looked at. */
struct seen {
  double valid, below, just_above; /* the offset: see weigh() */
};

/* A window of the file, thinned. */
static sc_status look(struct sc_connection *c, const struct sc_opened_asset *a, struct sc_read *r,
                      struct seen *seen, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  size_t n = (size_t)r->out_width * (size_t)r->out_height;
  uint16_t *view = sc_alloc(n * sizeof *view);
  if (!view) return sc_fail_nomem(err);
  r->source = &a->source;
  r->band = 1;
  r->dtype = SC_DTYPE_U16;
  r->out = view;
  r->row_bytes = (size_t)r->out_width * sizeof *view;
  sc_status st = raster->read(r, 1, sc_db_interrupted, c->db, err);
  for (size_t i = 0; i < n && !st; i++) {
    seen->valid += view[i] != 0;
    seen->below += view[i] != 0 && view[i] < OFFSET;
    seen->just_above += view[i] >= OFFSET && view[i] < OFFSET + EDGE;
  }
  sc_free(view);
  return st;
}

/* Looks at an overview of all, or where the file has none at N_SPOTS x N_SPOTS spots of it, evenly
 * spread. */
static sc_status look_over(struct sc_connection *c, const struct sc_opened_asset *a,
                           struct seen *seen, struct sc_error *err) {
  const struct sc_raster_info *info = &a->info;
  sc_status st = SC_OK;
  int n = info->has_overviews ? 1 : N_SPOTS;
  double w = info->has_overviews ? info->width : fmin(info->width, VIEW_PX);
  double h = info->has_overviews ? info->height : fmin(info->height, VIEW_PX);
  for (int i = 0; i < n * n && !st; i++) {
    struct sc_read r = {.x = n > 1 ? floor((info->width - w) * (i % n) / (n - 1)) : 0,
                        .y = n > 1 ? floor((info->height - h) * (i / n) / (n - 1)) : 0,
                        .width = w,
                        .height = h,
                        .out_width = (int)fmin(w, VIEW_PX),
                        .out_height = (int)fmin(h, VIEW_PX),
                        .coarse = info->has_overviews};
    st = look(c, a, &r, seen, err);
  }
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

static int is_reflectance_file(const struct sc_opened_asset *a, const char *key) {
  return a->info.n_bands == 1 && is_reflectance(key, a->info.bands[0].dtype);
}

enum proof { PROVES_NOTHING, PROVES_OFF, PROVES_ON };

/*
 * Pixels below the offset, more than noise makes, prove that it is off. Where none are, and the
 * values begin at the offset (water and shadow, moved up), it is on. A bright scene proves nothing.
 */
static enum proof weigh(const struct seen *seen) {
  if (seen->below > DARK_SHARE * seen->valid) return PROVES_OFF;
  return seen->just_above > DARK_SHARE * seen->valid ? PROVES_ON : PROVES_NOTHING;
}

/*
 * What do the pixels prove? Of the scene's own bands the first and the last are
 * looked at (blue, and the infrared in which water is dark), whichever a chip asks for: the answer
 * must not depend on that. One that cannot be opened proves nothing.
 */
static sc_status find_proof(struct sc_connection *c, struct sc_cached_scene *scene, enum proof *out,
                            struct sc_error *err) {
  const struct sc_scene *s = &scene->scene;
  *out = PROVES_NOTHING;
  for (int backwards = 0; backwards < 2 && *out != PROVES_OFF; backwards++) {
    for (size_t i = 0; i < s->n_assets; i++) {
      const struct sc_asset *asset = s->assets[backwards ? s->n_assets - 1 - i : i].asset;
      struct sc_opened_asset *opened;
      struct sc_error own = {0};
      struct seen seen = {0, 0, 0};
      if (!is_reflectance(asset->key, SC_DTYPE_U16)) continue;
      sc_status st = sc_scenes_asset(c, scene, asset, &opened, &own);
      if (!st && !is_reflectance_file(opened, asset->key)) continue;
      if (!st) st = look_over(c, opened, &seen, &own);
      if (!st && *out == PROVES_NOTHING) *out = weigh(&seen);
      if (!st && weigh(&seen) == PROVES_OFF) *out = PROVES_OFF;
      if (st == SC_NOMEM || st == SC_INTERRUPT) {
        *err = own;
        return st;
      }
      break;
    }
  }
  return SC_OK;
}

/* Do the scene's files carry the offset, if its baseline or item says so? */
static sc_status find_shift(struct sc_connection *c, struct sc_cached_scene *scene,
                            struct sc_error *err) {
  enum proof proof;
  if (scene->shift_is_known) return SC_OK;
  sc_status st = find_proof(c, scene, &proof, err);
  if (st) return st;
  scene->is_shifted =
      proof == PROVES_NOTHING ? !says_applied(&scene->scene.item) : proof == PROVES_ON;
  scene->shift_is_known = 1;
  return SC_OK;
}

/* Is the offset that the item states the one that the baseline moved the zero by? */
static int states_offset(const struct sc_chip_band *b) {
  return b->offset != 0 && fabs(b->offset + OFFSET * b->scale) < 1e-6 * fabs(b->offset);
}

sc_status sc_harmonize_find(struct sc_connection *c, struct sc_chip *chip, int harmonize,
                            struct sc_error *err) {
  const struct sc_item *item = &chip->scene->item;
  if (!is_sentinel_2(item)) return SC_OK;
  int version = baseline(item);
  for (int i = 0; i < chip->n_bands; i++) {
    struct sc_chip_band *b = &chip->bands[i];
    int states = states_offset(b), may = version >= 4 || (version == 0 && states);
    if (!is_reflectance(b->key, b->dtype) || (!harmonize && !states)) continue;
    sc_status st = may ? find_shift(c, chip->cached, err) : SC_OK;
    if (st) return st;
    int is_shifted = may && chip->cached->is_shifted;
    if (harmonize && is_shifted) b->shift = OFFSET;
    if (states && !is_shifted) b->offset = 0;
  }
  return SC_OK;
}
