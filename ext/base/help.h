/*
 * What stacchip_help() says of a function or table, from the tables that the code itself goes by.
 * The page docs/reference.md is made of it, and the tests compare it with what is registered.
 *
 * How to use it: beside the registration of a function a constant
 *
 *   static const struct sc_help_name arguments[] = {
 *       {"row", "TEXT", NULL, "a handle"}, {"options", "JSON", "{}", "see the options"}, {0}};
 *   static const struct sc_help help = {
 *       .name = "stacchip_f", .kind = SC_HELP_SCALAR, .about = "the pixels of one chip",
 *       .arguments = arguments, .options = {{"option", "", &table}},
 *       .example = "SELECT stacchip_f(row) FROM stacchip_index('item.json')"};
 *
 * and sc_connection_help(c, &help) where it is registered.
 */
#ifndef SC_BASE_HELP_H
#define SC_BASE_HELP_H

#include "base/options.h"

#define SC_HELP_SCALAR "scalar function"
#define SC_HELP_AGGREGATE "aggregate function"
#define SC_HELP_TABLE "table"          /* with arguments: a table-valued function */
#define SC_HELP_MODULE "virtual table" /* for CREATE VIRTUAL TABLE ... USING */

#define SC_HELP_TABLES_MAX 4 /* of options that one function has */

/* An argument or a column. A list of them ends with one that has no name. */
struct sc_help_name {
  const char *name;
  const char *type;    /* of SQL, or in words */
  const char *initial; /* of an argument that may be left out: what holds then; else NULL */
  const char *about;   /* without a full stop */
};

struct sc_help_options {
  const char *part;   /* "option", "key", "argument", "setting" */
  const char *prefix; /* before each key: "shuffle." */
  const struct sc_option_table *table;
};

struct sc_help {
  const char *name;
  const char *kind;
  const char *about;                    /* without a full stop */
  const char *example;                  /* SQL that runs where an item.json is */
  const struct sc_help_name *arguments; /* or NULL */
  const struct sc_help_name *columns;   /* or NULL; hidden ones too, but for arguments */
  struct sc_help_options options[SC_HELP_TABLES_MAX];
};

/* Arguments that many have. */
#define SC_HELP_ROW \
  { "row", "TEXT or INTEGER", NULL, "a handle: which chip" }
#define SC_HELP_ITEM \
  { "item", "TEXT", NULL, "an item or a raster, by path or URL, or an item's text" }
#define SC_HELP_OPTIONS \
  { "options", "JSON", "{}", "an object: see the options" }
#define SC_HELP_SORT_KEY \
  { "sort_key", "any", "the order of rows", "what the group is sorted by" }

/* The columns of every index, and those that one has hidden. */
/* clang-format off */
#define SC_HELP_INDEX_COLUMNS \
  {"chipid", "TEXT", NULL, "{item}-{x}-{y}, for people"}, \
  {"platform", "TEXT", NULL, "the rule that the item falls under, raster or none"}, \
  {"item", "TEXT", NULL, "the item's id"}, \
  {"date", "TEXT", NULL, "YYYY-MM-DD in UTC"}, \
  {"chip_index_x", "INTEGER", NULL, "column of the chip, from the left"}, \
  {"chip_index_y", "INTEGER", NULL, "row of the chip, from above"}, \
  {"cloud_cover_percentage", "REAL", NULL, "fraction of cloudy pixels, 0 to 1; NULL where it is unknown"}, \
  {"nodata_percentage", "REAL", NULL, "fraction of pixels that are not valid, 0 to 1; NULL where it is unknown"}, \
  {"geometry", "BLOB", NULL, "the footprint in longitude and latitude, a SpatiaLite geometry"}
#define SC_HELP_INDEX_HIDDEN \
  {"row", "TEXT, hidden", NULL, "the handle: what reads the pixels"}, \
  {"datetime", "TEXT, hidden", NULL, "RFC 3339 in UTC"}, \
  {"collection", "TEXT, hidden", NULL, "the item's collection"}, \
  {"grid", "TEXT, hidden", NULL, "a hash of CRS, transform and shape"}, \
  {"col_off", "INTEGER, hidden", NULL, "the chip's first column of pixels in the grid"}, \
  {"row_off", "INTEGER, hidden", NULL, "the chip's first row of pixels in the grid"}
/* clang-format on */

#endif
