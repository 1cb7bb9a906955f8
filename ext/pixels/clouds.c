/* Clouds of a chip; see clouds.h. */
#include "pixels/clouds.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "base/dilate.h"
#include "raster/valid.h"
#include "stac/classify.h"
#include "stac/validity.h"

/* A window of the mask in its own pixels, or (of a chip on a grid of its own) in the chip's. */
struct window {
  int x, y, width, height;
};

struct cloud_mask {
  struct sc_chip chip; /* of one band: the mask over the chip's window */
  struct sc_chip_band band;
  struct sc_read read; /* what would read it in the chip's pixels */
  struct window window;
  int dilate_px;
  uint8_t *tables[2];    /* bits by value: of pixels that are masked out, and of others */
  unsigned char *pixels; /* [height][width] of the window, as stored */
  uint8_t *bits;         /* the same, classified; first what is valid */
};

static void cloud_mask_free(struct cloud_mask *m) {
  sc_free(m->tables[0]);
  sc_free(m->tables[1]);
  sc_free(m->pixels);
  sc_free(m->bits);
}

static sc_status open_mask(struct sc_connection *c, const struct sc_chip *chip,
                           struct cloud_mask *m, struct sc_error *err) {
  const struct sc_scene *s = chip->scene;
  struct sc_opened_asset *asset;
  if (!s->has_mask || !s->rule.name) {
    return sc_fail(err, SC_BAD_ARG, "item %s: platform %s has no mask to find clouds by",
                   s->item.id, sc_scene_platform(s));
  }
  sc_status st = sc_scenes_asset(c, chip->cached, s->mask.asset, &asset, err);
  if (st) return st;
  int band = s->mask.band ? s->mask.band : 1;
  if (band > asset->info.n_bands) {
    return sc_fail(err, SC_BAD_DATA, "item %s: asset %s: no band %d", s->item.id,
                   asset->source.asset, band);
  }
  enum sc_dtype dtype = asset->info.bands[band - 1].dtype;
  if (sc_dtype_bytes(dtype) > 2) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "item %s: asset %s: clouds are found by masks of 8 or 16 bits alone", s->item.id,
                   asset->source.asset);
  }
  m->band = (struct sc_chip_band){.asset = asset, .band = band, .dtype = dtype};
  m->band.validity = sc_validity_find(&s->item, s->mask.asset, &s->rule, &asset->info, band);
  m->chip = *chip;
  m->chip.bands = &m->band;
  m->chip.n_bands = 1;
  m->chip.dtype = dtype;
  m->chip.has_fill = 0;
  if (m->chip.has_target) sc_chip_lay_warps(&m->chip);
  sc_chip_plan(&m->chip, NULL, dtype, &m->read);
  return SC_OK;
}

/* The mask's pixels under the chip, and as far around it as clouds reach. */
static sc_status choose_window(struct cloud_mask *m, struct sc_error *err) {
  const struct sc_read *r = &m->read;
  if (m->chip.has_target) {
    m->window = (struct window){0, 0, r->out_width, r->out_height};
    if (!m->dilate_px) return SC_OK;
    return sc_fail(err, SC_UNSUPPORTED,
                   "item %s: clouds that grow (dilate %d) are known on the item's own grid alone",
                   m->chip.scene->item.id, m->dilate_px);
  }
  double reach = m->dilate_px + 1;
  double left = floor(r->x) - reach, right = ceil(r->x + r->width) + reach;
  double top = floor(r->y) - reach, bottom = ceil(r->y + r->height) + reach;
  left = fmax(left, 0), top = fmax(top, 0);
  right = fmin(right, m->band.asset->info.width), bottom = fmin(bottom, m->band.asset->info.height);
  m->window =
      (struct window){(int)left, (int)top, (int)fmax(right - left, 0), (int)fmax(bottom - top, 0)};
  return SC_OK;
}

/* The window's pixels of the band, or of what its mask and alpha say (SC_BAND_VALIDITY). */
static struct sc_read read_of(const struct cloud_mask *m, int band, void *out) {
  struct sc_read r = m->read;
  size_t size = band == SC_BAND_VALIDITY ? 1 : sc_dtype_bytes(m->band.dtype);
  r.band = band;
  r.validity = &m->band.validity;
  r.dtype = band == SC_BAND_VALIDITY ? SC_DTYPE_U8 : m->band.dtype;
  r.resampling = SC_NEAREST;
  r.out = out;
  r.row_bytes = size * (size_t)m->window.width;
  if (m->chip.has_target) return r;
  r.coarse = 0;
  r.x = m->window.x, r.y = m->window.y;
  r.width = r.out_width = m->window.width;
  r.height = r.out_height = m->window.height;
  return r;
}

