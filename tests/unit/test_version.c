/* Tests of ext/pixels/version.c; the digests are those of Python's hashlib. */
#include "pixels/version.h"

#include <stdio.h>

#include "check.h"

static const char item_hex[] = "340355aa0940cbb7df31f7e38484e8f18f83146bfb8d36e4060c1f56aaf49113";
static const char chip_hex[] = "8731b4e0ad46558126a95cc63ed29cdee69331ae653770cea16e4e46946bdddd";
static const char grid_hex[] = "846b4563eb5ff2f9420fe6d3e0d7d85d5e0913a0bba4cb1704abea18f5aa3ccf";

static void hex_is(const char *expected, const uint8_t digest[SC_SHA256_BYTES]) {
  char text[SC_VERSION_TEXT_BYTES];
  for (int i = 0; i < SC_SHA256_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
  CHECK_TEXT(expected, text);
}

static void item_versions(void) {
  struct sc_error err = {0};
  char out[SC_VERSION_TEXT_BYTES];
  struct sc_version_asset assets[] = {
      {"dem", "red", "sha256:cc"}, {"", "red", "etag:\"b\" 7"}, {"", "blue", "sha256:aa"}};
  check_case("item_with_assets_in_any_order");
  CHECK_INT(SC_OK, sc_version_of_item("sentinel-2", "S2A \"x\"", "{\"dtype\":\"uint16\"}", assets,
                                      3, out, &err));
  CHECK_TEXT(item_hex, out);
  check_case("item_without_collection_and_assets");
  CHECK_INT(SC_OK, sc_version_of_item(NULL, "a", "{}", NULL, 0, out, &err));
  CHECK_TEXT("b9f7a1d2a27b4361bef5e075f0c34db4177eca71fdea696918a4c1ca4712dc7a", out);
}

static void chip_versions(void) {
  struct sc_error err = {0};
  const double transform[] = {10, 0, 500000.1, 0, -10, 1.0 / 3};
  const struct sc_version_place window = {256, -4, 264, 264, NULL, NULL, NULL};
  const struct sc_version_place grid = {1, 2, 128, 64, "EPSG:32720", transform, NULL};
  uint8_t digests[2][SC_SHA256_BYTES];
  char out[SC_VERSION_TEXT_BYTES];
  check_case("window_of_the_grid");
  CHECK_INT(SC_OK, sc_version_of_chip(item_hex, &window, digests[0], &err));
  hex_is(chip_hex, digests[0]);
  check_case("grid_of_its_own");
  CHECK_INT(SC_OK, sc_version_of_chip(item_hex, &grid, digests[1], &err));
  hex_is(grid_hex, digests[1]);
  check_case("set_in_any_order");
  for (int turn = 0; turn < 2; turn++) {
    sc_version_of_set(digests[0], 2, out);
    CHECK_TEXT("90dadb1be211aa99f1e7f18b0f9244e274a932215e2339902d02cfc5daf58658", out);
    sc_version_of_chip(item_hex, turn ? &window : &grid, digests[0], &err);
    sc_version_of_chip(item_hex, turn ? &grid : &window, digests[1], &err);
  }
  check_case("no_chips");
  sc_version_of_set(digests[0], 0, out);
  CHECK_TEXT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", out);
}

int main(void) {
  item_versions();
  chip_versions();
  return check_report();
}
