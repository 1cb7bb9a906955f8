/*
 * libFuzzer: the shadow tables of a merged index, damaged. An input is
 *   a first byte below 128: the rest are the bytes of a block, and of an R*Tree's node;
 *   else: a byte that must agree with a sum of the rest, so that one of 16 inputs is taken, since
 *   statements cost a thousand times as much; then steps, each a byte and what it takes: damage to
 *   a value of a table, or a statement.
 * Every answer and every error will do; sanitizers look on. What is decoded must survive being
 * written, and what 'rebuild' has made 'integrity-check' must pass. All steps are rolled back, so
 * that inputs do not depend on each other. `make fuzz-shadow`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/sqlite.h"
#include "merge/chip_block.h"
#include "merge/lookup.h"
#include "merge/rtree_pack.h"
#include "stacchip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define MAX_STEPS 8
#define SHARE 16

static sqlite3 *db;

/* ---- formats ---- */

static void decode_block(const uint8_t *data, size_t size) {
  static struct sc_chip_block block, again;
  struct sc_buffer bytes = {0};
  struct sc_error err = {0};
  if (sc_chip_block_decode(data, size, &block, &err)) return;
  sc_chip_block_range(&block);
  if (block.n == 0) return;
  if (sc_chip_block_encode(&block, &bytes, &err)) abort();
  if (sc_chip_block_decode(bytes.data, bytes.size, &again, &err)) abort();
  if (again.n != block.n || again.n_west != block.n_west || again.mask != block.mask) abort();
  for (int i = 0; i < block.n; i++) {
    if (memcmp(&again.chips[i].box, &block.chips[i].box, sizeof block.chips[i].box) != 0) abort();
    if (again.chips[i].id != block.chips[i].id) abort();
  }
  sc_buffer_free(&bytes);
}

static void decode_node(const uint8_t *data, size_t size, int n_coords) {
  static struct sc_rtree_node node, right;
  static unsigned char bytes[65536];
  struct sc_error err = {0};
  if (size > sizeof bytes || sc_rtree_node_decode(data, size, 1, n_coords, &node, &err)) return;
  sc_rtree_node_encode(&node, n_coords, bytes, size);
  if (node.n < 2) return;
  struct sc_rtree_cell all = sc_rtree_node_cell(&node, n_coords);
  sc_rtree_choose(&node, &all, n_coords);
  sc_rtree_split(&node, &right, n_coords);
}

/* ---- tables ---- */

enum kind { INTEGER, REAL, TEXT, BLOB };

/* A column of a shadow table. */
static const struct column {
  const char *table, *name;
  enum kind kind;
} columns[] = {
    {"t_block", "chips", BLOB},
    {"t_block", "id", INTEGER},
    {"t_block", "item_id", INTEGER},
    {"t_block", "tile_y", INTEGER},
    {"t_block", "tile_x", INTEGER},
    {"t_block", "n_chips", INTEGER},
    {"t_area_node", "data", BLOB},
    {"t_area_parent", "parentnode", INTEGER},
    {"t_area_rowid", "nodeno", INTEGER},
    {"t_area_rowid", "rowid", INTEGER},
    {"t_chip", "id", INTEGER},
    {"t_chip", "item_id", INTEGER},
    {"t_chip", "chip_index_x", INTEGER},
    {"t_chip", "chip_index_y", INTEGER},
    {"t_chip", "cloud", REAL},
    {"t_chip", "geometry", BLOB},
    {"t_item", "id", INTEGER},
    {"t_item", "item", TEXT},
    {"t_item", "platform", TEXT},
    {"t_item", "date", TEXT},
    {"t_item", "datetime", TEXT},
    {"t_item", "grid", TEXT},
    {"t_item", "transform", BLOB},
    {"t_item", "width_px", INTEGER},
    {"t_item", "height_px", INTEGER},
    {"t_item", "chip_size_px", INTEGER},
    {"t_item", "stride_px", INTEGER},
    {"t_item", "edge", TEXT},
    {"t_item", "rule", TEXT},
    {"t_item", "options", TEXT},
    {"t_item", "location", TEXT},
    {"t_item", "item_json", TEXT},
    {"t_asset", "header", BLOB},
    {"idx_t_chip_geometry_node", "data", BLOB},
    {"t_area_node", "nodeno", INTEGER},
    {"idx_t_chip_geometry_parent", "parentnode", INTEGER},
    {"t_item", "crs", TEXT},
    {"idx_t_chip_geometry_rowid", "nodeno", INTEGER},
};
#define N_COLUMNS ((int)(sizeof columns / sizeof *columns))

static sqlite3_stmt *reads[sizeof columns / sizeof *columns];
static sqlite3_stmt *writes[sizeof columns / sizeof *columns];

