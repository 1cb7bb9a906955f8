/*
 * Chips beside plain loops over GDAL's C API.
 *
 *   bench_chips FOLDER [N [SEED]]     FOLDER holds sentinel-2, landsat, naip and modis (make_scene)
 *
 * Each measurement runs in a process of its own, so that no cache helps the next one. "cold" is
 * its first pass, with files open and no block decoded; "warm" the same chips once more. The rival
 * keeps its datasets open or opens them per chip, reads each chip by GDALDatasetRasterIO() into one
 * array that it uses again, and has as much block cache as we have. CPU time of one thread; wall
 * time where it is two. STACCHIP_EXT names the extension.
 */
#include <cpl_conv.h>
#include <gdal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define SIDE 256
#define CACHE_MB 256
#define FILES_MAX 10

struct scene {
  const char *name;
  int width_px, n_files;
  const char *files[FILES_MAX];
};

static const struct scene scenes[] = {
    {"sentinel-2",
     10980,
     10,
     {"blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16",
      "swir22"}},
    {"landsat", 8301, 6, {"red", "green", "blue", "nir08", "swir16", "swir22"}},
    {"naip", 10240, 1, {"image"}},
    {"modis",
     2400,
     7,
     {"sur_refl_b01", "sur_refl_b02", "sur_refl_b03", "sur_refl_b04", "sur_refl_b05",
      "sur_refl_b06", "sur_refl_b07"}},
};

enum order { RANDOM, IN_ORDER };
enum way { OURS, OURS_STACK, GDAL_OPEN, GDAL_PER_CHIP };

struct job {
  const struct scene *scene;
  enum way way;
  enum order order;
  int n, threads, cache_mb;
};

struct result {
  double cold_ms, warm_ms; /* per chip */
  long peak_kb, before_kb;
};

static const char *folder;
static unsigned seed;

static void fail(const char *what) {
  fprintf(stderr, "bench_chips: %s\n", what);
  exit(1);
}

static long peak_kb(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/* The chips of a job: the same for all ways. */
static void choose(const struct job *job, int *x, int *y) {
  int across = job->scene->width_px / SIDE;
  srand(seed);
  int first = rand() % (across - 3);
  for (int i = 0; i < job->n; i++) {
    x[i] = job->order == RANDOM ? rand() % across : i % across;
    y[i] = job->order == RANDOM ? rand() % across : (first + i / across) % across;
  }
}

/* ---- the rival ---- */

static GDALDatasetH open_file(const struct scene *s, int i) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s/%s.tif", folder, s->name, s->files[i]);
  GDALDatasetH ds = GDALOpen(path, GA_ReadOnly);
  if (!ds) fail(path);
  return ds;
}

/* CPU time of the process; of two threads the time that passes. */
static double time_ms(const struct job *job) {
  struct rusage u;
  if (job->threads > 1) return now_ms();
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-3;
}

static void read_by_gdal(const struct scene *s, GDALDatasetH ds, int x, int y, unsigned char *out) {
  int n_bands = GDALGetRasterCount(ds), own = GDALGetRasterXSize(ds);
  double ratio = (double)s->width_px / own;
  int x0 = (int)(x * SIDE / ratio), y0 = (int)(y * SIDE / ratio),
      side = (int)(SIDE / ratio + 0.999);
  GDALDataType type = GDALGetRasterDataType(GDALGetRasterBand(ds, 1));
  if (GDALDatasetRasterIO(ds, GF_Read, x0, y0, side, side, out, SIDE, SIDE, type, n_bands, NULL, 0,
                          0, 0) != CE_None) {
    fail("RasterIO");
  }
}

static double pass_gdal(const struct job *job, GDALDatasetH *kept, const int *x, const int *y) {
  const size_t file_bytes = (size_t)SIDE * SIDE * 4; /* four bands of bytes, or one of up to 4 */
  unsigned char *out = malloc(file_bytes * (size_t)job->scene->n_files);
  double begin = time_ms(job);
  for (int k = 0; k < job->n; k++) {
    for (int i = 0; i < job->scene->n_files; i++) {
      GDALDatasetH ds = job->way == GDAL_OPEN ? kept[i] : open_file(job->scene, i);
      read_by_gdal(job->scene, ds, x[k], y[k], out + (size_t)i * SIDE * SIDE * 2);
      if (job->way == GDAL_PER_CHIP) GDALClose(ds);
    }
  }
  double took = time_ms(job) - begin;
  free(out);
  return took / job->n;
}

