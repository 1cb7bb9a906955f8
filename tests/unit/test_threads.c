/*
 * Several connections in several threads, one raster half and its caches: every answer must be
 * the one that a thread alone gets. `make check-tsan` runs this under ThreadSanitizer.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "stacchip.h"

#define S2 "'build/scenes/sentinel-2/item.json'"
#define LANDSAT "'build/scenes/landsat-threads/item.json'"
#define N_THREADS 4
#define NO_ANSWER UINT64_C(0xcbf29ce484222325)

/* Each is run by every thread; %d is its number. All but the first need the table of the first. */
static const char *const queries[] = {
    "CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1);"
    "INSERT INTO chips(item_json) VALUES (" S2
    ");"
    "INSERT INTO chips(item_json) VALUES (" LANDSAT
    ");"
    "SELECT count(*), min(cloud_cover_percentage), max(nodata_percentage) FROM chips",
    "SELECT chipid, cloud_cover_percentage, nodata_percentage, hex(geometry) FROM "
    "stacchip_index(" S2 ")",
    "SELECT chipid, cloud_cover_percentage FROM stacchip_index(" LANDSAT
    ", '{\"chip_size\":100,\"stride\":70,\"edge\":\"pad\"}')",
    "SELECT chipid FROM chips WHERE ST_Intersects(geometry, (SELECT geometry FROM "
    "stacchip_index(" S2 ") LIMIT 1)) AND cloud_cover_percentage < 0.9",
    "SELECT stacchip_chip(row) FROM chips WHERE chip_index_y IN (0, 3)",
    "SELECT stacchip_chip(row, '{\"assets\":[\"red\",\"swir16\"],\"buffer\":9}') FROM chips",
    "SELECT stacchip_chip(row, '{\"resampling\":\"bilinear\"}') FROM chips LIMIT 3",
    "SELECT stacchip_stack(row, '{\"assets\":[\"green\"],\"format\":\"npz\"}') FROM chips",
    "SELECT stacchip_stack(row, '{\"assets\":[\"blue\"],\"format\":\"png\",\"size\":32}') FROM "
    "(SELECT row FROM chips LIMIT 9)",
    "SELECT stacchip_band_stats(row) FROM (SELECT row FROM chips LIMIT 4)",
    "SELECT stacchip_chip(row, '{\"format\":\"geotiff\"}'), stacchip_chip_info(row) FROM chips "
    "WHERE chip_index_x = 1 AND chip_index_y = 1",
    "SELECT stacchip_chip(stacchip_row_export(row), '{\"format\":\"png\"}') FROM chips LIMIT 2",
    "SELECT stacchip_item_info(" S2 "), json_extract(stacchip_debug(), '$.raster')",
    "SELECT stacchip_export('chips', 'build/threads-%d.parquet');"
    "SELECT chipid, cloud_cover_percentage FROM stacchip_parquet('build/threads-%d.parquet')",
    "SELECT stacchip_platform_set('r', '{\"mask\":\"scl\",\"cloud\":\"v=9\",\"nodata\":\"0\"}');"
    "SELECT cloud_cover_percentage FROM stacchip_index(" S2 ", '{\"platform\":\"r\"}')",
    "CREATE VIRTUAL TABLE many USING stacchip_merge(max_nodata=1);"
    "SELECT stacchip_merge_items('many', 'SELECT json_set(item_json, ''$.id'', column1) FROM "
    "stacchip_items('" LANDSAT
    "'), (VALUES (''a''), (''b''), (''c''), (''d''), (''e''), (''f''))');"
    "SELECT chipid, cloud_cover_percentage FROM many ORDER BY chipid; DROP TABLE many",
    "SELECT stacchip_chip('{\"item\":\"/nowhere\"}')",
};
#define N_QUERIES (sizeof queries / sizeof *queries)

/* Set by each thread as it goes: the pool and the cache change while others read. */
static const char *const settings[] = {
    "SELECT stacchip_config('cache_bytes', 3000000)",
    "SELECT stacchip_config('cache_bytes', 0)",
    "SELECT stacchip_config('threads', 3)",
    "SELECT stacchip_config('verify', 1)",
    "SELECT stacchip_config('cache_bytes', 200000000)",
    "SELECT stacchip_config('threads', 1)",
    "SELECT stacchip_config('verify', 0)",
};
#define N_SETTINGS (sizeof settings / sizeof *settings)

