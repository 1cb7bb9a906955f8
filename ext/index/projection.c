/* The grid of an item; see projection.h. */
#include "index/projection.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "raster/raster_api.h"
#include "stac/formats.h"
#include "store/access.h"

/* The first member of `object` among the CRS fields that is stated (not null). */
static const cJSON *stated_crs(const cJSON *object) {
  static const char *const keys[] = {"proj:code", "proj:epsg", "proj:wkt2", "proj:projjson"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, keys[i]);
    if (value && !cJSON_IsNull(value)) return value;
  }
  return NULL;
}

static sc_status crs_from_number(const cJSON *value, char **out, struct sc_error *err) {
  double code = value->valuedouble;
  if (code != floor(code) || code < 1 || code > 1e9) {
    return sc_fail(err, SC_BAD_DATA, "unknown CRS: EPSG code %.15g", code);
  }
  return sc_format(out, err, "EPSG:%.0f", code);
}

/*
 * What a CRS text names where it is a code in one of its spellings: "epsg:32720",
 * "urn:ogc:def:crs:EPSG::32720" (OGC 07-092r3), "http://www.opengis.net/def/crs/EPSG/0/32720"
 * (OGC 09-048r6). One spelling, "EPSG:32720", so that one system is one text. Returns 0 for others.
 */
static int read_code(const char *text, char authority[16], char code[32]) {
  static const char *const forms[] = {
      " urn:ogc:def:crs:%15[A-Za-z]:%*[0-9.]:%31[A-Za-z0-9] %n",
      " urn:ogc:def:crs:%15[A-Za-z]::%31[A-Za-z0-9] %n",
      " http%*[s:]//www.opengis.net/def/crs/%15[A-Za-z]/%*[0-9.]/%31[A-Za-z0-9] %n",
      " %15[A-Za-z]: %31[A-Za-z0-9] %n",
  };
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    int used = 0;
    if (sscanf(text, forms[i], authority, code, &used) == 2 && used && !text[used]) return 1;
  }
  return 0;
}

/* What PROJ takes in is slow by the megabyte; the longest CRSs that are known have some 20 KB. */
#define CRS_MAX_BYTES (256 << 10)

static sc_status check_length(const char *text, struct sc_error *err) {
  size_t n = strlen(text);
  if (n <= CRS_MAX_BYTES) return SC_OK;
  return sc_fail(err, SC_TOO_BIG, "its CRS is a text of %zu bytes; the limit is %d", n,
                 CRS_MAX_BYTES);
}

static sc_status crs_from_text(const char *text, char **out, struct sc_error *err) {
  char authority[16], code[32];
  if (check_length(text, err)) return err->status;
  if (*text && text[strspn(text, "0123456789")] == '\0')
    return sc_format(out, err, "EPSG:%s", text);
  if (!read_code(text, authority, code)) return sc_strdup(text, out, err);
  for (char *p = authority; *p; p++) *p = (char)toupper((unsigned char)*p);
  return sc_format(out, err, "%s:%s", authority, code);
}

static sc_status crs_from_json(const cJSON *value, char **out, struct sc_error *err) {
  *out = NULL;
  if (cJSON_IsNumber(value)) return crs_from_number(value, out, err);
  if (cJSON_IsString(value)) return crs_from_text(value->valuestring, out, err);
  if (cJSON_IsObject(value)) {
    char *text = cJSON_PrintUnformatted(value);
    if (!text) return sc_fail_nomem(err);
    sc_status st = check_length(text, err);
    if (!st) st = sc_strdup(text, out, err);
    cJSON_free(text);
    return st;
  }
  return sc_fail(err, SC_BAD_DATA, "unknown CRS: %s is neither code, WKT2 nor PROJJSON",
                 value->string);
}

/* An array of numbers with at least `least` entries; returns their count, 0 where it is something
 * else. */
static int read_numbers(const cJSON *array, double *out, int least, int most) {
  const cJSON *value;
  int n = 0;
  if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) > most) return 0;
  cJSON_ArrayForEach(value, array) {
    if (!cJSON_IsNumber(value)) return 0;
    out[n++] = value->valuedouble;
  }
  return n >= least ? n : 0;
}

static sc_status fail_field(const cJSON *value, const char *expected, struct sc_error *err) {
  char *text = cJSON_PrintUnformatted(value);
  sc_fail_text(err, SC_BAD_DATA, "%s: expected %s, found %.100s", value->string, expected,
               text ? text : "");
  cJSON_free(text);
  return SC_BAD_DATA;
}

