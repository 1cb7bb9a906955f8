/*
 * make_scene KIND FOLDER [SIZE]: a synthetic scene, the same on every machine.
 *
 * KIND    sentinel-2 (bands of 10, 20 and 60 m and an SCL mask), landsat (30 m, QA_PIXEL), naip
 *         (one file of four bands), modis (500 m, quality band); each an item.json and
 *         Cloud Optimized GeoTIFFs beside it, hrefs relative.
 * SIZE    pixels of the finest grid on a side: a multiple of 6 (sentinel-2). Default: 1536
 *         (demo); "full" is the system's own size, for the benchmarks.
 *
 * Fields are sums of smooth integer noise: land, clouds with shadows beside them, and a wedge
 * without data at the left, as at the edge of an orbit.
 */
#include <cpl_conv.h>
#include <cpl_string.h>
#include <gdal.h>
#include <ogr_srs_api.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *folder;

/* --- noise --- */

static uint32_t hash(uint32_t seed, uint32_t x, uint32_t y) {
  uint32_t h = seed * 0x9E3779B1u ^ x * 0x85EBCA77u ^ y * 0xC2B2AE3Du;
  h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
  h = (h ^ (h >> 12)) * 0x297A2D39u;
  return h ^ (h >> 15);
}

static int random_in(uint32_t seed, uint32_t x, uint32_t y, int amplitude) {
  return (int)(hash(seed, x, y) % (uint32_t)(2 * amplitude + 1)) - amplitude;
}

/* Add bilinear noise of one step (pixels) and amplitude to a field. */
static void add_noise(int *field, int w, int h, uint32_t seed, int step, int amplitude) {
  for (int y = 0; y < h; y++) {
    int gy = y / step, fy = y % step;
    for (int x = 0; x < w; x++) {
      int gx = x / step, fx = x % step;
      if (step == 1) {
        field[(size_t)y * (size_t)w + (size_t)x] +=
            random_in(seed, (uint32_t)x, (uint32_t)y, amplitude);
        continue;
      }
      int a = random_in(seed, (uint32_t)gx, (uint32_t)gy, amplitude);
      int b = random_in(seed, (uint32_t)gx + 1, (uint32_t)gy, amplitude);
      int c = random_in(seed, (uint32_t)gx, (uint32_t)gy + 1, amplitude);
      int d = random_in(seed, (uint32_t)gx + 1, (uint32_t)gy + 1, amplitude);
      int top = a * (step - fx) + b * fx, bottom = c * (step - fx) + d * fx;
      field[(size_t)y * (size_t)w + (size_t)x] +=
          (int)(((int64_t)top * (step - fy) + (int64_t)bottom * fy) / ((int64_t)step * step));
    }
  }
}

static int *new_field(int w, int h) {
  int *field = calloc((size_t)w * (size_t)h, sizeof *field);
  if (!field) {
    fprintf(stderr, "make_scene: out of memory\n");
    exit(1);
  }
  return field;
}

/* The scene's shared fields at the mask's resolution. */
struct fields {
  int w, h;
  int *land, *cloud;
};

static struct fields make_fields(int w, int h, uint32_t seed) {
  struct fields f = {w, h, new_field(w, h), new_field(w, h)};
  int big = w > 2000 ? 512 : 128;
  add_noise(f.land, w, h, seed, 256, 700);
  add_noise(f.land, w, h, seed + 1, 64, 400);
  add_noise(f.land, w, h, seed + 2, 16, 250);
  add_noise(f.land, w, h, seed + 3, 4, 120);
  add_noise(f.cloud, w, h, seed + 4, big, 1000);
  add_noise(f.cloud, w, h, seed + 5, big / 4, 500);
  add_noise(f.cloud, w, h, seed + 6, 16, 150);
  return f;
}

static int is_outside(const struct fields *f, int x, int y) {
  return x < f->w / 5 - (int)((int64_t)y * f->w / (8 * (int64_t)f->h));
}

static int cloud_at(const struct fields *f, int x, int y) {
  return f->cloud[(size_t)y * (size_t)f->w + (size_t)x];
}

#define CLOUD 480 /* of the cloud field */
#define THICK 600
#define THIN 400

static int shadow_at(const struct fields *f, int x, int y) {
  return x >= 14 && y >= 20 && cloud_at(f, x - 14, y - 20) > CLOUD;
}

/* --- files --- */

struct place {
  int epsg;
  double x0, y0; /* upper left */
};

