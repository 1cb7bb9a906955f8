/*
 * Synthetic chips for benchmarks: items of 42 x 42 chips on 1000 tiles, four platforms, five years.
 * synthetic(first, n) is a table of the nine columns of an index.
 */
#ifndef SYNTHETIC_H
#define SYNTHETIC_H

#include <math.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SIDE 42
#define ITEM_CHIPS (SIDE * SIDE)
#define CHIP_DEG 0.0235
#define BLOB_BYTES 132

static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static double uniform(uint64_t seed) { return (double)(mix(seed) >> 11) * 0x1p-53; }

/* ---- synthetic rows ---- */

struct chip {
  int64_t item;
  int x, y;
  double box[4]; /* min x, min y, max x, max y */
  float cloud, nodata;
  char date[16], id[40];
  int day, platform;
};

static const char *const platforms[] = {"sentinel-2-l2a", "landsat-c2l2-sr", "naip", "modis"};

static void date_of(int day, char out[16]) {
  time_t t = (time_t)(18262 + day) * 86400; /* from 2020-01-01 */
  struct tm m;
  gmtime_r(&t, &m);
  strftime(out, 16, "%Y-%m-%d", &m);
}

/* Items lie on 1000 tiles, many dates each. */
static void chip_of(int64_t i, struct chip *c) {
  int64_t item = i / ITEM_CHIPS, tile = (int64_t)(mix((uint64_t)item) % 1000);
  int at = (int)(i % ITEM_CHIPS);
  double lon = floor(uniform((uint64_t)tile * 2 + 900001) * 340) - 170;
  double lat = floor(uniform((uint64_t)tile * 2 + 900002) * 120) - 60;
  c->x = at % SIDE;
  c->y = at / SIDE;
  if (item != c->item) {
    c->item = item;
    c->day = (int)(uniform((uint64_t)item + 77) * 1826);
    c->platform = (int)(mix((uint64_t)item + 5) % 4);
    date_of(c->day, c->date);
    snprintf(c->id, sizeof c->id, "S2A_T%06d_20240311T140636_L2A", (int)item);
  }
  double skew = 0.02 * CHIP_DEG;
  c->box[0] = lon + c->x * CHIP_DEG;
  c->box[1] = lat - c->y * CHIP_DEG;
  c->box[2] = c->box[0] + CHIP_DEG + skew;
  c->box[3] = c->box[1] + CHIP_DEG + skew;
  double u = uniform((uint64_t)i + 4242);
  c->cloud = (float)(u < 0.2 ? 0 : (u - 0.2) * (u - 0.2) / 0.64);
  c->nodata = (float)(uniform((uint64_t)i + 99) < 0.85 ? 0 : uniform((uint64_t)i + 98) * 0.5);
}

static void put_blob(const struct chip *c, unsigned char out[BLOB_BYTES]) {
  const double *b = c->box, skew = 0.02 * CHIP_DEG;
  const double xy[10] = {b[0] + skew, b[1], b[2],        b[1] + skew, b[2] - skew,
                         b[3],        b[0], b[3] - skew, b[0] + skew, b[1]};
  const uint32_t head[3] = {3, 1, 5};
  const int32_t srid = 4326;
  out[0] = 0;
  out[1] = 1;
  memcpy(out + 2, &srid, 4);
  memcpy(out + 6, b, 32);
  out[38] = 0x7c;
  memcpy(out + 39, head, 12);
  memcpy(out + 51, xy, 80);
  out[131] = 0xfe;
}

/* Virtual table synthetic(first, n): the nine columns. */
struct rows_cursor {
  sqlite3_vtab_cursor base;
  int64_t at, end;
  struct chip chip;
};