static sc_status read_shape(const cJSON *object, struct sc_projection *out, struct sc_error *err) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "proj:shape");
  double n[2];
  if (!value || cJSON_IsNull(value)) return SC_OK;
  if (read_numbers(value, n, 2, 2) != 2 || n[0] != floor(n[0]) || n[1] != floor(n[1]) ||
      !(n[0] >= 1 && n[0] <= SC_GRID_MAX_PX) || !(n[1] >= 1 && n[1] <= SC_GRID_MAX_PX)) {
    return fail_field(value, "[rows, columns], each a whole number from 1 to 100000000", err);
  }
  out->rows = (int64_t)n[0];
  out->columns = (int64_t)n[1];
  out->has_shape = 1;
  return SC_OK;
}

static sc_status read_transform(const cJSON *object, struct sc_projection *out,
                                struct sc_error *err) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "proj:transform");
  double t[9];
  if (!value || cJSON_IsNull(value)) return SC_OK;
  int n = read_numbers(value, t, 6, 9);
  if ((n != 6 && n != 9) || (n == 9 && (t[6] != 0 || t[7] != 0 || t[8] != 1)) ||
      !(fabs(t[0] * t[4] - t[1] * t[3]) > 0)) {
    return fail_field(value, "six numbers (or nine, the last 0, 0, 1) that give pixels an area",
                      err);
  }
  memcpy(out->transform, t, sizeof out->transform);
  out->has_transform = 1;
  return SC_OK;
}

sc_status sc_projection_read(const struct sc_item *item, const struct sc_asset *asset,
                             struct sc_projection *out, struct sc_error *err) {
  const cJSON *crs = stated_crs(asset->json);
  memset(out, 0, sizeof *out);
  out->from = SC_GRID_FROM_ASSET;
  if (!crs) crs = stated_crs(item->properties);
  sc_status st = crs ? crs_from_json(crs, &out->crs, err) : SC_OK;
  if (!st) st = read_shape(asset->json, out, err);
  if (!st) st = read_transform(asset->json, out, err);
  if (!st && !out->has_transform) {
    out->from = SC_GRID_FROM_ITEM;
    st = read_transform(item->properties, out, err);
  }
  if (!st && !out->has_shape) st = read_shape(item->properties, out, err);
  if (st) {
    sc_free(out->crs);
    out->crs = NULL;
    return sc_fail_within(err, "item %s: asset %s", item->id, asset->key);
  }
  return SC_OK;
}

static double pixel_area(const double t[6]) { return fabs(t[0] * t[4] - t[1] * t[3]); }

/* The best grid so far of a search. */
struct best {
  struct sc_grid *grid;
  struct sc_grid_source *source;
  double area; /* HUGE_VAL: none yet */
};

/* Take a grid if its pixels are smaller; `crs` passes to the grid. */
static void offer(struct best *best, char **crs, const double transform[6], int64_t rows,
                  int64_t columns, size_t asset, enum sc_grid_from from) {
  double area = pixel_area(transform);
  if (!(area < best->area)) return;
  best->area = area;
  sc_grid_free(best->grid);
  best->grid->crs = *crs;
  *crs = NULL;
  memcpy(best->grid->transform, transform, sizeof best->grid->transform);
  best->grid->height_px = rows;
  best->grid->width_px = columns;
  *best->source = (struct sc_grid_source){asset, from};
}

static sc_status offer_stated(const struct sc_item *item, size_t i, const int64_t shape[2],
                              struct best *best, struct sc_error *err) {
  struct sc_projection p;
  sc_status st = sc_projection_read(item, &item->assets[i], &p, err);
  if (st) return st;
  if (!p.has_shape && shape && shape[0] > 0) {
    p.rows = shape[0];
    p.columns = shape[1];
    p.has_shape = 1;
  }
  if (p.crs && p.has_shape && p.has_transform) {
    offer(best, &p.crs, p.transform, p.rows, p.columns, i, p.from);
  }
  sc_free(p.crs);
  return SC_OK;
}