/* Statements of a user, and which of them come after a 'rebuild'. */
static const char *const statements[] = {
    "INSERT INTO t(t) VALUES ('integrity-check')",
    "INSERT INTO t(t) VALUES ('rebuild')",
    "INSERT INTO t(t) VALUES ('optimize')",
    "SELECT count(*) FROM t",
    "SELECT count(*), sum(col_off + row_off), max(\"row\"), max(chipid), max(grid) FROM t",
    "SELECT count(geometry), max(item_json), max(datetime || collection) FROM t",
    "SELECT count(*) FROM t WHERE ST_Intersects(geometry, BuildMbr(10.05, 0.05, 30.3, 0.5, 4326))",
    "SELECT count(*) FROM t WHERE MbrIntersects(geometry, BuildMbr(10.3, 0.3, 10.5, 9, 4326))",
    "SELECT chipid FROM t ORDER BY cloud_cover_percentage DESC LIMIT 4",
    "SELECT count(*) FROM t WHERE date BETWEEN '2024-01-02' AND '2024-01-03'",
    "SELECT count(*) FROM t WHERE cloud_cover_percentage < 0.4 AND chip_index_x > 3",
    "SELECT rowid FROM t WHERE chipid = 'I1-3-4'",
    "DELETE FROM t WHERE item = 'I1'",
    "DELETE FROM t WHERE rowid % 3 = 1",
    "DELETE FROM t",
    "DELETE FROM t WHERE chip_index_y > 6",
    "INSERT INTO t(item, platform, chip_index_x, chip_index_y, geometry) VALUES ('I9', 'p', 1, 1, "
    "BuildMbr(10, 0, 11, 1, 4326))",
    "INSERT OR REPLACE INTO t(item, platform, chip_index_x, chip_index_y, geometry) SELECT 'I1', "
    "'p', value % 9, value / 9, BuildMbr(value, 0, value + 1, 1, 4326) FROM json_each("
    "'[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30]')",
    "INSERT OR IGNORE INTO t(item, platform, chip_index_x, chip_index_y, geometry) SELECT 'I0', "
    "'p', value, value, BuildMbr(179, 0, 181, 1, 4326) FROM json_each('[1,2,30]')",
};
#define N_STATEMENTS ((int)(sizeof statements / sizeof *statements))
#define CHECK 0
#define REBUILD 1

static sqlite3_stmt *prepared[sizeof statements / sizeof *statements];

static void need(int ok) {
  if (ok) return;
  fprintf(stderr, "cannot start: %s\n", sqlite3_errmsg(db));
  abort();
}

static sqlite3_stmt *prepare(const char *sql) {
  sqlite3_stmt *s = NULL;
  need(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) == SQLITE_OK);
  return s;
}

static void fill(void) {
  need(!sqlite3_exec(db, "CREATE VIRTUAL TABLE t USING stacchip_merge(max_nodata=1, chip_size=64)",
                     NULL, NULL, NULL));
  need(!sqlite3_exec(
      db,
      "WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 95) INSERT INTO t(item, "
      "platform, date, chip_index_x, chip_index_y, cloud_cover_percentage, geometry) SELECT 'I' || "
      "(i / 48), 'p', '2024-01-0' || (1 + i / 48), i % 10, i / 10 % 5, (i * 37 % 101) / 101.0, "
      "BuildMbr(10 * (i / 48) + i % 10 * .1, i / 10 % 5 * .1, 10 * (i / 48) + i % 10 * .1 + .1, "
      "i / 10 % 5 * .1 + .1, 4326) FROM n",
      NULL, NULL, NULL));
  need(!sqlite3_exec(
      db,
      "UPDATE t_item SET crs = 'EPSG:32720', width_px = 640, height_px = 640, transform = "
      "zeroblob(48), item_json = '{\"id\":\"I1\"}', location = '/x', rule = '{}', options = '{}', "
      "grid = 'g', datetime = '2024'; INSERT INTO t_asset(item_id, key, href, header) VALUES (1, "
      "'red', 'x', x'0102')",
      NULL, NULL, NULL));
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  setenv("STACCHIP_LOCAL", "deny", 1); /* a damaged item shall open nothing */
  setenv("STACCHIP_HOSTS", "none.invalid", 1);
  need(!sqlite3_open(":memory:", &db));
  need(sqlite3_stacchip_init(db, NULL, NULL) == SQLITE_OK);
  fill();
  for (int i = 0; i < N_COLUMNS; i++) {
    char sql[300];
    sqlite3_snprintf(sizeof sql, sql, "SELECT %s FROM %s ORDER BY rowid LIMIT 1 OFFSET ?1",
                     columns[i].name, columns[i].table);
    reads[i] = prepare(sql);
    sqlite3_snprintf(sizeof sql, sql,
                     "UPDATE OR IGNORE %s SET %s = ?1 WHERE rowid = (SELECT rowid FROM %s ORDER BY "
                     "rowid LIMIT 1 OFFSET ?2)",
                     columns[i].table, columns[i].name, columns[i].table);
    writes[i] = prepare(sql);
  }
  for (int i = 0; i < N_STATEMENTS; i++) prepared[i] = prepare(statements[i]);
  return 0;
}

