/* Stored headers of remote files: raster/remote.c and raster/info.c. No network is asked. */
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "check.h"
#include "raster/gdal.h"
#include "raster/info.h"
#include "raster/remote.h"

static struct sc_band_info bands[3] = {
    {SC_DTYPE_U64, 1, 0x1p64, UINT64_MAX, 1, 0, "blue", 0, SC_MASK_BAND},
    {SC_DTYPE_F32, 1, -9999.5, 0, 0.0001, -0.1, "", 0, SC_MASK_NONE},
    {SC_DTYPE_U8, 0, 0, 0, 1, 0, "a name of a band that takes all the room that there is for a ..",
     1, SC_MASK_FILE}};

static struct sc_raster_info some_info(void) {
  return (struct sc_raster_info){.width = 10980,
                                 .height = 7,
                                 .n_bands = 3,
                                 .has_transform = 1,
                                 .transform = {10, 0, 499980, 0, -10, 5300040},
                                 .crs = (char *)"EPSG:32632",
                                 .bands = bands,
                                 .block_width = 1024,
                                 .block_height = 512,
                                 .has_overviews = 1,
                                 .datetime = "2024-03-11T14:06:36Z"};
}

static void check_same(const struct sc_raster_info *a, const struct sc_raster_info *b) {
  CHECK_INT(a->width, b->width);
  CHECK_INT(a->height, b->height);
  CHECK_INT(a->n_bands, b->n_bands);
  CHECK_INT(a->has_transform, b->has_transform);
  CHECK_BYTES(a->transform, sizeof a->transform, b->transform, sizeof b->transform);
  CHECK_TEXT(a->crs, b->crs);
  CHECK_INT(a->block_width, b->block_width);
  CHECK_INT(a->block_height, b->block_height);
  CHECK_INT(a->has_overviews, b->has_overviews);
  CHECK_TEXT(a->datetime, b->datetime);
  for (int i = 0; i < a->n_bands && i < b->n_bands; i++) {
    const struct sc_band_info *x = &a->bands[i], *y = &b->bands[i];
    CHECK_INT(x->dtype, y->dtype);
    CHECK_INT(x->has_nodata, y->has_nodata);
    CHECK_INT(x->is_alpha, y->is_alpha);
    CHECK_INT(x->mask, y->mask);
    CHECK_REAL(x->nodata, y->nodata, 0);
    CHECK(x->nodata_bits == y->nodata_bits);
    CHECK_REAL(x->scale, y->scale, 0);
    CHECK_REAL(x->offset, y->offset, 0);
    CHECK_TEXT(x->name, y->name);
  }
}

static sc_status unpack(const void *bytes, size_t n, struct sc_raster_info *out) {
  struct sc_bytes b = sc_bytes_of(bytes, n);
  struct sc_error err = {0};
  return sc_info_unpack(&b, out, &err);
}

static void test_info(void) {
  struct sc_raster_info info = some_info(), back;
  struct sc_buffer packed = {0};
  struct sc_error err = {0};
  check_case("what_a_file_says_comes_back");
  CHECK_INT(SC_OK, sc_info_pack(&info, &packed, &err));
  CHECK_INT(SC_OK, unpack(packed.data, packed.size, &back));
  check_same(&info, &back);
  sc_gdal_info_free(&back);
  check_case("a_file_without_crs_comes_back_without");
  struct sc_buffer other = {0};
  info.crs = NULL;
  CHECK_INT(SC_OK, sc_info_pack(&info, &other, &err));
  CHECK_INT(SC_OK, unpack(other.data, other.size, &back));
  CHECK(back.crs == NULL);
  sc_gdal_info_free(&back);
  check_case("each_part_of_it_is_damaged");
  for (size_t n = 4; n < packed.size; n++) {
    CHECK_INT(SC_BAD_DATA, unpack(packed.data, n, &back));
    sc_gdal_info_free(&back);
  }
  check_case("bytes_changed_at_will_are_read_within_bounds");
  for (size_t i = 4; i < packed.size; i++) {
    unsigned char kept = packed.data[i];
    packed.data[i] = 0xFF;
    sc_status st = unpack(packed.data, packed.size, &back);
    CHECK(st == SC_OK || st == SC_BAD_DATA);
    CHECK(st || (back.width > 0 && back.n_bands == 3 && back.bands[0].dtype <= SC_DTYPE_C128));
    sc_gdal_info_free(&back);
    packed.data[i] = kept;
  }
  check_case("another_version_of_gdal_is_not_believed");
  packed.data[0] ^= 1;
  CHECK_INT(SC_UNSUPPORTED, unpack(packed.data, packed.size, &back));
  sc_gdal_info_free(&back);
  sc_buffer_free(&packed);
  sc_buffer_free(&other);
}

/* A stored header as version `version` has it: 1000 bytes, the first 100 of them known. */
static void make_header(char version, const struct sc_raster_info *info, struct sc_buffer *out) {
  struct sc_buffer raw = {0};
  struct sc_error err = {0};
  char magic[4] = {'S', 'C', 'H', version};
  unsigned char run[100];
  for (size_t i = 0; i < sizeof run; i++) run[i] = (unsigned char)i;
  sc_buffer_append(&raw, magic, 4, &err);
  sc_buffer_append_le(&raw, 1000, 8, &err);
  sc_buffer_append_le(&raw, 3, 2, &err);
  sc_buffer_append(&raw, "\"e\"", 3, &err);
  sc_buffer_append_le(&raw, 1, 4, &err);
  sc_buffer_append_le(&raw, 0, 8, &err);
  sc_buffer_append_le(&raw, sizeof run, 4, &err);
  sc_buffer_append(&raw, run, sizeof run, &err);
  if (info) sc_info_pack(info, &raw, &err);
  sc_buffer_resize(out, ZSTD_compressBound(raw.size), &err);
  out->size = ZSTD_compress(out->data, out->size, raw.data, raw.size, 3);
  CHECK_INT(SC_OK, err.status);
  sc_buffer_free(&raw);
}

static int known_info(const char *href, const struct sc_buffer *header,
                      struct sc_raster_info *out) {
  struct sc_source source = {.href = href, .header = header->data, .header_size = header->size};
  struct sc_error err = {0};
  struct sc_remote *r = NULL;
  unsigned char bytes[100];
  size_t got = 0;
  int known = -1;
  CHECK_INT(SC_OK, sc_remote_info(&source, out, &known, &err));
  CHECK_INT(SC_OK, sc_remote_acquire(&source, &r, &err));
  CHECK_INT(1000, sc_remote_size(r));
  CHECK_INT(SC_OK, sc_remote_read(r, 0, bytes, sizeof bytes, &got, &err));
  CHECK_INT(99, bytes[99]);
  sc_remote_release(r);
  return known;
}

static void test_headers(void) {
  struct sc_raster_info info = some_info(), back;
  struct sc_buffer header = {0};
  check_case("a_stored_header_says_what_the_file_says");
  make_header('2', &info, &header);
  CHECK_INT(1, known_info("http://127.0.0.1:1/second.tif", &header, &back));
  check_same(&info, &back);
  sc_gdal_info_free(&back);
  check_case("a_header_of_the_first_version_is_read_too");
  make_header('1', NULL, &header);
  CHECK_INT(0, known_info("http://127.0.0.1:1/first.tif", &header, &back));
  check_case("a_header_whose_end_is_missing_leaves_it_to_gdal");
  make_header('2', NULL, &header);
  CHECK_INT(0, known_info("http://127.0.0.1:1/short.tif", &header, &back));
  sc_buffer_free(&header);
}

int main(void) {
  test_info();
  test_headers();
  return check_report();
}
