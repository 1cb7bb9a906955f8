/*
 * Writes the list of SRIDs that SpatiaLite has as code, 5.6 MB of it, as a compressed table: a C header for
 * epsg_packed.c, on standard output. Each record is 17 texts with a zero byte behind each; "\1" stands for NULL.
 */
#include "config.h"
#include <spatialite/sqlite.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <spatialite_private.h>

static char *table;
static size_t n_table;

static void put(const char *text) {
  const char *shown = text ? text : "\1";
  size_t n = strlen(shown) + 1;
  table = realloc(table, n_table + n);
  if (!table) exit(1);
  memcpy(table + n_table, shown, n);
  n_table += n;
}

static void put_number(int value) {
  char text[20];
  snprintf(text, sizeof text, "%d", value);
  put(text);
}

static int count(int filter) {
  struct epsg_defs *first = NULL, *last = NULL;
  int n = 0;
  initialize_epsg(filter, &first, &last);
  for (const struct epsg_defs *p = first; p; p = p->next) n++;
  return n;
}

static void put_record(const struct epsg_defs *p) {
  put_number(p->srid);
  put_number(p->auth_srid);
  put_number(p->is_geographic);
  put_number(p->flipped_axes);
  const char *const texts[] = {p->auth_name, p->ref_sys_name, p->proj4text, p->srs_wkt, p->spheroid, p->prime_meridian, p->datum,
                               p->projection, p->unit, p->axis_1, p->orientation_1, p->axis_2, p->orientation_2};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) put(texts[i]);
}

int main(void) {
  struct epsg_defs *first = NULL, *last = NULL;
  initialize_epsg(GAIA_EPSG_ANY, &first, &last);
  for (const struct epsg_defs *p = first; p; p = p->next) put_record(p);
  size_t limit = ZSTD_compressBound(n_table);
  unsigned char *packed = malloc(limit);
  size_t n = packed ? ZSTD_compress(packed, limit, table, n_table, 19) : 0;
  if (!n || ZSTD_isError(n)) return 1;
  printf("#define N_RECORDS %d\n#define N_WGS84 %d\n#define TABLE_BYTES %zu\n", count(GAIA_EPSG_ANY), count(GAIA_EPSG_WGS84_ONLY), n_table);
  printf("static const unsigned char packed[] = {");
  for (size_t i = 0; i < n; i++) printf(i % 32 ? "%u," : "\n%u,", packed[i]);
  printf("};\n");
  return 0;
}