/* ---- ours ---- */

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail(message);
}

static sqlite3 *open_ours(const struct job *job, const int *x, const int *y) {
  sqlite3 *db;
  char *message = NULL, sql[8400];
  const char *extension = getenv("STACCHIP_EXT");
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) fail("sqlite3_open");
  sqlite3_enable_load_extension(db, 1);
  if (sqlite3_load_extension(db, extension ? extension : "build/release/stacchip", NULL, &message))
    fail(message);
  snprintf(sql, sizeof sql,
           "SELECT stacchip_config('threads', %d), stacchip_config('cache_bytes', %d)",
           job->threads, job->cache_mb << 20);
  run(db, sql);
  run(db, "CREATE TABLE t(k INTEGER PRIMARY KEY, r TEXT)");
  for (int i = 0; i < job->n; i++) {
    snprintf(sql, sizeof sql,
             "INSERT INTO t(r) VALUES "
             "('{\"item\":\"%s/%s/item.json\",\"chip_index_x\":%d,\"chip_index_y\":%d}')",
             folder, job->scene->name, x[i], y[i]);
    run(db, sql);
  }
  return db;
}

static double pass_ours(const struct job *job, sqlite3 *db) {
  sqlite3_stmt *statement;
  const char *sql = job->way == OURS ? "SELECT stacchip_chip(r) FROM t ORDER BY k"
                                     : "SELECT stacchip_stack(r) FROM t";
  double begin = time_ms(job);
  int code, bytes = 0;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail(sqlite3_errmsg(db));
  while ((code = sqlite3_step(statement)) == SQLITE_ROW)
    bytes += sqlite3_column_bytes(statement, 0);
  if (code != SQLITE_DONE || bytes < job->n * SIDE * SIDE) fail(sqlite3_errmsg(db));
  sqlite3_finalize(statement);
  return (time_ms(job) - begin) / job->n;
}

/* ---- measuring ---- */

static void measure_here(const void *what, void *result) {
  const struct job *job = what;
  struct result *out = result;
  int x[4096], y[4096];
  GDALDatasetH kept[FILES_MAX] = {NULL};
  choose(job, x, y);
  if (job->way == OURS || job->way == OURS_STACK) {
    sqlite3 *db = open_ours(job, x, y);
    run(db,
        "SELECT stacchip_chip_info(r) FROM t LIMIT 1"); /* the rival's libraries are loaded, too */
    out->before_kb = peak_kb();
    out->cold_ms = pass_ours(job, db);
    out->peak_kb = peak_kb();
    out->warm_ms = pass_ours(job, db);
  } else {
    CPLSetConfigOption("GDAL_PAM_ENABLED", "NO");
    GDALAllRegister();
    GDALSetCacheMax64((GIntBig)job->cache_mb << 20);
    for (int i = 0; i < job->scene->n_files && job->way == GDAL_OPEN; i++)
      kept[i] = open_file(job->scene, i);
    out->cold_ms = pass_gdal(job, kept, x, y);
    out->warm_ms = pass_gdal(job, kept, x, y);
  }
}

static struct result measure(struct job job) {
  struct result r = {0, 0, 0, 0};
  if (!job.cache_mb) job.cache_mb = CACHE_MB;
  if (!job.threads) job.threads = 1;
  if (!measure_apart(measure_here, &job, &r, sizeof r)) fail("a measurement failed");
  return r;
}

static void keep_best(struct result *best, struct result r) {
  if (best->cold_ms == 0 || r.cold_ms < best->cold_ms) best->cold_ms = r.cold_ms;
  if (best->warm_ms == 0 || r.warm_ms < best->warm_ms) best->warm_ms = r.warm_ms;
}

/*
 * All sides in turn, the best of three, or of nine where a turn takes half a second: other work on
 * the machine hits either, and in short turns memory that its host gives anew. The rival is the
 * faster of b and c (or b alone).
 */
