/* The version of a data set; see version.h. */
#include "pixels/version.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/interrupt.h"
#include "base/real.h"
#include "base/settings.h"
#include "http/http_api.h"
#include "raster/raster_api.h"
#include "store/scheme.h"
#include "store/stamp.h"

static void write_hex(const uint8_t digest[SC_SHA256_BYTES], char out[SC_VERSION_TEXT_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < SC_SHA256_BYTES; i++) {
    *out++ = digits[digest[i] >> 4];
    *out++ = digits[digest[i] & 15];
  }
  *out = '\0';
}

/* --- files --- */

/* A multihash (file extension of STAC): a sha2-256, 0x12 and 0x20 in front, is written as our own.
 */
static int take_checksum(const cJSON *asset, struct sc_content *out) {
  const cJSON *stated = cJSON_GetObjectItemCaseSensitive(asset, "file:checksum");
  const char *text = cJSON_IsString(stated) ? stated->valuestring : "";
  const cJSON *bytes = cJSON_GetObjectItemCaseSensitive(asset, "file:size");
  size_t n = strlen(text);
  char lower[SC_CONTENT_STAMP_BYTES];
  if (n < 8 || n > 200 || strspn(text, "0123456789abcdefABCDEF") != n) return 0;
  if (cJSON_IsNumber(bytes) && out->size >= 0 && bytes->valuedouble != (double)out->size) return 0;
  for (size_t i = 0; i <= n; i++) {
    char c = text[i];
    lower[i] = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  }
  int is_sha256 = n == 4 + 2 * SC_SHA256_BYTES && strncmp(lower, "1220", 4) == 0;
  sqlite3_snprintf(sizeof out->stamp, out->stamp, "%s:%s", is_sha256 ? "sha256" : "multihash",
                   is_sha256 ? lower + 4 : lower);
  return 1;
}

static sc_status stamp_local(const char *path, struct sc_content *out, struct sc_error *err) {
  const struct sc_raster_api *raster = sc_raster(err);
  uint8_t digest[SC_SHA256_BYTES];
  char hex[SC_VERSION_TEXT_BYTES];
  if (!raster) return err->status;
  sc_status st = raster->digest(path, "SHA256", digest, sc_interrupted, NULL, err);
  if (st) return st;
  write_hex(digest, hex);
  sqlite3_snprintf(sizeof out->stamp, out->stamp, "sha256:%s", hex);
  return SC_OK;
}

struct sc_http_request sc_content_request(const char *url) {
  return (struct sc_http_request){
      .method = "GET", .url = url, .size = 1, .limit_bytes = (size_t)1 << 16};
}

sc_status sc_content_of_response(const struct sc_http_request *r, struct sc_content *out,
                                 struct sc_error *err) {
  *out = (struct sc_content){.size = r->total_bytes ? (int64_t)r->total_bytes
                                     : r->is_empty  ? 0
                                                    : -1};
  if (!r->etag[0]) {
    return sc_fail(err, SC_UNSUPPORTED,
                   "%s: the server gives no ETag, and the item states no file:checksum: nothing "
                   "says which state of the file this is",
                   r->final_url);
  }
  sqlite3_snprintf(sizeof out->stamp, out->stamp, "etag:%s %lld", r->etag, (long long)out->size);
  return SC_OK;
}

static sc_status stamp_remote(const char *url, struct sc_content *out, struct sc_error *err) {
  struct sc_http_request r = sc_content_request(url);
  sc_status st = sc_http(&r, 1, sc_interrupted, NULL, err);
  sc_buffer_free(&r.response);
  return st ? st : sc_content_of_response(&r, out, err);
}

sc_status sc_content_find(const cJSON *asset, const char *href, struct sc_content *out,
                          struct sc_error *err) {
  int is_remote = sc_href_is_url(href);
  const struct sc_stamp now = sc_stamp_of(href);
  memset(out, 0, sizeof *out);
  out->modified_ns = now.modified_ns;
  out->size = is_remote ? -1 : now.size;
  if (!sc_settings_int("verify") && take_checksum(asset, out)) return SC_OK;
  return is_remote ? stamp_remote(href, out, err) : stamp_local(href, out, err);
}

