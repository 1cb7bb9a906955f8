/*
 * Out of memory at every point: each allocation in turn fails (all later ones too, or that one
 * only), while an item is indexed, merged, read and exported. The answer is right or an error,
 * the next try works, and nothing leaks.
 *
 * SC_FAULT_STEP: test each n-th allocation (default 23: the short form; 1: all).
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "stacchip.h"

#define SCENE "build/scenes/sentinel-2/item.json"

static sqlite3_mem_methods real;
static long countdown = -1; /* allocations until failure; -1: never */
static int stays_failed;

static int fails_now(void) {
  long left = __atomic_load_n(&countdown, __ATOMIC_RELAXED);
  if (left < 0) return 0;
  left = __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED);
  if (left > 0) return 0;
  if (left < 0 || !stays_failed)
    __atomic_store_n(&countdown, stays_failed ? 1 : -1, __ATOMIC_RELAXED);
  if (stays_failed) __atomic_store_n(&countdown, 1, __ATOMIC_RELAXED);
  return 1;
}

static void *failing_malloc(int n) { return fails_now() ? NULL : real.xMalloc(n); }
static void *failing_realloc(void *p, int n) { return fails_now() ? NULL : real.xRealloc(p, n); }

/* Steps in order; one that changes the index is asked again only where its failure took all back.
 */
static const struct {
  const char *sql;
  int changes;
} flow[] = {
    {"SELECT count(*), sum(length(geometry)), sum(length(row)) FROM stacchip_index('" SCENE "')",
     0},
    {"CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)", 1},
    {"INSERT INTO chips(item_json) VALUES ('" SCENE "')", 1},
    {"SELECT count(*) FROM chips WHERE cloud_cover_percentage < 0.1", 0},
    {"SELECT length(stacchip_chip(row, '{\"assets\":[\"red\",\"coastal\"]}')) FROM chips WHERE "
     "chip_index_x = 3 AND chip_index_y = 3",
     0},
    {"SELECT length(stacchip_stack(row, '{\"assets\":[\"scl\"],\"format\":\"npz\"}')) FROM "
     "(SELECT row FROM chips LIMIT 3)",
     0},
    {"SELECT count(*), sum(pixels) FROM stacchip_polygons('SELECT row, stacchip_chip(row, "
     "''{\"assets\":\"scl\"}'') FROM chips WHERE chip_index_x < 2 AND chip_index_y < 2', "
     "'{\"connectedness\":\"8\",\"crs\":\"EPSG:4326\"}')",
     0},
    {"SELECT length(stacchip_tile(12, 1332, 2440, 'SELECT row FROM chips WHERE search_area = "
     ":tile', '{\"assets\":\"coastal\"}'))",
     0},
    {"SELECT length(stacchip_plot(stacchip_band_stats(row, '{\"assets\":\"coastal\"}'))), "
     "length(stacchip_stack(row, '{\"assets\":\"coastal\",\"format\":\"png\",\"captions\":1,"
     "\"overlay\":\"mask\"}')) FROM (SELECT row FROM chips LIMIT 2)",
     0},
    {"SELECT stacchip_export('chips', 'build/fault.parquet')", 0},
    {"SELECT count(*) FROM stacchip_parquet('build/fault.parquet')", 0},
    {"SELECT stacchip_freeze('build/fault.frozen', 'SELECT row, chipid FROM chips WHERE "
     "chip_index_x = 3', '{\"assets\":\"scl\",\"splits\":\"chipid\"}')",
     0},
    {"SELECT stacchip_freeze('build/fault.tars', 'SELECT row FROM chips WHERE chip_index_x = 3', "
     "'{\"assets\":\"scl\",\"format\":\"webdataset\"}')",
     0},
    {"SELECT length(stacchip_chip(handle, 'npz')), length(stacchip_chip(handle, "
     "'{\"buffer\":2}')), "
     "length(stacchip_chip(position, '{\"table\":\"frozen.chips\"}')) FROM frozen.chips LIMIT 1",
     0},
    {"SELECT count(*) FROM chips WHERE ST_Intersects(geometry, (SELECT geometry FROM chips LIMIT "
     "1)) ORDER BY date",
     0},
    {"SELECT count(*) FROM chips WHERE row IN (SELECT row FROM chips WHERE chip_index_x = 3)", 0},
    {"SELECT count(*) FROM chips WHERE chipid IN (SELECT chipid FROM chips WHERE chip_index_x = 3)",
     0},
    {"CREATE TABLE exported_items AS SELECT stacchip_row_export(row, 'id') AS id, "
     "stacchip_row_export(row, 'item') AS item FROM chips LIMIT 1",
     1},
    {"SELECT length(stacchip_stack(r, '{\"assets\":[\"scl\"],\"format\":\"npz\",\"null\":"
     "\"fill\"}')) FROM (SELECT NULL AS r UNION ALL SELECT * FROM (SELECT "
     "stacchip_row_export(row, 'short') FROM chips LIMIT 1))",
     0},
    {"DELETE FROM chips WHERE chip_index_x = 2", 1},
    {"DELETE FROM chips", 1},
    {"INSERT INTO chips SELECT * FROM stacchip_parquet('build/fault.parquet')", 1},
    {"INSERT OR REPLACE INTO chips SELECT * FROM stacchip_parquet('build/fault.parquet')", 1},
    {"INSERT INTO chips(chips) VALUES ('rebuild')", 0},
    {"INSERT INTO chips(chips) VALUES ('optimize')", 0},
    {"INSERT INTO chips(chips) VALUES ('integrity-check')", 0},
    {"ALTER TABLE chips RENAME TO scenes", 1},
    {"ALTER TABLE scenes RENAME TO chips", 1},
    {"SELECT stacchip_merge_items('chips', 'SELECT ''" SCENE "''')", 0},
    {"DROP TABLE chips", 1},
};
#define N_FLOW (sizeof flow / sizeof *flow)
#define CREATE_STEP 1
#define EXPORT_STEP 6

