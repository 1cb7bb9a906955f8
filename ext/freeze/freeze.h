/*
 * stacchip_freeze(): the parts of it.
 *
 *   freeze_func.c  the call: options, the order of chips, one batch after the other
 *   items.c        what is known of an item: the state of its files, its version, its row
 *   dataset.c      the SQLite file: tables, going on with what was begun, giving it its name
 *   shards.c       archives and arrays of the formats webdataset and npy
 *
 * HOW IT WORKS  Chips are drawn in the order of batches of an epoch (pixels/order.h), superblock by
 * superblock, and written as they come; a split after the other. All depends on the query, the
 * options and the files alone. The SQLite file is written under another name, "path.part", and each
 * batch (of shards: each shard) is one transaction of it, with the batch that comes next. Who
 * starts again finds it there and reads on from that batch, as if nothing had been. What was begun
 * for other chips or other files is begun anew.
 */
#ifndef SC_FREEZE_FREEZE_H
#define SC_FREEZE_FREEZE_H

#include "pixels/chip.h"
#include "pixels/order.h"
#include "pixels/packed.h"
#include "pixels/samples.h"
#include "pixels/version.h"

#define SC_FREEZE "stacchip_freeze"

enum sc_freeze_format {
  SC_FREEZE_STACCHIP = 0,
  SC_FREEZE_MANIFEST,
  SC_FREEZE_WEBDATASET,
  SC_FREEZE_NPY
};
#define SC_FREEZE_FORMATS "stacchip|manifest|webdataset|npy"
/* "stacchip" ...; static. */
const char *sc_freeze_format_name(int format);
static inline int sc_freeze_has_shards(int format) { return format >= SC_FREEZE_WEBDATASET; }

struct sc_freeze_options {
  struct sc_chip_options chip;
  struct sc_order_options order;
  const struct cJSON *shuffle; /* NULL: not said */
  int format;                  /* enum sc_freeze_format */
  int packing;                 /* enum sc_packing */
  int64_t shard_bytes;
  const char *splits; /* a column of the query, or NULL */
};

/* What all chips have in common. */
struct sc_freeze_shape {
  enum sc_dtype dtype;
  int n_bands, height, width;
};

/* --- items.c --- */

/* An item that chips are of. */
struct sc_freeze_item {
  char name[SC_HANDLE_ITEM_NAME + 1];
  char version[SC_VERSION_TEXT_BYTES];
  int is_written;
};

struct sc_freeze_file; /* the content of one, by its href */

/* Zeroed is empty; sc_freeze_items_free(). */
struct sc_freeze_items {
  struct sc_freeze_item **items; /* by name */
  size_t n, capacity;
  struct sc_freeze_file *files; /* by href */
  size_t n_files, files_capacity;
};
void sc_freeze_items_free(struct sc_freeze_items *items);

/* The item of an open chip, looked at where it is new: its files and its version. */
sc_status sc_freeze_item_of(struct sc_connection *c, struct sc_freeze_items *all,
                            const struct sc_freeze_options *options, struct sc_chip *chip,
                            struct sc_freeze_item **out, struct sc_error *err);

struct sc_dataset;
/* Write its row and those of its files, unless they are. */
sc_status sc_freeze_item_write(struct sc_connection *c, struct sc_freeze_items *all,
                               const struct sc_freeze_options *options, struct sc_chip *chip,
                               struct sc_freeze_item *item, struct sc_dataset *to,
                               struct sc_error *err);

/* Where rows of files go: of an item, NULL where they are not written yet. */
struct sc_freeze_row {
  struct sc_dataset *dataset;
  const char *item;
};

/* The digest of the files that the layers of a chip are made of, and their rows; "" without
 * layers. */
sc_status sc_freeze_layers_of(struct sc_connection *c, struct sc_freeze_items *all,
                              const struct sc_freeze_options *options, const struct sc_chip *chip,
                              const struct sc_freeze_row *to, char out[SC_VERSION_TEXT_BYTES],
                              struct sc_error *err);

/* SC_BAD_DATA where a local file is not the one any more that was looked at: pixels may be of
 * another state than the version says. */
sc_status sc_freeze_items_check(const struct sc_freeze_items *all, struct sc_error *err);

/* --- dataset.c --- */

struct sc_dataset_chip {
  int64_t position;
  const char *item; /* name */
  int64_t x, y;     /* of the handle */
  const char *layers;
  int64_t shard;      /* -1: none */
  const char *values; /* JSON array of the query's further columns */
};

struct sc_dataset_file {
  const char *item, *layer, *asset, *href;
  const struct sc_content *content;
};

