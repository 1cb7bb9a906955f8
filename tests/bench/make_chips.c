/* make_chips DB CHIPS: a merged index `chips` of synthetic chips, for tests/bench/bench_browse.py. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "synthetic.h"

int main(int argc, char **argv) {
  sqlite3 *db = NULL;
  char sql[300], *message = NULL;
  const char *extension = getenv("STACCHIP_EXT");
  if (argc != 3) return 2;
  unlink(argv[1]);
  sqlite3_open(argv[1], &db);
  sqlite3_enable_load_extension(db, 1);
  int code = sqlite3_load_extension(db, extension ? extension : "build/release/stacchip", NULL,
                                    &message);
  if (!code) sqlite3_create_module(db, "synthetic", &rows_module, NULL);
  snprintf(sql, sizeof sql,
           "PRAGMA synchronous = OFF; CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1);"
           "INSERT INTO chips(chipid, platform, item, date, chip_index_x, chip_index_y, "
           "cloud_cover_percentage, nodata_percentage, geometry) SELECT * FROM synthetic(0, %lld)",
           atoll(argv[2]));
  if (!code) code = sqlite3_exec(db, sql, NULL, NULL, &message);
  if (code) fprintf(stderr, "make_chips: %s\n", message ? message : "failed");
  sqlite3_close(db);
  return code != 0;
}
