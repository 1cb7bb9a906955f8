/*
 * A file's footer (FileMetaData) as structs: columns, row groups, statistics, key-values.
 *
 * Everything that later code relies on is checked here: counts, offsets and sizes are not
 * negative and lie within the file, each row group has one chunk for each leaf.
 * Names live in the arena; statistics and values point into the footer's bytes.
 */
#ifndef SC_PARQUET_META_H
#define SC_PARQUET_META_H

#include <stdint.h>

#include "base/status.h"
#include "parquet/arena.h"
#include "parquet/format.h"
#include "parquet/thrift.h"

#define SC_PQ_MAX_DEPTH 32 /* of nested groups */
#define SC_PQ_FIXED_MAX_BYTES (1 << 20)

/* A column with values: a leaf of the schema. */
struct sc_pq_leaf {
  char *path; /* names joined by dots, e.g. bbox.xmin */
  int top;    /* number of the top-level field it belongs to */
  enum sc_pq_type type;
  uint32_t fixed_bytes; /* of SC_PQ_FIXED */
  int max_def, max_rep;
  enum sc_pq_kind kind;
  int unit_digits; /* TIME and TIMESTAMP: digits after the second, 3, 6 or 9 */
  int is_utc;
  int scale, precision; /* DECIMAL */
  int bits;             /* UINT */
  struct sc_view crs;   /* GEOMETRY: as the file spells it; data NULL where absent */
};

/*
 * A field of the schema, with its group's fields behind it: nodes are in the order of the footer.
 * A field is there where the definition level of its first leaf is max_def or more.
 */
struct sc_pq_node {
  char *name;
  int repetition; /* enum sc_pq_repetition */
  int max_def, max_rep;
  int is_list, is_map; /* what the group is annotated as */
  size_t end;          /* number of the node behind its own ones: its number + 1 for a leaf */
  size_t leaf;         /* its first leaf */
  size_t n_leaves;     /* its own and those below; 0 for groups without any */
  int is_leaf;
};

struct sc_pq_stats {
  struct sc_view min, max; /* data NULL where absent */
  int64_t null_count;      /* -1 unknown */
};

struct sc_pq_box {
  int present;
  double min_x, min_y, max_x, max_y;
};

/* A column chunk: one leaf's pages within one row group. */
struct sc_pq_chunk {
  int codec;
  int64_t n_values;
  uint64_t begin, end; /* bytes of its pages in the file */
  struct sc_pq_stats stats;
  struct sc_pq_box box; /* geospatial statistics */
  uint64_t column_index, offset_index;
  uint32_t column_index_bytes, offset_index_bytes; /* 0: none */
  int is_encrypted;
};

struct sc_pq_row_group {
  int64_t n_rows;
  struct sc_pq_chunk *chunks; /* one for each leaf */
};

struct sc_pq_key_value {
  struct sc_view key, value;
};

struct sc_pq_meta {
  struct sc_arena arena;
  int64_t n_rows;
  struct sc_pq_leaf *leaves;
  size_t n_leaves;
  struct sc_pq_node *nodes;
  size_t n_nodes;
  struct sc_pq_row_group *row_groups;
  size_t n_row_groups;
  struct sc_pq_key_value *key_values;
  size_t n_key_values;
};

/*
 * Parse a footer.
 *
 * footer      Its bytes; borrowed as long as *out is in use.
 * file_bytes  Size of the file: where offsets may point.
 */
sc_status sc_pq_meta_parse(const unsigned char *footer, size_t n, uint64_t file_bytes,
                           struct sc_pq_meta *out, struct sc_error *err);
void sc_pq_meta_free(struct sc_pq_meta *meta);

/* The leaf with that path, or -1. */
int sc_pq_meta_find_leaf(const struct sc_pq_meta *meta, const char *path);
/* The value of a key, data NULL where it is absent. */
struct sc_view sc_pq_meta_find_key(const struct sc_pq_meta *meta, const char *key);

/* Parse one Statistics struct (also of page headers). */
struct sc_pq_stats sc_pq_stats_parse(struct sc_thrift_in *t, const struct sc_pq_leaf *leaf);

/* meta_schema.c: the schema list of the footer into meta->leaves. */
sc_status sc_pq_schema_parse(struct sc_thrift_in *t, enum sc_thrift_type type,
                             struct sc_pq_meta *meta, struct sc_error *err);

#endif
