/*
 * stacchip_export(): rows of a merged index, or of any table or view with the index columns,
 * as GeoParquet.
 *
 * One way through: SELECT -> row -> (sorter) -> writer -> file. SQLite's thread fetches rows, one
 * reads and packs them, then one merges what was sorted while row groups are made and encoded in
 * others. Memory is bounded by a few batches of fetched rows, two runs of the sorter and the
 * writer's row groups (writer.h): some 230 MB for chips with two threads, however many they are.
 * Words: a *batch* is rows as they were fetched, a *block* packed rows that are sorted as one
 * record, a *run* what the sorter sorts and writes at once, a *group* a row group of the file.
 * Split by step:
 *   export_options.c  the options argument
 *   export_columns.c  the columns there are, their Parquet types, the SELECT
 *   export_source.c   the rows, as SQLite gives them
 *   export_rows.c     one row: fetched, read, checked
 *   export_pack.c     rows as bytes for the sorter
 *   export_group.c    rows into columns
 *   export_files.c    names, trees, temporary files, footers
 *   export_func.c     the loop and the SQL function
 * items_export.c writes items instead of chips.
 */
#ifndef SC_GEOPARQUET_EXPORT_H
#define SC_GEOPARQUET_EXPORT_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/sqlite.h"
#include "base/status.h"
#include "geoparquet/geo_metadata.h"
#include "geoparquet/interned.h"
#include "geoparquet/sorter.h"
#include "merge/source.h"
#include "parquet/writer.h"
#include "store/sink.h"

#define SC_EXPORT_MAX_COLUMNS 16
#define SC_EXPORT_MAX_SORT 16
#define SC_EXPORT_MAX_POSITION 65535

enum sc_export_kind {
  SC_EXPORT_TEXT,
  SC_EXPORT_DATE,
  SC_EXPORT_POSITION, /* 0 .. SC_EXPORT_MAX_POSITION */
  SC_EXPORT_FRACTION,
  SC_EXPORT_GEOMETRY,
  SC_EXPORT_INTEGER
};

struct sc_export_column {
  const char *name;
  enum sc_export_kind kind;
  int is_default; /* written without being asked for */
  int is_unique;  /* a dictionary cannot pay */
};

/* The column of that name, or NULL. */
const struct sc_export_column *sc_export_find_column(const char *name);
/* Names of all columns, for messages. */
sc_status sc_export_list_columns(struct sc_buffer *out, struct sc_error *err);

enum sc_export_sort { SC_SORT_HILBERT, SC_SORT_NONE, SC_SORT_COLUMNS };

/* The options. Zeroed is empty; free with sc_export_options_free(). */
struct sc_export_options {
  const struct sc_export_column *columns[SC_EXPORT_MAX_COLUMNS];
  int n_columns;
  int chipid, item, x, y;               /* numbers in columns[] of a chipid and its parts, or -1 */
  int partition[SC_EXPORT_MAX_COLUMNS]; /* numbers in columns[] */
  int n_partition;
  int is_hive;
  char *where; /* or NULL; owned */
  enum sc_export_sort sort;
  char *sort_names[SC_EXPORT_MAX_SORT]; /* owned */
  int sort_descends[SC_EXPORT_MAX_SORT];
  int n_sort;
  enum sc_pq_codec codec;
  int level;
  int64_t row_group_rows;
  enum sc_geo_version geo;
  int is_items; /* STAC GeoParquet: a row is an item */
};

/* The options of stacchip_export(), for help. */
extern const struct sc_option_table sc_export_option_table;

/* Parse the JSON object (NULL: defaults). Free also after an error. */
sc_status sc_export_options_parse(const char *json, struct sc_export_options *out,
                                  struct sc_error *err);
void sc_export_options_free(struct sc_export_options *o);

/* "schema.table" where there is no table with that dot in its name; *schema, which the caller
 * frees, is NULL without. */
sc_status sc_export_split_name(sqlite3 *db, const char *name, char **schema, const char **table,
                               struct sc_error *err);
/* Is it one condition over the table's columns, and no more? */
sc_status sc_export_check_where(sqlite3 *db, const char *schema, const char *table,
                                const char *where, struct sc_error *err);
