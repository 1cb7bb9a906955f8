/* raster/project.c: from one CRS to another. Golden values by GDAL's gdaltransform. */
#include "raster/project.h"

#include <math.h>
#include <stdio.h>

#include "check.h"

static void to(const char *from, const char *crs, double x, double y, const double expected[2],
               double tolerance) {
  struct sc_error err = {0};
  CHECK_INT(SC_OK, sc_project(from, crs, 1, &x, &y, &err));
  CHECK_REAL(expected[0], x, tolerance);
  CHECK_REAL(expected[1], y, tolerance);
}

static void points_go_from_one_crs_to_another(void) {
  check_case("points_go_from_one_crs_to_another");
  to("EPSG:32632", "EPSG:2154", 500000, 4649776, (double[2]){1197656.71920263, 6118854.71721926},
     1e-4);
  check_case("both_sides_of_the_antimeridian_are_one_zone");
  to("EPSG:4326", "EPSG:32660", 179.9, 48.5, (double[2]){714217.299865328, 5375937.49396379}, 1e-4);
  to("EPSG:4326", "EPSG:32660", -179.9, 48.5, (double[2]){728989.212381501, 5376517.31045996},
     1e-4);
  to("EPSG:4326", "EPSG:32660", 180.1, 48.5, (double[2]){728989.212381501, 5376517.31045996}, 1e-4);
  check_case("degrees_become_grads_from_paris");
  to("EPSG:4326", "EPSG:4807", 8.25, 46.5, (double[2]){6.57025590434105, 51.6666864092938}, 1e-8);
}

static void longitudes_keep_their_turn(void) {
  double x[] = {179.5, 180.5, -190, 725.25}, y[] = {10, 10, 10, 10};
  struct sc_error err = {0};
  check_case("longitudes_keep_their_turn");
  CHECK_INT(SC_OK, sc_project("EPSG:4326", "EPSG:4258", 4, x, y, &err));
  CHECK_REAL(179.5, x[0], 1e-4);
  CHECK_REAL(180.5, x[1], 1e-4);
  CHECK_REAL(-190, x[2], 1e-4);
  CHECK_REAL(725.25, x[3], 1e-4);
  x[0] = 400 + 6.57;
  y[0] = 51.66;
  CHECK_INT(SC_OK, sc_project("EPSG:4807", "EPSG:4326", 1, x, y, &err));
  CHECK(x[0] > 367 && x[0] < 369);
}

static void what_cannot_be_projected(void) {
  double x = 8, y = 91;
  struct sc_error err = {0};
  check_case("a_point_that_cannot_be_projected_is_nan");
  CHECK_INT(SC_OK, sc_project("EPSG:4326", "EPSG:32632", 1, &x, &y, &err));
  CHECK(isnan(x) && isnan(y));
  check_case("either_crs_may_be_unknown");
  CHECK_INT(SC_BAD_DATA, sc_project("EPSG:4326", "EPSG:1", 1, &x, &y, &err));
  CHECK_HAS("unknown CRS: EPSG:1", err.text);
  CHECK_INT(SC_BAD_DATA, sc_project("EPSG:2", "EPSG:4326", 1, &x, &y, &err));
  CHECK_HAS("unknown CRS: EPSG:2", err.text);
}

/* More pairs than are kept, twice. */
static void many_pairs_are_told_apart(void) {
  char crs[20];
  struct sc_error err = {0};
  check_case("many_pairs_are_told_apart");
  for (int i = 0; i < 80; i++) {
    int zone = 1 + i % 40;
    double x = -183 + 6 * zone, y = 0;
    snprintf(crs, sizeof crs, "EPSG:%d", 32600 + zone);
    CHECK_INT(SC_OK, sc_project("EPSG:4326", crs, 1, &x, &y, &err));
    CHECK_REAL(500000, x, 1e-3);
    CHECK_INT(SC_OK, sc_project(crs, "EPSG:4326", 1, &x, &y, &err));
    CHECK_REAL(-183 + 6 * zone, x, 1e-9);
  }
}

int main(void) {
  points_go_from_one_crs_to_another();
  longitudes_keep_their_turn();
  what_cannot_be_projected();
  many_pairs_are_told_apart();
  return check_report();
}