struct worker {
  int number;
  int rc;                      /* of opening, starting and closing */
  int n_errors;                /* of the queries */
  uint64_t answers[N_QUERIES]; /* hashes of all values, or of the error */
};

static void mix(uint64_t *hash, const void *bytes, int n) {
  const unsigned char *p = bytes;
  for (int i = 0; i < n; i++) *hash = (*hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static void mix_rows(sqlite3_stmt *stmt, uint64_t *hash) {
  while (sqlite3_step(stmt) == SQLITE_ROW) {
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
      const void *bytes = sqlite3_column_blob(stmt, i);
      mix(hash, bytes, sqlite3_column_bytes(stmt, i));
      mix(hash, ",", 1);
    }
  }
}

static uint64_t answer(sqlite3 *db, const char *script, int *n_errors) {
  uint64_t hash = NO_ANSWER;
  while (*script) {
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, script, -1, &stmt, &script) == SQLITE_OK) mix_rows(stmt, &hash);
    if (sqlite3_finalize(stmt) != SQLITE_OK) {
      const char *message = sqlite3_errmsg(db);
      ++*n_errors;
      fprintf(stderr, "%s\n", message);
      mix(&hash, message, (int)strlen(message));
      break;
    }
  }
  return hash;
}

static void run_query(sqlite3 *db, struct worker *w, size_t i) {
  char *sql = sqlite3_mprintf(queries[i], w->number, w->number);
  w->answers[i] = sql ? answer(db, sql, &w->n_errors) : 0;
  sqlite3_free(sql);
}

/* A thread's own connection; the threads begin at different queries. */
static void *work(void *worker) {
  struct worker *w = worker;
  sqlite3 *db = NULL;
  size_t n = N_QUERIES - 1, first = (size_t)w->number * 5;
  w->rc = sqlite3_open(":memory:", &db);
  if (!w->rc) w->rc = sqlite3_stacchip_init(db, NULL, NULL);
  if (!w->number) answer(db, "SELECT stacchip_config('threads', 1)", &w->n_errors);
  if (!w->rc) run_query(db, w, 0);
  for (size_t i = 0; !w->rc && i < n; i++) {
    run_query(db, w, 1 + (first + i) % n);
    if (w->number) answer(db, settings[(first + i) % N_SETTINGS], &w->n_errors);
  }
  int closed = sqlite3_close(db);
  if (!w->rc) w->rc = closed;
  return NULL;
}

static void remove_files(void) {
  for (int i = 0; i <= N_THREADS; i++) {
    char path[40];
    snprintf(path, sizeof path, "build/threads-%d.parquet", i);
    unlink(path);
  }
}

/* Every thread at once; then nothing is left of their files. */
static void run_together(struct worker workers[N_THREADS]) {
  pthread_t threads[N_THREADS];
  for (int i = 0; i < N_THREADS; i++) {
    workers[i] = (struct worker){.number = i + 1};
    CHECK_INT(0, pthread_create(&threads[i], NULL, work, &workers[i]));
  }
  for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
  remove_files();
}

static void check_answers(const struct worker *alone, const struct worker workers[N_THREADS]) {
  for (int i = 0; i < N_THREADS; i++) {
    check_case("a_thread_has_a_connection");
    CHECK_INT(SQLITE_OK, workers[i].rc);
    for (size_t q = 0; q < N_QUERIES; q++) {
      check_case(queries[q]);
      CHECK_INT(alone->answers[q], workers[i].answers[q]);
    }
  }
}

/* The queries do answer: all but the last without an error, each differently. */
static void check_alone(const struct worker *alone) {
  CHECK_INT(SQLITE_OK, alone->rc);
  CHECK_INT(1, alone->n_errors);
  for (size_t q = 0; q < N_QUERIES; q++) {
    check_case(queries[q]);
    CHECK(alone->answers[q] != NO_ANSWER);
    for (size_t other = 0; other < q; other++) CHECK(alone->answers[other] != alone->answers[q]);
  }
}

int main(void) {
  struct worker cold[N_THREADS], warm[N_THREADS], alone = {0};
  /* First together: then the libraries are opened and everything starts in all threads at once. */
  run_together(cold);
  work(&alone);
  remove_files();
  run_together(warm);
  check_alone(&alone);
  check_answers(&alone, cold);
  check_answers(&alone, warm);
  return check_report();
}