/* The SELECT over a table or view that gives columns[] in order to stacchip_export_row(). */
sc_status sc_export_prepare(sqlite3 *db, const char *schema, const char *table,
                            const struct sc_export_options *o, sqlite3_stmt **out,
                            struct sc_error *err);
/* JSON text for the file's metadata: version, a merged index's options and rules, and how a tree is
 * cut. */
sc_status sc_export_metadata(sqlite3 *db, const char *schema, const char *table,
                             const struct sc_export_options *o, struct sc_buffer *out,
                             struct sc_error *err);

#define SC_EXPORT_CHIPID_EXTRA 16     /* bytes of "-x-y" at most */
#define SC_EXPORT_CHIPID_ITEM_MAX 240 /* bytes of an item whose chipids are made of parts */
/* Are rows sorted by us? */
static inline int sc_export_is_sorted(const struct sc_export_options *o) {
  return o->n_partition || o->sort == SC_SORT_HILBERT;
}
static inline int sc_export_has_chipid_parts(const struct sc_export_options *o) {
  return o->item >= 0 && o->x >= 0 && o->y >= 0;
}

/* One row: a value for each of columns[]. Bytes are borrowed from whoever filled it. */
struct sc_export_cell {
  int is_null;
  int64_t i; /* POSITION, INTEGER; DATE as days */
  double r;
  const void *bytes; /* TEXT; GEOMETRY as WKB */
  size_t size;
  int is_same; /* bytes as in the row before */
};

struct sc_export_row {
  struct sc_export_cell cells[SC_EXPORT_MAX_COLUMNS];
  struct sc_buffer wkb;                                            /* owned */
  char chipid[SC_EXPORT_CHIPID_ITEM_MAX + SC_EXPORT_CHIPID_EXTRA]; /* made of its parts */
};

/*
 * Fetched values: a byte of type, then eight bytes of a number, or size, bytes and a zero. Types
 * beside SQLite's: the chipid that the row's item and position make, and the value of the row
 * before, which a buffer's first row has not.
 */
#define SC_EXPORT_RAW_CHIPID 6
#define SC_EXPORT_RAW_SAME 7
/* A fetched value that is a text; its bytes are NULL where it is not. */
void sc_export_raw_text(const unsigned char *p, struct sc_export_cell *out);
/* Read and check one fetched row; *at moves to the next. Its texts point to the bytes. `row` is
 * as the row before left it. */
sc_status sc_export_row_read(const struct sc_export_options *o, const unsigned char **at,
                             struct sc_export_row *row, struct sc_error *err);

/* "{item}-{x}-{y}" into `out`, which has room for it; its length, or 0 beyond positions. */
size_t sc_export_make_chipid(const struct sc_export_cell *item, const struct sc_export_cell *x,
                             const struct sc_export_cell *y, char *out);

#define SC_EXPORT_ITEMS 256 /* remembered, direct mapped by id */

/* The texts of an item of a merged index, as fetched values. */
struct sc_export_item {
  int64_t id; /* 0: none */
  struct sc_buffer cells[SC_SOURCE_N_TEXTS];
};

/* Where rows come from. Zeroed, then next_row and job, then _open(); free also after errors. */
struct sc_export_source {
  /* Where the next row goes; NULL after an error. */
  struct sc_buffer *(*next_row)(void *job, struct sc_error *err);
  void *job; /* borrowed */
  sqlite3 *db;
  const struct sc_export_options *options; /* borrowed */
  sqlite3_stmt *stmt;
  sc_status (*put)(struct sc_export_source *s, sqlite3_value **values, struct sc_buffer *out,
                   struct sc_error *err);
  struct sc_error err; /* of the function that SQLite calls */
  struct {
    size_t at, size;
    int is_text;
  } before[SC_EXPORT_MAX_COLUMNS]; /* where the row before has its text in the buffer */
  /* of a merged index */
  sqlite3_stmt *item;
  int from[SC_EXPORT_MAX_COLUMNS];
  int64_t last_item; /* of the row before */
  struct sc_export_item items[SC_EXPORT_ITEMS];
  struct sc_buffer chipid;
};
sc_status sc_export_source_open(struct sc_export_source *s, sqlite3 *db, const char *schema,
                                const char *table, const struct sc_export_options *o,
                                struct sc_error *err);
