/*
 * What a merged index keeps in memory while it is open: its statements, its write buffers,
 * its place in the registry. Shared by the files of ext/merge alone.
 */
#ifndef SC_MERGE_TABLE_H
#define SC_MERGE_TABLE_H

#include "base/sqlite.h"
#include "connection.h"
#include "merge/args.h"
#include "merge/chip_block_cache.h"
#include "merge/rtree_write.h"
#include "merge/statements.h"

#define SC_MERGE_MAX_BLOCK_ID (INT64_MAX / 4) /* the area index has twice the id, and one more */
#define SC_MERGE_RECENT_ITEMS 512
#define SC_MERGE_CHIPS_AT_ONCE 16                /* rows of chip_insert_16 */
#define SC_MERGE_MAX_NEW_CELLS ((size_t)1 << 20) /* of 40 bytes, and 40 more while sorting */

/* Items that rows were lately inserted for: saves a query a row. */
struct sc_recent_item {
  char *key; /* owned: item, platform and collection, each with its zero; NULL: free slot */
  size_t key_size;
  int64_t id;
  float day;
};

/* A chip's row that is not yet written. */
struct sc_new_chip {
  int64_t id, item_id;
  int32_t x, y;
  float cloud, nodata;
  struct sc_buffer geometry; /* owned: a MULTIPOLYGON blob; kept for the next chip */
};

struct sc_cursor;       /* cursor.h */
struct sc_lookup_cache; /* lookup.c */
struct sc_predicates;   /* index/predicates.h */

struct sc_merge {
  sqlite3_vtab base;                /* first */
  struct sc_connection *connection; /* borrowed */
  sqlite3 *db;
  char *schema, *name;
  struct sc_merge_args args;
  struct sc_statements statements;

  /* Write buffers: see shadow.c. */
  struct sc_new_chip
      new_chips[SC_MERGE_CHIPS_AT_ONCE]; /* written together: a load is a fifth faster */
  int n_new_chips;
  struct sc_chip_block_cache blocks;
  struct sc_rtree area;            /* <name>_area: blocks by place, day and cloud */
  struct sc_rtree index;           /* idx_<name>_chip_geometry: SpatiaLite's */
  struct sc_rtree_cell *new_cells; /* not yet in index */
  size_t n_new_cells, new_cells_capacity;
  int64_t *old_ids; /* not yet out of index; taken out before new_cells go in */
  size_t n_old_ids, old_ids_capacity;
  int is_probed; /* the R*Tree module has let us write to index since the last flush */
  struct sc_buffer scratch;
  struct sc_recent_item recent[SC_MERGE_RECENT_ITEMS];
  int64_t next_chip, next_block; /* 0: ask the tables */
  int n_inside;     /* our own writes run: the savepoints of their statements are not for us */
  int must_discard; /* rolled back meanwhile: forget the buffers on the way out */
  int in_statement; /* a statement of many rows runs inside BEGIN: xRelease will tell its end */
  int is_new_transaction; /* xBegin came, and neither a savepoint nor a row since */
  int is_unsure;          /* in_statement may be of a savepoint that was there before xBegin */
  sqlite3_stmt *writer;   /* of the last row while unsure: compared, never used */
  int writer_runs;
  int is_current;   /* the schema's version was looked at in this transaction */
  int has_emptied;  /* blocks in the buffer lost their last chip: their items may have to go */
  int is_broken;    /* a write failed half way: nothing may be committed until ROLLBACK */
  size_t n_flushes; /* of blocks */
  unsigned change;  /* of the last write, so that readers' caches notice */

  struct sc_cursor *free_cursors; /* closed ones, for their statements */
  int n_free_cursors;
  struct sc_predicates *predicates; /* owned */
  struct sc_lookup_cache *lookup;   /* owned */
  struct sc_merge *next;            /* in the registry */
};

/* The statement, prepared at its first use. Borrowed; the user leaves it reset. */
sc_status sc_merge_statement(struct sc_merge *t, enum sc_merge_statement which, sqlite3_stmt **out,
                             struct sc_error *err);
/* A new statement of the same text, finalized by the caller. */
sc_status sc_merge_prepare(struct sc_merge *t, enum sc_merge_statement which, sqlite3_stmt **out,
                           struct sc_error *err);

/* The ids of a shadow table: what asks for the last one, the table, and the id not to be reached.
 */
struct sc_merge_ids {
  enum sc_merge_statement last;
  const char *table; /* "chip" of <name>_chip */
  int64_t end;
};
/* A new id: one more than the last. *next keeps it between calls; 0: the table is asked.
 * SC_BAD_DATA where the table's last id is negative or not below ids->end. */
sc_status sc_merge_new_id(struct sc_merge *t, const struct sc_merge_ids *ids, int64_t *next,
                          int64_t *out, struct sc_error *err);

/*
 * What becomes of an item that fails: as the command 'on_error' has set it for good, else as the
 * arguments say. Asked when one fails: the setting may be rolled back, or another connection's.
 */
sc_status sc_merge_find_on_error(struct sc_merge *t, enum sc_merge_on_error *out,
                                 struct sc_error *err);

/* Forget the items that rows were lately inserted for. */
void sc_merge_forget_items(struct sc_merge *t);

/* Give t->change a number that no table of the process has had: one that is dropped, or whose
 * database is detached, leaves its name and row numbers to another one. */
void sc_merge_note_change(struct sc_merge *t);

/*
 * Open the table behind an existing set of shadow tables, and close it. Takes over args, also on
 * error.
 */
sc_status sc_merge_open(struct sc_connection *c, sqlite3 *db, const char *schema, const char *name,
                        struct sc_merge_args *args, struct sc_merge **out, struct sc_error *err);
void sc_merge_close(struct sc_merge *t);
/* Finalize every statement, so that the shadow tables can be dropped or renamed. */
void sc_merge_release(struct sc_merge *t);
/* Ready for use again after sc_merge_release(), under the name of the shadow tables. */
sc_status sc_merge_set_name(struct sc_merge *t, const char *name, struct sc_error *err);

/*
 * The open table of a connection, connected if need be. SC_NOT_FOUND where no table, or one
 * that is not a merged index, has that name. Borrowed while the caller's statement runs.
 */
sc_status sc_merge_find_table(sqlite3 *db, const char *schema, const char *name,
                              struct sc_merge **out, struct sc_error *err);
/* The same of "chips", or "schema.chips". */
sc_status sc_merge_find_named(sqlite3 *db, const char *name, struct sc_merge **out,
                              struct sc_error *err);

#endif