static void write_cog(const char *name, const struct place *at, double pixel_m, void *pixels,
                      GDALDataType type, int w, int h, int bands, int block, int has_nodata,
                      int predictor) {
  char path[4096], size[20], pointer[40];
  double gt[6] = {at->x0, pixel_m, 0, at->y0, 0, -pixel_m};
  snprintf(path, sizeof path, "%s/%s", folder, name);
  snprintf(size, sizeof size, "%d", block);
  GDALDatasetH ds = GDALCreate(GDALGetDriverByName("MEM"), "", w, h, 0, type, NULL);
  size_t bytes = (size_t)GDALGetDataTypeSizeBytes(type), plane = (size_t)w * (size_t)h * bytes;
  for (int i = 0; i < bands; i++) {
    snprintf(pointer, sizeof pointer, "%llu",
             (unsigned long long)(size_t)((char *)pixels + (size_t)i * plane));
    char **o = CSLSetNameValue(NULL, "DATAPOINTER", pointer);
    GDALAddBand(ds, type, o);
    CSLDestroy(o);
    if (has_nodata) GDALSetRasterNoDataValue(GDALGetRasterBand(ds, i + 1), 0);
  }
  OGRSpatialReferenceH srs = OSRNewSpatialReference(NULL);
  OSRImportFromEPSG(srs, at->epsg);
  GDALSetSpatialRef(ds, srs);
  OSRDestroySpatialReference(srs);
  GDALSetGeoTransform(ds, gt);
  char **options = CSLSetNameValue(NULL, "COMPRESS", "DEFLATE");
  options = CSLSetNameValue(options, "BLOCKSIZE", size);
  options = CSLSetNameValue(options, "PREDICTOR", predictor ? "STANDARD" : "NO");
  options = CSLSetNameValue(options, "RESAMPLING", "NEAREST");
  options = CSLSetNameValue(options, "NUM_THREADS", "ALL_CPUS");
  GDALDatasetH copy = GDALCreateCopy(GDALGetDriverByName("COG"), path, ds, 0, options, NULL, NULL);
  CSLDestroy(options);
  GDALClose(ds);
  if (!copy) {
    fprintf(stderr, "make_scene: %s: %s\n", path, CPLGetLastErrorMsg());
    exit(1);
  }
  GDALClose(copy);
}

static FILE *open_item(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s/item.json", folder);
  FILE *f = fopen(path, "w");
  if (!f) {
    perror(path);
    exit(1);
  }
  return f;
}

static void write_head(FILE *f, const char *id, const char *collection, const char *platform,
                       const char *constellation, const char *time, const struct place *at) {
  fprintf(f,
          "{\n \"type\": \"Feature\",\n \"stac_version\": \"1.0.0\",\n \"id\": \"%s\",\n"
          " \"collection\": \"%s\",\n \"geometry\": null,\n \"properties\": {\"datetime\": \"%s\", "
          "\"platform\": \"%s\", \"constellation\": \"%s\", \"proj:epsg\": %d},\n \"links\": [],\n"
          " \"assets\": {",
          id, collection, time, platform, constellation, at->epsg);
}

static void write_asset(FILE *f, int first, const char *key, const char *common, double scale,
                        double offset, double pixel_m, int w, int h, const struct place *at) {
  fprintf(f,
          "%s\n  \"%s\": {\"href\": \"./%s.tif\", \"type\": \"image/tiff; application=geotiff; "
          "profile=cloud-optimized\", \"roles\": [\"data\"], \"proj:shape\": [%d, %d], "
          "\"proj:transform\": [%g, 0, %.1f, 0, -%g, %.1f]",
          first ? "" : ",", key, key, h, w, pixel_m, at->x0, pixel_m, at->y0);
  if (common) {
    fprintf(f, ", \"eo:bands\": [{\"name\": \"%s\", \"common_name\": \"%s\"}]", key, common);
    fprintf(f,
            ", \"raster:bands\": [{\"nodata\": 0, \"data_type\": \"uint16\", \"scale\": %g, "
            "\"offset\": %g}]",
            scale, offset);
  }
  fprintf(f, "}");
}

/* --- systems --- */

static int clamp(int v, int least, int most) { return v < least ? least : v > most ? most : v; }

/* A reflectance band at `up` times the fields' resolution (down where negative). */
static uint16_t *make_band(const struct fields *f, int w, int h, int level, uint32_t seed,
                           int cloud_gain) {
  int *detail = new_field(w, h);
  uint16_t *out = malloc((size_t)w * (size_t)h * sizeof *out);
  add_noise(detail, w, h, seed, 8, 150);
  add_noise(detail, w, h, seed + 1, 1, 70);
  for (int y = 0; y < h; y++) {
    for (int x = 0; x < w; x++) {
      int fx = (int)((int64_t)x * f->w / w), fy = (int)((int64_t)y * f->h / h);
      size_t i = (size_t)y * (size_t)w + (size_t)x;
      int c = cloud_at(f, fx, fy), v = level + detail[i];
      v += f->land[(size_t)fy * (size_t)f->w + (size_t)fx];
      if (c > THIN) v += (c - THIN) * cloud_gain;
      if (c <= THIN && shadow_at(f, fx, fy)) v = v * 2 / 5;
      out[i] = is_outside(f, fx, fy) ? 0 : (uint16_t)clamp(v, 1, 20000);
    }
  }
  free(detail);
  return out;
}

