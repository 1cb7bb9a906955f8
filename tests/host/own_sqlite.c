/* A host that carries its own SQLite: loads the extension, indexes an item, reads a chip. */
#include <stdio.h>

#include "sqlite3.h"

static int print_row(void *unused, int n, char **values, char **names) {
  (void)unused, (void)names;
  for (int i = 0; i < n; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  printf("\n");
  return 0;
}

int main(int argc, char **argv) {
  sqlite3 *db;
  char *message = NULL, *sql;
  if (argc < 3 || sqlite3_open(":memory:", &db) != SQLITE_OK) return 2;
  sqlite3_enable_load_extension(db, 1);
  if (sqlite3_load_extension(db, argv[1], NULL, &message) != SQLITE_OK) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  sql = sqlite3_mprintf(
      "CREATE VIRTUAL TABLE chips USING stacchip_merge();"
      "INSERT INTO chips(item_json) VALUES (%Q);"
      "SELECT count(*), min(AsText(geometry)) IS NOT NULL FROM chips;"
      "SELECT length(stacchip_chip(row)) FROM chips LIMIT 1;",
      argv[2]);
  if (sqlite3_exec(db, sql, print_row, NULL, &message) != SQLITE_OK) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  sqlite3_free(sql);
  sqlite3_close(db);
  return 0;
}
