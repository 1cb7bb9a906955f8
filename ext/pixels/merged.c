/* Handles of merged indexes; see merged.h. */
#include "pixels/merged.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "index/footprint.h"
#include "index/lattice.h"
#include "merge/lookup.h"

/* Rows that came from index files have their item in the bucket, or where it was moved to. */
static sc_status item_of_bucket(const struct sc_merge_row *row, char **out, struct sc_error *err) {
  if (row->location) return sc_strdup(row->location, out, err);
  if (!row->bucket || !*row->bucket || !row->platform) {
    return sc_fail(
        err, SC_NOT_FOUND,
        "item %s was merged from index files, which do not say where its pixels are; give the "
        "table the argument bucket=",
        row->item);
  }
  return sc_archive_item(row->bucket, row->platform, row->item, out, err);
}

static sc_status read_scene(struct sc_connection *c, const struct sc_merge_row *row,
                            struct sc_scene *scene, struct sc_error *err) {
  struct sc_index_options options;
  char *bucket_item = NULL;
  sc_status st = sc_index_options_parse(row->options_json, &options, err);
  if (st) return st;
  if (row->item_json) {
    st = sc_scene_open_stored(row->item_json, strlen(row->item_json), row->rule_json, &options,
                              scene, err);
    /* Databases of before schema version 3 say it by the location alone. */
    if (!st && row->location && sc_href_is_url(row->location)) {
      st = sc_item_set_network(&scene->item, err);
      if (st) sc_scene_free(scene);
    }
  } else {
    st = item_of_bucket(row, &bucket_item, err);
    if (row->platform && sc_platform_is_known(c->rules, row->platform)) {
      snprintf(options.platform, sizeof options.platform, "%s", row->platform);
    }
    if (!st) {
      st = sc_scene_open(c->rules, bucket_item, strlen(bucket_item), &options, 0, scene, err);
    }
  }
  sc_free(bucket_item);
  sc_index_options_free(&options);
  return st;
}

/* A row of a merged index. */
struct place {
  const char *schema, *table;
  const struct sc_merge_row *row;
};

/* The scene of a row, kept under a key of n bytes. */
static sc_status keep_scene(struct sc_connection *c, const struct place *p, const char *key,
                            size_t n, struct sc_cached_scene **out, struct sc_error *err) {
  struct sc_scene scene;
  sc_status st = read_scene(c, p->row, &scene, err);
  if (st) return st;
  st = sc_scenes_keep(c, key, n, &scene, out, err);
  if (st) {
    sc_scene_free(&scene);
    return st;
  }
  (*out)->item_rowid = p->row->item_row;
  st = sc_strdup(p->schema, &(*out)->schema, err);
  if (!st) st = sc_strdup(p->table, &(*out)->table, err);
  if (st) sc_scenes_forget(c, *out);
  return st;
}

/*
 * Rows of index files say where a chip lies, but not on what grid: where the item that the
 * bucket has gives the position another place, the files were made with another chip size or
 * stride, or of another grid. A chip beside the first one answers for all.
 */
static sc_status check_place(struct sc_connection *c, const struct place *p, struct sc_chip *chip,
                             struct sc_error *err) {
  const struct sc_merge_row *row = p->row;
  struct sc_footprint footprint;
  struct sc_box stored, here;
  int has_place = 0;
  if (row->item_json || chip->cached->is_placed) return SC_OK;
  sc_status st = sc_merge_chip_box(c->db, p->schema, p->table, row->rowid, &stored, err);
  if (!st) {
    st = sc_window_footprint(&chip->scene->grid, &chip->window, &has_place, &footprint, err);
  }
  if (st) return st;
  here = sc_footprint_box(&footprint);
  if (!has_place || !sc_box_is_same_chip(&here, &stored)) {
    return sc_fail(
        err, SC_BAD_DATA,
        "the index file was made with another chip_size, stride or grid: chip (%d, %d) of "
        "%d pixels, %d apart, does not lie where its row in %s says",
        row->x, row->y, row->tiling.chip_size_px, row->tiling.stride_px, p->table);
  }
  chip->cached->is_placed = row->x + row->y > 0;
  return SC_OK;
}

static sc_status open_row(struct sc_connection *c, const struct place *p, struct sc_chip *out,
                          struct sc_error *err) {
  const struct sc_merge_row *row = p->row;
  char key[64]; /* the version is no other table's */
  size_t key_bytes =
      (size_t)snprintf(key, sizeof key, "[%" PRId64 " %" PRIu64, row->item_row, row->version);
  sc_status st = SC_OK;
  out->cached = sc_scenes_find(c, key, key_bytes);
  if (!out->cached) st = keep_scene(c, p, key, key_bytes, &out->cached, err);
  if (st) return st;
  out->scene = &out->cached->scene;
  out->tiling = row->tiling;
  out->x = row->x;
  out->y = row->y;
  st = sc_grid_window(&out->scene->grid, &out->tiling, row->x, row->y, &out->window, err);
  if (!st) st = check_place(c, p, out, err);
  return st ? sc_fail_within(err, "item %s", row->item) : SC_OK;
}

sc_status sc_merged_locate(struct sc_connection *c, const struct sc_handle_row *h,
                           struct sc_chip *out, struct sc_error *err) {
  struct sc_merge_row row = {0};
  sc_status st = sc_merge_lookup(c->db, h->schema, h->table, h->rowid, &row, err);
  if (st) return st;
  if (strcmp(row.item, h->item) != 0 || row.x != h->x || row.y != h->y) {
    return sc_fail(err, SC_NOT_FOUND,
                   "stale chip handle: row %" PRId64
                   " of %s is now chip (%d, %d) of item %s, not (%" PRId64 ", %" PRId64 ") of %s",
                   h->rowid, h->table, row.x, row.y, row.item, h->x, h->y, h->item);
  }
  return open_row(c, &(struct place){h->schema, h->table, &row}, out, err);
}

sc_status sc_merged_locate_rowid(struct sc_connection *c, const char *table, sqlite3_int64 rowid,
                                 struct sc_chip *out, struct sc_error *err) {
  struct sc_merge_row row = {0};
  if (!table) {
    return sc_fail(err, SC_BAD_ARG, "chip handle: a rowid needs the option 'table'");
  }
  const char *schema;
  sc_status st = sc_merge_resolve(c->db, table, &schema, &table, err);
  if (!st) st = sc_merge_lookup(c->db, schema, table, rowid, &row, err);
  return st ? st : open_row(c, &(struct place){schema, table, &row}, out, err);
}
