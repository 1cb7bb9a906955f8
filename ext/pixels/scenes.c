/* Scenes kept open by a connection; see scenes.h. */
#include "pixels/scenes.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/poll.h"
#include "base/settings.h"
#include "merge/lookup.h"
#include "pixels/frozen.h"
#include "stac/formats.h"

#define N_SCENES 64

struct sc_scenes {
  struct sc_cached_scene *kept[N_SCENES];
  unsigned long clock;
};

static void cached_scene_free(struct sc_cached_scene *s) {
  struct sc_error ignored = {0};
  const struct sc_raster_api *raster = sc_raster(&ignored);
  for (size_t i = 0; s->assets && i < s->scene.item.n_assets; i++) {
    sc_free(s->assets[i].href);
    sc_buffer_free(&s->assets[i].header);
    if (raster) raster->info_free(&s->assets[i].info);
  }
  sc_free(s->assets);
  sc_buffer_free(&s->exported.text);
  sc_frozen_set_free(s->frozen);
  sc_scene_free(&s->scene);
  sc_free(s->key);
  sc_free(s->schema);
  sc_free(s->table);
  sc_free(s);
}

static void scenes_free(void *object) {
  struct sc_scenes *scenes = object;
  for (int i = 0; i < N_SCENES; i++) {
    if (scenes->kept[i]) cached_scene_free(scenes->kept[i]);
  }
  sc_free(scenes);
}

static struct sc_scenes *scenes_of(struct sc_connection *c) {
  return c->scenes = sc_connection_part(c, c->scenes, sizeof *c->scenes, scenes_free);
}

static void note_look(const struct sc_connection *c, struct sc_cached_scene *s) {
  s->looked_run = c->run;
  s->next_look = sc_next_poll(CLOCK_MONOTONIC);
}

static int has_same_files(const struct sc_cached_scene *s) {
  struct sc_stamp item = sc_stamp_of(s->scene.item.location);
  if (!s->table && !sc_stamp_equals(&item, &s->stamp)) return 0;
  for (size_t i = 0; i < s->scene.item.n_assets; i++) {
    const struct sc_opened_asset *a = &s->assets[i];
    if (!a->is_open && !a->gave_grid) continue;
    struct sc_stamp now = sc_stamp_of(a->href);
    if (!sc_stamp_equals(&now, &a->stamp)) return 0;
  }
  return 1;
}

static int is_unchanged(const struct sc_connection *c, struct sc_cached_scene *s) {
  if (s->rules_version != sc_rules_version(c->rules) ||
      s->settings_version != sc_settings_version())
    return 0;
  if (c->run && s->looked_run == c->run && !sc_poll_is_due(CLOCK_MONOTONIC, &s->next_look))
    return 1;
  int is_same = s->frozen ? sc_frozen_is_unchanged(c, s->frozen) : has_same_files(s);
  if (is_same) note_look(c, s);
  return is_same;
}

struct sc_cached_scene *sc_scenes_find(struct sc_connection *c, const void *key, size_t n) {
  struct sc_scenes *all = scenes_of(c);
  for (int i = 0; all && i < N_SCENES; i++) {
    struct sc_cached_scene *s = all->kept[i];
    if (s && s->key_bytes == n && memcmp(s->key, key, n) == 0) {
      s->n_users++;
      if (!is_unchanged(c, s)) {
        sc_scenes_forget(c, s);
        sc_scenes_release(s);
        return NULL;
      }
      s->used = ++all->clock;
      return s;
    }
  }
  return NULL;
}

/* Nobody keeps a scene whose n_users falls to 0 while `used` is 0. */
static void put_in(struct sc_scenes *all, struct sc_cached_scene *s) {
  int at = -1;
  for (int i = 0; i < N_SCENES; i++) {
    if (!all->kept[i]) {
      at = i;
      break;
    }
    if (all->kept[i]->n_users == 0 && (at < 0 || all->kept[i]->used < all->kept[at]->used)) at = i;
  }
  if (at < 0) return; /* all in use: this one lives as long as its users */
  if (all->kept[at]) cached_scene_free(all->kept[at]);
  all->kept[at] = s;
  s->used = ++all->clock;
}

static void note_grid_file(struct sc_cached_scene *s, const struct sc_asset *asset) {
  struct sc_opened_asset *to = &s->assets[asset - s->scene.item.assets];
  struct sc_error ignored = {0};
  if (to->href || sc_item_href(&s->scene.item, asset, &to->href, &ignored)) return;
  to->stamp = sc_stamp_of(to->href);
  to->gave_grid = 1;
}

/* A grid that the item does not state is that of its files: when one changes, so may the grid. */
static void note_grid_files(struct sc_cached_scene *s) {
  if (s->scene.grid_from != SC_GRID_FROM_FILE) return;
  for (size_t i = 0; i < s->scene.n_assets; i++) note_grid_file(s, s->scene.assets[i].asset);
  if (s->scene.has_mask) note_grid_file(s, s->scene.mask.asset);
}

