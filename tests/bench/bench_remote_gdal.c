/*
 * bench_remote_gdal THREADS < lines "URL column row width height": the rival. GDAL's /vsicurl
 * with the settings that its manual recommends reads each window; a thread takes the next
 * line. Prints milliseconds and a sum of the pixels.
 */
#include <cpl_conv.h>
#include <gdal.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WINDOWS_MAX 100000

struct window {
  char url[512];
  int x, y, w, h;
  uint64_t sum;
};

static struct window *windows;
static int n_windows, next_window;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *unused) {
  (void)unused;
  for (;;) {
    pthread_mutex_lock(&lock);
    int i = next_window++;
    pthread_mutex_unlock(&lock);
    if (i >= n_windows) return NULL;
    struct window *v = &windows[i];
    size_t n = (size_t)v->w * (size_t)v->h;
    uint16_t *pixels = malloc(n * sizeof *pixels);
    GDALDatasetH ds = GDALOpen(v->url, GA_ReadOnly);
    if (!ds || !pixels ||
        GDALRasterIO(GDALGetRasterBand(ds, 1), GF_Read, v->x, v->y, v->w, v->h, pixels, v->w, v->h,
                     GDT_UInt16, 0, 0) != CE_None) {
      fprintf(stderr, "bench_remote_gdal: %s failed\n", v->url);
      exit(1);
    }
    for (size_t k = 0; k < n; k++) v->sum += pixels[k];
    GDALClose(ds);
    free(pixels);
  }
}

int main(int n, char **arguments) {
  int n_threads = n > 1 ? atoi(arguments[1]) : 1;
  pthread_t threads[64];
  struct timespec a, b;
  uint64_t sum = 0;
  static const char *const settings[][2] = {{"GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR"},
                                            {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS", ".tif"},
                                            {"GDAL_HTTP_MERGE_CONSECUTIVE_RANGES", "YES"},
                                            {"GDAL_HTTP_MULTIPLEX", "YES"},
                                            {"GDAL_HTTP_VERSION", "2"},
                                            {"GDAL_INGESTED_BYTES_AT_OPEN", "32768"},
                                            {"VSI_CACHE", "TRUE"},
                                            {"VSI_CACHE_SIZE", "5000000"},
                                            {"GDAL_CACHEMAX", "256"}};
  windows = calloc(WINDOWS_MAX, sizeof *windows);
  if (!windows) return 1;
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    CPLSetConfigOption(settings[i][0], settings[i][1]);
  GDALAllRegister();
  while (n_windows < WINDOWS_MAX) {
    struct window *v = &windows[n_windows];
    if (scanf("%511s %d %d %d %d", v->url, &v->x, &v->y, &v->w, &v->h) != 5) break;
    n_windows++;
  }
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 0; i < n_threads && i < 64; i++) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < n_threads && i < 64; i++) pthread_join(threads[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &b);
  for (int i = 0; i < n_windows; i++) sum += windows[i].sum;
  printf("%.1f %llu\n", (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6,
         (unsigned long long)sum);
  return 0;
}