static void sentinel_2(int size) {
  static const char *const names20[] = {"rededge1", "rededge2", "rededge3",
                                        "nir08",    "swir16",   "swir22"};
  static const char *const names10[] = {"blue", "green", "red", "nir"};
  const struct place at = {32720, 499980, 6400000};
  int half = size / 2, sixth = size / 6, block = size > 4096 ? 1024 : 512;
  struct fields f = make_fields(half, half, 2024);
  uint8_t *scl = malloc((size_t)half * (size_t)half);
  FILE *item = open_item();
  write_head(item, "S2A_T20HNJ_20240311T140636_L2A", "sentinel-2-l2a", "sentinel-2a", "sentinel-2",
             "2024-03-11T14:11:54.463000Z", &at);
  for (int y = 0; y < half; y++) {
    for (int x = 0; x < half; x++) {
      size_t i = (size_t)y * (size_t)half + (size_t)x;
      int c = cloud_at(&f, x, y), land = f.land[i];
      int v = land < -600 ? 6 : land < -150 ? 5 : land > 900 ? 11 : land > 500 ? 7 : 4;
      if (shadow_at(&f, x, y)) v = 3;
      if (c > THIN) v = c > THICK ? 9 : c > CLOUD ? 8 : 10;
      scl[i] = (uint8_t)(is_outside(&f, x, y) ? 0 : v);
    }
  }
  write_cog("scl.tif", &at, 20, scl, GDT_Byte, half, half, 1, block, 1, 0);
  free(scl);
  write_asset(item, 1, "scl", NULL, 1, 0, 20, half, half, &at);
  for (int i = 0; i < 4; i++) {
    char file[64];
    uint16_t *v = make_band(&f, size, size, 900 + 300 * i, 100 + 10 * (uint32_t)i, 5);
    snprintf(file, sizeof file, "%s.tif", names10[i]);
    write_cog(file, &at, 10, v, GDT_UInt16, size, size, 1, block, 1, 1);
    write_asset(item, 0, names10[i], names10[i], 0.0001, -0.1, 10, size, size, &at);
    free(v);
  }
  for (int i = 0; i < 6; i++) {
    char file[64];
    uint16_t *v = make_band(&f, half, half, 1800 + 200 * i, 200 + 10 * (uint32_t)i, 5);
    snprintf(file, sizeof file, "%s.tif", names20[i]);
    write_cog(file, &at, 20, v, GDT_UInt16, half, half, 1, block, 1, 1);
    write_asset(item, 0, names20[i], i < 3 ? "rededge" : names20[i], 0.0001, -0.1, 20, half, half,
                &at);
    free(v);
  }
  uint16_t *coastal = make_band(&f, sixth, sixth, 1500, 300, 5);
  write_cog("coastal.tif", &at, 60, coastal, GDT_UInt16, sixth, sixth, 1, 256, 1, 1);
  write_asset(item, 0, "coastal", "coastal", 0.0001, -0.1, 60, sixth, sixth, &at);
  free(coastal);
  fprintf(item, "\n }\n}\n");
  fclose(item);
}

static void landsat(int size) {
  static const char *const names[] = {"red", "green", "blue", "nir08", "swir16", "swir22"};
  const struct place at = {32620, 343785, 4424715};
  struct fields f = make_fields(size, size, 89);
  size_t n = (size_t)size * (size_t)size;
  uint16_t *qa = malloc(n * sizeof *qa);
  FILE *item = open_item();
  write_head(item, "LC09_L2SP_012031_20240311_20240312_02_T1_SR", "landsat-c2l2-sr", "LANDSAT_9",
             "landsat", "2024-03-11T15:20:01.123456Z", &at);
  for (int y = 0; y < size; y++) {
    for (int x = 0; x < size; x++) {
      int c = cloud_at(&f, x, y);
      uint16_t v = f.land[(size_t)y * (size_t)size + (size_t)x] < -600 ? 21952 : 21824;
      if (shadow_at(&f, x, y)) v = 23888;
      if (c > THIN) v = c > CLOUD ? 22280 : 21826;
      qa[(size_t)y * (size_t)size + (size_t)x] = is_outside(&f, x, y) ? 1 : v;
    }
  }
  write_cog("qa_pixel.tif", &at, 30, qa, GDT_UInt16, size, size, 1, 256, 0, 1);
  free(qa);
  write_asset(item, 1, "qa_pixel", NULL, 1, 0, 30, size, size, &at);
  for (int i = 0; i < 6; i++) {
    char file[64];
    uint16_t *v = make_band(&f, size, size, 8000 + 700 * i, 400 + 10 * (uint32_t)i, 12);
    snprintf(file, sizeof file, "%s.tif", names[i]);
    write_cog(file, &at, 30, v, GDT_UInt16, size, size, 1, 256, 1, 1);
    write_asset(item, 0, names[i], names[i], 2.75e-05, -0.2, 30, size, size, &at);
    free(v);
  }
  fprintf(item, "\n }\n}\n");
  fclose(item);
}

