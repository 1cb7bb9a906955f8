/* Tests of ext/index/footprint.c and geometry.c. */
#include "check.h"
#include "index/footprint.h"

#include <math.h>
#include <string.h>

static struct sc_footprint make(const double lon[4], const double lat[4], int geographic) {
  struct sc_footprint f;
  memset(&f, 0, sizeof f);
  if (!sc_footprint_from_corners(lon, lat, geographic, &f)) f.n_parts = 0;
  return f;
}

static double area(const struct sc_footprint *f) {
  double total = 0;
  for (int p = 0; p < f->n_parts; p++) {
    for (int i = 0; i + 1 < f->parts[p].n_points; i++) {
      const double *a = f->parts[p].xy[i], *b = f->parts[p].xy[i + 1];
      total += (a[0] * b[1] - b[0] * a[1]) / 2; /* positive: counter-clockwise */
    }
  }
  return total;
}

int main(void) {
  struct sc_error err = {0};
  struct sc_footprint f, back;
  struct sc_buffer blob = {0};

  check_case("plain_chip_is_a_closed_counter_clockwise_ring");
  f = make((double[]){10, 10, 11, 11}, (double[]){50, 49, 49, 50}, 0);
  CHECK_INT(1, f.n_parts);
  CHECK_INT(5, f.parts[0].n_points);
  CHECK_REAL(1, area(&f), 1e-12);
  CHECK_REAL(f.parts[0].xy[0][0], f.parts[0].xy[4][0], 0);
  check_case("clockwise_corners_are_turned");
  f = make((double[]){10, 11, 11, 10}, (double[]){50, 50, 49, 49}, 0);
  CHECK_REAL(1, area(&f), 1e-12);

  check_case("antimeridian_splits_at_180");
  f = make((double[]){179.5, 179.5, -179.5, -179.5}, (double[]){1, 0, 0, 1}, 0);
  CHECK_INT(2, f.n_parts);
  CHECK_REAL(1, area(&f), 1e-12);
  struct sc_box box = sc_footprint_part_box(&f, 0), other = sc_footprint_part_box(&f, 1);
  CHECK_REAL(180, fmax(box.max_x, other.max_x), 0);
  CHECK_REAL(-180, fmin(box.min_x, other.min_x), 0);
  CHECK(box.max_x - box.min_x < 1 && other.max_x - other.min_x < 1);
  check_case("touching_the_antimeridian_does_not_split");
  f = make((double[]){179, 179, 180, 180}, (double[]){1, 0, 0, 1}, 0);
  CHECK_INT(1, f.n_parts);
  f = make((double[]){180, -180, -179, -179}, (double[]){1, 0, 0, 1}, 0);
  CHECK_INT(1, f.n_parts);
  CHECK_REAL(-180, sc_footprint_box(&f).min_x, 0);

  check_case("geographic_longitudes_beyond_180_are_brought_back");
  f = make((double[]){179.5, 179.5, 180.5, 180.5}, (double[]){1, 0, 0, 1}, 1);
  CHECK_INT(2, f.n_parts);
  CHECK_REAL(1, area(&f), 1e-12);
  f = make((double[]){190, 190, 191, 191}, (double[]){1, 0, 0, 1}, 1);
  CHECK_INT(1, f.n_parts);
  CHECK_REAL(-170, sc_footprint_box(&f).min_x, 1e-12);
  check_case("wide_geographic_chip_is_no_crossing");
  f = make((double[]){-128, -128, 128, 128}, (double[]){10, 0, 0, 10}, 1);
  CHECK_INT(1, f.n_parts);
  CHECK_REAL(2560, area(&f), 1e-9);

  check_case("chip_over_the_pole_covers_it");
  f = make((double[]){-135, 135, 45, -45}, (double[]){89, 89, 89, 89}, 0);
  CHECK(f.n_parts >= 1);
  CHECK_REAL(360, area(&f), 1e-9);
  CHECK_REAL(90, sc_footprint_box(&f).max_y, 0);
  check_case("corner_on_the_pole_takes_its_neighbours_longitudes");
  f = make((double[]){0, 0, 45, 90}, (double[]){90, 89, 88.6, 89}, 0);
  CHECK_INT(1, f.n_parts);
  box = sc_footprint_box(&f);
  CHECK_REAL(0, box.min_x, 1e-12);
  CHECK_REAL(90, box.max_x, 1e-12);
  CHECK_REAL(90, box.max_y, 0);

  check_case("corner_without_a_place_leaves_the_chip_out");
  f = make((double[]){NAN, 10, 11, 11}, (double[]){50, 49, 49, 50}, 0);
  CHECK_INT(0, f.n_parts);
  f = make((double[]){10, 10, 11, 11}, (double[]){90.1, 89, 89, 90.1}, 0);
  CHECK_INT(0, f.n_parts);
  check_case("chip_without_area_is_left_out");
  f = make((double[]){10, 10, 10, 10}, (double[]){50, 49, 49, 50}, 0);
  CHECK_INT(0, f.n_parts);

  check_case("boxes_of_one_chip_may_differ_by_metres_or_a_quarter");
  const struct sc_box one = {10, 60, 10.004, 60.002};
  const struct sc_box cases[] = {
      {10.0001, 60.00005, 10.0041, 60.00195}, {10.002, 60, 10.006, 60.002},
      {10, 60.0002, 10.004, 60.0022},         {10, 60, 10.002, 60.001},
      {10.00015, 60, 10.00415, 60.002},       {-180, 60, 180, 60.002}};
  const int same[] = {1, 0, 0, 0, 1, 1};
  for (int i = 0; i < 6; i++) CHECK_INT(same[i], sc_box_is_same_chip(&one, &cases[i]));
  const struct sc_box small = {10, 0, 10.0001, 0.0001}, next = {10, 0.00005, 10.0001, 0.00015};
  CHECK_INT(0, sc_box_is_same_chip(&small, &next));

  check_case("blob_round_trip");
  int srid = 0;
  f = make((double[]){179.5, 179.5, -179.5, -179.5}, (double[]){1, 0, 0, 1}, 0);
  CHECK_INT(SC_OK, sc_footprint_to_blob(&f, 0, &blob, &err));
  CHECK_INT(SC_OK, sc_footprint_from_blob(blob.data, blob.size, &back, &srid, &err));
  CHECK_INT(4326, srid);
  CHECK_INT(2, back.n_parts);
  CHECK_REAL(area(&f), area(&back), 0);
  check_case("every_truncation_of_a_blob_is_an_error");
  for (size_t n = 0; n < blob.size; n++) {
    CHECK(sc_footprint_from_blob(blob.data, n, &back, &srid, &err) != SC_OK);
  }
  check_case("wkb_round_trip");
  blob.size = 0;
  CHECK_INT(SC_OK, sc_footprint_to_wkb(&f, 0, &blob, &err));
  CHECK_INT(SC_OK, sc_footprint_from_wkb(blob.data, blob.size, &back, &err));
  CHECK_REAL(area(&f), area(&back), 0);
  sc_buffer_free(&blob);
  return check_report();
}
