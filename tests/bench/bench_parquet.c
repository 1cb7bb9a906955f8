/*
 * GeoParquet speed: export of N chips from a plain table and a merged index, import, a box query.
 *
 *   bench_parquet fill DATABASE N        a table "chips" with the index columns
 *   bench_parquet export DATABASE OUT OPTIONS
 *   bench_parquet order DATABASE FILE    the rows of FILE, in its order, as such a table
 *   bench_parquet import MERGED SOURCE   into a new merged index, from SOURCE: a Parquet file, or a
 *                                        database with the table
 *   bench_parquet box FILE SIZE          bytes read by a query for a box of 0.5 degrees
 *
 * Prints one number and its unit a line. Run by bench_parquet.sh, which knows DuckDB's.
 */
#include <math.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stacchip.h"

#define CREATE_TABLE                                                                  \
  "PRAGMA journal_mode=off; PRAGMA synchronous=off;"                                  \
  "CREATE TABLE chips(id INTEGER PRIMARY KEY, chipid TEXT, platform TEXT, item TEXT," \
  " date TEXT, chip_index_x INT, chip_index_y INT, cloud_cover_percentage REAL,"      \
  " nodata_percentage REAL, geometry BLOB);"
#define CHIPS_A_SIDE 42 /* of a Sentinel-2 tile: 10980 / 256 */

static sqlite3 *db;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run(const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
  fprintf(stderr, "%s: %s\n", sql, message);
  exit(1);
}

static sqlite3_int64 number(const char *sql) {
  sqlite3_stmt *stmt = NULL;
  sqlite3_int64 n = -1;
  if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
      sqlite3_step(stmt) == SQLITE_ROW) {
    n = sqlite3_column_int64(stmt, 0);
  } else {
    fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
    exit(1);
  }
  sqlite3_finalize(stmt);
  return n;
}

static void open_database(const char *path) {
  char *message = NULL;
  if (sqlite3_open(path, &db) != SQLITE_OK ||
      sqlite3_stacchip_init(db, &message, NULL) != SQLITE_OK) {
    fprintf(stderr, "%s: %s\n", path, message ? message : sqlite3_errmsg(db));
    exit(1);
  }
}

static uint32_t seed = 12345;
static double random01(void) {
  seed = seed * 1664525u + 1013904223u;
  return (double)(seed >> 8) / 16777216.0;
}

/* A tile: a slightly turned grid in degrees, whose corners neighbours share. */
struct tile {
  double lon, lat, dx, dy, turn;
  char item[64], date[40];
  const char *platform;
};

static struct tile make_tile(int i) {
  static const char *const platforms[] = {"sentinel-2-l2a", "landsat-c2l2-sr", "naip", "modis"};
  struct tile t;
  t.lon = -125 + 60 * random01();
  t.lat = 20 + 35 * random01();
  t.dy = 2560 / 111320.0;
  t.dx = t.dy / cos(t.lat * 3.14159265358979 / 180);
  t.turn = 0.04 * (random01() - 0.5);
  t.platform = platforms[i % 7 < 4 ? 0 : i % 4];
  int day = (int)(random01() * 28) + 1, month = (int)(random01() * 12) + 1;
  int year = 2018 + (int)(random01() * 7);
  snprintf(t.date, sizeof t.date, "%04d-%02d-%02d", year, month, day);
  snprintf(t.item, sizeof t.item, "S2A_T%06d_%04d%02d%02dT140636_L2A", i, year, month, day);
  return t;
}

static void put_corner(unsigned char *p, const struct tile *t, int x, int y) {
  double lon = t->lon + x * t->dx + y * t->dx * t->turn + 1e-7 * x * y;
  double lat = t->lat - y * t->dy + x * t->dy * t->turn;
  memcpy(p, &lon, 8);
  memcpy(p + 8, &lat, 8);
}

/* A SpatiaLite POLYGON; little-endian machines only, which is all we bench on. */
static void make_blob(unsigned char *b, const struct tile *t, int x, int y) {
  static const int cx[] = {0, 1, 1, 0, 0}, cy[] = {1, 1, 0, 0, 1};
  int32_t head[3] = {3, 1, 5}, srid = 4326;
  double box[4] = {1e9, 1e9, -1e9, -1e9};
  b[0] = 0;
  b[1] = 1;
  memcpy(b + 2, &srid, 4);
  b[38] = 0x7C;
  memcpy(b + 39, head, 12);
  for (int i = 0; i < 5; i++) {
    double v[2];
    put_corner(b + 51 + 16 * i, t, x + cx[i], y + cy[i]);
    memcpy(v, b + 51 + 16 * i, 16);
    for (int k = 0; k < 2; k++) {
      if (v[k] < box[k]) box[k] = v[k];
      if (v[k] > box[k + 2]) box[k + 2] = v[k];
    }
  }
  memcpy(b + 6, box, 32);
  b[131] = 0xFE;
}