static int64_t take_int(struct sc_bytes *in) {
  static const int64_t values[] = {0,         1,         -1,        2,         INT64_MAX,
                                   INT64_MIN, INT32_MAX, INT32_MIN, UINT32_MAX};
  unsigned which = sc_bytes_u8(in) % 16;
  if (which < sizeof values / sizeof *values) return values[which];
  return which == 15 ? (int64_t)sc_bytes_le64(in) : sc_bytes_u8(in);
}

/* Overwrite some bytes of a BLOB or text, cut it, or let it grow. */
static void damage_bytes(sqlite3_stmt *read, sqlite3_stmt *write, enum kind kind, int row,
                         struct sc_bytes *in) {
  unsigned char bytes[8192] = {0};
  sqlite3_bind_int(read, 1, row);
  size_t n = sqlite3_step(read) == SQLITE_ROW ? (size_t)sqlite3_column_bytes(read, 0) : 0;
  if (n > 4096) n = 4096;
  if (n) memcpy(bytes, sqlite3_column_blob(read, 0), n);
  sqlite3_reset(read);
  size_t at = sc_bytes_le16(in) % (n + 1), count = sc_bytes_u8(in) % 64;
  const unsigned char *from = sc_bytes_take(in, count);
  if (from && count) memcpy(bytes + at, from, count);
  if (from && at + count > n) n = at + count;
  if (!count) n = at;
  if (kind == BLOB) {
    sqlite3_bind_blob(write, 1, bytes, (int)n, SQLITE_TRANSIENT);
  } else {
    sqlite3_bind_text(write, 1, (char *)bytes, (int)n, SQLITE_TRANSIENT);
  }
}

static void damage(int i, struct sc_bytes *in) {
  sqlite3_stmt *write = writes[i];
  int row = sc_bytes_u8(in);
  switch (columns[i].kind) {
    case INTEGER: sqlite3_bind_int64(write, 1, take_int(in)); break;
    case REAL: sqlite3_bind_double(write, 1, sc_bytes_le_double(in)); break;
    default: damage_bytes(reads[i], write, columns[i].kind, row, in); break;
  }
  sqlite3_bind_int(write, 2, row);
  sqlite3_step(write);
  sqlite3_reset(write);
  sqlite3_clear_bindings(write);
}

static int run(sqlite3_stmt *s) {
  int code;
  while ((code = sqlite3_step(s)) == SQLITE_ROW) continue;
  sqlite3_reset(s);
  return code;
}

static void look_up(int64_t rowid) {
  struct sc_merge_row row;
  struct sc_box box;
  struct sc_buffer header = {0};
  struct sc_error err = {0};
  if (sc_merge_lookup(db, "main", "t", rowid, &row, &err)) return;
  sc_merge_chip_box(db, "main", "t", rowid, &box, &err);
  sc_merge_asset_header(db, "main", "t", row.item_row, "red", &header, &err);
  sc_buffer_free(&header);
}

static void take_steps(struct sc_bytes *in) {
  need(!sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
  for (int step = 0; step < MAX_STEPS && sc_bytes_left(in); step++) {
    int what = sc_bytes_u8(in);
    if (what < N_COLUMNS) {
      damage(what, in);
    } else if (what < 64) {
      look_up(sc_bytes_u8(in));
    } else if (what % 32 < N_STATEMENTS) {
      int code = run(prepared[what % 32]);
      if (what % 32 == REBUILD && code == SQLITE_DONE && run(prepared[CHECK]) != SQLITE_DONE) {
        fprintf(stderr, "after a rebuild: %s\n", sqlite3_errmsg(db));
        abort();
      }
    }
    if (sqlite3_get_autocommit(db)) return; /* rolled back already */
  }
  need(!sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL));
}

/* FNV-1a. */
static unsigned sum(const uint8_t *data, size_t size) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < size; i++) h = (h ^ data[i]) * 16777619u;
  return (h ^ h >> 16) % SHARE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  if (data[0] < 128) {
    decode_block(data + 1, size - 1);
    decode_node(data + 1, size - 1, data[0] % 2 ? 4 : 8);
    return 0;
  }
  if (data[1] % SHARE != sum(data + 2, size - 2)) return 0;
  struct sc_bytes in = sc_bytes_of(data + 2, size - 2);
  take_steps(&in);
  return 0;
}