static void measure_all(struct job a, struct job b, const struct job *c, struct result *ours,
                        struct result *rival) {
  for (int i = 0; i < (c ? 9 : 3); i++) {
    keep_best(ours, measure(a));
    keep_best(rival, measure(b));
    if (c && i < 3) keep_best(rival, measure(*c));
  }
}

/* One line: ours, the rival, how many times faster, cold and warm, and what is wanted of either. */
static void compare(const char *what, struct result ours, struct result rival, double least,
                    double least_warm) {
  double ratio = rival.cold_ms / ours.cold_ms, warm = rival.warm_ms / ours.warm_ms;
  printf(
      "%-42s cold %8.3f ms  rival %8.3f  %5.2fx | warm %8.3f  rival %8.3f  %5.2fx | at least "
      "%.1fx, %.1fx%s\n",
      what, ours.cold_ms, rival.cold_ms, ratio, ours.warm_ms, rival.warm_ms, warm, least,
      least_warm, ratio < least || warm < least_warm ? "  SHORT" : "");
  fflush(stdout);
}

static void bench_pair(const char *what, struct job ours, struct job rival, double least) {
  struct result a = {0, 0, 0, 0}, b = {0, 0, 0, 0};
  measure_all(ours, rival, NULL, &a, &b);
  compare(what, a, b, least, least);
}

static void bench_sentinel_2(int n) {
  const struct scene *s = &scenes[0];
  bench_pair("sentinel-2, random, one by one", (struct job){s, OURS, RANDOM, n, 0, 0},
             (struct job){s, GDAL_OPEN, RANDOM, n, 0, 0}, 1.7);
  bench_pair("sentinel-2, in order, one by one", (struct job){s, OURS, IN_ORDER, 2 * n, 0, 0},
             (struct job){s, GDAL_OPEN, IN_ORDER, 2 * n, 0, 0}, 1.2);
  bench_pair("sentinel-2, stack of 128 random chips",
             (struct job){s, OURS_STACK, RANDOM, 128, 1, 0},
             (struct job){s, GDAL_OPEN, RANDOM, 128, 0, 0}, 2);
  bench_pair("  with two threads, rival: ours with one",
             (struct job){s, OURS_STACK, RANDOM, 128, 2, 0},
             (struct job){s, OURS_STACK, RANDOM, 128, 1, 0}, 1.7);
}

static void bench_memory(int n) {
  const struct scene *s = &scenes[0];
  int cache_mb = 64;
  struct result r = measure((struct job){s, OURS_STACK, RANDOM, n, 2, cache_mb});
  double result_mb = (double)n * 10 * SIDE * SIDE * 2 / 1048576,
         took = (double)(r.peak_kb - r.before_kb) / 1024;
  double most = result_mb + cache_mb + 32;
  printf(
      "%-42s %.0f MB more than before; result %.0f + cache %d + 32 = %.0f "
      "MB%s\n",
      "stack, peak memory", took, result_mb, cache_mb, most, took > most ? "  SHORT" : "");
}

/* Against the faster of the two loops. */
static void bench_other(const struct scene *s, int n) {
  char what[80];
  for (enum order order = RANDOM; order <= IN_ORDER; order++) {
    struct result ours = {0, 0, 0, 0}, rival = {0, 0, 0, 0};
    struct job per_chip = {s, GDAL_PER_CHIP, order, n, 0, 0};
    snprintf(what, sizeof what, "%s, %s, one by one", s->name, order ? "in order" : "random");
    measure_all((struct job){s, OURS, order, n, 0, 0}, (struct job){s, GDAL_OPEN, order, n, 0, 0},
                &per_chip, &ours, &rival);
    compare(what, ours, rival, 1.2, 1);
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: bench_chips FOLDER [N [SEED]]\n"), 2;
  char *absolute = realpath(argv[1], NULL);
  if (!absolute) fail(argv[1]);
  folder = absolute;
  int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 128;
  seed = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : (unsigned)time(NULL);
  if (n < 1 || n > 2048) fail("N is 1 to 2048");
  printf("chips of %d x %d, ms per chip, %d chips, seed %u, caches of %d MB\n", SIDE, SIDE, n, seed,
         CACHE_MB);
  bench_sentinel_2(n);
  bench_memory(n < 64 ? 64 : 128);
  for (int i = 1; i < 4; i++) bench_other(&scenes[i], 2 * n);
  free(absolute);
  return 0;
}
