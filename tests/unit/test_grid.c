/* Tests of ext/index/grid.c. */
#include "check.h"
#include "index/grid.h"

#include <string.h>

static struct sc_tiling tiling(int size, int stride, enum sc_edge edge) {
  struct sc_tiling t = {size, stride, edge};
  return t;
}

int main(void) {
  struct sc_error err = {0};
  struct sc_tiling t = tiling(256, 256, SC_EDGE_DROP);
  char crs[] = "EPSG:32720";
  struct sc_grid g = {crs, {10, 0, 499980, 0, -10, 6400000}, 10980, 10980};
  struct sc_window w;

  check_case("full_scene_has_42_chips_a_side");
  CHECK_INT(42, sc_tiling_count(&t, 10980));
  check_case("scene_smaller_than_chip_has_no_chips");
  CHECK_INT(0, sc_tiling_count(&t, 255));
  CHECK_INT(1, sc_tiling_count(&t, 256));
  check_case("pad_keeps_the_overhang");
  t = tiling(256, 256, SC_EDGE_PAD);
  CHECK_INT(43, sc_tiling_count(&t, 10980));
  CHECK_INT(1, sc_tiling_count(&t, 1));
  check_case("shift_moves_the_last_chip_back_inside");
  t = tiling(256, 256, SC_EDGE_SHIFT);
  CHECK_INT(43, sc_tiling_count(&t, 10980));
  CHECK_INT(10980 - 256, sc_tiling_origin(&t, 10980, 42));
  CHECK_INT(41 * 256, sc_tiling_origin(&t, 10980, 41));
  CHECK_INT(1, sc_tiling_count(&t, 256));
  CHECK_INT(0, sc_tiling_count(&t, 255));
  check_case("stride_below_size_overlaps");
  t = tiling(256, 128, SC_EDGE_DROP);
  CHECK_INT(84, sc_tiling_count(&t, 10980));
  CHECK_INT(128 * 5, sc_tiling_origin(&t, 10980, 5));
  check_case("stride_above_size_leaves_gaps");
  t = tiling(256, 1000, SC_EDGE_DROP);
  CHECK_INT(11, sc_tiling_count(&t, 10980));

  check_case("window_of_a_chip");
  t = tiling(256, 256, SC_EDGE_DROP);
  CHECK_INT(SC_OK, sc_grid_window(&g, &t, 3, 7, &w, &err));
  CHECK_INT(768, w.x);
  CHECK_INT(1792, w.y);
  CHECK_INT(256, w.width_px);
  check_case("position_outside_the_grid_is_a_range_error");
  CHECK_INT(SC_RANGE, sc_grid_window(&g, &t, 42, 0, &w, &err));
  CHECK_INT(SC_RANGE, sc_grid_window(&g, &t, -1, 0, &w, &err));
  CHECK_HAS("outside the grid of 42 x 42 chips", err.text);

  check_case("absurd_grids_are_refused");
  g.transform[4] = 0;
  CHECK_INT(SC_BAD_DATA, sc_grid_check(&g, &err));
  CHECK_HAS("without area", err.text);
  g.transform[4] = 0.0 / 0.0;
  CHECK_INT(SC_BAD_DATA, sc_grid_check(&g, &err));
  g.transform[4] = -10;
  CHECK_INT(SC_OK, sc_grid_check(&g, &err));
  g.height_px = 0;
  CHECK_INT(SC_BAD_DATA, sc_grid_check(&g, &err));

  check_case("hash_tells_grids_apart");
  char a[17], b[17];
  g.height_px = 10980;
  sc_grid_hash(&g, a);
  sc_grid_hash(&g, b);
  CHECK_TEXT(a, b);
  g.transform[2] += 10;
  sc_grid_hash(&g, b);
  CHECK(strcmp(a, b) != 0);
  return check_report();
}