static sc_status read_pixels(struct sc_connection *c, struct cloud_mask *m, struct sc_error *err) {
  size_t n = (size_t)m->window.width * (size_t)m->window.height;
  size_t size = sc_dtype_bytes(m->band.dtype);
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  m->pixels = sc_alloc(n * size);
  m->bits = sc_alloc(n);
  if (!m->pixels || !m->bits) return sc_fail_nomem(err);
  memset(m->bits, 1, n);
  struct sc_read reads[2] = {read_of(m, m->band.band, m->pixels),
                             read_of(m, SC_BAND_VALIDITY, m->bits)};
  int by_mask = !m->chip.has_target && sc_valid_by_mask(&m->band.validity);
  if (m->chip.has_target) reads[0].valid = m->bits;
  if (n == 0) return SC_OK;
  sc_status st = raster->read(reads, by_mask ? 2 : 1, sc_db_interrupted, c->db, err);
  if (!st && !m->chip.has_target) {
    sc_valid_pixels(&m->band.validity, m->pixels, m->band.dtype, size, n, m->bits);
  }
  return st;
}

/* What is valid becomes bits of cloud and nodata. */
static sc_status classify(struct sc_connection *c, struct cloud_mask *m, struct sc_error *err) {
  size_t n = (size_t)m->window.width * (size_t)m->window.height;
  size_t size = sc_dtype_bytes(m->band.dtype);
  const struct sc_rule *rule = &m->chip.scene->rule;
  for (int masked = 0; masked < 2; masked++) {
    uint8_t *table = m->tables[!masked] = sc_alloc(65536);
    if (!table) return sc_fail_nomem(err);
    if (sc_rules_table(c->rules, rule, &m->band.validity, masked, table, err)) return err->status;
  }
  for (size_t i = 0; m->pixels && i < n; i++) {
    uint16_t v = m->pixels[i * size];
    if (size == 2) memcpy(&v, m->pixels + 2 * i, 2);
    m->bits[i] = m->tables[m->bits[i] != 0][v];
  }
  if (!m->dilate_px || n == 0) return SC_OK;
  uint8_t *grown = sc_alloc(n);
  if (!grown) return sc_fail_nomem(err);
  const struct sc_mask_bits mask = {m->bits, m->window.width, m->window.height};
  sc_status st = sc_dilate(&mask, 0, mask.height, m->dilate_px, grown, err);
  sc_free(m->bits);
  m->bits = grown;
  return st;
}

/* The mask's pixel under the middle of each of the chip's; outside the mask nothing is cloud. */
static void spread(const struct cloud_mask *m, uint8_t *cloudy) {
  const struct sc_read *r = &m->read;
  const struct window *w = &m->window;
  for (int j = 0; j < r->out_height; j++) {
    int y = m->chip.has_target
                ? j
                : (int)floor(sc_read_middle(r->y, r->height, r->out_height, j)) - w->y;
    for (int i = 0; i < r->out_width; i++) {
      int x = m->chip.has_target
                  ? i
                  : (int)floor(sc_read_middle(r->x, r->width, r->out_width, i)) - w->x;
      int is_inside = x >= 0 && y >= 0 && x < w->width && y < w->height;
      size_t at = is_inside ? (size_t)y * (size_t)w->width + (size_t)x : 0;
      cloudy[(size_t)j * (size_t)r->out_width + (size_t)i] =
          is_inside ? m->bits[at] & SC_RULE_CLOUD : 0;
    }
  }
}

sc_status sc_clouds_find(struct sc_connection *c, const struct sc_chip *chip, int dilate,
                         uint8_t *cloudy, struct sc_error *err) {
  struct cloud_mask m = {.dilate_px = dilate < 0 ? chip->scene->dilate_px : dilate};
  sc_status st = open_mask(c, chip, &m, err);
  if (!st) st = choose_window(&m, err);
  if (!st) st = read_pixels(c, &m, err);
  if (!st) st = classify(c, &m, err);
  if (!st) spread(&m, cloudy);
  cloud_mask_free(&m);
  return st;
}