const char *sc_projection_bent_shown(unsigned placed_by, char *out, size_t n) {
  snprintf(
      out, n,
      "it has no transform, only %s%s%s: its pixels are not a grid, and no proj:transform of the "
      "item is true of them; warp it onto a grid first (gdalwarp)",
      placed_by & SC_PLACED_BY_GCPS ? "ground control points (GCPs)" : "",
      placed_by == (SC_PLACED_BY_GCPS | SC_PLACED_BY_RPC) ? " and " : "",
      placed_by & SC_PLACED_BY_RPC    ? "rational polynomial coefficients (RPC)"
      : placed_by & SC_PLACED_BY_GCPS ? ""
                                      : "geolocation arrays");
  return out;
}

/* What the file lacks. */
static sc_status fail_file(const struct sc_item *item, size_t i, const char *href, const char *what,
                           struct sc_error *err) {
  char shown[1024];
  return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: %s: neither item nor file states its %s",
                 item->id, item->assets[i].key, sc_access_shown(href, shown, sizeof shown), what);
}

static sc_status fail_bent(const struct sc_item *item, size_t i, const char *href,
                           unsigned placed_by, struct sc_error *err) {
  char shown[1024], why[300];
  return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: %s: %s", item->id, item->assets[i].key,
                 sc_access_shown(href, shown, sizeof shown),
                 sc_projection_bent_shown(placed_by, why, sizeof why));
}

/*
 * The grid of one file. Shape and transform that the item leaves out come from the file, and
 * then the CRS too; a CRS alone that is missing is added to what the item states.
 */
static sc_status offer_file(const struct sc_item *item, size_t i, struct best *best,
                            struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  struct sc_projection p;
  struct sc_raster_info info = {0};
  char *href = NULL;
  if (!raster) return err->status;
  sc_status st = sc_projection_read(item, &item->assets[i], &p, err);
  if (!st) st = sc_item_href(item, &item->assets[i], &href, err);
  if (!st) {
    struct sc_source source = {.href = href, .item = item->id, .asset = item->assets[i].key};
    st = raster->info(&source, &info, err);
  }
  if (!st) {
    int stated = p.has_shape && p.has_transform;
    char **crs = info.crs ? &info.crs : &p.crs;
    if (!stated && !info.has_transform && info.placed_by) {
      st = fail_bent(item, i, href, info.placed_by, err);
    } else if (!stated && !info.has_transform) {
      st = fail_file(item, i, href, "proj:transform", err);
    } else if (!*crs) {
      st = fail_file(item, i, href, "CRS", err);
    } else if (stated) {
      offer(best, crs, p.transform, p.rows, p.columns, i, p.from);
    } else {
      offer(best, crs, info.transform, info.height, info.width, i, SC_GRID_FROM_FILE);
    }
  }
  raster->info_free(&info);
  sc_free(href);
  sc_free(p.crs);
  return st;
}

/* No asset gave a grid: those with pixels are of formats that are not opened, or there are none. */
static sc_status fail_none(const struct sc_item *item, const size_t *assets, size_t n,
                           struct sc_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (!sc_asset_check_opened(item, &item->assets[assets[i]], err)) continue;
    return sc_fail(err, SC_UNSUPPORTED,
                   "%s; no usable grid: the item does not state all of CRS, proj:shape "
                   "and proj:transform",
                   err->text);
  }
  return sc_fail(
      err, SC_BAD_DATA,
      "item %s: no usable grid: it has no readable raster asset (GeoTIFF, JPEG 2000, PNG, JPEG)",
      item->id);
}

sc_status sc_projection_grid(const struct sc_item *item, const size_t *assets, size_t n,
                             const int64_t shape[2], struct sc_grid *out,
                             struct sc_grid_source *source, struct sc_error *err) {
  struct best best = {out, source, HUGE_VAL};
  memset(out, 0, sizeof *out);
  sc_status st = SC_OK;
  for (size_t i = 0; i < n && !st; i++) st = offer_stated(item, assets[i], shape, &best, err);
  int is_stated = best.area < HUGE_VAL;
  for (size_t i = 0; i < n && !st && !is_stated; i++) {
    if (sc_asset_pixels(&item->assets[assets[i]]) == SC_PIXELS_UNOPENED) continue;
    st = offer_file(item, assets[i], &best, err);
  }
  if (!st && best.area == HUGE_VAL) st = fail_none(item, assets, n, err);
  if (!st) {
    st = sc_grid_check(out, err);
    if (st) sc_fail_within(err, "item %s: asset %s", item->id, item->assets[source->asset].key);
  }
  return st;
}
