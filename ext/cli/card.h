/*
 * The card of a frozen data set: files beside it that say to people and programs what it is.
 *
 *   README.md        counts, sources, licence, how to read it
 *   croissant.json   Croissant 1.1, JSON-LD
 *   collection.json  a STAC collection
 *   chips.csv        a line for each chip: what Croissant's records are
 *   preview.jpg      a contact sheet
 *
 * In a folder of shards they have these names, beside a file "train.db" they begin with "train.".
 */
#ifndef SC_CLI_CARD_H
#define SC_CLI_CARD_H

#include <cjson/cJSON.h>
#include <sqlite3.h>

#include "base/buffer.h"
#include "base/status.h"

/* What the user says of a data set; each may be NULL. */
struct sc_card_words {
  const char *title, *description, *license, *creator, *url;
};

#define SC_CARD_SPLITS_MAX 12 /* more are told like any other column */

/* What is known of a data set; all owned unless it says otherwise. */
struct sc_card {
  const struct sc_card_words *words; /* borrowed */
  sqlite3 *db;                       /* the data set, with the extension */
  char *folder, *data, *prefix; /* where the files are, the name of the SQLite file, and what the
                                   names of the card begin with: "train." or "" */
  char *title, *description;
  char *hash, *format, *codec, *dtype, *options, *split; /* of table dataset; NULL: not there */
  int64_t n_chips, n_items;
  cJSON *shape;                   /* [bands, rows, columns] */
  cJSON *bands;                   /* [{"name","asset","nodata","scale","offset"}] */
  cJSON *columns;                 /* names of the query's further columns */
  cJSON *splits;                  /* their names, null for chips of none; [] without splits */
  cJSON *platforms, *collections; /* names */
  cJSON *licenses;                /* names, as STAC has them */
  cJSON *license_links;           /* URLs */
  cJSON *providers;               /* as STAC has them, each once */
  cJSON *files;                   /* [{"name","bytes","sha256","type"}] */
  double box[4];                  /* west, south, east, north; west > east over the antimeridian */
  char begin[40], end[40];        /* RFC 3339; "" where no item has a time */
  char published[16];             /* YYYY-MM-DD: when the data set was completed */
};

/* The name of a file of the card; freed with sc_free(). */
sc_status sc_card_name(const struct sc_card *card, const char *file, char **out,
                       struct sc_error *err);
/* The text of a column of the query in SQL: c."label"; freed with sqlite3_free(). */
char *sc_card_column(const char *name);

/* Has the query a column of that name? It then stands for the item's own. */
int sc_card_has_column(const struct sc_card *card, const char *name);

/* Write the card of a frozen data set that is complete. */
sc_status sc_card_write(const char *path, const struct sc_card_words *words, struct sc_error *err);

/* Its parts, each appended to out. */
sc_status sc_card_readme(const struct sc_card *card, int has_picture, struct sc_buffer *out,
                         struct sc_error *err);
sc_status sc_card_croissant(const struct sc_card *card, struct sc_buffer *out,
                            struct sc_error *err);
sc_status sc_card_collection(const struct sc_card *card, int has_picture, struct sc_buffer *out,
                             struct sc_error *err);
/* URL of a licence by its SPDX identifier, in `out`; "" for STAC's words that are none. */
void sc_card_license_url(const char *license, char *out, size_t n);

/* --- card_facts.c --- */

sc_status sc_card_read(const char *path, const struct sc_card_words *words, struct sc_card *out,
                       struct sc_error *err);
void sc_card_free(struct sc_card *card);
/* List the files of the data set, with their sizes and digests. */
sc_status sc_card_list_files(struct sc_card *card, struct sc_error *err);

#endif