/* Fetch all rows, unchecked, into where next_row() says. */
sc_status sc_export_source_read(struct sc_export_source *s, struct sc_error *err);
void sc_export_source_free(struct sc_export_source *s);

/*
 * Rows as bytes for the sorter, as short as is cheap: texts that repeat are numbers, a chipid
 * that is "{item}-{x}-{y}" and the point that closes a ring are left out.
 */
struct sc_export_packer {
  const struct sc_export_options *options; /* borrowed */
  struct sc_interned texts;                /* of the columns that repeat */
  struct {
    uint32_t id;
    int is_known;
  } last[SC_EXPORT_MAX_COLUMNS]; /* the row before: texts come in runs */
  const unsigned char *ring_at;  /* while packing: the ring's points */
  size_t row_bytes;              /* of the row packed last, in columns */
};
void sc_export_packer_init(struct sc_export_packer *p, const struct sc_export_options *o);
/* Replace `out` by the row. */
sc_status sc_export_row_pack(struct sc_export_packer *p, const struct sc_export_row *row,
                             struct sc_buffer *out, struct sc_error *err);
/* The row of our own bytes; borrows from them, from the packer and from itself. */
sc_status sc_export_row_unpack(const struct sc_export_packer *p, const unsigned char *data,
                               struct sc_export_row *row, struct sc_error *err);

/* What a packed row is made of, for who takes many at once; see export_pack.c. */
#define SC_EXPORT_ROW_HEAD_BYTES 8
#define SC_EXPORT_RING_HEAD_BYTES 13 /* of WKB: order, type, rings, points */
#define SC_EXPORT_RING_BYTES 64      /* four corners, which nearly all have */
#define SC_EXPORT_BLOCK_ROWS 64      /* of a block, at most */
/* The head of a WKB polygon of one ring. */
void sc_export_put_ring_head(unsigned char *p, size_t n_points);

/* Where a row is to go: its partition and the Hilbert curve's axes. */
struct sc_export_place {
  uint32_t partition;
  int is_known; /* has x and y */
  uint32_t x, y;
};

/* Packed rows that stay together; see export_pack.c. Zeroed is empty. */
struct sc_export_block {
  struct sc_buffer bytes;       /* being made */
  struct sc_buffer last;        /* the packed row before */
  struct sc_export_place place; /* of the first row */
  unsigned cell_shift;          /* axes that agree above it are near each other */
  uint32_t first_number, n_rows;
  size_t n_bytes;            /* in columns */
  const unsigned char *next; /* reading: the next row's difference */
};
/* May a packed row of this place join the block? */
int sc_export_block_takes(const struct sc_export_block *b, const struct sc_buffer *row,
                          const struct sc_export_place *place);
sc_status sc_export_block_add(struct sc_export_block *b, const struct sc_buffer *row,
                              size_t row_bytes, struct sc_error *err);
/* Complete b->bytes; and begin the next block. */
void sc_export_block_end(struct sc_export_block *b);
void sc_export_block_start(struct sc_export_block *b);
/* Read our own bytes: b->last is the first of b->n_rows rows, after _next() the next one. */
sc_status sc_export_block_open(struct sc_export_block *b, const unsigned char *data,
                               struct sc_error *err);
void sc_export_block_next(struct sc_export_block *b);
/* Number of the first row in order of arrival, of rows, and of their bytes in columns, of a
 * complete block. */
static inline uint32_t sc_export_block_number(const unsigned char *data) { return sc_le32(data); }
static inline uint32_t sc_export_block_rows(const unsigned char *data) { return sc_le32(data + 4); }
static inline uint64_t sc_export_block_bytes(const unsigned char *data) {
  return sc_le64(data + 8);
}

/* Box of the row's geometry; 0 where it has none. Sets *is_multi. */
int sc_export_row_box(const struct sc_export_options *o, const struct sc_export_row *row,
                      struct sc_pq_box *box, int *is_multi);

/*
 * The sorted rows of a row group: blocks, or parts of them, on their way into columns. Gathered in
 * one thread, filled in another.
 */
