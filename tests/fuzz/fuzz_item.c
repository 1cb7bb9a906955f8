/*
 * libFuzzer: any bytes as the text of an item, up to its grid and the windows of its chips. No
 * file is opened: where the grid would come from a raster, there is none.
 */
#include <stdlib.h>

/* projection.c as it is, but for the half that opens rasters. */
#define sc_raster fuzz_raster
#define sc_projection_read fuzz_projection_read
#define sc_projection_bent_shown fuzz_projection_bent_shown
#define sc_projection_grid fuzz_projection_grid
#include "index/projection.c"

#include "base/settings.h"
#include "base/sniff.h"
#include "stac/item.h"
#include "store/href.h"
#include "store/secrets.h"

#define N_ASSETS_MAX 16

const struct sc_raster_api *fuzz_raster(struct sc_error *err) {
  sc_fail_text(err, SC_UNSUPPORTED, "no rasters here");
  return NULL;
}

#define MUST(condition) \
  if (!(condition)) abort()

static void check_error(sc_status st, const struct sc_error *err) {
  MUST(!st || (err->status == st && err->text[0]));
  MUST(sc_sniff_utf8(err->text, strlen(err->text)) == strlen(err->text));
}

static void use_grid(const struct sc_grid *grid) {
  struct sc_error err = {0};
  struct sc_window window;
  char hash[17];
  sc_grid_hash(grid, hash);
  for (int edge = SC_EDGE_DROP; edge <= SC_EDGE_SHIFT; edge++) {
    struct sc_tiling tiling = {256, 100 + 200 * edge, edge};
    int64_t columns = sc_tiling_count(&tiling, grid->width_px);
    int64_t rows = sc_tiling_count(&tiling, grid->height_px);
    MUST(columns >= 0 && rows >= 0);
    sc_status st = sc_grid_window(grid, &tiling, columns - 1, rows - 1, &window, &err);
    MUST(st == (columns && rows ? SC_OK : SC_RANGE));
    MUST(sc_grid_window(grid, &tiling, columns, 0, &window, &err) == SC_RANGE);
  }
}

static void use_assets(const struct sc_item *item) {
  size_t pixels[N_ASSETS_MAX], n = 0;
  int64_t shape[2] = {0, 0};
  struct sc_grid grid = {0};
  struct sc_error err = {0};
  struct sc_grid_source source;
  char list[200];
  for (size_t i = 0; i < item->n_assets && n < N_ASSETS_MAX; i++) {
    struct sc_projection p = {0};
    char *href = NULL;
    struct sc_error why = {0};
    check_error(sc_item_href(item, &item->assets[i], &href, &why), &why);
    sc_free(href);
    struct sc_error none = {0};
    check_error(fuzz_projection_read(item, &item->assets[i], &p, &none), &none);
    sc_free(p.crs);
    if (sc_asset_pixels(&item->assets[i]) == SC_PIXELS_RASTER) pixels[n++] = i;
  }
  sc_item_list_assets(item, list, sizeof list);
  if (!n) return;
  sc_status st = fuzz_projection_grid(item, pixels, n, shape, &grid, &source, &err);
  check_error(st, &err);
  if (!st) use_grid(&grid);
  sc_grid_free(&grid);
}

/* The text of an item, read again, is the same item. */
static void check_text(const struct sc_item *item) {
  struct sc_item again = {0};
  struct sc_error err = {0};
  char *text = NULL, *stored = NULL;
  if (sc_item_text(item, &text, &err)) return;
  MUST(sc_item_read(text, strlen(text), NULL, &again, &err) == SC_OK);
  MUST(strcmp(again.id, item->id) == 0 && again.n_assets == item->n_assets);
  MUST(sc_href_without_secrets(text, &stored, &err) == SC_OK);
  MUST(sc_sniff_utf8(stored, strlen(stored)) == strlen(stored));
  sc_item_free(&again);
  sc_free(text);
  sc_free(stored);
}

static void use_item(const struct sc_item *item) {
  static const char *const names[] = {"red", "scl", "SCL", "data", "visual", "B04", "qa_pixel"};
  struct sc_asset_band band;
  MUST(item->id && item->id[0]);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) sc_item_find(item, names[i], &band);
  use_assets(item);
  check_text(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int started;
  struct sc_item item;
  struct sc_error err = {0};
  if (!started++) {
    sc_settings_set("local_roots", "deny", &err);
    sc_settings_set("hosts", "*.example.com", &err);
  }
  if (!sc_sniff_is_json((const char *)data, size)) return 0;
  sc_status st = sc_item_read((const char *)data, size, "https://x.example.com/a/", &item, &err);
  check_error(st, &err);
  if (!st) use_item(&item);
  if (!st) sc_item_free(&item);
  return 0;
}
