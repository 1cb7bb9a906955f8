/* merge/chip_block.c: the bytes of blocks. */
#include "merge/chip_block.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static struct sc_chip_entry chip_at(int64_t id, float x, float y, float cloud) {
  struct sc_chip_entry c = {id, cloud, 0, {x, x + 0.02f, y, y + 0.02f}, {1, -1, 1, -1}};
  return c;
}

/* Encode, decode; every chip equal to the last bit. */
static size_t round_trip(const struct sc_chip_block *b) {
  struct sc_error err = {0};
  struct sc_buffer bytes = {0};
  static struct sc_chip_block back;
  CHECK_INT(SC_OK, sc_chip_block_encode(b, &bytes, &err));
  CHECK_INT(SC_OK, sc_chip_block_decode(bytes.data, bytes.size, &back, &err));
  CHECK_INT(b->n, back.n);
  CHECK_INT(b->n_west, back.n_west);
  CHECK(b->mask == back.mask);
  for (int i = 0; i < b->n; i++) {
    const struct sc_chip_entry *p = &b->chips[i], *q = &back.chips[i];
    CHECK_INT(p->id, q->id);
    CHECK(memcmp(&p->cloud, &q->cloud, 4) == 0 && memcmp(&p->nodata, &q->nodata, 4) == 0);
    CHECK(memcmp(&p->box, &q->box, sizeof p->box) == 0);
    CHECK_INT(sc_box32_is_empty(&p->west), sc_box32_is_empty(&q->west));
    CHECK(sc_box32_is_empty(&p->west) || memcmp(&p->west, &q->west, sizeof p->west) == 0);
  }
  for (size_t n = 0; n < bytes.size; n++) {
    CHECK(sc_chip_block_decode(bytes.data, n, &back, &err) == SC_BAD_DATA);
  }
  size_t size = bytes.size;
  sc_buffer_free(&bytes);
  return size;
}

static void test_shapes(void) {
  static struct sc_chip_block b;
  sc_chip_block_init(&b);
  check_case("a_full_block_in_order_takes_14_bytes_a_chip");
  for (int i = 0; i < 64; i++) {
    struct sc_chip_entry c =
        chip_at(1000 + i, 10 + 0.02f * (float)(i % 8), 50 - 0.02f * (float)(i / 8), (float)i / 64);
    sc_chip_block_put(&b, i, &c);
  }
  CHECK_INT(64, b.n);
  CHECK(round_trip(&b) <= 28 + 64 * 14 + 4);
  check_case("rowids_out_of_order_are_kept");
  struct sc_chip_entry c = chip_at(5, 10.1f, 49.9f, NAN);
  sc_chip_block_put(&b, 20, &c);
  CHECK_INT(64, b.n);
  round_trip(&b);
  check_case("removed_chips_are_gone");
  for (int bit = 0; bit < 64; bit += 3) sc_chip_block_remove(&b, bit);
  CHECK_INT(42, b.n);
  CHECK(!sc_chip_block_has(&b, 3) && sc_chip_block_has(&b, 4));
  CHECK_INT(1004, b.chips[sc_chip_block_rank(&b, 4)].id);
  round_trip(&b);
  check_case("a_chip_across_the_antimeridian_has_two_boxes");
  c.west = (struct sc_box32){-180, -179.9f, 49, 50};
  c.box = (struct sc_box32){179.9f, 180, 49, 50};
  sc_chip_block_put(&b, 0, &c);
  CHECK_INT(1, b.n_west);
  round_trip(&b);
  struct sc_chip_block_range range = sc_chip_block_range(&b);
  CHECK_REAL(-180, (double)range.west.min_x, 0);
  CHECK_REAL(180, (double)range.box.max_x, 0);
  sc_chip_block_remove(&b, 0);
  CHECK_INT(0, b.n_west);
  check_case("boxes_across_zero_with_either_zero_are_kept");
  sc_chip_block_init(&b);
  const float values[] = {0.0f, -0.0f, 1e-30f, -1e-30f, 180, -180, 0.1f, -90};
  for (int i = 0; i < 64; i++) {
    c = chip_at(i, values[i % 8], values[i / 8], 0);
    sc_chip_block_put(&b, i, &c);
    round_trip(&b);
  }
}

