/* Looking up chips for the pixel reader; see lookup.h. */
#include "merge/lookup.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/db.h"
#include "merge/table.h"

/* Columns of item_read_all that are texts, in their order. */
enum {
  TEXT_COLLECTION,
  TEXT_PLATFORM,
  TEXT_ITEM,
  TEXT_DATE,
  TEXT_DATETIME,
  TEXT_RULE,
  TEXT_OPTIONS,
  TEXT_LOCATION,
  TEXT_JSON,
  TEXT_CRS,
  N_TEXTS,
  AT_TRANSFORM = N_TEXTS,
  AT_WIDTH,
  AT_HEIGHT,
  AT_CHIP_SIZE,
  AT_STRIDE,
  AT_EDGE
};

struct sc_lookup_cache {
  int64_t item_row; /* 0: empty */
  uint64_t version;
  char *texts[N_TEXTS]; /* owned */
  struct sc_tiling tiling;
  struct sc_grid grid; /* crs is borrowed from texts */
};

static void clear(struct sc_lookup_cache *cache) {
  for (int i = 0; i < N_TEXTS; i++) sc_free(cache->texts[i]);
  memset(cache, 0, sizeof *cache);
}

void sc_merge_lookup_free(struct sc_lookup_cache *cache) {
  if (cache) clear(cache);
  sc_free(cache);
}

/* Changes with every commit by anybody, and with our own writes; no other table has it. */
static uint64_t version_of(struct sc_merge *t) {
  unsigned version = 0;
  sqlite3_file_control(t->db, t->schema, SQLITE_FCNTL_DATA_VERSION, &version);
  return (uint64_t)version << 32 | t->change;
}

/* Six doubles, little endian, as we wrote them; hostile. */
static int read_transform(sqlite3_stmt *s, double out[6]) {
  const unsigned char *p = sqlite3_column_blob(s, AT_TRANSFORM);
  if (!p || sqlite3_column_bytes(s, AT_TRANSFORM) != 48) return 0;
  for (int i = 0; i < 6; i++) {
    out[i] = sc_le_double(p + 8 * i);
    if (!isfinite(out[i])) return 0;
  }
  return 1;
}

static sc_status read_texts(sqlite3_stmt *s, struct sc_lookup_cache *cache, struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < N_TEXTS && !st; i++) {
    const char *text = (const char *)sqlite3_column_text(s, i);
    if (text) st = sc_strdup(text, &cache->texts[i], err);
  }
  return st;
}

static int is_length(int64_t px) { return px >= 0 && px <= SC_GRID_MAX_PX; }

static sc_status read_grid(sqlite3_stmt *s, struct sc_lookup_cache *cache, struct sc_error *err) {
  cache->tiling.chip_size_px = sqlite3_column_int(s, AT_CHIP_SIZE);
  cache->tiling.stride_px = sqlite3_column_int(s, AT_STRIDE);
  cache->grid.width_px = sqlite3_column_int64(s, AT_WIDTH);
  cache->grid.height_px = sqlite3_column_int64(s, AT_HEIGHT);
  cache->grid.crs = cache->texts[TEXT_CRS];
  if (!read_transform(s, cache->grid.transform) || !is_length(cache->grid.width_px) ||
      !is_length(cache->grid.height_px)) {
    cache->grid.crs = NULL;
    cache->grid.width_px = cache->grid.height_px = 0;
  }
  return sc_edge_parse((const char *)sqlite3_column_text(s, AT_EDGE), &cache->tiling.edge, err);
}

static sc_status check_item(const struct sc_merge *t, const struct sc_lookup_cache *cache,
                            struct sc_error *err) {
  const struct sc_tiling *tiling = &cache->tiling;
  if (!cache->texts[TEXT_ITEM]) {
    return sc_fail(err, SC_BAD_DATA, "%s_item, row %lld: no item id", t->name,
                   (long long)cache->item_row);
  }
  if (tiling->chip_size_px < 1 || tiling->chip_size_px > SC_CHIP_SIZE_MAX_PX ||
      tiling->stride_px < 1 || tiling->stride_px > SC_CHIP_SIZE_MAX_PX) {
    return sc_fail(err, SC_BAD_DATA,
                   "%s_item, row %lld: chip_size_px %d, stride_px %d: expected 1 to %d", t->name,
                   (long long)cache->item_row, tiling->chip_size_px, tiling->stride_px,
                   SC_CHIP_SIZE_MAX_PX);
  }
  return SC_OK;
}

static sc_status load_item(struct sc_merge *t, int64_t item_row, uint64_t version,
                           struct sc_error *err) {
  struct sc_lookup_cache *cache = t->lookup;
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_ITEM_READ_ALL, &s, err);
  if (st) return st;
  clear(cache);
  sqlite3_bind_int64(s, 1, item_row);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && !is_row) {
    st = sc_fail(err, SC_BAD_DATA, "a chip's item is missing");
  }
  if (!st) st = read_texts(s, cache, err);
  if (!st) st = read_grid(s, cache, err);
  if (st == SC_BAD_DATA) sc_fail_within(err, "%s_item, row %lld", t->name, (long long)item_row);
  sqlite3_reset(s);
  cache->item_row = item_row;
  if (!st) st = check_item(t, cache, err);
  if (st) {
    clear(cache);
    return st;
  }
  cache->version = version;
  return SC_OK;
}