struct sc_dataset_item {
  const struct sc_freeze_item *item;
  const char *text, *collection, *item_id, *platform, *datetime, *pixel_options, *array, *stac;
};

/* What is written, and where it goes on. */
struct sc_dataset_state {
  int64_t position;    /* of the next chip */
  int64_t part, batch; /* the next one: number of the split, and its batch */
  int64_t shard;       /* number of the next one */
};

struct sc_dataset_plan {
  const char *path;
  char plan[17]; /* of what is to be frozen: what was begun under another plan is begun anew */
  const struct sc_freeze_options *options;
  char **columns; /* of the query, beside the handle */
  int n_columns;
  struct sc_freeze_shape shape;
};

/* What became of it. */
struct sc_dataset_result {
  int64_t chips, bytes, shards; /* bytes: of all files */
  char hash[SC_VERSION_TEXT_BYTES];
};

/*
 * Begin, or go on. *state is where: all chips are written where state->position is below 0.
 * *is_done: it is there already, under its own name. SC_CONSTRAINT where something else has the
 * name, or another process writes it.
 */
sc_status sc_dataset_open(const struct sc_dataset_plan *plan, struct sc_dataset **out,
                          struct sc_dataset_state *state, int *is_done, struct sc_error *err);
/* SC_CONSTRAINT where another process has it, or has written on. */
sc_status sc_dataset_begin(struct sc_dataset *d, const struct sc_dataset_state *state,
                           struct sc_error *err);
sc_status sc_dataset_commit(struct sc_dataset *d, const struct sc_dataset_state *next,
                            struct sc_error *err);
sc_status sc_dataset_add_item(struct sc_dataset *d, const struct sc_dataset_item *item,
                              struct sc_error *err);
sc_status sc_dataset_add_file(struct sc_dataset *d, const struct sc_dataset_file *file,
                              struct sc_error *err);
sc_status sc_dataset_add_chip(struct sc_dataset *d, const struct sc_dataset_chip *row,
                              const struct sc_chip *chip, struct sc_error *err);
/* Packed arrays: the pixels, and each layer. */
sc_status sc_dataset_add_pixels(struct sc_dataset *d, int64_t position,
                                const struct sc_view *arrays, int n, struct sc_error *err);
/* A shard that is there: of how many chips. */
sc_status sc_dataset_add_shard(struct sc_dataset *d, int64_t number, const char *file,
                               const char *split, const int64_t counts[2], struct sc_error *err);
/* Is the row of an item there? */
sc_status sc_dataset_has_item(struct sc_dataset *d, const char *name, int *out,
                              struct sc_error *err);
/* What the layers turn out to be: [{"name", "dtype", "shape"}]. */
sc_status sc_dataset_set_layers(struct sc_dataset *d, const char *json, struct sc_error *err);

/* All is written: the version and the index, unless they are there; then the name. */
sc_status sc_dataset_complete(struct sc_dataset *d, struct sc_error *err);
sc_status sc_dataset_finish(struct sc_dataset *d, struct sc_error *err);
/* Of a data set that has its name: of a path, or (folders) of its file in it. */
sc_status sc_dataset_result(const char *path, int format, struct sc_dataset_result *out,
                            struct sc_error *err);
/* Close; what is not committed is not there. NULL is fine. */
void sc_dataset_close(struct sc_dataset *d);
sqlite3 *sc_dataset_db(struct sc_dataset *d);

/* --- shards.c --- */

struct sc_shards;
sc_status sc_shards_open(const struct sc_dataset_plan *plan, struct sc_shards **out,
                         struct sc_error *err);
void sc_shards_close(struct sc_shards *s);
/* Begin shard `number` of `chips` chips of a split, NULL without splits. */
sc_status sc_shards_begin(struct sc_shards *s, int64_t number, const char *split, size_t chips,
                          struct sc_error *err);
/* An array each: of a chip, (bands, rows, columns); layers have names. */
struct sc_shard_array {
  const char *name; /* NULL: the pixels */
  enum sc_dtype dtype;
  int n_bands;
  const void *values;
};
/* Add a chip: its row is in the data set. */
sc_status sc_shards_add(struct sc_shards *s, struct sc_dataset *d, int64_t position,
                        const struct sc_shard_array *arrays, int n, struct sc_error *err);
/* Give it its name, and add its row. */
sc_status sc_shards_end(struct sc_shards *s, struct sc_dataset *d, struct sc_error *err);
/* Files of a folder with names of shards: removed, with an index; or SC_CONSTRAINT. */
sc_status sc_shards_sweep(const char *folder, int is_removing, struct sc_error *err);
/* index.json of the format npy. */
sc_status sc_shards_index(struct sc_shards *s, struct sc_dataset *d, struct sc_error *err);

#endif
