/*
 * Handles: the text that names one chip and survives sorting, subqueries and CREATE TABLE AS; the
 * value of the hidden column `row`. All that is known of their form is here.
 *
 *   {"item":"/data/item.json","chip_index_x":3,"chip_index_y":7,"chip_size":256,...}
 *       of stacchip_index(), and what people write; item is a path, a URL or an item object, and
 *       "center":[lon,lat] may stand for the position
 *   {"bucket":"s3://...","platform":"...","item":"S2A_...","chip_index_x":3,...}
 *       the archive layout of the Python package: the same, but that item is an id
 *   ["chips",4711,"S2A_...",3,7]
 *       of a merged index: table, rowid, item id, position; a sixth member is the schema
 *   ["0PnXb6NqzJ3kT2aV",3,7]
 *       short, of stacchip_row_export(row, 'short'): the name of an exported item, position. The
 *       item is in a table of exported items; its text is {"item":{...},"chip_size":256,...}
 *   an integer: a rowid of the merged index that the option "table" names
 */
#ifndef SC_INDEX_HANDLE_H
#define SC_INDEX_HANDLE_H

#include "base/buffer.h"
#include "base/options.h"
#include "base/status.h"
#include "index/index.h"
#include "index/scene.h"

/* ---- writing ---- */

/*
 * The part of a handle of stacchip_index() that is the same for all chips of an item: the
 * item and the options that differ from their defaults, without the closing brace.
 */
sc_status sc_handle_prefix(const struct sc_index *index, const struct sc_index_options *options,
                           struct sc_buffer *out, struct sc_error *err);
/* The whole handle of a chip: prefix, position, "}". Appended to out. */
sc_status sc_handle_format(const struct sc_buffer *prefix, int x, int y, struct sc_buffer *out,
                           struct sc_error *err);

/* Append the text of an exported item, of which sc_handle_of_item() makes self-contained handles:
 * hrefs and projection fields instead of a path. */
sc_status sc_handle_export(const struct sc_scene *scene, const struct sc_tiling *tiling,
                           struct sc_buffer *out, struct sc_error *err);
/* Append the handle of a chip of an exported item; SC_BAD_DATA for a text that is none. */
sc_status sc_handle_of_item(const char *item, size_t n, int64_t x, int64_t y, struct sc_buffer *out,
                            struct sc_error *err);

/*
 * The name of an exported item: 96 bits of the SHA-256 of its text in the letters of base64url
 * (RFC 4648), so that a handle never meets another item than its own.
 */
#define SC_HANDLE_ITEM_NAME 16
void sc_handle_item_name(const char *item, size_t n, char out[SC_HANDLE_ITEM_NAME + 1]);
/* Append a short handle. */
sc_status sc_handle_short_format(const char *name, int64_t x, int64_t y, struct sc_buffer *out,
                                 struct sc_error *err);

/* What a handle of a merged index says; the texts are borrowed. */
struct sc_handle_row {
  const char *schema, *table;
  const char *item; /* id */
  int64_t rowid, x, y;
};
/* Append ["table",rowid,"item",x,y], with the schema behind where it is not main. */
sc_status sc_handle_row_format(const struct sc_handle_row *row, struct sc_buffer *out,
                               struct sc_error *err);
/* Append what all handles of a table begin with, up to the rowid. */
sc_status sc_handle_row_start(const char *table, struct sc_buffer *out, struct sc_error *err);
/*
 * The rowid in a text that ends in a zero, if a handle beginning with `start` may be equal to it:
 * 1, else 0. What follows the rowid is not looked at.
 */
int sc_handle_row_rowid(const struct sc_buffer *start, const char *text, int64_t *rowid);

/* ---- reading ---- */

/* A handle that is read; sc_handle_free(). Texts and JSON are borrowed from `json`. */
struct sc_handle {
  struct sc_options json;
  int is_row; /* of a merged index: only `row` counts */
  struct sc_handle_row row;
  const struct cJSON *item;
  const char *bucket; /* or NULL: item says where it is itself */
  const char *platform, *base;
  const char *mask, *cloud, *nodata; /* of the rule, where it is not as it was found */
  int64_t dilate;                    /* -1: the rule's */
  int64_t shape[2];
  struct sc_tiling tiling;
  int has_position, has_center; /* one of them */
  int64_t x, y;                 /* chip_index_x, chip_index_y */
  double center[2];             /* longitude, latitude */
};

/* The members of one that is written by hand, for help. */
extern const struct sc_option_table sc_handle_option_table;

/* SC_BAD_ARG for a text that is not a handle, has unknown members, or both a position and a
 * center. */
sc_status sc_handle_read(const char *text, struct sc_handle *out, struct sc_error *err);
void sc_handle_free(struct sc_handle *h);

/*
 * Handles of stacchip_index() are equal, up to their position at the end, for all chips of an
 * item: the length of that part, and the position. 0 where the text is another, which may be a
 * handle all the same.
 */
size_t sc_handle_common_part(const char *text, size_t n, int64_t *x, int64_t *y);

/* 1, with name and position, where a text that ends in a zero is a short handle; else 0. */
int sc_handle_short_read(const char *text, size_t n, char name[SC_HANDLE_ITEM_NAME + 1], int64_t *x,
                         int64_t *y);

/* What sc_scene_open() takes for the item that an object names; *out is freed with sc_free(). */
sc_status sc_handle_item(const struct sc_handle *h, char **out, struct sc_error *err);
/* The options for it. A platform is a folder of a bucket first: it is a rule where there is such
 * a rule. Free with sc_index_options_free(). */
sc_status sc_handle_options(const struct sc_handle *h, struct sc_rules *rules,
                            struct sc_index_options *out, struct sc_error *err);

/* ---- the archive ---- */

/* The folder of an item below its bucket, {platform}/{item}, where a '/' of the id is '_'; what the
 * file of the item is called there; and all of it. *out is freed with sc_free(). */
#define SC_ARCHIVE_ITEM "stac_item.json"
sc_status sc_archive_folder(const char *platform, const char *id, char **out, struct sc_error *err);
sc_status sc_archive_item(const char *bucket, const char *platform, const char *id, char **out,
                          struct sc_error *err);

#endif
