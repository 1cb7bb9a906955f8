/*
 * What makes the pixels of a band invalid, by its item and its file: nodata value, mask and
 * alpha (docs/validity.md has the table). Who wants to know whether a pixel is valid asks here
 * and judges by raster/valid.h.
 */
#ifndef SC_STAC_VALIDITY_H
#define SC_STAC_VALIDITY_H

#include "raster/valid.h"
#include "stac/item.h"
#include "stac/rules.h"

/*
 * item, asset  Whose words on nodata and bands count before the file's.
 * rule         By which the item is read; its "bands" say what the bands are where the item
 *              does not.
 * info         What the file says of itself.
 * band         1-based, at most info->n_bands.
 */
struct sc_validity sc_validity_find(const struct sc_item *item, const struct sc_asset *asset,
                                    const struct sc_rule *rule, const struct sc_raster_info *info,
                                    int band);

#endif