static void fill(const char *path, long n) {
  sqlite3_stmt *s = NULL;
  unsigned char blob[132];
  struct tile t = make_tile(0);
  double cloud = 0;
  remove(path);
  open_database(path);
  run(CREATE_TABLE "BEGIN");
  sqlite3_prepare_v2(db, "INSERT INTO chips VALUES(NULL,?,?,?,?,?,?,?,?,?)", -1, &s, NULL);
  for (long i = 0; i < n; i++) {
    int k = (int)(i % (CHIPS_A_SIDE * CHIPS_A_SIDE)), x = k % CHIPS_A_SIDE, y = k / CHIPS_A_SIDE;
    char id[96];
    if (k == 0) t = make_tile((int)(i / (CHIPS_A_SIDE * CHIPS_A_SIDE)));
    snprintf(id, sizeof id, "%s-%d-%d", t.item, x, y);
    double r = random01();
    cloud = r < 0.35 ? 0 : r < 0.45 ? 1 : floor(random01() * random01() * 65536) / 65536;
    make_blob(blob, &t, x, y);
    sqlite3_bind_text(s, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, t.platform, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, t.item, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, t.date, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 5, x);
    sqlite3_bind_int(s, 6, y);
    sqlite3_bind_double(s, 7, (double)(float)cloud);
    sqlite3_bind_double(s, 8, random01() < 0.9 ? 0 : floor(random01() * 32768) / 65536);
    sqlite3_bind_blob(s, 9, blob, sizeof blob, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_DONE) exit(1);
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
  run("COMMIT");
}

static void export(const char *path, const char *out, const char *options) {
  open_database(path);
  char *sql = sqlite3_mprintf("SELECT stacchip_export('chips', %Q, %Q)", out, options);
  double t = now();
  sqlite3_int64 n = number(sql);
  t = now() - t;
  printf("%.2f s\n%.0f rows/s\n", t, (double)n / t);
  sqlite3_free(sql);
}

static void order(const char *path, const char *file) {
  char *sql = sqlite3_mprintf("INSERT INTO chips SELECT NULL, * FROM stacchip_parquet(%Q)", file);
  remove(path);
  open_database(path);
  run(CREATE_TABLE);
  run(sql);
  sqlite3_free(sql);
}

/* Both sides have the same SQLite, with a cache that holds the index being made. */
static void import(const char *merged, const char *source) {
  const char *ending = strrchr(source, '.');
  int is_parquet = ending && strcmp(ending, ".parquet") == 0;
  remove(merged);
  open_database(merged);
  run("PRAGMA cache_size=-262144; PRAGMA mmap_size=16000000000;"
      "PRAGMA journal_mode=off; PRAGMA synchronous=off;"
      "CREATE VIRTUAL TABLE chips USING stacchip_merge()");
  char *sql = is_parquet ? NULL : sqlite3_mprintf("ATTACH %Q AS s", source);
  if (sql) run(sql);
  sqlite3_free(sql);
  sql = is_parquet ? sqlite3_mprintf("INSERT INTO chips SELECT * FROM stacchip_parquet(%Q)", source)
                   : sqlite3_mprintf(
                         "INSERT INTO chips SELECT chipid, platform, item, date, "
                         "chip_index_x, chip_index_y, cloud_cover_percentage, "
                         "nodata_percentage, geometry FROM s.chips");
  double t = now();
  run(sql);
  t = now() - t;
  sqlite3_free(sql);
  printf("%.2f s\n%.0f rows/s\n", t, (double)number("SELECT count(*) FROM chips") / t);
}

/* Bytes this process has read, by the kernel's count. */
static long long bytes_read(void) {
  char line[128];
  long long n = 0;
  FILE *f = fopen("/proc/self/io", "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "rchar: %lld", &n);
  if (f) fclose(f);
  return n;
}

static void box(const char *file, long long size) {
  open_database(":memory:");
  char *sql = sqlite3_mprintf(
      "SELECT count(*) FROM (SELECT * FROM stacchip_parquet(%Q) WHERE "
      "MbrIntersects(geometry, BuildMbr(-100.25, 40, -99.75, 40.5, 4326)))",
      file);
  long long before = bytes_read();
  double t = now();
  sqlite3_int64 n = number(sql);
  t = now() - t;
  long long bytes = bytes_read() - before;
  printf("%lld rows\n%.1f ms\n%.2f %% of the file read\n", (long long)n, t * 1e3,
         100.0 * (double)bytes / (double)size);
  sqlite3_free(sql);
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "fill") == 0) {
    fill(argv[2], atol(argv[3]));
  } else if (argc == 5 && strcmp(argv[1], "export") == 0) {
    export(argv[2], argv[3], argv[4]);
  } else if (argc == 4 && strcmp(argv[1], "order") == 0) {
    order(argv[2], argv[3]);
  } else if (argc == 4 && strcmp(argv[1], "import") == 0) {
    import(argv[2], argv[3]);
  } else if (argc == 4 && strcmp(argv[1], "box") == 0) {
    box(argv[2], atoll(argv[3]));
  } else {
    fprintf(stderr, "see the head of bench_parquet.c\n");
    return 2;
  }
  return 0;
}