static sc_status read_chip(struct sc_merge *t, int64_t rowid, struct sc_merge_row *out,
                           struct sc_error *err) {
  sqlite3_stmt *s;
  sc_status st = sc_merge_statement(t, SC_STMT_CHIP_FIND, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, rowid);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row) {
    out->rowid = rowid;
    out->item_row = sqlite3_column_int64(s, 0);
    out->x = sqlite3_column_int(s, 1);
    out->y = sqlite3_column_int(s, 2);
  } else if (!st) {
    st = sc_fail(
        err, SC_NOT_FOUND,
        "%s has no chip with rowid %lld: deleted, or merged again since the handle was made",
        t->name, (long long)rowid);
  }
  sqlite3_reset(s);
  return st;
}

static void fill_item(const struct sc_merge *t, struct sc_merge_row *out) {
  const struct sc_lookup_cache *cache = t->lookup;
  char *const *texts = cache->texts;
  out->version = cache->version;
  out->item = texts[TEXT_ITEM];
  out->platform = texts[TEXT_PLATFORM];
  out->collection = texts[TEXT_COLLECTION];
  out->date = texts[TEXT_DATE];
  out->datetime = texts[TEXT_DATETIME];
  out->item_json = texts[TEXT_JSON];
  out->location = texts[TEXT_LOCATION];
  out->options_json = texts[TEXT_OPTIONS];
  out->rule_json = texts[TEXT_RULE];
  out->bucket = t->args.bucket;
  out->tiling = cache->tiling;
  out->grid = cache->grid;
}

sc_status sc_merge_lookup(sqlite3 *db, const char *schema, const char *table, sqlite3_int64 rowid,
                          struct sc_merge_row *out, struct sc_error *err) {
  struct sc_merge *t;
  memset(out, 0, sizeof *out);
  sc_status st = sc_merge_find_table(db, schema ? schema : "main", table, &t, err);
  if (!st) st = read_chip(t, rowid, out, err);
  if (st) return st;
  if (!t->lookup) t->lookup = sc_alloc_zero(1, sizeof *t->lookup);
  if (!t->lookup) return sc_fail_nomem(err);
  uint64_t version = version_of(t);
  if (out->item_row == 0 || t->lookup->item_row != out->item_row || t->lookup->version != version) {
    st = load_item(t, out->item_row, version, err);
  }
  if (!st) fill_item(t, out);
  return st;
}

sc_status sc_merge_resolve(sqlite3 *db, const char *name, const char **schema, const char **table,
                           struct sc_error *err) {
  struct sc_merge *t;
  sc_status st = sc_merge_find_named(db, name, &t, err);
  if (st) return st;
  *schema = t->schema;
  *table = t->name;
  return SC_OK;
}

sc_status sc_merge_chip_box(sqlite3 *db, const char *schema, const char *table, sqlite3_int64 rowid,
                            struct sc_box *out, struct sc_error *err) {
  struct sc_merge *t;
  sqlite3_stmt *s;
  int is_row = 0, srid;
  sc_status st = sc_merge_find_table(db, schema, table, &t, err);
  if (!st) st = sc_merge_statement(t, SC_STMT_CHIP_GEOMETRY, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, rowid);
  st = sc_db_next(s, &is_row, err);
  if (!st && !is_row) st = sc_fail(err, SC_BAD_DATA, "%s_chip: row %lld is gone", t->name, rowid);
  if (!st) {
    size_t n = (size_t)sqlite3_column_bytes(s, 0);
    st = sc_blob_box(sqlite3_column_blob(s, 0), n, out, &srid, err);
  }
  sqlite3_reset(s);
  return st;
}

sc_status sc_merge_asset_header(sqlite3 *db, const char *schema, const char *table,
                                sqlite3_int64 item_row, const char *asset_key,
                                struct sc_buffer *out, struct sc_error *err) {
  struct sc_merge *t;
  sqlite3_stmt *s;
  sc_status st = sc_merge_find_table(db, schema ? schema : "main", table, &t, err);
  if (!st) st = sc_merge_statement(t, SC_STMT_ASSET_HEADER, &s, err);
  if (st) return st;
  sqlite3_bind_int64(s, 1, item_row);
  sqlite3_bind_text(s, 2, asset_key, -1, SQLITE_STATIC);
  int is_row;
  st = sc_db_next(s, &is_row, err);
  if (!st && is_row && sqlite3_column_type(s, 0) == SQLITE_BLOB) {
    st = sc_buffer_append(out, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), err);
  }
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return st;
}
