/*
 * Indexing a full scene beside GDAL: decode the mask, then count it.
 *
 *   bench_index FOLDER [REPEATS]      FOLDER holds sentinel-2 and landsat (make_scene ... full)
 *
 * Ours is all of stacchip_index(): item, grid, counts, polygons and handles. The rival only
 * reads the mask whole and counts its chips. Each runs in a process of its own; cold is its
 * first pass, libraries included, warm the fastest of the others. One thread.
 */
#include <cpl_conv.h>
#include <gdal.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

struct scene {
  const char *name, *mask;
  int side_px; /* of a chip in the mask */
  int cloud_classes, cloud_bits, nodata_value, nodata_bits;
  double most; /* of the rival's time */
};

static const struct scene scenes[] = {
    {"sentinel-2", "scl.tif", 128, 1 << 1 | 1 << 3 | 1 << 8 | 1 << 9 | 1 << 10, 0, 1, 0, 0.5},
    {"landsat", "qa_pixel.tif", 256, 0, 26, 0, 1, 0.25},
};

struct result {
  double cold_ms, warm_ms, cloud;
  int n_chips;
};

static int n_repeats = 7;

static void fail(const char *what) {
  fprintf(stderr, "bench_index: %s\n", what);
  exit(1);
}

static int is_cloud(const struct scene *s, uint16_t v) {
  return s->cloud_bits ? (v & s->cloud_bits) != 0 : v < 16 && (s->cloud_classes >> v & 1);
}

/* Cloudy and nodata pixels of each chip; the tables keep the loop as tight as a careful rival's. */
static void count(const struct scene *s, const void *pixels, int width, int height, int bytes,
                  struct result *out) {
  static uint8_t cloud[65536], nodata[65536];
  for (int v = 0; v < 65536; v++) {
    cloud[v] = (uint8_t)is_cloud(s, (uint16_t)v);
    nodata[v] = s->nodata_bits ? (v & s->nodata_bits) != 0 : v == 0;
  }
  out->cloud = 0, out->n_chips = 0;
  for (int cy = 0; cy + s->side_px <= height; cy += s->side_px) {
    for (int cx = 0; cx + s->side_px <= width; cx += s->side_px) {
      unsigned n_cloud = 0, n_nodata = 0;
      for (int y = cy; y < cy + s->side_px; y++) {
        const uint8_t *row8 = (const uint8_t *)pixels + (size_t)y * (size_t)width;
        const uint16_t *row16 = (const uint16_t *)pixels + (size_t)y * (size_t)width;
        for (int x = cx; x < cx + s->side_px; x++) {
          unsigned v = bytes == 1 ? row8[x] : row16[x];
          n_cloud += cloud[v], n_nodata += nodata[v];
        }
      }
      double area = (double)s->side_px * s->side_px;
      if (n_nodata > 0.5 * area) continue;
      out->cloud += n_cloud / area;
      out->n_chips++;
    }
  }
}

static void pass_gdal(const struct scene *s, const char *folder, struct result *out) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s/%s", folder, s->name, s->mask);
  GDALDatasetH ds = GDALOpen(path, GA_ReadOnly);
  if (!ds) fail(path);
  int w = GDALGetRasterXSize(ds), h = GDALGetRasterYSize(ds);
  GDALDataType type = GDALGetRasterDataType(GDALGetRasterBand(ds, 1));
  int bytes = GDALGetDataTypeSizeBytes(type);
  void *pixels = malloc((size_t)w * (size_t)h * (size_t)bytes);
  if (GDALDatasetRasterIO(ds, GF_Read, 0, 0, w, h, pixels, w, h, type, 1, NULL, 0, 0, 0) != CE_None)
    fail("RasterIO");
  count(s, pixels, w, h, bytes, out);
  free(pixels);
  GDALClose(ds);
}

static void pass_ours(sqlite3 *db, const struct scene *s, const char *folder, struct result *out) {
  sqlite3_stmt *statement;
  char *sql = sqlite3_mprintf(
      "SELECT count(*), sum(cloud_cover_percentage), sum(length(geometry)), sum(length(row)) "
      "FROM stacchip_index('%q/%s/item.json')",
      folder, s->name);
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
      sqlite3_step(statement) != SQLITE_ROW) {
    fail(sqlite3_errmsg(db));
  }
  out->n_chips = sqlite3_column_int(statement, 0);
  out->cloud = sqlite3_column_double(statement, 1);
  sqlite3_finalize(statement);
  sqlite3_free(sql);
}

struct job {
  int ours;
  const struct scene *scene;
  const char *folder;
};

static void measure_here(const void *what, void *result) {
  const struct job *job = what;
  struct result *out = result;
  const struct scene *s = job->scene;
  const char *folder = job->folder;
  int ours = job->ours;
  sqlite3 *db = NULL;
  char *message = NULL;
  const char *extension = getenv("STACCHIP_EXT");
  double begin = now_ms();
  if (ours) {
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) fail("sqlite3_open");
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, extension ? extension : "build/release/stacchip", NULL,
                               &message))
      fail(message);
    sqlite3_exec(db, "SELECT stacchip_config('threads', 1)", NULL, NULL, NULL);
  } else {
    CPLSetConfigOption("GDAL_PAM_ENABLED", "NO");
    GDALAllRegister();
  }
  for (int i = 0; i <= n_repeats; i++) {
    if (ours) {
      pass_ours(db, s, folder, out);
    } else {
      pass_gdal(s, folder, out);
    }
    double took = now_ms() - begin;
    if (i == 0) out->cold_ms = took;
    if (i == 1 || (i > 1 && took < out->warm_ms)) out->warm_ms = took;
    begin = now_ms();
  }
}

static struct result measure(int ours, const struct scene *s, const char *folder) {
  struct result r = {0, 0, 0, 0};
  const struct job job = {ours, s, folder};
  if (!measure_apart(measure_here, &job, &r, sizeof r)) fail("a measurement failed");
  return r;
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: bench_index FOLDER [REPEATS]\n"), 2;
  if (argc > 2) n_repeats = (int)strtol(argv[2], NULL, 10);
  char *folder = realpath(argv[1], NULL);
  if (!folder || n_repeats < 1) fail(argv[1]);
  for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
    const struct scene *s = &scenes[i];
    struct result rival = measure(0, s, folder), ours = measure(1, s, folder);
    double ratio = ours.warm_ms / rival.warm_ms;
    printf(
        "%-12s index of %d chips: warm %7.1f ms  GDAL decode and count %7.1f  %.2f | cold %7.1f  "
        "%7.1f  %.2f | at most %.2f%s\n",
        s->name, ours.n_chips, ours.warm_ms, rival.warm_ms, ratio, ours.cold_ms, rival.cold_ms,
        ours.cold_ms / rival.cold_ms, s->most, ratio > s->most ? "  SHORT" : "");
    if (ours.n_chips != rival.n_chips || ours.cloud - rival.cloud > 1e-3 ||
        rival.cloud - ours.cloud > 1e-3) {
      fprintf(stderr, "bench_index: %d chips with %f clouds, the rival has %d with %f\n",
              ours.n_chips, ours.cloud, rival.n_chips, rival.cloud);
      return 1;
    }
  }
  free(folder);
  return 0;
}
