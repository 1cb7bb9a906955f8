/* Clouds of a chip's window; see clouds.h. */
#include "pixels/clouds.h"

#include <string.h>

#include "base/alloc.h"
#include "base/db.h"
#include "stac/classify.h"
#include "stac/validity.h"

/* The mask of a scene as a chip of one band over the same window. */
struct cloud_mask {
  struct sc_chip chip;
  struct sc_chip_band band;
  uint8_t *tables[2]; /* bits by value: of pixels that are masked out, and of others */
  unsigned char *pixels;
  uint8_t *valid;
};

static sc_status open_mask(struct sc_connection *c, const struct sc_chip *chip,
                           struct cloud_mask *m, struct sc_error *err) {
  const struct sc_scene *s = chip->scene;
  struct sc_opened_asset *asset;
  if (!s->has_mask || !s->rule.name) {
    return sc_fail(err, SC_BAD_ARG, "item %s: option 'exclude_cloud': platform %s has no mask",
                   s->item.id, sc_scene_platform(s));
  }
  sc_status st = sc_scenes_asset(c, chip->cached, s->mask.asset, &asset, err);
  if (st) return st;
  int band = s->mask.band ? s->mask.band : 1;
  enum sc_dtype dtype = asset->info.bands[band - 1].dtype;
  if (sc_dtype_bytes(dtype) > 2) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "item %s: asset %s: option 'exclude_cloud' needs a mask of 8 or 16 bits",
                   s->item.id, asset->source.asset);
  }
  m->band = (struct sc_chip_band){.asset = asset, .band = band, .dtype = dtype};
  m->band.validity = sc_validity_find(&s->item, s->mask.asset, &s->rule, &asset->info, band);
  m->chip = *chip;
  m->chip.bands = &m->band;
  m->chip.n_bands = 1;
  m->chip.dtype = dtype;
  return SC_OK;
}

static sc_status read_mask(struct sc_connection *c, struct cloud_mask *m, struct sc_error *err) {
  const struct sc_rule *rule = &m->chip.scene->rule;
  sc_status st = SC_OK;
  m->pixels = sc_alloc(sc_chip_bytes(&m->chip, m->chip.dtype));
  m->valid = sc_alloc(sc_chip_bytes(&m->chip, SC_DTYPE_U8));
  if (!m->pixels || !m->valid) return sc_fail_nomem(err);
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  for (int masked = 0; masked < 2 && !st; masked++) {
    uint8_t *table = m->tables[!masked] = sc_alloc(65536);
    st = table ? sc_rules_table(c->rules, rule, &m->band.validity, masked, table, err)
               : sc_fail_nomem(err);
  }
  if (!st) {
    struct sc_read read;
    sc_chip_plan(&m->chip, m->pixels, m->chip.dtype, &read);
    st = raster->read(&read, 1, sc_db_interrupted, c->db, err);
  }
  return st ? st : sc_chip_valid(&m->chip, m->pixels, m->chip.dtype, m->valid, err);
}

sc_status sc_clouds_find(struct sc_connection *c, const struct sc_chip *chip, uint8_t *clouds,
                         struct sc_error *err) {
  struct cloud_mask m = {0};
  sc_status st = open_mask(c, chip, &m, err);
  if (!st) st = read_mask(c, &m, err);
  size_t n = (size_t)chip->width * (size_t)chip->height, size = sc_dtype_bytes(m.chip.dtype);
  for (size_t i = 0; i < n && !st; i++) {
    uint16_t v = m.pixels[i * size];
    if (size == 2) memcpy(&v, m.pixels + 2 * i, 2);
    clouds[i] = m.tables[m.valid[i]][v] & SC_RULE_CLOUD ? 1 : 0;
  }
  sc_free(m.tables[0]);
  sc_free(m.tables[1]);
  sc_free(m.pixels);
  sc_free(m.valid);
  return st;
}
