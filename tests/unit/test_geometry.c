/* ext/index/geometry.c: which BLOBs are whole. The seeds of the fuzzer were made by SpatiaLite. */
#include "index/geometry.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define SEEDS "tests/fuzz/seeds/geometry/"

/* The seed without its first byte, which is for the fuzzer. */
static size_t read_seed(const char *name, unsigned char *out, size_t max) {
  char path[300];
  snprintf(path, sizeof path, "%s%s", SEEDS, name);
  FILE *f = fopen(path, "rb");
  size_t n = f ? fread(out, 1, max, f) : 0;
  if (f) fclose(f);
  if (n) memmove(out, out + 1, n - 1);
  return n ? n - 1 : 0;
}

/* Cut short, with an end mark where it is looked for; one ordinate NaN. */
static void damage(const unsigned char *blob, size_t n) {
  unsigned char cut[4096];
  struct sc_error err = {0};
  for (size_t size = 45; size < n; size++) {
    memcpy(cut, blob, size);
    cut[size - 1] = 0xFE;
    CHECK_INT(SC_BAD_DATA, sc_blob_check(cut, size, &err));
  }
  memcpy(cut, blob, n);
  memset(cut + n - 9, 0xFF, 8);
  CHECK_INT(SC_BAD_DATA, sc_blob_check(cut, n, &err));
}

static void whole_blobs_pass_and_damaged_ones_do_not(void) {
  unsigned char blob[4096];
  struct sc_error err = {0};
  int n_seen = 0;
  check_case("whole_blobs_pass_and_damaged_ones_do_not");
  DIR *folder = opendir(SEEDS);
  for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder)) {
    if (!strstr(e->d_name, "-blob") || strstr(e->d_name, "gpkg") || strstr(e->d_name, "tiny")) {
      continue;
    }
    size_t n = read_seed(e->d_name, blob, sizeof blob);
    CHECK_INT(SC_OK, sc_blob_check(blob, n, &err));
    damage(blob, n);
    n_seen++;
  }
  if (folder) closedir(folder);
  CHECK_INT(8, n_seen);
}

static void a_ring_of_three_points_is_damaged(void) {
  unsigned char blob[4096];
  struct sc_error err = {0};
  check_case("a_ring_of_three_points_is_damaged");
  size_t n = read_seed("mbr-blob", blob, sizeof blob);
  blob[47] = 3; /* the ring's number of points */
  CHECK_INT(SC_BAD_DATA, sc_blob_check(blob, n, &err));
  blob[47] = 6;
  CHECK_INT(SC_BAD_DATA, sc_blob_check(blob, n, &err));
}

/* MULTIPOLYGON EMPTY: a box of it would be from infinity to minus infinity. */
static void a_footprint_has_a_polygon(void) {
  unsigned char blob[4096];
  struct sc_error err = {0};
  struct sc_footprint f;
  int srid;
  check_case("a_footprint_has_a_polygon");
  size_t n = read_seed("mbr-blob", blob, sizeof blob);
  CHECK_INT(SC_OK, sc_footprint_from_blob(blob, n, &f, &srid, &err));
  blob[39] = 6;
  memset(blob + 43, 0, 4);
  CHECK_INT(SC_BAD_DATA, sc_footprint_from_blob(blob, n, &f, &srid, &err));
  CHECK_TEXT("geometry: it has no polygon", err.text);
}

int main(void) {
  whole_blobs_pass_and_damaged_ones_do_not();
  a_ring_of_three_points_is_damaged();
  a_footprint_has_a_polygon();
  return check_report();
}
