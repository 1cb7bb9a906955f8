/* stacchip stats: mean and standard deviation per band, over cubes or over an index. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "cli/cli.h"
#include "cli/store.h"

#define BANDS_MAX 64

enum { OPT_PLATFORM, OPT_CHIPS, OPT_INDEX, OPT_DATA, OPT_LIMIT, N_OPTIONS };

struct totals {
  const char *root;
  double nodata;
  int64_t n_cubes, limit;
  int n_bands;
  double n[BANDS_MAX], mean[BANDS_MAX], m2[BANDS_MAX];
};

/* Moments of one band of one cube, joined to the totals (Chan, Golub and LeVeque, 1983). */
static void add_band(struct totals *t, int band, const float *v, size_t n) {
  double sum = 0, count = 0, m2 = 0;
  for (size_t i = 0; i < n; i++) {
    if (isnan(v[i]) || v[i] == t->nodata) continue;
    sum += v[i];
    count++;
  }
  if (count == 0) return;
  double mean = sum / count, total = t->n[band] + count, delta = mean - t->mean[band];
  for (size_t i = 0; i < n; i++) {
    if (!isnan(v[i]) && v[i] != t->nodata) m2 += (v[i] - mean) * (v[i] - mean);
  }
  t->m2[band] += m2 + delta * delta * t->n[band] * count / total;
  t->mean[band] += delta * count / total;
  t->n[band] = total;
}

/* A .npy of float32 with four dimensions; data may be unaligned. */
static sc_status add_pixels(struct totals *t, const unsigned char *npy, size_t size,
                            struct sc_error *err) {
  size_t shape[4] = {0}, header = size > 10 ? (size_t)sc_le16(npy + 8) + 10 : 0;
  char text[512];
  if (!header || header > size || memcmp(npy, "\x93NUMPY", 6) != 0)
    return sc_fail(err, SC_BAD_DATA, "pixels is no .npy array");
  snprintf(text, sizeof text, "%.*s", (int)(header - 10), npy + 10);
  const char *p = strstr(text, "'shape': (");
  if (!p || !strstr(text, "'<f4'") ||
      sscanf(p, "'shape': (%zu, %zu, %zu, %zu", &shape[0], &shape[1], &shape[2], &shape[3]) != 4) {
    return sc_fail(err, SC_BAD_DATA, "pixels is no float32 array of four dimensions");
  }
  size_t plane = shape[2] * shape[3];
  if (shape[1] > BANDS_MAX || plane > SIZE_MAX / 4096 / (shape[0] + 1) ||
      size - header < shape[0] * shape[1] * plane * sizeof(float)) {
    return sc_fail(err, SC_BAD_DATA, "pixels: the shape is larger than the file");
  }
  float *values = sc_alloc(plane * sizeof *values);
  if (!values) return sc_fail_nomem(err);
  t->n_bands = (int)shape[1];
  for (size_t i = 0; i < shape[0] * shape[1]; i++) {
    memcpy(values, npy + header + i * plane * sizeof *values, plane * sizeof *values);
    add_band(t, (int)(i % shape[1]), values, plane);
  }
  sc_free(values);
  return SC_OK;
}

static sc_status inflate_member(const unsigned char *from, size_t n, size_t size,
                                struct sc_buffer *out, struct sc_error *err) {
  z_stream z = {.next_in = (unsigned char *)(size_t)from, .avail_in = (uInt)n};
  sc_status st = sc_buffer_resize(out, size, err);
  if (st) return st;
  if (inflateInit2(&z, -15) != Z_OK) return sc_fail_nomem(err);
  z.next_out = out->data;
  z.avail_out = (uInt)size;
  int code = inflate(&z, Z_FINISH);
  inflateEnd(&z);
  return code == Z_STREAM_END ? SC_OK : sc_fail(err, SC_BAD_DATA, "damaged archive");
}

/* Find pixels.npy by the archive's central directory, and add it. */
static sc_status add_archive(struct totals *t, const struct sc_buffer *zip, struct sc_error *err) {
  const unsigned char *p = zip->data, *end = p + zip->size;
  if (zip->size < 22) return sc_fail(err, SC_BAD_DATA, "no ZIP archive");
  const unsigned char *tail = end - 22;
  while (tail > p && sc_le32(tail) != 0x06054b50) tail--;
  uint32_t at = sc_le32(tail + 16);
  for (const unsigned char *c = p + at; at < zip->size && c + 46 <= end && sc_le32(c) == 0x02014b50;
       c += 46 + sc_le16(c + 28) + sc_le16(c + 30) + sc_le16(c + 32)) {
    size_t name = sc_le16(c + 28), packed = sc_le32(c + 20), size = sc_le32(c + 24),
           offset = sc_le32(c + 42);
    if (name != 10 || c + 56 > end || memcmp(c + 46, "pixels.npy", 10) != 0) continue;
    if (offset + 30 > zip->size) break;
    const unsigned char *local = p + offset;
    const unsigned char *data = local + 30 + sc_le16(local + 26) + sc_le16(local + 28);
    if (data > end || packed > (size_t)(end - data)) break;
    if (sc_le16(c + 10) == 0) return add_pixels(t, data, packed, err);
    struct sc_buffer whole = {0};
    sc_status st = inflate_member(data, packed, size, &whole, err);
    if (!st) st = add_pixels(t, whole.data, whole.size, err);
    sc_buffer_free(&whole);
    return st;
  }
  return sc_fail(err, SC_BAD_DATA, "no array 'pixels' in the archive");
}