/* --- versions --- */

static int by_bytes(const void *pa, const void *pb) {
  const struct sc_version_asset *a = pa, *b = pb;
  int c = strcmp(a->layer, b->layer);
  if (!c) c = strcmp(a->asset, b->asset);
  return c ? c : strcmp(a->stamp, b->stamp);
}

static sc_status append_texts(struct sc_buffer *b, const char *const *texts, int n,
                              struct sc_error *err) {
  sc_status st = SC_OK;
  for (int i = 0; i < n && !st; i++) {
    st = sc_buffer_append_text(b, i ? "," : "[", err);
    if (!st) st = sc_buffer_append_json(b, texts[i], err);
  }
  return st;
}

sc_status sc_version_of_item(const char *collection, const char *item, const char *pixel_options,
                             struct sc_version_asset *assets, size_t n,
                             char out[SC_VERSION_TEXT_BYTES], struct sc_error *err) {
  struct sc_buffer text = {0};
  uint8_t digest[SC_SHA256_BYTES];
  const char *const names[] = {collection, item};
  if (n) qsort(assets, n, sizeof *assets, by_bytes);
  sc_status st = append_texts(&text, names, 2, err);
  if (!st) st = sc_buffer_printf(&text, err, ",%s,[", pixel_options);
  for (size_t i = 0; i < n && !st; i++) {
    const char *const asset[] = {assets[i].layer, assets[i].asset, assets[i].stamp};
    if (i) st = sc_buffer_append_text(&text, ",", err);
    if (!st) st = append_texts(&text, asset, 3, err);
    if (!st) st = sc_buffer_append_text(&text, "]", err);
  }
  if (!st) st = sc_buffer_append_text(&text, "]]", err);
  if (!st) {
    sc_sha256(text.data, text.size, digest);
    write_hex(digest, out);
  }
  sc_buffer_free(&text);
  return st;
}

/* "CRS A B C D E F" */
static sc_status append_grid(const struct sc_version_place *place, struct sc_buffer *out,
                             struct sc_error *err) {
  char number[SC_REAL_BYTES];
  sc_status st = sc_buffer_append_text(out, place->crs, err);
  for (int i = 0; i < 6 && !st; i++) {
    sc_real_format(place->transform[i], number);
    st = sc_buffer_printf(out, err, " %s", number);
  }
  return st;
}

sc_status sc_version_of_chip(const char *item_version, const struct sc_version_place *place,
                             uint8_t out[SC_SHA256_BYTES], struct sc_error *err) {
  struct sc_buffer text = {0};
  sc_status st = sc_buffer_printf(&text, err, "%s ", item_version);
  if (!st && place->crs) {
    st = append_grid(place, &text, err);
  } else if (!st) {
    st = sc_buffer_printf(&text, err, "%lld %lld", (long long)place->x, (long long)place->y);
  }
  if (!st) {
    st = sc_buffer_printf(&text, err, " %lld %lld", (long long)place->width,
                          (long long)place->height);
  }
  if (!st && place->layers && place->layers[0])
    st = sc_buffer_printf(&text, err, " %s", place->layers);
  if (!st) sc_sha256(text.data, text.size, out);
  sc_buffer_free(&text);
  return st;
}

static int by_digest(const void *a, const void *b) { return memcmp(a, b, SC_SHA256_BYTES); }

void sc_version_of_set(uint8_t *chips, size_t n, char out[SC_VERSION_TEXT_BYTES]) {
  uint8_t digest[SC_SHA256_BYTES];
  if (n) qsort(chips, n, SC_SHA256_BYTES, by_digest);
  sc_sha256(chips, n * SC_SHA256_BYTES, digest);
  write_hex(digest, out);
}
