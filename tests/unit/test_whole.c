/*
 * The whole flow in one program, three connections after another: under the sanitizer build
 * the end of the process tells whether anything leaked, on good paths and on bad ones.
 */
#include <sqlite3.h>
#include <string.h>

#include "check.h"
#include "stacchip.h"

#define SCENE "build/scenes/sentinel-2/item.json"

static int keep_last(void *last, int n, char **values, char **names) {
  (void)names;
  sqlite3_snprintf(200, last, "%s", n && values[0] ? values[0] : "NULL");
  return 0;
}

static void gives(sqlite3 *db, const char *expected, const char *sql) {
  char last[200] = "", *message = NULL;
  check_case(sql);
  sqlite3_exec(db, sql, keep_last, last, &message);
  CHECK_TEXT(NULL, message);
  CHECK_TEXT(expected, last);
  sqlite3_free(message);
}

static void fails(sqlite3 *db, const char *part, const char *sql) {
  char last[200] = "", *message = NULL;
  check_case(sql);
  CHECK(sqlite3_exec(db, sql, keep_last, last, &message) != SQLITE_OK);
  CHECK_HAS(part, message);
  sqlite3_free(message);
}

static void use(sqlite3 *db) {
  gives(db, "30", "SELECT count(*) FROM stacchip_index('" SCENE "')");
  gives(db, "", "CREATE VIRTUAL TABLE chips USING stacchip_merge(max_nodata=1)");
  gives(db, "", "INSERT INTO chips(item_json) VALUES ('" SCENE "')");
  gives(db, "36", "SELECT count(*) FROM chips");
  gives(db, "1310848", "SELECT length(stacchip_chip(row)) FROM chips LIMIT 1");
  gives(db, "5243008", "SELECT length(stacchip_stack(row)) FROM (SELECT row FROM chips LIMIT 4)");
  gives(db, "1",
        "SELECT json_valid(stacchip_band_stats(row)) FROM (SELECT row FROM chips LIMIT 2)");
  gives(db, "1",
        "SELECT length(stacchip_chip(row, '{\"format\":\"png\"}')) > 1000 FROM chips WHERE "
        "chip_index_x = 3 AND chip_index_y = 3");
  gives(db, "1",
        "SELECT length(stacchip_chip(row, '{\"format\":\"npz\",\"valid\":true}')) > 1000 FROM "
        "chips LIMIT 1");
  gives(db, "1",
        "SELECT length(stacchip_chip(row, '{\"format\":\"geotiff\"}')) > 1000 FROM chips LIMIT 1");
  gives(db, "1", "SELECT json_valid(stacchip_item_info('" SCENE "'))");
  gives(db, "1", "SELECT count(*) FROM stacchip_items('" SCENE "')");
  gives(db, "1",
        "SELECT stacchip_chip(stacchip_row_export(row)) = stacchip_chip(row) FROM chips LIMIT 1");
  fails(db, "already", "INSERT INTO chips(item_json) VALUES ('" SCENE "')");
  fails(db, "not JSON", "SELECT * FROM stacchip_index('{')");
  fails(db, "No such file",
        "SELECT stacchip_chip('{\"item\":\"/nowhere\",\"chip_index_x\":0,\"chip_index_y\":0}')");
  fails(db, "outside the grid",
        "SELECT stacchip_chip('{\"item\":\"" SCENE "\",\"chip_index_x\":99,\"chip_index_y\":0}')");
  fails(db, "has no asset", "SELECT stacchip_chip(row, '{\"assets\":\"rot\"}') FROM chips LIMIT 1");
  fails(db, "position 1",
        "SELECT stacchip_stack(r) FROM (SELECT row r FROM (SELECT row FROM chips LIMIT 1) UNION "
        "ALL SELECT '{\"item\":\"/nowhere\",\"chip_index_x\":0,\"chip_index_y\":0}')");
  fails(db, "syntax error",
        "SELECT stacchip_platform_set('x', '{\"mask\":\"scl\",\"cloud\":\"v = = 4\"}')");
  gives(db, "", "DELETE FROM chips WHERE chip_index_x = 1");
  gives(db, "", "DROP TABLE chips");
}

int main(void) {
  for (int i = 0; i < 3; i++) {
    sqlite3 *db = NULL;
    char *message = NULL;
    sqlite3_open(":memory:", &db);
    check_case("the extension starts");
    CHECK_INT(SQLITE_OK, sqlite3_stacchip_init(db, &message, NULL));
    CHECK_INT(SQLITE_OK, sqlite3_stacchip_init(db, &message, NULL));
    use(db);
    check_case("the connection closes");
    CHECK_INT(SQLITE_OK, sqlite3_close(db));
  }
  return check_report();
}