static sc_status add_cube(void *context, const char *key, struct sc_error *err) {
  struct totals *t = context;
  struct sc_buffer bytes = {0};
  size_t n = strlen(key);
  if (n < 4 || strcmp(key + n - 4, ".npz") != 0 || t->n_cubes >= t->limit) return SC_OK;
  sc_status st = sc_store_get(t->root, key, &bytes, err);
  if (!st) st = add_archive(t, &bytes, err);
  sc_buffer_free(&bytes);
  t->n_cubes++;
  sc_cli_bar("cubes", t->n_cubes, 0, 0);
  return st ? sc_fail_within(err, "%s", key) : SC_OK;
}

static sc_status stats_of_cubes(const char *bucket, const char *platform, int64_t limit,
                                struct sc_error *err) {
  struct totals t = {.limit = limit};
  char prefix[300], *root = NULL;
  t.nodata = strcmp(platform, "sentinel-1-rtc") == 0 ? -32768 : 0;
  snprintf(prefix, sizeof prefix, "mode_v1_chipper_v2/%s/", platform);
  sc_status st = sc_store_root(bucket, &root, err);
  t.root = root;
  if (!st) st = sc_store_list(root, prefix, add_cube, &t, err);
  sc_cli_bar_end();
  if (!st && t.n_cubes == 0) st = sc_fail(err, SC_NOT_FOUND, "%s/%s: no cubes", bucket, prefix);
  for (int what = 0; what < 2 && !st; what++) {
    printf("%s\"%s\":[", what ? "," : "{", what ? "std" : "mean");
    for (int i = 0; i < t.n_bands; i++) {
      double v = what ? sqrt(t.m2[i] / (t.n[i] > 0 ? t.n[i] : 1)) : t.mean[i];
      printf("%s%.9g", i ? "," : "", v);
    }
    printf("]");
  }
  if (!st) printf(",\"cubes\":%lld}\n", (long long)t.n_cubes);
  sc_free(root);
  return st;
}

/* Over the chips of an index, by stacchip_band_stats(). */
static sc_status stats_of_index(const char *index, const char *bucket, const char *platform,
                                const char *limit, struct sc_error *err) {
  static const char sql[] =
      "SELECT stacchip_band_stats(handle) FROM (SELECT json_object('bucket', ?2, 'platform', "
      "platform, 'item', item, "
      "'chip_index_x', chip_index_x, 'chip_index_y', chip_index_y) AS handle FROM "
      "stacchip_parquet(?1) "
      "WHERE platform = ?3 ORDER BY stacchip_hash(42, chipid) LIMIT CAST(?4 AS INT) * 128)";
  struct sc_buffer json = {0};
  sqlite3 *db = NULL;
  char *root = NULL;
  int found = 0;
  sc_status st = sc_store_root(bucket, &root, err);
  if (!st) st = sc_cli_open(":memory:", &db, err);
  if (!st) st = sc_cli_text(db, &json, &found, err, sql, index, root, platform, limit);
  if (!st && !found)
    st = sc_fail(err, SC_NOT_FOUND, "%s: no chips of platform %s", index, platform);
  if (!st) printf("%s\n", (char *)json.data);
  sc_buffer_free(&json);
  sqlite3_close(db);
  sc_free(root);
  return st;
}

int sc_cmd_stats(int argc, char **argv) {
  static const struct sc_cli_option options[N_OPTIONS] = {
      [OPT_PLATFORM] =
          {"--platform", {"STACCHIP_PLATFORM"}, "NAME", "platform of the chips", 1, NULL},
      [OPT_CHIPS] = {"--chip-bucket",
                     {"STACCHIP_CHIP_BUCKET"},
                     "BUCKET",
                     "cubes of stacchip prechip",
                     0,
                     NULL},
      [OPT_INDEX] =
          {"--index", {"STACCHIP_INDEXPATH"}, "PATH", "an index instead of cubes", 0, NULL},
      [OPT_DATA] = {"--data-bucket",
                    {"STACCHIP_DATA_BUCKET", "STACCHIP_BUCKET"},
                    "BUCKET",
                    "where its items are",
                    0,
                    NULL},
      [OPT_LIMIT] = {"--max-cubes", {NULL}, "N", "cubes (of 128 chips) at most", 0, "1000"},
  };
  const char *v[N_OPTIONS], *rest[1];
  struct sc_error err = {0};
  int n_rest;
  int code = sc_cli_options("stats", "Mean and standard deviation per band, as JSON.", "", options,
                            N_OPTIONS, argc, argv, v, rest, 0, &n_rest);
  if (code >= 0) return code;
  if (!v[OPT_CHIPS] && !(v[OPT_INDEX] && v[OPT_DATA])) {
    sc_cli_message(
        "stats: STACCHIP_CHIP_BUCKET is not set (or STACCHIP_INDEXPATH and STACCHIP_DATA_BUCKET)");
    return SC_EXIT_USAGE;
  }
  int64_t limit = 0;
  sc_status st = sc_cli_number(&options[OPT_LIMIT], v[OPT_LIMIT], 1, &limit, &err);
  if (!st && v[OPT_INDEX] && v[OPT_DATA]) {
    st = stats_of_index(v[OPT_INDEX], v[OPT_DATA], v[OPT_PLATFORM], v[OPT_LIMIT], &err);
  } else if (!st) {
    st = stats_of_cubes(v[OPT_CHIPS], v[OPT_PLATFORM], limit, &err);
  }
  if (st) sc_cli_message("%s", err.text);
  return st ? sc_exit_code(&err) : SC_EXIT_DONE;
}
