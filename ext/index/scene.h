/*
 * An item with its rule, the assets that the rule names, and its grid: what both the index
 * and the pixels of a chip begin with.
 */
#ifndef SC_INDEX_SCENE_H
#define SC_INDEX_SCENE_H

#include "base/status.h"
#include "index/grid.h"
#include "index/index.h"
#include "index/projection.h"
#include "stac/item.h"
#include "stac/rules.h"

/* Zeroed is empty; sc_scene_free(). */
struct sc_scene {
  struct sc_item item;
  struct sc_rule rule; /* name NULL: platform "none", or a bare raster */
  int has_mask;
  struct sc_asset_band mask; /* SC_BAND_VALIDITY for a bare raster */
  struct cJSON *own_mask;    /* the last of item.assets: a raster that the rule names by its path,
                                no asset of the item; owned; or NULL */
  int dilate_px;             /* of the mask, that clouds grow by */
  struct sc_asset_band *assets; /* the rule's that the item has, in the rule's order; or all */
  size_t n_assets;
  struct sc_grid grid;
  size_t grid_asset; /* position in item.assets */
  enum sc_grid_from grid_from;
};

/* The key of `own_mask` among the assets, which no item has. */
#define SC_SCENE_OWN_MASK "stacchip:mask"

#define SC_PLATFORM_NONE "none"
#define SC_PLATFORM_RASTER "raster"

/* Can the option "platform" be that name: a rule's, or "none"? Folders of a bucket may have others.
 */
int sc_platform_is_known(struct sc_rules *rules, const char *name);

/* The platform column: the rule's name, "raster" for a bare raster, or "none". */
const char *sc_scene_platform(const struct sc_scene *scene);

/*
 * Read an item, find its rule, assets and grid.
 *
 * rules     The connection's.
 * argument  See sc_item_read().
 * options   platform, shape and base are used.
 * need_mask Nonzero: a rule's mask that the item lacks is an error.
 */
sc_status sc_scene_open(struct sc_rules *rules, const char *argument, size_t n,
                        const struct sc_index_options *options, int need_mask, struct sc_scene *out,
                        struct sc_error *err);
/* The same for an item that is read already, out->item. Free the scene also after an error. */
sc_status sc_scene_complete(struct sc_rules *rules, const struct sc_index_options *options,
                            int need_mask, struct sc_scene *out, struct sc_error *err);
/* The same for a stored rule (a merged index's), or NULL for "none"; takes item JSON text. */
sc_status sc_scene_open_stored(const char *item_json, size_t n, const char *rule_json,
                               const struct sc_index_options *options, struct sc_scene *out,
                               struct sc_error *err);
/*
 * Is the grid where the item says it is, and where the file of the asset that gave it lies? The
 * file is looked at where it is a local one: that costs no request, and is passed over where it
 * cannot be opened, since indexing needs no file then. What is only doubtful passes: see
 * sc_place_check().
 */
sc_status sc_scene_check_place(const struct sc_scene *scene, struct sc_error *err);
/* Forget all but the item, so that it can be completed in another way. */
void sc_scene_reset(struct sc_scene *scene);
void sc_scene_free(struct sc_scene *scene);

#endif
