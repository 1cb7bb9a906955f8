/*
 * Reading Parquet files into SQL: what the two forms of stacchip_parquet share.
 *
 *   import_scan.c   rows of several files, one after the other, with pruning
 *   import_names.c  whether the names of a tree's folders are true of its files
 *   import_vtab.c   the virtual table
 */
#ifndef SC_GEOPARQUET_IMPORT_H
#define SC_GEOPARQUET_IMPORT_H

#include "base/sqlite.h"
#include "base/status.h"
#include "geoparquet/geo_metadata.h"
#include "geoparquet/hive.h"
#include "index/columns.h"
#include "parquet/reader.h"
#include "store/listing.h"

#define SC_IMPORT_MAX_COLUMNS 2000 /* SQLite's SQLITE_MAX_COLUMN */

/* A comparison that SQLite handed down; bytes are borrowed from `value`. */
struct sc_import_constraint {
  int column;
  enum sc_pq_op op;
  sqlite3_value *value; /* owned copy */
};

/* Do folders and file names tell the truth about platform and item? */
enum sc_names_trust { SC_NAMES_UNCHECKED = 0, SC_NAMES_TRUE, SC_NAMES_UNPROVEN };

/* A scan over files. Zeroed is empty. */
struct sc_import {
  struct sc_connection *connection; /* borrowed */
  int is_index;                     /* the nine columns by name, else leaves by number */
  size_t n_columns;
  const char *columns; /* borrowed: what the file's must be (import_columns.h), for not is_index */
  unsigned char *is_wanted;                 /* [n_columns], owned */
  struct sc_import_constraint *constraints; /* owned, n_constraints */
  size_t n_constraints;
  struct sc_pq_box box; /* present: geometries elsewhere are not wanted */
  struct sc_files files;
  size_t next_file;
  enum sc_names_trust names_trust;
  /* Of the file that is open: */
  int is_open;
  struct sc_pq_file file;
  struct sc_pq_scan scan;
  int *leaves;       /* [n_columns]: the column's leaf, or -1 */
  int *scan_columns; /* [n_columns]: its number in the scan, or -1 */
  int *scan_leaves;  /* what the scan reads */
  struct sc_pq_filter *filters;
  struct sc_folder_values folders; /* of the file's path */
  int srid;                        /* of its geometries: 4326, or 0 where the file does not know */
  unsigned subtype;                /* of them: index/row_tiling.h */
  struct sc_buffer blob;           /* geometry made last */
  size_t n, at;                    /* rows of the batch; the current one */
};

/* The leaf of a column of an index, or -1. Indexes that the Python package merged may call the item
 * "item_id". */
int sc_import_leaf(const struct sc_pq_meta *meta, enum sc_index_column column);

/* Open a path or URL under the process's access rules (store/href.h). Close also after an error. */
sc_status sc_import_open_file(const char *path, struct sc_pq_file *out, struct sc_error *err);

/* Allocate for n_columns; the connection is borrowed. Free also after an error. */
sc_status sc_import_init(struct sc_import *m, struct sc_connection *connection, int is_index,
                         size_t n_columns, size_t max_constraints, struct sc_error *err);
/* Start: the first row, if there is one. */
sc_status sc_import_begin(struct sc_import *m, const char *path, struct sc_error *err);
sc_status sc_import_next(struct sc_import *m, struct sc_error *err);
static inline int sc_import_eof(const struct sc_import *m) { return m->at >= m->n; }
/* Give a column of the current row to SQLite. */
sc_status sc_import_column(struct sc_import *m, int column, sqlite3_context *context,
                           struct sc_error *err);
/* The position of the current row among those of the path: rises. */
sqlite3_int64 sc_import_rowid(const struct sc_import *m);
void sc_import_free(struct sc_import *m);

/*
 * Do the footers of three files of the tree, its first, middle and last, say the same platform and
 * item as their names? Asked once a scan. A file that cannot be opened says nothing.
 */
enum sc_names_trust sc_import_names_trust(struct sc_import *m);
/* Forget what the path of the open file says but its own metadata does not back: a tree by date has
 * an index_{date}.parquet, which is no item. */
void sc_import_names_settle(struct sc_import *m);

/* The virtual table, for register.c. */
extern const sqlite3_module sc_parquet_module;

#endif
