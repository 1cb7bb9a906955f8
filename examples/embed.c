/* embed.c: stacchip inside a C program.  cc embed.c -lstacchip ...  (see include/stacchip.h) */
#include <sqlite3.h>
#include <stdio.h>

#include "stacchip.h"

static int print_row(void *unused, int n, char **values, char **names) {
  (void)unused;
  for (int i = 0; i < n; i++) printf("%s = %s\n", names[i], values[i] ? values[i] : "NULL");
  return 0;
}

int main(int argc, char **argv) {
  sqlite3 *db;
  char *message = NULL, *sql;
  sqlite3_auto_extension((void (*)(void))sqlite3_stacchip_init);
  if (argc < 2 || sqlite3_open(":memory:", &db) != SQLITE_OK)
    return fprintf(stderr, "usage: embed ITEM\n"), 2;
  sql = sqlite3_mprintf(
      "SELECT count(*) AS chips, length(stacchip_chip(row)) AS bytes "
      "FROM stacchip_index(%Q) WHERE cloud_cover_percentage < 0.1",
      argv[1]);
  if (sqlite3_exec(db, sql, print_row, NULL, &message) != SQLITE_OK)
    fprintf(stderr, "%s\n", message);
  sqlite3_free(sql);
  sqlite3_close(db);
  return message != NULL;
}
