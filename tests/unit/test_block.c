/* merge/block.c: the bytes of blocks. */
#include "merge/block.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static struct sc_block_chip chip_at(int64_t id, float x, float y, float cloud) {
  struct sc_block_chip c = {id, cloud, 0, {x, x + 0.02f, y, y + 0.02f}, {1, -1, 1, -1}};
  return c;
}

static int holds(const struct sc_box32 *outer, const struct sc_box32 *inner) {
  return outer->min_x <= inner->min_x && outer->max_x >= inner->max_x &&
         outer->min_y <= inner->min_y && outer->max_y >= inner->max_y;
}

/* Encode, decode; every chip equal but for boxes, which may only grow, and little. */
static size_t round_trip(const struct sc_block *b, double slack) {
  struct sc_error err = {0};
  struct sc_buffer bytes = {0};
  static struct sc_block back;
  CHECK_INT(SC_OK, sc_block_encode(b, &bytes, &err));
  CHECK_INT(SC_OK, sc_block_decode(bytes.data, bytes.size, &back, &err));
  CHECK_INT(b->n, back.n);
  CHECK_INT(b->n_west, back.n_west);
  CHECK(b->mask == back.mask);
  for (int i = 0; i < b->n; i++) {
    const struct sc_block_chip *p = &b->chips[i], *q = &back.chips[i];
    CHECK_INT(p->id, q->id);
    CHECK(memcmp(&p->cloud, &q->cloud, 4) == 0 && memcmp(&p->nodata, &q->nodata, 4) == 0);
    CHECK(holds(&q->box, &p->box));
    CHECK_REAL((double)p->box.min_x, (double)q->box.min_x, slack);
    CHECK_REAL((double)p->box.max_y, (double)q->box.max_y, slack);
    CHECK_INT(sc_box32_is_empty(&p->west), sc_box32_is_empty(&q->west));
  }
  for (size_t n = 0; n < bytes.size; n++) {
    CHECK(sc_block_decode(bytes.data, n, &back, &err) == SC_BAD_DATA);
  }
  size_t size = bytes.size;
  sc_buffer_free(&bytes);
  return size;
}

static void test_shapes(void) {
  static struct sc_block b;
  check_case("a_full_block_in_order_takes_20_bytes_a_chip");
  for (int i = 0; i < 64; i++) {
    struct sc_block_chip c =
        chip_at(1000 + i, 10 + 0.02f * (float)(i % 8), 50 - 0.02f * (float)(i / 8), (float)i / 64);
    sc_block_put(&b, i, &c);
  }
  CHECK_INT(64, b.n);
  CHECK(round_trip(&b, 2e-5) <= 36 + 64 * 12 + 4);
  check_case("rowids_out_of_order_are_kept");
  struct sc_block_chip c = chip_at(5, 10.1f, 49.9f, NAN);
  sc_block_put(&b, 20, &c);
  CHECK_INT(64, b.n);
  round_trip(&b, 2e-5);
  check_case("removed_chips_are_gone");
  for (int bit = 0; bit < 64; bit += 3) sc_block_remove(&b, bit);
  CHECK_INT(42, b.n);
  CHECK(!sc_block_has(&b, 3) && sc_block_has(&b, 4));
  CHECK_INT(1004, b.chips[sc_block_rank(&b, 4)].id);
  round_trip(&b, 2e-5);
  check_case("a_chip_across_the_antimeridian_has_two_boxes");
  c.west = (struct sc_box32){-180, -179.9f, 49, 50};
  c.box = (struct sc_box32){179.9f, 180, 49, 50};
  sc_block_put(&b, 0, &c);
  CHECK_INT(1, b.n_west);
  round_trip(&b, 0);
  struct sc_block_range range = sc_block_range(&b);
  CHECK_REAL(-180, (double)range.west.min_x, 0);
  CHECK_REAL(180, (double)range.box.max_x, 0);
  sc_block_remove(&b, 0);
  CHECK_INT(0, b.n_west);
}

static void test_range(void) {
  static struct sc_block b;
  check_case("unknown_clouds_leave_a_range_of_minus_one");
  struct sc_block_chip c = chip_at(1, 0, 0, NAN);
  sc_block_put(&b, 7, &c);
  CHECK_REAL(-1, (double)sc_block_range(&b).min_cloud, 0);
  c.cloud = 0.5f;
  sc_block_put(&b, 9, &c);
  CHECK_REAL(0.5, (double)sc_block_range(&b).min_cloud, 0);
  CHECK_REAL(0.5, (double)sc_block_range(&b).max_cloud, 0);
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
    sc_block_boxes(&f, &box, &west);
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
  static struct sc_block b, back;
  check_case("any_flipped_byte_is_an_error_or_a_block");
  for (int i = 0; i < 20; i++) {
    struct sc_block_chip c = chip_at(1 + 3 * i, (float)i, 1, 0.25f);
    sc_block_put(&b, 2 * i, &c);
  }
  CHECK_INT(SC_OK, sc_block_encode(&b, &bytes, &err));
  srand(1);
  for (int i = 0; i < 20000; i++) {
    size_t at = (size_t)rand() % bytes.size;
    unsigned char old = bytes.data[at];
    bytes.data[at] = (unsigned char)rand();
    sc_status st = sc_block_decode(bytes.data, bytes.size, &back, &err);
    CHECK(st == SC_OK || st == SC_BAD_DATA);
    CHECK(st || (back.n >= 0 && back.n <= 64));
    bytes.data[at] = old;
  }
  sc_buffer_free(&bytes);
}

int main(void) {
  test_shapes();
  test_range();
  test_boxes();
  test_hostile();
  return check_report();
}
