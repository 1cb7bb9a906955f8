/* ext/index/shape.c: geometries of every form. The seeds of the fuzzer were made by SpatiaLite. */
#include "index/shape.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
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

static void every_form_is_read_and_its_damage_seen(void) {
  static const char *const names[] = {"coll-blob", "gpkg-blob",  "hole-blob",  "line-blob",
                                      "mbr-blob",  "multi-blob", "point-blob", "tiny-blob",
                                      "two-blob",  "z-blob"};
  unsigned char blob[4096];
  check_case("every_form_is_read_and_its_damage_seen");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct sc_error err = {0};
    struct sc_shape shape;
    size_t n = read_seed(names[i], blob, sizeof blob);
    CHECK_INT(SC_OK, sc_shape_parse(blob, n, &shape, &err));
    CHECK(shape.n_parts > 0 && shape.n_points > 0);
    sc_shape_free(&shape);
    for (size_t size = 0; size < n; size++) {
      unsigned char *cut = sc_alloc(size + 1); /* so that a read beyond is seen */
      if (!cut) return;
      memcpy(cut, blob, size);
      if (size && memcmp(blob, "GP", 2) != 0) cut[size - 1] = 0xFE;
      CHECK(sc_shape_parse(cut, size, &shape, &err) != SC_OK);
      sc_free(cut);
    }
  }
}

static void holes_follow_their_shell(void) {
  unsigned char blob[4096];
  struct sc_error err = {0};
  struct sc_shape shape;
  check_case("holes_follow_their_shell");
  size_t n = read_seed("hole-blob", blob, sizeof blob);
  CHECK_INT(SC_OK, sc_shape_parse(blob, n, &shape, &err));
  CHECK_INT(2, shape.n_parts);
  if (shape.n_parts == 2) {
    CHECK_INT(SC_SHAPE_SHELL, shape.parts[0].kind);
    CHECK_INT(SC_SHAPE_HOLE, shape.parts[1].kind);
  }
  sc_shape_free(&shape);
}

/* A geometry of GeoPackage: little-endian, SRID 4326, without envelope. */
static size_t geopackage(const unsigned char *wkb, size_t n, unsigned flags, unsigned char *out) {
  static const unsigned char head[] = {'G', 'P', 0, 1, 0xE6, 0x10, 0, 0};
  memcpy(out, head, sizeof head);
  out[3] = (unsigned char)flags;
  memcpy(out + sizeof head, wkb, n);
  return sizeof head + n;
}

static void what_is_not_read(void) {
  unsigned char blob[400], wkb[300] = {1, 8, 0, 0, 0, 0, 0, 0, 0};
  struct sc_error err = {0};
  struct sc_shape shape;
  check_case("curves_and_extended_types_are_refused");
  size_t n = geopackage(wkb, 9, 1, blob);
  CHECK_INT(SC_UNSUPPORTED, sc_shape_parse(blob, n, &shape, &err));
  CHECK_HAS("curve", err.text);
  n = geopackage(wkb, 9, 0x21, blob);
  CHECK_INT(SC_UNSUPPORTED, sc_shape_parse(blob, n, &shape, &err));
  check_case("counts_beyond_the_bytes_are_damage");
  memcpy(wkb, (unsigned char[]){1, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F}, 9);
  n = geopackage(wkb, 60, 1, blob);
  CHECK_INT(SC_BAD_DATA, sc_shape_parse(blob, n, &shape, &err));
  check_case("collections_are_not_followed_for_ever");
  for (int i = 0; i < 30; i++) memcpy(wkb + 9 * i, (unsigned char[]){1, 7, 0, 0, 0, 1, 0, 0, 0}, 9);
  n = geopackage(wkb, 270, 1, blob);
  CHECK_INT(SC_TOO_BIG, sc_shape_parse(blob, n, &shape, &err));
  check_case("an_empty_collection_is_an_empty_shape");
  memcpy(wkb, (unsigned char[]){1, 7, 0, 0, 0, 0, 0, 0, 0}, 9);
  n = geopackage(wkb, 9, 0x11, blob);
  CHECK_INT(SC_OK, sc_shape_parse(blob, n, &shape, &err));
  CHECK_INT(0, shape.n_parts);
  CHECK_INT(4326, shape.srid);
  sc_shape_free(&shape);
}

int main(void) {
  every_form_is_read_and_its_damage_seen();
  holes_follow_their_shell();
  what_is_not_read();
  return check_report();
}
