/*
 * http_ask METHOD URL [BODY | @FILE]: one request as the raster half makes it, signature and
 * all; prints the status, the size of the file and the answer's body, or the error.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/http_api.h"
#include "stacchip.h"

static size_t read_file(const char *path, char **out) {
  FILE *f = fopen(path, "rb");
  struct sc_error err = {0};
  struct sc_buffer b = {0};
  char part[65536];
  size_t n;
  while (f && (n = fread(part, 1, sizeof part, f)) > 0) sc_buffer_append(&b, part, n, &err);
  if (f) fclose(f);
  *out = (char *)b.data;
  return b.size;
}

int main(int n, char **arguments) {
  struct sc_error err = {0};
  sqlite3 *db = NULL; /* opening one tells the raster half which SQLite it is in */
  sqlite3_auto_extension((void (*)(void))sqlite3_stacchip_init);
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) return 2;
  char *file = NULL;
  if (n < 3) {
    printf("usage: http_ask METHOD URL [BODY | @FILE]\n");
    return 2;
  }
  struct sc_http_request r = {.method = arguments[1], .url = arguments[2]};
  if (n > 3 && arguments[3][0] == '@') {
    r.body_size = read_file(arguments[3] + 1, &file);
    r.body = file;
  } else if (n > 3) {
    r.body = arguments[3];
    r.body_size = strlen(arguments[3]);
  }
  sc_status st = sc_http(&r, 1, NULL, NULL, &err);
  printf("%d %llu\n", r.http_status, (unsigned long long)r.total_bytes);
  if (st) {
    printf("%s\n", err.text);
  } else {
    fwrite(r.response.data, 1, r.response.size, stdout);
  }
  sc_buffer_free(&r.response);
  sc_free(file);
  sqlite3_close(db);
  return st ? 1 : 0;
}
