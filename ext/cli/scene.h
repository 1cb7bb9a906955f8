/*
 * A scene in the bucket, in the Python package's layout. Of each are written, in this order, so
 * that the index says that it is complete:
 *   {platform}/{item}/<assets>, {platform}/{item}/stac_item.json,
 *   index/{platform}/{item}/index_{item}.parquet
 */
#ifndef SC_CLI_SCENE_H
#define SC_CLI_SCENE_H

#include <sqlite3.h>

#include "base/status.h"
#include "cli/systems.h"

struct cJSON;

/* Where and how scenes are written; all borrowed. */
struct sc_scene_place {
  const struct sc_system *system;
  sqlite3 *db;
  const char *root; /* of the bucket */
  int is_relative;  /* hrefs of a folder are "./name" */
};

/*
 * Is a scene complete? Its index and its item are read, and the size of each asset is compared:
 * that a name is there proves nothing.
 *
 * reason   What is wrong with a scene that is there in part; "" where none is, or a whole one.
 */
sc_status sc_scene_is_whole(const struct sc_scene_place *place, const char *platform,
                            const char *id, int *is_whole, char reason[400], struct sc_error *err);

/* Copy or resample the assets of an item, then write the item (which is changed) and its index.
 * Copies that are there with the right size are kept. */
sc_status sc_scene_write(const struct sc_scene_place *place, const char *platform,
                         struct cJSON *item, struct sc_error *err);

#endif
