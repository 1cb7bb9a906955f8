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
 * Is the scene there, whole? Its index is read, its item too, and of each asset the size is looked
 * at: a name alone says nothing.
 *
 * reason   What is wrong with what is there; "" where nothing is, or all of it.
 */
sc_status sc_scene_is_whole(const struct sc_scene_place *place, const char *platform,
                            const char *id, int *is_whole, char reason[400], struct sc_error *err);

/* Copy or make the assets of an item, write it (it is changed) and its index. What is whole of
 * assets that are copied is kept. */
sc_status sc_scene_write(const struct sc_scene_place *place, const char *platform,
                         struct cJSON *item, struct sc_error *err);

#endif
