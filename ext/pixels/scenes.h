/*
 * Scenes that a connection has read pixels of, kept open: parsed item, rule, grid, and for
 * each asset its file's description and its registration on the grid. Bounded; least
 * recently used goes first. Used on the connection's thread only.
 */
#ifndef SC_PIXELS_SCENES_H
#define SC_PIXELS_SCENES_H

#include <time.h>

#include "base/status.h"
#include "connection.h"
#include "index/handle.h"
#include "index/mapping.h"
#include "index/scene.h"
#include "raster/raster_api.h"

/* An asset that was opened. */
struct sc_opened_asset {
  int is_open;
  int gave_grid; /* not open, but the scene's grid is by its file: only href and stamp are there */
  char *href;    /* resolved, allowed; owned */
  struct sc_raster_info info;
  struct sc_mapping mapping;
  struct sc_buffer header; /* stored header of a remote file; may be empty */
  struct sc_source source; /* points into this struct */
  struct sc_stamp stamp;   /* of a local file when it was opened */
};

/* The text of the item with a tiling, as it goes to other machines, and its name (handle.h). */
struct sc_exported {
  struct sc_buffer text; /* empty: not made yet */
  char name[SC_HANDLE_ITEM_NAME + 1];
  struct sc_tiling tiling;
};

struct sc_cached_scene {
  char *key; /* owned */
  size_t key_bytes;
  struct sc_scene scene;
  struct sc_opened_asset *assets; /* one per scene.item.assets */
  /* where the item came from: */
  struct sc_stamp stamp; /* of the item's file */
  char *schema, *table;  /* of a merged index, else NULL; owned */
  int64_t item_rowid;
  int is_placed;                  /* its chips lie where the merged index says: see merged.c */
  int is_tiled;                   /* tiling is known: a handle with the key has been answered */
  struct sc_tiling tiling;        /* of the handles that begin with the key */
  struct sc_exported exported;    /* by exported.c, once it was asked for */
  struct sc_frozen_set *frozen;   /* frozen.h: its chips are read there; owned; or NULL */
  int shift_is_known, is_shifted; /* by harmonize.c, once it has looked at the pixels */
  unsigned rules_version, settings_version; /* that it was opened under */
  uint64_t looked_run;       /* the statement (connection.run) that looked at the files last */
  struct timespec next_look; /* when it must look again */
  unsigned long used;
  int n_users; /* chips of a stack hold it */
};

/*
 * The scene kept under a key; NULL where there is none, or where the item's file or that of
 * an asset has changed, or the rules or settings (access, moved data) have. Takes a hold. For the
 * rows of one statement (c->run) the files are looked at once, and again every sc_next_poll():
 * asking the system for each would cost a tenth of a chip that is cached.
 */
struct sc_cached_scene *sc_scenes_find(struct sc_connection *c, const void *key, size_t n);
/* Keep a scene (it moves) under a key. Takes a hold; release *out with sc_scenes_release(). */
sc_status sc_scenes_keep(struct sc_connection *c, const void *key, size_t n, struct sc_scene *scene,
                         struct sc_cached_scene **out, struct sc_error *err);
/* Forget a scene that has become stale. The hold stays until it is released. */
void sc_scenes_forget(struct sc_connection *c, struct sc_cached_scene *scene);
/*
 * A call failed with `status` while it used the scene (NULL is fine). The files that it saw may be
 * others by the next call (a remote file that was replaced, an answer that was no raster), which
 * must answer as in a fresh process: unless the error is the caller's own, or the machine's, the
 * scene is forgotten.
 */
void sc_scenes_forget_failed(struct sc_connection *c, struct sc_cached_scene *scene,
                             sc_status status);
void sc_scenes_release(struct sc_cached_scene *scene);

/* Can the asset be opened without a question to a server: is it local, or its header stored? */
sc_status sc_scenes_is_at_hand(struct sc_connection *c, struct sc_cached_scene *scene,
                               const struct sc_asset *asset, int *out, struct sc_error *err);
/* Open one asset of a scene: href, access, the file's description, the registration. */
sc_status sc_scenes_asset(struct sc_connection *c, struct sc_cached_scene *scene,
                          const struct sc_asset *asset, struct sc_opened_asset **out,
                          struct sc_error *err);

#endif