struct sc_export_group {
  const struct sc_export_files *files;   /* borrowed */
  const struct sc_export_packer *packer; /* borrowed; no longer changed */
  struct sc_buffer blocks;               /* one after the other */
  struct sc_buffer spans;                /* struct sc_sort_entry[]: number of a block's first row,
                                          * place, and which rows: first << 16 | how many */
  struct sc_buffer page_ends;            /* uint32_t[]: number of spans before each page's end */
  size_t n_rows, n_bytes, page_rows;     /* bytes in columns */
  struct sc_buffer page, scratch, table; /* filling */
  struct sc_export_block block;
  struct sc_export_row row;
  struct sc_geo_info geo; /* of the rows that were filled in */
};
/* Add up to all rows of a complete block from `first`; *n says how many. Not to a full group. */
sc_status sc_export_group_add(struct sc_export_group *g, const unsigned char *block, size_t size,
                              uint32_t first, uint32_t *n, struct sc_error *err);
int sc_export_group_is_full(const struct sc_export_group *g);
/* The rows into columns: an sc_pq_fill. */
sc_status sc_export_group_fill(void *group, struct sc_pq_rows *rows, struct sc_pq_box *box,
                               struct sc_error *err);
/* Add what was seen to the file's, and empty the group. */
void sc_export_group_take(struct sc_export_group *g, struct sc_geo_info *geo);
void sc_export_group_free(struct sc_export_group *g);

/* The files of one export. */
struct sc_export_files {
  const struct sc_export_options *options; /* borrowed, as root and metadata */
  const char *root;
  const char *metadata;
  struct sc_pq_spec specs[SC_EXPORT_MAX_COLUMNS + 4];
  int spec_cells[SC_EXPORT_MAX_COLUMNS + 4]; /* cell of each spec; -1 to -4: the box */
  size_t n_specs;
  struct sc_pq_writer writer;
  int has_writer;
  struct sc_sink *sinks; /* owned array: all files, the last is being written */
  size_t n_sinks, max_sinks;
  int is_open;            /* the last sink takes rows */
  struct sc_geo_info geo; /* of the file being written */
  /* one for each row group that the writer has pending, and the one that is gathered */
  struct sc_export_group groups[SC_PQ_MAX_PENDING + 1];
  int group;
};

sc_status sc_export_files_init(struct sc_export_files *f, const struct sc_export_options *o,
                               const struct sc_export_packer *packer, const char *root,
                               const char *metadata, struct sc_error *err);
/* Begin the file that the row belongs to; without partitions, the one at root. */
sc_status sc_export_files_begin(struct sc_export_files *f, const struct sc_export_row *row,
                                struct sc_error *err);
sc_status sc_export_files_put(struct sc_export_files *f, const struct sc_export_row *row,
                              struct sc_error *err);
/* The rows of a complete block, in the order of the blocks. */
sc_status sc_export_files_put_block(struct sc_export_files *f, const unsigned char *block,
                                    size_t size, struct sc_error *err);
/* One row into columns, a row's worth of values in each; the caller counts it. */
sc_status sc_export_put_row(const struct sc_export_files *f, const struct sc_export_row *row,
                            struct sc_pq_rows *rows, struct sc_geo_info *geo, struct sc_error *err);
/* Complete the open file, under its temporary name. */
sc_status sc_export_files_end(struct sc_export_files *f, struct sc_error *err);
/* Give all files their names. */
sc_status sc_export_files_commit(struct sc_export_files *f, struct sc_error *err);
/* Free; what was not committed is removed. */
void sc_export_files_free(struct sc_export_files *f);

/* items_export.c: the items of a table as STAC GeoParquet; where, codec and row_group_rows of the
 * options are used. */
sc_status sc_export_items(sqlite3 *db, const char *table, const char *path,
                          const struct sc_export_options *options, int64_t *n_items,
                          struct sc_error *err);

/* The SQL functions, for register.c; stacchip_export_row() takes the rows. */
void sc_export_row_step(sqlite3_context *context, int n, sqlite3_value **values);
void sc_export_row_final(sqlite3_context *context);
void sc_export_function(sqlite3_context *context, int n, sqlite3_value **arguments);

#endif