static void naip(int size) {
  const struct place at = {26919, 341338.2, 4749053.4};
  struct fields f = make_fields(size, size, 60);
  size_t n = (size_t)size * (size_t)size;
  uint8_t *bands = malloc(4 * n);
  FILE *item = open_item();
  write_head(item, "ma_m_4207009_ne_19_060_20211024", "naip", "", "", "2021-10-24T00:00:00Z", &at);
  for (uint32_t k = 0; k < 4; k++) {
    int *detail = new_field(size, size);
    add_noise(detail, size, size, 500 + 10 * k, 8, 20);
    add_noise(detail, size, size, 501 + 10 * k, 1, 6);
    for (size_t i = 0; i < n; i++)
      bands[k * n + i] = (uint8_t)clamp(110 + f.land[i] / 14 + detail[i], 1, 255);
    free(detail);
  }
  write_cog("image.tif", &at, 0.6, bands, GDT_Byte, size, size, 4, 512, 0, 1);
  write_asset(item, 1, "image", NULL, 1, 0, 0.6, size, size, &at);
  fprintf(item, "\n }\n}\n");
  fclose(item);
  free(bands);
}

static void modis(int size) {
  const struct place at = {32620, 300000, 5000000};
  struct fields f = make_fields(size, size, 500);
  size_t n = (size_t)size * (size_t)size;
  uint32_t *qc = malloc(n * sizeof *qc);
  FILE *item = open_item();
  write_head(item, "MOD09A1.A2024073.h12v04.061.2024082035259", "modis-09A1-061", "terra", "",
             "2024-03-13T00:00:00Z", &at);
  for (int y = 0; y < size; y++) {
    for (int x = 0; x < size; x++) {
      int c = cloud_at(&f, x, y);
      uint32_t v = is_outside(&f, x, y) ? 3 : c > CLOUD ? 2 : c > THIN ? 1 : 0;
      qc[(size_t)y * (size_t)size + (size_t)x] = 0x40000000u | v;
    }
  }
  write_cog("sur_refl_qc_500m.tif", &at, 500, qc, GDT_UInt32, size, size, 1, 512, 0, 1);
  free(qc);
  write_asset(item, 1, "sur_refl_qc_500m", NULL, 1, 0, 500, size, size, &at);
  for (int i = 0; i < 7; i++) {
    char key[64], file[80];
    uint16_t *v = make_band(&f, size, size, 1000 + 300 * i, 600 + 10 * (uint32_t)i, 5);
    snprintf(key, sizeof key, "sur_refl_b%02d", i + 1);
    snprintf(file, sizeof file, "%s.tif", key);
    write_cog(file, &at, 500, v, GDT_Int16, size, size, 1, 512, 0, 1);
    write_asset(item, 0, key, NULL, 1, 0, 500, size, size, &at);
    free(v);
  }
  fprintf(item, "\n }\n}\n");
  fclose(item);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*make)(int);
    int full;
  } kinds[] = {{"sentinel-2", sentinel_2, 10980},
               {"landsat", landsat, 8301},
               {"naip", naip, 10240},
               {"modis", modis, 2400}};
  if (argc < 3) {
    fprintf(stderr, "usage: make_scene sentinel-2|landsat|naip|modis FOLDER [SIZE|full]\n");
    return 2;
  }
  folder = argv[2];
  mkdir(folder, 0777);
  GDALAllRegister();
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(argv[1], kinds[i].name) != 0) continue;
    int size = argc > 3
                   ? (strcmp(argv[3], "full") == 0 ? kinds[i].full : (int)strtol(argv[3], NULL, 10))
                   : 1536;
    if (size < 6 || size > 20000) {
      fprintf(stderr, "make_scene: SIZE is 6 to 20000\n");
      return 2;
    }
    if (i == 0) size -= size % 6;
    kinds[i].make(size);
    return 0;
  }
  fprintf(stderr, "make_scene: no kind '%s'\n", argv[1]);
  return 2;
}
