/*
 * Chips of a frozen data set (docs/freeze.md): pixels out of the tables of an SQLite database of
 * which the connection is one, instead of the files that the items name. A handle finds its item in
 * the view exported_items of the data set, and with it the table of pixels in the same schema; what
 * is not frozen is an error, and no file or server is asked.
 *
 * The array of a chip stands for a file of its size: assets, casts, kernels, buffers and grids are
 * those of any chip, of what was frozen.
 *
 * THREADS  Finding and opening on the connection's thread, reading on any.
 */
#ifndef SC_PIXELS_FROZEN_H
#define SC_PIXELS_FROZEN_H

#include "base/buffer.h"
#include "pixels/chip.h"
#include "pixels/packed.h"
#include "store/stamp.h"

/* In `application_id` of such a file, and its `user_version`. */
#define SC_FROZEN_APPLICATION_ID 0x53434650
#define SC_FROZEN_VERSION 1

/* A further array of each chip: a layer. */
struct sc_frozen_layer {
  char *name; /* owned */
  enum sc_dtype dtype;
  int n_bands;
};

/* A band as it was frozen. */
struct sc_frozen_band {
  const char *name, *key; /* borrowed from the set's JSON */
  int n_of_asset;         /* bands that its asset contributes in a row */
  int has_nodata, is_alpha;
  double nodata, scale, offset;
};

/* The chips of one item. */
struct sc_frozen_set {
  char *schema, *file;   /* names of the database; owned */
  struct sc_stamp stamp; /* of the file, */
  unsigned version;      /* and SQLite's of its pages, when it was read */
  char item[SC_HANDLE_ITEM_NAME + 1];
  enum sc_packing packing;
  enum sc_dtype dtype;
  int n_bands, height, width;
  int is_harmonized;
  struct cJSON *array;          /* owned: column `array` of the item */
  struct sc_frozen_band *bands; /* n_bands; owned */
  struct sc_frozen_layer *layers;
  int n_layers;
};

/* The data set in a schema that has the item of a name; *out NULL where none is there, or one
 * without pixels. Freed by sc_frozen_set_free(). */
sc_status sc_frozen_find(struct sc_connection *c, const char *schema, const char *item,
                         struct sc_frozen_set **out, struct sc_error *err);
void sc_frozen_set_free(struct sc_frozen_set *set);
/* Is it the database of that schema still, with what it had? Of one without a file none can say. */
int sc_frozen_is_unchanged(const struct sc_connection *c, const struct sc_frozen_set *set);
/* Give an item's object the grid that its chips were frozen on: so no file is opened for it. */
sc_status sc_frozen_give_grid(const struct sc_frozen_set *set, struct cJSON *item,
                              struct sc_error *err);

/* Append the handle of the chip at a rowid of a table "chips" or "schema.chips"; SC_NOT_FOUND where
 * the table is none of a data set, SC_RANGE where it has no such row. */
sc_status sc_frozen_row(struct sc_connection *c, const char *table, int64_t rowid,
                        struct sc_buffer *handle, struct sc_error *err);

/* Of such a table, the name of the one with its items, "schema.exported_items"; freed with
 * sc_free(). */
sc_status sc_frozen_items(const char *table, char **out, struct sc_error *err);

/* Where a located chip lies: its window, and where it was frozen on a grid of its own that as its
 * target, unless the options ask for another one. */
sc_status sc_frozen_place(struct sc_connection *c, const struct sc_chip_options *options,
                          struct sc_chip *chip, struct sc_error *err);
/* The same, with bands and packed pixels. */
sc_status sc_frozen_open(struct sc_connection *c, const struct sc_chip_options *options,
                         struct sc_chip *chip, struct sc_error *err);
/* A layer of an open frozen chip as a chip on its grid; SC_NOT_FOUND lists those there are. */
sc_status sc_frozen_open_layer(struct sc_connection *c, const struct sc_chip *chip,
                               const char *layer, struct sc_chip *out, struct sc_error *err);
void sc_frozen_close(struct sc_frozen *frozen); /* NULL is fine */

/* Of a chip with a target: from which grid its pixels are brought there. */
void sc_frozen_lay_warp(const struct sc_frozen *frozen, struct sc_warp *warp);

/* Read one chip: sc_chips_read() of it. */
sc_status sc_frozen_read(const struct sc_chip *chip, const struct sc_chip_options *options,
                         const struct sc_chip_target *to, struct sc_error *err);

#endif
