/* initialize_epsg() of SpatiaLite from the compressed table of epsg_pack.c: the same list, in the same order. */
#include "config.h"
#include <spatialite/sqlite.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <spatialite_private.h>

#include "epsg_table.h"

#define N_ALWAYS 2 /* "undefined" ones, in front; those of WGS 84 are the last */

static const char *take(const char **at) {
  const char *text = *at;
  *at += strlen(text) + 1;
  return text[0] == '\1' ? NULL : text;
}

static int take_number(const char **at) { return (int)strtol(take(at), NULL, 10); }

static void add_record(int filter, struct epsg_defs **first, struct epsg_defs **last, const char **at) {
  int srid = take_number(at), auth_srid = take_number(at), is_geographic = take_number(at), flipped = take_number(at);
  const char *t[13];
  for (int i = 0; i < 13; i++) t[i] = take(at);
  struct epsg_defs *p = add_epsg_def_ex(filter, first, last, srid, t[0], auth_srid, t[1], is_geographic, flipped, t[4], t[5], t[6], t[7], t[8],
                                        t[9], t[10], t[11], t[12]);
  if (!p) return;
  if (!t[7]) p->projection = NULL; /* which add_epsg_def_ex() leaves as it was */
  add_proj4text(p, 0, t[2]);
  add_srs_wkt(p, 0, t[3]);
}

static void skip_record(const char **at) {
  for (int i = 0; i < 17; i++) take(at);
}

void initialize_epsg(int filter, struct epsg_defs **first, struct epsg_defs **last) {
  char *table = filter == GAIA_EPSG_NONE ? NULL : malloc(TABLE_BYTES);
  if (!table) return;
  const char *at = table;
  if (ZSTD_decompress(table, TABLE_BYTES, packed, sizeof packed) == TABLE_BYTES) {
    for (int i = 0; i < N_RECORDS; i++) {
      int is_wanted = filter != GAIA_EPSG_WGS84_ONLY || i < N_ALWAYS || i >= N_RECORDS - (N_WGS84 - N_ALWAYS);
      if (is_wanted) {
        add_record(filter, first, last, &at);
      } else {
        skip_record(&at);
      }
    }
  }
  free(table);
}