#define FROZEN "build/fault_read.frozen"
#define FREEZE                                                                    \
  "SELECT stacchip_freeze('" FROZEN "', 'SELECT row FROM stacchip_index(''" SCENE \
  "'') "                                                                          \
  "WHERE chip_index_x = 3', '{\"assets\":\"scl\"}')"

static void remove_written(void) {
  static const char *const files[] = {"build/fault.frozen",
                                      "build/fault.frozen.part",
                                      "build/fault.frozen.part-journal",
                                      "build/fault.tars/dataset.db",
                                      "build/fault.tars/000000.tar",
                                      "build/fault.tars/index.json"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) remove(files[i]);
}

static sqlite3 *open_ready(void) {
  sqlite3 *db = NULL;
  char *message = NULL;
  sqlite3_open(":memory:", &db);
  if (sqlite3_stacchip_init(db, &message, NULL) != SQLITE_OK) exit(9);
  return db;
}

/* A step that failed has changed nothing, or all; the index agrees with itself. */
static void check_whole(sqlite3 *db, size_t s) {
  char *message = NULL;
  if (!flow[s].changes || s <= CREATE_STEP || flow[s].sql[0] == 'A' || s + 1 == N_FLOW) return;
  const char *sql = "INSERT INTO chips(chips) VALUES ('integrity-check')";
  CHECK_INT(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, &message));
  if (message) CHECK_TEXT("", message);
  sqlite3_free(message);
}

/* Run step `s` with the k-th allocation failing; 1 when it was reached. The steps before it
 * run undisturbed. */
static int disturb(size_t s, long k, int stays) {
  sqlite3 *db = open_ready();
  remove_written();
  sqlite3_exec(db, "ATTACH '" FROZEN "' AS frozen", NULL, NULL, NULL);
  for (size_t i = 0; i < s; i++) {
    if (flow[i].changes) sqlite3_exec(db, flow[i].sql, NULL, NULL, NULL);
  }
#ifdef __SANITIZE_ADDRESS__
  /* SpatiaLite 5.0's InitSpatialMetaData() drops the message of its own failed sqlite3_exec() (24
   * bytes each; the stack, unwound, ends in mod_spatialite.so): have it done before a leak
   * checker counts. */
  if (s == CREATE_STEP) {
    sqlite3_exec(db, "CREATE VIRTUAL TABLE first USING stacchip_merge", NULL, NULL, NULL);
  }
#endif
  stays_failed = stays;
  __atomic_store_n(&countdown, k, __ATOMIC_RELAXED);
  char *message = NULL;
  int code = sqlite3_exec(db, flow[s].sql, NULL, NULL, &message);
  long left = __atomic_exchange_n(&countdown, -1, __ATOMIC_RELAXED);
  int reached = stays ? left == 1 : left < 0;
  check_case(flow[s].sql);
  if (code != SQLITE_OK) CHECK(message == NULL || message[0] != '\0');
  if (code == SQLITE_CORRUPT || code == SQLITE_MISUSE) CHECK_INT(SQLITE_NOMEM, code);
  sqlite3_free(message);
  message = NULL;
  check_whole(db, s);
  if (!flow[s].changes || (code != SQLITE_OK && s != CREATE_STEP && s + 1 < N_FLOW)) {
    CHECK_INT(SQLITE_OK, sqlite3_exec(db, flow[s].sql, NULL, NULL, &message)); /* it answers now */
    if (message) CHECK_TEXT("", message);
    sqlite3_free(message);
  }
  CHECK_INT(SQLITE_OK, sqlite3_close(db));
  return reached;
}

int main(void) {
  const char *text = getenv("SC_FAULT_STEP");
  long step = text ? strtol(text, NULL, 10) : 23;
  sqlite3_mem_methods mine;
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
  mine = real;
  mine.xMalloc = failing_malloc;
  mine.xRealloc = failing_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
  sqlite3 *first = open_ready(); /* libraries are opened undisturbed */
  remove(FROZEN);
  CHECK_INT(SQLITE_OK, sqlite3_exec(first, FREEZE, NULL, NULL, NULL));
  sqlite3_close(first);
  disturb(0, 1000000000, 0);
  for (size_t s = 0; s < N_FLOW; s++) {
    for (int stays = 0; stays < 2; stays++) {
      long k = 1, far = step;
      int rounds = 0, most = text ? 1000000 : 16;
      while (disturb(s, k, stays) && ++rounds < most) {
        k += far;
        if (!text && rounds % 8 == 0) far *= 4; /* the short form looks ahead in growing steps */
      }
    }
  }
  return check_report();
}
