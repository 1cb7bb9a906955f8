/*
 * One item of a merged index on its way into a folder: which of its assets are copied, under what
 * names, and what the item says when they are there.
 */
#ifndef SC_CLI_MIRROR_ITEM_H
#define SC_CLI_MIRROR_ITEM_H

#include <sqlite3.h>
#include <stdint.h>

#include "cli/transfers.h"
#include "stac/item.h"

/* What is mirrored where; all borrowed. */
struct sc_mirror {
  sqlite3 *db;
  const char *table; /* the merged index */
  const char *root;  /* of the folder, absolute */
  const char *names; /* of assets, with commas between them; "*": all; NULL: those that the index
                        reads */
  int verify;        /* compare the checksums of what earlier runs have verified, too */
};

struct sc_mirror_asset {
  const struct sc_asset *asset; /* NULL: the mask of one's own */
  char *source;                 /* href to copy from, or NULL where nobody knows; owned */
  char *key;                    /* below the root; owned; NULL: not chosen */
  char *path;                   /* "{root}/{key}"; owned */
  struct sc_mirror_asset *same; /* one of the same href, whose transfer is this one's; or NULL */
  struct sc_transfer transfer;
};

/* Zeroed is empty; sc_mirror_item_free(). */
struct sc_mirror_item {
  int64_t row;          /* in <table>_item */
  int has_text;         /* the index has the item's text; else its rows came from index files */
  char *platform;       /* owned */
  struct sc_item item;  /* as the index has it */
  char *folder, *index; /* keys; owned */
  struct sc_mirror_asset *assets; /* those of the item, in its order; owned */
  struct sc_mirror_asset mask;    /* a remote raster that the rule names by its path */
  size_t n_chosen, n_transfers;
  size_t n_left;       /* the caller's: transfers under way */
  int is_done;         /* the index names the copies, and item and index files are there */
  struct sc_error err; /* of the first transfer that failed */
};

/*
 * Prepare the transfers of an item: those of assets whose `key` is set.
 *
 * chip     Any chip of it, by its rowid.
 * Returns  What is wrong with the item, naming it and the asset; SC_DB and SC_NOMEM.
 */
sc_status sc_mirror_item_open(const struct sc_mirror *m, int64_t chip, struct sc_mirror_item *out,
                              struct sc_error *err);

/*
 * All copies are there: write the item and its index into the folder, and then the new hrefs into
 * the merged index, in a transaction.
 */
sc_status sc_mirror_item_finish(const struct sc_mirror *m, struct sc_mirror_item *item,
                                struct sc_error *err);

void sc_mirror_item_free(struct sc_mirror_item *item);

#endif
