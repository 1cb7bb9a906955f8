/*
 * Index one item: the rows that stacchip_index() lists and stacchip_merge stores.
 *
 * item -> grid -> mask counts -> index. All in memory, nothing written anywhere.
 */
#ifndef SC_INDEX_INDEX_H
#define SC_INDEX_INDEX_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/options.h"
#include "base/sqlite.h"
#include "base/status.h"
#include "index/grid.h"

struct cJSON;
struct sc_lattice;
extern const struct sc_option_table sc_index_option_table; /* what it takes, for help */
struct sc_rules; /* stac/rules.h: the connection's platform rules */

struct sc_index_options {
  struct sc_tiling tiling; /* chip_size 256, stride = chip_size, edge drop */
  double max_nodata;       /* 0..1; chips with a larger nodata fraction are left out */
  char platform[128];      /* "" by match; a rule's name; "none" */
  int64_t shape[2];        /* rows, columns; 0 0: from the item */
  char *base;              /* directory or URL for relative hrefs, or NULL; owned */
  /* Of the rule, for this call: */
  char *mask; /* an asset, or the absolute path or URL of a raster, "{id}" standing for the
                 item's; or NULL; owned */
  char *cloud, *nodata; /* expressions, or NULL; owned */
  int64_t dilate;       /* pixels of the mask; -1: the rule's */
};

/* Defaults, then the JSON object `json` over them (NULL: none). Free with _free(). */
sc_status sc_index_options_parse(const char *json, struct sc_index_options *out,
                                 struct sc_error *err);
/* The same from a parsed object (or NULL), of a function `what` with further options of its own:
 * see base/options.h; what those borrow lives as long as the object. */
sc_status sc_index_options_read(const struct cJSON *object, const char *what,
                                const struct sc_option_set *own, struct sc_index_options *out,
                                struct sc_error *err);
/* The options as a JSON object with every key, appended to out: what a merged index stores. */
sc_status sc_index_options_format(const struct sc_index_options *o, struct sc_buffer *out,
                                  struct sc_error *err);
/* A copy of `base` with the options mask, cloud, nodata and dilate of a JSON object, and no others;
 * with a mask comes no expression of the base's. Free also after an error. */
sc_status sc_index_options_with_mask(const struct sc_index_options *base, const char *json,
                                     const char *what, struct sc_index_options *out,
                                     struct sc_error *err);
/* Those of the mask alone, each with a comma before it. */
sc_status sc_index_options_format_mask(const struct sc_index_options *o, struct sc_buffer *out,
                                       struct sc_error *err);
void sc_index_options_free(struct sc_index_options *o);
/* The option "shape", [rows, columns]; NULL leaves out as it is. */
sc_status sc_shape_read(const struct cJSON *shape, const char *what, int64_t out[2],
                        struct sc_error *err);

/* The option "mask": a path or URL made absolute, by the working directory as every path that a
 * caller gives; an asset's name as it is. NULL gives NULL. */
sc_status sc_mask_locate(const char *mask, char **out, struct sc_error *err);
/* Most pixels that clouds grow by. */
#define SC_DILATE_MAX_PX 100

struct sc_index_chip {
  int32_t x, y;        /* chip_index_x, chip_index_y */
  float cloud, nodata; /* fractions 0..1; NaN is SQL NULL (unknown) */
};

/* An asset with pixels, as the merged index stores it. */
struct sc_index_asset {
  char *key;  /* in the item */
  char *href; /* absolute path or URL */
};

/* The index of one item. Zeroed is empty; sc_index_free(). All strings owned. */
struct sc_index {
  char *platform;     /* the rule's name, or "none" */
  char *item;         /* id */
  char *collection;   /* or NULL */
  char *date;         /* YYYY-MM-DD or NULL */
  char *datetime;     /* RFC 3339 UTC or NULL */
  char *item_json;    /* the item's text, hrefs made absolute: what a merged index stores */
  char *rule_json;    /* the rule as a JSON object, or NULL for "none" */
  char *options_json; /* the options as a JSON object: what a merged index stores */
  char *location;     /* path or URL the item was read from, or NULL where it was text */
  int is_raster;      /* a bare raster: its id is the name of its file, no more */
  char grid_hash[17];
  struct sc_grid grid;
  struct sc_tiling tiling;
  struct sc_index_asset *assets; /* mask first, then the rule's assets (all of them for none) */
  size_t n_assets;
  struct sc_index_chip *chips; /* by y, then x */
  size_t n_chips;
  int64_t n_left_out;         /* chips without a place on the globe: a corner cannot be projected,
                                 or lies beyond a pole. Never all of them: that is an error */
  struct sc_lattice *lattice; /* chip corners in degrees; see sc_index_footprint() */
  char *failed_href;          /* after an error that names one: the asset's */
};

struct sc_footprint;

/* The footprint of a chip of the index, made from its projected corners (0.1 microseconds). */
sc_status sc_index_footprint(const struct sc_index *index, const struct sc_index_chip *chip,
                             struct sc_footprint *out, struct sc_error *err);

/*
 * Index an item.
 *
 * db       The connection it is for: interrupts, and file access checks of its process.
 *          Rule expressions run on a private connection, never on this one. May be NULL in
 *          worker threads (then `interrupted` is polled if given).
 * rules    The platform rules of the connection; may be shared by threads (locked inside).
 * item     Path, URL or text of a STAC item (n bytes), or path of a bare raster.
 *
 * Free the index also after an error: it then has the id, if the item could be read, and
 * failed_href.
 */
struct sc_index_call {
  sqlite3 *db;
  struct sc_rules *rules;
  int (*interrupted)(void *context);
  void *interrupt_context;
};
sc_status sc_index_item(const struct sc_index_call *call, const char *item, size_t n,
                        const struct sc_index_options *options, struct sc_index *out,
                        struct sc_error *err);
void sc_index_free(struct sc_index *index);

#endif