static int rows_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message) {
  (void)aux, (void)argc, (void)argv, (void)message;
  *out = sqlite3_malloc(sizeof **out);
  memset(*out, 0, sizeof **out);
  return sqlite3_declare_vtab(db,
                              "CREATE TABLE x(chipid, platform, item, date, chip_index_x, "
                              "chip_index_y, cloud_cover_percentage, nodata_percentage, "
                              "geometry, first HIDDEN, n HIDDEN)");
}
static int rows_best(sqlite3_vtab *v, sqlite3_index_info *info) {
  (void)v;
  for (int i = 0; i < info->nConstraint; i++) {
    if (!info->aConstraint[i].usable || info->aConstraint[i].iColumn < 9) continue;
    info->aConstraintUsage[i].argvIndex = info->aConstraint[i].iColumn - 8;
    info->aConstraintUsage[i].omit = 1;
  }
  return SQLITE_OK;
}
static int rows_free(sqlite3_vtab *v) {
  sqlite3_free(v);
  return SQLITE_OK;
}
static int rows_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out) {
  struct rows_cursor *c = sqlite3_malloc(sizeof *c);
  (void)v;
  memset(c, 0, sizeof *c);
  c->chip.item = -1;
  *out = &c->base;
  return SQLITE_OK;
}
static int rows_close(sqlite3_vtab_cursor *c) {
  sqlite3_free(c);
  return SQLITE_OK;
}
static int rows_filter(sqlite3_vtab_cursor *cursor, int n, const char *s, int argc,
                       sqlite3_value **argv) {
  struct rows_cursor *c = (struct rows_cursor *)cursor;
  (void)n, (void)s, (void)argc;
  c->at = sqlite3_value_int64(argv[0]);
  c->end = c->at + sqlite3_value_int64(argv[1]);
  chip_of(c->at, &c->chip);
  return SQLITE_OK;
}
static int rows_next(sqlite3_vtab_cursor *cursor) {
  struct rows_cursor *c = (struct rows_cursor *)cursor;
  chip_of(++c->at, &c->chip);
  return SQLITE_OK;
}
static int rows_eof(sqlite3_vtab_cursor *cursor) {
  struct rows_cursor *c = (struct rows_cursor *)cursor;
  return c->at >= c->end;
}
static int rows_column(sqlite3_vtab_cursor *cursor, sqlite3_context *x, int i) {
  const struct chip *c = &((struct rows_cursor *)cursor)->chip;
  char id[80];
  unsigned char blob[BLOB_BYTES];
  switch (i) {
    case 0:
      snprintf(id, sizeof id, "%s-%d-%d", c->id, c->x, c->y);
      sqlite3_result_text(x, id, -1, SQLITE_TRANSIENT);
      break;
    case 1: sqlite3_result_text(x, platforms[c->platform], -1, SQLITE_STATIC); break;
    case 2: sqlite3_result_text(x, c->id, -1, SQLITE_TRANSIENT); break;
    case 3: sqlite3_result_text(x, c->date, 10, SQLITE_TRANSIENT); break;
    case 4: sqlite3_result_int(x, c->x); break;
    case 5: sqlite3_result_int(x, c->y); break;
    case 6: sqlite3_result_double(x, (double)c->cloud); break;
    case 7: sqlite3_result_double(x, (double)c->nodata); break;
    case 8:
      put_blob(c, blob);
      sqlite3_result_blob(x, blob, BLOB_BYTES, SQLITE_TRANSIENT);
      break;
    default: break;
  }
  return SQLITE_OK;
}
static int rows_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *out) {
  *out = ((struct rows_cursor *)cursor)->at;
  return SQLITE_OK;
}
static sqlite3_module rows_module = {.xConnect = rows_connect,
                                     .xBestIndex = rows_best,
                                     .xDisconnect = rows_free,
                                     .xOpen = rows_open,
                                     .xClose = rows_close,
                                     .xFilter = rows_filter,
                                     .xNext = rows_next,
                                     .xEof = rows_eof,
                                     .xColumn = rows_column,
                                     .xRowid = rows_rowid};

#endif
