/* The size of an item's superblocks; see superblock.h. */
#include "pixels/superblock.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "pixels/locate.h"

static int is_fatal(sc_status st) { return st == SC_NOMEM || st == SC_INTERRUPT || st == SC_DB; }

/* The asset of a name as the option `assets` has it: "asset", "band" or "asset:band". */
static const struct sc_asset *find_asset(const struct sc_item *item, const char *name) {
  struct sc_asset_band found = {0};
  char key[256];
  const char *colon = strrchr(name, ':');
  if (sc_item_find(item, name, &found)) return found.asset;
  if (!colon || (size_t)(colon - name) >= sizeof key) return NULL;
  memcpy(key, name, (size_t)(colon - name));
  key[colon - name] = '\0';
  return sc_item_find(item, key, &found) ? found.asset : NULL;
}

/* Can all assets be opened without a question to a server? */
static sc_status ask_at_hand(struct sc_connection *c, const struct sc_chip *chip,
                             const struct sc_chip_options *options, int *at_hand,
                             struct sc_error *err) {
  const struct sc_scene *s = chip->scene;
  int n = options->assets ? sc_names_count(options->assets) : (int)s->n_assets;
  sc_status st = SC_OK;
  *at_hand = 1;
  for (int i = 0; i < n && *at_hand && !st; i++) {
    const struct sc_asset *asset = options->assets
                                       ? find_asset(&s->item, sc_names_at(options->assets, i))
                                       : s->assets[i].asset;
    *at_hand = asset != NULL;
    if (asset) st = sc_scenes_is_at_hand(c, chip->cached, asset, at_hand, err);
  }
  return st;
}

static void limit_size(const struct sc_tiling *t, double size_px[2]) {
  for (;;) {
    double chips[2] = {ceil(size_px[0] / t->stride_px), ceil(size_px[1] / t->stride_px)};
    if (chips[0] * chips[1] <= SC_SUPERBLOCK_MAX_CHIPS) return;
    size_px[chips[1] > chips[0]] /= 2;
  }
}

/* The largest block of the chip's bands on the grid. */
static void take_largest(const struct sc_chip *chip, double size_px[2]) {
  double largest = 0;
  for (int i = 0; i < chip->n_bands; i++) {
    const struct sc_opened_asset *a = chip->bands[i].asset;
    double w = a->info.block_width / fabs(a->mapping.scale[0]);
    double h = a->info.block_height / fabs(a->mapping.scale[1]);
    if (!(w >= 1 && h >= 1 && w * h > largest && isfinite(w * h))) continue;
    largest = w * h;
    size_px[0] = w;
    size_px[1] = h;
  }
}

static sc_status find_size(struct sc_connection *c, const struct sc_chip_name *name,
                           const struct sc_chip_options *options, const struct sc_chip *located,
                           struct sc_superblock *out, struct sc_error *err) {
  struct sc_chip chip;
  int at_hand;
  sc_status st = ask_at_hand(c, located, options, &at_hand, err);
  if (st || !at_hand) return st;
  st = sc_chip_open_named(c, name, options, &chip, err);
  if (st) return st;
  take_largest(&chip, out->size_px);
  sc_chip_close(&chip);
  return SC_OK;
}

static void describe(const struct sc_chip *chip, struct sc_superblock *out) {
  const struct sc_window *w = &chip->window;
  out->tiling = chip->tiling;
  out->grid_px[0] = chip->scene->grid.width_px;
  out->grid_px[1] = chip->scene->grid.height_px;
  out->middle[0] = w->x + w->width_px / 2;
  out->middle[1] = w->y + w->height_px / 2;
  out->x = chip->x < 0 ? out->middle[0] : chip->x;
  out->y = chip->x < 0 ? out->middle[1] : chip->y;
}

sc_status sc_superblock_find(struct sc_connection *c, const struct sc_chip_name *name,
                             const struct sc_chip_options *options, struct sc_superblock *out,
                             struct sc_error *err) {
  struct sc_chip chip;
  memset(out, 0, sizeof *out);
  out->tiling.chip_size_px = out->tiling.stride_px = SC_CHIP_SIZE_DEFAULT_PX;
  sc_status st = sc_chip_locate(c, name, options, &chip, err);
  if (!st) {
    describe(&chip, out);
    st = sc_strdup(chip.scene->item.id, &out->item, err);
  }
  out->size_px[0] = out->size_px[1] = (double)SC_SUPERBLOCK_CHIPS * out->tiling.stride_px;
  if (!st) {
    st = find_size(c, name, options, &chip, out, err);
    sc_chip_close(&chip);
  }
  limit_size(&out->tiling, out->size_px);
  return is_fatal(st) ? st : sc_settle(err, SC_OK);
}