sc_status sc_scenes_keep(struct sc_connection *c, const void *key, size_t n, struct sc_scene *scene,
                         struct sc_cached_scene **out, struct sc_error *err) {
  struct sc_scenes *all = scenes_of(c);
  struct sc_cached_scene *s = sc_alloc_zero(1, sizeof *s);
  sc_status st = all && s ? sc_strndup(key, n, &s->key, err) : sc_fail_nomem(err);
  if (!st) {
    s->assets = sc_alloc_zero(scene->item.n_assets, sizeof *s->assets);
    if (!s->assets) st = sc_fail_nomem(err);
  }
  if (st) {
    if (s) sc_free(s->key);
    sc_free(s);
    return st;
  }
  s->key_bytes = n;
  s->rules_version = sc_rules_version(c->rules);
  s->settings_version = sc_settings_version();
  s->scene = *scene;
  memset(scene, 0, sizeof *scene);
  s->n_users = 1;
  note_look(c, s);
  note_grid_files(s);
  put_in(all, s);
  *out = s;
  return SC_OK;
}

void sc_scenes_forget(struct sc_connection *c, struct sc_cached_scene *s) {
  for (int i = 0; i < N_SCENES; i++) {
    if (c->scenes->kept[i] == s) c->scenes->kept[i] = NULL;
  }
  s->used = 0;
}

void sc_scenes_forget_failed(struct sc_connection *c, struct sc_cached_scene *s, sc_status status) {
  switch (status) {
    case SC_OK:
    case SC_NOMEM:
    case SC_BAD_ARG:
    case SC_RANGE:
    case SC_DB:
    case SC_INTERRUPT: return;
    default:
      if (s) sc_scenes_forget(c, s);
  }
}

void sc_scenes_release(struct sc_cached_scene *s) {
  if (s && --s->n_users == 0 && s->used == 0) cached_scene_free(s);
}

static sc_status open_asset(struct sc_connection *c, struct sc_cached_scene *s,
                            const struct sc_asset *asset, struct sc_opened_asset *to,
                            struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  if (!raster) return err->status;
  sc_status st = sc_asset_check_opened(&s->scene.item, asset, err);
  if (!st) st = sc_item_href(&s->scene.item, asset, &to->href, err);
  if (!st && s->table && sc_href_is_url(to->href)) {
    st = sc_merge_asset_header(c->db, s->schema, s->table, s->item_rowid, asset->key, &to->header,
                               err);
  }
  if (st) return st;
  to->source = (struct sc_source){.href = to->href,
                                  .item = s->scene.item.id,
                                  .asset = asset->key,
                                  .header = to->header.data,
                                  .header_size = to->header.size,
                                  .stamp = &to->stamp};
  to->stamp = sc_stamp_of(to->href);
  st = raster->info(&to->source, &to->info, err);
  if (!st) st = sc_mapping_find(&s->scene, asset, &to->info, &to->source, &to->mapping, err);
  to->is_open = st == SC_OK;
  return st;
}

sc_status sc_scenes_asset(struct sc_connection *c, struct sc_cached_scene *s,
                          const struct sc_asset *asset, struct sc_opened_asset **out,
                          struct sc_error *err) {
  struct sc_opened_asset *to = &s->assets[asset - s->scene.item.assets];
  *out = to;
  if (to->is_open) return SC_OK;
  if (s->frozen) {
    return sc_fail(err, SC_NOT_FOUND,
                   "item %s: asset %s is wanted, and of a frozen data set no file is opened",
                   s->scene.item.id, asset->key);
  }
  struct sc_error ignored = {0};
  const struct sc_raster_api *raster = sc_raster(&ignored);
  sc_free(to->href);
  sc_buffer_free(&to->header);
  if (raster) raster->info_free(&to->info);
  memset(to, 0, sizeof *to);
  return open_asset(c, s, asset, to, err);
}

sc_status sc_scenes_is_at_hand(struct sc_connection *c, struct sc_cached_scene *s,
                               const struct sc_asset *asset, int *out, struct sc_error *err) {
  struct sc_buffer header = {0};
  char *href = NULL;
  *out = s->frozen || s->assets[asset - s->scene.item.assets].is_open;
  if (*out) return SC_OK;
  sc_status st = sc_item_href(&s->scene.item, asset, &href, err);
  if (!st && !sc_href_is_url(href)) {
    *out = 1;
  } else if (!st && s->table) {
    st = sc_merge_asset_header(c->db, s->schema, s->table, s->item_rowid, asset->key, &header, err);
    *out = header.size > 0;
  }
  sc_buffer_free(&header);
  sc_free(href);
  return st;
}