/* A block that version 1 wrote: one chip at bit 9, its box all of the base. */
static void test_version_1(void) {
  static struct sc_chip_block b;
  struct sc_error err = {0};
  unsigned char bytes[36 + 4 + 4 + 8] = {1, 2 | 4};
  const float base[4] = {10, 11, 20, 21};
  check_case("boxes_of_version_1_are_bounds");
  memcpy(bytes + 4, base, sizeof base);
  bytes[21] = 2;
  bytes[28] = 77;
  for (int i = 0; i < 2; i++) memset(bytes + 46 + 4 * i, 255, 2);
  CHECK_INT(SC_OK, sc_chip_block_decode(bytes, sizeof bytes, &b, &err));
  CHECK(!b.is_exact && b.slack_x > 1.0f / 65535);
  CHECK_INT(1, b.n);
  CHECK_INT(77, b.chips[0].id);
  CHECK_REAL(10, (double)b.chips[0].box.min_x, 1e-6);
  CHECK_REAL(21, (double)b.chips[0].box.max_y, 1e-6);
  for (size_t n = 0; n < sizeof bytes; n++) {
    CHECK_INT(SC_BAD_DATA, sc_chip_block_decode(bytes, n, &b, &err));
  }
}

static void test_range(void) {
  static struct sc_chip_block b;
  check_case("unknown_clouds_leave_a_range_of_minus_one");
  sc_chip_block_init(&b);
  struct sc_chip_entry c = chip_at(1, 0, 0, NAN);
  sc_chip_block_put(&b, 7, &c);
  CHECK_REAL(-1, (double)sc_chip_block_range(&b).min_cloud, 0);
  c.cloud = 0.5f;
  sc_chip_block_put(&b, 9, &c);
  CHECK_REAL(0.5, (double)sc_chip_block_range(&b).min_cloud, 0);
  CHECK_REAL(0.5, (double)sc_chip_block_range(&b).max_cloud, 0);
}

static void test_boxes(void) {
  struct sc_footprint f = {.n_parts = 1};
  struct sc_box32 box, west;
  check_case("boxes_in_single_precision_hold_the_footprint");
  srand(3);
  for (int i = 0; i < 1000; i++) {
    double x = (double)rand() / RAND_MAX * 360 - 180, y = (double)rand() / RAND_MAX * 180 - 90;
    const double ring[5][2] = {{x, y}, {x + 0.1, y}, {x + 0.1, y + 0.1}, {x, y + 0.1}, {x, y}};
    f.parts[0].n_points = 5;
    memcpy(f.parts[0].xy, ring, sizeof ring);
    sc_chip_block_boxes(&f, &box, &west);
    CHECK((double)box.min_x <= x && (double)box.max_x >= x + 0.1);
    CHECK((double)box.min_y <= y && (double)box.max_y >= y + 0.1);
    CHECK_REAL(x, (double)box.min_x, 4e-5);
    CHECK_REAL(y + 0.1, (double)box.max_y, 4e-5);
    CHECK(sc_box32_is_empty(&west));
  }
}

static void test_hostile(void) {
  struct sc_error err = {0};
  struct sc_buffer bytes = {0};
  static struct sc_chip_block b, back;
  check_case("any_flipped_byte_is_an_error_or_a_block");
  sc_chip_block_init(&b);
  for (int i = 0; i < 20; i++) {
    struct sc_chip_entry c = chip_at(1 + 3 * i, (float)i, 1, 0.25f);
    sc_chip_block_put(&b, 2 * i, &c);
  }
  CHECK_INT(SC_OK, sc_chip_block_encode(&b, &bytes, &err));
  srand(1);
  for (int i = 0; i < 20000; i++) {
    size_t at = (size_t)rand() % bytes.size;
    unsigned char old = bytes.data[at];
    bytes.data[at] = (unsigned char)rand();
    sc_status st = sc_chip_block_decode(bytes.data, bytes.size, &back, &err);
    CHECK(st == SC_OK || st == SC_BAD_DATA);
    CHECK(st || (back.n >= 0 && back.n <= 64));
    bytes.data[at] = old;
  }
  sc_buffer_free(&bytes);
}

int main(void) {
  test_shapes();
  test_version_1();
  test_range();
  test_boxes();
  test_hostile();
  return check_report();
}
