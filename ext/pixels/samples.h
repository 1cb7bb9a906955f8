/*
 * The chips that a query names, with the values of its further columns: an epoch of them, a million
 * and more, so that they are kept small. A chip takes 40 bytes, its further values their JSON text;
 * the part of a handle that the chips of an item share is kept once.
 *
 * THREADS  The connection's thread only.
 */
#ifndef SC_PIXELS_SAMPLES_H
#define SC_PIXELS_SAMPLES_H

#include "base/buffer.h"
#include "pixels/chip.h"
#include "pixels/order.h"

/* What the handles of some chips have in common. */
enum sc_samples_of {
  SC_SAMPLES_OBJECT, /* text of an item, as sc_handle_common_part() has it; the position varies */
  SC_SAMPLES_ROW,    /* an item of a merged index; rowid and position vary */
  SC_SAMPLES_ROWID,  /* the same of rowids: see the option table */
  SC_SAMPLES_SHORT,  /* name of an exported item; the position varies */
  SC_SAMPLES_TEXT,   /* one whole handle */
  SC_SAMPLES_NULL    /* no chip */
};

struct sc_samples_source {
  enum sc_samples_of kind;
  size_t text, text_bytes; /* in `texts`; of a row: schema, table and item id, each with its 0 */
  uint64_t hash;
  uint32_t first; /* its first chip */
};

struct sc_sample {
  struct sc_order_chip chip; /* its item is a source */
  int64_t rowid;
  uint64_t extra; /* where its values begin in `extras` */
};

/* Zeroed is empty; sc_samples_free(). */
struct sc_samples {
  const char *what; /* the function, for errors; static */
  int is_frozen;    /* rowids of the option "table" are those of a frozen data set, */
  char *items;      /* whose items are there, unless the options say where; owned */
  struct sc_sample *rows;
  size_t n, capacity;
  struct sc_samples_source *sources;
  size_t n_sources, sources_capacity;
  uint32_t *table; /* hash table of sources: number + 1, or 0 */
  size_t table_size;
  struct sc_buffer texts, extras; /* extras: JSON values, each with a line feed */
  char **columns;                 /* names of the further columns; owned */
  int n_columns;
  struct sc_buffer scratch;
};

/*
 * Run a query, whose first column is a handle (NULL is as the option "null" says), or with the
 * option "table" a rowid, on the connection. SC_BAD_ARG for what is no such query, and BLOBs in
 * further columns.
 */
sc_status sc_samples_read(struct sc_connection *c, const char *query,
                          const struct sc_chip_options *options, enum sc_options_of function,
                          struct sc_samples *out, struct sc_error *err);
void sc_samples_free(struct sc_samples *s);

/* Prepare a query whose first column is a handle, for the function `what`; SC_BAD_ARG for another
 * statement. Between sc_connection_begin_query() and _end_query(). */
sc_status sc_samples_prepare(sqlite3 *db, const char *what, const char *sql, sqlite3_stmt **out,
                             struct sc_error *err);

/* What names chip i, its text NULL where that is NULL; borrowed until the next call. */
sc_status sc_samples_name(struct sc_samples *s, size_t i, struct sc_chip_name *out,
                          struct sc_error *err);

/* Append {"column": [values of the n chips], ...}. */
sc_status sc_samples_extra(const struct sc_samples *s, const uint32_t *chips, size_t n,
                           struct sc_buffer *out, struct sc_error *err);

/*
 * Find where the chips lie and how large the blocks of their items are: opens each item and, where
 * that asks no server, its assets; fills `chip` of the rows. *items: one per source, freed by
 * sc_samples_items_free().
 */
sc_status sc_samples_place(struct sc_connection *c, struct sc_samples *s,
                           const struct sc_chip_options *options, struct sc_order_item **items,
                           struct sc_error *err);
void sc_samples_items_free(struct sc_order_item *items, size_t n);

#endif
