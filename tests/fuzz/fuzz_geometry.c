/*
 * libFuzzer: any bytes as the geometry of a chip, a SpatiaLite BLOB or WKB, and as the geometry
 * that a query asks for. What is read must survive being written and read again. SpatiaLite is
 * not loaded: what we leave to it ends in "no such function". `make fuzz-geometry`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sqlite.h"
#include "index/geometry.h"
#include "merge/spatial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static sqlite3_stmt *value;           /* SELECT ?1 */
static struct sc_predicates *spatial; /* of a connection without SpatiaLite */
static struct sc_buffer square;       /* the BLOB of a chip */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static const struct sc_footprint one = {1, {{5, {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}}}}};
  sqlite3 *db = NULL;
  struct sc_error err = {0};
  (void)argc, (void)argv;
  if (sqlite3_open(":memory:", &db) || sqlite3_prepare_v2(db, "SELECT ?1", -1, &value, NULL) ||
      sc_predicates_new(db, &spatial, &err) || sc_footprint_to_blob(&one, 0, &square, &err)) {
    fprintf(stderr, "cannot start: %s\n", err.text);
    abort();
  }
  return 0;
}

/* A footprint written in each form reads as itself, and is a sound BLOB. */
static void write_and_read(const struct sc_footprint *f) {
  struct sc_footprint again;
  struct sc_buffer blob = {0}, wkb = {0};
  struct sc_error err = {0};
  int srid;
  if (f->n_parts == 0) return; /* an empty MULTIPOLYGON */
  if (sc_footprint_to_blob(f, 0, &blob, &err) || sc_footprint_to_wkb(f, 1, &wkb, &err)) abort();
  if (sc_blob_check(blob.data, blob.size, &err)) abort();
  if (sc_footprint_from_blob(blob.data, blob.size, &again, &srid, &err)) abort();
  if (again.n_parts != f->n_parts || srid != SC_SRID_LONLAT) abort();
  if (sc_footprint_from_wkb(wkb.data, wkb.size, &again, &err)) abort();
  for (int i = 0; i < f->n_parts; i++) {
    size_t bytes = sizeof f->parts[i].xy[0] * (size_t)f->parts[i].n_points;
    if (again.parts[i].n_points != f->parts[i].n_points) abort();
    if (memcmp(again.parts[i].xy, f->parts[i].xy, bytes) != 0) abort();
  }
  sc_buffer_free(&blob);
  sc_buffer_free(&wkb);
}

/* The bytes as the area of a query that meets a chip, and as a chip that a query meets. */
static void ask(int predicate, const uint8_t *data, size_t size) {
  struct sc_area area;
  struct sc_error err = {0};
  int passes;
  sqlite3_bind_blob64(value, 1, data, size, SQLITE_STATIC);
  if (sqlite3_step(value) == SQLITE_ROW &&
      !sc_area_init(spatial, predicate, sqlite3_column_value(value, 0), &area, &err)) {
    sc_area_evaluate(spatial, &area, square.data, square.size, &passes, &err);
    sc_area_evaluate(spatial, &area, area.blob, area.size, &passes, &err);
    sc_area_free(&area);
  }
  sqlite3_reset(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sc_footprint f;
  struct sc_error err = {0};
  struct sc_box box;
  int srid;
  if (size < 1) return 0;
  int predicate = data[0] % 8;
  data++, size--;
  if (!sc_footprint_from_blob(data, size, &f, &srid, &err)) write_and_read(&f);
  if (!sc_footprint_from_wkb(data, size, &f, &err)) write_and_read(&f);
  if (sc_blob_box(data, size, &box, &srid, &err)) return 0;
  sc_blob_check(data, size, &err);
  ask(predicate, data, size);
  return 0;
}
